"""Reading a downloaded file into the catalogue, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, rejects, staging, superseding
from gateway.catalogue.applying import Applied
from gateway.catalogue.rejects import Known, Rejects, Returned
from gateway.catalogue.staging import ROW_RAGGED
from gateway.kit.files import Batch, Table, open_table
from gateway.kit.mapping.engine import OURS, POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.model.errors import UnusableFile
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store import documents
from gateway.store.database import Database
from gateway.sweep import Engine, overlaps

MEDIA_TYPES: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

Progress = Callable[[int], None]
"""Told the number of rows read so far."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What was found in one file, and what it changed in the catalogue.

    ``quantity`` is the exact sum of the accepted units, None for a list that has no units; ``overlaps`` counts the
    overlapping pairs of blocks of this file inside one numbering space.
    """

    market: str
    kind: str
    file: str
    rows: int
    accepted: int
    quarantined: int
    quantity: int | None
    projects: int
    blocks: int
    overlaps: int
    defects: dict[str, int]
    drift: list[str]
    applied: Applied
    placeholders: int


@dataclass(slots=True)
class _Figures:
    """The running figures of one file."""

    kind: RecordKind
    rows: int = 0
    accepted: int = 0
    quantity: int = 0
    projects: set[str] = field(default_factory=set)
    defects: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, None] = field(default_factory=dict)
    ranges: list[pl.DataFrame] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    """Entries of the quarantine, once for each accepted row that this file, a reject file, shows of them."""

    def add(self, batch: Batch, returned: Returned, mapped: Mapped) -> None:
        self.rows += batch.frame.height + len(batch.ragged)
        self.accepted += mapped.rows.height
        for code, count in mapped.defects.unique([ROW, "code"]).group_by("code").len().iter_rows():
            self.defects[code] += count
        if batch.ragged:
            self.defects[ROW_RAGGED] += len(batch.ragged)
        self.defects.update(returned.waiting)
        self.projects.update(mapped.rows.get_column("project_id").unique())
        self.unknown.update(dict.fromkeys(mapped.unknown))
        if returned.entries:
            self.mended += [returned.entries[row] for row in mapped.rows.get_column(ROW) if row in returned.entries]
        if self.kind is not RecordKind.PROJECT:
            self.quantity += int(mapped.rows.get_column("quantity").cast(pl.Int128).sum())
            ranged = mapped.rows.filter(pl.col("first").is_not_null())
            self.ranges.append(ranged.select(pl.col("space").cast(pl.Categorical), "first", "last"))

    def overlapping_pairs(self) -> int:
        if not self.ranges:
            return 0
        book = pl.concat(self.ranges).with_columns(pl.col("space").cast(pl.String))
        if _is_apart(book):
            return 0
        with (
            tempfile.TemporaryDirectory(prefix="carbon-gateway-") as spill,
            Engine(temp_directory=Path(spill)) as engine,
        ):
            return overlaps(book, engine=engine).pairs


class Ingestion:
    """One file on its way into the catalogue of one market.

    Args:
        market: the market's name.
        programme: the crediting programme, which class names begin with.
        mappings: the market's mapping documents of export files.
        path: the file.
        actor: who is told to have done it.
        as_of: when the registry is taken to have said this; None: when the file was last written.
        reject_file: where the quarantined rows are written with their reasons.
        progress: told the number of rows read so far.
    """

    def __init__(
        self,
        market: str,
        programme: str,
        mappings: list[Mapping],
        path: Path,
        *,
        actor: str,
        as_of: datetime | None = None,
        reject_file: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._market = market
        self._programme = programme
        self._mappings = mappings
        self._path = path
        self._actor = actor
        self._as_of = as_of
        self._reject_file = reject_file
        self._progress = progress or (lambda _: None)

    async def run(self, database: Database) -> Ingested:
        """Reads the file and applies it in one transaction.

        Raises UnusableFile when it is not what it says it is, or changes meanwhile: nothing of it is stored then; and
        DatabaseUnreachable when the connection is lost.
        """
        before = _fingerprint(self._path)
        with await asyncio.to_thread(open_table, self._path) as table:
            mapping = self._recognise(table.headings)
            with Rejects(self._reject_file, table.headings) as rejected:
                async with database.session() as connection, connection.begin():
                    found = await self._ingest(connection, table, mapping, rejected)
                    self._require_unchanged(before)
                rejected.keep()
        return found

    async def _ingest(self, connection: AsyncConnection, table: Table, mapping: Mapping, rejected: Rejects) -> Ingested:
        as_of = self._as_of or await _last_written(connection, _fingerprint(self._path)[2])
        number = await pulls.begin(connection, self._market, self._actor, self._name)
        document = await documents.keep_file(
            connection, self._path, media_type=MEDIA_TYPES[table.format], origin=self._name
        )
        source = await pulls.add_document(connection, number, mapping, document, as_of)
        await staging.create(connection)
        figures = _Figures(mapping.document.record)
        known = await rejects.known(connection, self._market, mapping.name, table.headings)
        async with aclosing(_mapped_batches(table, mapping, known)) as batches:
            async for batch, returned, mapped in batches:
                figures.add(batch, returned, mapped)
                rows = returned.rows.with_columns(pl.lit(source).alias(SOURCE), pl.col(ROW).alias(POSITION))
                entries = returned.entries
                unreadable = await staging.add(connection, mapping, self._programme, mapped, rows, entries)
                ragged = await staging.add_ragged(connection, mapping, batch.ragged, source, entries)
                rejected.write(chain(unreadable.iter_rows(named=True), ragged.iter_rows(named=True)))
                rejected.write_again(returned.unmended)
                self._progress(figures.rows)
        if not figures.rows:
            raise UnusableFile(found="headings and no row below them", expected="one row or more", where=self._name)
        # The sweep works on one core while the database works on another.
        applied, pairs = await asyncio.gather(
            self._apply(connection, mapping, number, as_of), asyncio.to_thread(figures.overlapping_pairs)
        )
        placeholders = 0
        if figures.kind is RecordKind.BLOCK:
            placeholders = await applying.add_placeholders(connection, self._market, number)
        await rejects.resolve(connection, self._market, number, mapping.name, figures.mended)
        await applying.apply_quarantine(connection, self._market, number, (), (document,))
        await pulls.note_drift(connection, self._market, mapping.name, number, "unknown", tuple(figures.unknown))
        found = Ingested(
            market=self._market,
            kind=mapping.name.rpartition(".")[2],
            file=self._name,
            rows=figures.rows,
            accepted=figures.accepted,
            quarantined=figures.rows - figures.accepted,
            quantity=None if figures.kind is RecordKind.PROJECT else figures.quantity,
            projects=len(figures.projects),
            blocks=figures.accepted if figures.kind is RecordKind.BLOCK else 0,
            overlaps=pairs,
            defects=dict(sorted(figures.defects.items())),
            drift=list(figures.unknown),
            applied=applied,
            placeholders=placeholders,
        )
        await pulls.finish(connection, self._market, self._actor, number, PullStatus.COMPLETE, asdict(found))
        return found

    async def _apply(self, connection: AsyncConnection, mapping: Mapping, number: int, as_of: datetime) -> Applied:
        kind = mapping.document.record
        await applying.lock(connection, self._market)
        await applying.prepare(connection, self._market, (kind,))
        if kind is RecordKind.BLOCK:
            await superseding.mark_outdated(connection, self._market, as_of)
        applied = await applying.apply(connection, self._market, self._actor, number, mapping)
        if kind is RecordKind.BLOCK:
            applied += await superseding.supersede(connection, self._market, self._actor, number, as_of)
        await applying.confirm(connection, self._market, mapping, as_of)
        return applied

    def _require_unchanged(self, before: tuple[int, int, int]) -> None:
        if _fingerprint(self._path) != before:
            raise UnusableFile(
                found=f"{self._name} changed while it was read", expected="a file that nobody is writing"
            )

    @property
    def _name(self) -> str:
        """The file's name as text that can be stored: a file system takes any bytes."""
        return os.fsencode(self._path.name).decode("utf-8", "backslashreplace")

    def _recognise(self, headings: tuple[str, ...]) -> Mapping:
        ours = sorted(OURS.intersection(headings))
        if ours:
            raise UnusableFile(
                found=f"the column {ours[0]}, which the gateway uses itself",
                expected="columns of the registry's own",
                where=f"the headings of {self._name}",
            )
        for mapping in self._mappings:
            if mapping.recognises(headings):
                missing = mapping.missing_columns(headings)
                if missing:
                    raise UnusableFile(
                        found=f"a file like {mapping.name} without the columns {', '.join(missing)}",
                        expected=f"every column that {mapping.name} reads",
                        where=f"the headings of {self._name}",
                    )
                return mapping
        kinds = ", or ".join(f"{', '.join(one.document.recognise)} ({one.name})" for one in self._mappings)
        raise UnusableFile(
            found="the columns " + ", ".join(headings[:12]),
            expected=f"a file with {kinds}",
            where=f"the headings of {self._name}",
        )


