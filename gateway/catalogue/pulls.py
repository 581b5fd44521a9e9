"""Pulls: each look at a market, when it was, what it read and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.kit.mapping.engine import Mapping as FieldMapping
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store import events
from gateway.store.tables.catalogue import pull, pull_document

SYNC: Final = "sync"
"""The origin of a pull that asked the market itself; that of a file is its name."""

WHOLE: Final = "whole"
"""In a pull's summary: the kinds of records that it read completely."""

ABANDONED: Final = "the program ended before the pull did"
PATH_LIMIT: Final = 300
"""Characters of a column's name that drift keeps: a longer name is nobody's heading, and fits no index."""

SAID: Final = "greatest({document}.as_of, {document}.confirmed_as_of)"
"""When what rests on a document was last said, in SQL."""

_ALIVE: Final = "hashtextextended('carbon-gateway pull ' || cast(:number AS bigint), 0)"


async def begin(connection: AsyncConnection, market: str, actor: str, origin: str) -> int:
    """Opens a pull; returns its number. Pulls of this market whose program ended before them are closed as FAILED.

    A running pull is known by a lock that falls with its connection, so the connection must be a session of its own.
    """
    result = await connection.execute(
        insert(pull).values(market=market, origin=origin, status=PullStatus.RUNNING.value).returning(pull.c.id)
    )
    number: int = result.scalar_one()
    await connection.execute(text(f"SELECT pg_advisory_lock({_ALIVE})"), {"number": number})
    running = select(pull.c.id).where(
        pull.c.market == market, pull.c.status == PullStatus.RUNNING.value, pull.c.id < number
    )
    for earlier in (await connection.scalars(running.order_by(pull.c.id))).all():
        if await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_ALIVE})"), {"number": earlier}):
            await finish(connection, market, actor, earlier, PullStatus.FAILED, {"error": ABANDONED})
    return number


async def finish(
    connection: AsyncConnection, market: str, actor: str, number: int, status: PullStatus, summary: Mapping[str, Any]
) -> None:
    """Closes a pull and tells it; one that is closed already stays as it is."""
    closed = await connection.execute(
        update(pull)
        .where(pull.c.id == number, pull.c.status == PullStatus.RUNNING.value)
        .values(status=status.value, summary=dict(summary), finished_at=func.clock_timestamp())
    )
    if closed.rowcount == 0:
        return
    await events.append(
        connection,
        kind="pull.finished",
        subject=f"{market}/pull/{number}",
        actor=actor,
        data={"status": status.value, **summary},
    )


async def add_document(
    connection: AsyncConnection, number: int, mapping: FieldMapping, document: bytes, as_of: datetime
) -> int:
    """Notes that a pull read a raw document with a mapping; returns the number rows refer to."""
    result = await connection.execute(
        insert(pull_document)
        .values(pull=number, mapping=mapping.name, mapping_digest=mapping.digest, document=document, as_of=as_of)
        .returning(pull_document.c.id)
    )
    source: int = result.scalar_one()
    return source


async def read_since(connection: AsyncConnection, number: int) -> datetime | None:
    """The instant from which on a pull read the market; None when it read nothing."""
    since: datetime | None = await connection.scalar(
        select(func.min(pull_document.c.as_of)).where(pull_document.c.pull == number)
    )
    return since


async def whole_as_of(connection: AsyncConnection, market: str, kind: RecordKind) -> datetime | None:
    """The instant at which all records of a kind were last known whole; None when they never were.

    What such a pull showed it vouches for, and what it did not show was not there.
    """
    last = (
        select(func.max(pull.c.id))
        .where(pull.c.market == market, pull.c.summary[WHOLE].contains([kind.value]))
        .scalar_subquery()
    )
    whole: datetime | None = await connection.scalar(
        select(func.min(pull_document.c.as_of)).where(pull_document.c.pull == last)
    )
    return whole


async def note_drift(
    connection: AsyncConnection, market: str, mapping: str, number: int, kind: str, paths: Sequence[str]
) -> None:
    """Keeps which columns came that nobody mapped, or did not come that somebody did."""
    await connection.execute(
        text(
            "INSERT INTO drift (market, mapping, path, kind, first_pull, last_pull) "
            "SELECT DISTINCT :market, :mapping, path, :kind, cast(:pull AS bigint), cast(:pull AS bigint) "
            "FROM unnest(cast(:paths AS text[])) AS path "
            "ON CONFLICT (market, mapping, path, kind) DO UPDATE SET last_pull = EXCLUDED.last_pull"
        ),
        {
            "market": market,
            "mapping": mapping,
            "kind": kind,
            "pull": number,
            "paths": [path if len(path) <= PATH_LIMIT else f"{path[:PATH_LIMIT]}…" for path in paths],
        },
    )
