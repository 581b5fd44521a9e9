"""The PHCER stand-in: its register's rules, its portal's moods, its files."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import openpyxl
import pytest
from cryptography.hazmat.primitives import hashes

from adapters.phcer.config import PhcerConfig
from adapters.phcer.mock import COOKIE, PhcerMock, build
from adapters.phcer.mock_register import Register, RegisterError
from gateway.kit.mock import MockClock

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
CONFIG = PhcerConfig()
GOOD = {"username": CONFIG.username, "password": CONFIG.password.get_secret_value()}


@pytest.fixture
def clock() -> MockClock:
    return MockClock(NOW)


@pytest.fixture
def mock(clock: MockClock) -> PhcerMock:
    return build(5, clock, projects=5, holders=8)


def ask(mock: PhcerMock, method: str, path: str, *, body: bytes = b"", session: str | None = None) -> httpx.Response:
    headers = {"cookie": f"lang=zh; {COOKIE}={session}"} if session else {}
    return mock.handle(httpx.Request(method, f"{CONFIG.url}/{path}", headers=headers, content=body))


def log_in(mock: PhcerMock, **form: str) -> httpx.Response:
    return ask(mock, "POST", "machine/login", body=urlencode(GOOD | form).encode())


def session_of(mock: PhcerMock) -> str:
    cookie: str = log_in(mock).headers["set-cookie"]
    return cookie.partition("=")[2].partition(";")[0]


def code(response: httpx.Response) -> str:
    assert response.status_code == 200
    if response.content == "登录成功".encode():
        return "0"
    return str(json.loads(response.content)["code"])


def export(mock: PhcerMock, kind: str, **asked: str) -> httpx.Response:
    return ask(mock, "GET", f"export/{kind}?{urlencode(asked)}", session=session_of(mock))


def held(register: Register) -> int:
    return sum(one.quantity for one in register.balances.values())


def test_the_same_seed_gives_the_same_register() -> None:
    one, two, other = (build(seed, MockClock(NOW)) for seed in (4, 4, 6))
    for kind in ("projects", "issuances", "holders", "movements"):
        files = [export(mock, kind, format="csv", size="5000").content for mock in (one, two, other)]
        assert files[0] == files[1] != files[2]


def test_too_small_a_register_is_refused(clock: MockClock) -> None:
    with pytest.raises(ValueError, match="expected 4 and 3 or more"):
        build(1, clock, projects=3)


def test_units_are_neither_lost_nor_made(clock: MockClock) -> None:
    register = build(11, clock, projects=12, holders=60).register
    created = sum(one.quantity for one in register.batches.values())
    ended = sum(line.quantity for line in register.lines if line.act.value == "注销")
    assert ended > 0
    assert held(register) == created - ended
    for account, batch in register.balances:
        lines = [one for one in register.lines if (one.account.number, one.batch.number) == (account, batch)]
        signs = {"转入": 1, "转出": -1, "不变": 0}
        assert sum(signs[one.way] * one.quantity for one in lines) == register.balances[account, batch].quantity


def test_thousands_of_small_holders(clock: MockClock) -> None:
    mock = build(5, clock, projects=60, holders=3_000)
    answer = json.loads(export(mock, "holders/summary").content)
    assert answer["rows"] > 3_000
    file = export(mock, "holders", format="csv", size="1000")
    assert (file.headers["x-export-rows"], file.headers["x-export-part"]) == ("1000", f"1/{-(-answer['rows'] // 1000)}")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, "0"),
        ({"password": "wrong"}, "1001"),
        ({"username": "somebody"}, "1001"),
        ({"captcha": "abcd"}, "2001"),
    ],
)
def test_logging_in(mock: PhcerMock, form: dict[str, str], expected: str) -> None:
    response = log_in(mock, **form)
    assert code(response) == expected
    assert ("set-cookie" in response.headers) is (expected == "0")


def test_a_body_that_is_no_form_is_refused(mock: PhcerMock) -> None:
    for body in (b"", b"{}", b"\xff\xfe", b"username=a"):
        assert code(ask(mock, "POST", "machine/login", body=body)) == "2001"


def test_five_wrong_passwords_lock_the_operator(mock: PhcerMock) -> None:
    assert [code(log_in(mock, password="wrong")) for _ in range(6)] == ["1001"] * 5 + ["1003"]
    assert code(log_in(mock)) == "1003"
    mock.unlock()
    assert code(log_in(mock)) == "0"


@pytest.mark.parametrize("session", [None, "never-given"])
def test_without_a_session_the_login_page_comes_with_status_200(mock: PhcerMock, session: str | None) -> None:
    response = ask(mock, "GET", "export/holders?format=csv&size=10", session=session)
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=GB18030")
    assert "用户登录" in response.content.decode("gb18030")
    mock.redirects = True
    response = ask(mock, "GET", "export/holders?format=csv&size=10", session=session)
    assert (response.status_code, response.headers["location"]) == (302, "/portal/login")
    assert "验证码" in ask(mock, "GET", "login").content.decode("gb18030")


def test_a_session_ends(mock: PhcerMock, clock: MockClock) -> None:
    session = session_of(mock)
    clock.advance(timedelta(minutes=20) - timedelta(seconds=1))
    assert code(ask(mock, "GET", "export/holders/summary", session=session)) == "0"
    clock.advance(timedelta(seconds=1))
    assert ask(mock, "GET", "export/holders/summary", session=session).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "nowhere", "3001"),
        ("GET", "export/nowhere", "3001"),
        ("GET", "export/holders/more", "3001"),
        ("POST", "export/holders", "3002"),
        ("GET", "export/holders", "2001"),
        ("GET", "export/holders?format=pdf&size=10", "2001"),
        ("GET", "export/holders?format=csv&size=0", "2001"),
        ("GET", "export/holders?format=csv&size=5001", "2001"),
        ("GET", "export/holders?format=csv&size=ten", "2001"),
        ("GET", "export/holders?format=csv&size=10&order=1", "2001"),
        ("GET", "export/holders?format=csv&size=10&from=2026-01-01%2000:00:00", "2001"),
        ("GET", "export/movements?format=csv&size=10&from=yesterday", "2001"),
        ("GET", "export/holders?batch=DC20260715-000009&part=1", "2004"),
    ],
)
def test_a_wrong_question_gets_the_portal_s_own_code(mock: PhcerMock, method: str, path: str, expected: str) -> None:
    response = ask(mock, method, path, session=session_of(mock))
    assert code(response) == expected
    assert json.loads(response.content)["msg"]


def test_the_parts_of_an_export_are_of_one_instant_and_expire(mock: PhcerMock, clock: MockClock) -> None:
    first = export(mock, "holders", format="csv", size="4")
    number, parts = first.headers["x-export-batch"], int(first.headers["x-export-part"].partition("/")[2])
    mock.register.balances.clear()
    rest = [export(mock, "holders", batch=number, part=str(part)) for part in range(2, parts + 1)]
    lines = [part.content.decode("gb18030").splitlines() for part in (first, *rest)]
    assert len({part[0] for part in lines}) == 1
    assert sum(len(part) - 1 for part in lines) == sum(int(one.headers["x-export-rows"]) for one in (first, *rest))
    assert code(export(mock, "holders", batch=number, part=str(parts + 1))) == "2001"
    assert code(export(mock, "projects", batch=number, part="1")) == "2001"
    clock.advance(timedelta(minutes=30))
    assert code(export(mock, "holders", batch=number, part="1")) == "2004"


def test_a_csv_file_is_written_as_such_systems_write_it(mock: PhcerMock) -> None:
    projects = export(mock, "projects", format="csv", size="10")
    text = projects.content.decode("gb18030")
    assert text.startswith("项目编号,项目名称,")
    assert "年1月1日" in text
    digest = hashes.Hash(hashes.SM3())
    digest.update(projects.content)
    assert projects.headers["x-export-sm3"] == digest.finalize().hex()
    first = export(mock, "movements", format="csv", size="10").content.decode("gb18030").splitlines()[1]
    assert first.split(",")[0].endswith("\t")


def test_a_workbook_has_cells_of_their_own_kinds(mock: PhcerMock) -> None:
    content = export(mock, "movements", format="xlsx", size="10").content
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert sheet.title == "业务流水"
    headings, first = list(sheet.iter_rows(max_row=2, values_only=True))
    row = dict(zip(headings, first, strict=True))
    assert isinstance(row["办理时间"], datetime)
    assert isinstance(row["变动数量"], int)


def test_an_empty_export_still_has_headings(mock: PhcerMock) -> None:
    mock.register.lines.clear()
    file = export(mock, "movements", format="csv", size="10")
    assert (file.headers["x-export-part"], file.headers["x-export-rows"]) == ("1/1", "0")
    assert file.content.decode("gb18030").startswith("业务流水号,")


def test_what_is_not_available_cannot_be_moved(mock: PhcerMock) -> None:
    register = mock.register
    balance = next(one for one in register.balances.values() if one.account.number == register.account)
    batch, before = balance.batch.number, held(register)
    for wrong in (0, -1, balance.available + 1):
        with pytest.raises(RegisterError):
            register.change(batch, register.account, "GDZH-0000129", wrong)
        with pytest.raises(RegisterError):
            register.cancel(batch, register.account, wrong, "自愿注销")
        with pytest.raises(RegisterError):
            register.allocate(batch, register.account, "GDZH-0000129", wrong)
    with pytest.raises(RegisterError):
        register.cancel(batch, "GDZH-9999999", 1, "自愿注销")
    balance.batch.frozen = True
    with pytest.raises(RegisterError):
        register.cancel(batch, register.account, 1, "自愿注销")
    assert held(register) == before


def test_a_change_of_holder_and_a_cancellation_take_a_while(mock: PhcerMock, clock: MockClock) -> None:
    register = mock.register
    balance = next(one for one in register.balances.values() if one.account.number == register.account)
    batch, before, all_of_it = balance.batch.number, balance.quantity, held(register)
    register.change(batch, register.account, "GDZH-0000130", 7)
    register.cancel(batch, register.account, 5, "自愿注销")
    assert (balance.quantity, balance.moving) == (before, 12)
    clock.advance(timedelta(minutes=10))
    register.catch_up()
    assert (balance.quantity, balance.moving, held(register)) == (before - 12, 0, all_of_it - 5)
    assert {line.progress.value for line in register.lines} == {"已完成"}


def test_frozen_units_stay_and_are_freed(mock: PhcerMock) -> None:
    register = mock.register
    balance = next(one for one in register.balances.values() if one.frozen == 0)
    account, batch = balance.account.number, balance.batch.number
    register.freeze(batch, account, balance.quantity, "司法冻结", "示例机关")
    assert (balance.available, balance.authority) == (0, "示例机关")
    register.unfreeze(batch, account)
    assert (balance.frozen, balance.reason) == (0, None)
    with pytest.raises(RegisterError):
        register.unfreeze(batch, account)


def test_a_batch_that_is_used_up_says_so(mock: PhcerMock, clock: MockClock) -> None:
    register = mock.register
    batch = register.create(next(iter(register.projects)), "2024", 100, register.account)
    assert register.batch_state(batch) == "已创建"
    register.allocate(batch.number, register.account, "GDZH-0000130", 40)
    assert register.batch_state(batch) == "已分配"
    batch.frozen = True
    assert register.batch_state(batch) == "已冻结"
    batch.frozen = False
    register.cancel(batch.number, register.account, 60, "抵消使用")
    register.cancel(batch.number, "GDZH-0000130", 40, "抵消使用")
    clock.advance(timedelta(minutes=10))
    register.catch_up()
    assert register.batch_state(batch) == "已注销"


def test_a_portal_that_is_down_says_so_in_html(mock: PhcerMock) -> None:
    mock.down = True
    response = log_in(mock)
    assert (response.status_code, "系统维护" in response.content.decode("gb18030")) == (503, True)
