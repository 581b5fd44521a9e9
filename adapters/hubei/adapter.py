"""The allowance registry in Wuhan as a market of ours: what its day end says. Nothing is commanded there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

import polars as pl

from adapters.hubei.client import MARKET, BatchFile, HubeiClient, PublishedDay
from adapters.hubei.config import HubeiConfig
from adapters.hubei.dayend import HAPPENED, RECORDS, WUHAN, FileKind, schema
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, StatedTotal
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

CUT_DAYS: Final = 2
"""An instant lies in the file of its own day or, after that day's was written, of the next one."""

MOVEMENT_FEEDS: Final = MappingProxyType({"movements": FileKind.MOVEMENTS, "freezes": FileKind.FREEZES})
HOLDING_FEEDS: Final = MappingProxyType({"holdings": FileKind.HOLDINGS})
TRADE_FEEDS: Final = MappingProxyType({"trades": FileKind.TRADES})


class HubeiAdapter:
    """Reads the day-end files. A page is a file; a cursor names a day and a file's place in it.

    Holdings are those of the latest published day: what happened since is not in them. Movements, freezes and trades
    are read from the business day of ``since`` on; of that day's files, only what happened at that instant or later.

    Args:
        config: where the files are and who we are.
        transport: the line to them.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: HubeiConfig, transport: Transport, clock: Clock) -> None:
        self._client = HubeiClient(config, transport)
        self._clock = clock

    def holding_feeds(self) -> Sequence[Feed]:
        """The one feed ``holdings``: an account and a product a row, with its parts available, frozen and so on."""
        return _feeds(HOLDING_FEEDS)

    def movement_feeds(self) -> Sequence[Feed]:
        """What changed on the accounts, and what was frozen there and by whom."""
        return _feeds(MOVEMENT_FEEDS)

    def trade_feeds(self) -> Sequence[Feed]:
        """The trades that were cleared."""
        return _feeds(TRADE_FEEDS)

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Records and units of the latest published day, as its files' control totals say."""
        kind = _kind(HOLDING_FEEDS, feed)
        latest = await self._client.published(None)
        return _stated(latest.days[-1].of(kind))

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One file of the latest published day; a cursor stays with the day it began on.

        Raises ConfigurationError for a cursor that is none of ours.
        """
        kind = _kind(HOLDING_FEEDS, feed)
        day, place = (None, 0) if cursor is None else _placed(cursor)
        days = (await self._client.published(day)).days
        return await self._page([days[-1]] if day is None else self._beginning(days, day)[:1], kind, place)

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """Records and units since then; of the first day they are counted, of later ones the files state them."""
        return await self._total(_kind(MOVEMENT_FEEDS, feed), since)

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One file, oldest first. Raises ConfigurationError for a cursor that is none of ours."""
        return await self._since(_kind(MOVEMENT_FEEDS, feed), since, cursor)

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """Trades and units since then; of the first day they are counted, of later ones the files state them."""
        return await self._total(_kind(TRADE_FEEDS, feed), since)

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One file, oldest first. Raises ConfigurationError for a cursor that is none of ours."""
        return await self._since(_kind(TRADE_FEEDS, feed), since, cursor)

    async def _total(self, kind: FileKind, since: datetime) -> StatedTotal:
        days = (await self._client.published(since.astimezone(WUHAN).date())).days
        rows = quantity = 0
        for day in days[:CUT_DAYS]:
            for listed in day.of(kind):
                read, _ = await self._client.file(day.day, listed)
                kept = _happened_since(read.rows, kind, since)
                rows += kept.height + len(read.rejected)
                quantity += int(kept.get_column(RECORDS[kind].quantity).cast(pl.Int128).sum())
        later = _stated([one for day in days[CUT_DAYS:] for one in day.of(kind)])
        return StatedTotal(later.rows + rows, (later.quantity or 0) + quantity)

    async def _since(self, kind: FileKind, since: datetime, cursor: str | None) -> Page:
        day, place = (since.astimezone(WUHAN).date(), 0) if cursor is None else _placed(cursor)
        published = await self._client.published(day)
        if cursor is None and not published.days:
            nothing = pl.DataFrame(schema=dict.fromkeys(schema().columns(RECORDS[kind].element), pl.String))
            document = Document(published.body, "application/json", f"GET day-end index from {day}")
            return Page(document, nothing, next_cursor=None, as_of=self._clock())
        days = published.days if cursor is None else self._beginning(published.days, day)
        page = await self._page(days, kind, place)
        return replace(page, rows=_happened_since(page.rows, kind, since))

    async def _page(self, days: Sequence[PublishedDay], kind: FileKind, place: int) -> Page:
        """The file at a place among those of the first of some days; what follows may be of the next one."""
        day, files = days[0].day, days[0].of(kind)
        if place >= len(files):
            found = f"found {len(files)} files of {day}, expected file {place + 1} of the pages before"
            raise self._client.breach(found, f"day-end files of {day}")
        read, content = await self._client.file(day, files[place])
        following = None
        if place + 1 < len(files):
            following = f"{day:%Y%m%d}.{place + 1}"
        elif len(days) > 1:
            following = f"{days[1].day:%Y%m%d}.0"
        return Page(
            document=Document(content, "application/xml", f"GET dayend {files[place].name}"),
            rows=read.rows,
            next_cursor=following,
            as_of=read.written_at,
            rejected=read.rejected,
        )

    def _beginning(self, days: Sequence[PublishedDay], day: date) -> Sequence[PublishedDay]:
        """The days from a cursor's on. Raises ContractBreach where the market no longer lists that one."""
        if not days or days[0].day != day:
            raise self._client.breach(f"found no files of {day}, which were there before", f"day-end index from {day}")
        return days


def _feeds(kinds: Mapping[str, FileKind]) -> Sequence[Feed]:
    return [Feed(name, mapping=name) for name in kinds]


def _kind(kinds: Mapping[str, FileKind], feed: str) -> FileKind:
    kind = kinds.get(feed)
    if kind is None:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r} of this sort; it has {', '.join(kinds)}")
    return kind


def _stated(files: Sequence[BatchFile]) -> StatedTotal:
    return StatedTotal(sum(one.records for one in files), sum(one.quantity for one in files))


def _happened_since(rows: pl.DataFrame, kind: FileKind, since: datetime) -> pl.DataFrame:
    """The rows of what happened at that instant or later: times of one length, compared as texts."""
    return rows.filter(pl.col(HAPPENED[kind]) >= f"{since.astimezone(WUHAN):%Y%m%d%H%M%S}")


def _placed(cursor: str) -> tuple[date, int]:
    """The day and the file's place that a cursor names. Raises ConfigurationError when it is none of ours."""
    found = re.fullmatch(r"(20[0-9]{2})([0-9]{2})([0-9]{2})\.([0-9]{1,5})", cursor)
    try:
        if found is not None:
            return date(int(found[1]), int(found[2]), int(found[3])), int(found[4])
    except ValueError:
        pass
    raise ConfigurationError(f"{MARKET}: found the cursor {cursor[:40]!r}, expected a day and a place as 20260714.0")
