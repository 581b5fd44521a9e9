"""CSV as registries write it, in bounded memory and without losing a row.

A piece of some MB that keeps RFC 4180 to the letter goes to polars whole. Any other is read record by record with
Python's csv module, which takes a stray quote as a character: such a row mostly ends up with a wrong number of
fields and is reported, and the rows around it stay where they are.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

import polars as pl

from gateway.kit.files.source import Source, place, plain_rows, wrong_encoding
from gateway.kit.files.table import (
    RAGGED_TEXT,
    ROW_NUMBER,
    Batch,
    Limits,
    RaggedRow,
    Table,
    batched,
    checked_cells,
    checked_headings,
    require_rows,
)
from gateway.model.errors import UnusableFile

_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class _Plain:
    """Records for polars: their bytes, where in the file these begin, and the first one's row number."""

    content: bytes
    start: int
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Irregular:
    """Records that Python's csv module has read."""

    records: list[list[str]]
    rows: list[int]
    ragged: list[RaggedRow]


def open_delimited(file: BinaryIO, limits: Limits) -> Table:
    """A table of a file that holds comma-separated values in UTF-8, with or without a byte order mark.

    Raises ``UnusableFile`` when its headings cannot be read.
    """
    source = Source(file, limits)
    headings = checked_headings(_first_record(file, source, limits), limits)
    parts = _parts(file, source, headings, limits)
    batches = batched(parts, limits)
    return Table(format="csv", headings=headings, batches=batches, file=file)


def _first_record(file: BinaryIO, source: Source, limits: Limits) -> list[str]:
    for record, lines in _records(file, source, limits):
        if _is_blank(record):
            continue
        for delimiter, name in _OTHER_DELIMITERS.items():
            if len(next(csv.reader(lines, delimiter=delimiter))) > len(record):
                raise UnusableFile(found=f"headings separated by {name}", expected="commas", where="the headings")
        return record
    raise UnusableFile(found="no headings", expected="a first row that names the columns", where="the headings")


def _parts(file: BinaryIO, source: Source, headings: tuple[str, ...], limits: Limits) -> Iterator[Batch]:
    with closing(_ahead(_pieces(file, source, len(headings), limits))) as pieces:
        for piece in pieces:
            frame = _parsed(file, piece, headings) if isinstance(piece, _Plain) else _framed(piece, headings)
            ragged = () if isinstance(piece, _Plain) else tuple(piece.ragged)
            yield Batch(frame=checked_cells(frame, limits), ragged=ragged)


def _ahead(pieces: Iterator[_Plain | _Irregular]) -> Generator[_Plain | _Irregular]:
    """The same, each one prepared in a thread while the one before is in use; polars needs no interpreter lock."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="csv") as executor:
        following = executor.submit(next, pieces, None)
        while (piece := following.result()) is not None:
            following = executor.submit(next, pieces, None)
            yield piece


def _pieces(file: BinaryIO, source: Source, columns: int, limits: Limits) -> Iterator[_Plain | _Irregular]:
    row = 0
    while source.has_more():
        piece = source.piece()
        if rows := plain_rows(piece, columns):
            require_rows(row + rows, limits)
            yield _Plain(content=piece.content, start=source.offset, first_row=row + 1, rows=rows)
            source.move(len(piece.content))
            row += rows
        else:
            end = source.offset + (len(piece.content) or source.buffered())
            irregular, row = _read_irregular(file, source, end, columns, row, limits)
            yield irregular


def _read_irregular(
    file: BinaryIO, source: Source, end: int, columns: int, row: int, limits: Limits
) -> tuple[_Irregular, int]:
    """Read records up to the first that ends at or beyond a place in the file; also give the last row's number."""
    read = _Irregular(records=[], rows=[], ragged=[])
    begun = source.offset
    for record, lines in _records(file, source, limits):
        if not _is_blank(record) or (columns == 1 and record):
            row += 1
            require_rows(row, limits)
            if len(record) == columns:
                read.records.append(record)
                read.rows.append(row)
            elif len(record) < columns and not lines[-1].endswith("\n"):
                found, expected = f"a last row cut off in field {len(record)}", f"{columns} fields"
                raise UnusableFile(found=found, expected=expected, where=place(file, begun))
            else:
                text = "".join(lines).rstrip("\r\n")[:RAGGED_TEXT]
                read.ragged.append(RaggedRow(row=row, found=len(record), expected=columns, text=text))
        begun = source.offset
        if begun >= end:
            break
    return read, row


def _is_blank(record: list[str]) -> bool:
    return not record or (len(record) == 1 and not record[0].strip())


def _records(file: BinaryIO, source: Source, limits: Limits) -> Iterator[tuple[list[str], list[str]]]:
    """Records one by one, each with the lines it was made of, which are good until the next one is asked for."""
    taken: list[str] = []
    begun = source.offset

    def lines() -> Iterator[str]:
        while line := source.line():
            if source.offset - begun > limits.record_bytes:
                expected = f"one of at most {limits.record_bytes:,} bytes"
                raise UnusableFile(found="a row without an end", expected=expected, where=place(file, begun))
            try:
                taken.append(line.decode())
            except UnicodeDecodeError as error:
                raise wrong_encoding(file, error, source.offset - len(line)) from error
            yield taken[-1]
        if taken:
            found, expected = "a quote that is never closed", "a closing quote before the end of the file"
            raise UnusableFile(found=found, expected=expected, where=f"the row that begins in {place(file, begun)}")

    reader = csv.reader(lines())
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _unreadable(error, place(file, begun)) from error
        if record is None:
            return
        yield record, taken
        taken.clear()
        begun = source.offset


def _unreadable(error: csv.Error, where: str) -> UnusableFile:
    """What Python's csv module gives up on: a cell over its own limit, a line that ends like on an old Macintosh."""
    if "field larger" in str(error):
        found = f"a cell of more than {csv.field_size_limit():,} characters, or a quote that is never closed"
        return UnusableFile(found=found, expected="shorter cells", where=f"the row that begins in {where}")
    found = "a carriage return without a line feed, outside quotes"
    return UnusableFile(found=found, expected="lines that end in LF or CR LF", where=where)


def _parsed(file: BinaryIO, piece: _Plain, headings: tuple[str, ...]) -> pl.DataFrame:
    schema = dict.fromkeys(headings, pl.String)
    try:
        frame = pl.read_csv(piece.content, has_header=False, schema=schema)
    except pl.exceptions.PolarsError as error:
        try:
            piece.content.decode()
        except UnicodeDecodeError as wrong:
            raise wrong_encoding(file, wrong, piece.start) from wrong
        message = str(error).partition("\n")[0]
        raise UnusableFile(found=message, expected="rows of CSV", where=place(file, piece.start)) from error
    assert frame.height == piece.rows, "polars and the check before it count the same records"
    rows = pl.int_range(piece.first_row, piece.first_row + piece.rows, dtype=pl.Int64)
    return frame.with_columns(rows.alias(ROW_NUMBER))


def _framed(piece: _Irregular, headings: tuple[str, ...]) -> pl.DataFrame:
    columns = list(zip(*piece.records, strict=True)) or [()] * len(headings)
    cells = [pl.Series(name, column, dtype=pl.String) for name, column in zip(headings, columns, strict=True)]
    return pl.DataFrame([*cells, pl.Series(ROW_NUMBER, piece.rows, dtype=pl.Int64)])
