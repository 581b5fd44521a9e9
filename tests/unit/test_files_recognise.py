"""What is refused before anything is parsed."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from gateway.kit.files import Limits, open_table
from gateway.model.errors import UnusableFile


def refusal(path: Path, limits: Limits | None = None) -> UnusableFile:
    with pytest.raises(UnusableFile) as caught, open_table(path, limits=limits or Limits()) as table:
        list(table.batches())
    return caught.value


def zipped(**members: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"\xef\xbb\xbf\n <html lang='en'>", "web page"),
        (b"<table><tr><td>ID</td></tr></table>", "web page"),
        (b"<?xml version='1.0'?><Workbook/>", "XML or HTML"),
        (b'{"value": [], "totalCount": 0}', "JSON"),
        (b'[{"id": 1}]', "JSON"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), ".xls"),
        (gzip.compress(b"ID,Name\n1,a\n"), "gzip"),
        (zipped(readme="hello"), "no workbook"),
        (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": "<a/>"}), "OpenDocument"),
        (zipped(), "empty ZIP"),
        (b"PAR1\x00\x00", "Parquet"),
        (b"", "empty file"),
        (b"\xef\xbb\xbf\r\n \n", "empty file"),
        ("ID,Name\n1,a\n".encode("utf-16"), "UTF-16"),
        ("ID,Name\n1,a\n".encode("utf-16-le"), "UTF-16"),
        ("ID,Name\n1,a\n".encode("utf-32"), "UTF-32"),
        (bytes(4096), "UTF-16 or a binary"),
        (b"\n" * 5000, "no headings"),
    ],
)
def test_names_what_the_file_is(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    assert found in refusal(path).found


def test_goes_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    path.write_bytes(b"ID,Name\n1,a\n")
    with open_table(path) as table:
        assert table.format == "csv"


def test_refuses_what_is_no_ordinary_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "directory" in refusal(tmp_path).found
    assert "pipe" in refusal(pipe).found
    assert "device" in refusal(Path(os.devnull)).found
    assert "No such file" in refusal(tmp_path / "absent.csv").found
    assert refusal(tmp_path / "absent.csv").where == str(tmp_path / "absent.csv")


def test_refuses_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"ID\n1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the tests run as a user whom permissions do not bind (root)")
    assert "Permission denied" in refusal(path).found


def test_refuses_a_file_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"ID\n" + b"1\n" * 50)
    assert refusal(path, Limits(bytes=100)).expected == "at most 100"
