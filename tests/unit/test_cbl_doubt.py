"""What the CBL adapter does not claim: figures and ids that others, or a market that does half, could have left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stamina
from pydantic import ValidationError

from adapters.cbl.book import ACCOUNT, Book
from adapters.cbl.book_entries import TaxLot
from adapters.cbl.book_entries import Transfer as BookedTransfer
from adapters.cbl.book_venue import deposit, withdraw
from adapters.cbl.config import CblConfig
from adapters.cbl.witness import PROCESSING_LIMIT
from gateway.kit.errors import ContractBreach, OutcomeUnknown, Unavailable
from gateway.model.commands import CommandState, Lot, Transfer, TransferKind
from tests.unit.cbl_line import Caller, adapter_of, codes, mock_of
from tests.unit.test_cbl_commands import Line, Showing, borne, lost_after, lost_before, orders


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


def placed(book: Book, lot: str, quantity: int, market: str = "N-GEO") -> str:
    """Somebody deposits units of ours at the market's own screen."""
    [one] = deposit(book, ACCOUNT, {"market": market, "deposits": [{"taxLotId": int(lot), "quantity": quantity}]})
    return one.identifier


def namesake(book: Book, lot: str) -> TaxLot:
    """Another lot of the same instrument under the same name, as two settlements of one day leave them."""
    first = book.lots[int(lot)]
    return book.establish(first.instrument, first.available, ACCOUNT, first.name)


async def test_one_deposit_too_many_of_the_same_size_is_for_a_person() -> None:
    line = Line()
    book = mock_of(line.plan).book
    line.fate = lost_after
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-1"])
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        placed(book, order.lots[0].holding, order.lots[0].quantity)
        line.plan.settle()
        status = await adapter.transfer_status(order)
    assert (status.state, status.reference) == (CommandState.UNDECIDED, None)


async def test_somebodys_equal_deposit_on_another_market_is_not_ours() -> None:
    line = Line()
    book = mock_of(line.plan).book
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-1"])
        placed(book, order.lots[0].holding, order.lots[0].quantity, market="GEO")
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


async def test_a_deposit_of_a_lot_with_the_same_name_is_not_ours() -> None:
    line = Line()
    book = mock_of(line.plan).book
    ours = orders(line)["earmark-1"]
    assert isinstance(ours, Transfer)
    other = namesake(book, ours.lots[0].holding)
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, ours)
        placed(book, str(other.id), ours.lots[0].quantity)
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


async def test_a_deposit_of_a_lot_whose_name_is_not_its_alone_is_told_by_its_free_units() -> None:
    line = Line()
    namesake(mock_of(line.plan).book, orders(line)["earmark-1"].lots[0].holding)  # type: ignore[attr-defined]
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["earmark-1"])
        await adapter.transfer(order)
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.CONFIRMED


async def test_a_deposit_placed_while_the_note_is_made_is_in_it() -> None:
    line = Line()
    book = mock_of(line.plan).book
    order = orders(line)["earmark-1"]
    assert isinstance(order, Transfer)
    lot = order.lots[0]

    class Between:
        """Somebody deposits after the first of the two answers that a note is made of."""

        answers = 0

        def handle(self, request: httpx.Request) -> httpx.Response:
            response = line.handle(request)
            self.answers += not request.url.path.endswith("/token")
            if self.answers == 1:
                placed(book, lot.holding, lot.quantity)
                self.answers += 1
            return response

    async with adapter_of(Between(), line.clock) as adapter:
        noted = await borne(adapter, order)
    line.plan.settle()
    async with adapter_of(line, line.clock) as adapter:
        assert (await adapter.transfer_status(noted)).state is not CommandState.CONFIRMED


