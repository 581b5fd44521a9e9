"""What the conformance kit needs to try the bank's adapter on its stand-in."""

from __future__ import annotations

from datetime import timedelta

from adapters.hkbank.config import HkBankConfig, Profile
from adapters.hkbank.mock import OMNIBUS, HkBankMock, build
from adapters.hkbank.mock_desk import RATES, BankOrder
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import CashOrder, CashOrderKind, Order
from gateway.model.money import Currency

ACCOUNT = "HK-880-10001"
ACROSS = "CN-620-10001"
UNTIL_FINAL = timedelta(minutes=15)


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small bank in Hong Kong with two participants and two holds, and its mainland partner."""
    mock = build(seed, clock, participants=2)
    desk = mock.desks[Profile.HONG_KONG]
    for reference in ("HOLD-1", "HOLD-2"):
        desk.place(BankOrder("", reference, "HOLD", ACCOUNT, Currency.HKD, 50_000))

    def settle() -> None:
        clock.advance(UNTIL_FINAL)
        for one in mock.desks.values():
            one.settle()

    def insert() -> None:
        place = len(desk.ledger.balances)
        desk.ledger.open(f"HK-880-2{place:04d}", "Ophimere Carbon Ltd", Currency.HKD)
        desk.receive(ACCOUNT, Currency.USD, 10_000, payer="PAYER")

    secret = HkBankConfig().signing_secret.get_secret_value()
    return Rehearsal(
        mock=mock,
        settings={"signing_secret": secret},
        secrets=(secret,),
        small_pages={"page_size": 1},
        settle=settle,
        insert=insert,
        effects=lambda order: effects(mock, order),
        cash=(
            cash("IN", CashOrderKind.PAY_IN, amount=1_234_500, counter_account="PAYER-1"),
            cash("OUT", CashOrderKind.PAY_OUT, counter_account="012-345678-001"),
            cash("HELD", CashOrderKind.HOLD, expires_at=clock() + timedelta(days=1)),
            cash("COMMITTED", CashOrderKind.COMMIT, hold="HOLD-1", counter_account=OMNIBUS[Profile.HONG_KONG]),
            cash("RELEASED", CashOrderKind.RELEASE, hold="HOLD-2"),
            cash(
                "CONVERTED",
                CashOrderKind.CONVERT,
                currency=Currency.USD,
                into=Currency.HKD,
                rate=RATES[Currency.USD, Currency.HKD],
            ),
            cash("REMITTED", CashOrderKind.REMIT, currency=Currency.CNH, into=Currency.CNY, counter_account=ACROSS),
        ),
        refused=(
            Refused(cash("MUCH", CashOrderKind.PAY_OUT, amount=10**13, counter_account="1"), "INSUFFICIENT_FUNDS"),
            Refused(cash("WHERE", CashOrderKind.COMMIT, hold="HOLD-9", counter_account=ACCOUNT), "UNKNOWN_HOLD"),
            Refused(
                cash("RATE", CashOrderKind.CONVERT, currency=Currency.USD, into=Currency.HKD, rate=1), "RATE_NOT_QUOTED"
            ),
            Refused(cash("YUAN", CashOrderKind.HOLD, currency=Currency.CNY), "CURRENCY_NOT_OFFERED"),
        ),
    )


def effects(mock: HkBankMock, order: Order) -> int:
    """At how many of the two banks an order with this reference stands that was not refused or returned."""
    found = [desk.orders.get(order.command_id) for desk in mock.desks.values()]
    return sum(one is not None and one.code is None for one in found)


def cash(
    command_id: str, kind: CashOrderKind, *, amount: int = 50_000, currency: Currency = Currency.HKD, **rest: object
) -> CashOrder:
    """An order of the first participant."""
    said = {"command_id": command_id, "account": ACCOUNT, "kind": kind, "amount": amount, "currency": currency}
    return CashOrder.model_validate(said | rest)
