"""Harbour as a market of ours."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import polars as pl

from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Notification, Page, RetirementRules, StatedTotal
from gateway.kit.decoding import Undecodable, decode_json, members
from gateway.kit.errors import ContractBreach, OutcomeUnknown, WebhookRefused
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.commands import (
    Acceptance,
    CashOrder,
    CommandState,
    CommandStatus,
    EntryStatus,
    Order,
    Publication,
    PublicationStatus,
    Retirement,
    Transfer,
)
from tests.conformance.market.client import MARKET, HarbourClient, OrderState, order_state, signature
from tests.conformance.market.config import HarbourConfig

WEBHOOK_TOLERANCE: Final = timedelta(minutes=5)
STATES: Final = MappingProxyType(
    {
        "RECEIVED": CommandState.ACCEPTED,
        "WAITING": CommandState.AWAITING_ACCEPTANCE,
        "DONE": CommandState.CONFIRMED,
        "REFUSED": CommandState.REJECTED,
    }
)
"""Every state of an order that the market has."""


class HarbourAdapter:
    """Reads the market's lists, gives it orders and believes its events.

    Args:
        config: where it is and who we are.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: HarbourConfig, transport: Transport, clock: Clock) -> None:
        self._client = HarbourClient(config, transport, clock)
        self._webhook_secret = config.webhook_secret
        self._clock = clock

    def catalogue_feeds(self) -> Sequence[Feed]:
        """Projects first: blocks refer to them."""
        return [Feed("projects", mapping="projects"), Feed("blocks", mapping="blocks")]

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """What the market says that a list holds."""
        return await self._total(feed, None)

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """One page; the cursor is the market's own."""
        return await self._page(feed, None, cursor)

    def export_mappings(self) -> Sequence[str]:
        """The list of blocks can be downloaded as a file."""
        return ("blocks",)

    def holding_feeds(self) -> Sequence[Feed]:
        """Units and cash."""
        return [Feed("holdings", mapping="holdings"), Feed("balances", mapping="balances")]

    async def holdings_total(self, feed: str) -> StatedTotal:
        """What the market says that a list holds."""
        return await self._total(feed, None)

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page; the cursor is the market's own."""
        return await self._page(feed, None, cursor)

    def listing_feeds(self) -> Sequence[Feed]:
        """The order book."""
        return [Feed("listings", mapping="listings")]

    async def listings_total(self, feed: str) -> StatedTotal:
        """What the market says that a list holds."""
        return await self._total(feed, None)

    async def read_listings(self, feed: str, cursor: str | None) -> Page:
        """One page; the cursor is the market's own."""
        return await self._page(feed, None, cursor)

    def movement_feeds(self) -> Sequence[Feed]:
        """Units and cash."""
        return [Feed("movements", mapping="movements"), Feed("bookings", mapping="bookings")]

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """What the market says that a list holds since then."""
        return await self._total(feed, since)

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page; the cursor is the market's own."""
        return await self._page(feed, since, cursor)

    def trade_feeds(self) -> Sequence[Feed]:
        """Our trades."""
        return [Feed("trades", mapping="trades")]

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """What the market says that a list holds since then."""
        return await self._total(feed, since)

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page; the cursor is the market's own."""
        return await self._page(feed, since, cursor)

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Whole holdings leave our account, or are earmarked."""
        told = {"kind": order.kind.value, "to": order.counter_account, "holdings": _holdings(order)}
        return self._status(order, await self._sent("transfer", order, told))

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """By our reference."""
        return await self._asked(order)

    async def accept(self, order: Acceptance) -> CommandStatus:
        """Answers a transfer to us."""
        told = {"transfer": order.transfer, "accept": order.accept}
        return self._status(order, await self._sent("acceptance", order, told))

    async def acceptance_status(self, order: Acceptance) -> CommandStatus:
        """By our reference."""
        return await self._asked(order)

    def retirement_rules(self) -> RetirementRules:
        """Only a name."""
        return RetirementRules(beneficiary_limit=100, purposes=("voluntary",), attributes={})

    async def retire(self, order: Retirement) -> CommandStatus:
        """Whole holdings are retired."""
        told = {"beneficiary": order.beneficiary, "holdings": _holdings(order)}
        return self._status(order, await self._sent("retirement", order, told))

    async def retirement_status(self, order: Retirement) -> CommandStatus:
        """By our reference."""
        return await self._asked(order)

    async def certificate(self, order: Retirement) -> Document:
        """A text."""
        body = await self._client.certificate(order.command_id)
        return Document(body, "text/plain", f"certificate {order.command_id}")

    async def move_cash(self, order: CashOrder) -> CommandStatus:
        """Pays in and out."""
        told = {"kind": order.kind.value, "amount": str(order.amount), "currency": order.currency.value}
        return self._status(order, await self._sent("cash", order, told))

    async def cash_status(self, order: CashOrder) -> CommandStatus:
        """By our reference."""
        return await self._asked(order)

    async def publish(self, order: Publication) -> PublicationStatus:
        """Each offer is answered for itself."""
        told = [
            {"offer": one.offer_id, "revision": str(one.revision), "action": one.action.value, "units": one.quantity}
            for one in order.offers
        ]
        found = await self._sent("offers", order, {"offers": told})
        return PublicationStatus(status=self._status(order, found), entries=_entries(order, found))

    async def publication_status(self, order: Publication) -> PublicationStatus:
        """By our reference."""
        found = await self._client.order_state(order.command_id)
        status = await self._asked(order) if found is None else self._read_status(order, found)
        return PublicationStatus(status=status, entries=() if found is None else _entries(order, found))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """An event of a trade. Raises WebhookRefused when the signature is not the market's, or not of now."""
        told = {name.lower(): value for name, value in headers.items()}
        event, sent = told.get("harbour-event", ""), told.get("harbour-time", "")
        expected = signature(self._webhook_secret, event, sent, body)
        if not hmac.compare_digest(expected.encode(), told.get("harbour-signature", "").encode()):
            raise WebhookRefused("the signature is not the market's")
        if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
            raise WebhookRefused("its time is none")
        sent_at = datetime.fromtimestamp(int(sent), UTC)
        if abs(self._clock() - sent_at) > WEBHOOK_TOLERANCE:
            raise WebhookRefused("it is not of now")
        try:
            document = decode_json(body)
            kind = str(members(document, "the event").get("kind"))
            rows = tabulate(document, "rows[]")
        except Undecodable as error:
            raise WebhookRefused(str(error)) from error
        feed = Feed("trades", mapping="trades") if kind == "trade" else None
        origin = f"event {event}"
        rows = pl.DataFrame() if feed is None else rows
        return Notification(event, kind, sent_at, Document(body, "application/json", origin), feed, rows)

    async def _total(self, feed: str, since: datetime | None) -> StatedTotal:
        found = await self._client.listed(feed, since, None)
        return StatedTotal(found.total_rows, found.total_units)

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        found = await self._client.listed(feed, since, cursor)
        document = Document(found.body, "application/json", f"GET lists/{feed} after {cursor}")
        return Page(document, found.rows, found.following, self._clock())

    async def _sent(self, kind: str, order: Order, told: Mapping[str, object]) -> OrderState:
        """Sends an order; an answer that cannot be read leaves its outcome unknown."""
        answer = await self._client.order(kind, {"reference": order.command_id, "account": order.account, **told})
        try:
            return _known(order_state(answer), order)
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=f"order {kind}") from error

    async def _asked(self, order: Order) -> CommandStatus:
        found = await self._client.order_state(order.command_id)
        if found is None:
            return CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
        return self._read_status(order, found)

    def _read_status(self, order: Order, found: OrderState) -> CommandStatus:
        if found.state not in STATES:
            expected = ", ".join(STATES)
            raise ContractBreach(
                f"found the state {found.state!r}, expected {expected}", market=MARKET, operation="order"
            )
        return self._status(order, found)

    def _status(self, order: Order, found: OrderState) -> CommandStatus:
        return CommandStatus(
            command_id=order.command_id,
            state=STATES[found.state],
            native_state=found.state,
            reference=found.number,
            code=found.code,
            as_of=self._clock(),
        )


def _known(found: OrderState, order: Order) -> OrderState:
    """The state of our order; raises Undecodable for another order's, or a state that the market has not."""
    if found.reference != order.command_id or found.state not in STATES:
        raise Undecodable(f"order {found.reference!r} in state {found.state!r}, expected ours in a known state")
    return found


def _holdings(order: Transfer | Retirement) -> list[dict[str, object]]:
    return [{"id": lot.holding, "units": lot.quantity} for lot in order.lots]


def _entries(order: Publication, found: OrderState) -> tuple[EntryStatus, ...]:
    codes = {str(one.get("offer")): one.get("code") for one in found.entries}
    return tuple(
        EntryStatus(
            offer_id=one.offer_id,
            revision=one.revision,
            accepted=one.offer_id in codes and codes[one.offer_id] is None,
            code=None if codes.get(one.offer_id) is None else str(codes[one.offer_id]),
        )
        for one in order.offers
    )
