"""CSV files in GB18030, as Chinese systems write them: made UTF-8 before they are read.

GB18030 has no mark of its own, and most bytes of other encodings mean something in it too. So a file is taken for it
only by its headings: they are no UTF-8, and all that is not ASCII in them is whole characters of its oldest part,
GB 2312. Accented letters of a Latin encoding stand alone between plain ones, and are still refused.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from typing import BinaryIO, Final

from gateway.kit.files.gb18030 import in_current_edition
from gateway.kit.files.recognise import UTF8_MARK
from gateway.kit.files.stream import READ, place
from gateway.kit.files.table import Limits
from gateway.model.errors import UnusableFile

ENCODING: Final = "gb18030"

_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]+")
_CHINESE: Final = re.compile(rb"(?:[\xa1-\xa9\xb0-\xf7][\xa1-\xfe])+")
_IDEOGRAPH: Final = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")


def is_chinese(line: bytes) -> bool:
    """Whether a line is Chinese in GB18030, and no UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        runs = _BEYOND_ASCII.findall(line)
        return all(map(_CHINESE.fullmatch, runs)) and any(map(_IDEOGRAPH.match, runs))
    return False


def in_utf8(file: BinaryIO, limits: Limits) -> BinaryIO:
    """The file at its start, or in its place a temporary copy in UTF-8 where its headings are Chinese in GB18030.

    The file is closed when a copy takes its place. Raises ``UnusableFile`` for a byte that is no GB18030.
    """
    head = b"\n"
    while head and not head.strip():
        head = file.readline(limits.record_bytes)
    file.seek(0)
    if head.startswith(UTF8_MARK) or not is_chinese(head):
        return file
    copy = tempfile.TemporaryFile(prefix="carbon-gateway-")  # noqa: SIM115 - closed with the table
    try:
        _transcribe(file, copy)
    except BaseException:
        copy.close()
        raise
    file.close()
    copy.seek(0)
    return copy


def _transcribe(file: BinaryIO, copy: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder(ENCODING)()
    begin, content = 0, b" "
    while content:
        content = file.read(READ)
        kept = len(decoder.getstate()[0])
        try:
            copy.write(in_current_edition(decoder.decode(content, final=not content).encode()))
        except UnicodeDecodeError as error:
            found = f"the byte 0x{error.object[error.start]:02x}, which is no GB18030"
            where = place(file, begin - kept + error.start)
            raise UnusableFile(found=found, expected="text in GB18030, as its headings are", where=where) from error
        begin += len(content)
