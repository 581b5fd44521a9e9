"""The stand-in of the day end in Wuhan: its book, its clock, its answers."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from adapters.hubei import mock as mock_module
from adapters.hubei.config import HubeiConfig
from adapters.hubei.dayend import WUHAN, FileKind
from adapters.hubei.mock import HubeiMock, build
from adapters.hubei.mock_book import Book, BookRefusal
from adapters.hubei.mock_words import check_digit, credit_code, entity
from gateway.kit.calendars import load
from gateway.kit.mock import MockClock

WEDNESDAY = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
OPENED = date(2026, 7, 13)
HEADERS = {"x-receiver": "HKGW", "x-access-token": HubeiConfig().access_token.get_secret_value()}


def ask(mock: HubeiMock, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    return mock.handle(httpx.Request(method, f"https://hubei.example{path}", headers=HEADERS | headers))


def days(answer: httpx.Response) -> list[str]:
    listed: dict[str, Any] = json.loads(answer.content)
    return [one["businessDate"] for one in listed["days"]]


def at(hour: int, minute: int = 0, day: int = 14) -> datetime:
    return datetime(2026, 7, day, hour, minute, tzinfo=WUHAN)


def small_book() -> Book:
    book = Book(load("hubei"), OPENED)
    for place in (1, 2):
        book.admit(entity(place, random.Random(place)))
    first, _ = book.entities.values()
    book.allocate(first, "CEA24", 1_000, at(9, day=13))
    book.to_venue(first, "CEA24", 400, at(9, 5, day=13))
    return book


def test_credit_codes_have_right_check_digits() -> None:
    # The sample code of the standard, GB 32100-2015.
    assert check_digit("91350100M000100Y4") == "3"
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    for place in (1, 7, 99_999_999):
        code = credit_code("420100", place)
        weighed = sum(letters.index(one) * pow(3, position, 31) for position, one in enumerate(code[:17]))
        assert len(code) == 18
        assert (weighed + letters.index(code[17])) % 31 == 0


def test_a_day_is_published_an_hour_after_the_close_and_never_before() -> None:
    clock = MockClock(WEDNESDAY)
    mock = build(1, clock, entities=3, days=2)
    assert days(ask(mock, "/line-a/dayend/index")) == ["20260714"]
    clock.move_to(at(15, 59, day=15))
    assert days(ask(mock, "/line-a/dayend/index")) == ["20260714"]
    clock.move_to(at(16, 0, day=15))
    assert days(ask(mock, "/line-b/dayend/index")) == ["20260715"]
    assert days(ask(mock, "/line-b/dayend/index?from=20260714")) == ["20260714", "20260715"]
    clock.move_to(WEDNESDAY)
    assert days(ask(mock, "/line-a/dayend/index")) == ["20260714"]


def test_a_weekend_has_no_day_end() -> None:
    clock = MockClock(at(17, day=17))
    mock = build(1, clock, entities=3, days=1)
    assert days(ask(mock, "/line-a/dayend/index")) == ["20260717"]
    clock.advance(timedelta(days=2, hours=20))
    assert days(ask(mock, "/line-a/dayend/index")) == ["20260717"]


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "code"),
    [
        ("/line-a/dayend/index?records=0", "GET", {}, 400, "DE400"),
        ("/line-a/dayend/index?records=20001", "GET", {}, 400, "DE400"),
        ("/line-a/dayend/index?records=many", "GET", {}, 400, "DE400"),
        ("/line-a/dayend/index?from=2026-07-14", "GET", {}, 400, "DE400"),
        ("/line-a/dayend/index", "GET", {"x-access-token": "wrong"}, 401, "DE401"),
        ("/line-a/dayend/index", "GET", {"x-receiver": "other"}, 401, "DE401"),
        ("/line-c/dayend/index", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260715/ZTD_20260715_CY_20000_00001_00.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260714/ZTD_20260713_CY_20000_00001_00.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260714/ZTD_20260714_XX_20000_00001_00.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260714/ZTD_20260714_CY_0_00001_00.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260714/ZTD_20260714_CY_20000_00002_00.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/20260714/ZTD_20260714_CY_20000_00001_01.xml", "GET", {}, 404, "DE404"),
        ("/line-a/dayend/index", "POST", {}, 405, "DE405"),
    ],
)
def test_bad_requests_are_told_with_the_markets_own_code(
    path: str, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    mock = build(1, MockClock(WEDNESDAY), entities=3, days=2)
    answer = ask(mock, path, method, **headers)
    assert answer.status_code == status
    assert json.loads(answer.content)["errorCode"] == code


def test_more_days_than_an_index_holds_are_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    mock = build(1, MockClock(WEDNESDAY), entities=3, days=3)
    monkeypatch.setattr(mock_module, "DAYS_LIMIT", 2)
    assert ask(mock, "/line-a/dayend/index?from=20260713").status_code == 200
    answer = ask(mock, "/line-a/dayend/index?from=20260101")
    assert (answer.status_code, json.loads(answer.content)["errorCode"]) == (400, "DE400")


def test_a_line_that_is_down_cannot_be_reached() -> None:
    mock = build(1, MockClock(WEDNESDAY), entities=3, days=2)
    mock.lines_down.add("a")
    with pytest.raises(httpx.ConnectError):
        ask(mock, "/line-a/dayend/index")
    assert ask(mock, "/line-b/dayend/index").status_code == 200


def test_a_trade_is_in_transit_until_the_day_is_closed() -> None:
    book = small_book()
    seller, buyer = book.entities.values()
    number = book.trade(seller, buyer, "CEA24", 100, 7_450, at(10, day=13))
    held = book.balance(seller, "CEA24")
    assert (held.total, held.available, held.trading, held.in_transit) == (1_000, 600, 300, 100)
    assert book.balance(buyer, "CEA24").total == 0
    with pytest.raises(BookRefusal, match="expected 1 to the 0 t that are trading"):
        book.trade(buyer, seller, "CEA24", 100, 7_450, at(13, 30, day=13))
    book.close_until(at(16, day=13))
    assert (held.total, held.in_transit) == (900, 0)
    assert book.balance(buyer, "CEA24").trading == 100
    (day,) = book.closed
    (trade,) = day.records[FileKind.TRADES]
    assert (trade["成交编号"], trade["成交方式"], trade["成交金额"], trade["交收状态"]) == (
        number,
        "10",
        "7450.00",
        "已交收",
    )
    delivered = [row for row in day.records[FileKind.MOVEMENTS] if row["业务类型"] == "交易交收"]
    assert [(row["划转方向"], row["关联编号"]) for row in delivered] == [("转出", number), ("转入", number)]


def test_holdings_stay_whole_whatever_happens() -> None:
    book = small_book()
    first, second = book.entities.values()
    book.freeze(first, "CEA24", 200, "虚构市第一中级人民法院", "纠纷", at(10, day=13))
    held = book.balance(first, "CEA24")
    assert (held.available, held.frozen, held.authority) == (400, 200, "虚构市第一中级人民法院")
    book.unfreeze(first, "CEA24", 200, at(11, day=13))
    assert (held.frozen, held.authority) == (0, "")
    book.transfer(first, second, "CEA24", 50, at(11, 5, day=13))
    book.from_venue(first, "CEA24", 400, at(11, 10, day=13))
    book.end(first, "CEA24", 30, "强制注销", at(11, 15, day=13))
    assert (held.total, held.available) == (920, 920)
    book.close_until(at(16, day=13))
    rows = {row["登记账户"]: row for row in book.closed[0].records[FileKind.HOLDINGS]}
    assert rows[first.registry_account]["持有数量"] == "920"
    assert rows[second.registry_account]["可用数量"] == "50"


def test_what_the_registry_does_not_do_changes_nothing() -> None:
    book = small_book()
    first, second = book.entities.values()
    stranger = entity(3, random.Random(3))
    before = book.balance(first, "CEA24")
    for refused in (
        lambda: book.trade(first, second, "CEA24", 401, 7_000, at(10, day=13)),
        lambda: book.trade(first, second, "CEA24", 100, 7_000, at(12, day=13)),
        lambda: book.trade(first, second, "CEA24", 100, 7_000, at(10, day=12)),
        lambda: book.trade(first, first, "CEA24", 100, 7_000, at(10, day=13)),
        lambda: book.trade(first, stranger, "CEA24", 100, 7_000, at(10, day=13)),
        lambda: book.transfer(first, stranger, "CEA24", 1, at(10, day=13)),
        lambda: book.transfer(first, second, "CEA24", 0, at(10, day=13)),
        lambda: book.allocate(first, "CEA99", 1, at(10, day=13)),
        lambda: book.allocate(first, "CEA24", -1, at(10, day=13)),
        lambda: book.unfreeze(first, "CEA24", 1, at(10, day=13)),
        lambda: book.end(stranger, "CEA24", 1, "自愿注销", at(10, day=13)),
    ):
        with pytest.raises(BookRefusal):
            refused()
    assert book.balance(first, "CEA24") == before
    assert (before.total, before.available, before.trading) == (1_000, 600, 400)


def test_a_book_is_made_from_its_seed() -> None:
    def content(seed: int) -> bytes:
        return ask(build(seed, MockClock(WEDNESDAY), entities=5, days=3), "/line-a/dayend/index?from=20260101").content

    assert content(1) == content(1)
    assert content(1) != content(2)
