"""The unified social credit code (统一社会信用代码) of an entity of the mainland, by GB 32100-2015."""

from __future__ import annotations

from typing import Final

DIGITS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH: Final = 18


def check_digit(body: str) -> str:
    """The last of the eighteen, made of the seventeen before it. Raises ValueError for another character or length."""
    if len(body) != LENGTH - 1:
        raise ValueError(f"found {len(body)} characters, expected {LENGTH - 1}")
    total = sum(DIGITS.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return DIGITS[-total % 31]


def is_uscc(text: str) -> bool:
    """Whether a text is such a code: eighteen of its digits, the last of which fits."""
    if len(text) != LENGTH or not set(text) <= set(DIGITS):
        return False
    return text[-1] == check_digit(text[:-1])
