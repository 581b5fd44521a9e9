"""Pulls: each look at a market, when it was, what it read and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.kit.mapping.engine import Mapping as FieldMapping
from gateway.model.vocabulary import PullStatus
from gateway.store import events
from gateway.store.tables.catalogue import pull, pull_document


async def begin(connection: AsyncConnection, market: str, origin: str) -> int:
    """Opens a pull; returns its number."""
    result = await connection.execute(
        insert(pull).values(market=market, origin=origin, status=PullStatus.RUNNING.value).returning(pull.c.id)
    )
    number: int = result.scalar_one()
    return number


async def finish(
    connection: AsyncConnection, market: str, actor: str, number: int, status: PullStatus, summary: Mapping[str, Any]
) -> None:
    """Closes a pull and tells it."""
    await connection.execute(
        update(pull)
        .where(pull.c.id == number)
        .values(status=status.value, summary=dict(summary), finished_at=func.clock_timestamp())
    )
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


async def note_drift(
    connection: AsyncConnection, market: str, mapping: str, number: int, kind: str, paths: tuple[str, ...]
) -> None:
    """Keeps which columns came that nobody mapped, or did not come that somebody did."""
    from sqlalchemy.dialects.postgresql import insert as upsert

    from gateway.store.tables.catalogue import drift

    for path in paths:
        statement = upsert(drift).values(
            market=market, mapping=mapping, path=path, kind=kind, first_pull=number, last_pull=number
        )
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[drift.c.market, drift.c.mapping, drift.c.path, drift.c.kind],
                set_={"last_pull": number},
            )
        )
