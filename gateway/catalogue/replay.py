"""Replaying the quarantine: rows that wait for a mended mapping are mapped again, as they were received.

What the mapping can read now joins the catalogue, with the document and the instant it came with; what it still cannot
read stays, with today's reasons.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging, superseding
from gateway.catalogue.applying import Applied
from gateway.catalogue.pulls import SYNC
from gateway.catalogue.staging import RAGGED_TEXT
from gateway.kit.mapping.engine import POSITION, ROW, SOURCE, Mapping
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store.database import Database
from gateway.store.tables.catalogue import pull, pull_document, quarantine

TOGETHER: Final = 10_000
"""How many entries are mapped at once."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay: rows that were tried, that are accepted now, and what that changed."""

    market: str
    tried: int
    accepted: int
    applied: Applied


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where quarantined rows came from: the document, the instant, and whether a sync read it."""

    document: bytes
    as_of: datetime
    synced: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A quarantined row and where it came from."""

    entry: int
    raw: dict[str, Any]
    position: int
    origin: _Origin


async def replay(
    database: Database, market: str, programme: str, mappings: Sequence[Mapping], *, actor: str
) -> Replayed:
    """Maps a market's quarantined rows again, each with the mapping document that it was quarantined by."""
    async with database.session() as connection, connection.begin():
        await applying.lock(connection, market)
        number = await pulls.begin(connection, market, actor, "quarantine replay")
        await staging.create(connection)
        one = _Replay(connection, market, programme, number)
        for mapping in mappings:
            await one.stage(mapping)
        await applying.prepare(connection, market, staging.STAGED)
        for as_of in sorted(one.instants_of_files):
            await superseding.mark_outdated(connection, market, as_of)
        applied = Applied()
        for mapping in mappings:
            applied += await applying.apply(connection, market, actor, number, mapping)
        await applying.add_placeholders(connection, market, number)
        await connection.execute(
            text("UPDATE quarantine SET resolved_pull = :pull WHERE id = ANY(:entries)"),
            {"pull": number, "entries": one.accepted},
        )
        replayed = Replayed(market, one.tried, len(one.accepted), applied)
        await pulls.finish(connection, market, actor, number, PullStatus.COMPLETE, asdict(replayed))
        return replayed


class _Replay:
    """The quarantined rows of one market on their way into the staging tables."""

    def __init__(self, connection: AsyncConnection, market: str, programme: str, number: int) -> None:
        self._connection = connection
        self._market = market
        self._programme = programme
        self._number = number
        self._sources: dict[tuple[str, _Origin], int] = {}
        self.tried = 0
        self.accepted: list[int] = []
        self.instants_of_files: set[datetime] = set()

    async def stage(self, mapping: Mapping) -> None:
        """Stages what a mapping can read now; what it cannot is given its reasons."""
        after = 0
        while waiting := await self._waiting(mapping, after):
            after = waiting[-1].entry
            whole = [one for one in waiting if set(one.raw) != {RAGGED_TEXT}]
            self.tried += len(whole)
            for synced in (True, False):
                await self._map(mapping, [one for one in whole if one.origin.synced is synced], standing=synced)

    async def _waiting(self, mapping: Mapping, after: int) -> list[_Waiting]:
        rows = await self._connection.execute(
            select(
                quarantine.c.id,
                quarantine.c.raw,
                quarantine.c.position,
                pull_document.c.document,
                pull_document.c.as_of,
                pull.c.origin,
            )
            .join(pull_document, pull_document.c.id == quarantine.c.source)
            .join(pull, pull.c.id == pull_document.c.pull)
            .where(
                quarantine.c.market == self._market,
                quarantine.c.mapping == mapping.name,
                quarantine.c.resolved_pull.is_(None),
                quarantine.c.id > after,
            )
            .order_by(quarantine.c.id)
            .limit(TOGETHER)
        )
        return [
            _Waiting(row.id, json.loads(row.raw), row.position, _Origin(row.document, row.as_of, row.origin == SYNC))
            for row in rows
        ]

    async def _map(self, mapping: Mapping, rows: Sequence[_Waiting], *, standing: bool) -> None:
        if not rows:
            return
        sources = [await self._source(mapping, one.origin) for one in rows]
        names = dict.fromkeys(name for one in rows for name in one.raw)
        table = pl.DataFrame(
            {name: pl.Series([one.raw.get(name) for one in rows], dtype=pl.String) for name in names}
        ).with_columns(
            pl.Series(ROW, [one.entry for one in rows], dtype=pl.Int64),
            pl.Series(POSITION, [one.position for one in rows], dtype=pl.Int64),
            pl.Series(SOURCE, sources, dtype=pl.Int64),
        )
        mapped = mapping.apply(table)
        await staging.add_accepted(self._connection, mapping, self._programme, mapped, table, standing=standing)
        self.accepted += mapped.rows.get_column(ROW).to_list()
        reasons = staging.reasons_by_row(mapped.defects)
        await self._connection.execute(
            text(
                "UPDATE quarantine q SET reasons = n.reasons::jsonb, changed_pull = :pull FROM unnest(cast(:entries AS "
                "bigint[]), cast(:reasons AS text[])) AS n(entry, reasons) WHERE q.id = n.entry AND q.reasons <> "
                "n.reasons::jsonb"
            ),
            {
                "pull": self._number,
                "entries": list(reasons),
                "reasons": [json.dumps(one) for one in reasons.values()],
            },
        )

    async def _source(self, mapping: Mapping, origin: _Origin) -> int:
        key = (mapping.name, origin)
        if key not in self._sources:
            self._sources[key] = await pulls.add_document(
                self._connection, self._number, mapping, origin.document, origin.as_of
            )
            if mapping.document.record is RecordKind.BLOCK and not origin.synced:
                self.instants_of_files.add(origin.as_of)
        return self._sources[key]
