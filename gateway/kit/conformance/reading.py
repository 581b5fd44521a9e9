"""Reading an adapter's feeds as the core does: all alike, page by page, until there is no cursor."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from gateway.kit.conformance.check import SINCE, Failed, NotCalledFor
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.contract import Feed, Page, StatedTotal
from gateway.kit.mapping.engine import ROW, Mapped

PAGES_LIMIT: Final = 200
"""Pages of a feed of a rehearsal at most; a rehearsal is small."""

_METHODS: Final = {
    "ReadsCatalogue": ("catalogue_feeds", "catalogue_total", "read_catalogue"),
    "ReadsHoldings": ("holding_feeds", "holdings_total", "read_holdings"),
    "ReadsListings": ("listing_feeds", "listings_total", "read_listings"),
    "ReadsMovements": ("movement_feeds", "movements_total", "read_movements"),
    "ReadsTrades": ("trade_feeds", "trades_total", "read_trades"),
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One feed of one capability."""

    capability: str
    feed: Feed

    @property
    def title(self) -> str:
        """Its name in messages."""
        return f"{self.capability} {self.feed.name}"

    @property
    def file(self) -> str:
        """The beginning of its fixtures' names."""
        return f"{self.capability}-{self.feed.name}"

    async def total(self, adapter: Any, since: datetime) -> StatedTotal:
        """What the market states of it."""
        method = getattr(adapter, _METHODS[self.capability][1])
        stated: StatedTotal = await (method(self.feed.name, since) if self._dated else method(self.feed.name))
        return stated

    async def page(self, adapter: Any, since: datetime, cursor: str | None) -> Page:
        """One page of it."""
        method = getattr(adapter, _METHODS[self.capability][2])
        arguments = (self.feed.name, since, cursor) if self._dated else (self.feed.name, cursor)
        page: Page = await method(*arguments)
        return page

    @property
    def _dated(self) -> bool:
        return self.capability in SINCE


def streams(adapter: Any, capabilities: frozenset[str]) -> list[Stream]:
    """Every feed that an adapter reads, in order."""
    return [
        Stream(capability, feed)
        for capability, (feeds, _, _) in _METHODS.items()
        if capability in capabilities
        for feed in getattr(adapter, feeds)()
    ]


async def subject_streams(subject: Subject, *, of: frozenset[str] | None = None) -> list[Stream]:
    """Every feed of an adapter, or of some of its capabilities; raises NotCalledFor where there is none."""
    async with subject.trial().adapter() as adapter:
        everything = subject.kept("streams", lambda: streams(adapter, subject.manifest.capabilities()))
    found = [stream for stream in everything if of is None or stream.capability in of]
    if not found:
        raise NotCalledFor("the adapter reads no such feed")
    return found


async def whole(stream: Stream, adapter: Any, since: datetime, limit: int = PAGES_LIMIT) -> list[Page]:
    """All pages of a feed; raises Failed for a cursor that comes again and for more pages than the limit."""
    seen: set[str | None] = set()
    pages: list[Page] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        if cursor in seen:
            raise Failed(f"{stream.title}: the cursor {cursor!r} came again")
        if len(pages) == limit:
            raise Failed(f"{stream.title}: no end after {limit} pages")
        seen.add(cursor)
        pages.append(await stream.page(adapter, since, cursor))
        cursor = pages[-1].next_cursor
    return pages


def table(pages: Sequence[Page]) -> pl.DataFrame:
    """The rows of pages, one table of text."""
    filled = [page.rows for page in pages if page.rows.width]
    return pl.concat(filled, how="diagonal", rechunk=True) if filled else pl.DataFrame()


def mapped(subject: Subject, stream: Stream, rows: pl.DataFrame) -> Mapped:
    """The rows as records. Raises Failed when they are no table of text."""
    try:
        return subject.mapping(stream.feed.mapping).apply(rows)
    except ValueError as error:
        raise Failed(f"{stream.title}: {error}") from error


@dataclass(frozen=True, slots=True)
class Content:
    """What a feed holds, whatever its pages: accepted records with how often each comes, and what was quarantined."""

    records: Counter[str]
    quarantined: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return self.records.total() + self.quarantined


def content(subject: Subject, stream: Stream, pages: Sequence[Page]) -> Content:
    """What pages hold."""
    made = mapped(subject, stream, table(pages))
    rejected = sum(len(page.rejected) for page in pages)
    return Content(Counter(records(made.rows)), made.quarantined().len() + rejected)


def records(rows: pl.DataFrame) -> list[str]:
    """Each record as one text."""
    return [as_text(row) for row in rows.drop(ROW).to_dicts()]


def as_text(value: object) -> str:
    """A value as JSON, with days and instants as ISO texts."""
    return json.dumps(value, default=str, ensure_ascii=False, sort_keys=True)


async def contents(subject: Subject, trial: Trial, *, small: bool = False) -> dict[str, Content]:
    """What each feed of an adapter holds, by its title, read one after the other."""
    async with trial.adapter(small=small) as adapter:
        return {
            stream.title: content(subject, stream, await whole(stream, adapter, trial.rehearsal.since))
            for stream in streams(adapter, subject.manifest.capabilities())
        }


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything that an adapter reads, by the feed's title, and how often it asked for what."""

    contents: dict[str, Content]
    asked: Counter[str]


async def everything(subject: Subject, *, small: bool = False) -> Whole:
    """Everything, of a new rehearsal, read once for all checks."""

    async def read() -> Whole:
        trial = subject.trial()
        found = await contents(subject, trial, small=small)
        return Whole(found, Counter(one.path for one in trial.line.exchanges))

    return await subject.kept_later(f"everything, {'small' if small else 'large'} pages", read)


def difference(expected: Content, found: Content) -> str | None:
    """In what two contents differ, in words; None where they do not."""
    missing, surplus = expected.records - found.records, found.records - expected.records
    if missing:
        return f"{missing.total()} rows are missing, such as {next(iter(missing))[:200]}"
    if surplus:
        return f"{surplus.total()} rows are too many, such as {next(iter(surplus))[:200]}"
    if expected.quarantined != found.quarantined:
        return f"{found.quarantined} quarantined rows, expected {expected.quarantined}"
    return None
