"""The CBL adapter's commands: what is sent, what is answered, and how doubt is resolved by id or by witness."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stamina

from adapters.cbl.adapter import CblAdapter
from adapters.cbl.book import ACCOUNT
from adapters.cbl.book_venue import settle
from adapters.cbl.commands import RULES
from adapters.cbl.rehearsal import effects
from adapters.cbl.witness import PROCESSING_LIMIT
from gateway.kit.errors import (
    AccessDenied,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal
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
from gateway.model.errors import CapabilityMissing, InvariantViolation
from tests.unit.cbl_line import Caller, adapter_of, mock_of, rehearsal, told

COMMAND_PATHS = ("/deposit", "/withdraw", "/create", "/accept", "/reject", "/withdraw-and-retire")


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@dataclass
class Line:
    """The stand-in; what commands it got; and what becomes of the next one."""

    plan: Rehearsal = field(init=False)
    clock: MockClock = field(init=False)
    sent: list[tuple[str, Any]] = field(default_factory=list)
    fate: Callable[[Callable[[], httpx.Response], httpx.Request], httpx.Response] | None = None

    def __post_init__(self) -> None:
        self.plan, self.clock = rehearsal()

    def handle(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith(COMMAND_PATHS):
            return self.plan.mock.handle(request)
        self.sent.append((request.url.path, json.loads(request.content, parse_float=str)))
        fate, self.fate = self.fate, None
        if fate is None:
            return self.plan.mock.handle(request)
        return fate(lambda: self.plan.mock.handle(request), request)


def lost_after(act: Callable[[], httpx.Response], request: httpx.Request) -> httpx.Response:
    act()
    raise httpx.ReadError("gone", request=request)


def lost_before(_act: Callable[[], httpx.Response], request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("gone", request=request)


def orders(line: Line) -> dict[str, Order]:
    plan = line.plan
    return {one.command_id: one for one in (*plan.transfers, *plan.acceptances, *plan.retirements)}


async def borne(adapter: CblAdapter, order: Any) -> Any:
    if isinstance(order, Acceptance):
        return order
    return order.model_copy(update={"witness": await adapter.witness(order)})


async def send(adapter: CblAdapter, order: Order) -> CommandStatus:
    match order:
        case Transfer():
            return await adapter.transfer(order)
        case Acceptance():
            return await adapter.accept(order)
        case Retirement():
            return await adapter.retire(order)
    raise AssertionError(order)


async def ask(adapter: CblAdapter, order: Order) -> CommandStatus:
    match order:
        case Transfer():
            return await adapter.transfer_status(order)
        case Acceptance():
            return await adapter.acceptance_status(order)
        case Retirement():
            return await adapter.retirement_status(order)
    raise AssertionError(order)


NAMES = sorted(orders(Line()))
BY_LOT = [name for name in NAMES if not name.startswith("accept")]


@pytest.mark.parametrize("name", NAMES)
async def test_a_command_is_taken_and_confirmed_when_the_market_is_done(name: str) -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        first = await send(adapter, order)
        expected = CommandState.AWAITING_ACCEPTANCE if name.startswith("transfer") else CommandState.ACCEPTED
        assert first.state is (CommandState.CONFIRMED if name == "accept-2" else expected)
        assert first.reference
        assert (await ask(adapter, order)).state is first.state
        line.plan.settle()
        last = await ask(adapter, order)
    assert last.state is CommandState.CONFIRMED
    assert last.command_id == name
    assert last.native_state in {"ACTIVE", "SETTLED", "COMPLETED", "REJECTED"}
    if not isinstance(order, Acceptance):
        assert sum(lot.quantity for lot in last.lots) == sum(lot.quantity for lot in order.lots)
    assert effects(mock_of(line.plan).book, order) == 1 == len(line.sent)


@pytest.mark.parametrize("name", NAMES)
async def test_a_lost_reply_is_resolved_as_done(name: str) -> None:
    line = Line()
    line.fate = lost_after
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        with pytest.raises(OutcomeUnknown):
            await send(adapter, order)
        assert (await ask(adapter, order)).state not in {CommandState.NOT_FOUND, CommandState.UNDECIDED}
        line.plan.settle()
        assert (await ask(adapter, order)).state is CommandState.CONFIRMED
    assert effects(mock_of(line.plan).book, order) == 1


@pytest.mark.parametrize("name", BY_LOT)
async def test_a_lost_command_is_undecided_until_the_processing_limit_and_then_not_found(name: str) -> None:
    line = Line()
    line.fate = lost_before
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        with pytest.raises(OutcomeUnknown):
            await send(adapter, order)
        assert (await ask(adapter, order)).state is CommandState.UNDECIDED
        line.clock.advance(PROCESSING_LIMIT - timedelta(seconds=1))
        assert (await ask(adapter, order)).state is CommandState.UNDECIDED
        line.clock.advance(timedelta(seconds=1))
        gone = await ask(adapter, order)
    assert (gone.state, gone.native_state) == (CommandState.NOT_FOUND, None)
    assert effects(mock_of(line.plan).book, order) == 0


@pytest.mark.parametrize("name", BY_LOT)
async def test_without_a_witness_nothing_is_said_of_a_lost_command(name: str) -> None:
    line = Line()
    line.fate = lost_before
    async with adapter_of(line, line.clock) as adapter:
        order = orders(line)[name]
        with pytest.raises(OutcomeUnknown):
            await send(adapter, order)
        line.plan.settle()
        assert (await ask(adapter, order)).state is CommandState.UNDECIDED


async def test_a_lost_answer_to_a_transfer_leaves_it_waiting() -> None:
    line = Line()
    line.fate = lost_before
    async with adapter_of(line, line.clock) as adapter:
        order = line.plan.acceptances[0]
        with pytest.raises(OutcomeUnknown):
            await adapter.accept(order)
        assert (await adapter.acceptance_status(order)).state is CommandState.NOT_FOUND
        await adapter.accept(order)
        line.fate = None
        with pytest.raises(OutcomeUnknown, match="INVALID_TRANSFER_ST"):
            await adapter.accept(order)
    assert effects(mock_of(line.plan).book, order) == 1


@pytest.mark.parametrize("place", range(len(Line().plan.refused)))
async def test_a_refused_command_has_the_markets_code_and_changes_nothing(place: int) -> None:
    line = Line()
    refused = line.plan.refused[place]
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, refused.order)
        with pytest.raises(Rejected) as caught:
            await send(adapter, order)
    assert caught.value.code == refused.code
    assert not mock_of(line.plan).book.acts
    assert len(line.sent) == 1


async def test_what_is_sent_is_what_the_contract_asks_for() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        for name in ("transfer-1", "retire-1", "retire-2", "accept-1"):
            await send(adapter, await borne(adapter, orders(line)[name]))
    create, retire, withdraw, accept = [body for _, body in line.sent]
    assert create["settlementDate"] == "2026-07-14"
    assert create["transfers"][0]["externalTransferIdentifier"] == "transfer-1"
    assert create["transfers"][0]["transferData"]["transferDataType"] == "TAX_LOTS"
    assert isinstance(create["transfers"][0]["transferData"]["taxLots"][0]["taxLotId"], int)
    assert retire["dryRun"] is False
    assert retire["retirements"][0]["externalIdentifier"] == "retire-1"
    assert retire["retirements"][0]["quantityPerTaxLot"][0]["quantity"] == 12
    assert retire["attributes"]["retirementReason"] == "VOLUNTARY"
    assert "quantityPerTaxLot" not in withdraw["retirements"][0]
    assert withdraw["attributes"]["subAccount"] == "43134"
    assert line.sent[2][0].endswith("/action/withdraw-and-retire")
    assert accept["transfers"][0]["price"] == {"currency": "USD", "amount": "4.15"}


def test_the_retirement_rules_are_those_that_the_market_states() -> None:
    plan, _ = rehearsal()
    stated = told(Caller(plan.mock).get("/retirements/program/VCS/rules"))["attributes"]
    by_name = {one["name"]: one for one in stated}
    assert by_name["beneficialOwnerName"]["maxLength"] == RULES.beneficiary_limit
    known = {"beneficialOwnerName", "retirementReason", "retirementReasonDetails", *RULES.attributes}
    assert by_name.keys() == known
    assert all(by_name[name]["required"] is needed for name, needed in RULES.attributes.items())
    assert set(RULES.purposes) == {purpose.value for purpose in RetirementPurpose}
    assert Caller(plan.mock).get("/retirements/program/NOWHERE/rules").status_code == 404


async def test_a_certificate_is_there_once_a_retirement_is_confirmed() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["retire-1"])
        await adapter.retire(order)
        with pytest.raises(Unavailable, match="found the retirement accepted"):
            await adapter.certificate(order)
        line.plan.settle()
        proof = await adapter.certificate(order)
    assert proof.media_type == "application/pdf"
    assert proof.content.startswith(b"%PDF-")


async def test_a_registry_that_refuses_and_a_counterparty_that_says_no_are_rejections() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        retirement = await borne(adapter, orders(line)["retire-1"])
        transfer = await borne(adapter, orders(line)["transfer-1"])
        await adapter.retire(retirement)
        await adapter.transfer(transfer)
        book.refusing_registry = True
        book.counterparty_answers(next(one for one in book.transfers if book.transfers[one].external == "transfer-1"),
                                  accept=False)  # fmt: skip
        line.plan.settle()
        answers = [await adapter.retirement_status(retirement), await adapter.transfer_status(transfer)]
    assert [(one.state, one.code) for one in answers] == [
        (CommandState.REJECTED, "FAILED"),
        (CommandState.REJECTED, "REJECTED"),
    ]


async def test_an_instrument_that_is_locked_may_be_locked_by_our_own_command() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["retire-1"])

        def twice(act: Callable[[], httpx.Response], _request: httpx.Request) -> httpx.Response:
            act()
            return act()

        line.fate = twice
        with pytest.raises(OutcomeUnknown, match="EIN_CURRENTLY_LOC"):
            await adapter.retire(order)
        line.plan.settle()
        assert (await adapter.retirement_status(order)).state is CommandState.CONFIRMED


async def test_trading_does_not_disturb_the_proof_of_a_withdrawal() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["release-1"])
        one = book.deposits[order.lots[0].holding]
        trade = {
            "tradeIdentifier": "TR-X",
            "sellerIdentifier": ACCOUNT,
            "buyerIdentifier": "7B21F0C4",
            "productCode": one.market,
            "quantity": 20,
            "price": 1,
            "currency": "USD",
        }
        settle(book, trade)
        line.clock.advance(PROCESSING_LIMIT)
        assert (await adapter.transfer_status(order)).state is CommandState.NOT_FOUND
        line.fate = lost_after
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        line.clock.advance(timedelta(minutes=1))
        assert (await adapter.transfer_status(order)).state is CommandState.CONFIRMED


async def test_a_withdrawal_of_another_size_proves_nothing() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["release-1"])
        one = book.deposits[order.lots[0].holding]
        one.available, one.lot.available, one.lot.encumbered = one.available - 7, one.lot.available + 7, 0
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED
        del book.deposits[one.identifier]
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


async def test_an_equal_deposit_made_before_is_not_taken_for_ours() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        earlier = await borne(adapter, orders(line)["earmark-1"])
        await adapter.transfer(earlier)
        order = await borne(adapter, earlier.model_copy(update={"command_id": "earmark-9", "witness": None}))
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.NOT_FOUND
        assert (await adapter.transfer_status(earlier)).state is CommandState.CONFIRMED


async def test_units_that_left_a_lot_by_another_way_leave_a_deposit_undecided() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-1"])
        book.lots[int(order.lots[0].holding)].available -= 40
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


async def test_half_of_a_deposit_is_undecided() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-2"])
        await adapter.transfer(order)
        last = max(book.deposits)
        del book.deposits[last]
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


@pytest.mark.parametrize(("kind", "holding"), [(TransferKind.EARMARK, "999999999"), (TransferKind.RELEASE, "D-none")])
async def test_a_lot_that_the_market_never_showed_was_not_moved(kind: TransferKind, holding: str) -> None:
    line = Line()
    order = Transfer(
        command_id="x-1", account=ACCOUNT, kind=kind, counter_account="GEO", lots=(Lot(holding=holding, quantity=1),)
    )
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, order)
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.NOT_FOUND


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>Sign in</html>"),
        httpx.Response(200, text='{"transfers":[{"'),
        httpx.Response(200, json={"done": True}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json=[{"depositIdentifier": None, "status": "VANISHED"}]),
        httpx.Response(500, json={"message": "Internal server error"}),
        httpx.Response(429, json={"message": "Too many requests"}),
        httpx.Response(404, json={"message": "Not found"}),
        httpx.Response(400, text="Bad request"),
        httpx.Response(400, json={"code": "DUPLICATED_REQUEST", "message": "again"}),
        httpx.Response(400, json={"code": "INVALID_REQUEST", "message": "no", "errors": [{"code": "NEW_CODE"}]}),
        httpx.Response(400, json={"message": "no code"}),
    ],
)
async def test_an_answer_that_says_nothing_certain_leaves_the_outcome_unknown(
    name: str, answer: httpx.Response
) -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        line.fate = lambda _act, _request: answer
        with pytest.raises(OutcomeUnknown):
            await send(adapter, order)
    assert len(line.sent) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_a_market_that_cannot_be_asked_before_a_command_gets_none(name: str) -> None:
    line = Line()
    mock_of(line.plan).go_down()
    async with adapter_of(line, line.clock) as adapter:
        with pytest.raises(NotSent):
            await send(adapter, orders(line)[name])
    assert not line.sent


async def test_a_refused_token_is_denied_access_and_a_new_one_fetched_next_time() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-1"])
        mock_of(line.plan).revoke_tokens()
        with pytest.raises(AccessDenied):
            await adapter.transfer(order)
        assert (await adapter.transfer(order)).state is CommandState.ACCEPTED
    assert effects(mock_of(line.plan).book, order) == 1


async def test_lots_of_two_programmes_or_of_two_kinds_are_not_one_order() -> None:
    line = Line()
    book = mock_of(line.plan).book
    by_program = {one.instrument.project.program: one for one in book.lots.values() if one.account == ACCOUNT}
    lots = tuple(Lot(holding=str(by_program[code].id), quantity=1) for code in ("VCS", "GS"))
    deposit = next(one for one in book.deposits.values() if one.lot.account == ACCOUNT)
    mixed = (Lot(holding=deposit.identifier, quantity=1), lots[0])
    purpose = RetirementPurpose.VOLUNTARY
    async with adapter_of(line, line.clock) as adapter:
        with pytest.raises(CapabilityMissing, match="found GS, VCS"):
            await adapter.transfer(Transfer(command_id="x-1", account=ACCOUNT, counter_account="Y", lots=lots))
        with pytest.raises(CapabilityMissing, match="not both in one order"):
            await adapter.retire(
                Retirement(command_id="x-2", account=ACCOUNT, lots=mixed, purpose=purpose, beneficiary="Y")
            )
    assert not line.sent


async def test_a_note_that_is_none_of_ours_is_our_own_fault() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = orders(line)["earmark-1"].model_copy(update={"witness": "{}"})
        with pytest.raises(InvariantViolation, match="no note of this adapter"):
            await ask(adapter, order)


class Showing:
    """The stand-in with one kind of answer changed."""

    def __init__(self, line: Line, path: str, change: Callable[[Any], Any]) -> None:
        self._line, self._path, self._change = line, path, change

    def handle(self, request: httpx.Request) -> httpx.Response:
        response = self._line.handle(request)
        if not request.url.path.endswith(self._path):
            return response
        return httpx.Response(200, json=self._change(told(response)))


def worded(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one | {"status": "VANISHED"} for one in documents]


@pytest.mark.parametrize(
    ("name", "path", "change"),
    [
        ("earmark-1", "/search-deposits", worded),
        ("release-1", "/search-deposits", worded),
        ("transfer-1", "/transfers/account/5C0D11A7/action/search", lambda p: p | {"content": worded(p["content"])}),
        ("accept-1", "/transfers/account/5C0D11A7/action/search", lambda p: p | {"content": worded(p["content"])}),
        ("retire-1", "/action/search", lambda p: p | {"retirements": worded(p.get("retirements", []))}),
        ("retire-1", "/retirements/account/5C0D11A7/action/search", lambda _: {}),
        ("earmark-1", "/tax-lots-by-program", lambda p: p | {"content": p["content"][:1] * 2}),
        ("earmark-1", "/search-deposits", lambda p: [one | {"settledQuantity": 10**9} for one in p]),
    ],
)
async def test_a_status_in_words_or_figures_that_cannot_be_is_a_breach(
    name: str, path: str, change: Callable[[Any], Any]
) -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        if "tax-lots" not in path:
            await send(adapter, order)
    async with adapter_of(Showing(line, path, change), line.clock) as adapter:
        with pytest.raises(ContractBreach):
            await ask(adapter, order)


async def test_a_search_for_one_transfer_that_shows_another_is_a_breach() -> None:
    line = Line()
    mounted = Showing(
        line,
        "/transfers/account/5C0D11A7/action/search",
        lambda page: page | {"content": [one | {"identifier": "T-other"} for one in page["content"]]},
    )
    async with adapter_of(mounted, line.clock) as adapter:
        with pytest.raises(ContractBreach, match="found others or several"):
            await adapter.acceptance_status(line.plan.acceptances[0])
        with pytest.raises(NotSent, match="found others or several"):
            await adapter.accept(line.plan.acceptances[0])
    assert not line.sent


async def test_transfers_are_looked_for_on_every_page() -> None:
    line = Line()
    async with adapter_of(line, line.clock, page_size=1) as adapter:
        order = await borne(adapter, orders(line)["transfer-1"])
        for copy in range(3):
            await adapter.transfer(order.model_copy(update={"command_id": f"other-{copy}"}))
        await adapter.transfer(order)
        status = await adapter.transfer_status(order)
    assert (status.state, len(status.lots)) == (CommandState.AWAITING_ACCEPTANCE, 1)
