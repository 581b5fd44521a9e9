"""What the conformance kit needs to try the Verra adapter on its stand-in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from adapters.verra.book_entries import OMNIBUS_NAME, OMNIBUS_NUMBER, Block
from adapters.verra.config import BENEFICIARY_LIMIT, VerraConfig
from adapters.verra.mock import VerraMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import Acceptance, Lot, Order, Retirement, RetirementPurpose, Transfer

ACCOUNT = str(OMNIBUS_NUMBER)
UNTIL_FINAL = timedelta(minutes=10)


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small registry, in which our account has six blocks or more and two transfers wait for our answer."""
    mock = build(seed, clock, projects=8, blocks=60, defective=False)
    book = mock.book
    ours = [one for one in book.holdings.values() if one.account.name == OMNIBUS_NAME]
    others = [one for one in book.holdings.values() if one.account.name != OMNIBUS_NAME]
    other = str(others[0].account.number)
    incoming = [
        mock.desk.send(one.entity_id, book.account(OMNIBUS_NAME), f"THEIRS-{one.entity_id}") for one in others[:2]
    ]
    first, second, third, fourth, spare, held = ours[:6]
    book.put_on_hold(held.entity_id, "Review of the project", authority="Verra")

    def settle() -> None:
        clock.advance(UNTIL_FINAL)
        mock.desk.settle()

    def insert() -> None:
        any_project = next(iter(book.batches.values())).project
        vintage = (date(2024, 1, 1), date(2024, 12, 31))
        book.issue(any_project.number, 1_000, vintage=vintage, account=OMNIBUS_NAME)

    defaults = VerraConfig()
    secrets = {
        "app_key": defaults.app_key.get_secret_value(),
        "xsrf_token": defaults.xsrf_token.get_secret_value(),
        "client_secret": defaults.client_secret.get_secret_value(),
    }
    return Rehearsal(
        mock=mock,
        settings=secrets,
        secrets=tuple(secrets.values()),
        small_pages={"page_rows": 1, "page_size": 1},
        settle=settle,
        insert=insert,
        effects=lambda order: effects(mock, order),
        transfers=(
            _transfer("T-WHOLE", other, [whole(first)]),
            _transfer("T-PART", other, [part(second, 1), Lot(holding=str(third.entity_id), quantity=1)]),
        ),
        acceptances=(
            Acceptance(command_id="A-YES", account=ACCOUNT, transfer=incoming[0].number, accept=True),
            Acceptance(command_id="A-NO", account=ACCOUNT, transfer=incoming[1].number, accept=False),
        ),
        retirements=(
            _retirement("R-WHOLE", whole(fourth)),
            _retirement("R-PART", part(second, 2), remarks="For the year 2025"),
        ),
        refused=(
            Refused(_transfer("T-UNKNOWN", "1", [whole(spare)]), "UNKNOWN_ACCOUNT"),
            Refused(_transfer("T-HELD", other, [whole(held)]), "UNITS_ON_HOLD"),
            Refused(_transfer("T-MORE", other, [_lot(spare, spare.quantity + 1)]), "INSUFFICIENT_UNITS"),
            Refused(_retirement("R-OTHERS", whole(others[2])), "UNKNOWN_HOLDING"),
            Refused(
                _retirement("R-NAME", whole(spare), beneficiary="B" * (BENEFICIARY_LIMIT + 1)), "INVALID_BENEFICIARY"
            ),
            Refused(
                Acceptance(command_id="A-UNKNOWN", account=ACCOUNT, transfer="TRF-999999", accept=True),
                "UNKNOWN_TRANSFER",
            ),
        ),
    )


def effects(mock: VerraMock, order: Order) -> int:
    """How many operations and answers of the desk bear an order's reference and were not undone."""
    mock.desk.settle()
    operations = [one for one in mock.desk.operations.values() if one.code is None and one.account.name == OMNIBUS_NAME]
    answers = [one for one in mock.desk.decisions if one.account.name == OMNIBUS_NAME]
    references = [one.reference for one in operations] + [one.reference for one in answers]
    return references.count(order.command_id)


def whole(block: Block) -> Lot:
    """All units of a holding."""
    return _lot(block, block.quantity)


def part(block: Block, place: int) -> Lot:
    """The unit at a place of a holding, from 1, by its own serial."""
    unit = block.first + place - 1
    serial = block.batch.serial(unit, unit, flagged=block.flagged)
    return Lot(holding=str(block.entity_id), serial=serial, quantity=1)


def _lot(block: Block, quantity: int) -> Lot:
    return Lot(holding=str(block.entity_id), serial=block.shown_serial, quantity=quantity)


def _transfer(command_id: str, counter_account: str, lots: Iterable[Lot]) -> Transfer:
    return Transfer(command_id=command_id, account=ACCOUNT, counter_account=counter_account, lots=tuple(lots))


def _retirement(
    command_id: str, lot: Lot, *, beneficiary: str = "Meredolthal Trading Ltd", remarks: str | None = None
) -> Retirement:
    return Retirement(
        command_id=command_id,
        account=ACCOUNT,
        lots=(lot,),
        purpose=RetirementPurpose.VOLUNTARY,
        beneficiary=beneficiary,
        remarks=remarks,
    )
