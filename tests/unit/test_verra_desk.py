"""The account side of the registry's stand-in: what can happen to units there, and what wrong requests are told."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.verra.book_entries import OMNIBUS_NAME, Block
from adapters.verra.book_operations import OPEN, Refusal, Wanted
from adapters.verra.config import ACCOUNTS_PATH
from adapters.verra.mock import VerraMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT
from tests.unit.test_verra_book import assert_consistent

FORM = "grant_type=client_credentials&client_id=hkcv-omnibus&client_secret=the-omnibus-client-secret"


def registry() -> tuple[VerraMock, MockClock]:
    clock = MockClock(STARTS_AT)
    return build(3, clock, projects=8, blocks=60, defective=False), clock


def ask(
    mock: VerraMock, method: str, path: str, body: object = None, *, token: str | None = None
) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    url = f"https://registry.test{ACCOUNTS_PATH}/{path}"
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    response = mock.handle(httpx.Request(method, url, headers=headers, content=content))
    return response.status_code, json.loads(response.content)


def token_of(mock: VerraMock) -> str:
    return str(ask(mock, "POST", "oauth/token", FORM.encode())[1]["access_token"])


def ours(mock: VerraMock) -> list[Block]:
    return [one for one in mock.book.holdings.values() if one.account.name == OMNIBUS_NAME]


def state(mock: VerraMock) -> str:
    book = mock.book
    return repr([book.holdings, book.retirements, book.changes, mock.desk.operations, mock.desk.decisions])


def good(mock: VerraMock) -> dict[str, Any]:
    block = ours(mock)[0]
    return {
        "reference": "K1",
        "counterAccountNumber": "1001",
        "blocks": [{"holdingId": str(block.entity_id), "serialNumber": block.shown_serial, "quantity": 1}],
    }


BLOCK = {"holdingId": "1", "serialNumber": None, "quantity": 1}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"reference": None}, 400, "INVALID_REQUEST"),
        ({"reference": ""}, 400, "INVALID_REQUEST"),
        ({"reference": 5}, 400, "INVALID_REQUEST"),
        ({"reference": "R" * 65}, 400, "INVALID_REQUEST"),
        ({"counterAccountNumber": None}, 400, "INVALID_REQUEST"),
        ({"counterAccountNumber": "5"}, 422, "UNKNOWN_ACCOUNT"),
        ({"counterAccountNumber": "90420"}, 422, "SAME_ACCOUNT"),
        ({"blocks": []}, 400, "INVALID_REQUEST"),
        ({"blocks": "all"}, 400, "INVALID_REQUEST"),
        ({"blocks": [5]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK] * 101}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK | {"quantity": 0}]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK | {"quantity": True}]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK | {"quantity": "1"}]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK | {"quantity": 1.5}]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK | {"serialNumber": 5}]}, 400, "INVALID_REQUEST"),
        ({"blocks": [BLOCK]}, 422, "UNKNOWN_HOLDING"),
        ({"blocks": [BLOCK | {"holdingId": "x"}]}, 422, "UNKNOWN_HOLDING"),
    ],
)
def test_a_wrong_transfer_is_told_so_and_changes_nothing(change: dict[str, Any], status: int, code: str) -> None:
    mock, _ = registry()
    token, before = token_of(mock), state(mock)
    found, answer = ask(mock, "POST", "accounts/90420/transfers", good(mock) | change, token=token)
    assert (found, answer["code"]) == (status, code)
    assert state(mock) == before
    assert ask(mock, "POST", "accounts/90420/transfers", good(mock), token=token)[0] == 201


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"", b"[" * 100_000])
@pytest.mark.parametrize("path", ["transfers", "retirements", "transfers/TRF-000001/decision"])
def test_a_body_that_is_no_document_is_told_so(path: str, body: bytes) -> None:
    mock, _ = registry()
    status, answer = ask(mock, "POST", f"accounts/90420/{path}", body, token=token_of(mock))
    assert (status, answer["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "accounts", 404, "NOT_FOUND"),
        ("GET", "accounts/90420", 404, "NOT_FOUND"),
        ("GET", "accounts/90420/loans", 404, "NOT_FOUND"),
        ("GET", "accounts/1001/holdings", 403, "ACCOUNT_NOT_PERMITTED"),
        ("POST", "accounts/90420/holdings", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "accounts/90420/transfers", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "accounts/90420/transfers", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/movements", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/movements?since=2026-07-15T00:00:00", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/holdings?limit=0", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/holdings?limit=201", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/holdings?after=-1", 400, "INVALID_REQUEST"),
        ("GET", "accounts/90420/retirements/RET-000001/certificate", 404, "NO_CERTIFICATE"),
        ("GET", "accounts/90420/transfers/TRF-000001/decision", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "oauth/token", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_what_the_registry_does_not_know_it_says(method: str, path: str, status: int, code: str) -> None:
    mock, _ = registry()
    found, answer = ask(mock, method, path, token=token_of(mock))
    assert (found, answer["code"]) == (status, code)


def test_credentials_and_tokens_are_checked() -> None:
    mock, clock = registry()
    assert ask(mock, "POST", "oauth/token", b"grant_type=password")[1] == {"error": "unsupported_grant_type"}
    assert ask(mock, "POST", "oauth/token", b"\xff")[0] == 400
    assert ask(mock, "POST", "oauth/token", FORM.replace("the-", "a-").encode())[0] == 401
    token = token_of(mock)
    assert ask(mock, "GET", "accounts/90420/holdings", token=token)[0] == 200
    for wrong in (None, "", "token-999999"):
        assert ask(mock, "GET", "accounts/90420/holdings", token=wrong)[0] == 401
    for scheme in ("", "Basic "):
        url = f"https://registry.test{ACCOUNTS_PATH}/accounts/90420/holdings"
        bare = httpx.Request("GET", url, headers={"authorization": f"{scheme}{token}"})
        assert mock.handle(bare).status_code == 401
    clock.advance(timedelta(minutes=30))
    assert ask(mock, "GET", "accounts/90420/holdings", token=token)[1]["code"] == "TOKEN_NOT_VALID"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"beneficiary": "a\nb"}, "INVALID_BENEFICIARY"),
        ({"beneficiary": None}, "INVALID_REQUEST"),
        ({"purpose": "OFFSET"}, "INVALID_PURPOSE"),
        ({"retirementReason": "Because"}, "INVALID_REASON"),
        ({"remarks": 5}, "INVALID_REQUEST"),
    ],
)
def test_a_wrong_retirement_is_told_so(change: dict[str, Any], code: str) -> None:
    mock, _ = registry()
    body = good(mock) | {"purpose": "VOLUNTARY", "beneficiary": "海雲澗貿易有限公司"}
    token, before = token_of(mock), state(mock)
    assert ask(mock, "POST", "accounts/90420/retirements", body | change, token=token)[1]["code"] == code
    assert state(mock) == before
    assert ask(mock, "POST", "accounts/90420/retirements", body, token=token)[0] == 201


def test_a_serial_names_its_units_exactly() -> None:
    mock, _ = registry()
    account, receiver = ours(mock)[0].account, mock.book.account("Somebody")
    block, other = sorted(ours(mock), key=lambda one: -one.quantity)[:2]
    key = str(block.entity_id)
    outside = block.batch.serial(block.last, block.last + 1, flagged=block.flagged)
    flipped = (block.shown_serial or "")[:-1] + ("0" if block.flagged else "1")
    for serial in (outside, flipped, other.shown_serial, "5-6", f"{block.shown_serial} "):
        with pytest.raises(Refusal) as caught:
            mock.desk.transfer(account, receiver, "A", [Wanted(key, serial, 1)])
        assert caught.value.code == "UNKNOWN_SERIAL"
    with pytest.raises(Refusal) as caught:
        mock.desk.transfer(account, receiver, "A", [Wanted(key, None, 2), Wanted(key, block.shown_serial, 1)])
    assert caught.value.code == "OVERLAPPING_UNITS"
    middle = block.batch.serial(block.first + 5, block.first + 6, flagged=block.flagged)
    last = block.batch.serial(block.last, block.last, flagged=block.flagged)
    first, second = mock.desk.transfer(account, receiver, "A", [Wanted(key, last, 1), Wanted(key, middle, 1)]).pieces
    assert (first.serial, second.first, second.last) == (last, block.first + 5, block.first + 5)
    with pytest.raises(Refusal) as caught:
        mock.desk.retire(
            account, "B", [Wanted(str(first.block), None, 1)], beneficiary="x", reason="Other", remarks=None
        )
    assert caught.value.code == "UNITS_IN_TRANSIT"
    assert_consistent(mock.book)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["transfer", "retire", "hold", "lift", "freeze", "take", "send", "answer"]),
        st.integers(0, 60),
        st.integers(1, 50_000),
        st.integers(0, 6),
    ),
    max_size=20,
)


def step(mock: VerraMock, kind: str, place: int, quantity: int, reference: str) -> None:
    book, desk = mock.book, mock.desk
    account, receiver = book.account(OMNIBUS_NAME), book.account("Somebody")
    mine = ours(mock)
    block = mine[place % len(mine)]
    wanted = [Wanted(str(block.entity_id), block.shown_serial if place % 2 else None, quantity)]
    if kind == "transfer":
        desk.transfer(account, receiver, reference, wanted)
    elif kind == "retire":
        desk.retire(account, reference, wanted, beneficiary="x", reason="Other", remarks=None)
    elif kind == "hold":
        book.put_on_hold(block.entity_id, "Review")
    elif kind == "lift" and block.hold is not None:
        book.lift_hold(block.entity_id)
    elif kind == "freeze":
        (book.unfreeze if OMNIBUS_NAME in book.frozen else lambda name: book.freeze(name, "Screening"))(OMNIBUS_NAME)
    elif kind == "take":
        book.cancel(block.entity_id, units=(block.first, block.first))
    elif kind == "send":
        others = [one for one in book.holdings.values() if one.account.name != OMNIBUS_NAME]
        desk.send(others[place % len(others)].entity_id, account, reference)
    elif kind == "answer":
        waiting = [one.number for one in desk.open() if one.receiver == account]
        desk.decide(account, waiting[0] if waiting else "NONE", reference, accept=bool(place % 2))


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_whatever_happens_no_unit_is_lost_or_in_two_places(steps: list[tuple[str, int, int, int]]) -> None:
    mock, clock = registry()
    for number, (kind, place, quantity, minutes) in enumerate(steps):
        with suppress(Refusal):
            step(mock, kind, place, quantity, f"S{number}")
        clock.advance(timedelta(minutes=minutes))
        mock.desk.settle()
        assert_consistent(mock.book)
        waiting = {one.number for one in mock.desk.open()}
        locks = {block.locked for block in mock.book.holdings.values() if block.locked is not None}
        assert locks <= waiting
    clock.advance(timedelta(days=20))
    mock.desk.settle()
    assert not any(one.state in OPEN for one in mock.desk.operations.values())
    assert not any(block.locked for block in mock.book.holdings.values())


def test_a_registry_too_small_for_an_omnibus_is_built_without_one() -> None:
    mock = build(1, MockClock(STARTS_AT), projects=1, blocks=1)
    assert ask(mock, "GET", "accounts/90420/holdings", token=token_of(mock))[1]["totalRows"] == len(ours(mock))
