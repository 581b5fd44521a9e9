"""Climate Impact X as a market of ours: contracts and listings, our units there, our trades, deposits, withdrawals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import polars as pl

from adapters.cix.client import ROWS, CixClient, Found, Outcome, text_of
from adapters.cix.config import CixConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Notification, Page, StatedTotal
from gateway.kit.decoding import Undecodable, decode_json, members
from gateway.kit.errors import ContractBreach, OutcomeUnknown, WebhookRefused
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.signature import WebhookKey, verify
from gateway.kit.transport import Transport
from gateway.model.commands import Acceptance, CommandState, CommandStatus, Lot, Order, Transfer, TransferKind
from gateway.model.errors import CapabilityMissing

MARKET: Final = "cix"
JSON: Final = "application/json"

LISTINGS: Final = MappingProxyType({"exchange": "exchange/levels", "marketplace": "marketplace/listings"})
HOLDINGS: Final = MappingProxyType({"positions": "positions"})
MOVEMENTS: Final = MappingProxyType({"movements": "movements"})
TRADES: Final = MappingProxyType({"trades": "trades", "ctns": "ctns"})
"""Our feeds, and the venue's word for each."""

CTN_EVENTS: Final = "ctn."
"""The events that carry a Clear Transaction Notification as the feed ``ctns`` shows it."""

DIRECTIONS: Final = MappingProxyType({TransferKind.EARMARK: "DEPOSIT", TransferKind.RELEASE: "WITHDRAWAL"})

STATES: Final = MappingProxyType(
    {
        "RECEIVED": CommandState.ACCEPTED,
        "PROCESSING": CommandState.ACCEPTED,
        "COMPLETED": CommandState.CONFIRMED,
        "REJECTED": CommandState.REJECTED,
    }
)
"""The venue's words for how far a command has come."""


