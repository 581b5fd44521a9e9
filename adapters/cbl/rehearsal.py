"""What the conformance kit needs to try the CBL adapter on its stand-in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from adapters.cbl.book import ACCOUNT, Book
from adapters.cbl.book_build import PARTICIPANTS, TAKER
from adapters.cbl.book_entries import Act, Deposit, TaxLot
from adapters.cbl.config import CblConfig
from adapters.cbl.mock import CblMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import (
    Acceptance,
    Lot,
    Order,
    Retirement,
    RetirementPurpose,
    Transfer,
    TransferKind,
)

SETTLE: Final = timedelta(hours=1)
"""Longer than anything takes, and than the processing limit."""

SATURDAY: Final = date(2026, 7, 18)
LATER: Final = date(2026, 7, 16)
FREE: Final = 200
"""Units that a lot or a deposit must have free to be used in an order."""


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small market."""
    mock = build(seed, clock, projects=6)
    plan = _Plan(mock.book)
    defaults = CblConfig()
    secrets = (defaults.client_secret.get_secret_value(), defaults.password.get_secret_value())
    return Rehearsal(
        mock=mock,
        settings={"client_secret": secrets[0], "password": secrets[1]},
        secrets=secrets,
        small_pages={"page_size": 1},
        settle=lambda: _settle(mock, clock),
        insert=lambda: insert(mock.book),
        effects=lambda order: effects(mock.book, order),
        transfers=plan.transfers(),
        acceptances=plan.acceptances(),
        retirements=plan.retirements(),
        refused=plan.refused(),
    )


def effects(book: Book, order: Order) -> int:
    """How often an order took effect in the book."""
    return sum(1 for act in book.acts if _caused(act, order))


def insert(book: Book) -> None:
    """One more of everything that is paged: a better offer comes in before the others."""
    first = next(iter(book.instruments.values()))
    best = min((one for one in book.listings.values() if one.side == "SELL"), key=lambda one: one.price)
    newcomer = replace(first, id=first.id - 1, ein=f"{first.ein}X")
    book.issue(newcomer, 700)
    book.add_listing(best.name, best.market, 100, best.price - 1, program="VCS", vintage="2021")
    book.offer_transfer(first, 10, PARTICIPANTS[TAKER])
    book.add_trade("GEO", ACCOUNT, TAKER, 10, 90)


def _settle(mock: CblMock, clock: MockClock) -> None:
    clock.advance(SETTLE)
    mock.book.advance()


def _caused(act: Act, order: Order) -> bool:
    match order:
        case Transfer(kind=TransferKind.TRANSFER):
            return act.kind == "transfer" and act.reference == order.command_id
        case Transfer():
            kind = "deposit" if order.kind is TransferKind.EARMARK else "withdraw"
            return act.kind == kind and act.parts == tuple((lot.holding, lot.quantity) for lot in order.lots)
        case Retirement():
            return act.kind == "retire" and act.reference == order.command_id
        case Acceptance():
            return act.kind == ("accept" if order.accept else "reject") and act.parts[0][0] == order.transfer
        case _:
            return False


