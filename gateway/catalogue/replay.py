"""Replaying the quarantine: rows that wait for a mended mapping are mapped again, as they were received.

What the mapping can read now joins the catalogue, with the document and the instant it came with; what it still cannot
read stays, with today's reasons.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging
from gateway.catalogue.applying import Applied
from gateway.catalogue.staging import RAGGED_TEXT
from gateway.kit.mapping.engine import POSITION, ROW, SOURCE, Mapping
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store.database import Database
from gateway.store.tables.catalogue import pull_document, quarantine


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay: rows that were tried, that are accepted now, and what that changed."""

    market: str
    tried: int
    accepted: int
    applied: Applied


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A quarantined row and where it came from."""

    entry: int
    raw: dict[str, Any]
    position: int
    document: bytes
    as_of: datetime


async def replay(
    database: Database, market: str, programme: str, mappings: Sequence[Mapping], *, actor: str
) -> Replayed:
    """Maps a market's quarantined rows again, each with the mapping document that it was quarantined by."""
    async with database.session() as connection, connection.begin():
        await applying.lock(connection, market)
        number = await pulls.begin(connection, market, "quarantine replay")
        await staging.create(connection)
        tried, accepted = 0, []
        for mapping in mappings:
            waiting = await _waiting(connection, market, mapping)
            tried += len(waiting)
            accepted += await _stage(connection, mapping, programme, waiting, number)
        await applying.prepare(connection, RecordKind)
        applied = Applied()
        for mapping in mappings:
            applied += await applying.apply(connection, market, actor, number, mapping)
        await applying.add_placeholders(connection, market, number)
        await connection.execute(
            text("UPDATE quarantine SET resolved_pull = :pull WHERE id = ANY(:entries)"),
            {"pull": number, "entries": accepted},
        )
        replayed = Replayed(market, tried, len(accepted), applied)
        await pulls.finish(connection, market, actor, number, PullStatus.COMPLETE, asdict(replayed))
        return replayed


async def _waiting(connection: AsyncConnection, market: str, mapping: Mapping) -> list[_Waiting]:
    rows = await connection.execute(
        select(
            quarantine.c.id, quarantine.c.raw, quarantine.c.position, pull_document.c.document, pull_document.c.as_of
        )
        .join(pull_document, pull_document.c.id == quarantine.c.source)
        .where(
            quarantine.c.market == market,
            quarantine.c.mapping == mapping.name,
            quarantine.c.resolved_pull.is_(None),
        )
        .order_by(quarantine.c.id)
    )
    return [
        _Waiting(row.id, json.loads(row.raw), row.position, row.document, row.as_of)
        for row in rows
        if RAGGED_TEXT not in json.loads(row.raw)
    ]


async def _stage(
    connection: AsyncConnection, mapping: Mapping, programme: str, waiting: Sequence[_Waiting], number: int
) -> list[int]:
    """Stages what can be read now, document by document; returns the entries that are accepted."""
    accepted: list[int] = []
    by_document: dict[tuple[bytes, datetime], list[_Waiting]] = {}
    for one in waiting:
        by_document.setdefault((one.document, one.as_of), []).append(one)
    for (document, as_of), rows in by_document.items():
        names = dict.fromkeys(name for one in rows for name in one.raw)
        source = await pulls.add_document(connection, number, mapping, document, as_of)
        table = pl.DataFrame(
            {name: pl.Series([one.raw.get(name) for one in rows], dtype=pl.String) for name in names}
        ).with_columns(
            pl.Series(ROW, [one.entry for one in rows], dtype=pl.Int64),
            pl.Series(POSITION, [one.position for one in rows], dtype=pl.Int64),
            pl.lit(source).alias(SOURCE),
        )
        mapped = mapping.apply(table)
        await staging.add_accepted(connection, mapping, programme, mapped, table)
        accepted += mapped.rows.get_column(ROW).to_list()
        for entry, reasons in staging.reasons_by_row(mapped.defects).items():
            await connection.execute(
                text("UPDATE quarantine SET reasons = cast(:reasons AS jsonb) WHERE id = :entry"),
                {"reasons": json.dumps(reasons), "entry": entry},
            )
    return accepted
