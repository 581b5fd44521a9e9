"""What is commanded at Connect, and what became of it: transfers in two phases, deposits, withdrawals, retirements.

Every command is sent once, without a dry run before it: the market validates the command itself in the same way, and
what it found a moment earlier would prove nothing. A transfer and a retirement name the instrument beside the lot; it
is taken from the note that was made before the command (``witness``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from adapters.cbl import orders
from adapters.cbl.client import TAX_LOTS, ConnectClient, encoded
from adapters.cbl.config import CblConfig
from adapters.cbl.refusals import ANSWER_TRANSFERS, CREATE_TRANSFERS, DEPOSIT, RETIRE, WITHDRAW
from adapters.cbl.states import ACCEPTING, REJECTING, state_of
from adapters.cbl.witness import (
    Verdict,
    Witness,
    bear,
    deposits_of,
    earmark_verdict,
    read_witness,
    release_verdict,
)
from gateway.kit.clock import Clock
from gateway.kit.contract import Document, RetirementRules
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members
from gateway.kit.errors import ContractBreach, NotSent, OutcomeUnknown, Unavailable
from gateway.kit.transport import Response
from gateway.model.commands import (
    Acceptance,
    CommandState,
    CommandStatus,
    Order,
    Retirement,
    Transfer,
    TransferKind,
)
from gateway.model.errors import CapabilityMissing

EASTERN: Final = ZoneInfo("America/New_York")
"""Settlement dates are days of this zone."""

RULES: Final = RetirementRules(
    beneficiary_limit=100,
    purposes=tuple(purpose.value for purpose in orders.REASONS),
    attributes={"subAccount": False},
)
"""As the stand-in's ``GET /retirements/program/VCS/rules``; the market publishes no example of its answer."""

OVERLAP: Final = timedelta(days=1)
"""How far the market's clock may be behind ours, or ours have been wrong when the note was made."""

T = TypeVar("T")


