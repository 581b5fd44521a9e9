"""What kind of file it is, by its first bytes: registries answer with web pages, portals with archives."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, Literal

from gateway.kit.files.table import Limits
from gateway.model.errors import UnusableFile

UTF8_MARK = b"\xef\xbb\xbf"

_EXPECTED = "a CSV file in UTF-8 or an XLSX workbook"
_HEAD = 4_096

# Signatures as their formats define them; the longer of two that begin alike stands first.
_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls) or one with a password"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"PK\x07\x08", "a ZIP archive in parts"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"PAR1", "a Parquet file"),
    (b"{\\rtf", "an RTF document"),
    (b"\xff\xfe\x00\x00", "text in UTF-32"),
    (b"\x00\x00\xfe\xff", "text in UTF-32"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_MARKUP = (
    (re.compile(rb"<(!doctype\s+html|html|head|body|table)\b", re.IGNORECASE), "a web page (HTML)"),
    (re.compile(rb"<\?xml|<!doctype|<!--|<[a-z][^<>,]*>", re.IGNORECASE), "an XML or HTML document"),
    (re.compile(rb"\{\s*[\"}]|\[\s*[\[{\"\]]"), "a JSON document"),
)


def open_regular(path: Path, limits: Limits) -> BinaryIO:
    """Open a file for reading, refusing with ``UnusableFile`` whatever is no ordinary file of acceptable size.

    A pipe without a writer would block for ever, hence the flag.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnusableFile(found=f"no readable file ({reason})", expected=_EXPECTED, where=str(path)) from error
    try:
        _require_regular(os.fstat(descriptor), path, limits)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _require_regular(status: os.stat_result, path: Path, limits: Limits) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise UnusableFile(found=kind, expected=_EXPECTED, where=str(path))
    if status.st_size > limits.bytes:
        found, expected = f"a file of {status.st_size:,} bytes", f"at most {limits.bytes:,}"
        raise UnusableFile(found=found, expected=expected, where=str(path))


def recognise(file: BinaryIO) -> Literal["csv", "xlsx"]:
    """Whether the file is text that may be CSV, or an archive that may be a workbook; the file is left at its start.

    Raises ``UnusableFile`` naming what it is otherwise.
    """
    head = file.read(_HEAD)
    file.seek(0)
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            raise UnusableFile(found=name, expected=_EXPECTED)
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    text = head.removeprefix(UTF8_MARK).lstrip()
    if not text and len(head) < _HEAD:
        raise UnusableFile(found="an empty file", expected=_EXPECTED)
    for pattern, name in _MARKUP:
        if pattern.match(text):
            raise UnusableFile(found=name, expected=_EXPECTED)
    # Latin text in UTF-16 has a zero in every second byte.
    if head.count(0) * 4 > len(head):
        raise UnusableFile(found="text in UTF-16 or a binary file", expected=_EXPECTED)
    return "csv"
