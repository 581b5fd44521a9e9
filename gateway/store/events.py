"""Events: each change worth telling, written in the transaction that made it. The database refuses to change one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.store import event


async def append(connection: AsyncConnection, *, kind: str, subject: str, actor: str, data: Mapping[str, Any]) -> None:
    """Appends one event. ``kind`` is noun.verb (``pull.finished``), ``subject`` what it happened to."""
    await connection.execute(insert(event).values(kind=kind, subject=subject, actor=actor, data=dict(data)))


async def append_all(connection: AsyncConnection, query: str, bound: Mapping[str, Any]) -> int:
    """Appends an event for each row of a query, in its order; returns how many.

    Args:
        connection: in the transaction that makes the changes.
        query: SQL of our own, with the columns kind, subject, actor and data.
        bound: the values of its parameters.
    """
    result = await connection.execute(text(f"INSERT INTO event (kind, subject, actor, data) {query}"), bound)
    return result.rowcount


__all__ = ["append", "append_all", "event"]