class _Plan:
    """Orders of which each has units of its own, so that none is in another's way."""

    def __init__(self, book: Book) -> None:
        ours = [lot for lot in book.lots.values() if lot.account == ACCOUNT and lot.instrument.kind == "CARBON"]
        free = {lot.instrument.ein: lot for lot in ours if lot.available > FREE}
        self._lots = sorted(free.values(), key=lambda one: one.instrument.id)
        self._deposits = [one for one in book.deposits.values() if one.lot.account == ACCOUNT and one.available > FREE]
        self._incoming = [one.identifier for one in book.transfers.values() if not one.outgoing]
        self._held = self._lots[-1]
        book.quarantine(self._held.instrument.ein)

    def transfers(self) -> tuple[Transfer, ...]:
        """A deposit of one lot and of two, a withdrawal, a transfer, and one on a later day."""
        one, two, three, four, five = self._lots[:5]
        return (
            _transfer("earmark-1", TransferKind.EARMARK, "N-GEO", _lot(one, 40)),
            _transfer("earmark-2", TransferKind.EARMARK, "SIP", _lot(two, 30), _lot(three, 20)),
            _transfer("release-1", TransferKind.RELEASE, "N-GEO", _deposit(self._deposits[0], 50)),
            _transfer("transfer-1", TransferKind.TRANSFER, PARTICIPANTS[TAKER], _lot(four, 10)),
            _transfer("transfer-2", TransferKind.TRANSFER, PARTICIPANTS[TAKER], _lot(five, 15), day=LATER),
        )

    def acceptances(self) -> tuple[Acceptance, ...]:
        """A yes and a no."""
        return (
            Acceptance(command_id="accept-1", account=ACCOUNT, transfer=self._incoming[0], accept=True),
            Acceptance(command_id="accept-2", account=ACCOUNT, transfer=self._incoming[1], accept=False),
        )

    def retirements(self) -> tuple[Retirement, ...]:
        """One out of tax lots, one out of what is on deposit."""
        return (
            _retirement("retire-1", _lot(self._lots[5], 12)),
            _retirement(
                "retire-2", _deposit(self._deposits[1], 25), purpose=RetirementPurpose.OFFSET, sub_account="43134"
            ),
        )

    def refused(self) -> tuple[Refused[Any], ...]:
        """What the market refuses, and its code."""
        one, everything = self._lots[0], 10**9
        earmark, release, transfer = TransferKind.EARMARK, TransferKind.RELEASE, TransferKind.TRANSFER
        taker, nowhere = PARTICIPANTS[TAKER], Lot(holding="999999999", quantity=1)
        return (
            Refused(_transfer("no-1", earmark, "N-GEO", _lot(one, everything)), "NOT_ENOUGH_QUANTITY"),
            Refused(_transfer("no-2", earmark, "N-GEO", nowhere), "TAX_LOT_NOT_FOUND"),
            Refused(_transfer("no-3", earmark, "NOWHERE", _lot(one, 1)), "INVALID_MARKET"),
            Refused(_transfer("no-4", release, "N-GEO", nowhere), "DEPOSIT_NOT_FOUND"),
            Refused(_transfer("no-5", transfer, taker, _lot(one, 1), day=SATURDAY), "SETTLEMENT_DATE_HOLIDAY"),
            Refused(_transfer("no-6", transfer, "Nobody At All", _lot(one, 1)), "INVALID_COUNTERPARTY_NAME"),
            Refused(_transfer("no-7", transfer, taker, nowhere), "INVALID_EIN"),
            Refused(_retirement("no-8", _lot(self._held, 1)), "QUARANTINED_POSITION"),
            Refused(_retirement("no-9", _lot(one, everything)), "INSUFFICIENT_QUANTITY"),
            Refused(_retirement("no-10", _lot(one, 1), beneficiary="A" * 101), "INVALID_BENEFICIAL_OWNER_NAME"),
            Refused(_retirement("no-11", _lot(one, 1), sub_account="1"), "INVALID_SUB_ACCOUNT"),
            Refused(
                Acceptance(command_id="no-12", account=ACCOUNT, transfer="T-none", accept=True), "INVALID_TRANSFER"
            ),
        )


def _lot(one: TaxLot, quantity: int) -> Lot:
    return Lot(holding=str(one.id), quantity=quantity)


def _deposit(one: Deposit, quantity: int) -> Lot:
    return Lot(holding=one.identifier, quantity=quantity)


def _transfer(name: str, kind: TransferKind, to: str, *lots: Lot, day: date | None = None) -> Transfer:
    return Transfer(command_id=name, account=ACCOUNT, kind=kind, counter_account=to, lots=lots, business_date=day)


def _retirement(
    name: str,
    *lots: Lot,
    beneficiary: str = "Harbourlune Trading Ltd",
    purpose: RetirementPurpose = RetirementPurpose.VOLUNTARY,
    sub_account: str | None = None,
) -> Retirement:
    return Retirement(
        command_id=name,
        account=ACCOUNT,
        lots=lots,
        purpose=purpose,
        beneficiary=beneficiary,
        remarks="For the year 2025",
        attributes={} if sub_account is None else {"subAccount": sub_account},
    )
