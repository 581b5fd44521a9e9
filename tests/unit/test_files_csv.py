"""CSV in: every row comes out once, in its place, or the file is refused."""

from __future__ import annotations

import csv
import io
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kit.files import Limits, RaggedRow, open_table, quoting
from gateway.model.errors import UnusableFile

SHARED = Path(__file__).parents[3] / "shared" / "data"

Read = tuple[tuple[str, ...], list[tuple[object, ...]], list[RaggedRow]]


def read(content: bytes, limits: Limits | None = None) -> Read:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(content)
        file.flush()
        return read_path(Path(file.name), limits)


def read_path(path: Path, limits: Limits | None = None) -> Read:
    rows: list[tuple[object, ...]] = []
    ragged: list[RaggedRow] = []
    with open_table(path, limits=limits or Limits()) as table:
        schema = {**dict.fromkeys(table.headings, pl.String()), "_row": pl.Int64()}
        for batch in table.batches():
            assert dict(batch.frame.schema) == schema
            rows += batch.frame.rows()
            ragged += batch.ragged
    return table.headings, rows, ragged


def refusal(content: bytes, limits: Limits | None = None) -> UnusableFile:
    with pytest.raises(UnusableFile) as caught:
        read(content, limits)
    return caught.value


@cache
def blank_to_null(cell: str) -> str | None:
    return cell if pl.Series([cell]).str.strip_chars().item() else None


cells = st.text(
    st.one_of(
        st.sampled_from("\",\n\r ab;\t'é中\ufeff\u3000\xa0"), st.characters(exclude_characters="\0", codec="utf-8")
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), columns=st.integers(1, 6), batch_rows=st.integers(1, 5))
def test_what_csv_writes_comes_back(data: st.DataObject, columns: int, batch_rows: int) -> None:
    rows = data.draw(st.lists(st.lists(cells, min_size=columns, max_size=columns), max_size=12))
    style: Literal[0, 1] = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    headings = tuple(f"column {number}" for number in range(columns))
    text = io.StringIO()
    # Python quotes a carriage return of its own accord only where lines end in one.
    bare = any("\r" in cell for row in rows for cell in row) and style == csv.QUOTE_MINIMAL
    writer = csv.writer(
        text, quoting=style, lineterminator="\r\n" if bare else data.draw(st.sampled_from(["\n", "\r\n"]))
    )
    writer.writerows([headings, *rows])
    content = text.getvalue().encode()
    if data.draw(st.booleans()):
        content = b"\xef\xbb\xbf" + content
    if data.draw(st.booleans()):
        content = content.removesuffix(b"\n").removesuffix(b"\r")

    expected = [(*map(blank_to_null, row), number) for number, row in enumerate(rows, start=1)]
    # Small blocks of bytes, so that records straddle them.
    limits = Limits(batch_rows=batch_rows, record_bytes=data.draw(st.sampled_from([400, 1 << 20])))
    assert read(content, limits) == (headings, expected, [])


