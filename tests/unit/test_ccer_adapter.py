"""The CCER adapter against the registry's stand-in: public traps, the statement, and instructions of two persons."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import polars as pl
import pytest
import stamina
from pydantic import ValidationError

from adapters.ccer import MANIFEST
from adapters.ccer.adapter import CcerAdapter
from adapters.ccer.book_build import ACCOUNT, COURT, OTHERS, TRADING_ACCOUNT, add_project
from adapters.ccer.book_entries import Operator, Role
from adapters.ccer.config import CcerConfig
from adapters.ccer.mock import CcerMock
from adapters.ccer.rehearsal import SECRETS, retirement, transfer
from gateway.kit.contract import Page
from gateway.kit.errors import (
    AccessDenied,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import MockClock, in_process, serve
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.kit.transport import Transport
from gateway.model.commands import CommandState, CommandStatus, Retirement, RetirementPurpose, Transfer, TransferKind
from gateway.model.errors import CapabilityMissing, ConfigurationError

LIBRARY: Final = Library.of_package("mappings.ccer")
SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
PAGES_LIMIT: Final = 200
APPLY: Final = "instruction/apply"
CONFIRM: Final = "instruction/confirm"

Answer = Callable[[httpx.Request, Callable[[httpx.Request], httpx.Response]], httpx.Response]


@dataclass
class Line:
    """The stand-in, what was asked of it, and what happens to requests whose path ends in a word."""

    mock: CcerMock
    on: dict[str, Answer] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        for ending, answer in self.on.items():
            if request.url.path.endswith(ending):
                return answer(request, self.mock.handle)
        return self.mock.handle(request)

    def paths(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.asked]


@dataclass
class Stage:
    """A rehearsal, its clock and the line to it."""

    rehearsal: Rehearsal
    clock: MockClock
    line: Line

    @property
    def mock(self) -> CcerMock:
        assert isinstance(self.rehearsal.mock, CcerMock)
        return self.rehearsal.mock

    @asynccontextmanager
    async def adapter(self, **settings: Any) -> AsyncIterator[CcerAdapter]:
        config = CcerConfig(**{**self.rehearsal.settings, **settings})
        async with Transport("ccer", httpx.AsyncClient(transport=in_process(self.line))) as transport:
            yield CcerAdapter(config, transport, self.clock)


@pytest.fixture
def stage() -> Stage:
    clock = MockClock(STARTS_AT)
    rehearsal = MANIFEST.rehearse(11, clock)
    assert isinstance(rehearsal.mock, CcerMock)
    return Stage(rehearsal, clock, Line(rehearsal.mock))


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def lost(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    handle(request)
    raise httpx.ReadError("the connection broke before the answer", request=request)


def never_sent(request: httpx.Request, _handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    raise httpx.ConnectError("no route", request=request)


def never_arrived(request: httpx.Request, _handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    raise httpx.ReadTimeout("no answer in time", request=request)


def twice(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    handle(request)
    return handle(request)


def answered(status: int, body: bytes, *, after: bool = False) -> Answer:
    def answer(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        if after:
            handle(request)
        return httpx.Response(status, content=body)

    return answer


def changing(change: Callable[[dict[str, Any]], object]) -> Answer:
    def answer(request: httpx.Request, handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        document = json.loads(handle(request).content)
        change(document)
        return httpx.Response(200, content=json.dumps(document).encode())

    return answer


async def all_pages(read: Callable[[str | None], Awaitable[Page]]) -> list[Page]:
    pages = [await read(None)]
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < PAGES_LIMIT
        pages.append(await read(cursor))
    return pages


def mapped(name: str, pages: list[Page]) -> Mapped:
    table = pl.concat([page.rows for page in pages], how="diagonal")
    return Mapping(name, LIBRARY).apply(table)


def clean(found: Mapped) -> pl.DataFrame:
    assert (found.unknown, found.missing, found.defects.height) == ((), (), 0)
    return found.rows


def orders_of(stage: Stage) -> tuple[Transfer | Retirement, ...]:
    return (*stage.rehearsal.transfers, *stage.rehearsal.retirements)


async def send(adapter: CcerAdapter, order: Transfer | Retirement) -> CommandStatus:
    return await (adapter.transfer(order) if isinstance(order, Transfer) else adapter.retire(order))


# The manifest and the settings.


def test_the_manifest_can_be_loaded_and_says_what_is_simulated() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {"ReadsCatalogue", "ReadsHoldings", "ReadsMovements", "Transfers", "Retires"}
    assert (MANIFEST.programme, MANIFEST.calendar, MANIFEST.zone) == ("CCER", "ccer", "Asia/Shanghai")
    assert MANIFEST.title_native == "全国温室气体自愿减排注册登记系统"
    assert {"account side", "serials", "outbound"} <= MANIFEST.simulated.keys()


def test_two_sessions_are_two_people_and_are_never_shown() -> None:
    with pytest.raises(ValidationError, match="expected those of two different operators") as caught:
        CcerConfig(maker_token="one-secret", checker_token="one-secret")
    assert "one-secret" not in str(caught.value)
    assert "the-maker-session" not in repr(CcerConfig())


@pytest.mark.parametrize("wrong", [{"page_size": 101}, {"page_size": 0}, {"account": "x"}, {"public_url": "ccer"}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CcerConfig(**wrong)


# Projects.


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_every_project_of_both_lists_is_read_once(stage: Stage, size: int) -> None:
    async with stage.adapter(page_size=size) as adapter:
        pages = await all_pages(lambda cursor: adapter.read_catalogue("projects", cursor))
        stated = await adapter.catalogue_total("projects")
    rows = clean(mapped("projects", pages))
    projects = stage.mock.book.projects
    assert stated.rows == rows.height == len(projects)
    assert stated.quantity is None
    assert sorted(rows["project_id"]) == sorted(one.apply_id for one in projects)
    assert all(len(text) == 19 for text in rows["project_id"])


async def test_a_project_has_what_its_detail_says(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        pages = await all_pages(lambda cursor: adapter.read_catalogue("projects", cursor))
    rows = clean(mapped("projects", pages))
    known = {one.apply_id: one for one in stage.mock.book.projects}
    for row in rows.iter_rows(named=True):
        project = known[row["project_id"]]
        assert (row["name"], row["proponent"], row["country"]) == (project.name, project.owner, "CN")
        assert row["methodologies_native"] == project.methodology
        assert (row["region_native"], row["estimated_annual_units"]) == (project.province, project.yearly)
    states = set(zip(rows["state_native"], rows["state"], strict=True))
    assert states == {("公示中", "development"), ("已登记", "registered"), ("已签发", "registered")}


async def test_a_project_in_both_lists_is_read_as_registered(stage: Stage) -> None:
    book = stage.mock.book
    both = {one.project.apply_id for one in book.openings if one.tab.value == 1} & {
        one.project.apply_id for one in book.openings if one.tab.value == 2
    }
    assert both
    async with stage.adapter() as adapter:
        pages = await all_pages(lambda cursor: adapter.read_catalogue("projects", cursor))
    assert both <= set(pages[0].rows["applyId"])
    assert not both & set(pages[-1].rows["applyId"])
    assert all(one in pages[-1].document.content.decode() for one in both)


async def test_the_raw_page_holds_every_answer_as_received(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        page = await adapter.read_catalogue("projects", None)
    document = json.loads(page.document.content)
    assert document["list"]["total"] == page.rows.height == len(document["details"])
    assert document["details"][0]["dataInfo"]["methodologyNum"] == page.rows["detail.methodologyNum"][0]


async def test_an_item_without_its_secondary_id_has_no_detail(stage: Stage) -> None:
    def drop_one(document: dict[str, Any]) -> None:
        document["dataInfo"][0]["projectInfoId"] = None

    stage.line.on["getOpeningApply"] = changing(drop_one)
    async with stage.adapter() as adapter:
        page = await adapter.read_catalogue("projects", None)
    rows = clean(mapped("projects", [page]))
    assert rows["methodologies_native"].to_list().count(None) == 1
    assert rows["methodologies_native"][0] is None


async def test_a_status_that_nobody_knows_quarantines_the_project(stage: Stage) -> None:
    def invent(document: dict[str, Any]) -> None:
        document["dataInfo"][0]["statusName"] = "已暂停"

    stage.line.on["getOpeningApply"] = changing(invent)
    async with stage.adapter() as adapter:
        found = mapped("projects", [await adapter.read_catalogue("projects", None)])
    assert found.defects.select("code", "found").rows() == [("STATE_UNKNOWN", "已暂停")]


async def test_new_keys_are_drift_and_a_row_without_its_id_is_the_mappings_to_refuse(stage: Stage) -> None:
    def drift(document: dict[str, Any]) -> None:
        for row in document["dataInfo"]:
            row["applyIdV2"] = row.pop("applyId")

    stage.line.on["getOpeningApply"] = changing(drift)
    async with stage.adapter() as adapter:
        found = mapped("projects", [await adapter.read_catalogue("projects", None)])
        with pytest.raises(ContractBreach, match="found no applyId"):
            await adapter.catalogue_total("projects")
    assert (found.rows.height, found.unknown) == (0, ("applyIdV2",))
    assert "applyId" in found.missing


async def test_a_project_that_appears_while_paging_loses_none(stage: Stage) -> None:
    async with stage.adapter(page_size=2) as adapter:
        first = await adapter.read_catalogue("projects", None)
        add_project(stage.mock.book, stage.clock())
        ids = set(first.rows["applyId"])
        cursor = first.next_cursor
        while cursor is not None:
            page = await adapter.read_catalogue("projects", cursor)
            ids |= set(page.rows["applyId"]) if page.rows.height else set()
            cursor = page.next_cursor
        assert (await adapter.catalogue_total("projects")).rows == len(stage.mock.book.projects)
    assert {one.apply_id for one in stage.mock.book.projects[:-1]} <= ids


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answered(200, b"<!DOCTYPE html><html></html>"), ContractBreach),
        (answered(200, b'{"successful":true,"total":2,"dataInfo":[{"applyId":"1"}'), ContractBreach),
        (answered(200, b"[]"), ContractBreach),
        (answered(200, b'{"successful":true,"dataInfo":[]}'), ContractBreach),
        (answered(200, b'{"successful":true,"total":3,"dataInfo":[{"applyId":"1"}]}'), ContractBreach),
        (answered(200, b'{"successful":true,"total":0,"dataInfo":[{"applyId":"1"}]}'), ContractBreach),
        (answered(200, '{"successful":false,"msg":"系统繁忙","total":0}'.encode()), ContractBreach),
        (answered(302, b""), ContractBreach),
        (answered(503, b""), Unavailable),
        (never_sent, NotSent),
    ],
)
async def test_an_answer_that_is_none_is_told_by_its_class(
    stage: Stage, answer: Answer, error: type[Exception]
) -> None:
    stage.line.on["getOpeningApply"] = answer
    stage.line.on["statement"] = answer
    async with stage.adapter() as adapter:
        for read in (
            lambda: adapter.catalogue_total("projects"),
            lambda: adapter.read_catalogue("projects", None),
            lambda: adapter.holdings_total("holdings"),
            lambda: adapter.read_holdings("holdings", None),
        ):
            with pytest.raises(error):
                await read()


async def test_the_browser_check_is_a_breach_and_passes(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        stage.mock.challenges = 1
        with pytest.raises(ContractBreach, match="found HTML"):
            await adapter.catalogue_total("projects")
        assert (await adapter.catalogue_total("projects")).rows == len(stage.mock.book.projects)


async def test_a_detail_that_is_refused_is_told_with_the_registrys_words(stage: Stage) -> None:
    stage.line.on["Detail"] = answered(200, '{"successful":false,"msg":"公示编号为空"}'.encode())
    async with stage.adapter() as adapter:
        with pytest.raises(ContractBreach, match="公示编号为空"):
            await adapter.read_catalogue("projects", None)


# Holdings and movements.


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_the_statement_is_read_whole_and_adds_up(stage: Stage, size: int) -> None:
    async with stage.adapter(page_size=size) as adapter:
        stated = await adapter.holdings_total("holdings")
        pages = await all_pages(lambda cursor: adapter.read_holdings("holdings", cursor))
    rows = clean(mapped("holdings", pages))
    assert (stated.rows, stated.quantity) == (rows.height, rows["quantity"].sum())
    parts = rows.select(pl.sum_horizontal("available", "earmarked", "frozen", "in_transit")).to_series()
    assert parts.to_list() == rows["quantity"].to_list()
    assert set(rows["holder"]) == {"HKCV Omnibus"}
    assert rows["space"].str.starts_with("ccer-simulated:").all()
    assert set(rows["project_id"]) <= {one.apply_id for one in stage.mock.book.projects}


async def test_units_of_a_product_are_of_its_year(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        row = clean(mapped("holdings", [await adapter.read_holdings("holdings", None)])).row(0, named=True)
    year = int(row["instrument"].rpartition("-")[2])
    assert (row["vintage_start"], row["vintage_end"]) == (date(year, 1, 1), date(year, 12, 31))
    assert row["serial"].startswith(f"{row['instrument']}-")


async def test_a_freeze_shows_its_authority_in_the_statement_and_in_the_movements(stage: Stage) -> None:
    book = stage.mock.book
    block = next(one for one in book.statement(ACCOUNT) if one.hold is None)
    stage.clock.advance(timedelta(minutes=1))
    book.freeze(block.block_id, COURT, stage.clock())
    async with stage.adapter() as adapter:
        holdings = clean(mapped("holdings", [await adapter.read_holdings("holdings", None)]))
        movements = clean(mapped("movements", [await adapter.read_movements("movements", stage.clock(), None)]))
    row = holdings.row(by_predicate=pl.col("native_key") == block.block_id, named=True)
    assert (row["state"], row["available"], row["frozen"]) == ("on_hold", 0, block.units)
    assert (row["hold_reason_native"], row["hold_authority"]) == ("司法冻结", COURT.authority)
    (line,) = movements.rows(named=True)
    assert (line["kind"], line["direction"], line["authority"]) == ("freeze", "none", COURT.authority)
    assert line["occurred_at"] == stage.clock()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"holdNum": 1}, "QUANTITY_MISMATCH"),
        ({"applyId": "1541000009999999999"}, "PROJECT_MISMATCH"),
        ({"produceYear": "2019"}, "VINTAGE_MISMATCH"),
        ({"statusName": "质押"}, "STATE_UNKNOWN"),
        ({"serialNo": "CCER-X"}, "SERIAL_UNREADABLE"),
        ({"availableNum": "many"}, "AVAILABLE_UNREADABLE"),
        ({"freezeNum": 5}, "PARTS_EXCEED_QUANTITY"),
    ],
)
async def test_a_line_that_contradicts_itself_is_quarantined(stage: Stage, change: dict[str, Any], code: str) -> None:
    stage.line.on["statement"] = changing(lambda document: document["dataInfo"][0].update(change))
    async with stage.adapter() as adapter:
        found = mapped("holdings", [await adapter.read_holdings("holdings", None)])
    assert code in set(found.defects["code"])
    assert len(found.quarantined()) == 1


async def test_movements_begin_where_they_are_asked_from(stage: Stage) -> None:
    async with stage.adapter(page_size=5) as adapter:
        stated = await adapter.movements_total("movements", SINCE)
        pages = await all_pages(lambda cursor: adapter.read_movements("movements", SINCE, cursor))
        rows = clean(mapped("movements", pages))
        last = rows["occurred_at"].max()
        assert isinstance(last, datetime)
        late = await adapter.movements_total("movements", last)
        none = await adapter.movements_total("movements", last + timedelta(seconds=1))
    assert (stated.rows, stated.quantity) == (rows.height, rows["quantity"].sum())
    assert rows["occurred_at"].is_sorted()
    assert (late.rows, none.rows) == (1, 0)
    assert set(rows["kind"]) == {"delivery", "earmark", "freeze"}


async def test_every_kind_of_movement_is_read_as_what_it_is(stage: Stage) -> None:
    book, clock, product = stage.mock.book, stage.clock, stage.mock.book.statement(ACCOUNT)[0].product
    issued = [book.issue(product, 100, ACCOUNT, clock()) for _ in range(3)]
    book.freeze(issued[0].block_id, COURT, clock())
    book.unfreeze(issued[0].block_id, COURT, clock())
    book.cancel_by_force(issued[0].block_id, COURT, clock())
    book.release(issued[1].block_id, clock())
    book.deliver(issued[2].block_id, OTHERS[0][0], clock())
    async with stage.adapter() as adapter:
        for order in orders_of(stage):
            await send(adapter, order)
        stage.rehearsal.settle()
        page = await adapter.read_movements("movements", STARTS_AT, None)
    rows = clean(mapped("movements", [page]))
    found = set(rows.select("kind_native", "kind", "direction").rows())
    assert found == {
        ("签发", "issuance", "in"),
        ("司法冻结", "freeze", "none"),
        ("解除冻结", "unfreeze", "none"),
        ("强制注销", "cancellation", "out"),
        ("CCER转出", "release", "none"),
        ("交易交收", "delivery", "out"),
        ("持有量转移", "transfer", "out"),
        ("转移至交易账户", "earmark", "none"),
        ("转移至交易平台", "earmark", "none"),
        ("抵销", "offset", "out"),
        ("自愿注销", "retirement", "out"),
    }
    ours = {order.command_id for order in orders_of(stage)}
    assert set(rows["reference"].drop_nulls()) == ours
    redeemed = rows.filter(pl.col("kind") == "offset")
    assert redeemed["beneficiary"].to_list() == ["示例碳中和会议组委会"]


# Commands.


async def test_commands_are_off_until_somebody_switches_them_on(stage: Stage) -> None:
    order, redemption = stage.rehearsal.transfers[0], stage.rehearsal.retirements[0]
    assert CcerConfig().commands_enabled is False
    async with stage.adapter(commands_enabled=False) as adapter:
        with pytest.raises(ConfigurationError, match=r"no rules yet .*article 29"):
            await adapter.transfer(order)
        with pytest.raises(ConfigurationError, match="nothing was sent"):
            await adapter.retire(redemption)
        assert stage.line.asked == []
        assert (await adapter.transfer_status(order)).state is CommandState.NOT_FOUND


async def test_every_rehearsed_order_is_carried_out_once(stage: Stage) -> None:
    orders = orders_of(stage)
    async with stage.adapter() as adapter:
        for order in orders:
            sent = await send(adapter, order)
            assert (sent.state, sent.native_state) == (CommandState.ACCEPTED, "处理中")
            assert sum(lot.quantity for lot in sent.lots) == order.lots[0].quantity
            assert sent.lots[0].serial == order.lots[0].serial
        stage.rehearsal.settle()
        for order in orders:
            status = await (
                adapter.transfer_status(order) if isinstance(order, Transfer) else adapter.retirement_status(order)
            )
            assert (status.state, status.native_state) == (CommandState.CONFIRMED, "已完成")
            assert stage.rehearsal.effects(order) == 1


async def test_the_maker_submits_and_the_checker_confirms(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        await adapter.transfer(stage.rehearsal.transfers[0])
    sent = [(request.url.path.rpartition("/")[2], request.headers["authorization"]) for request in stage.line.asked]
    assert sent == [("apply", f"Bearer {SECRETS[0]}"), ("confirm", f"Bearer {SECRETS[1]}")]
    (instruction,) = (one for one in stage.mock.book.instructions.values() if one.asked.reference == "move-1")
    assert instruction.maker != instruction.checker


async def test_refusals_come_with_the_registrys_code(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        for refused in stage.rehearsal.refused:
            order = refused.order
            with pytest.raises(Rejected) as caught:
                await send(adapter, order)
            assert caught.value.code == refused.code
            assert stage.rehearsal.effects(order) == 0
    assert "confirm" not in stage.line.paths()


async def test_outside_its_hours_the_registry_refuses(stage: Stage) -> None:
    stage.clock.move_to(datetime(2026, 7, 15, 7, 0, tzinfo=UTC))
    move, _, earmark, _ = stage.rehearsal.transfers
    async with stage.adapter() as adapter:
        with pytest.raises(Rejected, match="当前不在业务受理时段") as caught:
            await adapter.transfer(earmark)
        assert caught.value.code == "3002"
        assert (await adapter.transfer(move)).state is CommandState.ACCEPTED
        stage.clock.move_to(datetime(2026, 7, 15, 14, 0, tzinfo=UTC))
        with pytest.raises(Rejected):
            await adapter.retire(stage.rehearsal.retirements[0])


async def test_a_business_date_is_sent_and_must_be_today(stage: Stage) -> None:
    one, other, *_ = stage.rehearsal.transfers
    async with stage.adapter() as adapter:
        await adapter.transfer(one.model_copy(update={"business_date": date(2026, 7, 15)}))
        with pytest.raises(Rejected) as caught:
            await adapter.transfer(other.model_copy(update={"business_date": date(2026, 7, 16)}))
    assert caught.value.code == "3003"


async def test_a_release_begins_at_the_venue(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0].model_copy(update={"kind": TransferKind.RELEASE})
    async with stage.adapter() as adapter:
        with pytest.raises(CapabilityMissing, match="CCER转出"):
            await adapter.transfer(order)
    assert stage.line.asked == []


async def test_an_earmark_goes_to_the_trading_account_and_then_to_the_platform(stage: Stage) -> None:
    block = next(one for one in stage.mock.book.statement(ACCOUNT) if one.hold is None)
    platform = CcerConfig().trading_platform
    first = transfer("E-1", block, TRADING_ACCOUNT, block.units, TransferKind.EARMARK)
    second = transfer("E-2", block, platform, block.units, TransferKind.EARMARK)
    async with stage.adapter() as adapter:
        with pytest.raises(Rejected):
            await adapter.transfer(second.model_copy(update={"command_id": "E-0"}))
        for order in (first, second):
            await adapter.transfer(order)
            stage.rehearsal.settle()
            assert (await adapter.transfer_status(order)).state is CommandState.CONFIRMED
        rows = clean(mapped("holdings", [await adapter.read_holdings("holdings", None)]))
    row = rows.row(by_predicate=pl.col("native_key") == block.block_id, named=True)
    assert (row["available"], row["earmarked"], row["state"]) == (0, block.units, "active")


async def test_the_certificate_is_the_proof_of_this_redemption(stage: Stage) -> None:
    one, other, *_ = stage.rehearsal.retirements
    async with stage.adapter() as adapter:
        assert adapter.retirement_rules().purposes == ("offset", "voluntary")
        await adapter.retire(one)
        with pytest.raises(ContractBreach, match="凭证尚未生成") as caught:
            await adapter.certificate(one)
        assert caught.value.code == "3013"
        stage.rehearsal.settle()
        proof = json.loads((await adapter.certificate(one)).content)["dataInfo"]
        assert (proof["beneficiaryName"], proof["num"]) == (one.beneficiary, one.lots[0].quantity)
        await adapter.retire(other)
        stage.rehearsal.settle()
        swapped = {"outFlowNo": "cancel-9"}
        stage.line.on["certificate"] = changing(lambda document: document["dataInfo"].update(swapped))
        with pytest.raises(ContractBreach, match="asked for 'cancel-1'"):
            await adapter.certificate(other)


# Doubt.


async def settled(stage: Stage, adapter: CcerAdapter, order: Transfer) -> tuple[CommandState, int]:
    """What the registry says in the end, and how often the order took effect; the status itself moves nothing."""
    before = len(stage.line.asked)
    stage.line.on.clear()
    stage.rehearsal.settle()
    status = await adapter.transfer_status(order)
    assert stage.line.paths()[before:] == ["query"]
    return status.state, stage.rehearsal.effects(order)


@pytest.mark.parametrize("doubt", [lost, twice, answered(502, b"", after=True), answered(200, b"<html>", after=True)])
async def test_a_submission_in_doubt_is_confirmed_all_the_same_and_the_doubt_is_told(
    stage: Stage, doubt: Answer
) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[APPLY] = doubt
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        assert await settled(stage, adapter, order) == (CommandState.CONFIRMED, 1)


async def test_a_duplicate_is_in_doubt_and_has_one_effect(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    async with stage.adapter() as adapter:
        await adapter.transfer(order)
        with pytest.raises(OutcomeUnknown, match="外部流水号重复") as caught:
            await adapter.transfer(order)
        assert caught.value.code == "4001"
        assert await settled(stage, adapter, order) == (CommandState.CONFIRMED, 1)


async def test_a_submission_that_never_arrived_was_never_there(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[APPLY] = never_arrived
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await adapter.transfer(order)
        assert await settled(stage, adapter, order) == (CommandState.NOT_FOUND, 0)


async def test_a_submission_that_comes_late_lapses(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    late: list[httpx.Request] = []

    def overtaken(request: httpx.Request, _handle: Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
        late.append(request)
        raise httpx.ReadTimeout("no answer in time", request=request)

    stage.line.on[APPLY] = overtaken
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        stage.mock.handle(late[0])
        waiting = await adapter.transfer_status(order)
        assert (waiting.state, waiting.native_state) == (CommandState.ACCEPTED, "待确认")
        assert await settled(stage, adapter, order) == (CommandState.REJECTED, 0)
        assert (await adapter.transfer_status(order)).code == "3021"


async def test_a_confirmation_whose_answer_is_lost_is_told_by_the_status(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[CONFIRM] = lost
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown, match="awaits its second person"):
            await adapter.transfer(order)
        assert (await adapter.transfer_status(order)).native_state == "处理中"
        assert await settled(stage, adapter, order) == (CommandState.CONFIRMED, 1)


@pytest.mark.parametrize(
    "failure",
    [
        never_sent,
        never_arrived,
        answered(401, b""),
        answered(400, b'{"successful":false,"code":"3002","msg":"no"}'),
        answered(200, b'{"successful":false,"code":"3002","msg":"no"}'),
    ],
)
async def test_whatever_goes_wrong_with_the_confirmation_is_doubt_and_ends_at_the_close(
    stage: Stage, failure: Answer
) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[CONFIRM] = failure
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        waiting = await adapter.transfer_status(order)
        assert (waiting.state, waiting.native_state) == (CommandState.ACCEPTED, "待确认")
        assert await settled(stage, adapter, order) == (CommandState.REJECTED, 0)


async def test_another_person_may_confirm_meanwhile(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    stage.line.on[CONFIRM] = never_sent
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        stage.mock.book.confirm(
            Operator("hkcv-queren-02", Role.CHECKER, ACCOUNT), ACCOUNT, order.command_id, stage.clock()
        )
        assert await settled(stage, adapter, order) == (CommandState.CONFIRMED, 1)


async def test_two_sessions_of_one_person_are_found_out(stage: Stage) -> None:
    maker = stage.mock.sessions[SECRETS[0]]
    stage.mock.sessions[SECRETS[1]] = Operator(maker.name, Role.CHECKER, ACCOUNT)
    async with stage.adapter() as adapter:
        with pytest.raises(OutcomeUnknown, match="发起与确认不得为同一操作员") as caught:
            await adapter.transfer(stage.rehearsal.transfers[0])
    assert caught.value.code == "3011"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (never_sent, NotSent),
        (answered(401, b""), AccessDenied),
        (answered(403, b""), AccessDenied),
        (answered(400, b'{"successful":false,"code":"3004","msg":"no"}'), Rejected),
        (answered(400, b'{"successful":false,"code":"4001","msg":"no"}'), OutcomeUnknown),
        (answered(400, b'{"successful":false,"code":"7777","msg":"no"}'), OutcomeUnknown),
        (answered(400, b"<html>"), OutcomeUnknown),
        (answered(404, b'{"successful":false,"code":"3004","msg":"no"}'), OutcomeUnknown),
        (answered(429, b""), OutcomeUnknown),
        (answered(500, b'{"successful":false,"code":"3004","msg":"no"}'), OutcomeUnknown),
        (answered(200, b'{"successful":false,"code":"3004","msg":"no"}'), Rejected),
        (answered(200, b'{"successful":false,"code":"4001","msg":"no"}'), OutcomeUnknown),
        (answered(200, b'{"successful":false,"msg":"no"}'), OutcomeUnknown),
        (answered(200, b'{"code":"3004","msg":"no"}'), OutcomeUnknown),
        (answered(200, b"[]"), OutcomeUnknown),
        (answered(200, b'{"successful":true,"dataInfo":null}'), OutcomeUnknown),
    ],
)
async def test_every_answer_to_a_submission_has_its_class(stage: Stage, answer: Answer, error: type[Exception]) -> None:
    stage.line.on[APPLY] = answer
    redemption = stage.rehearsal.retirements[0]
    async with stage.adapter() as adapter:
        with pytest.raises(error) as caught:
            await adapter.retire(redemption)
        assert type(caught.value) is error
        assert stage.rehearsal.effects(redemption) == 0
    secrets = [secret for secret in SECRETS if secret in str(caught.value)]
    assert secrets == []


async def test_a_state_that_nobody_knows_is_never_guessed(stage: Stage) -> None:
    one, other, *_ = stage.rehearsal.transfers
    invent = changing(lambda document: document["dataInfo"].update(statusName="挂起"))
    async with stage.adapter() as adapter:
        await adapter.transfer(one)
        stage.line.on["query"] = invent
        with pytest.raises(ContractBreach, match="found the state '挂起'"):
            await adapter.transfer_status(one)
        stage.line.on[APPLY] = stage.line.on[CONFIRM] = invent
        with pytest.raises(OutcomeUnknown, match="found the state '挂起'"):
            await adapter.transfer(other)


async def test_the_registrys_own_no_after_the_confirmation_is_final(stage: Stage) -> None:
    order = stage.rehearsal.transfers[0]
    async with stage.adapter() as adapter:
        sent = await adapter.transfer(order)
        stage.mock.book.freeze(sent.lots[0].holding, COURT, stage.clock())
        stage.rehearsal.settle()
        status = await adapter.transfer_status(order)
    assert (status.state, status.native_state, status.code) == (CommandState.REJECTED, "已驳回", "3005")
    assert status.message == "持有量已冻结"


async def test_names_of_feeds_and_cursors_are_checked(stage: Stage) -> None:
    async with stage.adapter() as adapter:
        for call in (
            lambda: adapter.catalogue_total("batches"),
            lambda: adapter.read_holdings("projects", None),
            lambda: adapter.read_movements("holdings", SINCE, None),
        ):
            with pytest.raises(CapabilityMissing, match="market ccer has no feed"):
                await call()
        for cursor in ("3:1", "2:0", "2:x", ""):
            with pytest.raises(ConfigurationError, match="found the cursor"):
                await adapter.read_catalogue("projects", cursor)
        with pytest.raises(ConfigurationError, match="found the cursor"):
            await adapter.read_holdings("holdings", "0")
    assert stage.line.asked == []


async def test_over_a_real_port_the_placeholders_open_the_stand_in() -> None:
    clock = MockClock(STARTS_AT)
    mock = MANIFEST.mock_factory(2, clock)
    async with serve(mock) as url, Transport("ccer", httpx.AsyncClient()) as transport:
        config = CcerConfig(public_url=url, account_url=url, commands_enabled=True)
        adapter = CcerAdapter(config, transport, clock)
        rows = clean(mapped("holdings", [await adapter.read_holdings("holdings", None)]))
        free = rows.filter(pl.col("available") > 0).row(0, named=True)
        assert isinstance(mock, CcerMock)
        order: Retirement = retirement("R-1", mock.book.blocks[free["native_key"]], RetirementPurpose.VOLUNTARY, {})
        assert (await adapter.retire(order)).state is CommandState.ACCEPTED
