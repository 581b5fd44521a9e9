"""The stand-in of the settlement bank: its books, its rules, and what it says to requests that are wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.hkbank.client import decimal, signature
from adapters.hkbank.config import HkBankConfig, Profile
from adapters.hkbank.mock import HkBankMock, build
from adapters.hkbank.mock_desk import REMITTANCE_LIMIT, BankOrder, Desk
from adapters.hkbank.mock_ledger import BankRefusal, Direction
from adapters.hkbank.rehearsal import ACCOUNT, ACROSS
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT
from gateway.model.money import Currency

SECRET = HkBankConfig().signing_secret.get_secret_value()
GOOD = {"reference": "K1", "type": "HOLD", "account": ACCOUNT, "currency": "HKD", "amount": "500.00"}


def bank(participants: int = 2) -> tuple[HkBankMock, Desk, MockClock]:
    clock = MockClock(STARTS_AT)
    mock = build(5, clock, participants=participants)
    return mock, mock.desks[Profile.HONG_KONG], clock


def ask(
    mock: HkBankMock,
    method: str,
    path: str,
    body: object = None,
    *,
    key: str = "K1",
    signed_at: datetime = STARTS_AT,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    target = f"/open/v1/{path}"
    second = str(int(signed_at.timestamp()))
    sent = {
        "x-api-key": "hkcv-venue",
        "x-timestamp": second,
        "x-signature": signature(SECRET, method, target, second, content),
        "idempotency-key": key,
    }
    request = httpx.Request(method, f"https://bank.test{target}", headers=sent | (headers or {}), content=content)
    response = mock.handle(request)
    return response.status_code, json.loads(response.content)


def state(mock: HkBankMock) -> str:
    return repr([(desk.ledger, desk.orders) for desk in mock.desks.values()])


def order(kind: str, reference: str, amount: int = 100, currency: Currency = Currency.HKD, **rest: Any) -> BankOrder:
    return BankOrder("", reference, kind, rest.pop("account", ACCOUNT), currency, amount, **rest)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        *({name: value for name, value in GOOD.items() if name != missing} for missing in GOOD),
        GOOD | {"amount": 500},
        GOOD | {"amount": "500"},
        GOOD | {"amount": "500.001"},
        GOOD | {"amount": "-5.00"},
        GOOD | {"amount": "0.00"},
        GOOD | {"amount": "1,000.00"},
        GOOD | {"amount": "１.00"},  # noqa: RUF001 - another script's digit is no digit of an amount
        GOOD | {"currency": "EUR"},
        GOOD | {"type": "GIFT"},
        GOOD | {"rate": "7.8"},
        GOOD | {"expiresAt": "tomorrow"},
        GOOD | {"expiresAt": "2026-07-16T10:00:00"},
        GOOD | {"intoCurrency": "EUR"},
        GOOD | {"counterAccount": "A" * 65},
        GOOD | {"colour": "green"},
        GOOD | {"reference": "K2"},
    ],
)
def test_a_body_that_is_no_order_is_told_so_and_changes_nothing(body: object) -> None:
    mock, _, _ = bank()
    before = state(mock)
    status, answer = ask(mock, "POST", "hong-kong/orders", body)
    assert (status, answer["error"]["code"]) == (400, "INVALID_REQUEST")
    assert state(mock) == before
    # The key is still free.
    assert ask(mock, "POST", "hong-kong/orders", GOOD)[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "macau/balances", 404, "NOT_FOUND"),
        ("GET", "hong-kong", 404, "NOT_FOUND"),
        ("GET", "hong-kong/loans", 404, "NOT_FOUND"),
        ("GET", "hong-kong/orders/1", 404, "NOT_FOUND"),
        ("DELETE", "hong-kong/orders", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "hong-kong/balances", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "hong-kong/balances?limit=0", 400, "INVALID_REQUEST"),
        ("GET", "hong-kong/balances?limit=101", 400, "INVALID_REQUEST"),
        ("GET", "hong-kong/balances?after=x", 400, "INVALID_REQUEST"),
        ("GET", "hong-kong/statement", 400, "INVALID_REQUEST"),
        ("GET", "hong-kong/statement?since=2026-07-15T00:00:00", 400, "INVALID_REQUEST"),
        ("GET", "hong-kong/rates?currency=USD&into=EUR", 422, "CURRENCY_NOT_OFFERED"),
        ("GET", "mainland/rates?currency=USD&into=HKD", 422, "CURRENCY_NOT_OFFERED"),
    ],
)
def test_what_the_bank_does_not_know_it_says(method: str, path: str, status: int, code: str) -> None:
    found, answer = ask(bank()[0], method, path)
    assert (found, answer["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"x-api-key": "somebody"}, "KEY_UNKNOWN"),
        ({"x-signature": "no"}, "SIGNATURE_INVALID"),
        ({"x-timestamp": "1"}, "SIGNATURE_INVALID"),
        ({"x-signature": ""}, "SIGNATURE_INVALID"),
    ],
)
def test_a_request_that_is_not_signed_as_it_should_be_is_denied(change: dict[str, str], code: str) -> None:
    mock, _, _ = bank()
    before = state(mock)
    status, answer = ask(mock, "POST", "hong-kong/orders", GOOD, headers=change)
    assert (status, answer["error"]["code"]) == (401, code)
    assert state(mock) == before


@pytest.mark.parametrize(("minutes", "status"), [(-6, 401), (-5, 201), (5, 201), (6, 401)])
def test_a_signature_holds_five_minutes(minutes: int, status: int) -> None:
    mock, _, _ = bank()
    assert ask(mock, "POST", "hong-kong/orders", GOOD, signed_at=STARTS_AT + timedelta(minutes=minutes))[0] == status


def test_a_key_means_one_thing_at_one_bank() -> None:
    mock, desk, _ = bank()
    first = ask(mock, "POST", "hong-kong/orders", GOOD)
    assert ask(mock, "POST", "hong-kong/orders", GOOD) == first
    status, answer = ask(mock, "POST", "hong-kong/orders", GOOD | {"amount": "500.01"})
    assert (status, answer["error"]["code"]) == (409, "KEY_REUSED")
    assert len(desk.orders) == 1
    yuan = GOOD | {"account": ACROSS, "currency": "CNY"}
    assert ask(mock, "POST", "mainland/orders", yuan)[0] == 201


def test_a_reference_that_stands_at_the_desk_is_not_taken_again() -> None:
    mock, desk, _ = bank()
    desk.place(order("HOLD", "K1", 100))
    before = state(mock)
    for _ in range(2):
        status, answer = ask(mock, "POST", "hong-kong/orders", GOOD)
        assert (status, answer["error"]["code"]) == (409, "KEY_REUSED")
    with pytest.raises(BankRefusal, match="KEY_REUSED"):
        desk.place(order("RELEASE", "K1", 100, hold="K1"))
    assert state(mock) == before


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (order("HOLD", "A", account="HK-1"), "UNKNOWN_ACCOUNT"),
        (order("HOLD", "A", currency=Currency.CNY), "CURRENCY_NOT_OFFERED"),
        (order("HOLD", "A", 10**13), "INSUFFICIENT_FUNDS"),
        (order("HOLD", "A", expires_at=STARTS_AT), "INVALID_EXPIRY"),
        (order("HOLD", "A", expires_at=STARTS_AT + timedelta(days=6)), "INVALID_EXPIRY"),
        (order("PAY_OUT", "A"), "UNKNOWN_COUNTER_ACCOUNT"),
        (order("PAY_OUT", "A", 10**13, counter="1"), "INSUFFICIENT_FUNDS"),
        (order("COMMIT", "A", hold="H", counter="HK-1"), "UNKNOWN_COUNTER_ACCOUNT"),
        (order("COMMIT", "A", hold="X", counter=ACCOUNT), "UNKNOWN_HOLD"),
        (order("COMMIT", "A", currency=Currency.USD, hold="H", counter=ACCOUNT), "UNKNOWN_HOLD"),
        (order("COMMIT", "A", 1_001, hold="H", counter=ACCOUNT), "HOLD_INSUFFICIENT"),
        (order("RELEASE", "A", 1_001, hold="H"), "HOLD_INSUFFICIENT"),
        (order("RELEASE", "A", hold="DONE"), "HOLD_ENDED"),
        (order("RELEASE", "A", hold="NOT-TAKEN"), "UNKNOWN_HOLD"),
        (order("CONVERT", "A"), "CURRENCY_NOT_OFFERED"),
        (order("CONVERT", "A", into=Currency.HKD, rate=10**8), "CURRENCY_NOT_OFFERED"),
        (order("CONVERT", "A", into=Currency.USD, rate=12_780_001), "RATE_NOT_QUOTED"),
        (order("CONVERT", "A", into=Currency.USD), "RATE_NOT_QUOTED"),
        (order("CONVERT", "A", 1, into=Currency.USD, rate=12_780_000), "INVALID_REQUEST"),
        (order("CONVERT", "A", currency=Currency.CNH, into=Currency.CNY, rate=10**8), "REMITTANCE_NOT_CONVERSION"),
        (order("REMIT", "A", into=Currency.CNY, counter=ACROSS, purpose="COCADR"), "REMITTANCE_PAIR"),
        (order("REMIT", "A", currency=Currency.CNH, into=Currency.CNY, counter=ACROSS), "INVALID_PURPOSE"),
        (
            order("REMIT", "A", currency=Currency.CNH, into=Currency.CNY, counter="CN-1", purpose="COCADR"),
            "UNKNOWN_COUNTER_ACCOUNT",
        ),
        (
            order("REMIT", "A", REMITTANCE_LIMIT, Currency.CNH, into=Currency.CNY, counter=ACROSS, purpose="COCADR"),
            "REMITTANCE_LIMIT",
        ),
    ],
)
def test_what_the_desk_refuses_moves_nothing(made: BankOrder, code: str) -> None:
    _, desk, _ = bank()
    desk.ledger.credit(desk.ledger.find(ACCOUNT, Currency.CNH), REMITTANCE_LIMIT)
    desk.place(order("HOLD", "H", 1_000))
    desk.place(order("HOLD", "DONE", 10))
    desk.place(order("RELEASE", "FREED", 10, hold="DONE"))
    with pytest.raises(BankRefusal):
        desk.place(order("HOLD", "NOT-TAKEN", 10**13))
    desk.place(order("REMIT", "R", 1, Currency.CNH, into=Currency.CNY, counter=ACROSS, purpose="COCADR"))
    before = repr(desk.ledger)
    with pytest.raises(BankRefusal) as caught:
        desk.place(made)
    assert caught.value.code == code
    assert repr(desk.ledger) == before
    assert desk.orders["A"].status == "REFUSED"


@pytest.mark.parametrize(
    ("instant", "made", "code"),
    [
        # A Saturday, an evening, and a holiday of the mainland alone (National Day's week).
        (datetime(2026, 7, 18, 3, tzinfo=UTC), "CONVERT", "DEALING_CLOSED"),
        (datetime(2026, 7, 15, 12, tzinfo=UTC), "CONVERT", "DEALING_CLOSED"),
        (datetime(2026, 7, 15, 9, tzinfo=UTC), "REMIT", "REMITTANCE_WINDOW_CLOSED"),
        (datetime(2026, 10, 5, 3, tzinfo=UTC), "REMIT", "REMITTANCE_WINDOW_CLOSED"),
        (datetime(2035, 1, 3, 3, tzinfo=UTC), "PAY_OUT", "VALUE_DATE_UNKNOWN"),
        (datetime(2035, 1, 3, 3, tzinfo=UTC), "REMIT", "REMITTANCE_WINDOW_CLOSED"),
    ],
)
def test_some_hours_are_shut(instant: datetime, made: str, code: str) -> None:
    _, desk, clock = bank()
    clock.move_to(instant)
    orders = {
        "CONVERT": order("CONVERT", "A", into=Currency.USD, rate=12_780_000),
        "REMIT": order("REMIT", "A", 100, Currency.CNH, into=Currency.CNY, counter=ACROSS, purpose="COCADR"),
        "PAY_OUT": order("PAY_OUT", "A", counter="1"),
    }
    with pytest.raises(BankRefusal) as caught:
        desk.place(orders[made])
    assert caught.value.code == code


def test_a_blocked_account_can_order_nothing() -> None:
    _, desk, _ = bank()
    desk.ledger.blocked[ACCOUNT] = "Screening"
    with pytest.raises(BankRefusal, match="Screening"):
        desk.place(order("PAY_IN", "A"))


def test_the_limit_for_remittances_is_a_day_s() -> None:
    _, desk, clock = bank()
    desk.ledger.credit(desk.ledger.find(ACCOUNT, Currency.CNH), 2 * REMITTANCE_LIMIT)

    def remit(reference: str, amount: int) -> BankOrder:
        return order("REMIT", reference, amount, Currency.CNH, into=Currency.CNY, purpose="COCADR", counter=ACROSS)

    desk.place(remit("A", REMITTANCE_LIMIT))
    with pytest.raises(BankRefusal, match="limit"):
        desk.place(remit("B", 1))
    clock.advance(timedelta(days=1))
    desk.place(remit("C", REMITTANCE_LIMIT))


def test_a_pay_in_waits_for_just_its_money() -> None:
    _, desk, clock = bank()
    desk.payers_pay = False
    desk.place(order("PAY_IN", "A", 500))
    clock.advance(timedelta(days=1))
    desk.settle()
    assert desk.orders["A"].status == "EXPECTED"
    desk.receive(ACCOUNT, Currency.HKD, 499, payer="P", reference="A")
    desk.receive(ACCOUNT, Currency.HKD, 500, payer="P")
    desk.receive(ACCOUNT, Currency.USD, 500, payer="P", reference="A")
    desk.receive("HK-880-10002", Currency.HKD, 500, payer="P", reference="A")
    assert desk.orders["A"].status == "EXPECTED"
    desk.receive(ACCOUNT, Currency.HKD, 500, payer="P", reference="A")
    assert desk.orders["A"].status == "CREDITED"


def test_only_a_paid_payment_comes_back_and_only_once() -> None:
    mock, desk, clock = bank()
    desk.place(order("PAY_OUT", "OUT", counter="1"))
    desk.place(order("REMIT", "OVER", currency=Currency.CNH, into=Currency.CNY, counter=ACROSS, purpose="COCADR"))
    desk.place(order("HOLD", "H"))
    early = state(mock)
    for reference in desk.orders:
        with pytest.raises(ValueError, match="expected a PAY_OUT that is PAID"):
            desk.send_back(reference, "Closed")
    assert state(mock) == early
    clock.advance(timedelta(hours=1))
    desk.settle()
    desk.send_back("OUT", "Closed")
    late = state(mock)
    for reference in desk.orders:
        with pytest.raises(ValueError, match="expected a PAY_OUT that is PAID"):
            desk.send_back(reference, "Closed")
    assert state(mock) == late


def test_a_hold_may_be_used_in_parts() -> None:
    _, desk, _ = bank()
    desk.place(order("HOLD", "H", 100))
    desk.place(order("COMMIT", "C1", 60, hold="H", counter="HK-880-90001"))
    assert (desk.orders["H"].status, desk.orders["H"].remaining) == ("HELD", 40)
    desk.place(order("RELEASE", "R1", 40, hold="H"))
    assert (desk.orders["H"].status, desk.orders["H"].due) == ("RELEASED", None)
    assert desk.ledger.find("HK-880-90001", Currency.HKD).available == 60


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["PAY_IN", "PAY_OUT", "HOLD", "COMMIT", "RELEASE", "CONVERT", "REMIT", "BACK", "FEE"]),
        st.integers(1, 4_000),
        st.integers(0, 12),
        st.integers(0, 9),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_balances_are_the_sum_of_the_bookings(steps: list[tuple[str, int, int, int]]) -> None:
    mock, desk, clock = bank()
    for number, (kind, amount, hours, place) in enumerate(steps):
        known = list(desk.orders)
        chosen = known[place % len(known)] if known else "NONE"
        pair = {"CONVERT": (Currency.HKD, Currency.USD), "REMIT": (Currency.CNH, Currency.CNY)}.get(kind)
        made = order(
            kind,
            f"S{number}",
            amount,
            pair[0] if pair else Currency.HKD,
            into=pair[1] if pair else None,
            rate=12_780_000 if kind == "CONVERT" else None,
            hold=chosen,
            counter=ACROSS if kind == "REMIT" else "HK-880-10002",
            purpose="COCADR",
        )
        try:
            if kind == "FEE":
                desk.charge(ACCOUNT, Currency.HKD, amount, "A fee")
            elif kind != "BACK":
                desk.place(made)
            elif chosen != "NONE" and desk.orders[chosen].status == "PAID":
                desk.send_back(chosen, "Closed")
        except BankRefusal:
            pass
        clock.advance(timedelta(hours=hours))
        for one in mock.desks.values():
            one.settle()
    for one in mock.desks.values():
        booked: dict[tuple[str, Currency], int] = defaultdict(int)
        for entry in one.ledger.entries:
            sign = {Direction.CREDIT: 1, Direction.DEBIT: -1, Direction.MEMO: 0}[entry.direction]
            booked[entry.account, entry.currency] += sign * entry.amount
        for key, balance in one.ledger.balances.items():
            assert balance.booked == booked[key]
            assert balance.available >= 0
            open_holds = [
                found.remaining if found.kind == "HOLD" else found.amount
                for found in one.orders.values()
                if (found.account, found.currency) == key and found.status in {"HELD", "QUEUED", "PROCESSING"}
            ]
            assert balance.held == sum(open_holds)


def test_amounts_are_written_with_all_their_places() -> None:
    assert [decimal(number, 2) for number in (0, 5, 123_450)] == ["0.00", "0.05", "1234.50"]
    assert decimal(781_250_000, 8) == "7.81250000"


def test_a_bank_without_participants_is_refused() -> None:
    with pytest.raises(ValueError, match="0 participants"):
        build(1, lambda: STARTS_AT, participants=0)
