"""What account holders ask of the stand-in's registry: transfers in two phases, answers to them, retirements.

Simulated: no document of the registry's account side is public. Units are set aside when an operation is asked for and
move some minutes later, so an operation can still fail when somebody stops them meanwhile. Rules of ours:

- a transfer waits for its receiver's answer, and goes back when none comes in ``ANSWER_LIMIT``;
- what is accepted, and what is retired, is final ``PROCESSING`` later;
- an account uses a reference once, whatever it uses it for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from adapters.verra.book import Book
from adapters.verra.book_entries import Account, Batch, Block
from gateway.kit.clock import Clock
from gateway.model.serials import SerialError, parse

ANSWER_AFTER: Final = timedelta(minutes=2)
PROCESSING: Final = timedelta(minutes=3)
ANSWER_LIMIT: Final = timedelta(days=14)


class OperationState(StrEnum):
    """How far an operation has come, in the stand-in's words."""

    INITIATED = "Initiated"
    """A transfer that waits for its receiver."""
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    DECLINED = "Declined"
    EXPIRED = "Expired"
    FAILED = "Failed"


OPEN: Final = frozenset({OperationState.INITIATED, OperationState.PROCESSING})


class Refusal(Exception):
    """The registry says no; nothing has happened.

    Args:
        code: its code.
        message: its words.
        field: the part of the request that is wrong, where it is one.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        self.code = code
        self.message = message
        self.field = field
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units that a request names: a holding, the serial of the units or of a block that begins with them, how many."""

    holding: str
    serial: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Units of an operation: the block that is set aside for it."""

    block: int
    batch: Batch
    first: int
    last: int
    flagged: bool

    @property
    def serial(self) -> str:
        """Their serial number; what is wrong with the row that showed them is not in it."""
        return self.batch.serial(self.first, self.last, flagged=self.flagged)

    @property
    def quantity(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(slots=True)
class Operation:
    """A transfer (``receiver`` is there) or a retirement (``beneficiary`` is there).

    Args:
        number: the registry's own.
        sequence: when its state last changed, among everything that happened.
        due: when it goes on by itself.
        code: why it came to nothing.
    """

    number: str
    reference: str
    account: Account
    pieces: tuple[Piece, ...]
    state: OperationState
    begun: datetime
    changed: datetime
    due: datetime | None
    sequence: int
    receiver: Account | None = None
    beneficiary: str | None = None
    reason: str | None = None
    remarks: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A receiver's answer to a transfer. ``reference`` is the receiver's."""

    reference: str
    account: Account
    transfer: Operation
    accepted: bool
    at: datetime

    @property
    def state(self) -> OperationState:
        """A declined transfer is over at once; an accepted one takes its time, and may yet fail."""
        return self.transfer.state if self.accepted else OperationState.COMPLETED


