"""The registry's stand-in, asked as a stranger would: its known traps, and the book behind its two persons."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import httpx
import pytest

from adapters.ccer.book_build import ACCOUNT, COURT, OTHERS, TRADING_ACCOUNT, build_book
from adapters.ccer.book_entries import Block, Condition, Operator, Place, Role
from adapters.ccer.mock import CcerMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT

HOST: Final = "https://ccer.test"
LIST: Final = "/api/projectmanage/open/getOpeningApply"
DETAIL: Final = "/api/projectmanage/open/getOpeningApplyDetail"
APPLY: Final = "/api/exchangeOperate/instruction/apply"
CONFIRM: Final = "/api/exchangeOperate/instruction/confirm"
QUERY: Final = "/api/exchangeOperate/instruction/query"
STATEMENT: Final = "/api/carbon-manage/holder/statement"
FLOWS: Final = "/api/exchangeOperate/flow/list"
MAKER: Final = "the-maker-session"
CHECKER: Final = "the-checker-session"


@pytest.fixture
def clock() -> MockClock:
    return MockClock(STARTS_AT)


@pytest.fixture
def mock(clock: MockClock) -> CcerMock:
    return build(3, clock, projects=12, blocks=8)


def post(mock: CcerMock, path: str, body: Any, token: str | None = None) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return mock.handle(httpx.Request("POST", f"{HOST}{path}", headers=headers, content=content))


def ask(mock: CcerMock, path: str, body: Any, token: str | None = None) -> dict[str, Any]:
    response = post(mock, path, body, token)
    assert response.status_code == 200
    said: dict[str, Any] = json.loads(response.content)
    return said


def tab(mock: CcerMock, data_type: str, **more: Any) -> list[dict[str, Any]]:
    said = ask(mock, LIST, {"pageNumber": 1, "pageSize": 100, "dataType": data_type, **more})
    rows: list[dict[str, Any]] = said["dataInfo"]
    assert (said["successful"], said["total"]) == (True, len(rows))
    return rows


def free_block(mock: CcerMock, place: Place = Place.REGISTRY) -> Block:
    blocks = mock.book.statement(ACCOUNT)
    return next(one for one in blocks if one.place is place and one.condition is Condition.FREE)


def order(reference: str, block: Block, units: int, business: str = "03", **more: Any) -> dict[str, Any]:
    counter = {"01": TRADING_ACCOUNT, "03": OTHERS[0][0]}.get(business)
    return {
        "outFlowNo": reference,
        "businessType": business,
        "accountNo": ACCOUNT,
        "counterAccountNo": counter,
        "lots": [{"holdId": block.block_id, "serialNo": None, "num": units}],
        **more,
    }


def confirm(mock: CcerMock, reference: str, token: str = CHECKER) -> dict[str, Any]:
    return ask(mock, CONFIRM, {"accountNo": ACCOUNT, "outFlowNo": reference}, token)


def query(mock: CcerMock, reference: str) -> dict[str, Any]:
    return ask(mock, QUERY, {"accountNo": ACCOUNT, "outFlowNo": reference}, MAKER)


def code_of(said: dict[str, Any]) -> str:
    assert said["successful"] is False
    assert said["dataInfo"] is None
    code: str = said["code"]
    return code


def snapshot(mock: CcerMock) -> tuple[Any, ...]:
    book = mock.book
    blocks = [(one.block_id, one.serial, one.account, one.place, one.condition) for one in book.blocks.values()]
    return blocks, len(book.flows), [(one.number, one.state) for one in book.instructions.values()]


# The public side.


def test_reads_are_posts(mock: CcerMock) -> None:
    response = mock.handle(httpx.Request("GET", f"{HOST}{LIST}"))
    assert response.status_code == 405
    assert json.loads(response.content)["successful"] is False


def test_there_are_five_lists_and_two_that_are_always_empty(mock: CcerMock) -> None:
    for number in "12345":
        rows = tab(mock, number)
        assert rows
        assert {row["dataType"] for row in rows} == {number}
    for number in "67":
        assert tab(mock, number) == []


def test_a_filter_by_status_is_ignored(mock: CcerMock) -> None:
    assert tab(mock, "1", applyStatus="99", projectName="x") == tab(mock, "1")


def test_one_item_is_in_several_lists_and_its_own_status_rules(mock: CcerMock) -> None:
    by_list = {number: {row["applyId"] for row in tab(mock, number)} for number in "12345"}
    assert by_list["1"] & by_list["2"]
    assert by_list["2"] & by_list["4"] & by_list["5"]
    assert {row["statusName"] for row in tab(mock, "1")} == {"公示中", "已登记"}
    assert {row["statusName"] for row in tab(mock, "2")} == {"已登记", "已签发"}
    for row in tab(mock, "1"):
        assert (row["applyStatus"] == "03") is (row["statusName"] == "公示中")
    assert {row["applyStatus"] for row in tab(mock, "2")} == {None}


def test_ids_are_texts_of_nineteen_digits_and_only_the_lists_own_secondary_id_is_there(mock: CcerMock) -> None:
    own = {"1": "projectInfoId", "2": "projectInfoId", "3": "certificationId", "4": "certificationId", "5": "ccerId"}
    for number, key in own.items():
        for row in tab(mock, number):
            present = {name for name in ("projectInfoId", "certificationId", "ccerId") if row[name] is not None}
            assert present == {key}
            for name in ("applyId", key):
                assert isinstance(row[name], str)
                assert len(row[name]) == 19
                assert int(row[name]) > 2**53


def test_a_detail_needs_the_secondary_id(mock: CcerMock) -> None:
    row = tab(mock, "4")[0]
    ids = {key: row[key] for key in ("applyId", "projectInfoId", "certificationId", "ccerId", "dataType")}
    detail = ask(mock, DETAIL, ids)["dataInfo"]
    assert detail.keys() == {
        *("methodologyNum", "methodologyName", "provinceName", "expectYearNum", "certifiedNum"),
        *("publicStartDate", "publicEndDate"),
    }
    assert len(detail["publicStartDate"]) == len(detail["publicEndDate"]) == 8
    assert detail["certifiedNum"] > 0
    said = ask(mock, DETAIL, {**ids, "certificationId": None})
    assert (said["successful"], said["msg"], said["dataInfo"]) == (False, "公示编号为空", None)
    assert ask(mock, DETAIL, {**ids, "dataType": "2"})["msg"] == "公示编号为空"
    assert ask(mock, DETAIL, {**ids, "applyId": "1"})["dataInfo"] is None


def test_methodologies_are_listed(mock: CcerMock) -> None:
    rows = ask(mock, "/api/methodology/host/methodologVisit/20", {})["dataInfo"]
    assert [row["methodologyNum"] for row in rows] == ["CCER-01-002-V01", "CCER-14-001-V01"]


def test_a_browser_check_comes_instead_of_json_at_200(mock: CcerMock) -> None:
    mock.challenges = 1
    response = post(mock, LIST, {"pageNumber": 1, "pageSize": 10, "dataType": "2"})
    assert response.status_code == 200
    assert response.content.startswith(b"<!DOCTYPE html>")
    assert tab(mock, "2")


def test_pages_are_cut_from_the_newest_on(mock: CcerMock) -> None:
    whole = tab(mock, "2")
    pages = [
        ask(mock, LIST, {"pageNumber": number, "pageSize": 4, "dataType": "2"})
        for number in range(1, len(whole) // 4 + 3)
    ]
    assert [row for page in pages for row in page["dataInfo"]] == whole
    assert {page["total"] for page in pages} == {len(whole)}
    assert pages[-1]["dataInfo"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        {"pageNumber": 1, "pageSize": 10},
        {"pageNumber": 1, "pageSize": 10, "dataType": 2},
        {"pageNumber": 1, "pageSize": 10, "dataType": "8"},
        {"pageNumber": 1, "pageSize": 10, "dataType": "two"},
        {"pageNumber": 0, "pageSize": 10, "dataType": "2"},
        {"pageNumber": "1", "pageSize": 10, "dataType": "2"},
        {"pageNumber": 1, "pageSize": 101, "dataType": "2"},
        {"pageNumber": True, "pageSize": 10, "dataType": "2"},
    ],
)
def test_a_wrong_question_is_told_so(mock: CcerMock, body: Any) -> None:
    said = ask(mock, LIST, body)
    assert (said["successful"], said["total"], said["dataInfo"]) == (False, 0, None)
    assert "code" not in said


def test_unknown_paths_and_a_registry_that_is_down(mock: CcerMock) -> None:
    assert post(mock, "/api/none", {}).status_code == 404
    mock.down = True
    assert post(mock, LIST, {}).status_code == 503


# The account side: reads.


def test_an_operator_must_be_logged_in_and_sees_its_own_account_only(mock: CcerMock) -> None:
    body = {"accountNo": ACCOUNT, "pageNumber": 1, "pageSize": 10}
    for token in (None, "another"):
        response = post(mock, STATEMENT, body, token)
        assert response.status_code == 401
        assert json.loads(response.content)["msg"] == "登录已失效"
    assert code_of(ask(mock, STATEMENT, {**body, "accountNo": OTHERS[0][0]}, MAKER)) == "3010"


def test_the_statement_adds_up_and_tells_the_parts_apart(mock: CcerMock) -> None:
    said = ask(mock, STATEMENT, {"accountNo": ACCOUNT, "pageNumber": 1, "pageSize": 100}, MAKER)
    rows = said["dataInfo"]
    assert said["total"] == len(rows)
    assert said["totalNum"] == sum(row["holdNum"] for row in rows)
    for row in rows:
        parts = [row[key] for key in ("availableNum", "tradeNum", "freezeNum", "onWayNum")]
        assert sorted(parts) == [0, 0, 0, row["holdNum"]]
        assert row["status"] is None
    assert {row["placeName"] for row in rows} == {"登记账户", "交易账户", "交易平台"}
    (frozen,) = (row for row in rows if row["freezeNum"])
    assert (frozen["statusName"], frozen["freezeReason"]) == ("冻结", "司法冻结")
    assert frozen["freezeOrgan"]
    assert frozen["transferNum"] == 0


def test_serials_of_a_product_never_overlap(mock: CcerMock) -> None:
    units: dict[str, list[tuple[int, int]]] = {}
    for block in mock.book.blocks.values():
        units.setdefault(block.product.code, []).append((block.first, block.last))
    for runs in units.values():
        runs.sort()
        assert all(one[1] < other[0] for one, other in pairwise(runs))


def test_movements_come_oldest_first_from_an_instant_on(mock: CcerMock) -> None:
    body = {"accountNo": ACCOUNT, "startTime": "20260101000000", "pageNumber": 1, "pageSize": 100}
    rows = ask(mock, FLOWS, body, MAKER)["dataInfo"]
    times = [row["occurTime"] for row in rows]
    assert times == sorted(times)
    assert {row["businessTypeName"] for row in rows} == {"交易交收", "转移至交易账户", "转移至交易平台", "司法冻结"}
    later = ask(mock, FLOWS, {**body, "startTime": times[-1]}, MAKER)
    assert [row["occurTime"] for row in later["dataInfo"]] == [at for at in times if at == times[-1]]
    for wrong in ("2026-01-01", "20261301000000", "2026010100000x", None):
        assert code_of(ask(mock, FLOWS, {**body, "startTime": wrong}, MAKER)) == "3001"


def test_the_registrys_own_clock_calendar_and_hours(mock: CcerMock) -> None:
    assert ask(mock, "/api/common/datetime", {}, MAKER)["dataInfo"] == "20260715110000"
    days = ask(mock, "/api/calendar/list", {"startDate": "20260930"}, MAKER)["dataInfo"]
    assert [day["isWorkday"] for day in days[:3]] == ["1", "0", "0"]
    assert [day["natureDay"] for day in days[:2]] == ["20260930", "20261001"]
    slices = ask(mock, "/api/timeSlice/list", {}, MAKER)["dataInfo"]
    windows = {row["businessTypeName"]: (row["startTime"], row["endTime"]) for row in slices}
    assert windows["转移至交易平台"] == ("093000", "150000")
    assert windows["抵销"] == ("090000", "170000")


# The account side: instructions of two persons.


def test_a_move_takes_two_persons_and_a_while(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    said = ask(mock, APPLY, order("A-1", block, 100), MAKER)["dataInfo"]
    assert (said["statusName"], said["status"], said["checkerName"]) == ("待确认", None, None)
    (lot,) = said["lots"]
    assert lot["num"] == 100
    aside = mock.book.blocks[lot["holdId"]]
    assert (aside.condition, aside.account) == (Condition.IN_FLIGHT, ACCOUNT)
    clock.advance(timedelta(hours=1))
    assert query(mock, "A-1")["dataInfo"]["statusName"] == "待确认"
    assert mock.book.effects("A-1") == 0

    assert confirm(mock, "A-1")["dataInfo"]["statusName"] == "处理中"
    clock.advance(timedelta(minutes=3))
    done = query(mock, "A-1")["dataInfo"]
    assert (done["statusName"], done["makerName"] == done["checkerName"]) == ("已完成", False)
    assert (aside.condition, aside.account) == (Condition.FREE, OTHERS[0][0])
    assert mock.book.effects("A-1") == 1
    lines = [one for one in mock.book.flows if one.reference == "A-1"]
    assert [(one.account, one.way.value, one.units) for one in lines] == [
        (ACCOUNT, "转出", 100),
        (OTHERS[0][0], "转入", 100),
    ]


def test_confirming_again_changes_nothing(mock: CcerMock, clock: MockClock) -> None:
    ask(mock, APPLY, order("A-1", free_block(mock), 100), MAKER)
    assert confirm(mock, "A-1")["dataInfo"] == confirm(mock, "A-1")["dataInfo"]
    clock.advance(timedelta(minutes=3))
    assert confirm(mock, "A-1")["dataInfo"]["statusName"] == "已完成"
    assert mock.book.effects("A-1") == 1


def test_one_person_cannot_be_both(mock: CcerMock) -> None:
    ask(mock, APPLY, order("A-1", free_block(mock), 100), MAKER)
    before = snapshot(mock)
    assert code_of(confirm(mock, "A-1", MAKER)) == "3010"
    maker = mock.sessions[MAKER]
    mock.sessions["second"] = Operator(maker.name, Role.CHECKER, ACCOUNT)
    assert code_of(confirm(mock, "A-1", "second")) == "3011"
    assert code_of(ask(mock, APPLY, order("A-2", free_block(mock), 1), CHECKER)) == "3010"
    assert snapshot(mock) == before


def test_what_nobody_confirms_lapses_when_the_registry_closes(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    ask(mock, APPLY, order("A-1", block, block.units), MAKER)
    clock.move_to(datetime(2026, 7, 15, 8, 59, 59, tzinfo=UTC))
    assert query(mock, "A-1")["dataInfo"]["statusName"] == "待确认"
    clock.advance(timedelta(seconds=1))
    lapsed = query(mock, "A-1")["dataInfo"]
    assert (lapsed["statusName"], lapsed["rejectCode"]) == ("已失效", "3021")
    assert block.condition is Condition.FREE
    clock.advance(timedelta(days=1))
    assert confirm(mock, "A-1")["dataInfo"]["statusName"] == "已失效"
    assert mock.book.effects("A-1") == 0


def test_a_reference_is_used_once_whatever_else_would_be_wrong(mock: CcerMock, clock: MockClock) -> None:
    ask(mock, APPLY, order("A-1", free_block(mock), 1), MAKER)
    before = snapshot(mock)
    mock.book.accounts[ACCOUNT].frozen = COURT
    clock.move_to(datetime(2026, 7, 15, 7, 30, tzinfo=UTC))
    assert code_of(ask(mock, APPLY, order("A-1", free_block(mock), 10**9), MAKER)) == "4001"
    assert snapshot(mock) == before


def test_the_two_moves_into_the_trading_system(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    assert code_of(ask(mock, APPLY, order("P-0", block, 1, "02"), MAKER)) == "3004"
    for reference, business, place in (("P-1", "01", Place.TRADING_ACCOUNT), ("P-2", "02", Place.PLATFORM)):
        ask(mock, APPLY, order(reference, block, block.units, business), MAKER)
        confirm(mock, reference)
        clock.advance(timedelta(minutes=3))
        assert query(mock, reference)["dataInfo"]["statusName"] == "已完成"
        assert (block.place, block.account) == (place, ACCOUNT)
    assert code_of(ask(mock, APPLY, order("P-3", block, 1), MAKER)) == "3004"
    mock.book.release(block.block_id, clock())
    assert ask(mock, APPLY, order("P-4", block, 1), MAKER)["successful"]
    wrong = order("P-5", free_block(mock), 1, "01", counterAccountNo=OTHERS[0][2])
    assert code_of(ask(mock, APPLY, wrong, MAKER)) == "3007"


@pytest.mark.parametrize(
    ("business", "at", "open_"),
    [
        ("01", datetime(2026, 7, 15, 1, 29, 59, tzinfo=UTC), False),
        ("01", datetime(2026, 7, 15, 1, 30, tzinfo=UTC), True),
        ("01", datetime(2026, 7, 15, 4, 0, tzinfo=UTC), True),
        ("01", datetime(2026, 7, 15, 7, 0, tzinfo=UTC), False),
        ("03", datetime(2026, 7, 15, 0, 59, tzinfo=UTC), False),
        ("03", datetime(2026, 7, 15, 1, 0, tzinfo=UTC), True),
        ("03", datetime(2026, 7, 15, 8, 59, tzinfo=UTC), True),
        ("03", datetime(2026, 7, 15, 9, 0, tzinfo=UTC), False),
        ("03", datetime(2026, 7, 18, 3, 0, tzinfo=UTC), False),
        ("03", datetime(2026, 10, 1, 3, 0, tzinfo=UTC), False),
        # A make-up working day, a Sunday: markets stay shut.
        ("03", datetime(2026, 9, 20, 3, 0, tzinfo=UTC), False),
    ],
)
def test_business_has_hours_and_days(
    mock: CcerMock, clock: MockClock, business: str, at: datetime, open_: bool
) -> None:
    clock.move_to(at)
    said = ask(mock, APPLY, order("H-1", free_block(mock), 1, business), MAKER)
    assert said["successful"] is open_
    if not open_:
        assert code_of(said) == "3002"


def test_a_confirmation_keeps_the_hours_too(mock: CcerMock, clock: MockClock) -> None:
    clock.move_to(datetime(2026, 7, 15, 6, 59, tzinfo=UTC))
    ask(mock, APPLY, order("H-1", free_block(mock), 1, "01"), MAKER)
    clock.advance(timedelta(minutes=1))
    assert code_of(confirm(mock, "H-1")) == "3002"
    assert query(mock, "H-1")["dataInfo"]["statusName"] == "待确认"


def test_beyond_the_calendars_data_the_weekday_decides(mock: CcerMock, clock: MockClock) -> None:
    clock.move_to(datetime(2040, 7, 14, 3, 0, tzinfo=UTC))
    assert code_of(ask(mock, APPLY, order("H-1", free_block(mock), 1), MAKER)) == "3002"
    clock.move_to(datetime(2040, 7, 16, 3, 0, tzinfo=UTC))
    assert ask(mock, APPLY, order("H-1", free_block(mock), 1), MAKER)["successful"]


def test_a_freeze_by_a_court_stops_what_is_under_way(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    ask(mock, APPLY, order("F-1", block, block.units), MAKER)
    confirm(mock, "F-1")
    mock.book.freeze(block.block_id, COURT, clock())
    clock.advance(timedelta(minutes=3))
    refused = query(mock, "F-1")["dataInfo"]
    assert (refused["statusName"], refused["rejectCode"], refused["rejectReason"]) == ("已驳回", "3005", "持有量已冻结")
    assert block.condition is Condition.FROZEN
    assert mock.book.effects("F-1") == 0
    assert code_of(ask(mock, APPLY, order("F-2", block, 1), MAKER)) == "3005"
    mock.book.unfreeze(block.block_id, COURT, clock())
    assert ask(mock, APPLY, order("F-3", block, 1), MAKER)["successful"]
    kinds = [one.business.name for one in mock.book.movements(ACCOUNT, STARTS_AT)]
    assert kinds == ["FREEZE", "UNFREEZE"]


def test_a_frozen_account_commands_nothing(mock: CcerMock, clock: MockClock) -> None:
    mock.book.freeze_account(ACCOUNT, COURT, clock())
    block = mock.book.statement(ACCOUNT)[0]
    assert {one.condition for one in mock.book.statement(ACCOUNT)} == {Condition.FROZEN}
    assert code_of(ask(mock, APPLY, order("F-1", block, 1), MAKER)) == "3006"


def test_redeeming_is_reviewed_and_then_has_a_certificate(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    held = sum(one.units for one in mock.book.statement(ACCOUNT))
    body = order("R-1", block, 7, "05", beneficiaryName="示例受益方", remark="自愿")
    ask(mock, APPLY, body, MAKER)
    confirm(mock, "R-1")
    paper = {"accountNo": ACCOUNT, "outFlowNo": "R-1"}
    assert code_of(ask(mock, "/api/exchangeOperate/offset/certificate", paper, MAKER)) == "3013"
    clock.advance(timedelta(minutes=11))
    proof = ask(mock, "/api/exchangeOperate/offset/certificate", paper, MAKER)["dataInfo"]
    assert (proof["beneficiaryName"], proof["num"], proof["businessTypeName"]) == ("示例受益方", 7, "自愿注销")
    assert sum(one.units for one in mock.book.statement(ACCOUNT)) == held - 7
    unknown = {**paper, "outFlowNo": "none"}
    assert code_of(ask(mock, "/api/exchangeOperate/offset/certificate", unknown, MAKER)) == "3012"


@pytest.mark.parametrize(
    ("business", "more"),
    [
        ("05", {}),
        ("05", {"beneficiaryName": "名" * 101}),
        ("05", {"beneficiaryName": "名", "uscc": "91440000MA00000009"}),
        ("04", {"beneficiaryName": "名"}),
    ],
)
def test_a_beneficiary_must_be_named_and_an_offset_has_a_code(
    mock: CcerMock, business: str, more: dict[str, str]
) -> None:
    before = snapshot(mock)
    assert code_of(ask(mock, APPLY, order("R-1", free_block(mock), 1, business, **more), MAKER)) == "3009"
    assert snapshot(mock) == before


def test_forced_cancellation_is_only_seen(mock: CcerMock, clock: MockClock) -> None:
    block = free_block(mock)
    assert code_of(ask(mock, APPLY, order("C-1", block, 1, "14"), MAKER)) == "3001"
    mock.book.cancel_by_force(block.block_id, COURT, clock())
    (line,) = mock.book.movements(ACCOUNT, clock())
    assert (line.business.name, line.authority, line.way.value) == ("FORCED", COURT.authority, "转出")
    assert block.block_id not in mock.book.blocks


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"outFlowNo": None}, "3001"),
        ({"outFlowNo": "x" * 33}, "3001"),
        ({"businessType": "99"}, "3001"),
        ({"lots": []}, "3001"),
        ({"lots": ["x"]}, "3001"),
        ({"lots": [{"holdId": "1", "num": "5"}]}, "3001"),
        ({"lots": [{"holdId": "1", "num": 5}, {"holdId": "1", "num": 5}]}, "3001"),
        ({"lots": [{"holdId": "1", "num": 5}]}, "3008"),
        ({"accountNo": OTHERS[0][0]}, "3010"),
        ({"counterAccountNo": ACCOUNT}, "3007"),
        ({"counterAccountNo": None}, "3007"),
        ({"businessDate": "20260716"}, "3003"),
        ({"businessDate": "2026-07-15"}, "3001"),
    ],
)
def test_a_wrong_instruction_is_refused_by_code_and_changes_nothing(
    mock: CcerMock, change: dict[str, Any], code: str
) -> None:
    before = snapshot(mock)
    assert code_of(ask(mock, APPLY, {**order("W-1", free_block(mock), 1), **change}, MAKER)) == code
    assert code_of(ask(mock, APPLY, b"{", MAKER)) == "3001"
    assert snapshot(mock) == before
    assert query(mock, "W-1")["dataInfo"] is None


def test_units_can_be_named_by_serial(mock: CcerMock) -> None:
    block = free_block(mock)
    first, last = block.first, block.last
    serial = block.product.serial(first + 10, first + 19)
    lots = [{"holdId": block.block_id, "serialNo": serial, "num": 10}]
    said = ask(mock, APPLY, {**order("S-1", block, 1), "lots": lots}, MAKER)["dataInfo"]
    assert [lot["serialNo"] for lot in said["lots"]] == [serial]
    runs = sorted((one.first, one.last) for one in mock.book.statement(ACCOUNT) if one.product is block.product)
    assert {(first, first + 9), (first + 10, first + 19), (first + 20, last)} <= set(runs)


@pytest.mark.parametrize("serial", ["CCER-1-2024-000000000001-000000000010", "x", "beyond", "other count"])
def test_a_serial_that_is_not_the_blocks_is_refused(mock: CcerMock, serial: str) -> None:
    block = free_block(mock)
    named = {
        "beyond": block.product.serial(block.last, block.last + 9),
        "other count": block.product.serial(block.first, block.first + 10),
    }.get(serial, serial)
    lots = [{"holdId": block.block_id, "serialNo": named, "num": 10}]
    assert code_of(ask(mock, APPLY, {**order("S-1", block, 1), "lots": lots}, MAKER)) == "3008"


def test_the_same_seed_gives_the_same_book() -> None:
    one, other = (build_book(5, STARTS_AT, projects=8, blocks=6) for _ in range(2))
    assert [block.serial for block in one.blocks.values()] == [block.serial for block in other.blocks.values()]
    assert [item.project.name for item in one.openings] == [item.project.name for item in other.openings]
    with pytest.raises(ValueError, match="expected at least 4 of each"):
        build_book(5, STARTS_AT, projects=3, blocks=6)
