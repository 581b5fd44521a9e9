from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import polars as pl
import pytest
import stamina
from sqlalchemy import make_url, text

from adapters.verra.book_entries import Defect
from gateway.catalogue import pulls, queries
from gateway.catalogue.reports import Synced
from gateway.kit.contract import Page, StatedTotal
from gateway.kit.errors import AdapterError, Unavailable
from gateway.kit.faults import Drift, Fault, FaultPlan, with_faults
from gateway.model.vocabulary import PullStatus, RecordKind
from gateway.store import documents
from gateway.store.database import Database
from tests.integration.catalogue_support import (
    LOG,
    Registry,
    asked,
    changed_rows,
    contents,
    registry,
    scalar,
    tampered,
    told,
)
from tests.integration.conftest import made_database

UNITS = ("holdings", "retirements", "cancellations")


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """A read that fails is not tried again after a wait."""
    stamina.set_testing(testing=True, attempts=1)
    yield
    stamina.set_testing(testing=False)


def largest(verra: Registry) -> Any:
    return max(verra.mock.book.holdings.values(), key=lambda block: (not block.buffer, block.quantity))


def key_of(block: Any, first: int | None = None, last: int | None = None) -> str:
    epoch = "vcs-vcu" if "VCS" in block.batch.serial_middle else "vcu"
    return f"verra/block/verra:{epoch}:{first or block.first}-{last or block.last}"


async def subjects(database: Database, first: int, last: int) -> list[dict[str, Any]]:
    return await asked(
        database,
        "SELECT 'verra/block/' || record_key AS subject, state, gone_pull IS NOT NULL AS gone, holder FROM block WHERE "
        "first >= :first AND last <= :last ORDER BY first, last",
        first=first,
        last=last,
    )


def faults(synced: Synced, feed: str) -> str:
    (report,) = (one for one in synced.feeds if one.feed == feed)
    return "; ".join(report.faults)


async def sentences(database: Database, pull: int) -> list[str]:
    async with database.transaction() as connection:
        found = await queries.changes(connection, pull_number=pull, limit=100)
    return [queries.sentence("VCS", row) for row in found.rows]


async def test_a_first_pull_reads_all_and_a_second_writes_nothing_but_the_log(database: Database) -> None:
    async with registry(defective=True) as verra:
        first = await verra.pull(database)
        book = verra.mock.book
        assert first.status is PullStatus.COMPLETE
        assert first.quarantined_new == len(book.planted)
        assert {one.feed: one.rows for one in first.feeds} == {
            "projects": len(book.projects),
            "issuances": len(book.batches),
            "holdings": len(book.holdings),
            "retirements": len(book.retirements),
            "cancellations": len(book.cancellations),
        }
        before = await contents(database)
        verra.clock.advance(timedelta(hours=1))
        second = await verra.pull(database)
        assert second.status is PullStatus.COMPLETE
        assert not second.changed_anything
        after = await contents(database)
        grown = {name for name in before if before[name] != after[name]}
        assert grown == {"pull", "pull_document", "event"}
        assert len(after["pull"]) == len(before["pull"]) + 1
        assert len(after["event"]) == len(before["event"]) + 1


async def test_each_row_names_a_document_that_says_it(database: Database) -> None:
    async with registry() as verra:
        await verra.pull(database)
    rows = await asked(
        database,
        "SELECT b.native_key, b.position, d.document FROM block b JOIN pull_document d ON d.id = b.source ORDER BY 1",
    )
    assert rows
    async with database.transaction() as connection:
        for row in rows[::10]:
            content = (await documents.read(connection, row["document"])).decode()
            entity = content.split('"entityId":')[row["position"]]
            assert entity.strip().startswith(row["native_key"])


@pytest.fixture(scope="module")
def pulled_once(database_url: str, template: str) -> Iterator[str]:
    """The name of a database in which the registry was pulled once, to copy from."""

    async def pull(url: str) -> None:
        async with Database(url) as database, registry() as verra:
            await verra.pull(database)

    with made_database(database_url, template) as url:
        asyncio.run(pull(url))
        yield str(make_url(url).database)


