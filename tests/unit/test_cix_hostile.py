"""What the CIX adapter does not claim of a refused command, and requests that the stand-in must survive."""

from __future__ import annotations

import base64
from datetime import timedelta

import httpx
import pytest

from adapters.cix.mock import CixMock, build
from gateway.kit.mock import MockClock
from gateway.model.commands import CommandState, Lot
from tests.unit.test_cix_adapter import NOW, adapter_of, deposit
from tests.unit.test_cix_mock import ask, code


@pytest.fixture
def clock() -> MockClock:
    return MockClock(NOW)


@pytest.fixture
def mock(clock: MockClock) -> CixMock:
    return build(5, clock, offered=9, positions=5)


async def test_the_lots_of_a_deposit_that_was_given_up_have_not_moved(mock: CixMock, clock: MockClock) -> None:
    order = deposit(holding="REG-9999")
    async with adapter_of(mock, clock) as adapter:
        assert (await adapter.transfer(order)).lots
        clock.advance(timedelta(hours=1))
        status = await adapter.transfer_status(order)
    assert (status.state, status.code, status.lots) == (CommandState.REJECTED, "UNITS_NOT_RECEIVED", ())


async def test_units_that_a_deposit_names_twice_are_not_received_twice(mock: CixMock, clock: MockClock) -> None:
    held = sum(one.quantity for one in mock.book.positions.values())
    order = deposit().model_copy(update={"lots": (Lot(holding="REG-0001", quantity=1_000),) * 2})
    async with adapter_of(mock, clock) as adapter:
        await adapter.transfer(order)
        clock.advance(timedelta(hours=1))
        status = await adapter.transfer_status(order)
    assert (status.state, status.code) == (CommandState.REJECTED, "UNITS_NOT_RECEIVED")
    assert sum(one.quantity for one in mock.book.positions.values()) == held


@pytest.mark.parametrize("query", ["limit=0000011999", f"cursor={base64.urlsafe_b64encode(b'[' * 20_000).decode()}"])
def test_a_page_that_cannot_be_is_refused(mock: CixMock, query: str) -> None:
    answer: httpx.Response = ask(mock, "GET", f"exchange/levels?{query}")
    assert (answer.status_code, code(answer)) == (422, "FIELD_INVALID")


def test_units_on_their_way_out_cannot_be_frozen(mock: CixMock) -> None:
    one = mock.book.positions["POS-000001"]
    one.leaving = 10
    with pytest.raises(ValueError, match="are not on their way out or sold"):
        mock.book.freeze(one.id, one.quantity, "Registry review")
    mock.book.freeze(one.id, one.quantity - 10, "Registry review")
    assert one.available == 0
