"""The bytes of a CSV file, taken piecewise at the ends of records."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

from gateway.kit.files.recognise import UTF8_MARK
from gateway.kit.files.table import Limits
from gateway.model.errors import UnusableFile

PIECE = 4 << 20

_STRUCTURE = b'",\r\n'
_TEXT = bytes(byte for byte in range(256) if byte not in _STRUCTURE)

# RFC 4180: a quote opens after a separator and closes before one; a doubled quote closes and opens again.
# Possessive, so that a mismatch is found in one pass.
_WELL_QUOTED = re.compile(rb'(?:[^"]*+(?<![^,\n"])"[^"]*+"(?![^,\r\n"]))*+[^"]*+')


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole records: their bytes, and of these only the quotes, commas and line ends."""

    content: bytes
    structure: bytes


class Source:
    """A CSV file's bytes with a place in them that is always the start of a record, or of a line within one."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._start = 0
        self._ended = False
        self._read()
        if self._buffer.startswith(UTF8_MARK):
            self._at = len(UTF8_MARK)

    @property
    def offset(self) -> int:
        """The place in the file, in bytes from its start."""
        return self._start + self._at

    def piece(self) -> Piece:
        """The next whole records, some MB of them, without moving on.

        They end at the last line end outside quotes; the piece is empty when what follows is one record longer than
        that, or has no line end. Where quotes are misused the end may be wrong: ``plain_rows`` tells.
        """
        if self.buffered() < PIECE:
            self._read()
        content = self._buffer[self._at : self._buffer.rfind(b"\n", self._at) + 1]
        structure = content.translate(None, _TEXT)
        if structure.count(b'"') % 2:
            content = content[: _last_line_end(content, content.rfind(b'"'))]
            structure = content.translate(None, _TEXT)
        return Piece(content=content, structure=structure)

    def has_more(self) -> bool:
        """Whether anything follows."""
        if self._at == len(self._buffer):
            self._read()
        return self._at < len(self._buffer)

    def move(self, count: int) -> None:
        """Move on by a number of bytes that ``piece`` has shown."""
        self._at += count

    def buffered(self) -> int:
        """How many bytes follow that are in memory already."""
        return len(self._buffer) - self._at

    def line(self) -> bytes:
        """Take the next line with its line end; nothing at the end of the file."""
        while (end := self._buffer.find(b"\n", self._at)) < 0 and not self._ended:
            if self.buffered() > self._limits.record_bytes:
                found, expected = "a line without an end", f"one of at most {self._limits.record_bytes:,} bytes"
                raise UnusableFile(found=found, expected=expected, where=place(self._file, self.offset))
            self._read()
        taken = self._buffer[self._at : end + 1] if end >= 0 else self._buffer[self._at :]
        self._at += len(taken)
        return taken

    def _read(self) -> None:
        if self._ended:
            return
        more = self._file.read(PIECE)
        self._ended = len(more) < PIECE
        self._start += self._at
        begun = self._start + len(self._buffer) - self._at
        self._buffer = self._buffer[self._at :] + more
        self._at = 0
        if (zero := more.find(0)) >= 0:
            found, expected = "a NUL byte", "text in UTF-8"
            raise UnusableFile(found=found, expected=expected, where=place(self._file, begun + zero))
        if begun + len(more) > self._limits.bytes:
            raise UnusableFile(found=f"more than {self._limits.bytes:,} bytes", expected=f"at most {self._limits.bytes:,}")


def _last_line_end(content: bytes, opening: int) -> int:
    """The place after the last line end outside quotes, before a quote that opens; 0 where there is none."""
    while True:
        closing = content.rfind(b'"', 0, opening)
        end = content.rfind(b"\n", max(closing, 0), opening) + 1
        if end or closing < 0:
            return end
        opening = content.rfind(b'"', 0, closing)


def plain_rows(piece: Piece, columns: int) -> int:
    """How many records a piece has, where each has this many fields and RFC 4180 is kept to the letter; else 0.

    Such a piece means the same to every reader of CSV. One column cannot be judged, because a blank line then looks
    like a record; nor can a piece that begins with a byte order mark, which readers swallow.
    """
    if columns == 1 or piece.content.startswith(UTF8_MARK):
        return 0
    structure = piece.structure
    if b'"' in structure:
        if not _WELL_QUOTED.fullmatch(piece.content):
            return 0
        structure = b"".join(structure.split(b'"')[::2])
    record = b"," * (columns - 1) + (b"\r\n" if structure.startswith(b"\r", columns - 1) else b"\n")
    rows = structure.count(b"\n")
    return rows if structure == record * rows else 0


def place(file: BinaryIO, offset: int) -> str:
    """A place in a file as a person looks for it. Reads the file up to there, leaving its own position alone."""
    line, at = 1, 0
    while at < offset and (some := os.pread(file.fileno(), min(PIECE, offset - at), at)):
        line += some.count(b"\n")
        at += len(some)
    return f"line {line:,} (byte {offset:,})"


def wrong_encoding(file: BinaryIO, error: UnicodeDecodeError, start: int) -> UnusableFile:
    """Say where a file stops being UTF-8.

    Args:
        file: the file; its position is left alone.
        error: what decoding some of its bytes ran into.
        start: where in the file those bytes begin.
    """
    where = place(file, start + error.start)
    cut = error.reason == "unexpected end of data"
    if cut and not os.pread(file.fileno(), 1, start + len(error.object)):
        return UnusableFile(found="a file cut off within a character", expected="a whole file", where=where)
    byte = error.object[error.start : error.start + 1]
    meant = byte.decode("cp1252", errors="replace")
    found = f"the byte 0x{byte.hex()}, which is no UTF-8 (in Windows-1252 it is {meant!r})"
    return UnusableFile(found=found, expected="text in UTF-8", where=where)
