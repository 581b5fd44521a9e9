from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import queries
from gateway.catalogue.ingest import Ingestion
from gateway.catalogue.queries import BlockFilter, sentence
from gateway.model.vocabulary import UnitState
from gateway.store.database import Database
from tests.integration.catalogue_support import EXPORTS, NOW, registry
from tests.integration.conftest import made_database
from tests.integration.test_catalogue_ingest import row, written

ENDED = {"Retirement/Cancellation Date": "2026-06-01"}
ROWS = [
    row(1, 10),
    row(11, 30, **{"Additional Certifications": "CCB-Gold"}),
    row(31, 60, **{"Vintage Start": "2015-07-01", "Vintage End": "2017-06-30"}),
    row(61, 100, **{"Vintage Start": "2018-01-01", "Vintage End": "2018-12-31"}, **ENDED),
    row(101, 101, **{"Country/Area": "Atlantis"}),
    row(201, 210, ID="999"),
    row(301, 310, ID="998"),
]


@pytest.fixture(scope="module")
def filled_url(database_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("queries")

    async def fill(url: str) -> None:
        async with Database(url) as database:
            path = written(folder / "vcus.csv", ROWS, headings=(*ROWS[0], *ENDED, "Additional Certifications", "Own"))
            await Ingestion("verra", "VCS", EXPORTS, path, actor="test", as_of=NOW).run(database)

    with made_database(database_url, template) as url:
        asyncio.run(fill(url))
        yield url


@pytest.fixture
async def connection(filled_url: str) -> AsyncIterator[AsyncConnection]:
    async with Database(filled_url) as database, database.transaction() as opened:
        yield opened


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        (BlockFilter(), [1, 11, 31, 61, 101]),
        (BlockFilter(market="verra"), [1, 11, 31, 61, 101]),
        (BlockFilter(market="other"), []),
        (BlockFilter(project="868"), [1, 11, 31, 61, 101]),
        (BlockFilter(project="86"), []),
        (BlockFilter(vintage=2014), []),
        (BlockFilter(vintage=2015), [31]),
        (BlockFilter(vintage=2016), [31]),
        (BlockFilter(vintage=2017), [1, 11, 31, 101]),
        (BlockFilter(vintage=2018), [61]),
        (BlockFilter(vintage=9999), []),
        (BlockFilter(state=UnitState.ACTIVE), [1, 11, 31, 101]),
        (BlockFilter(state=UnitState.RETIRED_OR_CANCELLED), [61]),
        (BlockFilter(state=UnitState.RETIRED), []),
        (BlockFilter(country="PE"), [1, 11, 31, 61]),
        (BlockFilter(country="pe"), [1, 11, 31, 61]),
        (BlockFilter(country="pERU"), [1, 11, 31, 61]),
        (BlockFilter(country="atlantis"), [101]),
        (BlockFilter(country="P"), []),
        (BlockFilter(label="CCB-GOLD"), [11]),
        (BlockFilter(label="ccb-gold"), [11]),
        (BlockFilter(label="CCB"), []),
        (BlockFilter(class_id="VCS-868 2017-01-01..2017-12-31 VCU +CCB-GOLD"), [11]),
        (BlockFilter(project="868", vintage=2017, country="Peru", state=UnitState.ACTIVE), [1, 11, 31]),
        (BlockFilter(project="868' OR true --"), []),
    ],
)
async def test_filters(connection: AsyncConnection, wanted: BlockFilter, first: list[int]) -> None:
    found = await queries.blocks(connection, wanted, 100)
    assert [one["first"] for one in found.rows] == first
    assert found.total == len(first)


@pytest.mark.parametrize("limit", [0, 1, 3, 5, 6, 10**9])
async def test_a_limit_cuts_the_rows_and_not_the_total(connection: AsyncConnection, limit: int) -> None:
    found = await queries.blocks(connection, BlockFilter(), limit)
    assert (len(found.rows), found.total) == (min(limit, 5), 5)


async def test_classes_add_up_their_blocks(connection: AsyncConnection) -> None:
    found = await queries.classes(connection, BlockFilter(), 100)
    assert [(one["class_id"], one["blocks"], one["active"], one["ended"]) for one in found.rows] == [
        ("VCS-868 2015-07-01..2017-06-30 VCU", 1, 30, 0),
        ("VCS-868 2017-01-01..2017-12-31 VCU +CCB-GOLD", 1, 20, 0),
        ("VCS-868 2017-01-01..2017-12-31 VCU", 2, 11, 0),
        ("VCS-868 2018-01-01..2018-12-31 VCU", 1, 0, 40),
    ]
    assert found.total == 4
    assert all(type(one["active"]) is int for one in found.rows)
    assert [one["class_id"] for one in (await queries.classes(connection, BlockFilter(), 1)).rows] == [
        "VCS-868 2015-07-01..2017-06-30 VCU"
    ]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 1),
        ({"market": "other"}, 0),
        ({"state": "UNSTATED"}, 1),
        ({"state": "registered"}, 0),
        ({"country": "peru"}, 1),
        ({"text": "FOREST"}, 1),
        ({"text": "868"}, 1),
        ({"text": "%"}, 0),
        ({"text": "_ forest"}, 0),
        ({"text": "a forest'"}, 0),
    ],
)
async def test_projects_are_found(connection: AsyncConnection, wanted: dict[str, str], count: int) -> None:
    asked: dict[str, Any] = {"market": None, "state": None, "country": None, "text": None} | wanted
    found = await queries.projects(connection, **asked, limit=10)
    assert (len(found.rows), found.total) == (count, count)


