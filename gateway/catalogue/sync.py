"""Pulling a market's catalogue: every feed, page by page, then applied at once.

A feed is complete when the market stated the same totals before and after, and exactly so many different rows, and
units, were read. After means: once every feed of its kind was read, so that a unit which moved from one to another
meanwhile is noticed. Only where all feeds of a kind are complete is something gone. A feed that breaks off, repeats a
cursor or does not add up leaves the pull INCOMPLETE: what was read is kept as seen, and nothing is missed for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging
from gateway.catalogue.applying import Applied
from gateway.kit.contract import Feed, Page, ReadsCatalogue, StatedTotal
from gateway.kit.errors import AdapterError, ContractBreach
from gateway.kit.mapping.engine import OURS, POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.markets.linked import LinkedMarket
from gateway.model.errors import ConfigurationError
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store import documents
from gateway.store.database import Database

PAGES_LIMIT: Final = 100_000
ROWS_TOGETHER: Final = 8_000
PAGES_TOGETHER: Final = 50
"""How many rows, or pages, of a feed are kept and mapped at once."""


class Progress(Protocol):
    """Told how far a feed has come."""

    def __call__(self, market: str, feed: str, done: int, total: int) -> None:
        """``done`` of ``total`` rows of a feed are read."""


@dataclass(slots=True)
class FeedReport:
    """What was read of one feed.

    Attributes:
        stated: what the market said that it holds, before reading; None when it did not answer.
        faults: why the feed is not complete, in words; empty when it is.
    """

    feed: str
    mapping: str
    kind: RecordKind
    stated: StatedTotal | None = None
    rows: int = 0
    repeated: int = 0
    accepted: int = 0
    quarantined: int = 0
    quantity: int = 0
    units: int = 0
    units_unreadable: int = 0
    defects: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the feed is known whole."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Synced:
    """What one pull of a market found and changed."""

    market: str
    pull: int
    status: PullStatus
    feeds: tuple[FeedReport, ...]
    applied: dict[RecordKind, Applied]
    placeholders: int
    quarantined_new: int

    @property
    def changed_anything(self) -> bool:
        """Whether the catalogue differs from before."""
        return bool(self.placeholders or self.quarantined_new) or any(
            one.added or one.changed or one.gone for one in self.applied.values()
        )

    def summary(self) -> dict[str, Any]:
        """The pull as one JSON object."""
        return {
            "market": self.market,
            "pull": self.pull,
            "status": self.status.value,
            "changed": self.changed_anything,
            "applied": {kind.value: asdict(one) for kind, one in self.applied.items()},
            "placeholders": self.placeholders,
            "quarantined_new": self.quarantined_new,
            "feeds": [
                {
                    "feed": one.feed,
                    "complete": one.complete,
                    "stated_rows": one.stated.rows if one.stated else None,
                    "stated_quantity": one.stated.quantity if one.stated else None,
                    "rows": one.rows,
                    "accepted": one.accepted,
                    "quarantined": one.quarantined,
                    "quantity": None if one.kind is RecordKind.PROJECT else one.quantity,
                    "defects": dict(sorted(one.defects.items())),
                    "drift": list(one.unknown),
                    "missing": list(one.missing),
                    "faults": one.faults,
                }
                for one in self.feeds
            ],
        }


async def sync(database: Database, market: LinkedMarket, *, actor: str, progress: Progress) -> Synced:
    """Pulls one market's catalogue and applies it.

    Raises an AdapterError only when not even the first feed could be asked for its total: then nothing was learnt; and
    DatabaseUnreachable when the connection is lost.
    """
    reader = market.reads_catalogue()
    feeds = reader.catalogue_feeds()
    if not feeds:
        raise ConfigurationError(f"the adapter of {market.name} names no feed; expected one or more")
    mappings = [market.mapping(feed.mapping) for feed in feeds]
    first = await reader.catalogue_total(feeds[0].name)
    number = None
    try:
        async with database.session() as connection:
            async with connection.begin():
                number = await pulls.begin(connection, market.name, actor, pulls.SYNC)
                await staging.create(connection)
            beside = _Beside()
            pulled = [
                _FeedPull(connection, beside, market, reader, feed, mapping, number, progress)
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


async def _read(pulled: Sequence[_FeedPull], first: StatedTotal) -> None:
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


class _Beside:
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


class _FeedPull:
    """One feed on its way into the staging tables."""

    def __init__(
        self,
        connection: AsyncConnection,
        beside: _Beside,
        market: LinkedMarket,
        reader: ReadsCatalogue,
        feed: Feed,
        mapping: Mapping,
        number: int,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._beside = beside
        self._market = market
        self._reader = reader
        self._feed = feed
        self.mapping = mapping
        self._number = number
        self._progress = progress
        self._keys: set[str] = set()
        self._waiting: list[tuple[Page, pl.DataFrame]] = []
        self._after: StatedTotal | None = None
        self.report = FeedReport(feed.name, mapping.name, mapping.document.record)

    async def run(self, stated: StatedTotal | None) -> None:
        """Reads the whole feed; what goes wrong at the market is in the report, not raised."""
        try:
            self.report.stated = stated or await self._reader.catalogue_total(self._feed.name)
            await self._read_pages(self.report.stated.rows)
        except AdapterError as error:
            self.report.faults.append(str(error))
        await self._keep_waiting()

    async def ask_again(self) -> None:
        """Asks what the market states now; a fault that is known stands alone."""
        if not self.report.faults:
            try:
                self._after = await self._reader.catalogue_total(self._feed.name)
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
        ahead = asyncio.ensure_future(self._reader.read_catalogue(self._feed.name, None))
        try:
            for _ in range(PAGES_LIMIT):
                page = await ahead
                cursor = page.next_cursor
                mark = hashlib.sha256((cursor or "").encode()).digest()  # a cursor may be long, and there may be many
                repeated = mark in seen
                if cursor is not None and not repeated:
                    seen.add(mark)
                    ahead = asyncio.ensure_future(self._reader.read_catalogue(self._feed.name, cursor))
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
        return ContractBreach(message, market=self._market.name, operation=f"read_catalogue {self._feed.name}")

    def _count(self, table: pl.DataFrame, mapped: Mapped) -> None:
        report = self.report
        report.accepted += mapped.rows.height
        report.quarantined += table.height - mapped.rows.height
        report.units += mapped.units
        report.units_unreadable += mapped.units_unreadable
        if report.kind is not RecordKind.PROJECT:
            report.quantity += int(mapped.rows.get_column("quantity").cast(pl.Int128).sum())
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


async def _apply(
    connection: AsyncConnection, market: str, actor: str, number: int, pulled: Sequence[_FeedPull]
) -> Synced:
    reports = [one.report for one in pulled]
    kinds = list(dict.fromkeys(report.kind for report in reports))
    whole = [kind for kind in kinds if all(report.complete for report in reports if report.kind is kind)]
    await applying.lock(connection, market)
    for kind in list(whole):
        read = [report for report in reports if report.kind is kind]
        if not any(report.rows for report in read) and await applying.knows(connection, market, kind):
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


def _words(total: StatedTotal) -> str:
    return f"{total.rows} rows" if total.quantity is None else f"{total.rows} rows with {total.quantity} units"
