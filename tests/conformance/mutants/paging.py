"""Broken in how pages are turned, in cancellation, and beside other calls."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import polars as pl

from gateway.kit.contract import Document, Page, StatedTotal
from gateway.kit.decoding import decode_json
from gateway.kit.tokens import Token
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.client import OrderState
from tests.conformance.mutants.making import broken


class NeverEnds(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._numbers = itertools.count()

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        page = await super()._page(feed, since, None)
        return replace(page, next_cursor=str(next(self._numbers)))


class IgnoresTheCursor(HarbourAdapter):
    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        return await super()._page(feed, since, None)


class LosesARow(HarbourAdapter):
    """The last of each full page."""

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        page = await super()._page(feed, since, cursor)
        return page if page.next_cursor is None or cursor is None else replace(page, rows=page.rows.head(0))


class NumbersItsCursors(HarbourAdapter):
    """So that no cursor ever comes again."""

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        number, _, own = (cursor or "0:").partition(":")
        page = await super()._page(feed, since, own or None)
        return replace(page, next_cursor=page.next_cursor and f"{int(number) + 1}:{page.next_cursor}")


class CountsFromTheEnd(HarbourAdapter):
    """Its cursor is how many rows are left, and its total is the first that it heard."""

    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._totals: dict[str, StatedTotal] = {}
        self._many = HarbourAdapter(config.model_copy(update={"page_size": 100}), transport, clock)

    async def _total(self, feed: str, since: datetime | None) -> StatedTotal:
        if feed not in self._totals:
            self._totals[feed] = await super()._total(feed, since)
        return self._totals[feed]

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        whole = await self._many._page(feed, since, None)
        left = whole.rows.height if cursor is None else int(cursor)
        at = whole.rows.height - left
        return replace(whole, rows=whole.rows[[at]], next_cursor=str(left - 1) if left > 1 else None)


class DoublesTotals(HarbourAdapter):
    async def _total(self, feed: str, since: datetime | None) -> StatedTotal:
        stated = await super()._total(feed, since)
        return StatedTotal(stated.rows, stated.quantity and 2 * stated.quantity)


class CountsPages(HarbourAdapter):
    async def _total(self, feed: str, since: datetime | None) -> StatedTotal:
        stated = await super()._total(feed, since)
        return StatedTotal(1, stated.quantity)


class KeepsTheCursor(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._after: dict[str, str | None] = {}

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        page = await super()._page(feed, since, None if cursor is None else self._after.get(feed))
        self._after[feed] = page.next_cursor
        return page


class AfterNotSince(HarbourAdapter):
    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        return await super()._page(feed, since and since + timedelta(microseconds=1), cursor)


class SwallowsCancellation(HarbourAdapter):
    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        try:
            return await super()._page(feed, since, cursor)
        except asyncio.CancelledError:
            return Page(Document(b"", "application/json", "nothing"), pl.DataFrame(), None, self._clock())

    async def _sent(self, kind: str, order: Any, told: Any) -> OrderState:
        try:
            return await super()._sent(kind, order, told)
        except asyncio.CancelledError:
            return await super()._sent(kind, order, told)


class LeavesItOpen:
    """A line that reads an answer and does not close it."""

    def __init__(self, line: Any) -> None:
        self._line = line

    async def read_json(self, method: str, url: str, **options: Any) -> Any:
        client: httpx.AsyncClient = self._line._client
        request = client.build_request(method, url, headers=options.get("headers"), content=options.get("content"))
        answer = await client.send(request, stream=True)
        body = b"".join([part async for part in answer.aiter_bytes()])
        return decode_json(body), body


class OpenConnections(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, LeavesItOpen(transport), clock)  # type: ignore[arg-type]


class SharesState(HarbourAdapter):
    """It notes the feed that it reads, and looks at the note after the answer came."""

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        self._feed = feed
        await asyncio.sleep(0)
        return await super()._page(self._feed, since, cursor)


class Racing:
    """A token that several calls fetch at once."""

    def __init__(self, fetch: Any) -> None:
        self._fetch = fetch
        self._token: Token | None = None

    async def secret(self) -> str:
        if self._token is None:
            self._token = await self._fetch()
        return self._token.secret.get_secret_value()


class ManyTokens(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._client._token = Racing(self._client._fetch_token)  # type: ignore[assignment]


MUTANTS = (
    broken("pages that never end", "P010", adapter=NeverEnds),
    broken("ignores the cursor", "P010", "P020", adapter=IgnoresTheCursor),
    broken("loses a row between pages", "P020", adapter=LosesARow),
    broken("numbers its cursors", "P030", adapter=NumbersItsCursors),
    broken("counts from the end", "P040", adapter=CountsFromTheEnd),
    broken("doubles what the market states", "P050", adapter=DoublesTotals),
    broken("counts pages for rows", "P050", adapter=CountsPages),
    broken("keeps the cursor", "P060", adapter=KeepsTheCursor),
    broken("begins after the instant", "P070", adapter=AfterNotSince),
    broken("swallows cancellation", "A010", "A030", adapter=SwallowsCancellation),
    broken("leaves connections open", "A020", adapter=OpenConnections),
    broken("shares mutable state", "A040", adapter=SharesState),
    broken("fetches a token for each call", "A050", adapter=ManyTokens),
)