async def test_a_deposit_that_was_traded_and_is_shown_no_more_did_happen() -> None:
    line = Line()
    book = mock_of(line.plan).book
    line.fate = lost_after
    async with adapter_of(line, line.clock) as adapter:
        first = orders(line)["earmark-1"]
        assert isinstance(first, Transfer)
        lot = book.lots[int(first.lots[0].holding)]
        earlier = placed(book, str(lot.id), 40)
        line.plan.settle()
        order = await borne(adapter, first)
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        ours = book.deposits.pop(max(book.deposits))
        lot.encumbered -= ours.quantity
        line.plan.settle()
        withdraw(book, ACCOUNT, {"withdrawals": [{"depositIdentifier": earlier, "quantity": 40}]})
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED


@pytest.mark.parametrize("fate", [lost_before, lost_after])
async def test_units_in_a_trade_that_is_not_settled_are_not_taken_for_withdrawn(fate: Any) -> None:
    line = Line()
    book = mock_of(line.plan).book
    line.fate = fate
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["release-1"])
        one = book.deposits[order.lots[0].holding]
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)
        one.available -= order.lots[0].quantity
        line.plan.settle()
        assert (await adapter.transfer_status(order)).state is CommandState.UNDECIDED
        one.settled += order.lots[0].quantity
        one.lot.encumbered -= order.lots[0].quantity
        expected = CommandState.NOT_FOUND if fate is lost_before else CommandState.CONFIRMED
        assert (await adapter.transfer_status(order)).state is expected


async def test_a_trade_under_way_when_the_note_was_made_does_not_hide_a_withdrawal() -> None:
    line = Line()
    book = mock_of(line.plan).book
    order = orders(line)["release-1"]
    assert isinstance(order, Transfer)
    one, quantity = book.deposits[order.lots[0].holding], order.lots[0].quantity
    one.available -= quantity
    async with adapter_of(line, line.clock) as adapter:
        noted = await borne(adapter, order)
        await adapter.transfer(noted)
        one.settled += quantity
        one.lot.encumbered -= quantity
        line.plan.settle()
        assert (await adapter.transfer_status(noted)).state is CommandState.UNDECIDED


def twice(act: Callable[[], httpx.Response], _request: httpx.Request) -> httpx.Response:
    act()
    return act()


async def test_a_transfer_that_was_made_twice_is_told_and_not_confirmed() -> None:
    line = Line()
    line.fate = twice
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["transfer-1"])
        await adapter.transfer(order)
        with pytest.raises(ContractBreach, match="found 20 units in 2 parts under the id transfer-1, ordered 10"):
            await adapter.transfer_status(order)
        book = mock_of(line.plan).book
        first = next(name for name, one in book.transfers.items() if one.external == "transfer-1")
        book.counterparty_answers(first, accept=False)
        line.plan.settle()
        status = await adapter.transfer_status(order)
    assert (status.state, status.native_state) == (CommandState.CONFIRMED, "SETTLED")
    assert sum(lot.quantity for lot in status.lots) == 10


@pytest.mark.parametrize(
    ("name", "path", "key"),
    [
        ("transfer-1", "/transfers/account/5C0D11A7/action/search", "content"),
        ("retire-1", "/retirements/account/5C0D11A7/action/search", "retirements"),
    ],
)
async def test_a_part_of_what_was_ordered_is_no_confirmation(name: str, path: str, key: str) -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        await (adapter.transfer(order) if isinstance(order, Transfer) else adapter.retire(order))
    line.plan.settle()
    halved = Showing(line, path, lambda page: page | {key: [one | {"quantity": 5} for one in page[key]]})
    async with adapter_of(halved, line.clock) as adapter:
        ask = adapter.transfer_status if isinstance(order, Transfer) else adapter.retirement_status
        assert (await ask(order)).state is CommandState.UNDECIDED


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("earmark-2", [{"depositIdentifier": "D1"}]),
        ("earmark-2", [{"depositIdentifier": "D1"}, {"depositIdentifier": "D1"}]),
        ("release-1", [{"depositIdentifier": "D-other", "status": "COMPLETED"}]),
    ],
)
async def test_an_answer_about_other_parts_than_were_ordered_is_doubt(name: str, answer: Any) -> None:
    line = Line()
    line.fate = lambda _act, _request: httpx.Response(200, json=answer)
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)[name])
        with pytest.raises(OutcomeUnknown):
            await adapter.transfer(order)


