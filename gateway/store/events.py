"""Events: each change worth telling, written in the transaction that made it. The database refuses to change one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.store import event


async def append(
    connection: AsyncConnection, *, kind: str, subject: str, actor: str, data: Mapping[str, Any]
) -> None:
    """Appends one event. ``kind`` is noun.verb (``pull.finished``), ``subject`` what it happened to."""
    await connection.execute(insert(event).values(kind=kind, subject=subject, actor=actor, data=dict(data)))


async def append_all(connection: AsyncConnection, rows: Select[Any]) -> int:
    """Appends an event for each row of a query of (kind, subject, actor, data); returns how many."""
    result = await connection.execute(
        insert(event).from_select([event.c.kind, event.c.subject, event.c.actor, event.c.data], rows)
    )
    return result.rowcount


__all__ = ["append", "append_all", "event"]