class CblCommands:
    """The commands of the CBL adapter.

    Args:
        config: which account, exchange and venue.
        client: the market in its own words.
        clock: gives the instant, in UTC.
    """

    def __init__(self, config: CblConfig, client: ConnectClient, clock: Clock) -> None:
        self._config = config
        self._client = client
        self._clock = clock

    async def witness(self, order: Transfer | Retirement) -> str:
        """What the market shows now of the order's lots: free units, and what was ever withdrawn of a deposit."""
        return (await self._witness(order)).model_dump_json()

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Deposits at the venue, withdraws from it, or begins a transfer that the other side must accept.

        Of a deposit ``counter_account`` is the market on the venue (``N-GEO``), of a transfer the counterparty's name
        in the registry. A lot is a tax lot, of a withdrawal a deposit. Raises CapabilityMissing for a transfer of lots
        of several programmes.
        """
        account, exchange = self._config.account, self._config.exchange
        operation = order.kind.value
        match order.kind:
            case TransferKind.EARMARK:
                venue = self._config.execution_venue
                path = f"/exchanges/{exchange}/execution-venues/{venue}/accounts/{account}/action/deposit"
                answer = await self._client.command(path, encoded(orders.deposit_body(order)), operation, DEPOSIT)
                return self._answered(order, operation, answer, lambda told: orders.deposited(order, told))
            case TransferKind.RELEASE:
                path = f"/exchanges/{exchange}/accounts/{account}/action/withdraw"
                answer = await self._client.command(path, encoded(orders.withdrawal_body(order)), operation, WITHDRAW)
                return self._answered(order, operation, answer, lambda told: orders.withdrawn(order, told))
            case TransferKind.TRANSFER:
                noted = await self._noted(order, operation)
                path = f"/transfers/account/{account}/program/{self._program(order, noted)}/action/create"
                day = order.business_date or self._clock().astimezone(EASTERN).date()
                body = encoded(orders.transfers_body(order, noted, day))
                answer = await self._client.command(path, body, operation, CREATE_TRANSFERS)
                return self._answered(order, operation, answer, orders.transferred)

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """What became of a transfer: by our id, or of a deposit and a withdrawal by the figures (``witness``)."""
        noted, operation = read_witness(order.witness), f"{order.kind.value} status"
        if order.kind is TransferKind.TRANSFER:
            since = {} if noted is None else {"lastUpdatedDateFrom": (noted.at - OVERLAP).isoformat()}
            found = await self._client.all_transfers({"type": "OUTGOING"} | since)
            return self._resolved(order, operation, lambda: orders.transfer_verdict(order, noted, found, self._clock()))
        if noted is None:
            return self._status(order, Verdict(CommandState.UNDECIDED))
        # The deposits first: one that is placed between both answers has left its mark in the second, and is undecided.
        document, _ = await self._client.deposits()
        report = await self._client.tax_lot_report()
        if order.kind is TransferKind.RELEASE:
            return self._resolved(
                order,
                operation,
                lambda: release_verdict(order.lots, noted, deposits_of(document), report, self._clock()),
            )
        return self._resolved(
            order, operation, lambda: earmark_verdict(order, noted, deposits_of(document), report, self._clock())
        )

    async def accept(self, order: Acceptance) -> CommandStatus:
        """Accepts an incoming transfer at the price that it names, or rejects it."""
        operation = "accept" if order.accept else "reject"
        program, price = await self._before(operation, self._terms(order.transfer))
        path = f"/transfers/account/{self._config.account}/program/{quote(program, safe='')}/action/{operation}"
        body = orders.answer_body(order.transfer, price if order.accept else None)
        answer = await self._client.command(path, body, operation, ANSWER_TRANSFERS)
        if answer.body.strip():
            message = f"found {len(answer.body)} bytes, expected an empty answer"
            raise OutcomeUnknown(message, market=self._client.market, operation=operation)
        state = CommandState.ACCEPTED if order.accept else CommandState.CONFIRMED
        return self._status(order, Verdict(state, orders.TAKEN, order.transfer))

    async def acceptance_status(self, order: Acceptance) -> CommandStatus:
        """What became of our answer. A transfer that still waits has had none, and a second answer does no harm."""
        found = await self._find_transfer(order.transfer)
        if found is None:
            return self._status(order, Verdict(CommandState.NOT_FOUND))
        words, word = (ACCEPTING if order.accept else REJECTING), found.get("status")

        def verdict() -> Verdict:
            state = state_of(words, word, "the state of a transfer")
            return Verdict(state, None if state is CommandState.NOT_FOUND else str(word), order.transfer)

        return self._resolved(order, "acceptance status", verdict)

    def retirement_rules(self) -> RetirementRules:
        """What the market asks of a retirement, besides beneficiary and reason."""
        return RULES

    async def retire(self, order: Retirement) -> CommandStatus:
        """Retires tax lots, or what is on deposit: then the market takes units of the same instrument there.

        Raises CapabilityMissing for lots of both kinds, or of several programmes.
        """
        noted = await self._noted(order, "retire")
        seen = [noted.lots.get(lot.holding) for lot in order.lots]
        kinds = {one is not None and one.withdrawn is not None for one in seen}
        if len(kinds) > 1:
            raise CapabilityMissing(f"market {self._client.market} retires tax lots or deposits, not both in one order")
        deposited = kinds.pop()
        account, program = self._config.account, self._program(order, noted)
        path = f"/retirements/account/{account}/program/{program}/action/create"
        if deposited:
            path = f"/exchanges/{self._config.exchange}/account/{account}/program/{program}/action/withdraw-and-retire"
        body = encoded(orders.retirement_body(order, noted, deposited=deposited))
        answer = await self._client.command(path, body, "retire", RETIRE)
        return self._answered(order, "retire", answer, lambda told: orders.retired(order, told))

    async def retirement_status(self, order: Retirement) -> CommandStatus:
        """What became of a retirement, by our id."""
        noted = read_witness(order.witness)
        found, _ = await self._client.retirements({"externalIdentifier": order.command_id}, include=TAX_LOTS)
        return self._resolved(
            order,
            "retirement status",
            lambda: orders.retirement_verdict(order, noted, found, self._clock()),
        )

    async def certificate(self, order: Retirement) -> Document:
        """The market's proof of a retirement. Raises Unavailable before it is confirmed."""
        status = await self.retirement_status(order)
        if status.state is not CommandState.CONFIRMED or status.reference is None:
            message = f"found the retirement {status.state.value}, expected a confirmed one"
            raise Unavailable(message, market=self._client.market, operation="certificate")
        found = await self._client.certificate(status.reference)
        kind = found.headers.get("content-type", "no type")
        if kind != "application/pdf" or not found.body.startswith(b"%PDF-"):
            raise self._client.breach(f"found {kind} of {len(found.body)} bytes, expected a PDF", "certificate")
        return Document(found.body, kind, f"certificate of the batch {status.reference}")

    async def _witness(self, order: Transfer | Retirement) -> Witness:
        # The deposits last: one that somebody places meanwhile is in the note, and is not taken for ours afterwards.
        now = self._clock()
        report = await self._client.tax_lot_report()
        placed, _ = await self._client.deposits()
        try:
            return bear(order.lots, report, deposits_of(placed), now)
        except Undecodable as error:
            raise self._client.breach(str(error), "witness") from error

    async def _noted(self, order: Transfer | Retirement, operation: str) -> Witness:
        """The note that came with the order, or one made now."""
        noted = read_witness(order.witness)
        return await self._before(operation, self._witness(order)) if noted is None else noted

    async def _before(self, operation: str, reading: Awaitable[T]) -> T:
        """What is read before a command is sent: when it cannot be had, the command never left."""
        try:
            return await reading
        except (Unavailable, ContractBreach) as error:
            raise NotSent(f"not sent: {error}", market=self._client.market, operation=operation) from error

    def _program(self, order: Transfer | Retirement, noted: Witness) -> str:
        """The one programme of an order's lots, as a part of a path.

        Lots that the market does not show go to any programme: it refuses them.
        """
        programs = sorted({noted.lots[lot.holding].program for lot in order.lots if lot.holding in noted.lots})
        if len(programs) > 1:
            found = ", ".join(programs)
            raise CapabilityMissing(
                f"market {self._client.market} takes lots of one programme at a time, found {found}"
            )
        return quote(programs[0] if programs else self._config.programs[0], safe="")

    async def _terms(self, transfer: str) -> tuple[str, str | None]:
        """The programme and the price of an incoming transfer; of one that is not there, any: it is refused."""
        found = await self._find_transfer(transfer)
        if found is None:
            return self._config.programs[0], encoded(orders.FREE_OF_PAYMENT).decode()
        try:
            return orders.program_of(found), orders.price_of(found)
        except Undecodable as error:
            raise self._client.breach(f"transfer {transfer}: {error}", "transfers") from error

    async def _find_transfer(self, transfer: str) -> dict[str, Json] | None:
        found = await self._client.transfers({"transferIdentifier": transfer}, 0)
        listed = elements(members(found.document, "the page").get("content"), "content")
        named = [one for one in listed if isinstance(one, dict) and one.get("identifier") == transfer]
        if len(named) != len(listed) or len(named) > 1:
            raise self._client.breach(f"asked for the transfer {transfer}, found others or several", "transfers")
        return named[0] if named else None

    def _answered(
        self, order: Order, operation: str, answer: Response, read: Callable[[Json], Verdict]
    ) -> CommandStatus:
        """The state that the answer to a command says; one that cannot be read leaves the outcome unknown."""
        try:
            return self._status(order, read(decode_json(answer.body)))
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=self._client.market, operation=operation) from error

    def _resolved(self, order: Order, operation: str, judge: Callable[[], Verdict]) -> CommandStatus:
        try:
            return self._status(order, judge())
        except Undecodable as error:
            raise self._client.breach(str(error), operation) from error

    def _status(self, order: Order, verdict: Verdict) -> CommandStatus:
        refused = verdict.state is CommandState.REJECTED
        return CommandStatus(
            command_id=order.command_id,
            state=verdict.state,
            native_state=verdict.native_state,
            reference=verdict.reference,
            code=verdict.native_state if refused else None,
            message=f"the market shows it {verdict.native_state}" if refused else None,
            lots=verdict.lots,
            as_of=self._clock(),
        )
