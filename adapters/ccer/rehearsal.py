"""What the conformance kit needs to try the adapter on its stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from adapters.ccer.book_build import ACCOUNT, OTHERS, TRADING_ACCOUNT, add_project
from adapters.ccer.book_entries import Block, Condition, Place
from adapters.ccer.book_hours import LOCAL, business_day, is_working_day
from adapters.ccer.config import CcerConfig
from adapters.ccer.mock import CcerMock, build
from adapters.ccer.uscc import check_digit
from adapters.ccer.words import Code
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import Lot, Order, Retirement, RetirementPurpose, Transfer, TransferKind

USCC: Final = "91440000MA0000000" + check_digit("91440000MA0000000")
"""A code whose check digit fits; no entity has it."""

SECRETS: Final = ("rehearsed-maker-session", "rehearsed-checker-session")


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small registry, instructions switched on."""
    mock = build(seed, clock, projects=8, blocks=14)
    for placeholder, secret in zip(list(mock.sessions), SECRETS, strict=True):
        mock.sessions[secret] = mock.sessions.pop(placeholder)
    blocks = mock.book.statement(ACCOUNT)
    free = [one for one in blocks if one.place is Place.REGISTRY and one.condition is Condition.FREE]
    trading = next(one for one in blocks if one.place is Place.TRADING_ACCOUNT)
    frozen = next(one for one in blocks if one.condition is Condition.FROZEN)

    def settle() -> None:
        clock.move_to(_next_morning(clock()))
        mock.book.settle(clock())

    def insert() -> None:
        project = add_project(mock.book, clock(), seed=seed)
        held = free[-1].product
        mock.book.issue(type(held)(project, held.year, held.ccer_id), 700, ACCOUNT, clock())

    def effects(order: Order) -> int:
        mock.book.settle(clock())
        return mock.book.effects(order.command_id)

    return Rehearsal(
        mock=mock,
        settings={"maker_token": SECRETS[0], "checker_token": SECRETS[1], "commands_enabled": True},
        secrets=SECRETS,
        small_pages={"page_size": 1},
        settle=settle,
        insert=insert,
        effects=effects,
        transfers=_transfers(free, trading),
        retirements=_retirements(free),
        refused=_refused(mock, free[7], frozen),
    )


def _transfers(free: Sequence[Block], trading: Block) -> tuple[Transfer, ...]:
    return (
        transfer("move-1", free[0], OTHERS[0][0], 120),
        transfer("move-2", free[1], OTHERS[1][0], free[1].units),
        transfer("earmark-1", free[2], TRADING_ACCOUNT, 300, TransferKind.EARMARK),
        transfer("earmark-2", trading, CcerConfig().trading_platform, trading.units, TransferKind.EARMARK),
    )


def _retirements(free: Sequence[Block]) -> tuple[Retirement, ...]:
    return (
        retirement("offset-1", free[3], RetirementPurpose.OFFSET, {"uscc": USCC}),
        retirement("cancel-1", free[4], RetirementPurpose.VOLUNTARY, {}),
        retirement("cancel-2", free[5], RetirementPurpose.VOLUNTARY, {"uscc": USCC}),
    )


def _refused(mock: CcerMock, block: Block, frozen: Block) -> tuple[Refused[Transfer] | Refused[Retirement], ...]:
    stranger = mock.book.statement(OTHERS[0][0])[0]
    return (
        Refused(transfer("no-1", block, OTHERS[0][0], block.units + 1), Code.NOT_AVAILABLE.value),
        Refused(transfer("no-2", frozen, OTHERS[0][0], 1), Code.UNITS_FROZEN.value),
        Refused(transfer("no-3", block, "1000000000009999", 1), Code.NO_SUCH_ACCOUNT.value),
        Refused(transfer("no-4", stranger, OTHERS[1][0], 1), Code.NO_SUCH_UNITS.value),
        Refused(retirement("no-5", block, RetirementPurpose.OFFSET, {}), Code.BENEFICIARY.value),
        Refused(retirement("no-6", frozen, RetirementPurpose.VOLUNTARY, {}), Code.UNITS_FROZEN.value),
    )


def transfer(
    command_id: str, block: Block, counter: str, units: int, kind: TransferKind = TransferKind.TRANSFER
) -> Transfer:
    """An order to move the first units of a block."""
    serial = block.product.serial(block.first, block.first + units - 1)
    lot = Lot(holding=block.block_id, serial=serial, quantity=units)
    return Transfer(command_id=command_id, account=ACCOUNT, counter_account=counter, lots=(lot,), kind=kind)


def retirement(
    command_id: str, block: Block, purpose: RetirementPurpose, attributes: dict[str, str], units: int = 50
) -> Retirement:
    """An order to redeem the first units of a block."""
    serial = block.product.serial(block.first, block.first + units - 1)
    return Retirement(
        command_id=command_id,
        account=ACCOUNT,
        lots=(Lot(holding=block.block_id, serial=serial, quantity=units),),
        purpose=purpose,
        beneficiary="示例碳中和会议组委会",
        remarks="会议碳中和",
        attributes=attributes,
    )


def _next_morning(now: datetime) -> datetime:
    """Eleven o'clock of the next working day: what was under way is over, and the registry is open again."""
    day = business_day(now) + timedelta(days=1)
    while not is_working_day(day):
        day += timedelta(days=1)
    return datetime.combine(day, time(11), LOCAL).astimezone(UTC)