@settings(max_examples=200, deadline=None)
@given(data=st.data(), rows=st.lists(st.lists(cells, min_size=1, max_size=5), max_size=12))
def test_ragged_rows_are_reported_and_shift_no_other(data: st.DataObject, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    kept = [row for row in rows if len(row) > 1 or row[0].strip()]
    limits = Limits(batch_rows=data.draw(st.integers(1, 5)), record_bytes=data.draw(st.sampled_from([400, 1 << 20])))

    _, good, ragged = read(text.getvalue().encode(), limits)

    numbered = list(enumerate(rows, start=1))
    assert good == [(*map(blank_to_null, row), number) for number, row in numbered if len(row) == 3]
    assert [(row.row, row.found, row.expected) for row in ragged] == [
        (number, len(row), 3) for number, row in numbered if len(row) != 3
    ]
    assert len(kept) <= len(good) + len(ragged) == len(rows)


@settings(max_examples=200, deadline=None)
@given(st.text('",\nab', max_size=40), st.integers(1, 4))
def test_no_text_vanishes_whatever_the_quotes(body: str, columns: int) -> None:
    """Every letter of the file is in a row, or in a ragged row, or the file is refused."""
    try:
        _, rows, ragged = read(",".join("wxyz"[:columns]).encode() + b"\n" + body.encode())
    except UnusableFile:
        return
    text = "".join(str(cell) for row in rows for cell in row[:-1] if cell) + "".join(row.text for row in ragged)
    assert sorted(letter for letter in text if letter in "ab") == sorted(letter for letter in body if letter in "ab")


def test_a_field_with_undoubled_quotes_and_a_comma_makes_a_ragged_row() -> None:
    line = '2,"for "Example, Ltd."",x'
    _, rows, ragged = read(f'ID,Reason,State\n1,a,b\n{line}\n3,"say ""hi""","two\nlines"\n'.encode())
    assert rows == [("1", "a", "b", 1), ("3", 'say "hi"', "two\nlines", 3)]
    assert ragged == [RaggedRow(row=2, found=4, expected=3, text=line)]


def test_two_rows_that_a_quote_makes_one_are_reported() -> None:
    """Quoted only where needed, an undoubled quote runs on to the same column of the next row: the count is right."""
    _, rows, ragged = read(b'ID,Name,State\n1,a,b\n2,"pipe 5"",x\n3,"b",y\n4,c,z\n')
    assert rows == [("1", "a", "b", 1), ("4", "c", "z", 3)]
    assert [(row.row, row.found, row.expected) for row in ragged] == [(2, 3, 3)]
    assert "pipe 5" in ragged[0].text
    assert "\n3," in ragged[0].text


def test_a_long_cell_with_lines_and_commas_is_no_merged_row_where_quotes_are_sound() -> None:
    _, rows, ragged = read(b'ID,Name,State\n1,"one,\ntwo, three",b\n2,""" ,\n,",c\n')
    assert rows == [("1", "one,\ntwo, three", "b", 1), ("2", '" ,\n,', "c", 2)]
    assert ragged == []


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        (b'\xef\xbb\xbf"a",b\r\n"1","say ""hi"""\r\n,"two\nlines"\n"",""""\n', True),
        (b"a,b\n1,2", True),
        (b'a,b\n1,"2"x\n1,2\n3,4\n', False),
        (b'a,b\n1,x"2"\n1,2\n3,4\n', False),
        (b'a,b\n1,"pipe 5""\n2,"x"\n3,4\n', False),
        (b'a,b\n1,"2\n3,4\n', False),
    ],
)
def test_judges_quotes_the_same_however_the_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, sound: bool
) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with path.open("rb") as file:
        for size in range(4, len(content) + 2):
            monkeypatch.setattr(quoting, "READ", size)
            assert quoting.is_well_quoted(file, 1000) is sound
        assert file.tell() == 0


def test_ragged_text_is_limited() -> None:
    _, _, ragged = read(b"a,b\n" + b"x" * 5000 + b"\n1,2\n")
    assert len(ragged[0].text) == 2000


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n\n", b"\r\n\r\n", b"\n   ", b"\n \t\n"])
def test_ends_of_files(ending: bytes) -> None:
    assert read(b"a,b\n1,2\n\n3,4" + ending) == (("a", "b"), [("1", "2", 1), ("3", "4", 2)], [])


def test_headings_alone_are_a_table_without_rows() -> None:
    for content in (b"a,b", b"a,b\n", b"\xef\xbb\xbfa,b\r\n\r\n"):
        assert read(content) == (("a", "b"), [], [])


def test_headings_lose_outer_and_doubled_spaces_and_one_may_be_nameless() -> None:
    content = b'"Status Effective  (GMT)", Project ID ,Total Number of Credits Registered ,\n1,2,3,\n'
    expected = ("Status Effective (GMT)", "Project ID", "Total Number of Credits Registered", "_unnamed")
    assert read(content)[0] == expected


@pytest.mark.parametrize(
    ("headings", "found", "where"),
    [
        (b"a,,b", "without a heading", "column 2"),
        (b"a,,", "without a heading", "column 2"),
        (b",,", "no headings", "the headings"),
        (b"a,b,a", "'a', column 1 has it too", "column 3"),
        (b"a  b,a b", "'a b', column 1 has it too", "column 2"),
        (b"a,_row", "'_row'", "column 2"),
        (b"_unnamed,", "'_unnamed'", "column 2"),
        (b"a;b;c", "semicolons", "the headings"),
        (b"a\tb\tc", "tabs", "the headings"),
        (b"a|b|c", "vertical bars", "the headings"),
        (b'a,"b', "never closed", "the headings"),
        (b"a,b\xe9", "0xe9", "line 1 (byte 3)"),
        (b"a,b\0", "NUL", "line 1 (byte 3)"),
        (b"a,b\r1,2\r", "no CSV", "the headings"),
    ],
)
def test_refuses_headings(headings: bytes, found: str, where: str) -> None:
    error = refusal(headings + b"\n")
    assert found in error.found
    assert error.where == where