@dataclass(slots=True)
class Desk:
    """The registry's desk for account holders, over its book.

    Args:
        book: what it works on.
        clock: its time.
        answers: whether the receivers of transfers answer by themselves, after ``ANSWER_AFTER``.
        declining: the numbers of accounts that decline what they are sent.
        mute: the numbers of accounts that never answer by themselves, as ours.
    """

    book: Book
    clock: Clock
    answers: bool = True
    declining: set[int] = field(default_factory=set)
    mute: set[int] = field(default_factory=set)
    operations: dict[str, Operation] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    def transfer(self, account: Account, receiver: Account, reference: str, wanted: Sequence[Wanted]) -> Operation:
        """Begins a transfer and sets its units aside. Raises Refusal."""
        self._require_free(account, reference)
        if receiver == account:
            raise Refusal("SAME_ACCOUNT", "The receiving account is the sending one.", "counterAccountNumber")
        return self._begin("TRF", account, reference, wanted, OperationState.INITIATED, receiver=receiver)

    def retire(
        self,
        account: Account,
        reference: str,
        wanted: Sequence[Wanted],
        *,
        beneficiary: str,
        reason: str,
        remarks: str | None,
    ) -> Operation:
        """Begins a retirement and sets its units aside. Raises Refusal."""
        self._require_free(account, reference)
        retirement = self._begin("RET", account, reference, wanted, OperationState.PROCESSING)
        retirement.beneficiary, retirement.reason, retirement.remarks = beneficiary, reason, remarks
        return retirement

    def decide(self, account: Account, number: str, reference: str, *, accept: bool) -> Decision:
        """The receiver's answer to a transfer. Raises Refusal."""
        self._require_free(account, reference)
        transfer = self.operations.get(number)
        if transfer is None or transfer.receiver != account:
            raise Refusal("UNKNOWN_TRANSFER", f"No transfer {number} is addressed to this account.", "transferId")
        if transfer.state is not OperationState.INITIATED:
            raise Refusal("NOT_AWAITING_ACCEPTANCE", f"The transfer {number} is {transfer.state}.", "transferId")
        self._answer(transfer, accept=accept, at=self.clock())
        decision = Decision(reference, account, transfer, accept, self.clock())
        self.decisions.append(decision)
        return decision

    def send(self, holding_id: int, receiver: Account, reference: str, *, quantity: int | None = None) -> Operation:
        """Somebody else sends the first units of a holding of theirs: what an incoming transfer is to us."""
        holding = self.book.holdings[holding_id]
        wanted = Wanted(str(holding_id), None, quantity or holding.quantity)
        return self.transfer(holding.account, receiver, reference, [wanted])

    def settle(self) -> None:
        """Does what is due by now; it is shown with the instant at which it was done."""
        for operation in self.operations.values():
            while operation.state in OPEN and operation.due is not None and operation.due <= self.clock():
                self._advance(operation, operation.due)

    def open(self) -> Iterator[Operation]:
        """What is under way."""
        return (one for one in self.operations.values() if one.state in OPEN)

    def _require_free(self, account: Account, reference: str) -> None:
        used = [one for one in self.operations.values() if (one.account, one.reference) == (account, reference)]
        if used or any((one.account, one.reference) == (account, reference) for one in self.decisions):
            raise Refusal("DUPLICATE_REFERENCE", f"The reference {reference} was used before.", "reference")
        if account.name in self.book.frozen:
            raise Refusal("ACCOUNT_FROZEN", f"The account is frozen: {self.book.frozen[account.name].reason}.")

    def _begin(
        self,
        prefix: str,
        account: Account,
        reference: str,
        wanted: Sequence[Wanted],
        state: OperationState,
        receiver: Account | None = None,
    ) -> Operation:
        units = [self._found(account, one) for one in wanted]
        _require_apart(units)
        number, now = f"{prefix}-{len(self.operations) + 1:06d}", self.clock()
        operation = Operation(
            number=number,
            reference=reference,
            account=account,
            pieces=tuple(self._set_aside(number, *one) for one in units),
            state=state,
            begun=now,
            changed=now,
            due=now + (PROCESSING if receiver is None else self._answer_time(receiver)),
            sequence=self.book.new_sequence(),
            receiver=receiver,
        )
        self.operations[number] = operation
        return operation

    def _found(self, account: Account, wanted: Wanted) -> tuple[Block, int, int]:
        """The holding and the first and last of the units; the lowest numbers where the request leaves it open."""
        holding = self.book.holdings.get(int(wanted.holding)) if wanted.holding.isdecimal() else None
        if holding is None or holding.account != account:
            raise Refusal("UNKNOWN_HOLDING", f"The account has no holding {wanted.holding}.", "holdingId")
        first, last = holding.first, holding.last
        if wanted.serial is not None:
            first, last = _named(holding, wanted.serial)
        if wanted.quantity > last - first + 1:
            raise Refusal(
                "INSUFFICIENT_UNITS", f"{wanted.quantity} of {last - first + 1} units were asked for.", "quantity"
            )
        if holding.hold is not None:
            raise Refusal("UNITS_ON_HOLD", f"The units are on hold: {holding.hold.reason}.", "holdingId")
        if holding.locked is not None:
            raise Refusal("UNITS_IN_TRANSIT", f"The units wait for {holding.locked}.", "holdingId")
        return holding, first, first + wanted.quantity - 1

    def _set_aside(self, number: str, holding: Block, first: int, last: int) -> Piece:
        # An earlier piece of the same request may have divided the holding: its other part bears another id.
        inside = next(
            one
            for one in self.book.holdings.values()
            if one.batch is holding.batch and one.first <= first and last <= one.last
        )
        taken = self.book.lock(inside.entity_id, number, units=(first, last))
        return Piece(taken.entity_id, taken.batch, first, last, taken.flagged)

    def _answer_time(self, receiver: Account) -> timedelta:
        return ANSWER_AFTER if self.answers and receiver.number not in self.mute else ANSWER_LIMIT

    def _advance(self, operation: Operation, at: datetime) -> None:
        if operation.state is OperationState.PROCESSING:
            self._complete(operation)
        elif operation.receiver is not None and self._answer_time(operation.receiver) == ANSWER_LIMIT:
            self._abandon(operation, OperationState.EXPIRED, "NOT_ANSWERED", "The receiver did not answer in time.")
        else:
            accept = operation.receiver is None or operation.receiver.number not in self.declining
            self._answer(operation, accept=accept, at=at)

    def _answer(self, transfer: Operation, *, accept: bool, at: datetime) -> None:
        if not accept:
            words = "The receiver declined the transfer."
            self._abandon(transfer, OperationState.DECLINED, "DECLINED_BY_RECEIVER", words)
            return
        self._enter(transfer, OperationState.PROCESSING)
        transfer.due = at + PROCESSING

    def _complete(self, operation: Operation) -> None:
        trouble = self._trouble(operation)
        if trouble is not None:
            self._abandon(operation, OperationState.FAILED, *trouble)
            return
        for line, piece in enumerate(operation.pieces, start=1):
            key, reference = f"{operation.number}/{line}", operation.reference
            if operation.receiver is not None:
                self.book.transfer(piece.block, operation.receiver.name, operation=key, reference=reference)
                continue
            self.book.retire(
                piece.block,
                beneficiary=operation.beneficiary,
                reason=operation.reason,
                details=operation.remarks,
                operation=key,
                reference=reference,
            )
        self._enter(operation, OperationState.COMPLETED)

    def _trouble(self, operation: Operation) -> tuple[str, str] | None:
        """Why an operation cannot be completed: somebody stopped its units or took them away."""
        blocks = [self.book.holdings.get(piece.block) for piece in operation.pieces]
        parties = [one for one in (operation.account, operation.receiver) if one is not None]
        if any(one.name in self.book.frozen for one in parties):
            return "ACCOUNT_FROZEN", "An account was frozen meanwhile."
        for piece, block in zip(operation.pieces, blocks, strict=True):
            if block is None or (block.locked, block.first, block.last) != (operation.number, piece.first, piece.last):
                return "INSUFFICIENT_UNITS", "Units are not there any more."
            if block.hold is not None:
                return "UNITS_ON_HOLD", f"Units were put on hold: {block.hold.reason}."
        return None

    def _abandon(self, operation: Operation, state: OperationState, code: str, message: str) -> None:
        for block in [one for one in self.book.holdings.values() if one.locked == operation.number]:
            self.book.unlock(block.entity_id)
        operation.code, operation.message = code, message
        self._enter(operation, state)

    def _enter(self, operation: Operation, state: OperationState) -> None:
        operation.state, operation.changed, operation.sequence = state, self.clock(), self.book.new_sequence()


def _named(holding: Block, serial: str) -> tuple[int, int]:
    """The units of a holding that a serial names. Raises Refusal when it names no units of it."""
    try:
        units = parse("verra", serial).range
    except SerialError as error:
        raise Refusal("UNKNOWN_SERIAL", f"{serial} is no serial number: {error.reason}.", "serialNumber") from None
    inside = holding.first <= units.first and units.last <= holding.last
    if not inside or serial != holding.batch.serial(units.first, units.last, flagged=holding.flagged):
        raise Refusal("UNKNOWN_SERIAL", f"The holding has no units {serial}.", "serialNumber")
    return units.first, units.last


def _require_apart(units: Sequence[tuple[Block, int, int]]) -> None:
    for place, (block, first, last) in enumerate(units):
        for other, start, end in units[:place]:
            if other.batch is block.batch and first <= end and start <= last:
                raise Refusal("OVERLAPPING_UNITS", f"The units {max(first, start)} are named twice.", "blocks")
