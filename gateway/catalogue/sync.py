"""Pulling a market's catalogue: every feed, page by page, then applied at once.

A feed is complete when the market stated the same totals before and after, and exactly so many different rows, and
units, were read. Only a complete feed can say that something is gone. A feed that breaks off, repeats a cursor or
does not add up leaves the pull INCOMPLETE: what was read is kept as seen, and nothing is missed because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import applying, pulls, staging
from gateway.catalogue.applying import Applied
from gateway.kit.contract import Feed, Page, ReadsCatalogue, StatedTotal
from gateway.kit.errors import AdapterError, ContractBreach
from gateway.kit.mapping.engine import POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.markets.linked import LinkedMarket
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store import documents
from gateway.store.database import Database

PAGES_LIMIT: Final = 100_000
MAPPED_TOGETHER: Final = 8_000
"""How many rows of a feed are mapped at once."""


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

    Raises an AdapterError only when not even the first feed could be asked for its total: then nothing was learnt.
    """
    reader = market.reads_catalogue()
    feeds = reader.catalogue_feeds()
    first = await reader.catalogue_total(feeds[0].name)
    async with database.session() as connection:
        async with connection.begin():
            number = await pulls.begin(connection, market.name, "sync")
            await staging.create(connection)
        try:
            reports = []
            for position, feed in enumerate(feeds):
                mapping = market.mapping(feed.mapping)
                stated = first if position == 0 else None
                pulled = _FeedPull(connection, market, reader, feed, mapping, number, progress)
                reports.append(await pulled.run(stated))
            async with connection.begin():
                return await _apply(connection, market, actor, number, reports)
        except BaseException as error:
            async with connection.begin():
                await pulls.finish(connection, market.name, actor, number, PullStatus.FAILED, {"error": repr(error)})
            raise


