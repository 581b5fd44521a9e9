"""Reading a downloaded file into the catalogue, whole or not at all."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging
from gateway.catalogue.applying import Applied
from gateway.catalogue.rejects import REJECT_COLUMNS, Rejects
from gateway.catalogue.staging import ROW_RAGGED
from gateway.kit.files import Batch, Table, open_table
from gateway.kit.mapping.engine import POSITION, ROW, SOURCE, Mapped, Mapping
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

    def add(self, batch: Batch, mapped: Mapped) -> None:
        self.rows += batch.frame.height + len(batch.ragged)
        self.accepted += mapped.rows.height
        for code, count in mapped.defects.unique([ROW, "code"]).group_by("code").len().iter_rows():
            self.defects[code] += count
        if batch.ragged:
            self.defects[ROW_RAGGED] += len(batch.ragged)
        self.projects.update(mapped.rows.get_column("project_id").unique())
        self.unknown.update(dict.fromkeys(name for name in mapped.unknown if name not in REJECT_COLUMNS))
        if self.kind is not RecordKind.PROJECT:
            self.quantity += int(mapped.rows.get_column("quantity").sum())
            ranged = mapped.rows.filter(pl.col("first").is_not_null())
            self.ranges.append(ranged.select(pl.col("space").cast(pl.Categorical), "first", "last"))

    def overlapping_pairs(self) -> int:
        if not self.ranges:
            return 0
        book = pl.concat(self.ranges).with_columns(pl.col("space").cast(pl.String))
        with tempfile.TemporaryDirectory(prefix="carbon-gateway-") as spill, Engine(temp_directory=Path(spill)) as engine:
            return overlaps(book, engine=engine).pairs


class Ingestion:
    """One file on its way into the catalogue of one market.

    Args:
        mappings: the market's mapping documents of export files.
        as_of: when the registry is taken to have said this; None: when the file was last written.
        reject_file: where the quarantined rows are written with their reasons.
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

        Raises UnusableFile when it is not what it says it is; nothing of it is stored then.
        """
        with await asyncio.to_thread(open_table, self._path) as table:
            mapping = self._recognise(table.headings)
            async with database.session() as connection, connection.begin():
                return await self._ingest(connection, table, mapping)

    async def _ingest(self, connection: AsyncConnection, table: Table, mapping: Mapping) -> Ingested:
        as_of = self._as_of or datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        number = await pulls.begin(connection, self._market, self._path.name)
        document = await documents.keep_file(
            connection, self._path, media_type=MEDIA_TYPES[table.format], origin=self._path.name
        )
        source = await pulls.add_document(connection, number, mapping, document, as_of)
        await staging.create(connection)
        figures = _Figures(mapping.document.record)
        with Rejects(self._reject_file, table.headings) as rejects:
            async for batch, mapped in self._mapped_batches(table, mapping):
                figures.add(batch, mapped)
                rows = batch.frame.with_columns(pl.lit(source).alias(SOURCE), pl.col(ROW).alias(POSITION))
                await staging.add(connection, mapping, self._programme, mapped, rows)
                await staging.add_ragged(connection, mapping, batch.ragged, source)
                rejects.write(batch, mapped)
                self._progress(figures.rows)
            applied, placeholders = await self._apply(connection, mapping, number, document)
            rejects.keep()
        await pulls.note_drift(connection, self._market, mapping.name, number, "unknown", tuple(figures.unknown))
        found = Ingested(
            market=self._market,
            kind=mapping.name.rpartition(".")[2],
            file=self._path.name,
            rows=figures.rows,
            accepted=figures.accepted,
            quarantined=figures.rows - figures.accepted,
            quantity=None if figures.kind is RecordKind.PROJECT else figures.quantity,
            projects=len(figures.projects),
            blocks=figures.accepted if figures.kind is RecordKind.BLOCK else 0,
            overlaps=await asyncio.to_thread(figures.overlapping_pairs),
            defects=dict(sorted(figures.defects.items())),
            drift=list(figures.unknown),
            applied=applied,
            placeholders=placeholders,
        )
        await pulls.finish(connection, self._market, self._actor, number, PullStatus.COMPLETE, asdict(found))
        return found

    async def _mapped_batches(self, table: Table, mapping: Mapping) -> AsyncIterator[tuple[Batch, Mapped]]:
        """Reads and maps one batch ahead, in a thread, while the one before it is on its way to the database."""
        batches = table.batches()

        def following() -> tuple[Batch, Mapped] | None:
            batch = next(batches, None)
            return None if batch is None else (batch, mapping.apply(batch.frame))

        ahead = asyncio.create_task(asyncio.to_thread(following))
        try:
            while (item := await ahead) is not None:
                ahead = asyncio.create_task(asyncio.to_thread(following))
                yield item
        finally:
            await asyncio.gather(ahead, return_exceptions=True)

    async def _apply(
        self, connection: AsyncConnection, mapping: Mapping, number: int, document: bytes
    ) -> tuple[Applied, int]:
        kind = mapping.document.record
        await applying.lock(connection, self._market)
        await applying.prepare(connection, (kind,))
        applied = await applying.apply(connection, self._market, self._actor, number, mapping)
        placeholders = 0
        if kind is RecordKind.BLOCK:
            placeholders = await applying.add_placeholders(connection, self._market, number)
        await applying.apply_quarantine(connection, self._market, number, complete=(), documents=(document,))
        return applied, placeholders

    def _recognise(self, headings: tuple[str, ...]) -> Mapping:
        for mapping in self._mappings:
            if mapping.recognises(headings):
                missing = mapping.missing_columns(headings)
                if missing:
                    raise UnusableFile(
                        found=f"a file like {mapping.name} without the columns {', '.join(missing)}",
                        expected=f"every column that {mapping.name} reads",
                        where=f"the headings of {self._path.name}",
                    )
                return mapping
        kinds = ", or ".join(f"{', '.join(one.document.recognise)} ({one.name})" for one in self._mappings)
        raise UnusableFile(
            found="the columns " + ", ".join(headings[:12]),
            expected=f"a file with {kinds}",
            where=f"the headings of {self._path.name}",
        )
