"""CBL as a market of ours: positions, deposits, listings, trades, movements, and the commands of ``commands``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from adapters.cbl import rows
from adapters.cbl.client import ConnectClient, Found
from adapters.cbl.commands import CblCommands
from adapters.cbl.config import CblConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, StatedTotal
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, whole_number
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

MARKET: Final = "cbl"

POSITIONS: Final = "positions"
DEPOSITS: Final = "deposits"
LISTINGS: Final = "listings"
TRANSFERS: Final = "transfers"
RETIREMENTS: Final = "retirements"
TRADES: Final = "trades"

_POSITION_ROWS: Final = "content[].taxLots[]"
_INSTRUMENT: Final = "content.instrument"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a paged reading stands.

    Attributes:
        page: the page to read next.
        total: how many elements the search had when the page before was read.
        until: where the window ends, fixed when the reading began; None where a search takes no end.
    """

    page: int = 0
    total: int = 0
    until: str | None = None

    def to_cursor(self) -> str:
        """The cursor that leads here."""
        return json.dumps([self.page, self.total, self.until], separators=(",", ":"))

    @classmethod
    def of_cursor(cls, cursor: str) -> Place:
        """The place of a cursor. Raises ConfigurationError when it is none of ours."""
        try:
            page, total, until = elements(decode_json(cursor.encode()), "the cursor")
            return cls(
                whole_number(page, "its page"), whole_number(total, "its total"), until if until is None else str(until)
            )
        except (Undecodable, ValueError) as error:
            raise ConfigurationError(f"market {MARKET}: found the cursor {cursor[:100]!r}: {error}") from error


