"""From the bytes of an XML file to its text in UTF-8, checked on the way: nothing dangerous reaches a parser.

The checks are on the text, not on what a parser makes of it. In a well-formed document "<" only ever begins a tag or
one of the things that are refused here. The bytes of "<" and of "=" are within no other character, neither in UTF-8 nor
in GB18030.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from gateway.kit.files.gb18030 import in_current_edition
from gateway.kit.xml.shape import Limits, Shape
from gateway.model.errors import UnusableFile

_HEAD: Final = 1_024
_DECLARATION: Final = re.compile(
    rb"""<\?xml\s+version\s*=\s*(["'])1\.0\1\s+encoding\s*=\s*(["'])([A-Za-z][A-Za-z0-9._-]*)\2"""
    rb"""(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>""",
)
_MARKS: Final = (
    (b"\xef\xbb\xbf", "a byte order mark of UTF-8"),
    (b"\x84\x31\x95\x33", "a byte order mark of GB18030"),
    (b"\xff\xfe", "a byte order mark of UTF-16"),
    (b"\xfe\xff", "a byte order mark of UTF-16"),
    (b"<\0", "text in UTF-16"),
    (b"\0<", "text in UTF-16"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
)
_DANGEROUS: Final = (
    (b"<!DOCTYPE", "a document type (DOCTYPE)"),
    (b"<!ENTITY", "the declaration of an entity"),
    (b"<!--", "a comment"),
    (b"<![CDATA[", "a CDATA section"),
    (b"<!", "a markup declaration"),
    (b"<?", "a processing instruction"),
)
_PLAIN: Final = "elements and text only"


class CheckedText:
    """The text of a file behind its XML declaration, in pieces, while its bytes are digested.

    Args:
        file: the file, at its start.
        shape: which encoding it is in and what its trailer is called.
        limits: of these, the size, the run without a tag and how much is read at a time.
    """

    def __init__(self, file: BinaryIO, shape: Shape, limits: Limits) -> None:
        self._file = file
        self._encoding = shape.encoding
        self._limits = limits
        self._digest = _Digest(f"<{shape.trailer}".encode(shape.encoding))
        self._offset = 0
        self._run = 0
        self._last = b""

    def digest(self) -> str:
        """The digest of what stands before the trailer, in small letters, once all pieces were read."""
        return self._digest.value()

    def pieces(self) -> Iterator[bytes]:
        """The text in UTF-8, in pieces that end anywhere. Raises ``UnusableFile`` for what no file may have."""
        decoder = codecs.getincrementaldecoder(self._encoding)(errors="strict")
        raw = self._head()
        while raw:
            self._digest.update(raw)
            start = 0 if self._offset else self._declaration(raw)
            piece = self._decoded(decoder, raw, start)
            self._offset += len(raw)
            if self._offset > self._limits.bytes:
                found, expected = f"more than {self._limits.bytes:,} bytes", f"at most {self._limits.bytes:,}"
                raise UnusableFile(found=found, expected=expected)
            self._check(piece)
            yield piece
            raw = self._file.read(self._limits.read_bytes)
        self._decoded(decoder, b"", 0, final=True)

    def _head(self) -> bytes:
        """The first bytes: enough of them to hold a declaration, also from a file that gives few at a time."""
        head = b""
        while len(head) < _HEAD and (more := self._file.read(self._limits.read_bytes)):
            head += more
        if not head:
            raise UnusableFile(found="an empty file", expected="an XML file")
        return head

    def _declaration(self, head: bytes) -> int:
        """Where the declaration ends. Raises ``UnusableFile`` unless it declares the encoding that was promised."""
        expected = f'an XML file that begins with <?xml version="1.0" encoding="{self._encoding}"?>'
        for mark, name in _MARKS:
            if head.startswith(mark):
                raise UnusableFile(found=name, expected=expected, where="byte 0")
        declared = _DECLARATION.match(head[:_HEAD])
        if declared is None:
            found = repr(head[:60].decode("ascii", "replace"))
            raise UnusableFile(found=found, expected=expected, where="byte 0")
        if declared[3].decode().upper() != self._encoding:
            raise UnusableFile(found=f"the encoding {declared[3].decode()}", expected=expected, where="byte 0")
        return declared.end()

    def _decoded(self, decoder: codecs.IncrementalDecoder, raw: bytes, start: int, *, final: bool = False) -> bytes:
        waiting = len(decoder.getstate()[0])
        try:
            text = decoder.decode(raw[start:] if start else raw, final)
        except UnicodeDecodeError as error:
            at = self._offset + start - waiting + error.start
            found = f"the byte 0x{error.object[error.start]:02x}, which is no {self._encoding}"
            if final:
                found = "a file cut off within a character"
            raise UnusableFile(found=found, expected=f"text in {self._encoding}", where=f"byte {at:,}") from error
        if self._encoding == "GB18030":
            return in_current_edition(text.encode())
        return text.encode()

    def _check(self, piece: bytes) -> None:
        """Raises ``UnusableFile`` for a NUL, for what is no element or text, and for a tag or a text too long."""
        if b"\0" in piece:
            raise self._refused("a NUL character", "text that XML can hold")
        seam = self._last + piece[:1]
        # Looking for one byte is much faster than for two, and neither is common.
        markup = (b"!" in piece and b"<!" in piece) or (b"?" in piece and b"<?" in piece)
        if markup or seam in {b"<!", b"<?"}:
            text = self._last + piece
            at = min(place for place in (text.find(b"<!"), text.find(b"<?")) if place >= 0)
            name = next(name for start, name in _DANGEROUS if text.startswith(start, at))
            raise self._refused(name, _PLAIN)
        self._last = piece[-1:]
        self._check_runs(piece)

    def _check_runs(self, piece: bytes) -> None:
        """Hops from "<" to "<", as far as the limit allows, so that most of the piece is never looked at."""
        limit = self._limits.run_bytes
        at = -self._run
        while len(piece) - at > limit:
            following = piece.rfind(b"<", max(at + 1, 0), at + limit + 1)
            if following < 0:
                raise self._refused(
                    f"more than {limit:,} bytes from one tag to the next",
                    "short texts and tags without attributes",
                )
            at = following
        following = piece.rfind(b"<", max(at + 1, 0))
        self._run = len(piece) - (following if following >= 0 else at)

    def _refused(self, found: str, expected: str) -> UnusableFile:
        return UnusableFile(found=found, expected=expected, where=f"the bytes up to {self._offset:,}")


class _Digest:
    """SM3 over all bytes before the first ones of a mark, which may lie across two pieces."""

    def __init__(self, mark: bytes) -> None:
        self._hash = Hash(SM3())
        self._mark = mark
        self._held = b""
        self._found = False

    def update(self, raw: bytes) -> None:
        """Takes the next bytes of the file."""
        if self._found:
            return
        raw = self._held + raw
        at = raw.find(self._mark)
        self._found = at >= 0
        until = at if self._found else max(len(raw) - len(self._mark) + 1, 0)
        self._hash.update(memoryview(raw)[:until])
        self._held = raw[until:]

    def value(self) -> str:
        """The digest; asked for once, at the end."""
        return self._hash.finalize().hex()
