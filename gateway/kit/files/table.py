"""What a file looks like once it is open: headings, and batches of rows that are all text."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Literal, Self

import polars as pl

from gateway.model.errors import UnusableFile

ROW_NUMBER = "_row"
UNNAMED = "_unnamed"
RAGGED_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is accepted. What is over a limit is refused, naming the limit.

    Args:
        bytes: size of the file.
        rows: data rows.
        columns: headings.
        cell_characters: characters in a cell.
        record_bytes: bytes in one CSV record, which may span lines; also how much is parsed at a time.
        members: files within a workbook's archive.
        uncompressed_bytes: size of a workbook's archive once unpacked.
        compression_ratio: unpacked to packed size of an archive, and of each of its larger members.
        batch_rows: rows in a batch at most.
    """

    bytes: int = 4 << 30
    rows: int = 10_000_000
    columns: int = 200
    cell_characters: int = 65_536
    record_bytes: int = 2 << 20
    members: int = 1_000
    uncompressed_bytes: int = 2 << 30
    compression_ratio: int = 200
    batch_rows: int = 50_000


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A row with another number of fields than there are headings, for example after an undoubled quote.

    Args:
        row: the data row's number in the file, 1 for the first row after the headings.
        found: fields in it; as many as expected where quotes out of place seem to have made one row of several.
        expected: headings.
        text: the row as it stands in the file, its first 2,000 characters.
    """

    row: int
    found: int
    expected: int
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file, in the file's order.

    Args:
        frame: the file's columns, all ``pl.String`` with blank cells null, and ``_row`` (Int64), the data row's
            number in the file: 1 for the first row after the headings. Ragged rows count, blank lines do not.
        ragged: the rows among them that have no place in the frame.
    """

    frame: pl.DataFrame
    ragged: tuple[RaggedRow, ...]


class Table:
    """An open file. A context manager that closes it; ``batches`` can be consumed once."""

    def __init__(
        self,
        *,
        format: Literal["csv", "xlsx"],  # noqa: A002 - the word for it
        headings: tuple[str, ...],
        batches: Generator[Batch],
        file: BinaryIO,
    ) -> None:
        self.format: Literal["csv", "xlsx"] = format
        self.headings = headings
        self._batches = batches
        self._file = file
        self._begun = False

    def batches(self) -> Iterator[Batch]:
        """The rows of the file. Raises ``UnusableFile`` on coming to a place that cannot be read."""
        if self._begun:
            raise RuntimeError("the batches of a table can be consumed once; open the file again")
        self._begun = True
        return self._batches

    def close(self) -> None:
        """Stop reading and close the file; harmless when done already."""
        self._batches.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_headings(cells: Sequence[str], limits: Limits) -> tuple[str, ...]:
    """The headings of a table, without outer white space and with single spaces inside.

    Registries write the same heading with one space and with two, and end some exports with a nameless column,
    which is called ``_unnamed`` here. Raises ``UnusableFile`` for other nameless headings, for two of one name, and
    for more than ``limits.columns``.
    """
    where = "the headings"
    if len(cells) > limits.columns:
        raise UnusableFile(found=f"{len(cells):,} columns", expected=f"at most {limits.columns:,}", where=where)
    names = [" ".join(cell.split()) for cell in cells]
    if not any(names):
        raise UnusableFile(found="no headings", expected="a first row that names the columns", where=where)
    if not names[-1]:
        names[-1] = UNNAMED
    seen: dict[str, int] = {ROW_NUMBER: 0}
    for position, name in enumerate(names, start=1):
        if not name:
            found, expected = "a column without a heading", "a name for each column but the last"
            raise UnusableFile(found=found, expected=expected, where=f"column {position}")
        if len(name) > limits.cell_characters:
            found, expected = f"a heading of {len(name):,} characters", f"at most {limits.cell_characters:,}"
            raise UnusableFile(found=found, expected=expected, where=f"column {position}")
        if name in seen:
            other = f"column {seen[name]} has it too" if seen[name] else "which the gateway uses itself"
            found = f"the heading {name!r}, {other}"
            raise UnusableFile(found=found, expected="a name of its own for each column", where=f"column {position}")
        seen[name] = position
    return tuple(names)