class CblAdapter(CblCommands):
    """Reads our account at Xpansiv Connect and what CBL lists, and commands it.

    Args:
        config: where it is and who we are there.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: CblConfig, transport: Transport, clock: Clock) -> None:
        super().__init__(config, ConnectClient(MARKET, config, transport, clock), clock)

    def holding_feeds(self) -> Sequence[Feed]:
        """Tax lots of our positions, and what of them is on deposit at the venue."""
        return [Feed(POSITIONS, mapping="positions"), Feed(DEPOSITS, mapping="deposits")]

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Of positions, the tax lots of the account's report: one answer that has them all. Of deposits, the list."""
        _require(feed, POSITIONS, DEPOSITS)
        if feed == DEPOSITS:
            table = self._tabulated(DEPOSITS, (await self._client.deposits())[0], "[]")
            return StatedTotal(table.height, rows.summed(table, "availableQuantity"))
        report = self._tabulated(POSITIONS, await self._client.tax_lot_report(), _POSITION_ROWS)
        program = f"{_INSTRUMENT}.program"
        if program in report.columns:
            report = report.filter(pl.col(program).is_in(self._config.programs))
        return StatedTotal(report.height, rows.summed(rows.with_quantity(report), rows.QUANTITY))

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """A page of positions, one row a tax lot; or every deposit.

        Deposits belong to the account ``<exchange>/<account>``: what is there is a part of the positions, told again.
        """
        _require(feed, POSITIONS, DEPOSITS)
        if feed == DEPOSITS:
            document, body = await self._client.deposits()
            table = self._tabulated(DEPOSITS, document, "[]")
            return self._whole(
                DEPOSITS, rows.with_account(table, f"{self._config.exchange}/{self._config.account}"), body
            )
        place = _place(cursor)
        found = await self._client.positions(place.page)
        table = rows.with_quantity(self._tabulated(POSITIONS, found.document, _POSITION_ROWS))
        table = rows.with_certifications(rows.with_project(table, _INSTRUMENT), _INSTRUMENT)
        return self._page(POSITIONS, place, found, rows.with_account(table, self._config.account))

    def listing_feeds(self) -> Sequence[Feed]:
        """The order book of the exchange."""
        return [Feed(LISTINGS, mapping="listings")]

    async def listings_total(self, feed: str) -> StatedTotal:
        """How many orders the book states."""
        _require(feed, LISTINGS)
        return StatedTotal((await self._client.listings(0)).total, None)

    async def read_listings(self, feed: str, cursor: str | None) -> Page:
        """A page of the order book."""
        _require(feed, LISTINGS)
        place = _place(cursor)
        found = await self._client.listings(place.page)
        return self._page(LISTINGS, place, found, rows.with_lot(self._tabulated(LISTINGS, found.document, "content[]")))

    def trade_feeds(self) -> Sequence[Feed]:
        """Our trades on the exchange."""
        return [Feed(TRADES, mapping="trades")]

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """How many trades the market states since then."""
        _require(feed, TRADES)
        return StatedTotal((await self._client.trades({"executedFrom": since.isoformat()}, 0)).total, None)

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """A page of our trades, oldest first."""
        _require(feed, TRADES)
        place = _place(cursor)
        found = await self._client.trades({"executedFrom": since.isoformat()}, place.page)
        return self._page(TRADES, place, found, self._tabulated(TRADES, found.document, "content[]"))

    def movement_feeds(self) -> Sequence[Feed]:
        """Bilateral transfers and retirements. Of deposits and withdrawals the market keeps no history."""
        return [Feed(TRANSFERS, mapping="transfers"), Feed(RETIREMENTS, mapping="retirements")]

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """How many changed since then: stated of transfers, counted of retirements, which come in one list."""
        _require(feed, TRANSFERS, RETIREMENTS)
        if feed == TRANSFERS:
            return StatedTotal((await self._client.transfers(self._window(since, None), 0)).total, None)
        document, _ = await self._client.retirements(self._window(since, None))
        return StatedTotal(self._tabulated(RETIREMENTS, document, "retirements[]").height, None)

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """A page of transfers that changed since then; or every such retirement.

        The window of transfers ends when the first page is read: one that changes while the others are read leaves it,
        which is noticed, instead of moving to a page where it would hide another.
        """
        _require(feed, TRANSFERS, RETIREMENTS)
        if feed == RETIREMENTS:
            document, body = await self._client.retirements(self._window(since, None))
            table = rows.with_project(self._tabulated(RETIREMENTS, document, "retirements[]"), "instrument")
            return self._whole(RETIREMENTS, rows.with_account(table, self._config.account), body)
        place = Place(until=self._clock().isoformat()) if cursor is None else Place.of_cursor(cursor)
        found = await self._client.transfers(self._window(since, place.until), place.page)
        table = rows.with_project(self._tabulated(TRANSFERS, found.document, "content[]"), "instrument")
        return self._page(TRANSFERS, place, found, rows.with_account(table, self._config.account))

    @staticmethod
    def _window(since: datetime, until: str | None) -> dict[str, str]:
        return {"lastUpdatedDateFrom": since.isoformat()} | ({} if until is None else {"lastUpdatedDateTo": until})

    def _tabulated(self, feed: str, document: Json, path: str) -> pl.DataFrame:
        try:
            return tabulate(document, path, nested=True)
        except Undecodable as error:
            raise self._client.breach(str(error), feed) from error

    def _page(self, feed: str, place: Place, found: Found, table: pl.DataFrame) -> Page:
        if found.total < place.total:
            raise self._client.shrunk(feed, place.total, found.total)
        following = Place(place.page + 1, found.total, place.until) if found.more else None
        return Page(
            document=Document(found.body, "application/json", f"{feed} page={place.page}"),
            rows=table,
            next_cursor=None if following is None else following.to_cursor(),
            as_of=self._clock(),
        )

    def _whole(self, feed: str, table: pl.DataFrame, body: bytes) -> Page:
        return Page(Document(body, "application/json", feed), table, None, self._clock())


def _place(cursor: str | None) -> Place:
    return Place() if cursor is None else Place.of_cursor(cursor)


def _require(feed: str, *known: str) -> None:
    if feed not in known:
        raise CapabilityMissing(f"market {MARKET} has no such feed {feed!r}; expected {' or '.join(known)}")
