"""Two editions of GB 18030: which characters the standard has moved since the one that Python decodes.

Python's codec is the edition of 2000, which gave 25 two-byte sequences to characters of private use; since then Unicode
has those characters and the standard's later editions (2005 for one of them, 2022 for the others) map the sequences
there. Senders write both. No sender means a character of private use.
"""

from __future__ import annotations

from typing import Final

_LATER: Final = {
    **dict(zip(range(0xE78D, 0xE797), "︐︒︑︓︔︕︖︗︘︙", strict=True)),
    0xE7C7: "ḿ",
    **dict(zip((0xE816, 0xE817, 0xE818), "\U00020087\U00020089\U000200cc", strict=True)),
    **dict(zip((0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832), "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8", strict=True)),
    **dict(zip((0xE843, 0xE854, 0xE864), "\u9fb9\u9fba\u9fbb", strict=True)),
    **dict(zip((0xE831, 0xE83B, 0xE855), "\U000215d7\U0002298f\U000241fe", strict=True)),
}
_MAYBE_PRIVATE: Final = b"\xee"
"""In UTF-8 the first byte of the characters U+E000 to U+EFFF, and of no others."""


def in_current_edition(text: bytes) -> bytes:
    """What Python decoded, in UTF-8, with the characters that the standard's current edition has in their places."""
    return text.decode().translate(_LATER).encode() if _MAYBE_PRIVATE in text else text
