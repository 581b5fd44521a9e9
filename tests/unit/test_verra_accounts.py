"""Our account at the registry: what is read of it, what is commanded, and how doubt about a command is resolved."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stamina
from pydantic import ValidationError

from adapters.verra import MANIFEST
from adapters.verra.account_side import HOLDINGS, MOVEMENTS
from adapters.verra.adapter import VerraAdapter
from adapters.verra.book_entries import OMNIBUS_NAME, Defect
from adapters.verra.config import VerraConfig
from adapters.verra.mock import VerraMock
from gateway.kit.contract import Page
from gateway.kit.errors import (
    AccessDenied,
    AdapterError,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from gateway.kit.faults import Fault, FaultPlan, with_faults
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import Mock, MockClock, in_process
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.kit.transport import Transport
from gateway.model.commands import (
    Acceptance,
    CommandState,
    CommandStatus,
    Lot,
    Order,
    Retirement,
    RetirementPurpose,
    Transfer,
    TransferKind,
)
from gateway.model.errors import CapabilityMissing, ConfigurationError

LIBRARY = Library.of_package(MANIFEST.mappings)


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
    adapter: VerraAdapter

    @property
    def mock(self) -> VerraMock:
        assert isinstance(self.rehearsal.mock, VerraMock)
        return self.rehearsal.mock


@asynccontextmanager
async def rehearsed(plan: FaultPlan | None = None, **settings: Any) -> AsyncIterator[Setting]:
    clock = MockClock(STARTS_AT)
    rehearsal = MANIFEST.rehearse(3, clock)
    line = Line(rehearsal.mock if plan is None else with_faults(rehearsal.mock, plan))
    async with Transport("verra", httpx.AsyncClient(transport=in_process(line))) as transport:
        config = VerraConfig(**{**rehearsal.settings, **settings})
        yield Setting(clock, rehearsal, line, VerraAdapter(config, transport, clock))


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def is_command(request: httpx.Request) -> bool:
    return request.method == "POST" and "/accounts/" in request.url.path


def is_status(request: httpx.Request) -> bool:
    return request.method == "GET" and "reference" in request.url.params


async def sent(adapter: VerraAdapter, order: Order) -> CommandStatus:
    if isinstance(order, Transfer):
        return await adapter.transfer(order)
    if isinstance(order, Acceptance):
        return await adapter.accept(order)
    assert isinstance(order, Retirement)
    return await adapter.retire(order)


async def asked(adapter: VerraAdapter, order: Order) -> CommandStatus:
    if isinstance(order, Transfer):
        return await adapter.transfer_status(order)
    if isinstance(order, Acceptance):
        return await adapter.acceptance_status(order)
    assert isinstance(order, Retirement)
    return await adapter.retirement_status(order)


def orders(rehearsal: Rehearsal) -> list[Order]:
    return [*rehearsal.transfers, *rehearsal.acceptances, *rehearsal.retirements]


async def all_pages(read: Callable[[str | None], Any]) -> list[Page]:
    pages: list[Page] = [await read(None)]
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < 200
        pages.append(await read(cursor))
    return pages


def mapped(name: str, page: Page) -> Mapped:
    made = Mapping(name, LIBRARY).apply(page.rows)
    assert (made.unknown, made.missing) == ((), ())
    return made


# Reading.


async def test_every_block_of_ours_is_read_and_mapped() -> None:
    async with rehearsed() as at:
        [feed] = at.adapter.holding_feeds()
        page = await at.adapter.read_holdings(feed.name, None)
        total = await at.adapter.holdings_total(feed.name)
    found = mapped(feed.mapping, page)
    assert found.defects.is_empty()
    ours = {b.entity_id: b for b in at.mock.book.holdings.values() if b.account.name == OMNIBUS_NAME}
    assert found.rows.get_column("native_key").to_list() == [str(one) for one in sorted(ours)]
    assert (total.rows, total.quantity) == (len(ours), sum(one.quantity for one in ours.values()))
    assert found.units == total.quantity
    for row in found.rows.iter_rows(named=True):
        block = ours[int(row["native_key"])]
        assert (row["serial"], row["first"], row["last"]) == (block.shown_serial, block.first, block.last)
        parts = (row["available"], row["frozen"], row["in_transit"])
        held = block.hold is not None
        assert parts == ((0, block.quantity, 0) if held else (block.quantity, 0, 0))
        assert row["state"] == ("on_hold" if held else "active")
        assert (row["hold_reason_native"], row["hold_authority"]) == (
            ("Review of the project", "Verra") if held else (None, None)
        )
    assert found.rows.get_column("state").to_list().count("on_hold") == 1


async def test_a_defective_block_of_ours_is_quarantined() -> None:
    async with rehearsed() as at:
        ours = [b for b in at.mock.book.holdings.values() if b.account.name == OMNIBUS_NAME]
        defects = (Defect.UNKNOWN_STATE, Defect.UNREADABLE_SERIAL, Defect.QUANTITY_MISMATCH, Defect.MISSING_SERIAL)
        for block, defect in zip(ours, defects, strict=False):
            at.mock.book.plant(defect, block.entity_id)
        page = await at.adapter.read_holdings(HOLDINGS, None)
    found = Mapping(HOLDINGS, LIBRARY).apply(page.rows)
    assert found.quarantined().len() == len(defects)
    codes = set(found.defects.filter("quarantined").get_column("code"))
    assert codes == {
        *("STATE_UNKNOWN", "SERIAL_UNREADABLE", "QUANTITY_MISMATCH"),
        *("VINTAGE_START_MISSING", "VINTAGE_END_MISSING"),
    }


async def test_pages_of_one_row_lose_and_repeat_nothing() -> None:
    async with rehearsed() as at, rehearsed(page_size=1) as small:
        whole = await at.adapter.read_holdings(HOLDINGS, None)
        pages = await all_pages(lambda cursor: small.adapter.read_holdings(HOLDINGS, cursor))
        assert {page.rows.height for page in pages} == {1}
        assert [page.rows.item(0, "holdingId") for page in pages] == whole.rows.get_column("holdingId").to_list()
        moved = await at.adapter.read_movements(MOVEMENTS, at.rehearsal.since, None)
        since = at.rehearsal.since
        pages = await all_pages(lambda cursor: small.adapter.read_movements(MOVEMENTS, since, cursor))
        assert [page.rows.item(0, "movementId") for page in pages] == moved.rows.get_column("movementId").to_list()


async def test_what_appears_while_pages_are_turned_is_read() -> None:
    async with rehearsed(page_size=1) as at:
        first = await at.adapter.read_holdings(HOLDINGS, None)
        at.rehearsal.insert()
        cursor, keys = first.next_cursor, [first.rows.item(0, "holdingId")]
        while cursor is not None:
            page = await at.adapter.read_holdings(HOLDINGS, cursor)
            keys.append(page.rows.item(0, "holdingId"))
            cursor = page.next_cursor
        total = await at.adapter.holdings_total(HOLDINGS)
    assert len(keys) == len(set(keys)) == total.rows


async def test_movements_tell_what_others_did_behind_our_back() -> None:
    async with rehearsed() as at:
        book = at.mock.book
        retired, held, cancelled, *_ = [
            b for b in book.holdings.values() if b.account.name == OMNIBUS_NAME and b.hold is None
        ]
        since = at.clock.advance(timedelta(minutes=1))
        book.retire(retired.entity_id, beneficiary="Somebody", reason="Other")
        book.put_on_hold(held.entity_id, "Court order", authority="A court")
        book.cancel(cancelled.entity_id, units=(cancelled.first, cancelled.first), reason="An error")
        book.lift_hold(held.entity_id)
        page = await at.adapter.read_movements(MOVEMENTS, since, None)
        total = await at.adapter.movements_total(MOVEMENTS, since)
        rows = mapped(MOVEMENTS, page).rows
    found = rows.select("kind", "direction", "state", "quantity", "reference", "reason_native", "authority").rows()
    assert found == [
        ("retirement", "out", "final", retired.quantity, None, "Other", None),
        ("freeze", "none", "final", held.quantity, None, "Court order", "A court"),
        ("cancellation", "out", "final", 1, None, "An error", None),
        ("unfreeze", "none", "final", held.quantity, None, "Court order", "A court"),
    ]
    assert (total.rows, total.quantity) == (4, rows.get_column("quantity").sum())
    assert set(rows.get_column("occurred_at")) == {since}


async def test_a_transfer_under_way_is_a_movement_whose_state_changes_under_one_key() -> None:
    async with rehearsed() as at:
        order = at.rehearsal.transfers[1]
        since = at.clock.advance(timedelta(minutes=1))
        await at.adapter.transfer(order)
        before = mapped(MOVEMENTS, await at.adapter.read_movements(MOVEMENTS, since, None)).rows
        at.rehearsal.settle()
        after = mapped(MOVEMENTS, await at.adapter.read_movements(MOVEMENTS, since, None)).rows
    assert before.select("native_key", "state").rows() == [("TRF-000003/1", "pending"), ("TRF-000003/2", "pending")]
    assert after.select("native_key", "state").rows() == [("TRF-000003/1", "final"), ("TRF-000003/2", "final")]
    assert after.get_column("reference").to_list() == [order.command_id] * 2
    assert set(after.get_column("counter_account")) == {order.counter_account}


# Commands.


async def test_each_order_is_carried_out_once_and_confirmed() -> None:
    async with rehearsed() as at:
        for order in orders(at.rehearsal):
            status = await sent(at.adapter, order)
            assert status.state in {CommandState.AWAITING_ACCEPTANCE, CommandState.ACCEPTED, CommandState.CONFIRMED}
            assert (status.command_id, status.as_of) == (order.command_id, STARTS_AT)
        at.rehearsal.settle()
        for order in orders(at.rehearsal):
            status = await asked(at.adapter, order)
            assert (status.state, status.native_state) == (CommandState.CONFIRMED, "Completed")
            assert at.rehearsal.effects(order) == 1


async def test_the_lots_of_a_confirmed_transfer_are_what_really_moved() -> None:
    async with rehearsed() as at:
        whole, part = at.rehearsal.transfers
        for order in (whole, part):
            assert (await at.adapter.transfer(order)).lots == ()
        at.rehearsal.settle()
        moved = await at.adapter.transfer_status(whole)
        assert [lot.serial for lot in moved.lots] == [lot.serial for lot in whole.lots]
        assert moved.reference == "TRF-000003"
        one, other = (await at.adapter.transfer_status(part)).lots
        assert one == part.lots[0].model_copy(update={"holding": one.holding})
        # No serial was asked for: it was the lowest unit of the holding.
        assert other.serial is not None
        _, first, last, *_ = other.serial.split("-")
        assert (first, last, other.quantity) == (first, first, 1)


async def test_what_we_retire_shows_in_the_public_feed_and_has_a_certificate() -> None:
    async with rehearsed() as at:
        order = at.rehearsal.retirements[1]
        await at.adapter.retire(order)
        with pytest.raises(Unavailable, match="Processing"):
            await at.adapter.certificate(order)
        public = await at.adapter.read_catalogue("retirements", None)
        serial = order.lots[0].serial
        assert serial is not None
        assert serial not in public.rows.get_column("serialNo").to_list()
        at.rehearsal.settle()
        public = await at.adapter.read_catalogue("retirements", None)
        [row] = public.rows.filter(public.rows["serialNo"] == serial).to_dicts()
        certificate = await at.adapter.certificate(order)
    assert (row["beneficialOwner"], row["retirementReasonDetails"]) == (order.beneficiary, order.remarks)
    assert row["accountName"] == OMNIBUS_NAME
    assert certificate.media_type == "text/plain"
    for said in (serial, order.beneficiary, order.command_id):
        assert said.encode() in certificate.content


@pytest.mark.parametrize("kind", [TransferKind.EARMARK, TransferKind.RELEASE])
async def test_a_registry_is_never_told_to_earmark(kind: TransferKind) -> None:
    async with rehearsed() as at:
        with pytest.raises(ConfigurationError, match="expected a transfer"):
            await at.adapter.transfer(at.rehearsal.transfers[0].model_copy(update={"kind": kind}))
        assert not any(is_command(one) for one in at.line.asked)


@pytest.mark.parametrize("defect", [Defect.MISSING_SERIAL, Defect.UNREADABLE_SERIAL])
async def test_units_whose_row_is_wrong_move_under_their_true_serial(defect: Defect) -> None:
    async with rehearsed() as at:
        order = at.rehearsal.transfers[0]
        block = at.mock.book.holdings[int(order.lots[0].holding)]
        at.mock.book.plant(defect, block.entity_id)
        await at.adapter.transfer(order)
        at.rehearsal.settle()
        (moved,) = (await at.adapter.transfer_status(order)).lots
        assert moved.serial == order.lots[0].serial


def other_units(said: dict[str, Any]) -> dict[str, Any]:
    return said | {"blocks": [one | {"quantity": one["quantity"] + 1} for one in said["blocks"]]}


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, lambda said: said | {"counterAccountNumber": "90420"}),
        (0, lambda said: said | {"accountNumber": "1001"}),
        (0, other_units),
        (2, lambda said: said | {"decision": "REJECT"}),
        (3, lambda said: said | {"decision": "ACCEPT"}),
        (4, lambda said: said | {"beneficiary": "Somebody else"}),
        (4, other_units),
    ],
)
async def test_an_operation_that_is_not_what_was_ordered_confirms_nothing(place: int, change: Any) -> None:
    async with rehearsed() as at:
        order = orders(at.rehearsal)[place]
        await sent(at.adapter, order)
        at.rehearsal.settle()
        assert (await asked(at.adapter, order)).state is CommandState.CONFIRMED

        def changed(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            if not is_status(request):
                return response
            ((name, found),) = response.json().items()
            return httpx.Response(200, json={name: [change(one) for one in found]})

        at.line.change = changed
        with pytest.raises(ContractBreach):
            await asked(at.adapter, order)


def test_a_secret_that_is_refused_is_not_told() -> None:
    with pytest.raises(ValidationError) as caught:
        VerraConfig.model_validate({"client_secret": 90_210_117})
    assert "90210117" not in str(caught.value)


async def test_there_is_no_certificate_of_a_retirement_that_never_came() -> None:
    async with rehearsed() as at:
        with pytest.raises(ContractBreach, match="expected a completed one"):
            await at.adapter.certificate(at.rehearsal.retirements[0])


@pytest.mark.parametrize("page", [(b"<html>Sign in</html>", "text/html"), (b"", "text/plain")])
async def test_a_page_is_no_certificate(page: tuple[bytes, str]) -> None:
    async with rehearsed() as at:
        order = at.rehearsal.retirements[0]
        await at.adapter.retire(order)
        at.rehearsal.settle()
        at.line.change = lambda request, response: (
            httpx.Response(200, content=page[0], headers={"content-type": page[1]})
            if request.url.path.endswith("certificate")
            else response
        )
        with pytest.raises(ContractBreach, match="expected text/plain"):
            await at.adapter.certificate(order)


async def test_what_the_registry_refuses_is_rejected_with_its_code_and_changes_nothing() -> None:
    async with rehearsed() as at:
        for refused in at.rehearsal.refused:
            with pytest.raises(Rejected) as caught:
                await sent(at.adapter, refused.order)
            assert caught.value.code == refused.code
            assert at.rehearsal.effects(refused.order) == 0
            assert (await asked(at.adapter, refused.order)).state is CommandState.NOT_FOUND


async def test_a_frozen_account_can_do_nothing_and_both_sides_show_it() -> None:
    async with rehearsed() as at:
        at.mock.book.freeze(OMNIBUS_NAME, "Sanctions screening", authority="Verra")
        with pytest.raises(Rejected) as caught:
            await at.adapter.transfer(at.rehearsal.transfers[0])
        assert caught.value.code == "ACCOUNT_FROZEN"
        ours = mapped(HOLDINGS, await at.adapter.read_holdings(HOLDINGS, None)).rows
        public = (await at.adapter.read_catalogue("holdings", None)).rows
        assert set(ours.get_column("state")) == {"on_hold"}
        assert set(public.filter(public["accountName"] == OMNIBUS_NAME)["status"]) == {"On Hold"}
        at.mock.book.unfreeze(OMNIBUS_NAME)
        ours = mapped(HOLDINGS, await at.adapter.read_holdings(HOLDINGS, None)).rows
        # What was on hold for a reason of its own stays so.
        assert ours.get_column("state").to_list().count("on_hold") == 1


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (lambda mock, block: mock.book.put_on_hold(block, "Review"), "UNITS_ON_HOLD"),
        (lambda mock, block: mock.book.cancel(block), "INSUFFICIENT_UNITS"),
        (lambda mock, _block: mock.book.freeze(OMNIBUS_NAME, "Screening"), "ACCOUNT_FROZEN"),
    ],
)
async def test_units_that_are_stopped_meanwhile_do_not_move(stop: Callable[[VerraMock, int], Any], code: str) -> None:
    async with rehearsed() as at:
        order = at.rehearsal.retirements[0]
        await at.adapter.retire(order)
        stop(at.mock, int(order.lots[0].holding))
        at.rehearsal.settle()
        status = await at.adapter.retirement_status(order)
        assert (status.state, status.native_state, status.code) == (CommandState.REJECTED, "Failed", code)
        assert status.lots == ()
        assert at.rehearsal.effects(order) == 0
        assert not any(block.locked for block in at.mock.book.holdings.values() if block.account.name == OMNIBUS_NAME)


async def test_a_receiver_may_decline_or_never_answer() -> None:
    async with rehearsed() as at:
        declined, ignored = at.rehearsal.transfers
        at.mock.desk.declining.add(int(declined.counter_account))
        await at.adapter.transfer(declined)
        at.rehearsal.settle()
        status = await at.adapter.transfer_status(declined)
        assert (status.state, status.code) == (CommandState.REJECTED, "DECLINED_BY_RECEIVER")
        at.mock.desk.answers = False
        await at.adapter.transfer(ignored)
        at.clock.advance(timedelta(days=13))
        assert (await at.adapter.transfer_status(ignored)).state is CommandState.AWAITING_ACCEPTANCE
        at.clock.advance(timedelta(days=2))
        status = await at.adapter.transfer_status(ignored)
        assert (status.native_state, status.code) == ("Expired", "NOT_ANSWERED")
        rows = mapped(HOLDINGS, await at.adapter.read_holdings(HOLDINGS, None)).rows
        assert rows.get_column("in_transit").sum() == 0


async def test_our_answer_moves_the_units_or_sends_them_back() -> None:
    async with rehearsed() as at:
        yes, no = at.rehearsal.acceptances
        accepted, declined = (at.mock.desk.operations[one.transfer].pieces[0] for one in (yes, no))
        giver = at.mock.book.holdings[declined.block].account
        # The native key of a movement's row will do.
        await at.adapter.accept(yes.model_copy(update={"transfer": f"{yes.transfer}/1"}))
        await at.adapter.accept(no)
        at.rehearsal.settle()
        assert at.mock.book.holdings[accepted.block].account.name == OMNIBUS_NAME
        assert at.mock.book.holdings[declined.block].account == giver
        assert [lot.serial for lot in (await at.adapter.acceptance_status(yes)).lots] == [accepted.serial]
        again = yes.model_copy(update={"command_id": "A-AGAIN"})
        with pytest.raises(Rejected) as caught:
            await at.adapter.accept(again)
        assert caught.value.code == "NOT_AWAITING_ACCEPTANCE"


# Doubt.


@pytest.mark.parametrize("place", range(6))
async def test_a_reference_is_taken_once_and_the_second_says_nothing_about_the_first(place: int) -> None:
    async with rehearsed() as at:
        order = orders(at.rehearsal)[place]
        await sent(at.adapter, order)
        with pytest.raises(OutcomeUnknown, match="DUPLICATE_REFERENCE"):
            await sent(at.adapter, order)
        assert at.rehearsal.effects(order) == 1
        assert (await asked(at.adapter, order)).state is not CommandState.NOT_FOUND


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        (Fault.LOST_REPLY, 1),
        (Fault.SERVER_ERROR_AFTER_EFFECT, 1),
        (Fault.TRUNCATED, 1),
        (Fault.DUPLICATE, 1),
        (Fault.SERVER_ERROR, 0),
        (Fault.RATE_LIMITED, 0),
    ],
)
async def test_doubt_is_resolved_by_asking(place: int, fault: Fault, effects: int) -> None:
    plan = FaultPlan(seed=place, script=(fault,), hits=is_command)
    async with rehearsed(plan) as at:
        order = orders(at.rehearsal)[place]
        with pytest.raises(OutcomeUnknown):
            await sent(at.adapter, order)
        assert at.rehearsal.effects(order) == effects
        assert len([one for one in at.line.asked if is_command(one)]) == 1
        status = await asked(at.adapter, order)
        assert (status.state is CommandState.NOT_FOUND) is (effects == 0)
        at.rehearsal.settle()
        status = await asked(at.adapter, order)
        assert status.state is (CommandState.CONFIRMED if effects else CommandState.NOT_FOUND)


def with_document(change: Callable[[dict[str, Any]], Any], only: Callable[[httpx.Request], bool]) -> Any:
    def changed(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not only(request):
            return response
        return httpx.Response(response.status_code, json=change(json.loads(response.content)))

    return changed


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda said: said | {"state": "Under Legal Review"},
    lambda said: said | {"state": None},
    lambda said: said | {"reference": "ANOTHER"},
    lambda said: said | {"operationId": None},
    lambda said: said | {"state": "Completed", "blocks": None},
    lambda said: said | {"state": "Completed", "blocks": [{"holdingId": "1", "serialNumber": "x", "quantity": "1.5"}]},
    lambda said: said | {"state": "Completed", "blocks": [{"holdingId": "1", "serialNumber": "x", "quantity": 0}]},
    lambda said: said | {"state": "Failed", "reasonCode": None},
    lambda said: [said],
]


@pytest.mark.parametrize("change", BROKEN)
async def test_an_answer_that_is_not_understood_leaves_a_command_in_doubt(change: Any) -> None:
    async with rehearsed() as at:
        at.line.change = with_document(change, is_command)
        with pytest.raises(OutcomeUnknown):
            await at.adapter.transfer(at.rehearsal.transfers[0])


@pytest.mark.parametrize(
    "change",
    [
        *((lambda said, change=change: said | {"transfers": [change(said["transfers"][0])]}) for change in BROKEN),
        lambda said: said | {"transfers": said["transfers"] * 2},
        lambda said: {"found": said["transfers"]},
        lambda said: said["transfers"],
    ],
)
async def test_a_status_that_is_not_understood_is_a_breach(change: Any) -> None:
    async with rehearsed() as at:
        await at.adapter.transfer(at.rehearsal.transfers[0])
        at.line.change = with_document(change, is_status)
        with pytest.raises(ContractBreach):
            await at.adapter.transfer_status(at.rehearsal.transfers[0])


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize(
    "body",
    [b"<html>no</html>", b'{"code": "SOMETHING_NEW", "message": "?"}', b'{"message": "no code"}', b"[]", b"{", b""],
)
async def test_a_no_without_a_code_that_is_known_is_no_no(status: int, body: bytes) -> None:
    async with rehearsed() as at:
        at.line.change = lambda request, response: (
            httpx.Response(status, content=body) if is_command(request) else response
        )
        with pytest.raises(OutcomeUnknown):
            await at.adapter.transfer(at.rehearsal.transfers[0])


@pytest.mark.parametrize(
    "body",
    [
        {"holdings": []},
        {"holdings": [], "nextAfter": "5"},
        {"holdings": {}, "nextAfter": None},
        {"nextAfter": None},
        {"holdings": [{"accountNumber": "1"}], "nextAfter": None},
        {"holdings": [{"accountNumber": "90420"}], "nextAfter": "0"},
        {"holdings": [{"accountNumber": "90420"}], "nextAfter": "x"},
        {"holdings": [{"accountNumber": "90420"}] * 3, "nextAfter": None},
        [],
    ],
)
async def test_a_list_that_is_not_understood_is_a_breach(body: Any) -> None:
    async with rehearsed(page_size=2) as at:
        at.line.change = lambda request, response: (
            httpx.Response(200, json=body) if request.method == "GET" else response
        )
        with pytest.raises(ContractBreach):
            await at.adapter.read_holdings(HOLDINGS, None)


async def test_an_empty_list_is_a_page() -> None:
    async with rehearsed() as at:
        page = await at.adapter.read_movements(MOVEMENTS, STARTS_AT + timedelta(days=1), None)
    assert (page.rows.height, page.next_cursor) == (0, None)


async def test_cursors_and_feeds_and_accounts_of_others_are_refused() -> None:
    async with rehearsed() as at:
        for cursor in ("account-movements:5", "account-holdings:x", "account-holdings:", "5"):
            with pytest.raises(ConfigurationError, match="expected one of the feed account-holdings"):
                await at.adapter.read_holdings(HOLDINGS, cursor)
        with pytest.raises(CapabilityMissing):
            await at.adapter.read_holdings("holdings", None)
        with pytest.raises(CapabilityMissing):
            await at.adapter.movements_total(HOLDINGS, STARTS_AT)
        other = at.rehearsal.transfers[0].model_copy(update={"account": "1001"})
        with pytest.raises(ConfigurationError, match="for the account 1001"):
            await at.adapter.transfer(other)
        with pytest.raises(ConfigurationError, match="for the account 1001"):
            await at.adapter.transfer_status(other)
        odd = at.rehearsal.retirements[0].model_copy(update={"attributes": {"colour": "green"}})
        with pytest.raises(ConfigurationError, match="colour"):
            await at.adapter.retire(odd)
        assert at.line.asked == []


async def test_without_an_account_only_the_public_reports_are_read() -> None:
    async with rehearsed(account="") as at:
        assert (at.adapter.holding_feeds(), at.adapter.movement_feeds()) == ([], [])
        with pytest.raises(CapabilityMissing, match="the settings name no account"):
            await at.adapter.holdings_total(HOLDINGS)
        with pytest.raises(ConfigurationError, match="the settings lead to none"):
            await at.adapter.transfer(at.rehearsal.transfers[0])
        assert at.line.asked == []
        assert (await at.adapter.catalogue_total("holdings")).rows > 0


async def test_the_rules_of_a_retirement_are_the_registry_s() -> None:
    async with rehearsed() as at:
        rules = at.adapter.retirement_rules()
        fitting = at.rehearsal.retirements[0].model_copy(
            update={"beneficiary": "B" * rules.beneficiary_limit, "attributes": {"retirementReason": "Other"}}
        )
        assert (await at.adapter.retire(fitting)).state is CommandState.ACCEPTED
        assert rules.purposes == ("voluntary",)
        for change, code in (
            ({"purpose": RetirementPurpose.OFFSET}, "INVALID_PURPOSE"),
            ({"attributes": {"retirementReason": "Because"}}, "INVALID_REASON"),
            ({"beneficiary": " "}, "INVALID_BENEFICIARY"),
        ):
            order = at.rehearsal.retirements[1].model_copy(update=change)
            with pytest.raises(Rejected) as caught:
                await at.adapter.retire(order)
            assert caught.value.code == code


# The token.


async def test_one_token_serves_until_shortly_before_its_end() -> None:
    async with rehearsed() as at:
        for minutes, tokens in ((0, 1), (10, 1), (18, 1), (2, 2)):
            at.clock.advance(timedelta(minutes=minutes))
            await at.adapter.holdings_total(HOLDINGS)
            assert len([one for one in at.line.asked if one.url.path.endswith("/token")]) == tokens


async def test_no_command_is_let_in_after_the_processing_limit() -> None:
    async with rehearsed() as at:
        order = at.rehearsal.retirements[0]
        held: list[httpx.Request] = []

        def hold_up(request: httpx.Request) -> httpx.Response:
            if not is_command(request):
                return at.rehearsal.mock.handle(request)
            held.append(request)
            return httpx.Response(504)

        at.line.handle = hold_up  # type: ignore[method-assign]
        with pytest.raises(OutcomeUnknown):
            await at.adapter.retire(order)
        assert (await at.adapter.retirement_status(order)).state is CommandState.NOT_FOUND
        at.clock.advance(MANIFEST.processing_limit)
        assert at.rehearsal.mock.handle(held[0]).status_code == 401
        assert (await at.adapter.retirement_status(order)).state is CommandState.NOT_FOUND


async def test_a_token_that_is_not_accepted_is_dropped() -> None:
    async with rehearsed() as at:
        await at.adapter.holdings_total(HOLDINGS)
        at.mock.accounts.expire_tokens()
        with pytest.raises(AccessDenied):
            await at.adapter.transfer(at.rehearsal.transfers[0])
        assert (await at.adapter.transfer(at.rehearsal.transfers[0])).state is CommandState.AWAITING_ACCEPTANCE
        at.mock.accounts.expire_tokens()
        with pytest.raises(AccessDenied):
            await at.adapter.holdings_total(HOLDINGS)
        await at.adapter.holdings_total(HOLDINGS)


async def test_a_wrong_secret_is_denied_and_never_shown() -> None:
    async with rehearsed(client_secret="another-secret") as at:
        for call in (at.adapter.holdings_total(HOLDINGS), at.adapter.transfer(at.rehearsal.transfers[0])):
            with pytest.raises(AccessDenied) as caught:
                await call
            assert "another-secret" not in str(caught.value)
        assert "another-secret" not in repr(at.adapter._accounts._config)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), Unavailable),
        (httpx.Response(200, json={"access_token": "x"}), ContractBreach),
        (httpx.Response(200, json={"access_token": "", "expires_in": 60}), ContractBreach),
        (httpx.Response(200, json={"access_token": "x\ny", "expires_in": 60}), ContractBreach),
        (httpx.Response(200, json={"access_token": "x", "expires_in": 0}), ContractBreach),
        (httpx.Response(200, content=b"<html>"), ContractBreach),
    ],
)
async def test_without_a_token_no_command_leaves(answer: httpx.Response, error: type[AdapterError]) -> None:
    async with rehearsed() as at:
        at.line.change = lambda request, response: answer if request.url.path.endswith("/token") else response
        with pytest.raises(error):
            await at.adapter.holdings_total(HOLDINGS)
        with pytest.raises(NotSent):
            await at.adapter.transfer(at.rehearsal.transfers[0])
        assert not any(is_command(one) for one in at.line.asked)


def test_a_lot_is_sent_as_it_is() -> None:
    from adapters.verra.account_side import _block

    assert _block(Lot(holding="5", quantity=2)) == {"holdingId": "5", "serialNumber": None, "quantity": 2}
