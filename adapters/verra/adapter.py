"""The Verra registry as a market of ours: its public feeds, its downloaded files, and our account there."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from adapters._platts.client import PlattsClient
from adapters._platts.partition import Place, divide, read
from adapters.verra.account_side import MARKET, AccountSide
from adapters.verra.config import VerraConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, StatedTotal
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing

PLATFORM_FEEDS: Final = MappingProxyType(
    {
        "projects": "project",
        "issuances": "issuances",
        "holdings": "holdings",
        "retirements": "retirements",
        "cancellations": "cancellations",
    }
)
"""Our feeds, in the order in which they must be read, and the platform's word for each."""


class VerraAdapter(AccountSide):
    """Reads the registry's public reports, knows the files a person downloads from it, and works with our account.

    Args:
        config: where it is and what it is called there.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: VerraConfig, transport: Transport, clock: Clock) -> None:
        super().__init__(config, transport, clock)
        self._platform = PlattsClient(MARKET, config, transport)
        self._clock = clock

    def catalogue_feeds(self) -> Sequence[Feed]:
        """Projects first: units refer to them, and a feed that must be divided is divided by them."""
        return [Feed(name, mapping=name) for name in PLATFORM_FEEDS]

    def export_mappings(self) -> Sequence[str]:
        """The export of units (``vcus``) and the one of projects (``allprojects``)."""
        return ("vcus", "project-list")

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """Rows and units as the registry states and sums them itself; projects have no units.

        Raises ConfigurationError when the feed is empty because the configured standard is none of the registry's.
        """
        word = _platform_feed(feed)
        rows = await self._platform.count(word)
        if rows == 0:
            await self._platform.require_standard()
        quantity = None if feed == "projects" else await self._platform.aggregate_sum(word)
        return StatedTotal(rows, quantity)

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """One page of a feed, at most 400 rows, in the order of ``entityId`` or its reverse within a part of the feed.

        The first page of a feed of more than twice the platform's window takes long: the feed is divided before it is
        read, with one request for each country and, where countries are too large, for each of their projects.

        Raises ConfigurationError as ``catalogue_total`` does, and for a cursor that is not of this feed.
        """
        word = _platform_feed(feed)
        if cursor is not None:
            return await self._page(Place.of_cursor(cursor, word))
        stated = await self._platform.count(word)
        if stated == 0:
            await self._platform.require_standard()
        return await self._page(Place(word, 0, None, await divide(self._platform, word, stated)))

    async def _page(self, place: Place) -> Page:
        found, following = await read(self._platform, place)
        return Page(
            document=Document(found.body, "application/json", f"POST {place.operation}"),
            rows=found.rows,
            next_cursor=None if following is None else following.to_cursor(),
            as_of=self._clock(),
        )


def _platform_feed(feed: str) -> str:
    word = PLATFORM_FEEDS.get(feed)
    if word is None:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r}; it has {', '.join(PLATFORM_FEEDS)}")
    return word
