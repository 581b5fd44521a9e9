"""Offers from the markets' own words to the home venue's book: once, halted at once, in doubt never repeated."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from gateway.catalogue.sync import sync
from gateway.controls import restrictions
from gateway.controls.restrictions import Scope
from gateway.kit.errors import AdapterError
from gateway.kit.faults import Fault, FaultPlan
from gateway.model.commands import OfferAction
from gateway.model.errors import ConfigurationError
from gateway.offers.operation import InStep
from gateway.offers.plan import CHANGING
from gateway.offers.publishing import shown
from gateway.store.database import Database
from gateway.testing.linking import LinkMarket
from tests.integration.catalogue_support import asked
from tests.integration.offers_support import Exchange, linked_exchange, quiet


@pytest.fixture
async def exchange(database: Database, link_market: LinkMarket) -> Exchange:
    return await linked_exchange(database, link_market)


async def test_what_is_admitted_is_at_the_venue_and_a_second_time_nothing_is_sent(exchange: Exchange) -> None:
    step = await exchange.publish()
    assert step.published.in_doubt is None
    assert step.published.refused == []
    assert {one.offer_id for one in step.published.accepted} == step.entries.keys() == exchange.at_venue().keys()
    assert {one.firm for one in step.published.accepted} == {True, False}
    before = await asked(exchange.database, "SELECT count(*) AS n FROM publication")
    await exchange.read()
    again = await exchange.publish()
    assert (again.published.accepted, again.published.refused, again.published.in_doubt) == ([], [], None)
    assert await asked(exchange.database, "SELECT count(*) AS n FROM publication") == before


async def test_firm_offers_are_covered_unit_by_unit(exchange: Exchange) -> None:
    step = await exchange.publish()
    free = {
        row["class_id"]: row["free"]
        for row in await asked(
            exchange.database,
            "SELECT class_id, sum(coalesce(available, quantity))::bigint AS free FROM holding WHERE market = 'verra' "
            "AND gone_pull IS NULL GROUP BY class_id",
        )
    }
    firm = [one for one in step.published.accepted if one.firm]
    assert firm
    assert all(one.quantity <= free[one.class_id] for one in firm)


async def test_an_availability_of_nothing_offers_nothing_firm(exchange: Exchange) -> None:
    step = await exchange.publish(availability=lambda _: 0)
    assert step.published.accepted
    assert not any(one.firm for one in step.published.accepted)


async def test_a_restriction_reaches_the_venue_and_its_lift_too(exchange: Exchange) -> None:
    step = await exchange.publish()
    one = next(entry for entry in step.published.accepted if entry.firm)
    scope = Scope.parse(f"offer:{one.offer_id}")
    async with exchange.database.transaction() as connection:
        await restrictions.place(connection, scope, reason="under review", by="Kit")
    (halted,) = (await exchange.publish()).published.accepted
    assert (halted.offer_id, halted.action) == (one.offer_id, OfferAction.HALT)
    assert "restricted by Kit: under review" in (halted.reason or "")
    with pytest.raises(ConfigurationError, match="is restricted already"):
        async with exchange.database.transaction() as connection:
            await restrictions.place(connection, scope, reason="again", by="Kit")
    async with exchange.database.transaction() as connection:
        await restrictions.lift(connection, scope, reason="reviewed", by="Ada")
    (back,) = (await exchange.publish()).published.accepted
    assert (back.offer_id, back.action, back.revision) == (one.offer_id, OfferAction.PUT, 3)
    told = await asked(exchange.database, "SELECT kind FROM event WHERE kind LIKE 'restriction.%' ORDER BY id")
    assert [row["kind"] for row in told] == ["restriction.placed", "restriction.lifted"]


async def test_a_lift_of_nothing_and_a_reason_of_nothing_are_refused(database: Database) -> None:
    async with database.transaction() as connection:
        with pytest.raises(ConfigurationError, match="no restriction is in force on market:cbl"):
            await restrictions.lift(connection, Scope.parse("market:cbl"), reason="why", by="Kit")
        with pytest.raises(ConfigurationError, match="found a reason of 2 characters"):
            await restrictions.place(connection, Scope.parse("market:cbl"), reason="  ", by="Kit")
        assert await restrictions.listed(connection, lifted=True, limit=10) == []


async def test_a_lost_reply_is_asked_about_and_not_sent_again(
    exchange: Exchange, link_market: LinkMarket, database: Database
) -> None:
    mock, clock = exchange.home.mock, exchange.home.clock
    plan = FaultPlan(
        1, script=(Fault.LOST_REPLY,), hits=lambda request: request.url.path.endswith("/offers/publish/v1")
    )
    faulty = await link_market(
        "hkvenue",
        mock=mock,
        clock=clock,
        faults=plan,
        settings={
            "login_url": "https://faulty.example/hkcv/auth/token/v1",
            "api_url": "https://faulty.example/hkcv/api",
        },
    )
    assert faulty.network is not None
    step = await exchange.publish(faulty.market)
    if step.published.in_doubt:
        clock.advance(dt.timedelta(minutes=1))
        step = await exchange.publish(faulty.market)
    assert [one.fault for one in faulty.network.injected] == [Fault.LOST_REPLY]
    assert step.published.in_doubt is None
    assert exchange.at_venue().keys() == step.entries.keys()
    states = await asked(database, "SELECT state, count(*) AS n FROM publication GROUP BY state")
    assert states == [{"state": "confirmed", "n": 1}]
    assert set(mock.book.effects.values()) == {1}


async def test_a_venue_that_cannot_be_reached_is_told_and_nothing_is_lost(
    exchange: Exchange, link_market: LinkMarket
) -> None:
    mock, clock = exchange.home.mock, exchange.home.clock
    await exchange.publish()
    async with exchange.database.transaction() as connection:
        await restrictions.place(connection, Scope.parse("market:verra"), reason="halt", by="Kit")
    mock.go_down()
    with pytest.raises(AdapterError):
        await exchange.publish()
    mock.come_back()
    clock.advance(dt.timedelta(minutes=5))
    step = await exchange.publish()
    assert {one.action for one in step.published.accepted} == {OfferAction.HALT}
    assert {one.action for one in step.entries.values() if one.firm} == {OfferAction.HALT}


async def test_what_is_no_longer_admitted_is_withdrawn_with_the_reason(exchange: Exchange) -> None:
    step = await exchange.publish()
    one = next(entry for entry in step.published.accepted if entry.firm)
    project = one.project_id
    exchange.verra.mock.book.set_project_status(int(project), "On Hold - see notification letter")
    await exchange.read(exchange.verra)
    gone = [entry for entry in (await exchange.publish()).published.accepted if entry.project_id == project]
    assert gone
    assert {entry.action for entry in gone} == {OfferAction.WITHDRAW}
    assert all("the project is on_hold" in (entry.reason or "") for entry in gone)


async def test_two_that_publish_at_once_send_everything_once(exchange: Exchange) -> None:
    first, second = await asyncio.gather(exchange.publish(), exchange.publish())
    told = [one.offer_id for step in (first, second) for one in step.published.accepted]
    assert sorted(told) == sorted(exchange.at_venue())
    async with exchange.database.transaction() as connection:
        assert all(one.entry.revision == 1 for one in (await shown(connection)).values())


async def test_what_the_venue_lost_is_put_up_again_after_the_next_look(exchange: Exchange) -> None:
    step = await exchange.publish()
    lost = next(iter(exchange.at_venue()))
    del exchange.at_venue()[lost]
    exchange.home.clock.advance(dt.timedelta(hours=1))
    await exchange.read(exchange.home)
    (again,) = (await exchange.publish()).published.accepted
    assert (again.offer_id, again.revision) == (lost, step.entries[lost].revision + 1)


def firm_block(exchange: Exchange, step: InStep) -> tuple[Any, str]:
    """A block of ours that is alone in its class, and the id of its firm offer."""
    firm = {one.offer_id: one for one in step.published.accepted if one.firm}
    ours = [one for one in exchange.verra.mock.book.holdings.values() if one.account.name == "HKCV Omnibus"]
    for one in ours:
        for key, entry in firm.items():
            if (entry.project_id, entry.quantity) == (str(one.batch.project.number), one.quantity):
                return one, key
    raise AssertionError("no block of ours is alone in its class")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("hold", "the units are on_hold"),
        ("freeze", "is available: all is frozen"),
        ("retire", "no linked market shows it any more"),
        ("cancel", "no linked market shows it any more"),
        ("label", "no linked market shows it any more"),
    ],
)
async def test_what_happens_to_units_reaches_their_offer_in_the_same_sync(
    exchange: Exchange, event: str, reason: str
) -> None:
    step = await exchange.publish()
    block, offer = firm_block(exchange, step)
    book = exchange.verra.mock.book
    match event:
        case "hold":
            book.put_on_hold(block.entity_id, "Under review")
        case "freeze":
            book.freeze(block.account.name, "Court order", authority="High Court")
        case "retire":
            book.retire(block.entity_id)
        case "cancel":
            book.cancel(block.entity_id)
        case "label":
            book.add_label(block.entity_id, "CCB-Gold")
    await exchange.read(exchange.verra)
    changed = {one.offer_id: one for one in (await exchange.publish()).published.accepted}
    assert changed[offer].action is OfferAction.WITHDRAW
    assert reason in (changed[offer].reason or "")
    if event == "label":
        (new,) = [one for one in changed.values() if one.action is OfferAction.PUT]
        assert (new.firm, new.quantity, new.labels) == (True, block.quantity, ("CCB-GOLD",))


async def test_a_part_that_is_retired_leaves_a_smaller_offer(exchange: Exchange) -> None:
    step = await exchange.publish()
    block, offer = firm_block(exchange, step)
    exchange.verra.mock.book.retire(block.entity_id, units=(block.first, block.first + 4))
    await exchange.read(exchange.verra)
    halted, smaller = (await exchange.publish()).published.accepted
    assert (halted.offer_id, halted.action, halted.reason) == (offer, OfferAction.HALT, CHANGING)
    assert (smaller.offer_id, smaller.action, smaller.firm) == (offer, OfferAction.PUT, True)
    assert smaller.quantity == block.quantity - 5


async def test_a_snapshot_that_is_not_whole_makes_nothing_firm(exchange: Exchange, link_market: LinkMarket) -> None:
    step = await exchange.publish()
    assert any(one.firm for one in step.published.accepted)
    broken = FaultPlan(
        1,
        rates={Fault.SERVER_ERROR: 1.0},
        hits=lambda request: "/holdings" in request.url.path and "account" in str(request.url),
    )
    settings = {
        name: address.replace("prod-us.api.platts.com", "broken.example")
        for name, address in exchange.verra.addresses.items()
    }
    verra, clock = exchange.verra.mock, exchange.verra.clock
    half = await link_market("verra", mock=verra, clock=clock, faults=broken, settings=settings)
    synced = await sync(exchange.database, half.market, actor="test", progress=quiet)
    assert synced.status.value == "incomplete"
    gone = (await exchange.publish()).published.accepted
    assert gone
    assert {one.action for one in gone} == {OfferAction.HALT}
    assert all("the last snapshot of verra is not complete" in (one.reason or "") for one in gone)
    await exchange.read(exchange.verra)
    assert {one.action for one in (await exchange.publish()).published.accepted} == {OfferAction.PUT}
