"""XLSX workbooks as tables of strings: one sheet with data, each value as the text that it exactly is."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

from openpyxl.packaging.relationship import get_rels_path
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

from gateway.kit.files.archive import require_safe_workbook
from gateway.kit.files.cell_number import exact_moment, exact_number
from gateway.kit.files.table import (
    Batch,
    Limits,
    RaggedRow,
    Table,
    batched,
    checked_headings,
    framed,
    require_rows,
    written,
)
from gateway.model.errors import UnusableFile

# Excel's own limits.
_ROWS = 1_048_576
_COLUMNS = 16_384

# How control characters are written, and the underscore before what would look so (ECMA-376, ST_Xstring).
_ESCAPED = re.compile("_x(00[01][0-9A-Fa-f]|005[Ff])_")

_PART = 5_000

Row = list[str | None]


def open_workbook(file: BinaryIO, limits: Limits) -> Table:
    """A table of the one sheet that holds data in an XLSX workbook.

    Raises ``UnusableFile`` for an archive that is no workbook or is not safe to parse, and for a workbook without
    data, or with data on more than one sheet.
    """
    require_safe_workbook(file, limits)
    file.seek(0)
    with _as_unusable("the workbook"):
        reader = _Reader(file, read_only=True, data_only=True, keep_links=False)
        reader.read()
        book = reader.wb
        for sheet in book.worksheets:
            _require_dimension(sheet, limits)
        filled = [sheet for sheet in book.worksheets if next(_rows(book, sheet, limits), None) is not None]
    if not filled:
        raise UnusableFile(found="a workbook without data", expected="a sheet with headings and rows")
    if len(filled) > 1:
        names = ", ".join(repr(sheet.title) for sheet in filled)
        raise UnusableFile(found=f"data on {len(filled)} sheets: {names}", expected="data on one sheet")
    where = f"sheet {filled[0].title!r}"
    rows = _rows(book, filled[0], limits)
    with _as_unusable(where):
        _, first = next(rows)
    headings = checked_headings([cell or "" for cell in first], limits)
    return Table(
        format="xlsx", headings=headings, batches=batched(_parts(rows, where, headings, limits), limits), file=file
    )


class _Reader(ExcelReader):
    """openpyxl's reader, but for a chart sheet without a chart, over which that stumbles."""

    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        relations = get_rels_path(rel.target)  # type: ignore[no-untyped-call]  # openpyxl states no types
        if relations not in self.valid_files:
            found, expected = "a chart sheet without a chart", "a workbook without it; remove that sheet"
            raise UnusableFile(found=found, expected=expected, where=f"sheet {sheet.name!r}")
        super().read_chartsheet(sheet, rel)


class _Parser(WorkSheetParser):
    """openpyxl's parser, but for what that loses.

    It makes a float of a number that has a point or an exponent, and an empty cell of a formula whose result is not
    stored.
    """

    def parse_cell(self, element: Element) -> dict[str, Any]:
        kind = element.get("t", "n")
        if kind == "n":
            element.set("t", "str")  # so that the number's text comes back as it is
        cell: dict[str, Any] = super().parse_cell(element)
        # An empty text is a result ("str" says that it is there).
        if cell["value"] is None and kind != "str" and element.find(FORMULA_TAG) is not None:
            found, expected = "a formula without its result", "values; open and save it in a spreadsheet program"
            raise UnusableFile(found=found, expected=expected, where=f"cell {element.get('r')}")
        if kind == "n" and cell["value"] is not None:
            try:
                cell["value"] = self._number(cell["value"], cell["style_id"])
            except ValueError as error:
                where = f"row {cell['row']:,} of the sheet, column {cell['column']}"
                raise UnusableFile(found=str(error), expected="a number", where=where) from error
        return cell

    def _number(self, stated: str, style: int) -> object:
        if style in self.date_formats:
            return exact_moment(stated, self.epoch, elapsed=style in self.timedelta_formats)
        return exact_number(stated)


@contextmanager
def _as_unusable(where: str) -> Iterator[None]:
    """Whatever openpyxl stumbles over is the file's fault; what it merely warns of does not touch values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnusableFile:
        raise
    except Exception as error:
        found = f"a workbook that cannot be read ({type(error).__name__}: {error})"
        raise UnusableFile(found=found, expected="an XLSX workbook", where=where) from error


def _require_dimension(sheet: Any, limits: Limits) -> None:
    rows, columns = sheet.max_row or 0, sheet.max_column or 0
    most_rows, most_columns = min(limits.rows + 1, _ROWS), min(limits.columns, _COLUMNS)
    if rows > most_rows or columns > most_columns:
        found = f"a stated dimension of {rows:,} rows and {columns:,} columns"
        expected = f"at most {most_rows:,} and {most_columns:,}"
        raise UnusableFile(found=found, expected=expected, where=f"sheet {sheet.title!r}")


def _rows(book: Any, sheet: Any, limits: Limits) -> Iterator[tuple[int, Row]]:
    """The rows that are not blank, each with its number on the sheet, without the blank cells at its end.

    The parser is used below openpyxl's public ``iter_rows`` because that trusts the stated dimension and leaves out,
    without a word, rows and cells that are out of order.
    """
    with sheet._get_source() as source:  # noqa: SLF001 - see above
        parser = _Parser(
            source,
            sheet._shared_strings,  # noqa: SLF001 - see above
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001 - see above
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001 - see above
        )
        before = 0
        for number, cells in parser.parse():
            parser.row_dimensions.clear()  # heights and the like, which it would keep for every row
            if not before < number <= _ROWS:
                found, expected = f"row {number} after row {before}", f"rows in order, up to {_ROWS:,}"
                raise UnusableFile(found=found, expected=expected, where=f"sheet {sheet.title!r}")
            before = number
            row = _row(cells, number, limits)
            if row:
                yield number, row


def _row(cells: Sequence[dict[str, Any]], number: int, limits: Limits) -> Row:
    row: Row = []
    for cell in cells:
        text = _text(cell["value"])
        if text is None or not text.strip():
            continue
        column: int = cell["column"]
        if not len(row) < column <= limits.columns:
            found, expected = f"a cell in column {column}", f"columns in order, at most {limits.columns}"
            raise UnusableFile(found=found, expected=expected, where=f"row {number:,} of the sheet")
        if "\0" in text:
            found, expected = "a NUL character", "text"
            raise UnusableFile(found=found, expected=expected, where=f"row {number:,} of the sheet, column {column}")
        row.extend([None] * (column - 1 - len(row)))
        row.append(text)
    return row


def _text(value: object) -> str | None:
    """A cell's value as text; numbers are text already. Dates come as ISO 8601, without the time at midnight."""
    match value:
        case None:
            return None
        case str():
            return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value) if "_x" in value else value
        case bool():
            return str(value).upper()
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case _:
            return str(value)


def _parts(rows: Iterator[tuple[int, Row]], where: str, headings: tuple[str, ...], limits: Limits) -> Generator[Batch]:
    number, columns = 0, len(headings)
    while True:
        with _as_unusable(where):
            some = list(itertools.islice(rows, _PART))
        if not some:
            return
        full: list[Row] = []
        numbers: list[int] = []
        ragged: list[RaggedRow] = []
        for _, row in some:
            number += 1
            if len(row) > columns:
                ragged.append(RaggedRow(row=number, found=len(row), expected=columns, text=written(row)))
            else:
                full.append(row + [None] * (columns - len(row)))
                numbers.append(number)
        require_rows(number, limits)
        with _as_unusable(where):
            frame = framed(headings, full, numbers)
        yield Batch(frame=frame, ragged=tuple(ragged))
