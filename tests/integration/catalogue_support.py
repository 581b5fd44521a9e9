"""What the tests of the catalogue share: its tables as text, a small stand-in, and a line on which pages go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
from sqlalchemy import text

from adapters.verra import MANIFEST
from adapters.verra.adapter import PLATFORM_FEEDS
from adapters.verra.mock import VerraMock, build
from gateway.catalogue.reports import Synced
from gateway.catalogue.sync import sync
from gateway.kit.contract import Document, Feed, Page, ReadsCatalogue, StatedTotal
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping
from gateway.kit.mock import Mock, MockClock, in_process
from gateway.markets.linked import LinkedMarket, link
from gateway.store.database import Database

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
LOG = ("pull", "pull_document", "raw_document", "raw_chunk", "event")
"""The tables that every look at a market is written into."""

LIBRARY = Library.of_package("mappings.verra")
FEEDS = {name: Mapping(name, LIBRARY) for name in PLATFORM_FEEDS}
EXPORTS = [Mapping("vcus", LIBRARY), Mapping("project-list", LIBRARY)]

Rows = list[dict[str, Any]]


async def asked(database: Database, query: str, **values: object) -> Rows:
    async with database.transaction() as connection:
        return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]


async def scalar(database: Database, query: str, **values: object) -> Any:
    async with database.transaction() as connection:
        return await connection.scalar(text(query), values)


async def contents(database: Database, *, without: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every row of every table of ours as text."""
    tables = await asked(
        database,
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
    )
    found = {}
    for table in tables:
        name = table["name"]
        if name not in without:
            rows = await asked(database, f"SELECT t::text AS row FROM {name} t ORDER BY 1")  # noqa: S608 - our tables
            found[name] = [row["row"] for row in rows]
    return found


async def told(database: Database, pull: int) -> list[tuple[str, str]]:
    """The events of a pull about records: kind and subject."""
    rows = await asked(
        database,
        "SELECT kind, subject FROM event WHERE data ->> 'pull' = :pull AND kind <> 'pull.finished' ORDER BY 1, 2",
        pull=str(pull),
    )
    return [(row["kind"], row["subject"]) for row in rows]


@dataclass
class Registry:
    """A stand-in, its clock, and the market that reads it."""

    mock: VerraMock
    clock: MockClock
    market: LinkedMarket

    async def pull(self, database: Database, market: LinkedMarket | None = None) -> Synced:
        return await sync(database, market or self.market, actor="test", progress=silent)


def silent(market: str, feed: str, done: int, total: int) -> None:
    """Nobody watches the progress."""


@asynccontextmanager
async def registry(
    *, defective: bool = False, faulty: Callable[[Mock], Mock] = lambda mock: mock
) -> AsyncIterator[Registry]:
    clock = MockClock(NOW)
    mock = build(7, clock, projects=12, blocks=60, defective=defective)
    # Nobody is there to be spared, so no request waits for the one before it. Without an account only the public
    # reports are read; our account is read in the tests of the command line and of offers.
    manifest = replace(MANIFEST, rate_limits=())
    async with link(manifest, {"account": ""}, clock, in_process(faulty(mock))) as market:
        yield Registry(mock, clock, replace(market, compiled=dict(FEEDS)))


@dataclass
class Tampered:
    """A reader in small pages, each of which, and each stated total, a test may change on its way.

    Args:
        reader: where the rows come from; all of a feed must be on its first page.
        page: changes a page, given its feed and its number in the feed, from 0; or raises.
        total: changes a total, given its feed and how often it was asked before.
    """

    reader: ReadsCatalogue
    page: Callable[[str, int, Page], Page] = lambda _feed, _number, page: page
    total: Callable[[str, int, StatedTotal], StatedTotal] = lambda _feed, _number, total: total
    rows: int = 10
    asked: dict[str, int] = field(default_factory=dict)
    read: dict[str, Page] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    def catalogue_feeds(self) -> Sequence[Feed]:
        return self.reader.catalogue_feeds()

    async def catalogue_total(self, feed: str) -> StatedTotal:
        number = self.asked.get(feed, 0)
        self.asked[feed] = number + 1
        return self.total(feed, number, await self.reader.catalogue_total(feed))

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        number = int(cursor or 0)
        if cursor is None:
            self.read[feed] = await self.reader.read_catalogue(feed, None)
        whole = self.read[feed]
        assert whole.next_cursor is None
        more = (number + 1) * self.rows < whole.rows.height
        content = f"page {number}\n".encode() + whole.document.content
        page = Page(
            document=Document(content, "application/json", f"{feed} page {number}"),
            rows=whole.rows.slice(number * self.rows, self.rows),
            next_cursor=str(number + 1) if more else None,
            as_of=whole.as_of,
        )
        return self.page(feed, number, page)


def tampered(market: LinkedMarket, **how: Any) -> LinkedMarket:
    return replace(market, adapter=Tampered(market.reads_catalogue(), **how))


def changed_rows(page: Page, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Page:
    return replace(page, rows=change(page.rows))
