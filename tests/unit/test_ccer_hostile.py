"""The CCER adapter and its stand-in against lists that move, marks nobody sees, and bodies that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import stamina

from adapters.ccer import MANIFEST
from adapters.ccer.book_build import ACCOUNT, COURT
from adapters.ccer.mock import CcerMock
from adapters.ccer.rehearsal import SECRETS
from adapters.ccer.words import Tab
from gateway.kit.decoding import decode_json
from gateway.kit.errors import OutcomeUnknown, Unavailable
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT
from gateway.model.commands import CommandState
from tests.unit.test_ccer_adapter import CONFIRM, Line, Stage, never_arrived


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture
def stage() -> Stage:
    clock = MockClock(STARTS_AT)
    rehearsal = MANIFEST.rehearse(11, clock)
    assert isinstance(rehearsal.mock, CcerMock)
    return Stage(rehearsal, clock, Line(rehearsal.mock))


async def test_a_statement_that_lost_a_line_while_it_was_read_is_read_again(stage: Stage) -> None:
    book = stage.mock.book
    async with stage.adapter(page_size=2) as adapter:
        first = await adapter.read_holdings("holdings", None)
        book.cancel_by_force(book.statement(ACCOUNT)[0].block_id, COURT, stage.clock())
        with pytest.raises(Unavailable, match="changed while it was read"):
            await adapter.read_holdings("holdings", first.next_cursor)


async def test_a_public_list_that_lost_an_item_while_it_was_read_is_read_again(stage: Stage) -> None:
    book = stage.mock.book

    def losing(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        answer = handle(request)
        book.openings.remove(book.listed(Tab.REGISTERED_PROJECTS)[0])
        return answer

    async with stage.adapter(page_size=2) as adapter:
        first = await adapter.read_catalogue("projects", None)
        stage.line.on["getOpeningApply"] = losing
        with pytest.raises(Unavailable, match="changed while it was read"):
            await adapter.catalogue_total("projects")
        with pytest.raises(Unavailable, match="changed while it was read"):
            await adapter.read_catalogue("projects", first.next_cursor)


async def test_a_byte_order_mark_does_not_spoil_the_raw_page(stage: Stage) -> None:
    def marked(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        return httpx.Response(200, content=b"\xef\xbb\xbf" + handle(request).content)

    for path in ("getOpeningApply", "Detail"):
        stage.line.on[path] = marked
    async with stage.adapter() as adapter:
        page = await adapter.read_catalogue("projects", None)
    raw = decode_json(page.document.content)
    assert isinstance(raw, dict)
    assert isinstance(raw["details"], list)
    assert len(raw["details"]) == page.rows.height


async def test_units_of_an_instruction_that_lapsed_have_not_moved(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[CONFIRM] = never_arrived
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        assert (await adapter.transfer_status(order)).lots
        stage.rehearsal.settle()
        status = await adapter.transfer_status(order)
    assert (status.state, status.code, status.lots) == (CommandState.REJECTED, "3021", ())


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[" * 100_000, "参数错误"), (json.dumps({"accountNo": ACCOUNT, "outFlowNo": "\ud800"}).encode(), "指令不存在")],
)
def test_the_registry_says_no_to_what_cannot_be_read(stage: Stage, body: bytes, said: str) -> None:
    url = "https://ccer.example/api/exchangeOperate/instruction/confirm"
    headers = {"authorization": f"Bearer {SECRETS[1]}"}
    answer: dict[str, Any] = stage.mock.handle(httpx.Request("POST", url, headers=headers, content=body)).json()
    assert answer["successful"] is False
    assert said in answer["msg"]