@pytest.fixture
def fresh_database_url(request: pytest.FixtureRequest, database_url: str, template: str) -> Iterator[str]:
    """A database of this test: empty, or as it was after a pull where a test begins with a known registry."""
    known = "known" in request.fixturenames
    with made_database(database_url, request.getfixturevalue("pulled_once") if known else template) as url:
        yield url


@pytest.fixture
async def known() -> AsyncIterator[Registry]:
    """A registry that was pulled once, an hour ago."""
    async with registry() as verra:
        verra.clock.advance(timedelta(hours=1))
        yield verra


async def test_a_partial_retirement(database: Database, known: Registry) -> None:
    block = largest(known)
    last = block.first + 4
    known.mock.book.retire(block.entity_id, units=(block.first, last), beneficiary="Somebody")
    synced = await known.pull(database)
    assert synced.applied[RecordKind.BLOCK].added == 2
    assert await told(database, synced.pull) == [("block.gone", key_of(block))]
    parts = await subjects(database, block.first, block.last)
    assert [(one["subject"], one["state"], one["gone"]) for one in parts] == [
        (key_of(block, block.first, last), "retired", False),
        (key_of(block), "active", True),
        (key_of(block, last + 1, block.last), "active", False),
    ]


async def test_a_whole_retirement_is_a_change_of_state(database: Database, known: Registry) -> None:
    block = largest(known)
    known.mock.book.retire(block.entity_id)
    synced = await known.pull(database)
    assert (synced.applied[RecordKind.BLOCK].added, synced.applied[RecordKind.BLOCK].gone) == (0, 0)
    assert await told(database, synced.pull) == [("block.changed", key_of(block))]
    (said,) = await sentences(database, synced.pull)
    assert said.startswith(f"VCS {block.batch.project.number}, block verra:")
    assert "Active → Retired" in said


async def test_a_cancellation(database: Database, known: Registry) -> None:
    block = largest(known)
    known.mock.book.cancel(block.entity_id)
    synced = await known.pull(database)
    assert await told(database, synced.pull) == [("block.changed", key_of(block))]
    assert (await subjects(database, block.first, block.last))[0]["state"] == "cancelled"


async def test_a_transfer(database: Database, known: Registry) -> None:
    block = largest(known)
    known.mock.book.transfer(block.entity_id, "Another Holder")
    synced = await known.pull(database)
    (said,) = await sentences(database, synced.pull)
    assert said.endswith(f"holder {block.account.name} → Another Holder")
    assert (await subjects(database, block.first, block.last))[0]["holder"] == "Another Holder"


async def test_an_issuance(database: Database, known: Registry) -> None:
    project = next(one for one in known.mock.book.projects.values())
    batch = known.mock.book.issue(project.number, 500, vintage=(date(2025, 1, 1), date(2025, 12, 31)))
    synced = await known.pull(database)
    added = {kind: one.added for kind, one in synced.applied.items() if one.added}
    assert added == {RecordKind.BATCH: 1, RecordKind.BLOCK: 1}
    assert await told(database, synced.pull) == []
    key = f"{batch.first}-{batch.last}"
    said = await sentences(database, synced.pull)
    assert [one.partition(": ")[2] for one in said] == ["new, Active, 500 units", "new, Issued, 500 units"]
    assert all(one.startswith(f"VCS {project.number}, ") and key in one for one in said)
    (block,) = await subjects(database, batch.first, batch.last)
    assert (block["state"], block["gone"]) == ("active", False)


async def test_a_project_status(database: Database, known: Registry) -> None:
    project = next(one for one in known.mock.book.projects.values() if one.status != "Inactive")
    before = project.status
    known.mock.book.set_project_status(project.number, "Inactive")
    synced = await known.pull(database)
    assert await told(database, synced.pull) == [("project.changed", f"verra/project/{project.number}")]
    assert await sentences(database, synced.pull) == [f"VCS {project.number}: {before} → Inactive"]


