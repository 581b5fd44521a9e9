"""CSV as registries write it, in bounded memory and without losing a row.

pyarrow parses, because it streams, says which rows have a wrong number of fields and takes a quote out of place as
Python's csv module does: the field goes on to the next comma. Three things it does not notice are looked for here: a
quote that is still open at the end of the file, a last row cut short, and two rows that a quote out of place made one.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import BinaryIO

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from gateway.kit.files.quoting import is_well_quoted
from gateway.kit.files.recognise import UTF8_MARK
from gateway.kit.files.stream import END_MARK, CheckedStream, place, wrong_encoding
from gateway.kit.files.table import (
    RAGGED_TEXT,
    ROW_NUMBER,
    Batch,
    Limits,
    RaggedRow,
    Table,
    batched,
    checked_headings,
    require_rows,
    written,
)
from gateway.model.errors import UnusableFile

_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LINE_END = re.compile(rb"\n")


def open_delimited(file: BinaryIO, limits: Limits) -> Table:
    """A table of a file that holds comma-separated values in UTF-8, with or without a byte order mark.

    Raises ``UnusableFile`` when its headings cannot be read.
    """
    headings = checked_headings(_first_record(file, limits), limits)
    batches = batched(_parts(file, headings, limits), limits)
    return Table(format="csv", headings=headings, batches=batches, file=file)


def _first_record(file: BinaryIO, limits: Limits) -> list[str]:
    """The cells of the first record that is not blank; the file is left after it."""
    mark = file.read(len(UTF8_MARK))
    file.seek(len(UTF8_MARK) if mark == UTF8_MARK else 0)
    taken: list[str] = []

    def lines() -> Iterator[str]:
        while line := file.readline(limits.record_bytes):
            start = file.tell() - len(line)
            if 0 in line:
                raise UnusableFile(
                    found="a NUL byte", expected="text in UTF-8", where=place(file, start + line.index(0))
                )
            try:
                taken.append(line.decode())
            except UnicodeDecodeError as error:
                raise wrong_encoding(file, error, start) from error
            yield taken[-1]
        if taken:
            found, expected = "a quote that is never closed", "a closing quote before the end of the file"
            raise UnusableFile(found=found, expected=expected, where="the headings")

    try:
        for record in csv.reader(lines()):
            if record and (len(record) > 1 or record[0].strip()):
                _require_commas(taken, len(record))
                return record
            taken.clear()
    except csv.Error as error:
        # The module's limit for a cell, or lines that end like on an old Macintosh.
        expected = "headings in lines that end in LF or CR LF, with closed quotes"
        raise UnusableFile(found=f"text that is no CSV ({error})", expected=expected, where="the headings") from error
    raise UnusableFile(found="no headings", expected="a first row that names the columns", where="the headings")


def _require_commas(lines: list[str], fields: int) -> None:
    for delimiter, name in _OTHER_DELIMITERS.items():
        if len(next(csv.reader(lines, delimiter=delimiter))) > fields:
            raise UnusableFile(found=f"headings separated by {name}", expected="commas", where="the headings")


def _parts(file: BinaryIO, headings: tuple[str, ...], limits: Limits) -> Iterator[Batch]:
    stream = CheckedStream(file, len(headings), limits)
    quotes_are_sound = cache(lambda: is_well_quoted(file, limits.record_bytes))
    waiting: deque[RaggedRow] = deque()
    next_row, ended = 1, False
    last: RaggedRow | None = None
    for parsed in _ahead(_parsed(stream, headings, waiting, limits)):
        ended = parsed.num_rows > 0 and parsed.column(0)[-1].as_py() == END_MARK
        records = parsed.slice(0, parsed.num_rows - ended)
        numbers, ragged, next_row = _numbered(records.num_rows, next_row, waiting)
        require_rows(next_row - 1, limits)
        last = ragged[-1] if ragged else last
        frame = pl.DataFrame(pl.from_arrow(records)).with_columns(numbers)
        if _has_line_ends(records):
            merged = _merged(frame, headings)
            if merged and not quotes_are_sound():
                frame = frame.filter(~pl.col(ROW_NUMBER).is_in([row.row for row in merged]))
                ragged = sorted([*ragged, *merged], key=lambda row: row.row)
        yield Batch(frame=frame, ragged=tuple(row for row in ragged if row.text.strip()))
    if not ended:
        _, _, next_row = _numbered(0, next_row, waiting)
        found, expected = "a quote that is never closed", "a closing quote before the end of the file"
        raise UnusableFile(found=found, expected=expected, where=f"row {next_row - 1:,}")
    short = last is not None and last.row == next_row - 1 and last.found < last.expected and last.text.strip()
    if last and short and not stream.ends_with_line:
        found, expected = f"a last row that breaks off in field {last.found}", f"{last.expected} fields"
        raise UnusableFile(found=found, expected=expected, where=f"row {last.row:,}")


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each one parsed in a thread while the one before is in use."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="csv") as executor:
        following = executor.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = executor.submit(next, batches, None)
            yield batch


def _parsed(
    stream: CheckedStream, headings: tuple[str, ...], ragged: deque[RaggedRow], limits: Limits
) -> Iterator[pa.RecordBatch]:
    """The rows of the right number of fields, as text; the others are put in ``ragged`` as the parser meets them."""

    def note(row: arrow_csv.InvalidRow) -> str:
        text = row.text[:RAGGED_TEXT]
        ragged.append(RaggedRow(row=row.number, found=row.actual_columns, expected=row.expected_columns, text=text))
        return "skip"

    try:
        yield from arrow_csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            # Only a single thread gives the numbers of ragged rows.
            read_options=arrow_csv.ReadOptions(
                column_names=headings, block_size=limits.record_bytes, use_threads=False
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(headings, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "straddling" in str(error):
            found = f"a row of more than {limits.record_bytes:,} bytes, or a quote that is never closed"
            raise UnusableFile(found=found, expected="shorter rows") from error
        raise UnusableFile(found=f"what cannot be parsed ({error})", expected="rows of CSV") from error


def _numbered(count: int, first: int, waiting: deque[RaggedRow]) -> tuple[pl.Series, list[RaggedRow], int]:
    """Number some rows, leaving out the numbers of ragged ones before, among and right after them.

    Gives the numbers, those ragged rows (taken from ``waiting``) and the number that comes next.
    """
    following, ragged = first + count, list[RaggedRow]()
    while waiting and waiting[0].row <= following:
        ragged.append(waiting.popleft())
        following += 1
    numbers = pl.int_range(first, following, dtype=pl.Int64, eager=True).alias(ROW_NUMBER)
    if ragged:
        numbers = numbers.filter(~numbers.is_in([row.row for row in ragged]))
    return numbers, ragged, following


def _has_line_ends(records: pa.RecordBatch) -> bool:
    """Whether a cell holds a line end. One look over the bytes of a column is cheaper than one into each cell."""
    texts = (column.buffers()[2] for column in records.columns)
    return any(_LINE_END.search(memoryview(text)) for text in texts if text is not None)


def _merged(frame: pl.DataFrame, headings: tuple[str, ...]) -> list[RaggedRow]:
    """Rows that may be two or more in the file, of which a quote out of place made one with the right number of fields.

    Such a row has swallowed a line end, and as many commas as separate the fields of a row.
    """
    cells = [pl.col(name) for name in headings]
    has_line_end = pl.any_horizontal(cell.str.contains("\n", literal=True) for cell in cells)
    commas = pl.sum_horizontal(cell.str.count_matches(",", literal=True) for cell in cells)
    suspects = frame.filter(has_line_end, commas >= len(headings) - 1)
    return [
        RaggedRow(row=number, found=len(headings), expected=len(headings), text=written(row))
        for *row, number in suspects.iter_rows()
    ]
