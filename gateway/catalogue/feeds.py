"""The feeds of a market that the catalogue follows: what it publishes, what we hold there, what it lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.kit.contract import Feed, Page, StatedTotal
from gateway.markets.linked import LinkedMarket


@dataclass(frozen=True, slots=True)
class FollowedFeed:
    """A feed, and how it is asked for its total and read.

    Attributes:
        operation: the name of what is done, for messages.
        total: asks what the market states of it now.
        read: one page from a cursor on.
    """

    feed: Feed
    operation: str
    total: Callable[[str], Awaitable[StatedTotal]]
    read: Callable[[str, str | None], Awaitable[Page]]


def followed(market: LinkedMarket) -> list[FollowedFeed]:
    """The feeds of a market in the order in which they are read: units refer to projects, listings to both."""
    offered = market.capabilities()
    feeds: list[FollowedFeed] = []
    if "ReadsCatalogue" in offered:
        catalogue = market.reads_catalogue()
        feeds += _of(catalogue.catalogue_feeds(), "read_catalogue", catalogue.catalogue_total, catalogue.read_catalogue)
    if "ReadsHoldings" in offered:
        holdings = market.reads_holdings()
        feeds += _of(holdings.holding_feeds(), "read_holdings", holdings.holdings_total, holdings.read_holdings)
    if "ReadsListings" in offered:
        listings = market.reads_listings()
        feeds += _of(listings.listing_feeds(), "read_listings", listings.listings_total, listings.read_listings)
    return feeds


FOLLOWED = frozenset({"ReadsCatalogue", "ReadsHoldings", "ReadsListings"})
"""The capabilities with feeds that the catalogue follows."""


def _of(
    feeds: Sequence[Feed],
    operation: str,
    total: Callable[[str], Awaitable[StatedTotal]],
    read: Callable[[str, str | None], Awaitable[Page]],
) -> list[FollowedFeed]:
    return [FollowedFeed(feed, operation, total, read) for feed in feeds]