async def test_a_label(database: Database, known: Registry) -> None:
    block = next(one for one in known.mock.book.holdings.values() if not one.labels)
    known.mock.book.add_label(block.entity_id, "CCB-Gold")
    synced = await known.pull(database)
    (said,) = await sentences(database, synced.pull)
    assert "labels nothing → CCB-Gold" in said
    (row,) = await asked(database, "SELECT labels, class_id FROM block WHERE labels_native = 'CCB-Gold' LIMIT 1")
    assert row["class_id"].endswith("+CCB-GOLD")


async def test_what_a_first_pull_adds_is_no_change(database: Database) -> None:
    async with registry() as verra:
        first = await verra.pull(database)
    async with database.transaction() as connection:
        assert (await queries.changes(connection, pull_number=first.pull, limit=5)).total == 0


async def test_a_registry_that_shows_nothing_at_all_is_not_believed(database: Database, known: Registry) -> None:
    for entries in (known.mock.book.holdings, known.mock.book.retirements, known.mock.book.cancellations):
        entries.clear()
    synced = await known.pull(database)
    assert synced.status is PullStatus.INCOMPLETE
    assert "shows no block at all" in "; ".join(fault for one in synced.feeds for fault in one.faults)
    assert await told(database, synced.pull) == []
    assert await scalar(database, "SELECT count(*) FROM block WHERE gone_pull IS NOT NULL") == 0


async def test_a_row_that_goes_and_comes_back(database: Database, known: Registry) -> None:
    book = known.mock.book
    block = largest(known)
    del book.holdings[block.entity_id]
    gone = await known.pull(database)
    assert gone.status is PullStatus.COMPLETE
    assert await told(database, gone.pull) == [("block.gone", key_of(block))]
    assert (await sentences(database, gone.pull))[0].endswith("no longer shown by its market")
    assert await scalar(database, "SELECT gone_pull FROM block WHERE gone_pull IS NOT NULL") == gone.pull
    still = await known.pull(database)
    assert not still.changed_anything
    book.holdings[block.entity_id] = block
    back = await known.pull(database)
    assert await told(database, back.pull) == [("block.returned", key_of(block))]
    assert (await sentences(database, back.pull))[0].endswith(": shown again")
    assert await scalar(database, "SELECT count(*) FROM block WHERE gone_pull IS NOT NULL") == 0


def fails_at(feed: str, page: int) -> Callable[[str, int, Page], Page]:
    def change(found: str, number: int, answer: Page) -> Page:
        if (found, number) == (feed, page):
            raise Unavailable("status 502", market="verra", operation=f"read_catalogue {feed}")
        return answer

    return change


def on_holdings(change: Callable[[int, Page], Page]) -> Callable[[str, int, Page], Page]:
    return lambda feed, number, page: change(number, page) if feed == "holdings" else page


def stated_otherwise(when: int, rows: int, quantity: int) -> Callable[[str, int, StatedTotal], StatedTotal]:
    def change(feed: str, number: int, total: StatedTotal) -> StatedTotal:
        if feed != "holdings" or number < when:
            return total
        return StatedTotal(total.rows + rows, (total.quantity or 0) + quantity)

    return change


