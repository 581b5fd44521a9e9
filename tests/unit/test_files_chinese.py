"""CSV files in GB18030: recognised by their headings, read without loss, and nothing else taken for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kit.files import Limits, Table, open_content, open_table
from gateway.kit.files.chinese import is_chinese
from gateway.model.errors import UnusableFile

HEADINGS = "项目编号,项目名称【全称】,数量"


def cells(table: Table) -> list[tuple[object, ...]]:
    with table:
        return [row for batch in table.batches() for row in batch.frame.drop("_row").iter_rows()]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig"])
def test_chinese_headings_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(f"{HEADINGS}\r\nGD-1,示例项目,10\r\n".encode(encoding))
    table = open_table(path)
    assert table.headings == ("项目编号", "项目名称【全称】", "数量")
    assert cells(table) == [("GD-1", "示例项目", "10")]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Zs", "Zl", "Zp"], exclude_characters='",'), min_size=1)
)
def test_every_character_survives(name: str) -> None:
    table = open_content(f"{HEADINGS}\nGD-1,{name},10\n".encode("gb18030"))
    assert cells(table) == [("GD-1", name, "10")]


@pytest.mark.parametrize("sequence", [b"\xfe\x59", "\u9fb4".encode("gb18030")])
def test_both_editions_of_the_standard_are_read(sequence: bytes) -> None:
    content = f"{HEADINGS}\nGD-1,".encode("gb18030") + sequence + b",10\n"
    assert cells(open_content(content)) == [("GD-1", "\u9fb4", "10")]


def test_characters_of_four_bytes_survive_where_blocks_meet() -> None:
    text = "𠮷㐀" * 700_000  # more than one block of reading
    limits = Limits(cell_characters=2_000_000, record_bytes=32 << 20)
    [(_, found, _)] = cells(open_content(f"{HEADINGS}\nGD-1,a{text},10\n".encode("gb18030"), limits=limits))
    assert found == f"a{text}"


def test_a_blank_line_before_the_headings_is_passed_over() -> None:
    assert cells(open_content(f"\r\n{HEADINGS}\nGD-1,名,1\n".encode("gb18030"))) == [("GD-1", "名", "1")]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (f"{HEADINGS}\nGD-1,".encode("gb18030") + b"\xff,1\n", "byte 0xff, which is no GB18030"),
        (f"{HEADINGS}\nGD-1,1,名".encode("gb18030")[:-1], "no GB18030"),
        (f"{HEADINGS}\nGD-1,\0,1\n".encode("gb18030"), "a NUL byte"),
        ("Land/Área,Menge\n1,2\n".encode("cp1252"), "0xc1, which is no UTF-8"),
        ("ID,Preis in €\n1,2\n".encode("cp1252"), "0x80, which is no UTF-8"),
        ("ID,été éé\n1,2\n".encode("cp1252"), "0xe9, which is no UTF-8"),
        (b"", "an empty file"),
    ],
)
def test_what_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(UnusableFile, match=found):
        cells(open_content(content))


def test_where_a_byte_is_wrong_is_said() -> None:
    with pytest.raises(UnusableFile) as caught:
        open_content(f"{HEADINGS}\nGD-1,名,1\n".encode("gb18030") + b"GD-2,\xff,1\n")
    assert caught.value.where is not None
    assert caught.value.where.startswith("line 3 ")


def test_content_over_the_limit_is_refused() -> None:
    with pytest.raises(UnusableFile, match="a file of 6 bytes"):
        open_content(b"a,b\n1,", limits=Limits(bytes=5))


@pytest.mark.parametrize("line", [b"", b"ID,Name\n", "项目".encode(), "§¶".encode("cp1252")])
def test_what_is_no_chinese_line(line: bytes) -> None:
    assert not is_chinese(line)
