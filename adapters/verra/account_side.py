"""Our omnibus account (綜合賬戶) at the registry: what it holds, what moved, transfers and retirements.

Simulated: the shape of the account API is ours (``accounts_client``). The registry takes a reference of ours once and
can be asked by it, so doubt is resolved by asking: an empty answer means that the registry never got the command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import polars as pl
from pydantic import ValidationError

from adapters.verra.accounts_client import AccountsClient, segment
from adapters.verra.config import BENEFICIARY_LIMIT, VerraConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, Feed, Page, RetirementRules, StatedTotal
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.kit.errors import ContractBreach, OutcomeUnknown, Unavailable
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.commands import (
    Acceptance,
    CommandState,
    CommandStatus,
    Lot,
    Order,
    Retirement,
    Transfer,
    TransferKind,
)
from gateway.model.errors import CapabilityMissing, ConfigurationError

MARKET: Final = "verra"
HOLDINGS: Final = "account-holdings"
MOVEMENTS: Final = "account-movements"
CERTIFICATE_TYPES: Final = ("text/plain", "application/pdf")

STATES: Final = MappingProxyType(
    {
        "Initiated": CommandState.AWAITING_ACCEPTANCE,
        "Processing": CommandState.ACCEPTED,
        "Completed": CommandState.CONFIRMED,
        "Declined": CommandState.REJECTED,
        "Expired": CommandState.REJECTED,
        "Failed": CommandState.REJECTED,
    }
)
"""What the registry's words for the state of an operation mean."""