INCOMPLETE: dict[str, tuple[dict[str, Any], str]] = {
    "error at once": ({"page": fails_at("holdings", 0)}, "status 502"),
    "error after two pages": ({"page": fails_at("holdings", 2)}, "status 502"),
    "a repeated cursor": (
        {"page": on_holdings(lambda number, page: replace(page, next_cursor="1") if number == 1 else page)},
        "the cursor '1' came a second time",
    ),
    "the pages end early": (
        {"page": on_holdings(lambda number, page: replace(page, next_cursor=None) if number == 0 else page)},
        "read 10 different rows, the market states",
    ),
    "a row is missing": (
        {
            "page": on_holdings(
                lambda number, page: changed_rows(page, lambda rows: rows.slice(1)) if not number else page
            )
        },
        "different rows, the market states",
    ),
    "a quantity is wrong": (
        {"total": stated_otherwise(0, 0, 1)},
        "units, the market states",
    ),
    "more rows are stated": ({"total": stated_otherwise(0, 1, 0)}, "different rows, the market states"),
    "the rows move": ({"total": stated_otherwise(1, 1, 0)}, "the market moved while it was read"),
    "the units move": ({"total": stated_otherwise(1, 0, 1)}, "the market moved while it was read"),
    "a field of ours": (
        {
            "page": on_holdings(
                lambda _number, page: changed_rows(page, lambda rows: rows.with_columns(_row=pl.lit("1")))
            )
        },
        "found a field called _row",
    ),
}


@pytest.mark.parametrize("how", INCOMPLETE)
async def test_an_incomplete_feed_misses_nothing_and_says_why(database: Database, known: Registry, how: str) -> None:
    tamper, reason = INCOMPLETE[how]
    book = known.mock.book
    del book.holdings[largest(known).entity_id]
    kept = next(iter(book.holdings.values()))
    book.transfer(kept.entity_id, "Another Holder")
    number_of_project = next(iter(book.projects))
    del book.projects[number_of_project]
    before = await scalar(database, "SELECT count(*) FROM block WHERE gone_pull IS NULL")
    synced = await known.pull(database, tampered(known.market, **tamper))
    assert synced.status is PullStatus.INCOMPLETE
    assert reason in faults(synced, "holdings")
    assert synced.applied[RecordKind.BLOCK].gone == 0
    assert await scalar(database, "SELECT count(*) FROM block WHERE gone_pull IS NULL") == before
    # What was read whole speaks for itself: the project is gone all the same.
    assert (faults(synced, "projects"), synced.applied[RecordKind.PROJECT].gone) == ("", 1)
    (row,) = await asked(database, "SELECT status, summary FROM pull WHERE id = :pull", pull=synced.pull)
    assert row["status"] == "incomplete"
    assert reason in "; ".join(next(one for one in row["summary"]["feeds"] if one["feed"] == "holdings")["faults"])
    assert row["summary"][pulls.WHOLE] == ["project", "batch"]


async def test_what_was_read_before_a_feed_broke_off_is_kept(database: Database, known: Registry) -> None:
    changed = min(known.mock.book.holdings.values(), key=lambda block: block.entity_id)
    known.mock.book.transfer(changed.entity_id, "Another Holder")
    synced = await known.pull(database, tampered(known.market, page=fails_at("holdings", 1)))
    assert await told(database, synced.pull) == [("block.changed", key_of(changed))]
    whole = await known.pull(database)
    assert (whole.status, whole.changed_anything) == (PullStatus.COMPLETE, False)


async def test_rows_that_come_twice_count_once(database: Database, known: Registry) -> None:
    first: list[pl.DataFrame] = []

    def repeat(number: int, page: Page) -> Page:
        first.append(page.rows)
        return changed_rows(page, lambda rows: pl.concat([first[0].head(3), rows]) if number == 1 else rows)

    before = await contents(database, without=LOG)
    synced = await known.pull(database, tampered(known.market, page=on_holdings(repeat)))
    (report,) = (one for one in synced.feeds if one.feed == "holdings")
    assert (synced.status, report.repeated, report.faults) == (PullStatus.COMPLETE, 3, [])
    assert report.accepted == report.rows
    assert await contents(database, without=LOG) == before


async def test_a_page_that_comes_instead_of_the_next_is_noticed(database: Database, known: Registry) -> None:
    pages: list[Page] = []

    def repeat(number: int, page: Page) -> Page:
        pages.append(page)
        return replace(page, rows=pages[0].rows) if number == 1 else page

    synced = await known.pull(database, tampered(known.market, page=on_holdings(repeat)))
    assert synced.status is PullStatus.INCOMPLETE
    assert "different rows, the market states" in faults(synced, "holdings")
    assert synced.applied[RecordKind.BLOCK].gone == 0


