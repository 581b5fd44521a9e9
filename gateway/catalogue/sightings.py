"""What was seen of units that could be offered: our holdings, venues' listings, the registries' public inventory.

Each row comes with what its programme's registry says of the project, where that registry is linked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.vocabulary import ProjectState, Side
from gateway.store.tables.catalogue import listing


@dataclass(frozen=True, slots=True)
class Asked:
    """Which markets are looked at, and the programme of each registry among them."""

    markets: tuple[str, ...]
    programmes: Mapping[str, str]


async def holdings(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """The rows of our accounts, with ``free``, ``project_title`` and ``project_state`` beside the record's fields."""
    return await _rows(connection, _HOLDINGS, asked, limit)


async def listings(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """What is listed for sale, with ``project_title`` and ``project_state`` beside the record's fields."""
    return await _rows(connection, _LISTINGS, asked, limit)


async def inventory(connection: AsyncConnection, asked: Asked, limit: int) -> list[RowMapping]:
    """The active units that registries show, by class, the largest first."""
    return await _rows(connection, _INVENTORY, asked, limit)


async def listed_keys(connection: AsyncConnection, market: str) -> frozenset[str]:
    """The ids of everything that a venue lists, in whatever state."""
    rows = await connection.execute(
        select(listing.c.record_key).where(listing.c.market == market, listing.c.gone_pull.is_(None))
    )
    return frozenset(rows.scalars())


async def _rows(connection: AsyncConnection, query: str, asked: Asked, limit: int) -> list[RowMapping]:
    bound: dict[str, Any] = {
        "markets": list(asked.programmes),
        "programmes": list(asked.programmes.values()),
        "elsewhere": list(asked.markets),
        "limit": limit,
    }
    return list((await connection.execute(text(_REGISTRIES + query), bound)).mappings())


_PROJECT: Final = (
    "LEFT JOIN registries r ON r.programme = {programme} LEFT JOIN project p ON p.market = r.market AND "
    "p.record_key = {row}.project_id AND p.copy = 0 AND p.gone_pull IS NULL AND "
    f"p.state <> '{ProjectState.UNSTATED}'"
)
_REGISTRIES: Final = (
    "WITH registries AS (SELECT * FROM unnest(cast(:markets AS text[]), cast(:programmes AS text[])) "
    "AS m(market, programme)) "
)
_HOLDINGS: Final = (
    "SELECT h.*, coalesce(h.available, h.quantity - coalesce(h.earmarked, 0) - coalesce(h.pledged, 0) - "
    "coalesce(h.frozen, 0) - coalesce(h.in_transit, 0)) AS free, coalesce(h.project_name, p.name) AS project_title, "
    "p.state AS project_state "
    "FROM holding h LEFT JOIN registries own ON own.market = h.market "
    + _PROJECT.format(programme="coalesce(h.programme, own.programme)", row="h")
    + " WHERE h.gone_pull IS NULL AND h.market = ANY(:elsewhere) ORDER BY h.market, h.record_key, h.copy LIMIT :limit"
)
_LISTINGS: Final = (
    "SELECT l.*, coalesce(l.project_name, p.name) AS project_title, p.state AS project_state FROM listing l "
    + _PROJECT.format(programme="l.programme", row="l")
    + f" WHERE l.gone_pull IS NULL AND l.side = '{Side.SELL}' AND l.market = ANY(:elsewhere) "
    "ORDER BY l.market, l.record_key, l.copy LIMIT :limit"
)
_INVENTORY: Final = (
    "SELECT b.market, b.class_id, b.project_id, b.unit_kind, b.vintage_start, b.vintage_end, min(b.labels) AS labels, "
    "min(b.project_name) AS project_title, min(p.state) AS project_state, sum(b.quantity)::bigint AS quantity FROM "
    "block b LEFT JOIN registries own ON own.market = b.market "
    + _PROJECT.format(programme="own.programme", row="b")
    + " WHERE b.gone_pull IS NULL AND b.state = 'active' AND NOT b.buffer AND b.market = ANY(:elsewhere) GROUP BY "
    "b.market, b.class_id, b.project_id, b.unit_kind, b.vintage_start, b.vintage_end ORDER BY quantity DESC, "
    "b.class_id LIMIT :limit"
)