@pytest.mark.parametrize(
    ("rows", "found", "where"),
    [
        (b"1,2,3\n4,5", "breaks off in field 2", "row 2"),
        (b'1,2,3\n4,5,"6', "never closed", "row 2"),
        (b'1,2,3\n4,"5,6\n7,8,9\n', "never closed", "row 2"),
        (b'1,2,"3\n', "never closed", "row 1"),
        (b"1,2,3\n4,caf\xe9,6\n", "0xe9, which is no UTF-8 (in Windows-1252 it is 'é')", "line 3 (byte 17)"),
        (b"1,2,3\n\xe4\xb8\n", "0xe4", "line 3 (byte 12)"),
        (b"1,2,\xe4\xb8", "cut off within a character", None),
        (b"1,2,\xed\xa0\x80\n", "0xed", "line 2 (byte 10)"),
        (b"1,2,3\n4,\x005,6\n", "NUL", "line 3 (byte 14)"),
    ],
)
def test_refuses_rows(rows: bytes, found: str, where: str | None) -> None:
    error = refusal(b"a,b,c\n" + rows)
    assert found in error.found
    assert where is None or error.where == where


def test_finds_a_wrong_byte_wherever_the_blocks_begin() -> None:
    body = "中é𝄞x".encode() * 40
    for at in range(len(body)):
        if body[at] < 0x80 or body[at] >= 0xC0:
            content = b"a\n" + body[:at] + b"\xff" + body[at:] + b"\n"
            assert refusal(content, Limits(record_bytes=1000)).where == f"line 2 (byte {at + 2:,})"
    for block in range(300, 320):
        assert read(b"a\n" + body[:290] + b"\n" + body[290:] + b"\n", Limits(record_bytes=block))[1][0][1] == 1


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(rows=9), "more than 9 rows"),
        (Limits(columns=1), "2 columns"),
        (Limits(cell_characters=3), "a cell of 4 characters"),
        (Limits(record_bytes=20), "a row of more than 20 bytes"),
    ],
)
def test_refuses_what_is_over_a_limit(limits: Limits, found: str) -> None:
    assert found in refusal(b"a,b\n" + b"1,2\n" * 8 + b"1,2345\n1,2\n" + b'3,"' + b"x\n" * 40 + b'"\n', limits).found


def test_a_cell_limit_counts_characters() -> None:
    assert read("a,b\n1,中中中\n".encode(), Limits(cell_characters=3))[1] == [("1", "中中中", 1)]
    assert refusal("a,b\n1,中中中\n".encode(), Limits(cell_characters=2)).where == "row 1, column 'b'"


def test_batches_have_the_rows_asked_for_and_their_ragged_rows() -> None:
    content = b"a,b\n" + b"1,2\n3\n" * 25
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with open_table(Path(file.name), limits=Limits(batch_rows=10)) as table:
            batches = list(table.batches())
            with pytest.raises(RuntimeError, match="once"):
                table.batches()
    assert [batch.frame.height for batch in batches] == [10, 10, 5]
    assert [len(batch.ragged) for batch in batches] == [9, 10, 6]


def test_closing_early_leaves_no_thread_and_no_open_file(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 100_000)
    before = threading.active_count()
    table = open_table(path, limits=Limits(batch_rows=10, record_bytes=10_000))
    assert next(table.batches()).frame.height == 10
    table.close()
    table.close()
    assert table._file.closed
    assert threading.active_count() <= before + 1  # polars and pyarrow have threads of their own, none of Python's


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder shared/data with registries' real exports is not beside the repository")
    return SHARED


def test_real_exports(shared: Path) -> None:
    rows = {
        str(path.relative_to(shared)): len(read_path(path)[1])
        for folder in ("verra", "samples/verra")
        for path in (shared / folder).glob("*.csv")
    }
    assert rows == {
        "verra/vcus_au_2024-12.csv": 731,
        "verra/vcus_sg_2024-12.csv": 92,
        "verra/allprojects_2023-11.csv": 3867,
        "samples/verra/transactions.csv": 200,
        "samples/verra/projects.csv": 50,
    }


def test_real_exports_read_as_pythons_csv_module_reads_them(shared: Path) -> None:
    paths = sorted(shared.rglob("*.csv"))
    assert paths
    for path in paths:
        headings, rows, ragged = read_path(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = [record for record in csv.reader(file) if record][1:]
        assert len(rows) + len(ragged) == len(records)
        for *cells_read, number in rows:
            assert isinstance(number, int)
            assert cells_read == [blank_to_null(cell) for cell in records[number - 1]]
        assert all(len(records[row.row - 1]) == row.found != len(headings) for row in ragged)
    assert len(read_path(shared / "captured" / "car-retirements.csv")[2]) == 13


def test_a_last_row_without_a_line_end_may_end_anywhere_in_a_block(tmp_path: Path) -> None:
    row, block = b"a" * 30 + b",b,c\n", 400
    path = tmp_path / "export.csv"
    for length in range(block, block + 3 * len(row)):
        rows = (length - 10) // len(row)
        body = row * rows + b"x" * (length - rows * len(row) - 4) + b",b,c"
        path.write_bytes(b"h1,h2,h3\n" + body)
        with open_table(path, limits=Limits(record_bytes=block)) as table:
            assert sum(batch.frame.height for batch in table.batches()) == rows + 1, length