@pytest.mark.parametrize("later", UNITS[1:])
async def test_a_unit_that_moves_from_feed_to_feed_meanwhile_is_not_counted_twice(
    database: Database, known: Registry, later: str
) -> None:
    block = largest(known)

    def act(feed: str, number: int, page: Page) -> Page:
        if feed == "holdings" and page.next_cursor is None:
            end = known.mock.book.retire if later == "retirements" else known.mock.book.cancel
            end(block.entity_id)
        return page

    synced = await known.pull(database, tampered(known.market, page=act))
    assert synced.status is PullStatus.INCOMPLETE
    assert "the market moved while it was read" in faults(synced, "holdings")
    found = await asked(
        database,
        "SELECT state, copy FROM block WHERE first = :first AND last = :last AND gone_pull IS NULL",
        first=block.first,
        last=block.last,
    )
    assert [(one["state"], one["copy"]) for one in found] == [("retired" if later == "retirements" else "cancelled", 0)]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.SERVER_ERROR, "status 502"),
        (Fault.TRUNCATED, "holdings"),
        (Fault.RATE_LIMITED, "status 429"),
        (Fault.LOST_REPLY, "broke off"),
    ],
)
async def test_faults_of_the_line_leave_the_feed_incomplete(database: Database, fault: Fault, said: str) -> None:
    def hits(request: httpx.Request) -> bool:
        return "/holdings/publicReportPageSearch" in request.url.path and request.headers.get("x-armed") is None

    plan = FaultPlan(seed=3, script=(None, fault), hits=hits)
    async with registry(faulty=lambda mock: with_faults(mock, plan)) as verra:
        synced = await verra.pull(database)
    assert synced.status is PullStatus.INCOMPLETE
    assert said in faults(synced, "holdings")
    assert synced.applied[RecordKind.PROJECT].added > 0
    assert (await asked(database, "SELECT status FROM pull"))[0]["status"] == "incomplete"


async def test_a_page_of_html_at_status_200_is_no_page(database: Database) -> None:
    class Html:
        def __init__(self, mock: Any) -> None:
            self.mock = mock
            self.count = 0

        def handle(self, request: httpx.Request) -> httpx.Response:
            if "/retirements/publicReportPageSearch" in request.url.path:
                self.count += 1
                if self.count > 1:
                    return httpx.Response(200, text="<html><body>We are down for maintenance</body></html>")
            answer: httpx.Response = self.mock.handle(request)
            return answer

    async with registry(faulty=Html) as verra:
        synced = await verra.pull(database)
    assert synced.status is PullStatus.INCOMPLETE
    assert "found HTML" in faults(synced, "retirements")


@pytest.mark.parametrize("defect", [Defect.UNKNOWN_STATE, Defect.UNREADABLE_SERIAL, Defect.QUANTITY_MISMATCH])
async def test_a_row_that_becomes_unreadable_is_not_gone_and_resolves_when_it_is_readable_again(
    database: Database, known: Registry, defect: Defect
) -> None:
    block = largest(known)
    before = await asked(database, "SELECT * FROM block ORDER BY record_key")
    known.mock.book.plant(defect, block.entity_id)
    synced = await known.pull(database)
    assert (synced.status, synced.quarantined_new) == (PullStatus.COMPLETE, 1)
    assert await told(database, synced.pull) == []
    assert await asked(database, "SELECT * FROM block ORDER BY record_key") == before
    waiting = "SELECT record_key, resolved_pull FROM quarantine"
    assert await asked(database, waiting) == [{"record_key": str(block.entity_id), "resolved_pull": None}]
    again = await known.pull(database)
    assert (again.quarantined_new, again.changed_anything) == (0, False)
    block.defect = None
    block.touch(known.clock())
    mended = await known.pull(database)
    assert mended.status is PullStatus.COMPLETE
    assert await asked(database, waiting) == [{"record_key": str(block.entity_id), "resolved_pull": mended.pull}]
    assert await asked(database, "SELECT * FROM block ORDER BY record_key") == before


