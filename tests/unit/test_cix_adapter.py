"""The CIX adapter against its stand-in: rows to records, commands and their doubt, webhooks, hostile answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import polars as pl
import pytest
import stamina
from pydantic import ValidationError

from adapters.cix import MANIFEST
from adapters.cix.adapter import CixAdapter
from adapters.cix.config import CixConfig
from adapters.cix.mock import CixMock, build
from adapters.cix.rehearsal import rehearse
from gateway.kit.contract import Page
from gateway.kit.errors import (
    AccessDenied,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    WebhookRefused,
)
from gateway.kit.faults import Drift, Fault, FaultPlan, with_faults
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import Mock, MockClock, in_process, serve
from gateway.kit.rehearsal import Rehearsal
from gateway.kit.signature import WebhookKey, sign
from gateway.kit.transport import Transport
from gateway.model.commands import Acceptance, CommandState, Lot, Transfer, TransferKind
from gateway.model.errors import CapabilityMissing

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
LIBRARY = Library.of_package(MANIFEST.mappings)
ACCOUNT = CixConfig().account


@dataclass
class Line:
    """The stand-in, and what is done to its answers on the way."""

    mock: Mock
    after: Callable[[httpx.Response], httpx.Response] = lambda response: response
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.after(self.mock.handle(request))


@pytest.fixture
def clock() -> MockClock:
    return MockClock(NOW)


@pytest.fixture
def mock(clock: MockClock) -> CixMock:
    return build(5, clock, offered=9, positions=5)


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@asynccontextmanager
async def adapter_of(mounted: Any, clock: MockClock, **settings: Any) -> AsyncIterator[CixAdapter]:
    async with Transport("cix", httpx.AsyncClient(transport=in_process(mounted))) as transport:
        yield CixAdapter(CixConfig(**settings), transport, clock)


def readers(adapter: CixAdapter) -> dict[str, Callable[[str | None], Any]]:
    return {
        "exchange": lambda cursor: adapter.read_listings("exchange", cursor),
        "marketplace": lambda cursor: adapter.read_listings("marketplace", cursor),
        "positions": lambda cursor: adapter.read_holdings("positions", cursor),
        "movements": lambda cursor: adapter.read_movements("movements", SINCE, cursor),
        "trades": lambda cursor: adapter.read_trades("trades", SINCE, cursor),
        "ctns": lambda cursor: adapter.read_trades("ctns", SINCE, cursor),
    }


async def pages_of(read: Callable[[str | None], Any]) -> list[Page]:
    pages = [cast("Page", await read(None))]
    while pages[-1].next_cursor is not None:
        assert len(pages) < 100
        pages.append(await read(pages[-1].next_cursor))
    return pages


async def mapped(feed: str, read: Callable[[str | None], Any]) -> Mapped:
    table = pl.concat([page.rows for page in await pages_of(read)], how="diagonal")
    return Mapping(feed, LIBRARY).apply(table)


def deposit(command_id: str = "C1", holding: str = "REG-0001", quantity: int = 1_000) -> Transfer:
    return Transfer(
        command_id=command_id,
        account=ACCOUNT,
        kind=TransferKind.EARMARK,
        counter_account="Verra account 1001",
        lots=(Lot(holding=holding, quantity=quantity),),
    )


def withdrawal(command_id: str = "C2", position: str = "POS-000001", quantity: int = 100) -> Transfer:
    return deposit(command_id, position, quantity).model_copy(update={"kind": TransferKind.RELEASE})


def html(_response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/html"}, text="<html>Sign in</html>")


def with_members(**changes: Any) -> Callable[[httpx.Response], httpx.Response]:
    def change(response: httpx.Response) -> httpx.Response:
        return httpx.Response(response.status_code, json={**json.loads(response.content), **changes})

    return change


def test_the_manifest_can_be_loaded_and_offers_what_the_adapter_has() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {
        "ReadsListings",
        "ReadsHoldings",
        "ReadsMovements",
        "ReadsTrades",
        "Transfers",
        "AcceptsTransfers",
        "SendsWebhooks",
    }
    assert all(sentence.endswith(".") for sentence in MANIFEST.simulated.values())


def test_importing_the_adapter_does_not_build_or_import_its_stand_in() -> None:
    code = "import sys, adapters.cix; print([one for one in sys.modules if one.startswith('adapters.cix')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "mock" not in said.stdout
    assert "book" not in said.stdout


async def test_every_feed_is_mapped_whole_and_adds_up(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        totals = {
            **{one.name: await adapter.listings_total(one.name) for one in adapter.listing_feeds()},
            **{one.name: await adapter.holdings_total(one.name) for one in adapter.holding_feeds()},
            **{one.name: await adapter.movements_total(one.name, SINCE) for one in adapter.movement_feeds()},
            **{one.name: await adapter.trades_total(one.name, SINCE) for one in adapter.trade_feeds()},
        }
        assert totals.keys() == readers(adapter).keys()
        for feed, read in readers(adapter).items():
            found = await mapped(feed, read)
            assert found.defects.is_empty(), found.defects
            assert (found.unknown, found.missing) == ((), ())
            assert found.rows.height == totals[feed].rows >= 3
            assert found.units == totals[feed].quantity


async def test_pages_of_one_row_read_the_same_rows(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as whole, adapter_of(mock, clock, page_size=1) as single:
        for feed, read in readers(single).items():
            pages = await pages_of(read)
            assert {page.rows.height for page in pages} == {1}
            assert (await mapped(feed, read)).rows.equals((await mapped(feed, readers(whole)[feed])).rows)


async def test_a_listing_of_the_marketplace_in_our_words(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        mock.book.withdraw_listing("MKT-000002")
        mock.book.lose_label("MKT-000004", "CCB")
        rows = {
            row["native_key"]: row
            for row in (await mapped("marketplace", readers(adapter)["marketplace"])).rows.to_dicts()
        }
    offered = mock.book.offered["MKT-000001"]
    first = rows["MKT-000001"]
    assert (first["programme"], first["project_id"]) == (offered.project.standard, offered.project.number)
    assert first["price"] == (offered.cents or 0) * 10_000
    assert first["valid_from"] == offered.listed_at
    assert (first["firmness"], rows["MKT-000005"]["firmness"]) == ("firm", "indicative")
    assert rows["MKT-000005"]["price"] is None
    assert rows["MKT-000002"]["state"] == "withdrawn"
    assert rows["MKT-000002"]["labels"] == ["CCB-GOLD"]
    assert rows["MKT-000004"]["labels"] == ["CORSIA-FIRST-ELIGIBLE"]


async def test_a_contract_has_its_present_deliverable_projects(mock: CixMock, clock: MockClock) -> None:
    mock.book.publish_notice("CNX-V22-25", ["VCS-934", "VCS-1748"])
    mock.book.halt("CCX-LG")
    async with adapter_of(mock, clock) as adapter:
        rows = {
            row["native_key"]: row for row in (await mapped("exchange", readers(adapter)["exchange"])).rows.to_dicts()
        }
        history = pl.concat([page.rows for page in await pages_of(adapter.notices)])
    nature = rows["CNX-V22-25/ASK"]
    assert nature["deliverable_projects"] == ["VCS-934", "VCS-1748"]
    assert (nature["side"], nature["lot"], nature["programme"], nature["project_id"]) == ("sell", 1_000, "VCS", None)
    assert (str(nature["vintage_start"]), str(nature["vintage_end"])) == ("2022-01-01", "2025-12-31")
    assert rows["CCX-LG/BID"]["state"] == "halted"
    retired = rows["CNX-V20-23/BID"]
    assert (retired["state"], retired["quantity"], retired["price"]) == ("expired", 0, None)
    assert retired["valid_until"] == datetime(2025, 7, 16, 16, 0, tzinfo=UTC)
    named = history.filter(pl.col("contract") == "CNX-V22-25").get_column("projects").to_list()
    assert [len(json.loads(text)) for text in named] == [11, 2]


async def test_an_unknown_state_quarantines_its_row(mock: CixMock, clock: MockClock) -> None:
    def change(response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, content=response.content.replace(b'"LIVE"', b'"PAUSED"', 1))

    async with adapter_of(Line(mock, change), clock) as adapter:
        found = await mapped("marketplace", readers(adapter)["marketplace"])
    assert found.defects.get_column("code").to_list() == ["STATE_UNKNOWN"]
    assert found.rows.height == 8


async def test_since_leaves_out_what_has_not_changed(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        assert (await adapter.movements_total("movements", NOW)).rows == 0
        page = await adapter.read_movements("movements", NOW, None)
        assert (page.rows.height, page.next_cursor) == (0, None)
        await adapter.transfer(deposit())
        assert (await adapter.movements_total("movements", NOW)).rows == 1
        clock.advance(timedelta(minutes=3))
        [row] = (await mapped("movements", lambda at: adapter.read_movements("movements", NOW, at))).rows.to_dicts()
    assert (row["kind"], row["state"], row["reference"]) == ("earmark", "final", "C1")
    assert row["occurred_at"] == clock()


async def test_a_deposit_is_confirmed_later_and_says_what_came(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        sent = await adapter.transfer(deposit())
        assert (sent.state, sent.native_state, sent.command_id) == (CommandState.ACCEPTED, "PROCESSING", "C1")
        assert (await adapter.transfer_status(deposit())).state is CommandState.ACCEPTED
        clock.advance(timedelta(minutes=3))
        done = await adapter.transfer_status(deposit())
        again = await adapter.transfer(deposit())
    assert (done.state, done.reference) == (CommandState.CONFIRMED, sent.reference)
    assert done.lots[0].holding == "POS-000006"
    assert done.lots[0].serial is not None
    assert (again.state, len(mock.book.commands)) == (CommandState.ACCEPTED, 1)


async def test_a_deposit_that_never_arrives_is_rejected_with_its_code(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        order = deposit(holding="NOWHERE")
        await adapter.transfer(order)
        clock.advance(timedelta(minutes=10))
        done = await adapter.transfer_status(order)
    assert (done.state, done.code) == (CommandState.REJECTED, "UNITS_NOT_RECEIVED")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (withdrawal(position="POS-999999"), "POSITION_UNKNOWN"),
        (withdrawal(quantity=10_000_000), "INSUFFICIENT_AVAILABLE"),
        (withdrawal().model_copy(update={"account": "OTHER"}), "ACCOUNT_UNKNOWN"),
        (withdrawal().model_copy(update={"business_date": NOW.date() - timedelta(days=1)}), "VALUE_DATE_PAST"),
    ],
)
async def test_a_refusal_is_final_and_has_the_venue_s_code(
    mock: CixMock, clock: MockClock, order: Transfer, code: str
) -> None:
    async with adapter_of(mock, clock) as adapter:
        with pytest.raises(Rejected) as caught:
            await adapter.transfer(order)
        assert caught.value.code == code
        status = await adapter.transfer_status(order)
    assert (status.state, status.code) == (CommandState.REJECTED, code)


async def test_suspension_rejects_commands_and_denies_market_data(mock: CixMock, clock: MockClock) -> None:
    mock.book.suspend()
    async with adapter_of(mock, clock) as adapter:
        with pytest.raises(Rejected) as caught:
            await adapter.transfer(withdrawal())
        assert caught.value.code == "MEMBER_SUSPENDED"
        with pytest.raises(AccessDenied, match="MEMBER_SUSPENDED"):
            await adapter.read_listings("exchange", None)
        assert (await adapter.read_holdings("positions", None)).rows.height == 5


async def test_an_id_that_was_used_for_something_else_is_in_doubt(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        await adapter.transfer(withdrawal("C1"))
        with pytest.raises(OutcomeUnknown, match="CLIENT_ORDER_ID_CONFLICT"):
            await adapter.transfer(withdrawal("C1", quantity=200))
    assert mock.book.positions["POS-000001"].leaving == 100


async def test_a_lost_reply_is_resolved_in_all_three_ways(mock: CixMock, clock: MockClock) -> None:
    lossy = with_faults(mock, FaultPlan(1, script=(Fault.LOST_REPLY, Fault.LOST_REPLY, Fault.SERVER_ERROR)))
    orders = (withdrawal("C1"), withdrawal("C2", quantity=10_000_000), withdrawal("C3"))
    async with adapter_of(lossy, clock) as adapter:
        for order in orders:
            with pytest.raises(OutcomeUnknown):
                await adapter.transfer(order)
        clock.advance(timedelta(minutes=3))
        told = [await adapter.transfer_status(order) for order in orders]
    assert [one.state for one in told] == [CommandState.CONFIRMED, CommandState.REJECTED, CommandState.NOT_FOUND]
    assert told[1].code == "INSUFFICIENT_AVAILABLE"
    assert mock.book.commands.keys() == {"C1", "C2"}


async def test_what_is_not_a_transfer_of_a_venue_is_not_sent(mock: CixMock, clock: MockClock) -> None:
    line = Line(mock)
    async with adapter_of(line, clock) as adapter:
        with pytest.raises(CapabilityMissing, match="no transfer"):
            await adapter.transfer(deposit().model_copy(update={"kind": TransferKind.TRANSFER}))
        with pytest.raises(CapabilityMissing, match="positions"):
            await adapter.read_holdings("exchange", None)
    assert line.asked == []


async def test_a_notification_is_answered_and_confirmed(mock: CixMock, clock: MockClock) -> None:
    waiting = [one.id for one in mock.book.deals.values() if one.state.value == "AWAITING_ACCEPTANCE"]
    yes = Acceptance(command_id="A1", account=ACCOUNT, transfer=waiting[0], accept=True)
    no = Acceptance(command_id="A2", account=ACCOUNT, transfer=waiting[1], accept=False)
    async with adapter_of(mock, clock) as adapter:
        assert (await adapter.accept(yes)).state is CommandState.ACCEPTED
        assert (await adapter.accept(no)).state is CommandState.CONFIRMED
        clock.advance(timedelta(minutes=2))
        assert (await adapter.acceptance_status(yes)).state is CommandState.CONFIRMED
        never = yes.model_copy(update={"command_id": "A3"})
        assert (await adapter.acceptance_status(never)).state is CommandState.NOT_FOUND
        with pytest.raises(Rejected) as caught:
            await adapter.accept(never)
        rows = (await mapped("ctns", readers(adapter)["ctns"])).rows
    assert caught.value.code == "CTN_NOT_AWAITING_YOU"
    states = dict(rows.select("native_key", "state_native").iter_rows())
    assert [states[one] for one in waiting] == ["CONFIRMED", "REJECTED"]


@pytest.mark.parametrize(
    "after",
    [
        html,
        lambda _: httpx.Response(200, content=b'{"items": ['),
        lambda _: httpx.Response(200, content=b"\xff\xfe"),
        lambda _: httpx.Response(200, json=[]),
        lambda _: httpx.Response(204),
        with_members(items=None),
        with_members(items=[{}]),
        with_members(total=None),
        with_members(total=-1),
        with_members(totalQuantity="many"),
        with_members(nextCursor={"at": "7"}),
        with_members(nextCursor="", items=[]),
        with_members(nextCursor="abc", items=[]),
        with_members(items=[{"a": 1}, {"a": 2}, {"a": 3}]),
        lambda _: httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        lambda _: httpx.Response(404, json={"error": {"code": "NO_SUCH_RESOURCE"}}),
    ],
)
async def test_a_read_that_breaks_the_contract_is_a_breach(
    mock: CixMock, clock: MockClock, after: Callable[[httpx.Response], httpx.Response]
) -> None:
    async with adapter_of(Line(mock, after), clock, page_size=2) as adapter:
        with pytest.raises(ContractBreach):
            await adapter.read_holdings("positions", None)


@pytest.mark.parametrize(
    "after",
    [
        html,
        lambda _: httpx.Response(202, content=b"{"),
        lambda _: httpx.Response(202, json={}),
        with_members(state="SHELVED"),
        with_members(clientOrderId="other"),
        with_members(lots=[{"holding": "POS-000001", "serial": None, "quantity": 0}]),
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(429),
        lambda _: httpx.Response(404, json={"error": {"code": "POSITION_UNKNOWN", "message": ""}}),
        lambda _: httpx.Response(422, json={"error": {"code": "SOMETHING_NEW", "message": ""}}),
        lambda _: httpx.Response(422, text="no"),
    ],
)
async def test_an_unreadable_answer_to_a_command_is_doubt(
    mock: CixMock, clock: MockClock, after: Callable[[httpx.Response], httpx.Response]
) -> None:
    async with adapter_of(Line(mock, after), clock) as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(withdrawal())


@pytest.mark.parametrize(
    "changes",
    [
        {"asked": {"clientOrderId": "other"}},
        {"asked": None},
        {"items": None},
        {"items": [{"clientOrderId": "other", "reference": "R", "state": "COMPLETED", "lots": []}]},
        {"items": [{"clientOrderId": "C2", "reference": "R", "state": "SHELVED", "lots": []}]},
        {"items": [{"clientOrderId": "C2", "reference": "R", "state": "COMPLETED", "lots": []}] * 2},
    ],
)
async def test_a_status_that_is_not_of_our_order_is_a_breach(
    mock: CixMock, clock: MockClock, changes: dict[str, Any]
) -> None:
    async with adapter_of(Line(mock, with_members(**changes)), clock) as adapter:
        with pytest.raises(ContractBreach):
            await adapter.transfer_status(withdrawal())


async def test_wrong_credentials_and_a_venue_that_is_down(mock: CixMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock, api_key="wrong-key-text") as adapter:
        with pytest.raises(AccessDenied) as denied:
            await adapter.read_holdings("positions", None)
        with pytest.raises(AccessDenied):
            await adapter.transfer(withdrawal())
    assert "wrong-key-text" not in str(denied.value)
    mock.down = True
    async with adapter_of(mock, clock) as adapter:
        with pytest.raises(Unavailable):
            await adapter.read_holdings("positions", None)
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(withdrawal())


async def test_what_could_not_be_sent_was_not_sent(clock: MockClock) -> None:
    class Unreachable:
        def handle(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

    async with adapter_of(Unreachable(), clock) as adapter:
        with pytest.raises(NotSent):
            await adapter.transfer(withdrawal())


async def test_a_push_about_a_notification_has_its_row(mock: CixMock, clock: MockClock) -> None:
    mock.book.events.clear()
    waiting = next(one for one in mock.book.deals.values() if one.state.value == "AWAITING_ACCEPTANCE")
    mock.book.tell("ctn.submitted", waiting.id)
    mock.book.suspend()
    (headers, body), (other, told) = mock.deliveries()
    async with adapter_of(mock, clock) as adapter:
        found, change = adapter.verify(headers, body), adapter.verify(other, told)
    assert (found.event_type, found.sent_at, found.feed and found.feed.name) == ("ctn.submitted", NOW, "ctns")
    rows = Mapping("ctns", LIBRARY).apply(found.rows)
    assert rows.rows.get_column("native_key").to_list() == [waiting.id]
    assert (rows.defects.height, rows.unknown, rows.missing) == (0, (), ())
    assert (change.event_type, change.feed, change.rows.height) == ("member.suspended", None, 0)
    assert found.document.content == body


async def test_pushes_that_are_not_to_be_believed(mock: CixMock, clock: MockClock) -> None:
    mock.book.tell("notice.published")
    headers, body = mock.deliveries()[-1]
    key, other = CixConfig().webhook_key, "whsec_" + "QUJDRA" * 6
    async with adapter_of(mock, clock) as adapter:
        assert adapter.verify(headers, body).event_type == "notice.published"
        for wrong in (
            (headers, body + b" "),
            ({}, body),
            (headers | {"webhook-id": "evt-000000"}, body),
            (sign("evt-1", NOW - timedelta(minutes=6), body, WebhookKey.parse(key.get_secret_value())), body),
            (sign("evt-1", NOW, body, WebhookKey.parse(other)), body),
        ):
            with pytest.raises(WebhookRefused):
                adapter.verify(*wrong)
        for signed in (b"", b"[]", b"{}", b'{"type": "ctn.submitted"}', b'{"type": "ctn.submitted", "data": {}}'):
            with pytest.raises(WebhookRefused):
                adapter.verify(sign("evt-1", NOW, signed, WebhookKey.parse(key.get_secret_value())), signed)
    async with adapter_of(mock, clock, webhook_key=other, former_webhook_key=key.get_secret_value()) as adapter:
        assert adapter.verify(headers, body).event_id == headers["webhook-id"]


def test_settings_that_cannot_be_are_refused_without_showing_them() -> None:
    for wrong in (
        {"webhook_key": "whsec_short-and-secret"},
        {"page_size": 0},
        {"page_size": 201},
        {"url": "ftp://cix.example"},
        {"member": "a/b"},
        {"other": 1},
    ):
        with pytest.raises(ValidationError) as caught:
            CixConfig(**cast("Any", wrong))
        assert "short-and-secret" not in str(caught.value)


async def test_it_works_over_a_socket_too(mock: CixMock, clock: MockClock) -> None:
    async with serve(mock) as base, Transport("cix", httpx.AsyncClient()) as transport:
        adapter = CixAdapter(CixConfig(url=f"{base}/api/v1"), transport, clock)
        assert (await adapter.holdings_total("positions")).rows == 5
        assert (await adapter.transfer(withdrawal())).state is CommandState.ACCEPTED


@pytest.mark.parametrize("name", ["items", "nextCursor", "total", "totalQuantity"])
async def test_a_member_that_is_called_otherwise_now_is_a_breach(mock: CixMock, clock: MockClock, name: str) -> None:
    drifted = with_faults(mock, FaultPlan(1, script=(Fault.DRIFT,), drift=Drift(renamed={name: f"{name}V2"})))
    async with adapter_of(drifted, clock) as adapter:
        with pytest.raises(ContractBreach, match=name):
            await adapter.read_holdings("positions", None)


@pytest.mark.parametrize("name", ["clientOrderId", "reference", "state", "code", "lots", "quantity"])
async def test_an_answer_whose_members_changed_is_doubt(mock: CixMock, clock: MockClock, name: str) -> None:
    drifted = with_faults(mock, FaultPlan(1, script=(Fault.DRIFT,), drift=Drift(renamed={name: f"{name}V2"})))
    async with adapter_of(drifted, clock) as adapter:
        with pytest.raises(OutcomeUnknown, match=name):
            await adapter.transfer(withdrawal())


def rehearsal(clock: MockClock) -> Rehearsal:
    return rehearse(7, clock)


async def test_the_rehearsal_s_orders_do_what_they_say(clock: MockClock) -> None:
    one = rehearsal(clock)
    async with adapter_of(one.mock, clock, **one.settings) as adapter:
        for transfer in one.transfers:
            assert one.effects(transfer) == 0
            await adapter.transfer(transfer)
        for acceptance in one.acceptances:
            await adapter.accept(acceptance)
        one.settle()
        for transfer in one.transfers:
            assert (await adapter.transfer_status(transfer)).state is CommandState.CONFIRMED
            assert one.effects(transfer) == 1
        for acceptance in one.acceptances:
            assert (await adapter.acceptance_status(acceptance)).state is CommandState.CONFIRMED
            assert one.effects(acceptance) == 1
        for refused in one.refused:
            send = adapter.transfer if isinstance(refused.order, Transfer) else adapter.accept
            with pytest.raises(Rejected) as caught:
                await send(refused.order)
            assert (caught.value.code, one.effects(refused.order)) == (refused.code, 0)
        assert one.webhook is not None
        assert adapter.verify(*one.webhook()).feed is not None


async def test_the_rehearsal_inserts_rows_in_what_is_paged(clock: MockClock) -> None:
    one = rehearsal(clock)
    async with adapter_of(one.mock, clock, **one.settings, **one.small_pages) as adapter:
        before = [await adapter.listings_total("marketplace"), await adapter.holdings_total("positions")]
        one.insert()
        after = [await adapter.listings_total("marketplace"), await adapter.holdings_total("positions")]
    assert after[0].rows == before[0].rows + 1
    assert (after[1].quantity or 0) == (before[1].quantity or 0) + 10
