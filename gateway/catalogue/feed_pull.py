"""One feed of a market on its way into the staging tables."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Protocol

import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import pulls, staging
from gateway.catalogue.feeds import FollowedFeed
from gateway.catalogue.reports import FeedReport
from gateway.kit.contract import Page, StatedTotal
from gateway.kit.errors import AdapterError, ContractBreach
from gateway.kit.mapping.engine import OURS, POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.markets.linked import LinkedMarket
from gateway.model.records import measure
from gateway.store import documents

PAGES_LIMIT: Final = 100_000
ROWS_TOGETHER: Final = 8_000
PAGES_TOGETHER: Final = 50
"""How many rows, or pages, of a feed are kept and mapped at once."""


class Progress(Protocol):
    """Told how far a feed has come."""

    def __call__(self, market: str, feed: str, done: int, total: int) -> None:
        """``done`` of ``total`` rows of a feed are read."""


class Beside:
    """The one piece of work that goes on beside the reading: it has the connection to the database."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begins some work when the one before it is done."""
        await self.finish()
        self._task = asyncio.create_task(work())

    async def finish(self) -> None:
        """Waits until nothing is under way; raises what went wrong with it."""
        task, self._task = self._task, None
        if task is not None:
            await task


class FeedPull:
    """One feed on its way into the staging tables."""

    def __init__(
        self,
        connection: AsyncConnection,
        beside: Beside,
        market: LinkedMarket,
        feed: FollowedFeed,
        mapping: Mapping,
        number: int,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._beside = beside
        self._market = market
        self._followed = feed
        self._feed = feed.feed
        self._operation = f"{feed.operation} {feed.feed.name}"
        self.mapping = mapping
        self._number = number
        self._progress = progress
        self._keys: set[str] = set()
        self._waiting: list[tuple[Page, pl.DataFrame]] = []
        self._after: StatedTotal | None = None
        self.report = FeedReport(feed.feed.name, mapping.name, mapping.document.record)

    async def run(self, stated: StatedTotal | None) -> None:
        """Reads the whole feed; what goes wrong at the market is in the report, not raised."""
        try:
            self.report.stated = stated or await self._followed.total(self._feed.name)
            await self._read_pages(self.report.stated.rows)
        except AdapterError as error:
            self.report.faults.append(str(error))
        await self._keep_waiting()

    async def ask_again(self) -> None:
        """Asks what the market states now; a fault that is known stands alone."""
        if not self.report.faults:
            try:
                self._after = await self._followed.total(self._feed.name)
            except AdapterError as error:
                self.report.faults.append(str(error))

    def judge(self) -> None:
        """Holds what was read, when all of it is kept, against what the market stated before and after."""
        report = self.report
        if report.faults or report.stated is None or self._after is None:
            return
        if self._after != report.stated:
            report.faults.append(
                f"the market moved while it was read: it stated {_words(report.stated)}, then {_words(self._after)}"
            )
        self._check_totals(report.stated)

    async def _read_pages(self, total: int) -> None:
        """Reads page after page, each one ahead while the one before it is on its way to the database."""
        self._progress(self._market.name, self._feed.name, 0, total)
        seen: set[bytes] = set()
        ahead = asyncio.ensure_future(self._followed.read(self._feed.name, None))
        try:
            for _ in range(PAGES_LIMIT):
                page = await ahead
                cursor = page.next_cursor
                mark = hashlib.sha256((cursor or "").encode()).digest()  # a cursor may be long, and there may be many
                repeated = mark in seen
                if cursor is not None and not repeated:
                    seen.add(mark)
                    ahead = asyncio.ensure_future(self._followed.read(self._feed.name, cursor))
                await self._take(page)
                self._progress(self._market.name, self._feed.name, self.report.rows, total)
                if cursor is None:
                    return
                if repeated:
                    raise self._breach(f"the cursor {cursor[:80]!r} came a second time: the pages never end")
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
        raise self._breach(f"found more than {PAGES_LIMIT} pages")

    async def _take(self, page: Page) -> None:
        """Pages are kept and mapped together with their neighbours, which is much faster."""
        ours = sorted(OURS.intersection(page.rows.columns))
        if ours:
            raise self._breach(f"found a field called {ours[0]}, a name of the gateway's own; expected the market's")
        rows = page.rows.with_row_index(POSITION, offset=1).with_columns(pl.col(POSITION).cast(pl.Int64))
        self._waiting.append((page, self._unseen(rows)))
        if sum(table.height for _, table in self._waiting) >= ROWS_TOGETHER or len(self._waiting) >= PAGES_TOGETHER:
            await self._keep_waiting()

    async def _keep_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        await self._beside.begin(partial(self._keep, waiting))

    async def _keep(self, waiting: Sequence[tuple[Page, pl.DataFrame]]) -> None:
        """Keeps raw pages, and stages what the mapping makes of their rows."""
        tables = []
        async with self._connection.begin():
            for page, rows in waiting:
                document = await documents.keep(
                    self._connection,
                    page.document.content,
                    media_type=page.document.media_type,
                    origin=page.document.origin,
                )
                source = await pulls.add_document(self._connection, self._number, self.mapping, document, page.as_of)
                refused = await staging.add_rejected(self._connection, self.mapping, page.rejected, source)
                self.report.rows += refused.height
                self.report.quarantined += refused.height
                # Of a record that its own market's schema refuses, nothing is believed, also not its quantity.
                self.report.units_unreadable += refused.height
                if refused.height:
                    self.report.defects[staging.ROW_REJECTED] += refused.height
                if rows.height:
                    tables.append(rows.with_columns(pl.lit(source).alias(SOURCE)))
            if not tables:
                return
            table = pl.concat(tables, how="diagonal").with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
            mapped = await asyncio.to_thread(self.mapping.apply, table)
            await staging.add(self._connection, self.mapping, self._market.manifest.programme, mapped, table)
        self._count(table, mapped)

    def _unseen(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that were not read before; a row that comes twice (pages that shifted) counts once."""
        path = self.mapping.document.native_key
        if path is None or path not in rows.columns:
            self.report.rows += rows.height
            return rows
        keys = rows.get_column(path).to_list()
        kept = []
        for key in keys:
            kept.append(key is None or key not in self._keys)
            if key is not None:
                self._keys.add(key)
        fresh = sum(kept)
        self.report.rows += fresh
        self.report.repeated += len(keys) - fresh
        return rows if fresh == len(keys) else rows.filter(pl.Series(kept, dtype=pl.Boolean))

    def _breach(self, message: str) -> ContractBreach:
        return ContractBreach(
            message, market=self._market.name, operation=f"{self._followed.operation} {self._feed.name}"
        )

    def _count(self, table: pl.DataFrame, mapped: Mapped) -> None:
        report = self.report
        report.accepted += mapped.rows.height
        report.quarantined += table.height - mapped.rows.height
        report.units += mapped.units
        report.units_unreadable += mapped.units_unreadable
        measured = measure(report.kind)
        if measured is not None:
            report.quantity += int(mapped.rows.get_column(measured).cast(pl.Int128).sum())
        for code, count in mapped.defects.unique([ROW, "code"]).group_by("code").len().iter_rows():
            report.defects[code] += count
        report.unknown.update(dict.fromkeys(mapped.unknown))
        report.missing.update(dict.fromkeys(mapped.missing))

    def _check_totals(self, stated: StatedTotal) -> None:
        report = self.report
        if report.rows != stated.rows:
            report.faults.append(f"read {report.rows} different rows, the market states {stated.rows}")
        if stated.quantity is None:
            return
        if report.units_unreadable:
            report.faults.append(
                f"{report.units_unreadable} rows have no readable quantity, so the units stated "
                f"({stated.quantity}) cannot be checked"
            )
        elif report.units != stated.quantity:
            report.faults.append(f"read {report.units} units, the market states {stated.quantity}")


def _words(total: StatedTotal) -> str:
    return f"{total.rows} rows" if total.quantity is None else f"{total.rows} rows with {total.quantity} units"
