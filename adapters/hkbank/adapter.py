"""The settlement bank as a market of ours: balances, statement, cash orders.

The bank is invented, and its API with it. It knows our idempotency keys (a command's id is the key) and can be asked by
reference; a refusal is kept there too, so that a lost one is found again. A command that the bank does not know never
came to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from adapters.hkbank.client import HkBankClient, decimal
from adapters.hkbank.config import HkBankConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, StatedTotal
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.kit.errors import ContractBreach, OutcomeUnknown
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.commands import RATE_SCALE, CashOrder, CashOrderKind, CommandState, CommandStatus
from gateway.model.errors import CapabilityMissing, ConfigurationError
from gateway.model.money import MINOR_DIGITS, Currency

MARKET: Final = "hkbank"
BALANCES: Final = "balances"
STATEMENT: Final = "statement"
MILLISECOND: Final = timedelta(milliseconds=1)

STATES: Final = MappingProxyType(
    {
        "EXPECTED": CommandState.ACCEPTED,
        "QUEUED": CommandState.ACCEPTED,
        "PROCESSING": CommandState.ACCEPTED,
        "CREDITED": CommandState.CONFIRMED,
        "PAID": CommandState.CONFIRMED,
        "HELD": CommandState.CONFIRMED,
        "COMMITTED": CommandState.CONFIRMED,
        "RELEASED": CommandState.CONFIRMED,
        "CONVERTED": CommandState.CONFIRMED,
        "REMITTED": CommandState.CONFIRMED,
        "EXPIRED": CommandState.REJECTED,
        "RETURNED": CommandState.REJECTED,
        "REFUSED": CommandState.REJECTED,
    }
)
"""What the bank's words for an order mean. A hold that has expired holds nothing: whoever asks then is told no."""

ECHOED: Final = (
    "reference",
    "type",
    "account",
    "currency",
    "amount",
    "counterAccount",
    "holdReference",
    "intoCurrency",
    "rate",
)
"""What the bank repeats of an order, unchanged. An answer that differs in one of them is about another order."""


@dataclass(frozen=True, slots=True)
class QuotedRate:
    """A rate at which the bank converts now: units of ``into`` for one of ``currency``, in ``10 ** -RATE_SCALE``."""

    currency: Currency
    into: Currency
    rate: int
    source: str
    quoted_at: datetime


