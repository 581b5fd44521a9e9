"""What was seen of units that could be offered: our holdings, venues' listings, the registries' public inventory.

Each row comes with what its programme's registry says of the project, where that registry is linked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.errors import GatewayError
from gateway.model.vocabulary import ProjectState, Side, UnitState


@dataclass(frozen=True, slots=True)
class Asked:
    """Which markets are looked at.

    Attributes:
        accounts: each market with our account there; where we have none, no holding of it is ours.
        registries: the registry of each programme; one programme has one.
    """

    accounts: Mapping[str, str]
    registries: Mapping[str, str]


class TooMany(GatewayError):
    """There is more than can be decided on; nothing was decided."""


async def holdings(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """What our own accounts hold, with ``free``, ``project_title``, ``project_state`` and ``unreadable``.

    A venue may keep a part of an account under a name that ends in the account's. Raises TooMany beyond the limit.
    """
    return await _rows(connection, _HOLDINGS, asked, limit, "holdings")


async def listings(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """What is listed for sale, with ``project_title``, ``project_state`` and ``unreadable``. Raises as above."""
    return await _rows(connection, _LISTINGS, asked, limit, "listings")


async def inventory(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """The active units that registries show, by class, the largest first; as many as are asked for."""
    return (await _read(connection, _INVENTORY, asked, limit))[:limit]


async def unreadable_accounts(connection: AsyncConnection, asked: Asked) -> frozenset[str]:
    """Markets with a row of our holdings in quarantine that nobody can tell from the others."""
    rows = await connection.execute(text(_UNTOLD), {"markets": list(asked.accounts)})
    return frozenset(rows.scalars())


async def _rows(connection: AsyncConnection, query: str, asked: Asked, limit: int, what: str) -> list[RowMapping]:
    found = await _read(connection, query, asked, limit)
    if len(found) > limit:
        raise TooMany(f"found more than {limit:,} {what}, expected no more; nothing was decided, and nothing changed")
    return found


async def _read(connection: AsyncConnection, query: str, asked: Asked, limit: int) -> list[RowMapping]:
    bound: dict[str, Any] = {
        "markets": list(asked.accounts),
        "accounts": list(asked.accounts.values()),
        "programmes": list(asked.registries),
        "registries": list(asked.registries.values()),
        "limit": limit + 1,
    }
    return list((await connection.execute(text(_GIVEN + query), bound)).mappings())


_GIVEN: Final = (
    "WITH own AS (SELECT * FROM unnest(cast(:markets AS text[]), cast(:accounts AS text[])) AS m(market, account)), "
    "registries AS (SELECT * FROM unnest(cast(:programmes AS text[]), cast(:registries AS text[])) "
    "AS m(programme, market)) "
)
_WAITS: Final = (
    "EXISTS (SELECT FROM quarantine q WHERE q.market = {row}.market AND q.resolved_pull IS NULL AND q.record_key IN "
    "({row}.native_key, {row}.record_key))"
)
_PROJECT: Final = (
    "LEFT JOIN registries r ON r.programme = {programme} LEFT JOIN project p ON p.market = r.market AND "
    "p.record_key = {row}.project_id AND p.copy = 0 AND p.gone_pull IS NULL AND "
    f"p.state <> '{ProjectState.UNSTATED}'"
)
_TOLD: Final = (
    "coalesce({row}.project_name, p.name) AS project_title, p.state AS project_state, ("
    + _WAITS
    + " OR (p.market IS NOT NULL AND "
    + _WAITS.format(row="p")
    + ")) AS unreadable"
)
_HOLDINGS: Final = (
    "SELECT h.*, coalesce(h.available, h.quantity - coalesce(h.earmarked, 0) - coalesce(h.pledged, 0) - "
    "coalesce(h.frozen, 0) - coalesce(h.in_transit, 0)) AS free, "
    + _TOLD.format(row="h")
    + " FROM holding h JOIN own ON own.market = h.market AND own.account <> '' AND (h.account = own.account OR "
    "right(h.account, length(own.account) + 1) = '/' || own.account) "
    "LEFT JOIN registries mine ON mine.market = h.market "
    + _PROJECT.format(programme="coalesce(h.programme, mine.programme)", row="h")
    + " WHERE h.gone_pull IS NULL ORDER BY h.market, h.record_key, h.copy LIMIT :limit"
)
_LISTINGS: Final = (
    "SELECT l.*, "
    + _TOLD.format(row="l")
    + " FROM listing l JOIN own ON own.market = l.market "
    + _PROJECT.format(programme="l.programme", row="l")
    + f" WHERE l.gone_pull IS NULL AND l.side = '{Side.SELL}' ORDER BY l.market, l.record_key, l.copy LIMIT :limit"
)
_INVENTORY: Final = (
    "SELECT b.market, b.class_id, b.project_id, b.unit_kind, b.vintage_start, b.vintage_end, min(b.labels) AS labels, "
    "min(b.project_name) AS project_title, min(p.state) AS project_state, sum(b.quantity)::bigint AS quantity, false "
    "AS unreadable FROM block b JOIN registries mine ON mine.market = b.market "
    + _PROJECT.format(programme="mine.programme", row="b")
    + f" WHERE b.gone_pull IS NULL AND b.state = '{UnitState.ACTIVE}' AND NOT b.buffer GROUP BY b.market, b.class_id, "
    "b.project_id, b.unit_kind, b.vintage_start, b.vintage_end ORDER BY quantity DESC, b.class_id LIMIT :limit"
)
_UNTOLD: Final = (
    "SELECT DISTINCT q.market FROM quarantine q WHERE q.market = ANY(:markets) AND q.resolved_pull IS NULL AND "
    "q.mapping IN (SELECT d.mapping FROM holding h JOIN pull_document d ON d.id = h.source WHERE h.market = q.market) "
    "AND NOT EXISTS (SELECT FROM holding h WHERE h.market = q.market AND q.record_key IN (h.native_key, h.record_key))"
)