async def test_the_quarantine_is_listed_newest_first_with_where_it_came_from(connection: AsyncConnection) -> None:
    found = await queries.quarantined(connection, market="verra", limit=1)
    assert found.total == 2
    (entry,) = found.rows
    assert (entry["position"], entry["mapping"], entry["as_of"]) == (7, "verra.vcus", NOW)
    assert len(entry["document"]) == 64
    assert [one["code"] for one in entry["reasons"]] == ["PROJECT_MISMATCH"]
    assert (await queries.quarantined(connection, market="other", limit=1)).total == 0


async def test_drift_is_listed(connection: AsyncConnection) -> None:
    (found,) = await queries.drifted(connection, market=None)
    assert (found["mapping"], found["path"], found["kind"]) == ("verra.vcus", "Own", "unknown")
    assert await queries.drifted(connection, market="other") == []


async def test_figures_of_a_market(connection: AsyncConnection) -> None:
    figures = await queries.market_figures(connection)
    verra = figures.pop("verra")
    last = verra.pop("last_pull")
    assert verra == {"projects": 1, "blocks": 5, "active_units": 61, "quarantined": 2}
    assert (last["origin"], last["status"]) == ("vcus.csv", "complete")
    assert figures == {}


async def test_nothing_is_known_of_an_empty_database(database: Database) -> None:
    async with database.transaction() as opened:
        assert await queries.market_figures(opened) == {}
        assert (await queries.blocks(opened, BlockFilter(), 10)).total == 0
        assert (await queries.classes(opened, BlockFilter(), 10)).total == 0
        assert (await queries.changes(opened, pull_number=1, limit=10)).total == 0
        assert await queries.market_of_pull(opened, 1) is None


async def test_what_is_gone_is_in_no_list_and_changes_are_those_of_one_pull(database: Database) -> None:
    async with registry() as verra:
        await verra.pull(database)
        book = verra.mock.book
        block = max(book.holdings.values(), key=lambda one: one.quantity)
        other = min(book.holdings.values(), key=lambda one: one.quantity)
        verra.clock.advance(timedelta(hours=1))
        del book.holdings[block.entity_id]
        book.transfer(other.entity_id, "Another Holder")
        second = await verra.pull(database)
        third = await verra.pull(database)
        async with database.transaction() as opened:
            found = await queries.blocks(opened, BlockFilter(project=str(block.batch.project.number)), 1000)
            assert block.first not in {one["first"] for one in found.rows if one["last"] == block.last}
            changes = await queries.changes(opened, pull_number=second.pull, limit=1)
            assert (len(changes.rows), changes.total) == (1, 2)
            assert (await queries.changes(opened, pull_number=third.pull, limit=10)).total == 0
            assert await queries.market_of_pull(opened, second.pull) == "verra"


def change(kind: str, *fields: tuple[str, Any, Any], subject: str = "verra/project/1748", **data: Any) -> str:
    told = [{"field": name, "before": before, "after": after} for name, before, after in fields]
    return sentence("VCS", {"kind": kind, "subject": subject, "data": {"project": "1748", "changes": told} | data})


def test_changes_are_said_as_people_say_them() -> None:
    block = "verra/block/verra:vcu:1-9"
    state = ("state", "registered", "on_hold")
    native = ("state_native", "Registered", "On Hold")
    assert change("project.changed", state, native) == "VCS 1748: Registered → On Hold"
    assert change("project.changed", state) == "VCS 1748: registered → on_hold"
    assert change("project.changed", state, ("state_native", "Registered", None)) == "VCS 1748: registered → on_hold"
    assert change("project.changed", native) == "VCS 1748: Registered → On Hold"
    assert change("project.changed", ("proponent", None, "A & B")) == "VCS 1748: proponent nothing → A & B"
    assert change("block.changed", ("labels", [], ["A", "B"]), subject=block) == (
        "VCS 1748, block verra:vcu:1-9: labels nothing → A+B"
    )
    assert change("block.changed", ("labels", ["A"], []), ("labels_native", "a", None), subject=block) == (
        "VCS 1748, block verra:vcu:1-9: labels A → nothing"
    )
    assert change("block.changed", ("ended_on", None, "2026-01-01"), ("holder", "A", "B"), subject=block) == (
        "VCS 1748, block verra:vcu:1-9: ended on nothing → 2026-01-01, holder A → B"
    )
    assert change("block.gone", subject=block) == "VCS 1748, block verra:vcu:1-9: no longer shown by its market"
    assert change("block.gone", subject=block, superseded=True).endswith(": its units are shown in other blocks")
    assert change("block.returned", subject=block) == "VCS 1748, block verra:vcu:1-9: shown again"
    assert change("block.returned", ("holder", "A", "B"), subject=block).endswith(": shown again, holder A → B")
    assert change("project.changed", native, mapping_changed=True).endswith("On Hold, (our mapping changed)")
