"""The home venue's own book of our offers, read at the moment it matters: what it shows, what it sold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from gateway.kit.contract import Feed, Page, StatedTotal
from gateway.kit.errors import ContractBreach
from gateway.kit.mapping.engine import Mapped
from gateway.markets.linked import LinkedMarket
from gateway.model.vocabulary import Firmness, ListingState, TradeState

PAGES_LIMIT: Final = 10_000
TRADES_SINCE: Final = dt.timedelta(days=60)
"""How far back a trade may lie that is not settled yet."""

OPERATION: Final = "read our offers"


@dataclass(frozen=True, slots=True)
class VenueOffer:
    """One of our offers as the venue shows it; ``left`` is what trades have left of it."""

    class_id: str
    units: tuple[Any, ...]
    revision: int
    state: ListingState
    firm: bool
    left: int


@dataclass(frozen=True, slots=True)
class VenueBook:
    """Our offers at the venue by id, and the units of each class that are sold there and not settled."""

    offers: Mapping[str, VenueOffer]
    unsettled: Mapping[str, int]


async def read_book(market: LinkedMarket, now: dt.datetime) -> VenueBook:
    """Reads the venue's book whole.

    Raises an AdapterError when it cannot be read whole: what cannot be seen is not changed.
    """
    listings, trades = market.reads_listings(), market.reads_trades()
    offers: dict[str, VenueOffer] = {}
    for feed in listings.listing_feeds():
        rows = await _whole(market, feed, listings.listings_total, listings.read_listings)
        offers |= {row["native_key"]: _offer(row) for row in rows.iter_rows(named=True)}
    since = now - TRADES_SINCE
    unsettled: dict[str, int] = {}
    for feed in trades.trade_feeds():
        rows = await _whole(
            market,
            feed,
            lambda name: trades.trades_total(name, since),
            lambda name, cursor: trades.read_trades(name, since, cursor),
        )
        open_ones = rows.filter(pl.col("state").is_in([TradeState.EXECUTED.value, TradeState.PROPOSED.value]))
        for instrument, quantity in open_ones.group_by("instrument").agg(pl.sum("quantity")).iter_rows():
            unsettled[instrument] = unsettled.get(instrument, 0) + quantity
    return VenueBook(offers, unsettled)


async def _whole(
    market: LinkedMarket,
    feed: Feed,
    total: Callable[[str], Awaitable[StatedTotal]],
    read: Callable[[str, str | None], Awaitable[Page]],
) -> pl.DataFrame:
    """All rows of a feed, mapped; as many as the venue states, and none that cannot be read."""
    stated = await total(feed.name)
    pages, cursor = [], None
    for _ in range(PAGES_LIMIT):
        page = await read(feed.name, cursor)
        pages.append(page)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    else:
        raise ContractBreach(f"found more than {PAGES_LIMIT} pages", market=market.name, operation=OPERATION)
    made = _mapped(market, feed, pages)
    refused = sum(len(page.rejected) for page in pages) + made.quarantined().len()
    keys = made.rows.get_column("native_key").n_unique()
    if refused or keys != stated.rows:
        raise ContractBreach(
            f"{feed.name}: read {keys} rows and {refused} that cannot be read, the venue states {stated.rows}",
            market=market.name,
            operation=OPERATION,
        )
    return made.rows.unique("native_key", keep="last", maintain_order=True)


def _mapped(market: LinkedMarket, feed: Feed, pages: list[Page]) -> Mapped:
    tables = [page.rows for page in pages if page.rows.height]
    table = pl.concat(tables, how="diagonal") if tables else pl.DataFrame()
    return market.mapping(feed.mapping).apply(table)


def _offer(row: dict[str, Any]) -> VenueOffer:
    return VenueOffer(
        class_id=row["instrument"],
        units=(row["programme"], row["project_id"], row["vintage_start"], row["vintage_end"], row["unit_kind"]),
        revision=row["revision"],
        state=ListingState(row["state"]),
        firm=row["firmness"] == Firmness.FIRM,
        left=row["quantity"],
    )
