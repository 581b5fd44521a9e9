"""Ways in which a unit could be offered twice, or an offer outlive what it is of; none of them does."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import text

from adapters.verra.book_entries import Defect
from gateway.catalogue.sightings import TooMany
from gateway.controls import restrictions
from gateway.controls.restrictions import Scope
from gateway.kit.faults import Fault, FaultPlan
from gateway.markets.registry import installed
from gateway.model.commands import CommandState, EntryStatus, OfferAction, OfferEntry, Publication, PublicationStatus
from gateway.model.vocabulary import ListingState
from gateway.offers import candidates
from gateway.offers.candidates import Markets, seen
from gateway.offers.operation import InStep
from gateway.offers.venue_book import read_book
from gateway.store.database import Database
from gateway.testing.linking import LinkMarket
from tests.integration.catalogue_support import asked
from tests.integration.conftest import made_database
from tests.integration.offers_support import Exchange, linked_exchange

LOCK = "SELECT pg_advisory_{what}(hashtextextended('carbon-gateway publishing', 0))"


@pytest.fixture
async def exchange(database: Database, link_market: LinkMarket) -> Exchange:
    return await linked_exchange(database, link_market)


def firm(step: InStep) -> OfferEntry:
    return max((one for one in step.published.accepted if one.firm), key=lambda one: one.quantity)


def units_of(one: OfferEntry) -> tuple[object, ...]:
    return (one.programme, one.project_id, one.vintage_start, one.vintage_end, one.unit_kind)


def block_of(exchange: Exchange, one: OfferEntry) -> Any:
    """The block of ours that an offer is of."""
    ours = [block for block in exchange.verra.mock.book.holdings.values() if block.account.name == "HKCV Omnibus"]
    of = (one.project_id, one.quantity)
    return next(block for block in ours if (str(block.batch.project.number), block.quantity) == of)


async def restrict(exchange: Exchange, scope: str) -> None:
    async with exchange.database.transaction() as connection:
        await restrictions.place(connection, Scope.parse(scope), reason="under review", by="Kit")


async def lift(exchange: Exchange, scope: str) -> None:
    async with exchange.database.transaction() as connection:
        await restrictions.lift(connection, Scope.parse(scope), reason="reviewed", by="Ada")


def state_at_venue(exchange: Exchange, key: str) -> str:
    return str(exchange.at_venue()[key].status)


async def test_whoever_waited_to_publish_does_not_undo_a_restriction(exchange: Exchange) -> None:
    one = firm(await exchange.publish())
    async with exchange.database.session() as guard:
        await guard.execute(text(LOCK.format(what="lock")))
        await guard.commit()
        waiting = asyncio.create_task(exchange.publish())
        await asyncio.sleep(0.2)
        await restrict(exchange, f"offer:{one.offer_id}")
    await waiting
    assert state_at_venue(exchange, one.offer_id) == "HALTED"


async def test_sold_units_are_not_offered_again(exchange: Exchange) -> None:
    one = firm(await exchange.publish())
    exchange.home.mock.book.trade(one.offer_id, "P0001", one.quantity - 10)
    assert (await exchange.publish()).published.accepted == []
    await restrict(exchange, f"offer:{one.offer_id}")
    await exchange.publish()
    await lift(exchange, f"offer:{one.offer_id}")
    (back,) = (await exchange.publish()).published.accepted
    assert (back.offer_id, back.action, back.quantity) == (one.offer_id, OfferAction.PUT, 10)


async def test_units_of_which_something_cannot_be_read_are_not_offered(exchange: Exchange) -> None:
    one = firm(await exchange.publish())
    book = exchange.verra.mock.book
    held = block_of(exchange, one)
    book.plant(Defect.UNKNOWN_STATE, held.entity_id)
    await exchange.read(exchange.verra)
    changed = {entry.offer_id: entry for entry in (await exchange.publish()).published.accepted}
    assert changed[one.offer_id].action is OfferAction.WITHDRAW
    assert "cannot be read" in (changed[one.offer_id].reason or "")


class Stubborn:
    """Refuses to take anything down."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    async def publish(self, order: Publication) -> PublicationStatus:
        kept = tuple(one for one in order.offers if one.action is not OfferAction.WITHDRAW)
        refused = [
            EntryStatus(offer_id=one.offer_id, revision=one.revision, accepted=False, code="405999", message="no")
            for one in order.offers
            if one not in kept
        ]
        if not kept:
            answer = await self._adapter.publication_status(order)
            status = answer.status.model_copy(update={"state": CommandState.REJECTED, "code": "405999"})
            return PublicationStatus(status=status, entries=tuple(refused))
        answer = cast("PublicationStatus", await self._adapter.publish(order.model_copy(update={"offers": kept})))
        return PublicationStatus(status=answer.status, entries=(*answer.entries, *refused))

    async def publication_status(self, order: Publication) -> PublicationStatus:
        return cast("PublicationStatus", await self._adapter.publication_status(order))