async def test_an_answer_that_confirms_one_of_two_withdrawals_is_doubt() -> None:
    line = Line()
    names = [one.identifier for one in mock_of(line.plan).book.deposits.values() if one.lot.account == ACCOUNT][:2]
    lots = tuple(Lot(holding=name, quantity=1) for name in names)
    kind = TransferKind.RELEASE
    order = Transfer(command_id="x-1", account=ACCOUNT, kind=kind, counter_account="GEO", lots=lots)
    done = [{"depositIdentifier": names[0], "status": "COMPLETED"}]
    line.fate = lambda _act, _request: httpx.Response(200, json=done)
    async with adapter_of(line, line.clock) as adapter:
        with pytest.raises(OutcomeUnknown, match=f"is about {names[0]}, expected"):
            await adapter.transfer(await borne(adapter, order))


async def test_transfers_that_move_while_they_are_read_are_read_again() -> None:
    line = Line()
    book = mock_of(line.plan).book
    path = "/transfers/account/5C0D11A7/action/search"

    def recent() -> list[BookedTransfer]:
        return [one for one in book.transfers.values() if one.external in {"other-0", "other-1", "transfer-1"}]

    class Moving:
        """The oldest transfer changes after each page, and so moves to the end."""

        def handle(self, request: httpx.Request) -> httpx.Response:
            response = line.handle(request)
            if request.url.path.endswith(path):
                line.clock.advance(timedelta(seconds=1))
                oldest = min(recent(), key=lambda one: one.updated)
                oldest.updated = line.clock()
            return response

    async with adapter_of(line, line.clock) as adapter:
        noted = await borne(adapter, orders(line)["transfer-1"])
        for copy in range(2):
            await adapter.transfer(noted.model_copy(update={"command_id": f"other-{copy}"}))
        await adapter.transfer(noted)
    line.clock.advance(PROCESSING_LIMIT)
    async with adapter_of(Moving(), line.clock, page_size=2) as adapter:
        with pytest.raises(Unavailable, match="changed while it was read"):
            await adapter.transfer_status(noted)


async def test_a_note_made_by_a_clock_that_was_ahead_still_finds_the_transfer() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["transfer-1"])
        assert order.witness is not None
        noted = json.loads(order.witness) | {"at": (line.clock() + timedelta(hours=2)).isoformat()}
        order = order.model_copy(update={"witness": json.dumps(noted)})
        await adapter.transfer(order)
        line.clock.advance(timedelta(hours=3))
        assert (await adapter.transfer_status(order)).state is CommandState.CONFIRMED


async def test_attributes_do_not_replace_the_beneficiary() -> None:
    line = Line()
    async with adapter_of(line, line.clock) as adapter:
        order = await borne(adapter, orders(line)["retire-1"])
        await adapter.retire(order.model_copy(update={"attributes": {"beneficialOwnerName": "Somebody Else"}}))
    assert line.sent[-1][1]["attributes"]["beneficialOwnerName"] == order.beneficiary


def test_a_mistyped_setting_does_not_show_the_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        CblConfig.model_validate({"pasword": "a-real-secret", "client_secret": 12345678})
    assert "a-real-secret" not in str(caught.value)
    assert "12345678" not in str(caught.value)


def test_half_a_surrogate_pair_is_refused_in_the_markets_words() -> None:
    body = {"withdrawals": [{"depositIdentifier": "\ud800", "quantity": 1}]}
    caller = Caller(Line().plan.mock)
    assert codes(caller.post(f"/exchanges/CBL/accounts/{ACCOUNT}/action/withdraw", body))[:2] == (
        400,
        "DEPOSIT_NOT_FOUND",
    )
