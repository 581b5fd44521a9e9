"""Superseding: what becomes of a block when a later document cuts the same units into other blocks.

A downloaded file may show a part of a market, so a block that it does not show is not gone. But a unit is in one place:
where a later file shows units of a known block in other blocks, the known one is no more, and where an earlier file
does, its block is history. Within one document, blocks that overlap are all kept: that is the registry's own fault,
which is counted and told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls
from gateway.catalogue.applying import Applied
from gateway.model.vocabulary import RecordKind

BLOCK: Final = RecordKind.BLOCK
SAID: Final = pulls.SAID.format(document="d")

COVERED: Final = (
    "(SELECT c.reach FROM covering c WHERE c.space = {row}.space AND c.first <= {row}.last "
    "ORDER BY c.first DESC, c.reach DESC LIMIT 1) >= {row}.first"
)
"""Whether a row overlaps a block in ``covering``: the blocks that begin before its end reach its beginning."""


async def mark_outdated(connection: AsyncConnection, market: str, as_of: datetime) -> None:
    """Marks staged blocks of a file that are not known, and whose units a later document shows in other blocks."""
    bound = {"market": market, "as_of": as_of}
    later = await connection.scalar(
        text(
            "SELECT EXISTS (SELECT FROM pull_document d JOIN pull p ON p.id = d.pull WHERE p.market = :market AND "
            f"{SAID} > :as_of)"
        ),
        bound,
    )
    if not later:
        return
    await _cover(
        connection,
        f"block b JOIN pull_document d ON d.id = b.source AND {SAID} > :as_of WHERE b.market = :market AND "
        "b.gone_pull IS NULL AND b.first IS NOT NULL",
        bound,
    )
    await connection.execute(
        text(
            "UPDATE stage_block s SET outdated = true FROM pull_document new WHERE new.id = s.source AND new.as_of = "
            f":as_of AND NOT s.standing AND s.first IS NOT NULL AND {COVERED.format(row='s')} AND NOT EXISTS (SELECT "
            "FROM block b WHERE b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy)"
        ),
        bound,
    )
    await connection.execute(text("DROP TABLE covering"))


async def supersede(connection: AsyncConnection, market: str, actor: str, pull: int, as_of: datetime) -> Applied:
    """Marks known blocks as gone whose units an applied file shows in other blocks, at a later time."""
    bound = {"market": market, "pull": pull, "actor": actor, "as_of": as_of}
    whole = await pulls.whole_as_of(connection, market, BLOCK)
    if whole is not None and whole >= as_of:
        return Applied()
    older = (
        f"FROM block b JOIN pull_document d ON d.id = b.source AND {SAID} < :as_of WHERE b.market = :market AND "
        "b.gone_pull IS NULL AND b.first IS NOT NULL AND NOT EXISTS (SELECT FROM stage_block s WHERE "
        "s.record_key = b.record_key)"
    )
    if not await connection.scalar(text(f"SELECT EXISTS (SELECT {older})"), bound):
        return Applied()
    await _cover(connection, "stage_block b WHERE b.first IS NOT NULL AND NOT b.outdated", {})
    covered = f"{older} AND {COVERED.format(row='b')}"
    gone = await applying.tell_gone(connection, BLOCK, covered, bound, superseded=True)
    await connection.execute(text("DROP TABLE covering"))
    return gone


async def _cover(connection: AsyncConnection, blocks: str, bound: dict[str, object]) -> None:
    """Makes ``covering``: how far the blocks up to each one reach, in the order of their numbers."""
    await connection.execute(
        text(
            "CREATE TEMP TABLE covering AS SELECT b.space, b.first, max(b.last) OVER (PARTITION BY b.space ORDER BY "
            f"b.first, b.last ROWS UNBOUNDED PRECEDING) AS reach FROM {blocks}"
        ),
        bound,
    )
    await connection.execute(text("CREATE INDEX ON covering (space, first, reach)"))
    await connection.execute(text("ANALYZE covering"))