class HkBankAdapter:
    """Reads balances and statement entries, and moves cash.

    Args:
        config: which bank, and where.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: HkBankConfig, transport: Transport, clock: Clock) -> None:
        self._bank = HkBankClient(config, transport, clock)
        self._config = config
        self._clock = clock

    def holding_feeds(self) -> Sequence[Feed]:
        """What each account holds, one row an account and currency."""
        return [Feed(BALANCES, mapping=BALANCES)]

    async def holdings_total(self, feed: str) -> StatedTotal:
        """How many balances there are; the bank does not sum over currencies."""
        _require_feed(feed, BALANCES)
        return await self._total(BALANCES, {})

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page of balances, in the order in which they were opened."""
        _require_feed(feed, BALANCES)
        return await self._page(BALANCES, {}, cursor)

    def movement_feeds(self) -> Sequence[Feed]:
        """What was booked, one row an account and booking."""
        return [Feed(STATEMENT, mapping=STATEMENT)]

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """How many bookings there are since then."""
        _require_feed(feed, STATEMENT)
        return await self._total(STATEMENT, {"since": since.isoformat()})

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page of bookings, oldest first."""
        _require_feed(feed, STATEMENT)
        return await self._page(STATEMENT, {"since": since.isoformat()}, cursor)

    async def move_cash(self, order: CashOrder) -> CommandStatus:
        """Sends a cash order; what each kind does at the bank is in this market's README."""
        operation = f"{order.kind} {order.command_id}"
        document = await self._bank.order(order.command_id, self._body(order), operation)
        try:
            return self._status(order, members(document, "the order"))
        except (Undecodable, ValidationError) as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=operation) from error

    async def cash_status(self, order: CashOrder) -> CommandStatus:
        """What became of a cash order, by our reference."""
        operation = f"status of {order.command_id}"
        document, _ = await self._bank.ask("orders", {"reference": order.command_id}, operation)
        try:
            found = elements(members(document, "the answer").get("orders"), "orders")
            said = [self._status(order, members(one, "the order")) for one in found[:2]]
        except (Undecodable, ValidationError) as error:
            raise _breach(str(error), operation) from error
        if len(said) > 1:
            raise _breach(f"found {len(found)} orders of one reference", operation)
        never = CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
        return said[0] if said else never

    async def quoted_rate(self, currency: Currency, into: Currency) -> QuotedRate:
        """The rate that a conversion must name now. Raises ContractBreach when the bank quotes none."""
        operation = f"rate {currency}/{into}"
        document, _ = await self._bank.ask("rates", {"currency": currency, "into": into}, operation)
        try:
            said = members(document, "the rate")
            if (said.get("currency"), said.get("intoCurrency")) != (currency, into):
                raise _breach(f"found {said.get('currency')!r} into {said.get('intoCurrency')!r}", operation)
            rate = _scaled(_text(said, "rate"), RATE_SCALE)
            return QuotedRate(currency, into, rate, _text(said, "rateSource"), _instant(said, "rateTime"))
        except Undecodable as error:
            raise _breach(str(error), operation) from error

    def _body(self, order: CashOrder) -> dict[str, object]:
        remitted = order.kind is CashOrderKind.REMIT
        said = {
            "reference": order.command_id,
            "type": order.kind.upper(),
            "account": order.account,
            "currency": order.currency.value,
            "amount": decimal(order.amount, MINOR_DIGITS),
            "counterAccount": order.counter_account,
            "holdReference": order.hold,
            "expiresAt": None if order.expires_at is None else order.expires_at.isoformat(),
            "intoCurrency": None if order.into is None else order.into.value,
            "rate": None if order.rate is None else decimal(order.rate, RATE_SCALE),
            "purposeCode": self._config.purpose_code if remitted else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _status(self, order: CashOrder, said: Mapping[str, Json]) -> CommandStatus:
        """Raises Undecodable or ValidationError when this is not our order, or not in a known state."""
        for name, ours in self._body(order).items():
            if name in ECHOED and said.get(name) != ours:
                raise Undecodable(f"found {said.get(name)!r} under {name}, expected {ours!r}")
        # The bank writes milliseconds. A hold that ends at another time is not the one that was ordered.
        if order.expires_at is not None and abs(_instant(said, "expiresAt") - order.expires_at) >= MILLISECOND:
            raise Undecodable(f"found {said.get('expiresAt')!r} under expiresAt, expected {order.expires_at}")
        native = _text(said, "status")
        state = STATES.get(native)
        if state is None:
            raise Undecodable(f"found the status {native!r}, expected one of {', '.join(STATES)}")
        rejected = state is CommandState.REJECTED
        return CommandStatus(
            command_id=order.command_id,
            state=state,
            native_state=native,
            reference=_text(said, "orderId"),
            code=_text(said, "code") if rejected else None,
            message=_text(said, "message") if rejected else _told(said),
            as_of=self._clock(),
        )

    async def _total(self, feed: str, question: Mapping[str, str]) -> StatedTotal:
        operation = f"total of {feed}"
        document, _ = await self._bank.ask(feed, {**question, "limit": "1"}, operation)
        try:
            return StatedTotal(whole_number(members(document, "the list").get("totalRows"), "totalRows"), None)
        except Undecodable as error:
            raise _breach(str(error), operation) from error

    async def _page(self, feed: str, question: Mapping[str, str], cursor: str | None) -> Page:
        after = _after(cursor, feed)
        operation, limit = f"{feed} after={after}", self._config.page_size
        asked = {**question, "limit": str(limit), "after": str(after)}
        document, body = await self._bank.ask(feed, asked, operation)
        try:
            rows = tabulate(document, f"{feed}[]")
            following = _following(members(document, "the list"), after)
        except Undecodable as error:
            raise _breach(str(error), operation) from error
        if rows.height > limit or (rows.is_empty() and following is not None):
            raise _breach(f"found {rows.height} rows and nextAfter {following}, asked for {limit}", operation)
        return Page(
            document=Document(body, "application/json", f"GET {self._config.profile} {operation}"),
            rows=rows,
            next_cursor=None if following is None else f"{feed}:{following}",
            as_of=self._clock(),
        )


def _told(said: Mapping[str, Json]) -> str | None:
    """What the bank adds to an order that it carries out: its value date, and of a conversion rate, source and time."""
    if said.get("rateTime") is not None:
        rate, amount = _text(said, "rate"), f"{_text(said, 'intoCurrency')} {_text(said, 'intoAmount')}"
        return f"into {amount} at {rate}, {_text(said, 'rateSource')}, {_text(said, 'rateTime')}"
    return None if said.get("valueDate") is None else f"value {_text(said, 'valueDate')}"


def _text(said: Mapping[str, Json], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Undecodable(f"found {value!r} under {name}, expected a text")
    return value


def _instant(said: Mapping[str, Json], name: str) -> datetime:
    """An instant with its offset, in UTC."""
    text = _text(said, name)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Undecodable(f"found {text[:40]!r} under {name}, expected an instant") from None
    if read.utcoffset() is None:
        raise Undecodable(f"found {text[:40]!r} under {name}, expected an instant with its offset")
    return read.astimezone(UTC)


def _scaled(text: str, places: int) -> int:
    """A decimal text with exactly so many places as a whole number of ``10 ** -places``."""
    whole, point, rest = text.partition(".")
    if not (
        point and len(rest) == places and len(whole) <= 9 and (whole + rest).isascii() and (whole + rest).isdigit()
    ):
        raise Undecodable(f"found the rate {text[:40]!r}, expected a decimal with {places} places")
    return int(whole + rest)


def _following(said: Mapping[str, Json], after: int) -> int | None:
    """The place after the page; the key must be there, or a list that breaks off would look complete."""
    if "nextAfter" not in said:
        raise Undecodable("found a list without nextAfter")
    if said["nextAfter"] is None:
        return None
    following = whole_number(said["nextAfter"], "nextAfter")
    if following <= after:
        raise Undecodable(f"found nextAfter {following} on a page after {after}")
    return following


def _after(cursor: str | None, feed: str) -> int:
    if cursor is None:
        return 0
    name, _, place = cursor.rpartition(":")
    if name != feed or not (place.isascii() and place.isdigit() and len(place) <= 18):
        raise ConfigurationError(
            f"market {MARKET}: found the cursor {cursor[:80]!r}, expected one of the feed {feed}; read it from its "
            "beginning"
        )
    return int(place)


def _require_feed(found: str, expected: str) -> None:
    if found != expected:
        raise CapabilityMissing(f"market {MARKET} has no feed {found!r} here; it has {expected}")


def _breach(message: str, operation: str) -> ContractBreach:
    return ContractBreach(message, market=MARKET, operation=operation)