class CixAdapter:
    """Reads what the venue lists and what we have there, and moves units in and out of its keeping.

    Args:
        config: where it is and who we are there.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: CixConfig, transport: Transport, clock: Clock) -> None:
        self._client = CixClient(MARKET, config, transport)
        self._page_size = config.page_size
        self._clock = clock
        secrets = [one for one in (config.webhook_key, config.former_webhook_key) if one is not None]
        self._keys = tuple(WebhookKey.parse(one.get_secret_value()) for one in secrets)

    def listing_feeds(self) -> Sequence[Feed]:
        """The exchange's contracts with their best levels, and the single-project listings of the marketplace."""
        return _feeds(LISTINGS)

    async def listings_total(self, feed: str) -> StatedTotal:
        """Rows and credits as the venue sums them. A suspended member is denied both feeds."""
        return await self._total(_path(LISTINGS, feed))

    async def read_listings(self, feed: str, cursor: str | None) -> Page:
        """One page; a contract has a row for each side, also where nobody bids or offers."""
        return await self._page(_path(LISTINGS, feed), cursor)

    def holding_feeds(self) -> Sequence[Feed]:
        """The units deposited with the venue for us, by project and vintage."""
        return _feeds(HOLDINGS)

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Positions and units as the venue sums them."""
        return await self._total(self._client.own(_path(HOLDINGS, feed)))

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page of positions."""
        return await self._page(self._client.own(_path(HOLDINGS, feed)), cursor)

    def movement_feeds(self) -> Sequence[Feed]:
        """Deposits, withdrawals and deliveries of our account."""
        return _feeds(MOVEMENTS)

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """Rows and units of what changed since then."""
        return await self._total(self._client.own(_path(MOVEMENTS, feed)), since)

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page, by the instant of the last change: a movement that becomes final comes again."""
        return await self._page(self._client.own(_path(MOVEMENTS, feed)), cursor, since)

    def trade_feeds(self) -> Sequence[Feed]:
        """Our trades on the exchange and the marketplace, and our Clear Transaction Notifications."""
        return _feeds(TRADES)

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """Rows and units of what changed since then."""
        return await self._total(self._client.own(_path(TRADES, feed)), since)

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page, by the instant of the last change."""
        return await self._page(self._client.own(_path(TRADES, feed)), cursor, since)

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Deposits units (``EARMARK``) or withdraws them (``RELEASE``); ``counter_account`` is the registry account.

        Raises CapabilityMissing for a transfer between accounts, which the venue does not do.
        """
        direction = DIRECTIONS.get(order.kind)
        if direction is None:
            raise CapabilityMissing(f"market {MARKET} has no {order.kind.value}; it has {', '.join(DIRECTIONS)}")
        body = {
            "clientOrderId": order.command_id,
            "accountId": order.account,
            "direction": direction,
            "registryAccount": order.counter_account,
            "valueDate": order.business_date.isoformat() if order.business_date else None,
            "lots": [
                {"holding": lot.holding, "serial": lot.serial, "quantity": str(lot.quantity)} for lot in order.lots
            ],
        }
        outcome = await self._client.command(self._client.own("transfers"), body, operation="transfer")
        return self._sent(outcome, "transfer")

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """What became of it; ``NOT_FOUND`` is the venue's word that it never had that id."""
        return await self._status(order, "transfers")

    async def accept(self, order: Acceptance) -> CommandStatus:
        """Accepts or rejects a Clear Transaction Notification that another member sent."""
        body = {
            "clientOrderId": order.command_id,
            "accountId": order.account,
            "ctnId": order.transfer,
            "decision": "ACCEPT" if order.accept else "REJECT",
        }
        outcome = await self._client.command(self._client.own("ctn-answers"), body, operation="accept")
        return self._sent(outcome, "accept")

    async def acceptance_status(self, order: Acceptance) -> CommandStatus:
        """What became of our answer; an acceptance is confirmed once the venue has confirmed the notification."""
        return await self._status(order, "ctn-answers")

    async def notices(self, cursor: str | None) -> Page:
        """The venue's market notices, oldest first: which projects each contract took, and from when.

        Not a feed: the listings say what is deliverable now. It is for whoever keeps dated lists of what was.
        """
        return await self._page("notices", cursor)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Reads a webhook of the venue (Standard Webhooks 1.0.0).

        An event of a Clear Transaction Notification has its row; any other says only that something changed.
        """
        signed = verify(headers, body, self._keys, self._clock())
        try:
            event = members(decode_json(body), "the event")
            kind = text_of(event, "type")
            feed, rows = None, pl.DataFrame()
            if kind.startswith(CTN_EVENTS):
                feed = Feed("ctns", mapping="ctns")
                rows = tabulate({"items": [event.get("data")]}, ROWS, nested=True)
        except Undecodable as error:
            raise WebhookRefused(f"a signed body that cannot be read: {error}") from error
        document = Document(body, JSON, f"webhook {kind} {signed.event_id}")
        return Notification(signed.event_id, kind, signed.sent_at, document, feed, rows)

    async def _total(self, path: str, since: datetime | None = None) -> StatedTotal:
        found = await self._client.page(path, limit=1, since=_instant(since))
        return StatedTotal(found.total, found.total_quantity)

    async def _page(self, path: str, cursor: str | None, since: datetime | None = None) -> Page:
        found: Found = await self._client.page(path, limit=self._page_size, cursor=cursor, since=_instant(since))
        return Page(Document(found.body, JSON, found.origin), found.rows, found.next_cursor, self._clock())

    async def _status(self, order: Order, collection: str) -> CommandStatus:
        outcome = await self._client.by_client_order_id(self._client.own(collection), order.command_id)
        if outcome is None:
            return CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
        if outcome.state not in STATES:
            raise ContractBreach(_unknown(outcome), market=MARKET, operation=f"status {collection}")
        return self._told(outcome)

    def _sent(self, outcome: Outcome, operation: str) -> CommandStatus:
        if outcome.state not in STATES:
            raise OutcomeUnknown(_unknown(outcome), market=MARKET, operation=operation, code=outcome.state)
        return self._told(outcome)

    def _told(self, outcome: Outcome) -> CommandStatus:
        state = STATES[outcome.state]
        # The venue names the lots of a refused command as they were asked for; none of them moved.
        moved = () if state is CommandState.REJECTED else outcome.lots
        return CommandStatus(
            command_id=outcome.client_order_id,
            state=state,
            native_state=outcome.state,
            reference=outcome.reference,
            code=outcome.code,
            message=outcome.message,
            lots=tuple(Lot(holding=holding, serial=serial, quantity=quantity) for holding, serial, quantity in moved),
            as_of=self._clock(),
        )


def _feeds(known: Mapping[str, str]) -> Sequence[Feed]:
    return [Feed(name, mapping=name) for name in known]


def _path(known: Mapping[str, str], feed: str) -> str:
    path = known.get(feed)
    if path is None:
        raise CapabilityMissing(f"market {MARKET} has no feed {feed!r} there; it has {', '.join(known)}")
    return path


def _instant(since: datetime | None) -> str | None:
    return None if since is None else since.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _unknown(outcome: Outcome) -> str:
    return f"found the order state {outcome.state!r}, expected one of {', '.join(STATES)}"
