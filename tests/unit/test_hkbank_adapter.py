"""The settlement bank's adapter against its stand-in: what is read, what is commanded, how doubt is resolved."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import stamina
from pydantic import ValidationError

from adapters.hkbank import MANIFEST
from adapters.hkbank.adapter import BALANCES, STATEMENT, HkBankAdapter
from adapters.hkbank.config import HkBankConfig, Profile
from adapters.hkbank.mock import OMNIBUS, HkBankMock
from adapters.hkbank.mock_desk import RATES, Desk
from adapters.hkbank.rehearsal import ACCOUNT, ACROSS, cash
from gateway.kit.contract import Page
from gateway.kit.errors import AccessDenied, ContractBreach, OutcomeUnknown, Rejected
from gateway.kit.faults import Fault, FaultPlan, with_faults
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import Mock, MockClock, in_process
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.kit.transport import Transport
from gateway.model.commands import CashOrderKind, CommandState
from gateway.model.errors import CapabilityMissing, ConfigurationError
from gateway.model.money import Currency

LIBRARY = Library.of_package(MANIFEST.mappings)
HOME = OMNIBUS[Profile.HONG_KONG]


@dataclass
class Line:
    """The stand-in behind a switchboard: what is asked is kept, and an answer can be changed on its way."""

    mock: Mock
    change: Callable[[httpx.Request, httpx.Response], httpx.Response] = lambda _request, response: response
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.change(request, self.mock.handle(request))


@dataclass
class Setting:
    """A rehearsal, its line and an adapter on it."""

    clock: MockClock
    rehearsal: Rehearsal
    line: Line
    adapter: HkBankAdapter
    transport: Transport

    @property
    def mock(self) -> HkBankMock:
        assert isinstance(self.rehearsal.mock, HkBankMock)
        return self.rehearsal.mock

    @property
    def desk(self) -> Desk:
        return self.mock.desks[Profile.HONG_KONG]

    def money(self, currency: Currency = Currency.HKD, account: str = ACCOUNT) -> tuple[int, int]:
        balance = self.desk.ledger.find(account, currency)
        return balance.available, balance.held


@asynccontextmanager
async def rehearsed(plan: FaultPlan | None = None, **settings: Any) -> AsyncIterator[Setting]:
    clock = MockClock(STARTS_AT)
    rehearsal = MANIFEST.rehearse(3, clock)
    line = Line(rehearsal.mock if plan is None else with_faults(rehearsal.mock, plan))
    async with Transport("hkbank", httpx.AsyncClient(transport=in_process(line))) as transport:
        config = HkBankConfig(**{**rehearsal.settings, **settings})
        yield Setting(clock, rehearsal, line, HkBankAdapter(config, transport, clock), transport)


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def is_command(request: httpx.Request) -> bool:
    return request.method == "POST"


def is_status(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.endswith("/orders")


def mapped(name: str, page: Page) -> Mapped:
    made = Mapping(name, LIBRARY).apply(page.rows)
    assert (made.unknown, made.missing) == ((), ())
    assert made.defects.is_empty()
    return made


def test_the_manifest_says_what_the_bank_is() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {"ReadsHoldings", "ReadsMovements", "MovesCash"}
    assert (MANIFEST.programme, MANIFEST.title_native) == ("HKBANK", "香港結算銀行")
    assert isinstance(MANIFEST.mock_factory(1, lambda: STARTS_AT), HkBankMock)


def test_settings_are_checked_and_the_secret_stays_hidden() -> None:
    assert "the-venue-signing-secret" not in repr(HkBankConfig())
    wrong_ones = ({"profile": "macau"}, {"signing_secret": "Mellon42"}, {"purpose_code": "why"}, {"page_size": 101})
    for wrong in wrong_ones:
        with pytest.raises(ValidationError) as caught:
            HkBankConfig(**wrong)
        assert "Mellon42" not in str(caught.value)


# Reading.


async def test_every_balance_is_read_and_mapped() -> None:
    async with rehearsed() as at:
        page = await at.adapter.read_holdings(BALANCES, None)
        total = await at.adapter.holdings_total(BALANCES)
    rows = mapped(BALANCES, page).rows
    kept = at.desk.ledger.balances
    assert (total.rows, total.quantity) == (len(kept), None)
    found = rows.select("native_key", "booked", "available", "held", "holder").rows()
    assert found == [(f"{b.account}.{b.currency}", b.booked, b.available, b.held, b.holder) for b in kept.values()]
    assert sum(row[3] for row in found) == 100_000  # the two holds


async def test_the_statement_is_read_oldest_first_from_an_instant_on() -> None:
    async with rehearsed() as at:
        since = at.clock.advance(timedelta(minutes=1))
        assert (await at.adapter.movements_total(STATEMENT, since)).rows == 0
        await at.adapter.move_cash(at.rehearsal.cash[3])
        at.clock.advance(timedelta(minutes=1))
        at.desk.charge(ACCOUNT, Currency.HKD, 150, "Monthly fee")
        rows = mapped(STATEMENT, await at.adapter.read_movements(STATEMENT, since, None)).rows
        everything = mapped(STATEMENT, await at.adapter.read_movements(STATEMENT, at.rehearsal.since, None)).rows
    names = ("account", "counter_account", "amount", "direction", "kind", "reference", "remarks")
    assert rows.select(names).rows() == [
        (ACCOUNT, HOME, 50_000, "out", "commit", "COMMITTED", None),
        (HOME, ACCOUNT, 50_000, "in", "commit", "COMMITTED", None),
        (ACCOUNT, None, 150, "out", "fee", None, "Monthly fee"),
    ]
    assert set(rows.get_column("value_date")) == {date(2026, 7, 15)}
    assert rows.get_column("booked_at")[0] == since
    assert everything.get_column("booked_at").is_sorted()
    assert everything.height == len(at.desk.ledger.entries)


@pytest.mark.parametrize("feed", [BALANCES, STATEMENT])
async def test_pages_of_one_row_lose_nothing_also_when_rows_appear(feed: str) -> None:
    async with rehearsed(page_size=1) as at:
        cursor: str | None = None
        keys: list[str] = []
        while True:
            if feed == BALANCES:
                page = await at.adapter.read_holdings(feed, cursor)
                total = await at.adapter.holdings_total(feed)
            else:
                page = await at.adapter.read_movements(feed, at.rehearsal.since, cursor)
                total = await at.adapter.movements_total(feed, at.rehearsal.since)
            assert page.rows.height == 1
            if cursor is None:
                at.rehearsal.insert()
            keys += mapped(feed, page).rows.get_column("native_key").to_list()
            cursor = page.next_cursor
            if cursor is None:
                break
    assert len(keys) == len(set(keys)) == total.rows


# Orders.


async def test_each_order_is_carried_out_once_and_confirmed() -> None:
    async with rehearsed() as at:
        for order in at.rehearsal.cash:
            status = await at.adapter.move_cash(order)
            assert status.state in {CommandState.ACCEPTED, CommandState.CONFIRMED}
        at.rehearsal.settle()
        for order in at.rehearsal.cash:
            assert (await at.adapter.cash_status(order)).state is CommandState.CONFIRMED
            assert at.rehearsal.effects(order) == 1


async def test_a_conversion_tells_rate_source_and_time() -> None:
    async with rehearsed() as at:
        rate = await at.adapter.quoted_rate(Currency.USD, Currency.HKD)
        assert (rate.rate, rate.quoted_at) == (781_250_000, datetime(2026, 7, 15, 3, 0, tzinfo=UTC))
        order = cash("X", CashOrderKind.CONVERT, amount=101, currency=Currency.USD, into=Currency.HKD, rate=rate.rate)
        before = at.money(Currency.HKD), at.money(Currency.USD)
        status = await at.adapter.move_cash(order)
        assert status.message == f"into HKD 7.89 at 7.81250000, {rate.source}, 2026-07-15T11:00:00.000+08:00"
        assert at.money(Currency.HKD)[0] == before[0][0] + 789
        assert at.money(Currency.USD)[0] == before[1][0] - 101
        at.desk.quote(Currency.USD, Currency.HKD, 781_260_000)
        with pytest.raises(Rejected) as caught:
            await at.adapter.move_cash(order.model_copy(update={"command_id": "Y"}))
        assert caught.value.code == "RATE_NOT_QUOTED"


async def test_a_rate_that_nobody_quotes_or_that_is_not_understood_is_a_breach() -> None:
    async with rehearsed() as at:
        with pytest.raises(ContractBreach):
            await at.adapter.quoted_rate(Currency.CNH, Currency.CNY)
        time = "2026-07-15T11:00:00.000+08:00"
        good = {"currency": "USD", "intoCurrency": "HKD", "rate": "7.81250000", "rateSource": "x", "rateTime": time}
        times = ({"rateTime": None}, {"rateTime": "today"}, {"rateTime": "2026-07-15T11:00:00"})
        for change in ({"rate": "7.8125"}, {"rate": "-7.81250000"}, {"rate": None}, {"currency": "HKD"}, *times):
            body = good | change
            at.line.change = lambda _request, _response, body=body: httpx.Response(200, json=body)  # type: ignore[misc]
            with pytest.raises(ContractBreach):
                await at.adapter.quoted_rate(Currency.USD, Currency.HKD)


async def test_a_hold_ends_by_the_bank_s_clock_and_is_then_no_hold() -> None:
    async with rehearsed() as at:
        order = cash("H", CashOrderKind.HOLD, amount=7, expires_at=STARTS_AT + timedelta(hours=1))
        available, held = at.money()
        await at.adapter.move_cash(order)
        assert at.money() == (available - 7, held + 7)
        at.clock.advance(timedelta(hours=1))
        status = await at.adapter.cash_status(order)
        assert (status.state, status.native_state, status.code) == (CommandState.REJECTED, "EXPIRED", "HOLD_EXPIRED")
        assert at.money() == (available, held)
        with pytest.raises(Rejected) as caught:
            await at.adapter.move_cash(cash("C", CashOrderKind.COMMIT, amount=7, hold="H", counter_account=HOME))
        assert caught.value.code == "HOLD_EXPIRED"
        rows = mapped(STATEMENT, await at.adapter.read_movements(STATEMENT, STARTS_AT, None)).rows
        assert rows.row(-1, named=True)["remarks"] == "expiry of H"


async def test_a_payment_after_the_cut_off_is_of_the_next_business_day() -> None:
    async with rehearsed() as at:
        friday_evening = datetime(2026, 7, 17, 18, 0, tzinfo=UTC) - timedelta(hours=8)
        at.clock.move_to(friday_evening)
        order = cash("LATE", CashOrderKind.PAY_OUT, counter_account="1")
        status = await at.adapter.move_cash(order)
        assert (status.state, status.native_state, status.message) == (
            CommandState.ACCEPTED,
            "QUEUED",
            "value 2026-07-20",
        )
        at.clock.advance(timedelta(days=2))
        assert (await at.adapter.cash_status(order)).native_state == "QUEUED"
        at.clock.move_to(datetime(2026, 7, 20, 1, 3, tzinfo=UTC))
        assert (await at.adapter.cash_status(order)).native_state == "PAID"
        rows = mapped(STATEMENT, await at.adapter.read_movements(STATEMENT, friday_evening, None)).rows
        assert rows.row(-1, named=True)["value_date"] == date(2026, 7, 20)


@pytest.mark.parametrize(
    ("currency", "value"), [(Currency.HKD, "2026-07-15"), (Currency.CNH, "2026-07-16"), (Currency.USD, "2026-07-15")]
)
async def test_cut_offs_differ_by_currency(currency: Currency, value: str) -> None:
    async with rehearsed() as at:
        at.clock.move_to(datetime(2026, 7, 15, 9, 0, tzinfo=UTC))  # 17:00 in Hong Kong, 05:00 in New York
        order = cash("OUT", CashOrderKind.PAY_OUT, currency=currency, counter_account="1")
        assert (await at.adapter.move_cash(order)).message == f"value {value}"


async def test_a_returned_payment_is_no_payment() -> None:
    async with rehearsed() as at:
        order, before = at.rehearsal.cash[1], at.money()
        await at.adapter.move_cash(order)
        at.rehearsal.settle()
        at.desk.send_back(order.command_id, "Account closed")
        status = await at.adapter.cash_status(order)
        assert (status.state, status.code, status.message) == (
            CommandState.REJECTED,
            "PAYMENT_RETURNED",
            "Account closed",
        )
        assert at.money() == before


async def test_renminbi_goes_over_the_border_to_the_mainland_bank_and_back() -> None:
    async with rehearsed() as at:
        mainland = HkBankAdapter(HkBankConfig(profile=Profile.MAINLAND), at.transport, at.clock)
        assert {row[0] for row in (await mainland.read_holdings(BALANCES, None)).rows.select("currency").rows()} == {
            "CNY"
        }
        order = at.rehearsal.cash[-1]
        await at.adapter.move_cash(order)
        # A reference is one bank's: the other never heard of it.
        assert (await mainland.cash_status(order)).state is CommandState.NOT_FOUND
        at.rehearsal.settle()
        rows = mapped(STATEMENT, await mainland.read_movements(STATEMENT, STARTS_AT, None)).rows
        assert rows.select("account", "currency", "amount", "direction", "kind", "reference").rows() == [
            (ACROSS, "CNY", order.amount, "in", "remit", order.command_id)
        ]
        back = cash("BACK", CashOrderKind.REMIT, currency=Currency.CNY, into=Currency.CNH, counter_account=ACCOUNT)
        back = back.model_copy(update={"account": ACROSS})
        available = at.money(Currency.CNH)[0]
        await mainland.move_cash(back)
        at.rehearsal.settle()
        assert (await mainland.cash_status(back)).native_state == "REMITTED"
        assert at.money(Currency.CNH)[0] == available + back.amount
        with pytest.raises(Rejected) as caught:
            await mainland.move_cash(cash("HKD", CashOrderKind.HOLD).model_copy(update={"account": ACROSS}))
        assert caught.value.code == "CURRENCY_NOT_OFFERED"


async def test_what_the_bank_refuses_is_rejected_with_its_code_and_kept_there() -> None:
    async with rehearsed() as at:
        for refused in at.rehearsal.refused:
            for _ in range(2):
                with pytest.raises(Rejected) as caught:
                    await at.adapter.move_cash(refused.order)
                assert caught.value.code == refused.code
            status = await at.adapter.cash_status(refused.order)
            assert (status.state, status.code) == (CommandState.REJECTED, refused.code)
            assert at.rehearsal.effects(refused.order) == 0


# Doubt.


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        (Fault.LOST_REPLY, 1),
        (Fault.SERVER_ERROR_AFTER_EFFECT, 1),
        (Fault.TRUNCATED, 1),
        (Fault.SERVER_ERROR, 0),
        (Fault.RATE_LIMITED, 0),
    ],
)
async def test_doubt_is_resolved_by_asking(place: int, fault: Fault, effects: int) -> None:
    async with rehearsed(FaultPlan(seed=place, script=(fault,), hits=is_command)) as at:
        order = at.rehearsal.cash[place]
        with pytest.raises(OutcomeUnknown):
            await at.adapter.move_cash(order)
        assert at.rehearsal.effects(order) == effects
        assert len([one for one in at.line.asked if is_command(one)]) == 1
        assert ((await at.adapter.cash_status(order)).state is CommandState.NOT_FOUND) is (effects == 0)
        at.rehearsal.settle()
        status = await at.adapter.cash_status(order)
        assert status.state is (CommandState.CONFIRMED if effects else CommandState.NOT_FOUND)


@pytest.mark.parametrize("place", range(7))
async def test_the_same_order_twice_has_one_effect_and_one_answer(place: int) -> None:
    async with rehearsed() as at:
        order = at.rehearsal.cash[place]
        first = await at.adapter.move_cash(order)
        after = at.money()
        assert await at.adapter.move_cash(order) == first
        assert at.money() == after
        keys = {one.headers["idempotency-key"] for one in at.line.asked}
        assert keys == {order.command_id}
        other = order.model_copy(update={"amount": order.amount + 1})
        with pytest.raises(OutcomeUnknown, match="KEY_REUSED"):
            await at.adapter.move_cash(other)
        with pytest.raises(ContractBreach, match="amount"):
            await at.adapter.cash_status(other)
        assert at.money() == after
        assert at.rehearsal.effects(order) == 1


def with_document(change: Callable[[dict[str, Any]], Any], only: Callable[[httpx.Request], bool]) -> Any:
    def changed(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not only(request):
            return response
        return httpx.Response(response.status_code, json=change(json.loads(response.content)))

    return changed


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda said: said | {"status": "UNDER_REVIEW"},
    lambda said: said | {"status": None},
    lambda said: said | {"reference": "ANOTHER"},
    lambda said: said | {"amount": "1.00"},
    lambda said: said | {"currency": "USD"},
    lambda said: said | {"type": "PAY_IN"},
    lambda said: said | {"account": None},
    lambda said: said | {"orderId": ""},
    lambda said: said | {"status": "REFUSED", "code": None},
    lambda said: said | {"rateTime": "2026", "rateSource": None},
    lambda said: [said],
]


@pytest.mark.parametrize("change", BROKEN)
async def test_an_answer_that_is_not_understood_leaves_an_order_in_doubt(change: Any) -> None:
    async with rehearsed() as at:
        at.line.change = with_document(change, is_command)
        with pytest.raises(OutcomeUnknown):
            await at.adapter.move_cash(at.rehearsal.cash[1])


@pytest.mark.parametrize(
    "change",
    [
        *((lambda said, change=change: said | {"orders": [change(said["orders"][0])]}) for change in BROKEN),
        lambda said: said | {"orders": said["orders"] * 2},
        lambda said: {"found": said["orders"]},
        lambda said: said["orders"],
    ],
)
async def test_a_status_that_is_not_understood_is_a_breach(change: Any) -> None:
    async with rehearsed() as at:
        await at.adapter.move_cash(at.rehearsal.cash[1])
        at.line.change = with_document(change, is_status)
        with pytest.raises(ContractBreach):
            await at.adapter.cash_status(at.rehearsal.cash[1])


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (1, {"counterAccount": "012-345678-002"}),
        (2, {"expiresAt": "2026-07-15T11:00:01.000+08:00"}),
        (2, {"expiresAt": None}),
        (2, {"expiresAt": "2026-07-16T11:00:00.000"}),
        (3, {"holdReference": "HOLD-2"}),
        (5, {"intoCurrency": "CNH"}),
        (6, {"counterAccount": None}),
    ],
)
async def test_an_answer_about_another_order_confirms_nothing(place: int, change: dict[str, Any]) -> None:
    async with rehearsed() as at:
        order = at.rehearsal.cash[place]
        at.line.change = with_document(lambda said: said | change, is_command)
        with pytest.raises(OutcomeUnknown):
            await at.adapter.move_cash(order)
        at.line.change = with_document(lambda said: {"orders": [said["orders"][0] | change]}, is_status)
        with pytest.raises(ContractBreach):
            await at.adapter.cash_status(order)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize(
    "body",
    [b"<html>no</html>", b'{"error":{"code":"NEW","message":"?"}}', b'{"error":{}}', b'{"code":"UNKNOWN_HOLD"}', b"{"],
)
async def test_a_no_without_a_code_that_is_known_is_no_no(status: int, body: bytes) -> None:
    async with rehearsed() as at:
        at.line.change = lambda _request, _response: httpx.Response(status, content=body)
        with pytest.raises(OutcomeUnknown):
            await at.adapter.move_cash(at.rehearsal.cash[1])


@pytest.mark.parametrize(
    "body",
    [
        {"balances": []},
        {"balances": [], "nextAfter": "5"},
        {"balances": {}, "nextAfter": None},
        {"nextAfter": None},
        {"balances": [{"account": "1"}], "nextAfter": "0"},
        {"balances": [{"account": "1"}], "nextAfter": "-1"},
        {"balances": [{"account": "1"}] * 3, "nextAfter": None},
        [],
    ],
)
async def test_a_list_that_is_not_understood_is_a_breach(body: Any) -> None:
    async with rehearsed(page_size=2) as at:
        at.line.change = lambda _request, _response: httpx.Response(200, json=body)
        with pytest.raises(ContractBreach):
            await at.adapter.read_holdings(BALANCES, None)
        with pytest.raises(ContractBreach):
            await at.adapter.holdings_total(BALANCES)


async def test_cursors_and_feeds_of_others_are_refused() -> None:
    async with rehearsed() as at:
        for cursor in ("statement:5", "balances:x", "5"):
            with pytest.raises(ConfigurationError, match="expected one of the feed balances"):
                await at.adapter.read_holdings(BALANCES, cursor)
        with pytest.raises(CapabilityMissing):
            await at.adapter.read_holdings(STATEMENT, None)
        with pytest.raises(CapabilityMissing):
            await at.adapter.movements_total(BALANCES, STARTS_AT)
        assert at.line.asked == []


async def test_a_wrong_secret_or_a_wrong_clock_is_denied() -> None:
    async with rehearsed() as at:
        wrong = HkBankAdapter(HkBankConfig(signing_secret="another-secret-of-ours"), at.transport, at.clock)
        late = HkBankAdapter(HkBankConfig(), at.transport, lambda: STARTS_AT + timedelta(minutes=6))
        for adapter in (wrong, late):
            with pytest.raises(AccessDenied) as caught:
                await adapter.move_cash(at.rehearsal.cash[0])
            assert "another-secret" not in str(caught.value)
            with pytest.raises(AccessDenied):
                await adapter.holdings_total(BALANCES)
        assert at.rehearsal.effects(at.rehearsal.cash[0]) == 0


def test_every_pair_of_rates_has_both_ways() -> None:
    assert {(b, a) for a, b in RATES} == set(RATES)