class _FeedPull:
    """One feed on its way into the staging tables."""

    def __init__(
        self,
        connection: AsyncConnection,
        market: LinkedMarket,
        reader: ReadsCatalogue,
        feed: Feed,
        mapping: Mapping,
        number: int,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._market = market
        self._reader = reader
        self._feed = feed
        self._mapping = mapping
        self._number = number
        self._progress = progress
        self._keys: set[str] = set()
        self._waiting: list[pl.DataFrame] = []
        self._report = FeedReport(feed.name, mapping.name, mapping.document.record)

    async def run(self, stated: StatedTotal | None) -> FeedReport:
        """Reads the whole feed; what goes wrong at the market is in the report, not raised."""
        report = self._report
        try:
            report.stated = stated or await self._reader.catalogue_total(self._feed.name)
            await self._read_pages(report.stated.rows)
            after = await self._reader.catalogue_total(self._feed.name)
        except AdapterError as error:
            report.faults.append(str(error))
            await self._map_waiting()
            return report
        if after != report.stated:
            report.faults.append(f"the market moved while it was read: it stated {report.stated}, then {after}")
        self._check_totals()
        return report

    async def _read_pages(self, total: int) -> None:
        self._progress(self._market.name, self._feed.name, 0, total)
        cursor: str | None = None
        seen: set[str | None] = {None}
        for _ in range(PAGES_LIMIT):
            page = await self._reader.read_catalogue(self._feed.name, cursor)
            await self._take(page)
            self._progress(self._market.name, self._feed.name, self._report.rows, total)
            cursor = page.next_cursor
            if cursor is None:
                await self._map_waiting()
                return
            if cursor in seen:
                raise ContractBreach(
                    f"the cursor {cursor[:80]!r} came a second time: the pages never end",
                    market=self._market.name,
                    operation=f"read_catalogue {self._feed.name}",
                )
            seen.add(cursor)
        raise ContractBreach(
            f"found more than {PAGES_LIMIT} pages", market=self._market.name, operation=f"read_catalogue {self._feed.name}"
        )

    async def _take(self, page: Page) -> None:
        """Keeps the raw page; its rows are mapped together with those of its neighbours, which is much faster."""
        async with self._connection.begin():
            document = await documents.keep(
                self._connection, page.document.content, media_type=page.document.media_type, origin=page.document.origin
            )
            source = await pulls.add_document(self._connection, self._number, self._mapping, document, page.as_of)
        rows = page.rows.with_row_index(POSITION, offset=1).with_columns(
            pl.col(POSITION).cast(pl.Int64), pl.lit(source).alias(SOURCE)
        )
        self._count_keys(rows)
        self._waiting.append(rows)
        if sum(table.height for table in self._waiting) >= MAPPED_TOGETHER:
            await self._map_waiting()

    async def _map_waiting(self) -> None:
        tables, self._waiting = [table for table in self._waiting if table.height], []
        if not tables:
            return
        table = pl.concat(tables, how="diagonal").with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
        mapped = self._mapping.apply(table)
        async with self._connection.begin():
            await staging.add(self._connection, self._mapping, self._market.manifest.programme, mapped, table)
        self._count(table, mapped)

    def _count_keys(self, table: pl.DataFrame) -> None:
        report, path = self._report, self._mapping.document.native_key
        keys = table.get_column(path).drop_nulls().to_list() if path in table.columns else []
        fresh = set(keys) - self._keys
        report.repeated += len(keys) - len(fresh)
        report.rows += table.height - (len(keys) - len(fresh))
        self._keys |= fresh

    def _count(self, table: pl.DataFrame, mapped: Mapped) -> None:
        report = self._report
        report.accepted += mapped.rows.height
        report.quarantined += table.height - mapped.rows.height
        report.units += mapped.units
        report.units_unreadable += mapped.units_unreadable
        if report.kind is not RecordKind.PROJECT:
            report.quantity += int(mapped.rows.get_column("quantity").sum())
        for code, count in mapped.defects.unique([ROW, "code"]).group_by("code").len().iter_rows():
            report.defects[code] += count
        report.unknown.update(dict.fromkeys(mapped.unknown))
        report.missing.update(dict.fromkeys(mapped.missing))

    def _check_totals(self) -> None:
        report = self._report
        assert report.stated is not None
        if report.rows != report.stated.rows:
            report.faults.append(f"read {report.rows} different rows, the market states {report.stated.rows}")
        if report.stated.quantity is None:
            return
        if report.units_unreadable:
            report.faults.append(
                f"{report.units_unreadable} rows have no readable quantity, so the units stated "
                f"({report.stated.quantity}) cannot be checked"
            )
        elif report.repeated == 0 and report.units != report.stated.quantity:
            report.faults.append(f"read {report.units} units, the market states {report.stated.quantity}")


async def _apply(
    connection: AsyncConnection, market: LinkedMarket, actor: str, number: int, reports: Sequence[FeedReport]
) -> Synced:
    await applying.lock(connection, market.name)
    await applying.prepare(connection, RecordKind)
    applied = dict.fromkeys(RecordKind, Applied())
    for report, feed in zip(reports, market.reads_catalogue().catalogue_feeds(), strict=True):
        mapping = market.mapping(feed.mapping)
        applied[report.kind] += await applying.apply(connection, market.name, actor, number, mapping)
        await pulls.note_drift(connection, market.name, mapping.name, number, "unknown", tuple(report.unknown))
        await pulls.note_drift(connection, market.name, mapping.name, number, "missing", tuple(report.missing))
    for kind in RecordKind:
        if all(report.complete for report in reports if report.kind is kind) and any(r.kind is kind for r in reports):
            applied[kind] += await applying.mark_gone(connection, market.name, actor, number, kind)
    placeholders = await applying.add_placeholders(connection, market.name, number)
    complete = [report.mapping for report in reports if report.complete]
    quarantined = await applying.apply_quarantine(connection, market.name, number, complete, ())
    status = PullStatus.COMPLETE if len(complete) == len(reports) else PullStatus.INCOMPLETE
    synced = Synced(market.name, number, status, tuple(reports), applied, placeholders, quarantined)
    await pulls.finish(connection, market.name, actor, number, status, synced.summary())
    return synced
