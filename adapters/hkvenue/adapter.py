"""The home venue as a market of ours: what we offer is published there, and it reports trades and positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from adapters.hkvenue.client import (
    MARKET,
    OFFERS,
    POSITION_TOTALS,
    POSITIONS,
    PUBLICATIONS,
    PUBLISH,
    TRADES,
    HkVenueClient,
)
from adapters.hkvenue.config import HkVenueConfig, webhook_keys
from adapters.hkvenue.credentials import epoch_milliseconds
from adapters.hkvenue.envelope import only_row, text
from adapters.hkvenue.publication import message, read_publication
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Notification, Page, StatedTotal
from gateway.kit.decoding import Undecodable, decode_json, members, whole_number
from gateway.kit.errors import ContractBreach, OutcomeUnknown
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.signature import verify
from gateway.kit.transport import Transport
from gateway.model.commands import CommandState, CommandStatus, Publication, PublicationStatus
from gateway.model.errors import CapabilityMissing

OFFER_FEED: Final = Feed("offers", mapping="offers")
TRADE_FEED: Final = Feed("trades", mapping="trades")
POSITION_FEED: Final = Feed("positions", mapping="positions")

TRADE_EVENTS: Final = "trade."
"""Events whose type begins so carry trades; any other one only says that something changed."""


class HkVenueAdapter:
    """Publishes offers at the venue and reads back what it shows.

    Args:
        config: where it is and who we are.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: HkVenueConfig, transport: Transport, clock: Clock) -> None:
        self._venue = HkVenueClient(config, transport, clock)
        self._webhook_keys = webhook_keys(config.webhook_keys)
        self._clock = clock

    def listing_feeds(self) -> Sequence[Feed]:
        """Our own offers, as the venue shows them; withdrawn ones too."""
        return (OFFER_FEED,)

    async def listings_total(self, feed: str) -> StatedTotal:
        """How many offers the venue states; it sums no quantity of them."""
        _require(feed, OFFER_FEED)
        return await self._count(OFFERS, {}, "total of offers")

    async def read_listings(self, feed: str, cursor: str | None) -> Page:
        """One page of our offers, by their ids."""
        _require(feed, OFFER_FEED)
        return await self._page(OFFERS, {}, cursor, "offers")

    def trade_feeds(self) -> Sequence[Feed]:
        """The trades against our offers."""
        return (TRADE_FEED,)

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """How many trades the venue states that were made or changed since then; it sums no quantity of them."""
        _require(feed, TRADE_FEED)
        return await self._count(TRADES, _since(since), "total of trades")

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page of the trades that were made or changed since then, by their last change.

        A trade that changes while it is paged comes again, at the end.
        """
        _require(feed, TRADE_FEED)
        return await self._page(TRADES, _since(since), cursor, "trades")

    def holding_feeds(self) -> Sequence[Feed]:
        """What the participants own under our omnibus account, as the venue books it."""
        return (POSITION_FEED,)

    async def holdings_total(self, feed: str) -> StatedTotal:
        """How many positions there are and how many units, as the venue sums them."""
        _require(feed, POSITION_FEED)
        operation = "total of positions"
        answer = await self._venue.read(POSITION_TOTALS, {}, operation)
        try:
            summary = only_row(answer.envelope, "summary")
            return StatedTotal(
                rows=whole_number(summary.get("positionCount"), "positionCount"),
                quantity=whole_number(summary.get("totalQuantity"), "totalQuantity"),
            )
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page of positions, by their ids."""
        _require(feed, POSITION_FEED)
        return await self._page(POSITIONS, {}, cursor, "positions")

    async def publish(self, order: Publication) -> PublicationStatus:
        """Sends a publication under its command id.

        The venue answers at once; more than 100 offers it finishes some seconds later. Raises Rejected when it refused
        the whole, OutcomeUnknown when its answer does not say what became of it.
        """
        operation = f"publish {order.command_id}"
        envelope = await self._venue.command(PUBLISH, order.command_id, message(order), operation)
        try:
            return read_publication(only_row(envelope, "publication"), order, self._clock())
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=operation) from error

    async def publication_status(self, order: Publication) -> PublicationStatus:
        """What became of a publication, by its command id; the venue keeps every id that it took."""
        operation = f"publication_status {order.command_id}"
        answer = await self._venue.read(PUBLICATIONS, {"requestId": order.command_id}, operation)
        if answer.envelope.total == 0 and answer.envelope.rows == 0:
            never = CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
            return PublicationStatus(status=never, entries=())
        try:
            return read_publication(only_row(answer.envelope, "publication"), order, self._clock())
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Reads a webhook of the venue (Standard Webhooks 1.0.0).

        Raises WebhookRefused when it is not to be believed, ContractBreach when it is the venue's and has another shape
        than it promises.
        """
        signed = verify(headers, body, self._webhook_keys, self._clock())
        operation = f"webhook {signed.event_id}"
        try:
            document = decode_json(body)
            event_type = text(members(document, "the event"), "type")
            trades = event_type.startswith(TRADE_EVENTS)
            rows = tabulate(document, "data[]") if trades else pl.DataFrame()
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error
        return Notification(
            event_id=signed.event_id,
            event_type=event_type,
            sent_at=signed.sent_at,
            document=Document(body, "application/json", operation),
            feed=TRADE_FEED if trades else None,
            rows=rows,
        )

    async def _count(self, function: str, query: Mapping[str, str], operation: str) -> StatedTotal:
        answer = await self._venue.page(function, query, None, operation, size=1)
        return StatedTotal(answer.envelope.total, None)

    async def _page(self, function: str, query: Mapping[str, str], cursor: str | None, operation: str) -> Page:
        answer = await self._venue.page(function, query, cursor, operation)
        try:
            rows = tabulate(answer.envelope.document, "data[]")
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error
        return Page(
            document=Document(answer.body, "application/json", f"GET {function} nextCursor={cursor or 'none'}"),
            rows=rows,
            next_cursor=answer.envelope.next_cursor,
            as_of=self._clock(),
        )


def _since(since: datetime) -> dict[str, str]:
    return {"sinceTime": epoch_milliseconds(since)}


def _require(feed: str, known: Feed) -> None:
    if feed != known.name:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r} there; it has {known.name}")