async def test_a_new_name_of_the_same_units_is_not_put_up_beside_the_old_one(exchange: Exchange) -> None:
    one = firm(await exchange.publish())
    book = exchange.verra.mock.book
    held = block_of(exchange, one)
    book.add_label(held.entity_id, "CCB-Gold")
    await exchange.read(exchange.verra)
    stubborn = replace(exchange.home.market, adapter=Stubborn(exchange.home.market.adapter))
    step = await exchange.publish(stubborn)
    assert {entry.offer_id for entry, _, _ in step.published.refused} == {one.offer_id}
    book_of_venue = await read_book(exchange.home.market, exchange.home.clock())
    same = [row for row in book_of_venue.offers.values() if row.units == units_of(one) and row.firm]
    assert sum(row.left for row in same if row.state is ListingState.OPEN) <= one.quantity
    again = await exchange.publish()
    assert {entry.action for entry in again.published.accepted if entry.offer_id == one.offer_id} == {
        OfferAction.WITHDRAW
    }


@pytest.fixture
def restored_url(database_url: str, template: str) -> Iterator[str]:
    """A database that knows nothing of what the venue was told since."""
    with made_database(database_url, template) as url:
        yield url


async def test_after_a_restore_the_venues_own_revisions_count(exchange: Exchange, restored_url: str) -> None:
    one = firm(await exchange.publish())
    await restrict(exchange, f"offer:{one.offer_id}")
    await exchange.publish()
    async with Database(restored_url) as older:
        restored = replace(exchange, database=older)
        await restored.read()
        exchange.cix.mock.book.halt("CNX-V22-25")
        await restored.read(exchange.cix)
        step = await restored.publish()
        assert step.published.refused == []
        assert state_at_venue(exchange, one.offer_id) == "OPEN"
        wanted = {key for key, entry in step.entries.items() if entry.action is OfferAction.PUT}
        shown = {key for key, row in exchange.at_venue().items() if row.status == "OPEN"}
        assert shown == wanted
        assert (await restored.publish()).published.accepted == []


async def test_what_was_not_looked_at_for_long_is_not_shown(exchange: Exchange) -> None:
    await exchange.publish()
    exchange.home.clock.advance(dt.timedelta(hours=25))
    step = await exchange.publish()
    actions = {(one.firm, one.action) for one in step.published.accepted}
    assert actions == {(True, OfferAction.HALT), (False, OfferAction.WITHDRAW)}
    reasons = [one.reason or "" for one in step.published.accepted if not one.firm]
    assert all("the last complete reading of cix is 25 hours old" in reason for reason in reasons)


async def test_two_registries_of_one_programme_double_nothing(exchange: Exchange) -> None:
    manifests = installed()
    accounts = {"verra": exchange.verra.market.account, "cix": exchange.cix.market.account}
    async with exchange.database.transaction() as connection:
        once = await seen(connection, Markets(manifests, accounts), inventory=50)
        doubled = dict(manifests) | {"another": replace(manifests["verra"], name="another")}
        twice = await seen(connection, Markets(doubled, accounts), inventory=50)
    assert once.candidates == twice.candidates


async def test_units_in_somebody_elses_account_are_not_ours(exchange: Exchange) -> None:
    async with exchange.database.transaction() as connection:
        found = await seen(connection, Markets(installed(), {"verra": "90421", "cix": ""}), inventory=0)
    assert {one.origin.value for one in found.candidates} == {"listing"}


async def test_more_than_can_be_decided_on_changes_nothing(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    await exchange.publish()
    before = dict(exchange.at_venue())
    monkeypatch.setattr(candidates, "CANDIDATES_LIMIT", 3)
    with pytest.raises(TooMany, match="more than 3 holdings"):
        await exchange.publish()
    assert exchange.at_venue() == before


async def test_a_halt_that_never_came_is_sent_again_at_once_above_the_lost_one(
    exchange: Exchange, link_market: LinkMarket
) -> None:
    one = firm(await exchange.publish())
    await restrict(exchange, f"offer:{one.offer_id}")
    plan = FaultPlan(1, script=(Fault.SERVER_ERROR,), hits=lambda request: "/offers/publish/" in request.url.path)
    faulty = await link_market(
        "hkvenue",
        mock=exchange.home.mock,
        clock=exchange.home.clock,
        faults=plan,
        settings={
            "login_url": "https://lost.example/hkcv/auth/token/v1",
            "api_url": "https://lost.example/hkcv/api",
        },
    )
    step = await exchange.publish(faulty.market)
    assert step.published.in_doubt
    assert state_at_venue(exchange, one.offer_id) == "HALTED"
    (halted,) = step.published.accepted
    assert halted.revision == one.revision + 2
    states = await asked(
        exchange.database, "SELECT state, count(*) AS n FROM publication GROUP BY state ORDER BY state"
    )
    assert [(row["state"], row["n"]) for row in states] == [("confirmed", 2), ("in_doubt", 1)]
