"""Pulling a market's catalogue: every feed, page by page, then applied at once.

A feed is complete when the market stated the same totals before and after, and exactly so many different rows, and
units, were read. After means: once every feed of its kind was read, so that a unit which moved from one to another
meanwhile is noticed. Only where all feeds of a kind are complete is something gone. A feed that breaks off, repeats a
cursor or does not add up leaves the pull INCOMPLETE: what was read is kept as seen, and nothing is missed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging
from gateway.catalogue.applying import Applied
from gateway.catalogue.feed_pull import Beside, FeedPull, Progress
from gateway.catalogue.feeds import followed
from gateway.catalogue.reports import Synced
from gateway.kit.contract import StatedTotal
from gateway.markets.linked import LinkedMarket
from gateway.model.errors import ConfigurationError
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store.database import Database

PUBLISHED: Final = (RecordKind.PROJECT, RecordKind.BATCH, RecordKind.BLOCK)
"""What a registry never has none of again: an empty answer is a wrong one. An account or an order book may be empty."""


async def sync(database: Database, market: LinkedMarket, *, actor: str, progress: Progress) -> Synced:
    """Pulls one market's catalogue and applies it.

    Raises an AdapterError only when not even the first feed could be asked for its total: then nothing was learnt; and
    DatabaseUnreachable when the connection is lost.
    """
    feeds = followed(market)
    if not feeds:
        raise ConfigurationError(f"the adapter of {market.name} names no feed; expected one or more")
    mappings = [market.mapping(one.feed.mapping) for one in feeds]
    first = await feeds[0].total(feeds[0].feed.name)
    number = None
    try:
        async with database.session() as connection:
            async with connection.begin():
                number = await pulls.begin(connection, market.name, actor, pulls.SYNC)
                await staging.create(connection)
            beside = Beside()
            pulled = [
                FeedPull(connection, beside, market, feed, mapping, number, progress)
                for feed, mapping in zip(feeds, mappings, strict=True)
            ]
            try:
                await _read(pulled, first)
            finally:
                await beside.finish()
            for one in pulled:
                one.judge()
            async with connection.begin():
                return await _apply(connection, market.name, actor, number, pulled)
    except BaseException as error:
        if number is not None:
            await _note_failure(database, market.name, actor, number, error)
        raise


async def _read(pulled: Sequence[FeedPull], first: StatedTotal) -> None:
    """Reads feed after feed; when the last one of a kind is read, the totals of all of that kind are asked again."""
    for position, one in enumerate(pulled):
        await one.run(first if position == 0 else None)
        kind = one.report.kind
        if all(later.report.kind is not kind for later in pulled[position + 1 :]):
            for read in pulled:
                if read.report.kind is kind:
                    await read.ask_again()


async def _note_failure(database: Database, market: str, actor: str, number: int, error: BaseException) -> None:
    """Closes a pull that failed. Where the database is not there either, the market's next pull closes it."""
    with suppress(ConfigurationError):
        async with database.transaction() as connection:
            await pulls.finish(connection, market, actor, number, PullStatus.FAILED, {"error": repr(error)})


async def _apply(
    connection: AsyncConnection, market: str, actor: str, number: int, pulled: Sequence[FeedPull]
) -> Synced:
    reports = [one.report for one in pulled]
    kinds = list(dict.fromkeys(report.kind for report in reports))
    whole = [kind for kind in kinds if all(report.complete for report in reports if report.kind is kind)]
    await applying.lock(connection, market)
    for kind in list(whole):
        read = [report for report in reports if report.kind is kind]
        if (
            kind in PUBLISHED
            and not any(report.rows for report in read)
            and await applying.knows(connection, market, kind)
        ):
            whole.remove(kind)
            read[0].faults.append(f"the market shows no {kind} at all where some are known; not taken for their end")
    for kind in kinds:
        if kind not in whole:
            await applying.keep_latest(connection, kind)
    await applying.prepare(connection, market, kinds)
    applied = dict.fromkeys(RecordKind, Applied())
    for one in pulled:
        applied[one.report.kind] += await applying.apply(connection, market, actor, number, one.mapping)
        for what, paths in (("unknown", one.report.unknown), ("missing", one.report.missing)):
            await pulls.note_drift(connection, market, one.mapping.name, number, what, tuple(paths))
    for kind in whole:
        applied[kind] += await applying.mark_gone(connection, market, actor, number, kind)
    placeholders = await applying.add_placeholders(connection, market, number)
    doubted = {report.mapping for report in reports if not report.complete}
    complete = [report.mapping for report in reports if report.mapping not in doubted]
    quarantined = await applying.apply_quarantine(connection, market, number, complete, ())
    status = PullStatus.INCOMPLETE if doubted else PullStatus.COMPLETE
    synced = Synced(market, number, status, tuple(reports), applied, placeholders, quarantined)
    summary = synced.summary() | {pulls.WHOLE: [kind.value for kind in whole]}
    await pulls.finish(connection, market, actor, number, status, summary)
    return synced
