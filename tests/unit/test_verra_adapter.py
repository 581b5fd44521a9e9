"""The Verra adapter against the registry's stand-in, with the platform's traps sprung on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
import stamina

from adapters.verra import MANIFEST
from adapters.verra.adapter import VerraAdapter
from adapters.verra.config import VerraConfig
from adapters.verra.mock import VerraMock, build
from gateway.kit.contract import Page
from gateway.kit.errors import ContractBreach, Unavailable
from gateway.kit.faults import Drift, Fault, FaultPlan, with_faults
from gateway.kit.mapping.document import Library
from gateway.kit.mock import MockClock, in_process, serve
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

NOW = datetime(2026, 8, 3, 4, 5, tzinfo=UTC)
FEEDS = ("projects", "issuances", "holdings", "retirements", "cancellations")
PAGES_LIMIT = 2_000


@dataclass
class Line:
    """The stand-in, what was asked of it, and what is done to a question before it and to an answer after it."""

    mock: VerraMock
    before: Callable[[httpx.Request], httpx.Request] = lambda request: request
    after: Callable[[dict[str, Any], httpx.Request], Any] = lambda document, _request: document
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = self.mock.handle(self.before(request))
        if not response.is_success:
            return response
        document = json.loads(response.content, parse_float=str)
        changed = self.after(document, request)
        return response if changed is document else httpx.Response(200, json=changed)

    def searches(self) -> Iterator[dict[str, Any]]:
        for request in self.asked:
            if request.url.path.endswith("publicReportPageSearch"):
                yield json.loads(request.content)["searchFilter"]


def line(*, projects: int = 100, blocks: int = 1_500, window: int = 10_000) -> Line:
    return Line(build(7, MockClock(NOW), projects=projects, blocks=blocks, window=window))


@asynccontextmanager
async def adapter_of(mounted: Any, **settings: Any) -> AsyncIterator[VerraAdapter]:
    async with Transport("verra", httpx.AsyncClient(transport=in_process(mounted))) as transport:
        yield VerraAdapter(VerraConfig(**settings), transport, lambda: NOW)


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


async def pages_of(adapter: VerraAdapter, feed: str) -> list[Page]:
    return await rest_of(adapter, feed, await adapter.read_catalogue(feed, None))


async def rest_of(adapter: VerraAdapter, feed: str, first: Page) -> list[Page]:
    pages = [first]
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < PAGES_LIMIT
        pages.append(await adapter.read_catalogue(feed, cursor))
    return pages


def ids_of(pages: list[Page]) -> list[int]:
    return [int(text) for page in pages if page.rows.width for text in page.rows.get_column("entityId")]


def book_ids(mock: VerraMock, feed: str) -> list[int]:
    book = mock.book
    if feed == "projects":
        return sorted(project.entity_id for project in book.projects.values())
    shelf = {"issuances": book.batches} | {name: getattr(book, name) for name in FEEDS[2:]}
    return sorted(shelf[feed])


def with_another_filter_model(
    request: httpx.Request, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> httpx.Request:
    if request.method != "POST":
        return request
    body = json.loads(request.content)
    body["searchFilter"]["filterModel"] = change(body["searchFilter"]["filterModel"])
    headers = [pair for pair in request.headers.multi_items() if pair[0] != "content-length"]
    return httpx.Request(request.method, request.url, headers=headers, content=json.dumps(body).encode())


def ignoring(*fields: str) -> Callable[[httpx.Request], httpx.Request]:
    return lambda request: with_another_filter_model(
        request, lambda model: {name: one for name, one in model.items() if name not in fields}
    )


def test_the_manifest_can_be_loaded_and_offers_what_the_adapter_has() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {
        "ReadsCatalogue",
        "ParsesExports",
        "ReadsHoldings",
        "ReadsMovements",
        "Transfers",
        "AcceptsTransfers",
        "Retires",
    }
    assert MANIFEST.name == "verra"
    assert [limit.scope for limit in MANIFEST.rate_limits] == ["platts", "verra-accounts"]


def test_importing_the_adapter_does_not_build_or_import_its_stand_in() -> None:
    code = (
        "import sys, adapters.verra\n"
        "ours = [name for name in sys.modules if name.startswith(('adapters.', 'gateway.'))]\n"
        "print([name for name in ours if name.endswith(('mock', 'book'))])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"


async def test_every_feed_and_every_file_has_its_mapping_document() -> None:
    library = Library.of_package(MANIFEST.mappings)
    async with adapter_of(line(projects=3, blocks=3)) as adapter:
        assert tuple(feed.name for feed in adapter.catalogue_feeds()) == FEEDS
        for feed in adapter.catalogue_feeds():
            assert library.document(feed.mapping)[0].rows == "entities[]"
        for mapping in adapter.export_mappings():
            assert library.document(mapping)[0].recognise


async def test_the_manifest_s_stand_in_answers_the_manifest_s_adapter() -> None:
    mock = MANIFEST.mock_factory(3, lambda: NOW)
    assert isinstance(mock, VerraMock)  # whoever made it can reach its book
    async with Transport("verra", httpx.AsyncClient(transport=in_process(mock))) as transport:
        adapter = MANIFEST.adapter_class(MANIFEST.config_model(), transport, lambda: NOW)
        assert (await adapter.catalogue_total("projects")).rows > 0


@pytest.mark.parametrize("feed", FEEDS)
async def test_the_stated_total_is_the_book_s(feed: str) -> None:
    at = line()
    async with adapter_of(at) as adapter:
        total = await adapter.catalogue_total(feed)
    assert total.rows == len(book_ids(at.mock, feed))
    if feed == "projects":
        assert total.quantity is None
    else:
        book = at.mock.book
        shelf = book.batches if feed == "issuances" else getattr(book, feed)
        assert total.quantity == sum(one.stated_quantity for one in shelf.values())


async def test_the_total_costs_one_row_and_one_sum() -> None:
    at = line()
    async with adapter_of(at) as adapter:
        await adapter.catalogue_total("holdings")
    assert [search["pagination"]["limit"] for search in at.searches()] == [1]
    assert len(at.asked) == 2


@pytest.mark.parametrize("window", [10_000, 400, 100, 50])
async def test_every_row_of_every_feed_is_read_once_whatever_the_window(window: int) -> None:
    at = line(window=window)
    async with adapter_of(at, window=window) as adapter:
        for feed in FEEDS:
            pages = await pages_of(adapter, feed)
            assert sorted(ids_of(pages)) == book_ids(at.mock, feed)
            cursors = [page.next_cursor for page in pages]
            assert len(set(cursors)) == len(cursors)
            assert all(page.as_of == NOW for page in pages)
    for search in at.searches():
        pagination = search["pagination"]
        assert pagination["limit"] <= 400
        assert pagination["start"] + pagination["limit"] <= window
        [sort] = pagination["sortOptions"]
        assert (sort["sort"], sort["dir"] in {"ASC", "DESC"}) == ("entityId", True)


async def test_pages_can_be_as_small_as_one_row() -> None:
    at = line(projects=6, blocks=24)
    async with adapter_of(at, page_rows=1) as adapter:
        for feed in FEEDS:
            pages = await pages_of(adapter, feed)
            assert sorted(ids_of(pages)) == book_ids(at.mock, feed)
            assert {page.rows.height for page in pages} == {1}


async def test_what_was_read_sums_to_what_the_registry_states() -> None:
    at = line(window=200)
    async with adapter_of(at, window=200) as adapter:
        for feed in FEEDS[1:]:
            pages = await pages_of(adapter, feed)
            texts = [text for page in pages for text in page.rows.get_column("holdingQuantity")]
            assert all(text.endswith(".0") for text in texts)
            assert sum(int(text.removesuffix(".0")) for text in texts) == (await adapter.catalogue_total(feed)).quantity


async def test_the_same_cursor_gives_the_same_page_also_to_another_adapter() -> None:
    at = line(window=200)
    async with adapter_of(at, window=200) as adapter, adapter_of(at, window=200) as other:
        first, again = (await adapter.read_catalogue("holdings", None), await other.read_catalogue("holdings", None))
        assert (first.document, first.next_cursor) == (again.document, again.next_cursor)
        for page in (await pages_of(adapter, "holdings"))[:5]:
            assert page.next_cursor is not None
            following = [await one.read_catalogue("holdings", page.next_cursor) for one in (adapter, other)]
            assert following[0].document == following[1].document
            assert following[0].next_cursor == following[1].next_cursor


async def test_a_page_keeps_the_raw_document_and_says_where_it_is_from() -> None:
    at = line(window=200)
    async with adapter_of(at, window=200) as adapter:
        page = (await pages_of(adapter, "holdings"))[1]
    assert page.document.media_type == "application/json"
    assert page.document.origin.startswith("POST holdings start=")
    assert "=" in page.document.origin.split(" start=")[1]
    document = json.loads(page.document.content)
    assert [str(row["entityId"]) for row in document["entities"]] == page.rows.get_column("entityId").to_list()


async def test_the_wire_s_spellings_arrive_as_they_are() -> None:
    at = line()
    async with adapter_of(at) as adapter:
        read = {feed: await pages_of(adapter, feed) for feed in FEEDS}
    assert {"serialNo", "additionalCertification", "retiredDate"} <= set(read["retirements"][0].rows.columns)
    assert {"serial_no", "additional_certification", "retired_date"} <= set(read["cancellations"][0].rows.columns)
    stamps = [text for page in read["holdings"] for text in page.rows.get_column("esUpdatedOn")]
    digits = {len(text.partition(".")[2]) for text in stamps}
    assert max(digits) == 9
    assert len(digits) > 1
    vintages = {text for page in read["holdings"] for text in page.rows.get_column("vintage")}
    assert any(" - " in text for text in vintages)
    assert any(text.isdigit() for text in vintages)
    states = {text for page in read["holdings"] for text in page.rows.get_column("status")}
    assert "Under Legal Review" in states  # a word that no list has: the adapter hands it on, the mapping decides


async def test_an_ignored_country_filter_is_not_believed_and_the_projects_are_asked_instead() -> None:
    at = replace(line(window=200), before=ignoring("countryName"))
    async with adapter_of(at, window=200) as adapter:
        pages = await pages_of(adapter, "holdings")
    assert sorted(ids_of(pages)) == book_ids(at.mock, "holdings")
    assert all("projectId=" in page.document.origin for page in pages)


async def test_when_every_filter_is_ignored_the_feed_is_refused_rather_than_read_wrongly() -> None:
    at = replace(line(window=200), before=ignoring("countryName", "projectId"))
    async with adapter_of(at, window=200) as adapter:
        with pytest.raises(ContractBreach, match="no filter divides them"):
            await adapter.read_catalogue("holdings", None)


async def test_a_filter_that_stops_working_in_the_middle_is_a_breach() -> None:
    at = line(window=200)
    async with adapter_of(at, window=200) as adapter:
        page = await adapter.read_catalogue("holdings", None)
        at.before = ignoring("countryName", "projectId")
        with pytest.raises(ContractBreach, match="asked for rows with"):
            await rest_of(adapter, "holdings", page)


async def test_units_of_a_project_without_a_country_are_read_too() -> None:
    at = line(window=200)
    by_project: dict[int, int] = {}
    for block in at.mock.book.holdings.values():
        by_project[block.batch.project.number] = by_project.get(block.batch.project.number, 0) + 1
    chosen = at.mock.book.projects[max(by_project, key=lambda number: by_project[number])]
    chosen.country = replace(chosen.country, name=cast("str", None))
    async with adapter_of(at, window=200) as adapter:
        assert sorted(ids_of(await pages_of(adapter, "holdings"))) == book_ids(at.mock, "holdings")


async def test_pages_that_shuffle_do_so_only_for_those_who_do_not_sort() -> None:
    at = line()
    async with adapter_of(at) as adapter:
        assert ids_of(await pages_of(adapter, "holdings")) == book_ids(at.mock, "holdings")

    def unsorted(request: httpx.Request) -> httpx.Request:
        body = json.loads(request.content)
        body["searchFilter"]["pagination"].pop("sortOptions", None)
        headers = [pair for pair in request.headers.multi_items() if pair[0] != "content-length"]
        return httpx.Request(request.method, request.url, headers=headers, content=json.dumps(body).encode())

    async with adapter_of(replace(at, before=unsorted)) as adapter:
        with pytest.raises(ContractBreach, match="out of the order of entityId"):
            await adapter.read_catalogue("holdings", None)


@pytest.mark.parametrize(
    "wrong", [{"standard_id": "150000000000009"}, {"standard_id": "150000000000002"}, {"registry": "PVCL"}]
)
async def test_a_wrong_standard_is_no_empty_market(wrong: dict[str, str]) -> None:
    async with adapter_of(line(projects=20, blocks=50), **wrong) as adapter:
        for ask in (adapter.catalogue_total("holdings"), adapter.read_catalogue("holdings", None)):
            with pytest.raises(ConfigurationError, match="must not be taken for an empty market"):
                await ask


async def test_a_feed_that_is_truly_empty_is_one_empty_page() -> None:
    at = line(projects=20, blocks=50)
    at.mock.book.cancellations.clear()
    async with adapter_of(at) as adapter:
        total = await adapter.catalogue_total("cancellations")
        page = await adapter.read_catalogue("cancellations", None)
    assert (total.rows, total.quantity) == (0, 0)
    assert (page.rows.height, page.next_cursor) == (0, None)


@pytest.mark.parametrize(
    "name", ["application", "appkey", "x-xsrf-token", "registry", "standardid", "standardacronym", "language"]
)
async def test_each_header_is_needed_and_sent(name: str) -> None:
    def without(request: httpx.Request) -> httpx.Request:
        assert request.headers[name]
        headers = [pair for pair in request.headers.multi_items() if pair[0] != name]
        return httpx.Request(request.method, request.url, headers=headers, content=request.content)

    at = replace(line(projects=20, blocks=50), before=without)
    async with adapter_of(at) as adapter:
        with pytest.raises(Unavailable, match="status 500"):
            await adapter.catalogue_total("holdings")


async def test_a_row_that_goes_while_we_read_does_not_stop_the_read() -> None:
    at = line()
    book = at.mock.book
    async with adapter_of(at) as adapter:
        before = await adapter.catalogue_total("holdings")
        page = await adapter.read_catalogue("holdings", None)
        last = max(book.holdings)
        book.retire(last)
        pages = await rest_of(adapter, "holdings", page)
        after = await adapter.catalogue_total("holdings")
    assert sorted(ids_of(pages)) == book_ids(at.mock, "holdings")
    assert before != after  # what the core sees


async def test_rows_that_are_due_and_do_not_come_end_the_read_loudly() -> None:
    at = line()
    at.after = lambda document, request: document | {"entities": []} if b'"start": 400' in request.content else document
    async with adapter_of(at) as adapter:
        page = await adapter.read_catalogue("holdings", None)
        with pytest.raises(ContractBreach, match="found no rows at 400 of the"):
            await adapter.read_catalogue("holdings", page.next_cursor)


async def test_a_page_clamped_by_the_platform_loses_nothing() -> None:
    at = line(projects=20, blocks=300)
    at.after = lambda document, _request: (
        document | {"entities": document["entities"][:90]} if "entities" in document else document
    )
    async with adapter_of(at) as adapter:
        pages = await pages_of(adapter, "holdings")
    assert len(pages) > 1
    assert sorted(ids_of(pages)) == book_ids(at.mock, "holdings")


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.RATE_LIMITED, Fault.LOST_REPLY, Fault.LATE])
async def test_a_passing_fault_of_the_network_is_tried_again(fault: Fault) -> None:
    at = line(projects=20, blocks=300)
    faulty = with_faults(at, FaultPlan(seed=1, script=(fault, None, fault)))
    with stamina.set_testing(True, attempts=3):
        async with adapter_of(faulty) as adapter:
            assert sorted(ids_of(await pages_of(adapter, "holdings"))) == book_ids(at.mock, "holdings")
    assert len(faulty.injected) == 2


@pytest.mark.parametrize("renamed", ["entities", "totalEntities"])
async def test_a_page_whose_own_keys_changed_is_a_breach(renamed: str) -> None:
    plan = FaultPlan(seed=1, rates={Fault.DRIFT: 1}, drift=Drift(renamed={renamed: "renamed"}))
    async with adapter_of(with_faults(line(projects=20, blocks=50), plan)) as adapter:
        with pytest.raises(ContractBreach):
            await adapter.read_catalogue("holdings", None)


async def test_a_cut_body_is_a_breach() -> None:
    plan = FaultPlan(seed=1, rates={Fault.TRUNCATED: 1})
    async with adapter_of(with_faults(line(projects=20, blocks=50), plan)) as adapter:
        with pytest.raises(ContractBreach, match="found broken JSON"):
            await adapter.read_catalogue("holdings", None)


async def test_the_registry_is_reached_at_the_address_of_the_settings() -> None:
    at = line(projects=20, blocks=50)
    async with (
        serve(at) as base,
        Transport("verra", httpx.AsyncClient()) as transport,
    ):
        config = VerraConfig(
            reports_url=f"{base}/ci-raas-prod/raas-report-api/es/public",
            resources_url=f"{base}/ci-raas-prod/cms-resources",
        )
        adapter = VerraAdapter(config, transport, lambda: NOW)
        assert ids_of(await pages_of(adapter, "holdings")) == book_ids(at.mock, "holdings")


async def test_a_feed_or_a_cursor_of_another_kind_is_refused() -> None:
    at = line(window=200)
    async with adapter_of(at, window=200) as adapter:
        for ask in (adapter.catalogue_total("project"), adapter.read_catalogue("labels", None)):
            with pytest.raises(CapabilityMissing, match="it has projects, issuances"):
                await ask
        cursor = (await adapter.read_catalogue("holdings", None)).next_cursor
        with pytest.raises(ConfigurationError, match="a cursor of the feed 'holdings'"):
            await adapter.read_catalogue("retirements", cursor)