class AccountSide:
    """The account's capabilities.

    Args:
        config: where the account is.
        transport: the line to it.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: VerraConfig, transport: Transport, clock: Clock) -> None:
        self._accounts = AccountsClient(MARKET, config, transport, clock)
        self._page_size = config.page_size
        self._account = config.account
        self._clock = clock

    def holding_feeds(self) -> Sequence[Feed]:
        """What our account holds, one row a block; nothing where the settings name no account."""
        return [Feed(HOLDINGS, mapping=HOLDINGS)] if self._account else []

    async def holdings_total(self, feed: str) -> StatedTotal:
        """Blocks and units as the registry states them."""
        self._require_feed(feed, HOLDINGS)
        return await self._total("holdings", {})

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page of our blocks, in the order of their ids."""
        self._require_feed(feed, HOLDINGS)
        return await self._account_page("holdings", HOLDINGS, {}, cursor)

    def movement_feeds(self) -> Sequence[Feed]:
        """What moved on our account, one row a block and operation; nothing where the settings name no account."""
        return [Feed(MOVEMENTS, mapping=MOVEMENTS)] if self._account else []

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """Rows and units as the registry states them."""
        self._require_feed(feed, MOVEMENTS)
        return await self._total("movements", {"since": since.isoformat()})

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page of movements, oldest change first; one whose status changes meanwhile comes again at the end.

        The native key of a transfer's row is the registry's number of the transfer, a slash and a line number.
        """
        self._require_feed(feed, MOVEMENTS)
        return await self._account_page("movements", MOVEMENTS, {"since": since.isoformat()}, cursor)

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Begins a transfer to the account numbered ``counter_account``, which has to accept it.

        A lot with a serial means its first ``quantity`` units, one without the holding's lowest. Raises
        ConfigurationError for an earmark or a release: a registry knows neither, and would move the units away.
        """
        if order.kind is not TransferKind.TRANSFER:
            raise ConfigurationError(f"market {MARKET}: found the order of an {order.kind}, expected a transfer")
        body = {
            "reference": order.command_id,
            "counterAccountNumber": order.counter_account,
            "blocks": [_block(lot) for lot in order.lots],
        }
        return await self._send(order, "transfers", body, f"transfer {order.command_id}")

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """What became of a transfer, by our reference."""
        return await self._status(order, "transfers")

    async def accept(self, order: Acceptance) -> CommandStatus:
        """Accepts or rejects a transfer to us. ``transfer`` is its number, or the native key of one of its rows."""
        number = order.transfer.partition("/")[0]
        body = {"reference": order.command_id, "decision": _decision(order)}
        return await self._send(order, f"transfers/{segment(number)}/decision", body, f"accept {order.command_id}")

    async def acceptance_status(self, order: Acceptance) -> CommandStatus:
        """What became of our answer, by our reference; an acceptance is confirmed once the units are ours."""
        return await self._status(order, "decisions")

    def retirement_rules(self) -> RetirementRules:
        """Voluntary retirements alone; the registry's reason may be said, and is one of its own list."""
        return RetirementRules(BENEFICIARY_LIMIT, ("voluntary",), {"retirementReason": False})

    async def retire(self, order: Retirement) -> CommandStatus:
        """Retires units; lots are read as a transfer's are. Nothing undoes it.

        Raises ConfigurationError for an attribute that the registry does not know.
        """
        unknown = order.attributes.keys() - self.retirement_rules().attributes.keys()
        if unknown:
            raise ConfigurationError(
                f"market {MARKET}: found the attributes {', '.join(sorted(unknown))}; expected retirementReason alone"
            )
        body = {
            "reference": order.command_id,
            "purpose": order.purpose.upper(),
            "beneficiary": order.beneficiary,
            "remarks": order.remarks,
            "retirementReason": order.attributes.get("retirementReason"),
            "blocks": [_block(lot) for lot in order.lots],
        }
        return await self._send(order, "retirements", body, f"retire {order.command_id}")

    async def retirement_status(self, order: Retirement) -> CommandStatus:
        """What became of a retirement, by our reference."""
        return await self._status(order, "retirements")

    async def certificate(self, order: Retirement) -> Document:
        """The registry's certificate. Raises Unavailable while the retirement is under way, ContractBreach for none."""
        status = await self.retirement_status(order)
        operation = f"certificate {order.command_id}"
        if status.state is CommandState.ACCEPTED:
            raise Unavailable(f"the retirement is {status.native_state}", market=MARKET, operation=operation)
        if status.state is not CommandState.CONFIRMED or status.reference is None:
            raise _breach(f"found the retirement {status.native_state}, expected a completed one", operation)
        path = f"retirements/{segment(status.reference)}/certificate"
        found = await self._accounts.document(path, operation)
        media_type = found.headers.get("content-type", "").partition(";")[0].strip()
        if media_type not in CERTIFICATE_TYPES or not found.body:
            said = f"found {len(found.body)} bytes of {media_type or 'no type'}"
            raise _breach(f"{said}, expected {' or '.join(CERTIFICATE_TYPES)}", operation)
        return Document(found.body, media_type, f"GET {path}")

    async def _total(self, name: str, question: Mapping[str, str]) -> StatedTotal:
        operation = f"total of {name}"
        document, _ = await self._accounts.ask(name, {**question, "limit": "1"}, operation)
        try:
            said = members(document, "the list")
            rows = whole_number(said.get("totalRows"), "totalRows")
            return StatedTotal(rows, whole_number(said.get("totalQuantity"), "totalQuantity"))
        except Undecodable as error:
            raise _breach(str(error), operation) from error

    async def _account_page(self, name: str, feed: str, question: Mapping[str, str], cursor: str | None) -> Page:
        after = _after(cursor, feed)
        operation = f"{name} after={after}"
        asked = {**question, "limit": str(self._page_size), "after": str(after)}
        document, body = await self._accounts.ask(name, asked, operation)
        try:
            rows = tabulate(document, f"{name}[]")
            following = _following(members(document, "the list"), after)
            self._require_page(rows, following)
        except Undecodable as error:
            raise _breach(str(error), operation) from error
        return Page(
            document=Document(body, "application/json", f"GET {operation}"),
            rows=rows,
            next_cursor=None if following is None else f"{feed}:{following}",
            as_of=self._clock(),
        )

    def _require_page(self, rows: pl.DataFrame, following: int | None) -> None:
        if rows.height > self._page_size or (rows.is_empty() and following is not None):
            raise Undecodable(f"found {rows.height} rows and nextAfter {following}, asked for {self._page_size}")
        # A row without the column is the mapping's to refuse.
        accounts = set(rows.get_column("accountNumber")) if "accountNumber" in rows.columns else set()
        if accounts - {self._account, None}:
            raise Undecodable(f"found rows of another account than {self._account}")

    async def _send(self, order: Order, path: str, body: Mapping[str, object], operation: str) -> CommandStatus:
        self._require_account(order)
        document = await self._accounts.tell(path, body, operation)
        try:
            return self._read(order, members(document, "the operation"))
        except (Undecodable, ValidationError) as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=operation) from error

    async def _status(self, order: Order, name: str) -> CommandStatus:
        self._require_account(order)
        operation = f"status of {order.command_id}"
        document, _ = await self._accounts.ask(name, {"reference": order.command_id}, operation)
        try:
            found = elements(members(document, "the answer").get(name), name)
            said = [self._read(order, members(one, "the operation")) for one in found[:2]]
        except (Undecodable, ValidationError) as error:
            raise _breach(str(error), operation) from error
        if len(said) > 1:
            raise _breach(f"found {len(found)} {name} of one reference", operation)
        never = CommandStatus(command_id=order.command_id, state=CommandState.NOT_FOUND, as_of=self._clock())
        return said[0] if said else never

    def _require_feed(self, found: str, expected: str) -> None:
        if found != expected or not self._account:
            has = expected if self._account else "none, as the settings name no account"
            raise CapabilityMissing(f"market {MARKET} has no feed {found!r} here; it has {has}")

    def _require_account(self, order: Order) -> None:
        if order.account != self._account:
            raise ConfigurationError(
                f"market {MARKET}: found an order for the account {order.account}; the settings lead to "
                f"{self._account or 'none'}"
            )

    def _read(self, order: Order, said: Mapping[str, Json]) -> CommandStatus:
        """Raises Undecodable or ValidationError when this is no operation of our reference in a known state."""
        if said.get("reference") != order.command_id:
            raise Undecodable(f"found the reference {said.get('reference')!r}, expected {order.command_id!r}")
        for name, ours in _echoed(order).items():
            if said.get(name) != ours:
                raise Undecodable(f"found {said.get(name)!r:.80} under {name}, expected {ours!r:.80}")
        native = _text(said, "state")
        state = STATES.get(native)
        if state is None:
            raise Undecodable(f"found the state {native!r}, expected one of {', '.join(STATES)}")
        moved = state is CommandState.CONFIRMED and said.get("decision") != "REJECT"
        rejected = state is CommandState.REJECTED
        lots = tuple(_lot(one) for one in elements(said.get("blocks"), "blocks")) if moved else ()
        _require_units(order, lots)
        return CommandStatus(
            command_id=order.command_id,
            state=state,
            native_state=native,
            reference=_text(said, "operationId"),
            code=_text(said, "reasonCode") if rejected else None,
            message=_text(said, "reasonMessage") if rejected else None,
            lots=lots,
            as_of=self._clock(),
        )


