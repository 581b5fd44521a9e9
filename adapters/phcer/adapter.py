"""The PHCER register as a market of ours: projects, issuances, holders' balances, movements, and the same files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from adapters.phcer.client import Part, PhcerClient
from adapters.phcer.config import PhcerConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, StatedTotal
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

MARKET: Final = "phcer"

CATALOGUE: Final = MappingProxyType({"projects": "projects", "issuances": "issuances"})
HOLDINGS: Final = MappingProxyType({"holders": "holders"})
MOVEMENTS: Final = MappingProxyType({"movements": "movements"})
"""Our feeds, and the portal's word for each export."""

_CURSOR: Final = re.compile(r"([A-Z0-9-]{1,40})/([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
"""The export's number, the next part, and how many parts there were from the first one on."""


class PhcerAdapter:
    """Reads the register's exports, and knows the same files where a person downloaded them. Nothing is commanded.

    Args:
        config: where the portal is and who logs in.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: PhcerConfig, transport: Transport, clock: Clock) -> None:
        self._client = PhcerClient(MARKET, config, transport, clock)

    def catalogue_feeds(self) -> Sequence[Feed]:
        """Projects (项目) first, then the issuances (减排量登记) that name them."""
        return _feeds(CATALOGUE)

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """Rows, and tonnes of the issuances, as the register sums them."""
        return await self._total(_export(CATALOGUE, feed))

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """One part of an export; the first call has the export made, and its other parts are of that same instant."""
        return await self._page(_export(CATALOGUE, feed), cursor)

    def holding_feeds(self) -> Sequence[Feed]:
        """The balances of our account and of all that our institution opened: project owners and small holders."""
        return _feeds(HOLDINGS)

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Rows and tonnes as the register sums them."""
        return await self._total(_export(HOLDINGS, feed))

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One part of the holders' export."""
        return await self._page(_export(HOLDINGS, feed), cursor)

    def movement_feeds(self) -> Sequence[Feed]:
        """The business journal (业务流水) of those accounts."""
        return _feeds(MOVEMENTS)

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """Rows and tonnes of what was done, or finished, since then."""
        return await self._total(_export(MOVEMENTS, feed), since)

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One part of the journal, oldest first."""
        return await self._page(_export(MOVEMENTS, feed), cursor, since)

    def export_mappings(self) -> Sequence[str]:
        """The files of the catalogue; whoever downloads them from the portal gets the same headings."""
        return tuple(CATALOGUE)

    async def _total(self, kind: str, since: datetime | None = None) -> StatedTotal:
        stated = await self._client.summary(kind, since)
        return StatedTotal(stated.rows, stated.quantity)

    async def _page(self, kind: str, cursor: str | None, since: datetime | None = None) -> Page:
        if cursor is None:
            part = await self._client.first_part(kind, since)
        else:
            place = _CURSOR.fullmatch(cursor)
            if place is None:
                raise ConfigurationError(f"found the cursor {cursor[:80]!r}, expected one of market {MARKET}")
            part = await self._client.further_part(kind, place[1], int(place[2]), int(place[3]))
        return Page(
            document=Document(part.content, part.media_type, part.origin),
            rows=part.rows,
            next_cursor=_following(part),
            as_of=part.made_at,
            rejected=part.rejected,
        )


def _feeds(known: Mapping[str, str]) -> Sequence[Feed]:
    return [Feed(name, mapping=name) for name in known]


def _export(known: Mapping[str, str], feed: str) -> str:
    kind = known.get(feed)
    if kind is None:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r} there; it has {', '.join(known)}")
    return kind


def _following(part: Part) -> str | None:
    return None if part.number == part.parts else f"{part.batch}/{part.number + 1}/{part.parts}"
