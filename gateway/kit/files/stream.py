"""The bytes of a CSV file on their way to the parser: checked, and with a mark at the end."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

import pyarrow as pa

from gateway.kit.files.table import Limits
from gateway.model.errors import UnusableFile

READ = 4 << 20

END_MARK = "\x00"
"""The text of every cell in the record that follows the last one. No file has it: a NUL byte is refused."""


class CheckedStream(io.RawIOBase):
    """What follows the headings of a CSV file, for pyarrow to read.

    It begins with a blank line, so that the parser does not take a byte order mark in the first cell for the file's
    own. It ends with a record of ``END_MARK`` in each cell, whether or not the file ends with a line end: a parser
    that does not come to see this record is within a quote that was never closed.

    Args:
        file: the file, placed after its headings.
        columns: how many headings it has.
        limits: of these, the size in bytes.
    """

    def __init__(self, file: BinaryIO, columns: int, limits: Limits) -> None:
        super().__init__()
        self._file = file
        self._limits = limits
        self._offset = file.tell()
        self._begun = False
        self._cut = b""
        self._end = b"\n" + b",".join([END_MARK.encode()] * columns) + b"\n"
        self.ends_with_line = True

    def readable(self) -> bool:
        """As the parser asks."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` checked bytes. Raises ``UnusableFile`` for what cannot be in a CSV file in UTF-8."""
        if not self._begun:
            self._begun = True
            return b"\n"
        # The end mark travels with the file's last bytes: a row may not reach over more than two blocks.
        room = max(size - len(self._end), 1)
        content = self._file.read(room)
        if content:
            self._check(content)
            self.ends_with_line = content.endswith(b"\n")
        if len(content) == room:
            return content
        if self._cut:
            found, where = "a file cut off within a character", place(self._file, self._offset)
            raise UnusableFile(found=found, expected="a whole file", where=where)
        last = content + self._end
        last, self._end = last[: max(size, 1)], last[max(size, 1) :]
        return last

    def _check(self, content: bytes) -> None:
        if (zero := content.find(0)) >= 0:
            where = place(self._file, self._offset + zero)
            raise UnusableFile(found="a NUL byte", expected="text in UTF-8", where=where)
        text = self._cut + content
        whole = len(text) - _unfinished(text)
        if not _is_utf8(text[:whole]):
            try:
                text.decode()
            except UnicodeDecodeError as error:
                raise wrong_encoding(self._file, error, self._offset - len(self._cut)) from error
        self._cut = text[whole:]
        self._offset += len(content)
        if self._offset > self._limits.bytes:
            found, expected = f"more than {self._limits.bytes:,} bytes", f"at most {self._limits.bytes:,}"
            raise UnusableFile(found=found, expected=expected)


def _unfinished(text: bytes) -> int:
    """How many bytes at the end begin a character of UTF-8 that is not complete; 0 to 3."""
    for back in range(1, min(3, len(text)) + 1):
        byte = text[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


def _is_utf8(text: bytes) -> bool:
    """Arrow's check takes a tenth of the time of decoding."""
    offsets = pa.array([0, len(text)], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(text)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def place(file: BinaryIO, offset: int) -> str:
    """A place in a file as a person looks for it. Reads the file up to there, leaving its own position alone."""
    line, at = 1, 0
    while at < offset and (some := os.pread(file.fileno(), min(READ, offset - at), at)):
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
    byte = error.object[error.start : error.start + 1]
    meant = byte.decode("cp1252", errors="replace")
    found = f"the byte 0x{byte.hex()}, which is no UTF-8 (in Windows-1252 it is {meant!r})"
    return UnusableFile(found=found, expected="text in UTF-8", where=place(file, start + error.start))