def _echoed(order: Order) -> dict[str, Json]:
    """What the registry repeats of an order; an operation that differs in it is another one."""
    said: dict[str, Json] = {"accountNumber": order.account}
    if isinstance(order, Transfer):
        return said | {"counterAccountNumber": order.counter_account}
    if isinstance(order, Retirement):
        return said | {"beneficiary": order.beneficiary}
    if isinstance(order, Acceptance):
        return said | {"decision": _decision(order)}
    return said


def _decision(order: Acceptance) -> str:
    return "ACCEPT" if order.accept else "REJECT"


def _require_units(order: Order, moved: tuple[Lot, ...]) -> None:
    """Other units may have moved than were named, but not more or fewer of them."""
    if moved and isinstance(order, Transfer | Retirement):
        found, ordered = (sum(lot.quantity for lot in lots) for lots in (moved, order.lots))
        if found != ordered:
            raise Undecodable(f"found {found} units that moved, expected {ordered}")


def _block(lot: Lot) -> dict[str, object]:
    return {"holdingId": lot.holding, "serialNumber": lot.serial, "quantity": lot.quantity}


def _lot(value: Json) -> Lot:
    block = members(value, "a block")
    quantity = whole_number(block.get("quantity"), "quantity")
    return Lot(holding=_text(block, "holdingId"), serial=_text(block, "serialNumber"), quantity=quantity)


def _text(said: Mapping[str, Json], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Undecodable(f"found {value!r} under {name}, expected a text")
    return value


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


def _breach(message: str, operation: str) -> ContractBreach:
    return ContractBreach(message, market=MARKET, operation=operation)
