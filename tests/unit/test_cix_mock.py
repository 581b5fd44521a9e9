"""The CIX stand-in: its error bodies, its paging, what time does in its book."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cix.book_entries import DealState, Vintage
from adapters.cix.config import CixConfig
from adapters.cix.mock import CixMock, build
from gateway.kit.mock import MockClock
from gateway.kit.signature import WebhookKey, verify

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
CONFIG = CixConfig()
OWN = f"members/{CONFIG.member}"
LOT: dict[str, Any] = {"holding": "POS-000001", "serial": None, "quantity": "100"}
TRANSFER: dict[str, Any] = {
    "clientOrderId": "T1",
    "accountId": CONFIG.account,
    "direction": "WITHDRAWAL",
    "registryAccount": "Verra account 1001",
    "valueDate": None,
    "lots": [LOT],
}


@pytest.fixture
def clock() -> MockClock:
    return MockClock(NOW)


@pytest.fixture
def mock(clock: MockClock) -> CixMock:
    return build(5, clock, offered=6, positions=5)


def ask(mock: CixMock, method: str, path: str, *, body: bytes = b"", **headers: str) -> httpx.Response:
    sent = {"x-member": CONFIG.member, "x-api-key": CONFIG.api_key.get_secret_value(), **headers}
    return mock.handle(httpx.Request(method, f"{CONFIG.url}/{path}", headers=sent, content=body))


def code(response: httpx.Response) -> str:
    return str(json.loads(response.content)["error"]["code"])


def items(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = json.loads(response.content)["items"]
    return found


def send(mock: CixMock, **changes: Any) -> httpx.Response:
    return ask(mock, "POST", f"{OWN}/transfers", body=json.dumps(TRANSFER | changes).encode())


def test_the_same_seed_gives_the_same_book() -> None:
    both = [build(9, MockClock(NOW)) for _ in range(2)]
    for path in ("exchange/levels", "marketplace/listings", f"{OWN}/positions", f"{OWN}/movements", f"{OWN}/ctns"):
        assert ask(both[0], "GET", path).content == ask(both[1], "GET", path).content
    assert build(10, MockClock(NOW)).book.offered != both[0].book.offered


def test_too_small_a_book_is_refused(clock: MockClock) -> None:
    with pytest.raises(ValueError, match="expected 3 or more"):
        build(1, clock, positions=2)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "expected"),
    [
        ("GET", "nowhere", {}, 404, "NO_SUCH_RESOURCE"),
        ("GET", f"{OWN}/nowhere", {}, 404, "NO_SUCH_RESOURCE"),
        ("GET", f"{OWN}/notices", {}, 404, "NO_SUCH_RESOURCE"),
        ("GET", "positions", {}, 404, "NO_SUCH_RESOURCE"),
        ("POST", "exchange/levels", {}, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", f"{OWN}/transfers", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "exchange/levels", {"x-api-key": "wrong"}, 401, "UNAUTHENTICATED"),
        ("GET", "exchange/levels", {"x-member": "OTHER"}, 401, "UNAUTHENTICATED"),
        ("GET", "members/OTHER/positions", {}, 403, "NOT_YOUR_MEMBERSHIP"),
        ("GET", "exchange/levels?limit=0", {}, 422, "FIELD_INVALID"),
        ("GET", "exchange/levels?limit=201", {}, 422, "FIELD_INVALID"),
        ("GET", "exchange/levels?limit=ten", {}, 422, "FIELD_INVALID"),
        ("GET", "exchange/levels?cursor=%25", {}, 422, "FIELD_INVALID"),
        ("GET", "exchange/levels?cursor=eyJhIjoxfQ==", {}, 422, "FIELD_INVALID"),
        ("GET", "exchange/levels?since=2026-01-01T00:00:00Z", {}, 422, "FIELD_UNKNOWN"),
        ("GET", f"{OWN}/movements?since=yesterday", {}, 422, "FIELD_INVALID"),
        ("GET", f"{OWN}/movements?since=2026-01-01T00:00:00", {}, 422, "FIELD_INVALID"),
        ("GET", f"{OWN}/movements?sort=id", {}, 422, "FIELD_UNKNOWN"),
        ("GET", f"{OWN}/transfers", {}, 422, "FIELD_MISSING"),
    ],
)
def test_a_wrong_question_gets_the_venue_s_own_error(
    mock: CixMock, method: str, path: str, headers: dict[str, str], status: int, expected: str
) -> None:
    response = ask(mock, method, path, body=b"", **headers)
    assert (response.status_code, code(response)) == (status, expected)


def test_nothing_outside_its_interface_is_answered(mock: CixMock) -> None:
    response = mock.handle(httpx.Request("GET", "https://cix.example/elsewhere"))
    assert (response.status_code, code(response)) == (404, "NO_SUCH_RESOURCE")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "MALFORMED_BODY"),
        (b"{", "MALFORMED_BODY"),
        (b"[]", "MALFORMED_BODY"),
        (b"<html></html>", "MALFORMED_BODY"),
        (b"\xff", "MALFORMED_BODY"),
        (b"{}", "FIELD_MISSING"),
        (json.dumps(TRANSFER | {"more": 1}).encode(), "FIELD_UNKNOWN"),
        (json.dumps(TRANSFER | {"clientOrderId": 7}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"clientOrderId": "x" * 33}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"direction": "SIDEWAYS"}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"valueDate": "tomorrow"}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"valueDate": 20260716}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"lots": []}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"lots": ["POS-000001"]}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"lots": [{"holding": "POS-000001"}]}).encode(), "FIELD_MISSING"),
        (json.dumps(TRANSFER | {"lots": [LOT | {"quantity": "1.5"}]}).encode(), "FIELD_INVALID"),
        (json.dumps(TRANSFER | {"lots": [LOT | {"quantity": "-1"}]}).encode(), "FIELD_INVALID"),
    ],
)
def test_a_command_that_cannot_be_read_changes_nothing(mock: CixMock, body: bytes, expected: str) -> None:
    before = ask(mock, "GET", f"{OWN}/positions").content
    response = ask(mock, "POST", f"{OWN}/transfers", body=body)
    assert (response.status_code in {400, 422}, code(response)) == (True, expected)
    assert not mock.book.commands
    assert ask(mock, "GET", f"{OWN}/positions").content == before


def test_a_withdrawal_reserves_at_once_and_leaves_later(mock: CixMock, clock: MockClock) -> None:
    before = items(ask(mock, "GET", f"{OWN}/positions"))[0]
    answer = json.loads(send(mock).content)
    assert (answer["state"], answer["clientOrderId"]) == ("PROCESSING", "T1")
    during = items(ask(mock, "GET", f"{OWN}/positions"))[0]
    assert (during["quantity"], during["leaving"]) == (before["quantity"], 100)
    assert during["available"] == before["available"] - 100
    clock.advance(timedelta(minutes=3))
    after = items(ask(mock, "GET", f"{OWN}/positions"))[0]
    assert (after["quantity"], after["leaving"]) == (before["quantity"] - 100, 0)
    [kept] = items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))
    assert kept["state"] == "COMPLETED"
    taken = kept["lots"][0]["serial"]
    assert taken.split("-")[:2] == before["serialText"].split("-")[:2]
    assert int(after["serialText"].split("-")[1]) == int(taken.split("-")[2]) + 1


def test_an_id_is_answered_as_before_and_never_means_two_things(mock: CixMock, clock: MockClock) -> None:
    first = send(mock)
    clock.advance(timedelta(minutes=5))
    mock.book.suspend()
    again = send(mock)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    other = send(mock, registryAccount="Verra account 2002")
    assert (other.status_code, code(other)) == (409, "CLIENT_ORDER_ID_CONFLICT")
    assert len(mock.book.commands) == 1


def test_a_refused_command_is_kept_under_its_id(mock: CixMock) -> None:
    wanted = [{"holding": "POS-000001", "serial": None, "quantity": "1000000"}]
    assert code(send(mock, lots=wanted)) == "INSUFFICIENT_AVAILABLE"
    [kept] = items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))
    assert (kept["state"], kept["code"]) == ("REJECTED", "INSUFFICIENT_AVAILABLE")
    assert code(send(mock, lots=wanted)) == "INSUFFICIENT_AVAILABLE"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"accountId": "SOMEBODY"}, "ACCOUNT_UNKNOWN"),
        ({"valueDate": "2026-07-14"}, "VALUE_DATE_PAST"),
        ({"lots": [{"holding": "POS-999999", "serial": None, "quantity": "1"}]}, "POSITION_UNKNOWN"),
    ],
)
def test_what_a_transfer_is_refused_for(mock: CixMock, changes: dict[str, Any], expected: str) -> None:
    response = send(mock, **changes)
    assert (response.status_code, code(response)) == (422, expected)
    assert all(position.leaving == 0 for position in mock.book.positions.values())


def test_two_lots_of_one_position_are_counted_together(mock: CixMock) -> None:
    quantity = mock.book.positions["POS-000001"].quantity
    lot = {"holding": "POS-000001", "serial": None, "quantity": str(quantity)}
    assert code(send(mock, lots=[lot, lot])) == "INSUFFICIENT_AVAILABLE"


def test_a_value_date_waits_for_its_morning(mock: CixMock, clock: MockClock) -> None:
    send(mock, valueDate="2026-07-16")
    clock.move_to(datetime(2026, 7, 16, 1, 2, tzinfo=UTC))
    assert items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))[0]["state"] == "PROCESSING"
    clock.advance(timedelta(minutes=1))
    assert items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))[0]["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("holding", "quantity", "after", "state", "reason"),
    [
        ("REG-0002", "2000", 3, "COMPLETED", None),
        ("REG-0002", "1999", 3, "REJECTED", "UNITS_NOT_RECEIVED"),
        ("NOT-THERE", "10", 10, "REJECTED", "UNITS_NOT_RECEIVED"),
    ],
)
def test_what_becomes_of_a_deposit(
    mock: CixMock, clock: MockClock, holding: str, quantity: str, after: int, state: str, reason: str | None
) -> None:
    held = sum(one.quantity for one in mock.book.positions.values())
    lots = [{"holding": holding, "serial": None, "quantity": quantity}]
    assert send(mock, direction="DEPOSIT", lots=lots).status_code == 202
    clock.advance(timedelta(minutes=after) - timedelta(seconds=1))
    assert items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))[0]["state"] == "PROCESSING"
    clock.advance(timedelta(seconds=1))
    [kept] = items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId=T1"))
    assert (kept["state"], kept["code"]) == (state, reason)
    come = int(quantity) if reason is None else 0
    assert sum(one.quantity for one in mock.book.positions.values()) == held + come
    [line] = [one for one in items(ask(mock, "GET", f"{OWN}/movements")) if one["clientOrderId"] == "T1"]
    assert (line["state"], line["reason"]) == (state, reason)


def test_units_arrive_once(mock: CixMock, clock: MockClock) -> None:
    lots = [{"holding": "REG-0001", "serial": None, "quantity": "1000"}]
    for one in ("T1", "T2"):
        send(mock, clientOrderId=one, direction="DEPOSIT", lots=lots)
    clock.advance(timedelta(minutes=15))
    states = [items(ask(mock, "GET", f"{OWN}/transfers?clientOrderId={one}"))[0]["state"] for one in ("T1", "T2")]
    assert states == ["COMPLETED", "REJECTED"]


def test_a_contract_shows_both_sides_and_its_present_list(mock: CixMock) -> None:
    before = {row["levelId"]: row for row in items(ask(mock, "GET", "exchange/levels"))}
    assert len(before) == 2 * len(mock.book.contracts)
    assert (before["CCX-DV/ASK"]["price"], before["CCX-DV/ASK"]["credits"]) == (None, 0)
    assert before["CNX-V22-25/ASK"]["credits"] == before["CNX-V22-25/ASK"]["lots"] * 1_000
    notice = mock.book.publish_notice("CNX-V22-25", ["VCS-1748"])
    after = {row["levelId"]: row for row in items(ask(mock, "GET", "exchange/levels"))}
    assert after["CNX-V22-25/BID"]["contract"]["deliverable"]["projects"] == ["VCS-1748"]
    assert after["CNX-V22-25/BID"]["contract"]["deliverable"]["notice"] == notice.number
    assert notice.number == "MN 2026/09"
    history = [one for one in items(ask(mock, "GET", "notices")) if one["contract"] == "CNX-V22-25"]
    assert [len(one["projects"]) for one in history] == [11, 1]


@pytest.mark.parametrize(("day", "state"), [(date(2025, 7, 16), "LISTED"), (date(2025, 7, 17), "RETIRED")])
def test_old_windows_end_on_their_day(day: date, state: str) -> None:
    mock = build(5, MockClock(datetime(day.year, day.month, day.day, 2, tzinfo=UTC)))
    shown = {row["levelId"]: row for row in items(ask(mock, "GET", "exchange/levels"))}
    assert shown["CNX-V16-19/ASK"]["contract"]["status"] == state
    assert (shown["CNX-V16-19/ASK"]["credits"] == 0) is (state == "RETIRED")


def test_a_suspended_member_keeps_its_records_and_nothing_else(mock: CixMock) -> None:
    mock.book.suspend()
    for path in ("exchange/levels", "marketplace/listings"):
        response = ask(mock, "GET", path)
        assert (response.status_code, code(response)) == (403, "MEMBER_SUSPENDED")
    for path in (f"{OWN}/positions", f"{OWN}/movements", f"{OWN}/trades", f"{OWN}/ctns", "notices"):
        assert ask(mock, "GET", path).status_code == 200
    assert code(send(mock)) == "MEMBER_SUSPENDED"
    mock.book.reinstate()
    assert ask(mock, "GET", "exchange/levels").status_code == 200
    assert send(mock, clientOrderId="T2").status_code == 202


@given(limit=st.integers(1, 12), inserted=st.integers(0, 12))
def test_pages_are_whole_whatever_is_inserted(limit: int, inserted: int) -> None:
    mock = build(5, MockClock(NOW), offered=9, positions=5)
    wanted = set(mock.book.offered)
    seen: list[str] = []
    cursor: str | None = None
    for turn in range(20):
        at = "" if cursor is None else f"&cursor={cursor}"
        answer = json.loads(ask(mock, "GET", f"marketplace/listings?limit={limit}{at}").content)
        seen += [row["listingId"] for row in answer["items"]]
        if turn == inserted:
            one = mock.book.offered["MKT-000005"]
            mock.book.offered["MKT-000000"] = type(one)(
                "MKT-000000", one.project, one.vintage, 1, 1, (), one.listed_at, one.valid_until
            )
        cursor = answer["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert wanted <= set(seen)


def notify(mock: CixMock, **changes: Any) -> str:
    book = mock.book
    said: dict[str, Any] = {
        "buyer": book.member,
        "seller": "TALUN",
        "project": next(iter(book.projects)),
        "vintage": Vintage(date(2022, 1, 1), date(2022, 12, 31)),
        "quantity": 300,
        "cents": 512,
    }
    return book.notify(**(said | changes)).id


def answer_ctn(mock: CixMock, ctn: str, decision: str = "ACCEPT", order: str = "A1") -> httpx.Response:
    body = {"clientOrderId": order, "accountId": CONFIG.account, "ctnId": ctn, "decision": decision}
    return ask(mock, "POST", f"{OWN}/ctn-answers", body=json.dumps(body).encode())


def test_a_notification_is_accepted_confirmed_and_settled(mock: CixMock, clock: MockClock) -> None:
    ctn = notify(mock)
    assert json.loads(answer_ctn(mock, ctn).content)["state"] == "PROCESSING"
    assert mock.book.deals[ctn].state is DealState.ACCEPTED
    clock.advance(timedelta(minutes=2))
    assert items(ask(mock, "GET", f"{OWN}/ctn-answers?clientOrderId=A1"))[0]["state"] == "COMPLETED"
    assert mock.book.deals[ctn].state is DealState.CONFIRMED
    clock.move_to(datetime(2026, 7, 17, 9, 0, tzinfo=UTC))
    row = next(one for one in items(ask(mock, "GET", f"{OWN}/ctns")) if one["ctnId"] == ctn)
    assert (row["state"], row["lateSettlement"]["days"], row["amount"]) == ("SETTLED", 0, "1536.00")
    [line] = [one for one in items(ask(mock, "GET", f"{OWN}/movements")) if one["reason"] == ctn]
    assert (line["type"], line["direction"], line["quantity"]) == ("DELIVERY", "IN", 300)


def test_late_settlement_is_charged_by_the_day(mock: CixMock, clock: MockClock) -> None:
    ctn = notify(mock)
    answer_ctn(mock, ctn)
    mock.book.hold_up(ctn)
    clock.move_to(datetime(2026, 7, 18, 9, 0, tzinfo=UTC))
    row = next(one for one in items(ask(mock, "GET", f"{OWN}/ctns")) if one["ctnId"] == ctn)
    assert (row["state"], row["lateSettlement"]) == ("LATE", {"days": 2, "charge": "300.00", "currency": "USD"})
    mock.book.hold_up(ctn, held_up=False)
    clock.advance(timedelta(days=1))
    row = next(one for one in items(ask(mock, "GET", f"{OWN}/ctns")) if one["ctnId"] == ctn)
    assert (row["state"], row["lateSettlement"]["days"]) == ("SETTLED", 2)


def test_what_we_sell_is_reserved_and_goes(mock: CixMock, clock: MockClock) -> None:
    position = next(one for one in mock.book.positions.values() if one.serial is not None)
    held = position.quantity
    ctn = notify(mock, buyer="TALUN", seller=mock.book.member, position=position.id)
    assert code(
        answer_ctn(mock, notify(mock, buyer="TALUN", seller="HKCV", position=position.id, quantity=held + 1))
    ) == ("INSUFFICIENT_AVAILABLE")
    answer_ctn(mock, ctn, order="A2")
    assert (position.reserved, position.available) == (300, held - 300)
    clock.advance(timedelta(days=4))
    mock.book.catch_up()
    assert (position.quantity, position.reserved) == (held - 300, 0)
    assert position.serial is not None
    assert position.serial.range.count == position.quantity


def test_an_unanswered_notification_lapses_and_a_rejected_one_ends(mock: CixMock, clock: MockClock) -> None:
    lapsing, rejected = notify(mock), notify(mock)
    assert json.loads(answer_ctn(mock, rejected, "REJECT").content)["state"] == "COMPLETED"
    clock.advance(timedelta(hours=24))
    mock.book.catch_up()
    assert [mock.book.deals[one].state for one in (lapsing, rejected)] == [DealState.LAPSED, DealState.REJECTED]
    assert code(answer_ctn(mock, lapsing, order="A2")) == "CTN_NOT_AWAITING_YOU"
    assert code(answer_ctn(mock, "CTN-999999", order="A3")) == "CTN_UNKNOWN"


def test_a_trade_on_the_exchange_shows_its_project_when_it_is_delivered(mock: CixMock, clock: MockClock) -> None:
    deal = mock.book.execute("CNX-V22-25", 2, cents=700, project="VCS-934", counterparty="TALUN")
    row = next(one for one in items(ask(mock, "GET", f"{OWN}/trades")) if one["tradeId"] == deal.id)
    assert (row["state"], row["projectNumber"], row["quantity"]) == ("EXECUTED", None, 2_000)
    clock.advance(timedelta(days=3))
    row = next(one for one in items(ask(mock, "GET", f"{OWN}/trades")) if one["tradeId"] == deal.id)
    assert (row["state"], row["projectStandard"], row["projectNumber"]) == ("SETTLED", "VCS", "934")


def test_pushes_are_signed_in_order_and_given_once(mock: CixMock, clock: MockClock) -> None:
    ctn = notify(mock)
    answer_ctn(mock, ctn)
    mock.book.publish_notice("CNX-V22-25", ["VCS-934"])
    key = WebhookKey.parse(CONFIG.webhook_key.get_secret_value())
    pushed = mock.deliveries()
    assert [verify(headers, body, [key], clock()).sent_at for headers, body in pushed] == [NOW] * 3
    told = [json.loads(body) for _, body in pushed]
    assert [one["type"] for one in told] == ["ctn.submitted", "ctn.accepted", "notice.published"]
    assert told[0]["data"]["ctnId"] == ctn
    assert mock.deliveries() == []


def test_a_frozen_position_cannot_leave(mock: CixMock) -> None:
    quantity = mock.book.positions["POS-000001"].quantity
    mock.book.freeze("POS-000001", quantity, "Registry review")
    row = items(ask(mock, "GET", f"{OWN}/positions"))[0]
    assert (row["state"], row["available"], row["freezeReason"]) == ("FROZEN", 0, "Registry review")
    assert code(send(mock)) == "INSUFFICIENT_AVAILABLE"


def test_a_venue_that_is_down_answers_html(mock: CixMock) -> None:
    mock.down = True
    response = ask(mock, "GET", "exchange/levels")
    assert (response.status_code, response.headers["content-type"]) == (503, "text/html")