def require_rows(count: int, limits: Limits) -> None:
    """Raise ``UnusableFile`` when a table has more rows than the limit."""
    if count > limits.rows:
        found, expected = f"more than {limits.rows:,} rows", f"at most {limits.rows:,}"
        raise UnusableFile(found=found, expected=expected, where=f"row {count:,}")


def _checked_cells(frame: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """The frame with blank cells null. Raises ``UnusableFile`` for a cell over the limit.

    Blank is what Unicode calls white space and nothing else. Stripping every cell costs more than parsing it, so
    only columns that have a cell which could be blank are stripped: one that is empty or begins with a character
    below ``!`` or beyond ASCII.
    """
    texts = pl.col(pl.String)
    if frame.height == 0:
        return frame
    for name, longest in zip(frame.columns, frame.select(texts.str.len_bytes().max()).row(0), strict=False):
        if (longest or 0) > limits.cell_characters:
            _require_short_cells(frame, name, limits)
    suspects = frame.select(((texts < "!") | (texts > "\x7f")).any()).row(0, named=True)
    columns = [name for name, suspect in suspects.items() if suspect]
    if not columns:
        return frame
    return frame.with_columns(pl.when(pl.col(columns).str.strip_chars() != "").then(pl.col(columns)))


def _require_short_cells(frame: pl.DataFrame, name: str, limits: Limits) -> None:
    lengths = pl.col(name).str.len_chars()
    over = frame.filter(lengths > limits.cell_characters).select(ROW_NUMBER, lengths).head(1).rows()
    for row, length in over:
        found, expected = f"a cell of {length:,} characters", f"at most {limits.cell_characters:,}"
        raise UnusableFile(found=found, expected=expected, where=f"row {row:,}, column {name!r}")


def batched(parts: Iterable[Batch], limits: Limits) -> Generator[Batch]:
    """The same rows in batches of ``limits.batch_rows``, the last one smaller; none for a table without rows.

    Blank cells become null. Raises ``UnusableFile`` for a cell over the limit.
    """
    frames, ragged, height = list[pl.DataFrame](), list[RaggedRow](), 0
    for part in parts:
        frames.append(part.frame)
        ragged.extend(part.ragged)
        height += part.frame.height
        if height + len(ragged) < limits.batch_rows:
            continue
        joined, frames = pl.concat(frames), []
        while joined.height >= limits.batch_rows:
            whole, joined = joined.head(limits.batch_rows), joined.slice(limits.batch_rows)
            last: int = whole.item(-1, ROW_NUMBER)
            yield Batch(frame=_checked_cells(whole, limits), ragged=tuple(row for row in ragged if row.row < last))
            ragged = [row for row in ragged if row.row > last]
        if len(ragged) >= limits.batch_rows:
            yield Batch(frame=_checked_cells(joined, limits), ragged=tuple(ragged))
            joined, ragged = joined.clear(), []
        frames, height = [joined], joined.height
    if height or ragged:
        yield Batch(frame=_checked_cells(pl.concat(frames), limits), ragged=tuple(ragged))


def framed(headings: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Sequence[int]) -> pl.DataFrame:
    """The frame of a batch, of rows that each have a cell per heading, and their numbers."""
    columns = list(zip(*rows, strict=True)) or [()] * len(headings)
    cells = [pl.Series(name, column, dtype=pl.String) for name, column in zip(headings, columns, strict=True)]
    return pl.DataFrame([*cells, pl.Series(ROW_NUMBER, numbers, dtype=pl.Int64)])


def written(cells: Iterable[str | None]) -> str:
    """The text of a ragged row, as CSV, where the file's own is not at hand."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()[:RAGGED_TEXT]
