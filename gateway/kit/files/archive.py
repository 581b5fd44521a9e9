"""Whether a ZIP archive is a workbook that is safe to parse. Everything in it is unpacked once, and nothing kept."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import IO, BinaryIO

from gateway.kit.files.table import Limits
from gateway.model.errors import UnusableFile

_EXPECTED = "an XLSX workbook"
_PIECE = 1 << 20
_LARGE_MEMBER = 1 << 20
_ENCRYPTED = 0x1

# Only the prolog of an XML document can declare a type, and only a type can declare entities; in text, "<" is escaped.
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_OVERLAP = max(len(declaration) for declaration in _DECLARATIONS) - 1
_ENCODING = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']*)[\"']")
_READABLE_ENCODINGS = (b"utf-8", b"us-ascii")


def require_safe_workbook(file: BinaryIO, limits: Limits) -> None:
    """Raise ``UnusableFile`` for an archive that is no workbook, is damaged, unpacks to too much, or declares entities.

    The file's position is lost.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _require_workbook(members)
            _require_sizes(members, limits)
            for member in members:
                with archive.open(member) as content:
                    _require_plain_xml(content, member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        found = f"a ZIP archive that is damaged, cut off or unpacks to other than it declares ({error})"
        raise UnusableFile(found=found, expected=_EXPECTED) from error


def _require_workbook(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if "xl/workbook.bin" in names:
        raise UnusableFile(found="a binary workbook (.xlsb)", expected=_EXPECTED)
    if "content.xml" in names and "mimetype" in names:
        raise UnusableFile(found="an OpenDocument file", expected=_EXPECTED)
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise UnusableFile(found="a ZIP archive that is no workbook", expected=_EXPECTED)
    if len(set(names)) < len(names):
        raise UnusableFile(found="a ZIP archive with two members of one name", expected=_EXPECTED)
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise UnusableFile(found="an encrypted member", expected=_EXPECTED, where=member.filename)


def _require_sizes(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.members:
        raise UnusableFile(found=f"an archive of {len(members):,} members", expected=f"at most {limits.members:,}")
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.uncompressed_bytes:
        found, expected = f"an archive that unpacks to {unpacked:,} bytes", f"at most {limits.uncompressed_bytes:,}"
        raise UnusableFile(found=found, expected=expected)
    packed = sum(member.compress_size for member in members)
    large = [member for member in members if member.file_size > _LARGE_MEMBER]
    sizes = [
        ("the archive", unpacked, packed),
        *((item.filename, item.file_size, item.compress_size) for item in large),
    ]
    for where, size, compressed in sizes:
        if size > limits.compression_ratio * max(compressed, 1):
            found, expected = f"{size:,} bytes packed into {compressed:,}", f"at most {limits.compression_ratio} times"
            raise UnusableFile(found=found, expected=expected, where=where)


def _require_plain_xml(content: IO[bytes], member: zipfile.ZipInfo) -> None:
    """Read a member to its end, which also checks its size and checksum."""
    piece = content.read(_PIECE)
    head = piece[:4]
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or (b"<" in head and b"\0" in head):
        raise UnusableFile(found="XML in UTF-16 or UTF-32", expected="XML in UTF-8", where=member.filename)
    encoding = _ENCODING.match(piece.removeprefix(b"\xef\xbb\xbf"))
    if encoding and encoding.group(1).lower() not in _READABLE_ENCODINGS:
        found = f"XML in {encoding.group(1).decode(errors='replace')}"
        raise UnusableFile(found=found, expected="XML in UTF-8", where=member.filename)
    before = b""
    while piece:
        text = before + piece
        if any(declaration in text for declaration in _DECLARATIONS):
            found, expected = "a document type or entity declaration", "XML without one"
            raise UnusableFile(found=found, expected=expected, where=member.filename)
        before = piece[-_OVERLAP:]
        piece = content.read(_PIECE)