async def test_an_unreadable_row_waits_on_when_its_feed_is_incomplete(database: Database, known: Registry) -> None:
    block = largest(known)
    known.mock.book.plant(Defect.UNKNOWN_STATE, block.entity_id)
    await known.pull(database)
    block.defect = None
    block.touch(known.clock())
    await known.pull(database, tampered(known.market, total=stated_otherwise(1, 1, 0)))
    assert await scalar(database, "SELECT count(*) FROM quarantine WHERE resolved_pull IS NULL") == 1


async def test_a_field_that_is_called_otherwise_quarantines_and_is_reported(database: Database) -> None:
    plan = FaultPlan(
        seed=1,
        rates={Fault.DRIFT: 1.0},
        hits=lambda request: "/holdings/publicReportPageSearch" in request.url.path,
        drift=Drift(renamed={"serialNo": "serialNumber"}),
    )
    async with registry(faulty=lambda mock: with_faults(mock, plan)) as verra:
        synced = await verra.pull(database)
        held = len(verra.mock.book.holdings)
    (report,) = (one for one in synced.feeds if one.feed == "holdings")
    assert (report.rows, report.accepted, report.quarantined) == (held, 0, held)
    assert report.defects == {"SERIAL_MISSING": held}
    drifted = await asked(database, "SELECT mapping, path, kind FROM drift ORDER BY path")
    assert drifted == [
        {"mapping": "verra.holdings", "path": "serialNo", "kind": "missing"},
        {"mapping": "verra.holdings", "path": "serialNumber", "kind": "unknown"},
    ]
    assert await scalar(database, "SELECT count(*) FROM quarantine") == held


async def test_a_market_that_is_down_at_once_teaches_nothing(database: Database) -> None:
    plan = FaultPlan(seed=1, rates={Fault.SERVER_ERROR: 1.0})
    before = await contents(database)
    async with registry(faulty=lambda mock: with_faults(mock, plan)) as verra:
        with pytest.raises(AdapterError, match="status 502"):
            await verra.pull(database)
    assert await contents(database) == before


async def test_an_error_that_is_nobodys_closes_the_pull_as_failed(database: Database, known: Registry) -> None:
    def breaks(feed: str, number: int, page: Page) -> Page:
        raise ZeroDivisionError("an adapter's own fault")

    before = await contents(database, without=LOG)
    with pytest.raises(ZeroDivisionError):
        await known.pull(database, tampered(known.market, page=breaks))
    (row,) = await asked(database, "SELECT status, summary, finished_at FROM pull WHERE id = 2")
    assert (row["status"], row["finished_at"] is not None) == ("failed", True)
    assert "an adapter's own fault" in row["summary"]["error"]
    assert await contents(database, without=LOG) == before


async def test_a_cancelled_pull_is_closed_as_failed_and_applies_nothing(database: Database, known: Registry) -> None:
    begun = asyncio.Event()

    class Slow:
        def __init__(self, reader: Any) -> None:
            self._reader = reader

        def __getattr__(self, name: str) -> Any:
            return getattr(self._reader, name)

        async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
            if feed == "holdings":
                begun.set()
                await asyncio.sleep(600)
            page: Page = await self._reader.read_catalogue(feed, cursor)
            return page

    before = await contents(database, without=LOG)
    market = replace(known.market, adapter=Slow(known.market.adapter))
    task = asyncio.create_task(known.pull(database, market))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await scalar(database, "SELECT status FROM pull WHERE id = 2") == "failed"
    assert await contents(database, without=LOG) == before