async def _mapped_batches(
    table: Table, mapping: Mapping, known: Known
) -> AsyncGenerator[tuple[Batch, Returned, Mapped]]:
    """Reads and maps one batch ahead, in a thread, while the one before it is on its way to the database."""
    batches = table.batches()
    loop = asyncio.get_running_loop()

    def following() -> tuple[Batch, Returned, Mapped] | None:
        batch = next(batches, None)
        if batch is None:
            return None
        returned = rejects.returned(batch, known)
        return batch, returned, mapping.apply(returned.rows)

    ahead = loop.run_in_executor(None, following)
    try:
        while True:
            # Unlike a plain await, this leaves the thread's result alone when the ingestion is cancelled.
            await asyncio.wait([ahead])
            item = ahead.result()
            if item is None:
                return
            ahead = loop.run_in_executor(None, following)
            yield item
    finally:
        # The file cannot be closed while the thread reads it.
        await asyncio.wait([ahead])


def _is_apart(book: pl.DataFrame) -> bool:
    """Whether no block begins before an earlier one of its space has ended: then the sweep has nothing to find."""
    reached = pl.col("last").cum_max().shift(1).over("space")
    return not book.sort("space", "first").select((pl.col("first") <= reached).any()).item()


def _fingerprint(path: Path) -> tuple[int, int, int]:
    """What differs once somebody has written to a file or put another in its place."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)  # opening it says what is wrong
    return found.st_ino, found.st_size, found.st_mtime_ns


async def _last_written(connection: AsyncConnection, nanoseconds: int) -> datetime:
    """When a file was last written; not later than now, or nothing newer could ever replace what it says."""
    written = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return min(written, now)