async def test_two_pulls_of_one_market_at_once_end_as_one_would(database: Database) -> None:
    async with registry(defective=True) as verra:
        both = await asyncio.gather(verra.pull(database), verra.pull(database))
        assert [one.status for one in both] == [PullStatus.COMPLETE] * 2
        added = sorted(one.applied[RecordKind.BLOCK].added for one in both)
        assert added[0] == 0
        assert added[1] == await scalar(database, "SELECT count(*) FROM block")
        assert await scalar(database, "SELECT count(*) FROM event WHERE kind <> 'pull.finished'") == 0
        assert await scalar(database, "SELECT count(*) FROM block WHERE copy > 0 OR gone_pull IS NOT NULL") == 0
        again = await verra.pull(database)
        assert not again.changed_anything


async def test_a_pull_that_read_earlier_and_is_applied_later_takes_nothing_back(
    database: Database, known: Registry
) -> None:
    block = largest(known)
    issued: list[Any] = []

    class Overtaken:
        """While its last feed is read, the market changes and another pull reads and applies it all."""

        def __init__(self, reader: Any) -> None:
            self._reader = reader

        def __getattr__(self, name: str) -> Any:
            return getattr(self._reader, name)

        async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
            page: Page = await self._reader.read_catalogue(feed, cursor)
            if feed == "cancellations":
                known.clock.advance(timedelta(minutes=1))
                known.mock.book.transfer(block.entity_id, "Another Holder")
                issued.append(known.mock.book.issue(block.batch.project.number, 5, vintage=(date(2025, 1, 1),) * 2))
                await known.pull(database)
            return page

        async def catalogue_total(self, feed: str) -> StatedTotal:
            if issued and feed in stated:
                return stated[feed]
            stated[feed] = await self._reader.catalogue_total(feed)
            return stated[feed]

    stated: dict[str, StatedTotal] = {}
    late = await known.pull(database, replace(known.market, adapter=Overtaken(known.market.adapter)))
    assert late.status is PullStatus.COMPLETE
    assert (late.applied[RecordKind.BLOCK].gone, late.applied[RecordKind.BLOCK].changed) == (0, 0)
    assert late.applied[RecordKind.BLOCK].stale == 1
    assert (await subjects(database, block.first, block.last))[0]["holder"] == "Another Holder"
    (fresh,) = await subjects(database, issued[0].first, issued[0].last)
    assert not fresh["gone"]


KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from tests.integration.catalogue_support import registry, tampered
from gateway.store.database import Database

def wait(feed, number, page):
    if feed == "retirements":
        print("reading", flush=True)
        sys.stdin.read()
    return page

async def main():
    async with Database(sys.argv[1]) as database, registry() as verra:
        await verra.pull(database, tampered(verra.market, page=wait))

asyncio.run(main())
"""


async def test_after_a_process_was_killed_in_the_middle_the_next_pull_is_right(
    database: Database, fresh_database_url: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, fresh_database_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert await asyncio.to_thread(process.stdout.readline) == "reading\n"
    assert await scalar(database, "SELECT status FROM pull") == "running"
    async with registry() as verra:
        async with registry() as other:
            beside = await other.pull(database)
        assert await scalar(database, "SELECT status FROM pull WHERE id = 1") == "running"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdin.close()
        process.stdout.close()
        await _ended(database)
        synced = await verra.pull(database)
    assert not synced.changed_anything
    rows = await asked(database, "SELECT id, status, summary, finished_at IS NOT NULL AS ended FROM pull ORDER BY id")
    assert [(one["id"], one["status"], one["ended"]) for one in rows] == [
        (1, "failed", True),
        (beside.pull, "complete", True),
        (synced.pull, "complete", True),
    ]
    assert rows[0]["summary"] == {"error": pulls.ABANDONED}
    assert await scalar(database, "SELECT count(*) FROM event WHERE subject = 'verra/pull/1'") == 1


async def _ended(database: Database) -> None:
    """Waits until the server has noticed that the process is gone."""
    for _ in range(200):
        async with database.transaction() as connection:
            held = await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))
        if not held:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the server still holds the lock of a dead process")
