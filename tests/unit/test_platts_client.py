"""The platform's client against a small platform of the test's own, which breaks its word where a test says so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import httpx
import polars as pl
import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters._platts.client import Filter, FilterIgnored, PlattsClient, PlattsConfig, SearchPage, Standard
from adapters._platts.partition import AT_ONCE, Part, Place, advanced, divide, read
from gateway.kit.decoding import Json
from gateway.kit.errors import ContractBreach, Unavailable
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.errors import ConfigurationError

Row = dict[str, Any]

WINDOW = 5
CONFIG = PlattsConfig(registry="VERRA", standard_id="150000000000001", standard_acronym="VCS", window=WINDOW)
BRAZIL = Filter("countryName", "Text", "Brazil")
CHILE = Filter("countryName", "Text", "Chile")


@dataclass
class Platform:
    """Answers searches over lists of rows. Its switches are what the real one does to the unwary."""

    feeds: dict[str, list[Row]]
    page_rows: int = WINDOW
    ignored: set[str] = field(default_factory=set)
    ignores_direction: bool = False
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda page: page
    before: Callable[[httpx.Request], None] = lambda _request: None
    standards: object = field(
        default_factory=lambda: [{"id": "150000000000001", "name": "Verified Carbon Standard", "metaData": "VCS"}]
    )
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        self.asked.append(request)
        if "standardsByRegistry" in request.url.path:
            return httpx.Response(200, json=self.standards)
        *_, feed, question = request.url.path.split("/")
        search = json.loads(request.content)["searchFilter"]
        rows = self.feeds[feed]
        for name, condition in search["filterModel"].items():
            wanted = condition["columnFilters"][0]["filter"]
            if name not in self.ignored:
                rows = [row for row in rows if str(row.get(name)) == wanted]
        if question == "aggregateResultBySearchFilter":
            return httpx.Response(200, json=self.answer({"sum": sum(row["holdingQuantity"] for row in rows)}))
        pagination = search["pagination"]
        [sort] = pagination["sortOptions"]
        descending = sort["dir"] == "DESC" and not self.ignores_direction
        rows = sorted(rows, key=lambda row: int(row[sort["sort"]]), reverse=descending)
        start, limit = pagination["start"], pagination["limit"]
        if not 1 <= limit <= 400 or start + limit > WINDOW:
            return httpx.Response(500, json={"status": 500})
        page = {"entities": rows[start : start + min(limit, self.page_rows)], "totalEntities": len(rows)}
        return httpx.Response(200, json=self.answer(page))


def client_of(platform: Platform, config: PlattsConfig = CONFIG) -> PlattsClient:
    transport = Transport("verra", httpx.AsyncClient(transport=httpx.MockTransport(platform.handle)))
    return PlattsClient("verra", config, transport)


def project(number: int, country: str | None) -> Row:
    return {"entityId": 1000 + number, "projectId": number, "countryName": country}


def units(number: int, country: str | None, count: int, first: int) -> list[Row]:
    return [
        {"entityId": first + place, "projectId": number, "countryName": country, "holdingQuantity": 5}
        for place in range(count)
    ]


def three_countries() -> Platform:
    """Three countries, Brazil beyond twice the window with two projects beyond it; 24 holdings in all."""
    holdings = [
        *units(1, "Brazil", 8, 100),
        *units(2, "Brazil", 7, 200),
        *units(3, "Chile", 6, 300),
        *units(4, "Kenya", 3, 400),
    ]
    projects = [project(1, "Brazil"), project(2, "Brazil"), project(3, "Chile"), project(4, "Kenya"), project(5, None)]
    return Platform({"project": projects, "holdings": holdings})


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


async def pages_of(client: PlattsClient, feed: str) -> AsyncIterator[SearchPage]:
    place: Place | None = Place(feed, 0, None, await divide(client, feed, await client.count(feed)))
    for _ in range(1_000):
        if place is None:
            return
        # As the core does it: what is known between two pages is what the cursor says.
        page, place = await read(client, Place.of_cursor(place.to_cursor(), feed))
        yield page
    raise AssertionError("no end after 1,000 pages")


def ids_of(page: SearchPage) -> list[int]:
    return [int(text) for text in page.rows.get_column("entityId")] if page.rows.width else []


async def read_all(client: PlattsClient, feed: str) -> list[int]:
    return [one async for page in pages_of(client, feed) for one in ids_of(page)]


async def test_every_report_is_asked_with_the_site_s_and_the_registry_s_headers() -> None:
    platform = three_countries()
    client = client_of(platform)
    await client.page_search("holdings", 0)
    await client.aggregate_sum("holdings")
    for request in platform.asked:
        assert request.method == "POST"
        assert {name: request.headers[name] for name in ("application", "registry", "standardid", "language")} == {
            "application": "Markit",
            "registry": "VERRA",
            "standardid": "150000000000001",
            "language": "en",
        }
        assert request.headers["standardacronym"] == "VCS"
        assert request.headers["appkey"]
        assert request.headers["x-xsrf-token"]


async def test_a_page_search_says_exactly_what_the_platform_understands() -> None:
    platform = three_countries()
    await client_of(platform).page_search("holdings", 0, (BRAZIL,), limit=3)
    assert platform.asked[0].url.path.endswith("/es/public/holdings/publicReportPageSearch")
    assert json.loads(platform.asked[0].content) == {
        "searchFilter": {
            "pagination": {"start": 0, "limit": 3, "sortOptions": [{"sort": "entityId", "dir": "ASC"}]},
            "filterModel": {
                "countryName": {"columnFilters": [{"filterType": "Text", "type": "equals", "filter": "Brazil"}]}
            },
        }
    }


async def test_no_page_is_larger_than_400_rows_or_reaches_beyond_the_window() -> None:
    platform = Platform({"holdings": units(1, "Brazil", WINDOW, 1)})
    client = client_of(platform)
    assert (await client.page_search("holdings", WINDOW - 3)).rows.height == 3
    assert json.loads(platform.asked[0].content)["searchFilter"]["pagination"]["limit"] == 3
    with pytest.raises(ConfigurationError, match="within the window 5"):
        await client.page_search("holdings", WINDOW)
    assert len(platform.asked) == 1

    wide = Platform({"holdings": []})
    wide.answer = lambda page: page | {"totalEntities": 0}
    with pytest.raises(Unavailable):  # this test's platform pages no further than 5 rows
        await client_of(wide, CONFIG.model_copy(update={"window": 10_000})).page_search("holdings", 0)
    assert json.loads(wide.asked[0].content)["searchFilter"]["pagination"]["limit"] == 400


async def test_a_page_states_its_total_and_keeps_every_value_as_text() -> None:
    body = b'{"entities":[{"entityId":7,"holdingQuantity":235604.0,"isBuffer":true,"note":null}],"totalEntities":91}'
    transport = Transport(
        "verra", httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    )
    page = await PlattsClient("verra", CONFIG, transport).page_search("holdings", 0)
    assert (page.total, page.first, page.last, page.body) == (91, 7, 7, body)
    assert page.rows.row(0, named=True) == {
        "entityId": "7",
        "holdingQuantity": "235604.0",
        "isBuffer": "true",
        "note": None,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda page: page | {"entities": page["entities"][::-1]}, "out of the order of entityId"),
        (lambda page: page | {"entities": [page["entities"][0]] * 2}, "out of the order of entityId"),
        (lambda page: page | {"entities": page["entities"] * 3}, "found 15 rows, asked for 5"),
        (lambda page: {"entities": page["entities"]}, "totalEntities is missing or null"),
        (lambda page: page | {"totalEntities": "many"}, "totalEntities is 'many'"),
        (lambda page: page | {"entities": None}, "missing or null, expected an array"),
        (lambda page: page | {"entities": ["row"]}, "expected an object"),
        (lambda page: page | {"entities": [{"entityId": "x1"}]}, "entityId is 'x1'"),
        (lambda page: [page], "the page is an array"),
    ],
)
async def test_a_page_that_is_not_what_was_asked_for_is_a_breach(
    change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    platform = three_countries()
    platform.answer = change
    with pytest.raises(ContractBreach, match=message) as caught:
        await client_of(platform).page_search("holdings", 0)
    assert caught.value.operation == "holdings start=0"


async def test_a_row_without_its_id_is_left_to_the_mapping() -> None:
    platform = three_countries()
    platform.answer = lambda page: page | {"entities": [row | {"entityId": None} for row in page["entities"]]}
    page = await client_of(platform).page_search("holdings", 0)
    assert (page.rows.height, page.first, page.last) == (5, None, None)


async def test_rows_that_a_filter_should_have_kept_out_are_noticed_even_while_counting() -> None:
    platform = three_countries()
    assert await client_of(platform).count("holdings", (CHILE,)) == 6
    platform.ignored = {"countryName"}
    with pytest.raises(FilterIgnored, match="asked for rows with countryName 'Chile', found one with 'Brazil'"):
        await client_of(platform).count("holdings", (CHILE,))
    platform.ignored.add("vintage")
    with pytest.raises(FilterIgnored, match="found one with None"):
        await client_of(platform).count("holdings", (Filter("vintage", "Text", "2024"),))


@pytest.mark.parametrize(("said", "units_stated"), [(920282487, 920282487), (235604.0, 235604), (0, 0)])
async def test_the_platform_s_own_sum_is_a_whole_number(said: object, units_stated: int) -> None:
    platform = three_countries()
    platform.answer = lambda _page: {"average": 0, "sum": said, "total": 0}
    assert await client_of(platform).aggregate_sum("holdings") == units_stated
    assert json.loads(platform.asked[0].content)["searchFilter"] == {
        "pagination": {},
        "filterModel": {},
        "groupKeys": [],
        "statsSumByField": "holdingQuantity",
    }


@pytest.mark.parametrize("said", [None, 12.5, "n/a", {"value": 3}, -4])
async def test_a_sum_that_is_no_whole_number_of_units_is_a_breach(said: object) -> None:
    platform = three_countries()
    platform.answer = lambda _page: {"sum": said}
    with pytest.raises(ContractBreach, match=r"sum of holdings countryName=Brazil: sum is .*expected a whole number"):
        await client_of(platform).aggregate_sum("holdings", (BRAZIL,))


async def test_the_standards_of_a_registry_are_read_with_the_site_s_headers_alone() -> None:
    platform = three_countries()
    expected = (Standard("150000000000001", "Verified Carbon Standard", "VCS"),)
    assert await client_of(platform).standards("VERRA") == expected
    request = platform.asked[0]
    assert (request.method, request.url.path) == ("GET", "/ci-raas-prod/cms-resources/public/standardsByRegistry/VERRA")
    assert "standardid" not in request.headers


@pytest.mark.parametrize("listed", [{"id": "1"}, ["VCS"], [{"id": "1", "name": "x"}], [{"id": None}]])
async def test_a_list_of_standards_in_another_shape_is_a_breach(listed: object) -> None:
    platform = three_countries()
    platform.standards = listed
    with pytest.raises(ContractBreach, match="standards VERRA"):
        await client_of(platform).standards("VERRA")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"standard_id": "150000000000009"}, r"standard_id 150000000000009.*lists 150000000000001 \(VCS"),
        ({"standard_acronym": "JNR"}, "standard_acronym JNR"),
    ],
)
async def test_a_standard_that_the_registry_does_not_list_is_a_wrong_setting(
    changes: dict[str, str], message: str
) -> None:
    platform = three_countries()
    await client_of(platform).require_standard()
    with pytest.raises(ConfigurationError, match=message):
        await client_of(platform, CONFIG.model_copy(update=changes)).require_standard()
    platform.standards = []
    with pytest.raises(ConfigurationError, match="lists no standard at all"):
        await client_of(platform).require_standard()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reports_url": "ftp://x"},
        {"reports_url": "https://x/y/"},
        {"resources_url": "https://x/?a=1"},
        {"registry": "../VERRA"},
        {"standard_id": ""},
        {"app_key": ""},
        {"window": 0},
        {"window": 10_001},
        {"apikey": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PlattsConfig.model_validate({"registry": "VERRA", "standard_id": "1", "standard_acronym": "VCS"} | wrong)


def test_the_site_s_key_is_not_shown() -> None:
    assert "the-public-site" not in repr(CONFIG)


async def test_a_feed_within_the_window_is_not_divided() -> None:
    platform = Platform({"holdings": units(1, "Brazil", WINDOW, 1)})
    assert await divide(client_of(platform), "holdings", WINDOW) == (Part(None, WINDOW),)
    assert platform.asked == []


@given(st.integers(1, 3 * WINDOW), st.integers(1, WINDOW), st.integers(1, 400), st.randoms(use_true_random=False))
async def test_every_row_is_read_once_whatever_the_size_of_feed_and_page(
    size: int, page_rows: int, page_limit: int, chance: Random
) -> None:
    ids = chance.sample(range(1_000), size)
    projects = [project(number, f"Country {number % 4}") for number in range(2 * WINDOW)]
    owners = [projects[place % len(projects)] for place in range(size)]
    platform = Platform(
        {"project": projects, "holdings": [owner | {"entityId": one} for owner, one in zip(owners, ids, strict=True)]},
        page_rows=page_rows,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapters._platts.client.PAGE_ROWS", page_limit)
        pages = [page async for page in pages_of(client_of(platform), "holdings")]
    found = [one for page in pages for one in ids_of(page)]
    assert sorted(found) == sorted(ids)
    assert max(page.rows.height for page in pages) <= min(page_rows, page_limit)
    if size <= 2 * WINDOW:
        assert found == [*sorted(ids)[:WINDOW], *sorted(ids, reverse=True)[: max(size - WINDOW, 0)]]
        assert not any(b'"filter":' in request.content for request in platform.asked)


def eight_rows() -> Platform:
    """Ids 10, 20, … 80: five are read from the beginning, three from the end."""
    rows = [{"entityId": 10 * place, "holdingQuantity": 5} for place in range(1, 9)]
    return Platform({"holdings": rows}, page_rows=2)


async def test_a_feed_of_up_to_twice_the_window_is_read_from_both_its_ends_without_a_filter() -> None:
    platform = eight_rows()
    client = client_of(platform)
    assert await divide(client, "holdings", 8) == (Part(None, 5, whole=8), Part(None, 3, whole=8, backwards=True))
    assert platform.asked == []
    assert [ids_of(page) async for page in pages_of(client, "holdings")] == [[10, 20], [30, 40], [50], [80, 70], [60]]


async def test_a_page_that_is_read_backwards_says_so_and_asks_for_no_row_of_the_other_end() -> None:
    platform = eight_rows()
    client = client_of(platform)
    place = Place("holdings", 2, 70, (Part(None, 3, whole=8, backwards=True, above=50),))
    assert place.operation == "holdings start=2 from the end"
    page, following = await read(client, place)
    assert (ids_of(page), following) == ([60], None)
    assert json.loads(platform.asked[0].content)["searchFilter"]["pagination"] == {
        "start": 2,
        "limit": 1,
        "sortOptions": [{"sort": "entityId", "dir": "DESC"}],
    }


@pytest.mark.parametrize("pages_before", [1, 2, 3, 4])
@pytest.mark.parametrize("change", ["appended", "put first", "put into the middle", "removed"])
async def test_a_total_that_changes_while_both_ends_are_read_ends_the_read(pages_before: int, change: str) -> None:
    platform = eight_rows()
    pages = pages_of(client_of(platform), "holdings")
    for _ in range(pages_before):
        await anext(pages)
    if change == "removed":
        del platform.feeds["holdings"][4]
    else:
        entity = {"appended": 85, "put first": 5, "put into the middle": 55}[change]
        platform.feeds["holdings"].append({"entityId": entity, "holdingQuantity": 5})
    message = r"found [79] rows where 8 were counted: the rows moved while they were read"
    with pytest.raises(Unavailable, match=message):
        await anext(pages)


async def test_ends_that_meet_although_the_total_stayed_the_same_end_the_read() -> None:
    platform = eight_rows()
    pages = pages_of(client_of(platform), "holdings")
    for _ in range(3):
        await anext(pages)
    # One goes at the end and one comes at the beginning: the place of row 50 is now counted to the other end.
    platform.feeds["holdings"] = [row for row in platform.feeds["holdings"] if row["entityId"] != 80]
    platform.feeds["holdings"].append({"entityId": 5, "holdingQuantity": 5})
    assert ids_of(await anext(pages)) == [70, 60]
    with pytest.raises(Unavailable, match="start=2 from the end: found entityId 50 where the other end had come to 50"):
        await anext(pages)


async def test_a_platform_that_ignores_the_reverse_order_is_noticed() -> None:
    platform = eight_rows()
    platform.ignores_direction = True
    with pytest.raises(ContractBreach, match="start=0 from the end: found rows out of the order of entityId"):
        await read_all(client_of(platform), "holdings")
    del platform.feeds["holdings"][6:]  # the second end is a single row, which is in any order
    with pytest.raises(Unavailable, match="found entityId 10 where the other end had come to 50"):
        await read_all(client_of(platform), "holdings")


async def test_each_page_is_tabulated_once_and_a_count_asks_for_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[int] = []

    def counting(document: Json, rows: str) -> pl.DataFrame:
        table = tabulate(document, rows)
        heights.append(table.height)
        return table

    monkeypatch.setattr("adapters._platts.client.tabulate", counting)
    platform = three_countries()
    client = client_of(platform)
    parts = await divide(client, "holdings", await client.count("holdings"))
    counted = len(platform.asked) - 1  # all but the one page of projects
    assert sorted(heights) == [*[1] * counted, 5]
    heights.clear()
    await read(client, Place("holdings", 0, None, parts))
    assert heights == [5]


async def test_a_large_feed_is_divided_by_country_and_a_large_country_by_its_projects() -> None:
    platform = three_countries()
    client = client_of(platform)
    parts = await divide(client, "holdings", 24)
    first, second, chile = (Filter("projectId", "Number", "1"), Filter("projectId", "Number", "2"), CHILE)
    assert parts == (
        *(Part(first, 5, whole=8), Part(first, 3, whole=8, backwards=True)),
        *(Part(second, 5, whole=7), Part(second, 2, whole=7, backwards=True)),
        *(Part(chile, 5, whole=6), Part(chile, 1, whole=6, backwards=True)),
        Part(Filter("countryName", "Text", "Kenya"), 3),
    )
    ids = await read_all(client, "holdings")
    assert sorted(ids) == sorted(row["entityId"] for row in platform.feeds["holdings"])


async def test_rows_without_a_country_are_found_by_project() -> None:
    platform = three_countries()
    platform.feeds["holdings"] += units(5, None, 2, 500)
    client = client_of(platform)
    parts = await divide(client, "holdings", 26)
    assert {part.where.field for part in parts if part.where} == {"projectId"}
    assert len(set(await read_all(client, "holdings"))) == 26


async def test_rows_whose_country_is_not_their_project_s_are_found_by_project() -> None:
    platform = three_countries()
    platform.feeds["holdings"] += units(1, "Chile", 1, 500)
    assert len(set(await read_all(client_of(platform), "holdings"))) == 25


@pytest.mark.parametrize("ignored", [{"countryName"}, {"countryName", "projectId"}, {"projectId"}])
async def test_an_ignored_filter_never_divides(ignored: set[str]) -> None:
    platform = three_countries()
    platform.ignored = ignored
    client = client_of(platform)
    if "projectId" not in ignored:
        assert len(set(await read_all(client, "holdings"))) == 24
        return
    with pytest.raises(ContractBreach, match="no filter divides them"):
        await divide(client, "holdings", 24)


async def test_an_ignored_filter_is_seen_by_its_sum_where_the_counted_row_happens_to_match() -> None:
    platform = Platform({"project": [], "holdings": units(1, "Brazil", 18, 100)})
    platform.feeds["project"] = [project(number, f"Country {number}") for number in range(2 * WINDOW)]

    def first_row_always_matches(page: dict[str, Any]) -> dict[str, Any]:
        asked = json.loads(platform.asked[-1].content)["searchFilter"]["filterModel"]
        wanted = {name: one["columnFilters"][0]["filter"] for name, one in asked.items()}
        return page | {"entities": [row | wanted for row in page["entities"]]}

    platform.ignored, platform.answer = {"countryName", "projectId"}, first_row_always_matches
    with pytest.raises(ContractBreach, match="countryName have 144 rows or more, the whole has 18"):
        await divide(client_of(platform), "holdings", 18)
    # Eight are counted at a time: the ninth country and the ninth project were not asked for any more.
    assert sum(b'"filter":' in request.content for request in platform.asked) == 2 * AT_ONCE


async def test_rows_of_a_project_that_the_project_feed_does_not_have_are_not_lost_in_silence() -> None:
    platform = three_countries()
    platform.feeds["holdings"] += units(77, None, 1, 500)
    with pytest.raises(ContractBreach, match="by projectId have 24 rows, the whole has 25"):
        await divide(client_of(platform), "holdings", 25)


async def test_a_project_larger_than_twice_the_window_is_named() -> None:
    platform = three_countries()
    platform.feeds["holdings"] += units(1, "Brazil", 5, 500)
    with pytest.raises(ContractBreach, match="project 1 alone has 13 rows, more than twice the window of 5"):
        await divide(client_of(platform), "holdings", 29)


async def test_a_feed_that_changes_while_it_is_divided_is_to_be_read_again() -> None:
    platform = three_countries()

    def retire_one(_request: httpx.Request) -> None:
        if len(platform.asked) == 5:
            platform.feeds["holdings"].pop()

    platform.before = retire_one
    with pytest.raises(Unavailable, match="found 23 rows where 24 were stated"):
        await divide(client_of(platform), "holdings", 24)


async def test_a_project_feed_out_of_reach_is_divided_by_the_countries_within_reach() -> None:
    projects = [project(number, ("Brazil", "Chile")[number % 2]) for number in range(14)]
    holdings = [row for number in range(14) for row in units(number, ("Brazil", "Chile")[number % 2], 2, 10 * number)]
    platform = Platform({"project": projects, "holdings": holdings})
    client = client_of(platform)
    assert [(part.where, part.rows) for part in await divide(client, "project", 14)] == [
        (BRAZIL, 5),
        (BRAZIL, 2),
        (CHILE, 5),
        (CHILE, 2),
    ]
    assert len(set(await read_all(client, "holdings"))) == 28

    platform.feeds["project"].append(project(99, "Kenya"))  # the last one is within reach
    assert len(set(await read_all(client, "project"))) == 15
    platform.feeds["project"][6]["countryName"] = "Peru"  # neither among the first five nor among the last: unknown
    with pytest.raises(ContractBreach, match=r"15 rows cannot be divided by country.* have 14 rows, the whole has 15"):
        await divide(client, "project", 15)


async def test_projects_are_all_known_although_the_platform_gives_shorter_pages() -> None:
    platform = three_countries()
    platform.page_rows = 2
    assert len(set(await read_all(client_of(platform), "holdings"))) == 24


async def test_a_country_of_a_project_feed_beyond_twice_the_window_is_named() -> None:
    platform = Platform({"project": [project(number, "Brazil") for number in range(11)]})
    with pytest.raises(ContractBreach, match="Brazil alone has 11 rows, more than twice the window of 5"):
        await divide(client_of(platform), "project", 11)


@pytest.mark.parametrize("limit_broken", [1, 2])
async def test_too_many_values_are_refused(monkeypatch: pytest.MonkeyPatch, limit_broken: int) -> None:
    monkeypatch.setattr("adapters._platts.partition.PARTS_LIMIT", limit_broken)
    with pytest.raises(ContractBreach, match=f"3 values to divide by, expected {limit_broken} at most"):
        await divide(client_of(three_countries()), "holdings", 24)


def page_of(*ids: int, total: int) -> SearchPage:
    rows = pl.DataFrame({"entityId": [str(one) for one in ids]}, schema={"entityId": pl.String})
    return SearchPage(total, rows, ids[0] if ids else None, ids[-1] if ids else None, b"")


WINDOW_OF_TEN = CONFIG.model_copy(update={"window": 10})
PLACE = Place("holdings", 4, 40, (Part(BRAZIL, 8), Part(Filter("projectId", "Number", "3"), 2)))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (page_of(41, 42, total=8), replace(PLACE, start=6, after=42)),  # short, and more is due
        (page_of(41, 42, 43, 44, total=8), Place("holdings", 0, None, PLACE.parts[1:])),
        (page_of(41, 42, 43, 44, total=9), replace(PLACE, start=8, after=44)),  # one came while we read
        (page_of(41, 42, 43, total=7), Place("holdings", 0, None, PLACE.parts[1:])),  # one went
        (page_of(total=4), Place("holdings", 0, None, PLACE.parts[1:])),
    ],
)
def test_a_part_is_read_to_the_end_that_its_pages_state(page: SearchPage, expected: Place) -> None:
    assert advanced(client_of(three_countries(), WINDOW_OF_TEN), PLACE, page) == expected


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        (page_of(total=8), ContractBreach, "found no rows at 4 of the 8 that are due"),
        (page_of(40, 41, total=8), Unavailable, "found entityId 40 after 40: the rows moved"),
        (page_of(*range(41, 47), total=11), Unavailable, "found 11 rows where 8 were counted: more than the window"),
    ],
)
def test_lost_and_doubled_rows_end_the_read(page: SearchPage, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        advanced(client_of(three_countries(), WINDOW_OF_TEN), PLACE, page)


BACK = Place("holdings", 2, 70, (Part(None, 4, whole=9, backwards=True, above=40),))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (page_of(60, total=9), replace(BACK, start=3, after=60)),  # short, and more is due
        (page_of(60, 50, total=9), None),
    ],
)
def test_the_second_end_is_read_down_to_the_first(page: SearchPage, expected: Place | None) -> None:
    assert advanced(client_of(three_countries()), BACK, page) == expected


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        (page_of(total=9), ContractBreach, "found no rows at 2 of the 4 that are due"),
        (page_of(70, 60, total=9), Unavailable, "found entityId 70 after 70: the rows moved"),
        (page_of(75, 60, total=9), Unavailable, "found entityId 75 after 70: the rows moved"),
        (page_of(60, 40, total=9), Unavailable, "found entityId 40 where the other end had come to 40: the rows moved"),
        (page_of(60, 35, total=9), Unavailable, "found entityId 35 where the other end had come to 40: the rows moved"),
        (page_of(60, 50, total=10), Unavailable, "found 10 rows where 9 were counted: the rows moved"),
    ],
)
def test_lost_and_doubled_rows_end_the_read_of_the_second_end(
    page: SearchPage, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        advanced(client_of(three_countries()), BACK, page)


def test_the_second_end_knows_where_the_first_one_ended() -> None:
    ends = (Part(BRAZIL, 2, whole=4), Part(BRAZIL, 2, whole=4, backwards=True), Part(CHILE, 1))
    following = advanced(client_of(three_countries()), Place("holdings", 0, None, ends), page_of(10, 20, total=4))
    assert following == Place("holdings", 0, None, (replace(ends[1], above=20), ends[2]))


def test_the_end_of_the_last_part_is_the_end_of_the_feed() -> None:
    last = Place("holdings", 0, None, (Part(None, 2),))
    assert advanced(client_of(three_countries()), last, page_of(1, 2, total=2)) is None


COUNTS = st.integers(0, 10**9)
WHERE = st.one_of(
    st.none(),
    st.builds(Filter, st.just("projectId"), st.just("Number"), st.from_regex(r"\A\d{1,18}\Z")),
    # Such texts come out of a decoded page, which has no NUL and no half surrogates.
    st.builds(
        Filter,
        st.just("countryName"),
        st.just("Text"),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    ),
)
PARTS = st.builds(Part, WHERE, COUNTS, st.none() | COUNTS, st.booleans(), st.none() | COUNTS)


@given(
    st.builds(
        Place,
        st.just("holdings"),
        COUNTS,
        st.one_of(st.none(), COUNTS),
        st.lists(PARTS, min_size=1, max_size=5).map(tuple),
    )
)
def test_a_cursor_is_the_place_it_was_made_of(place: Place) -> None:
    assert Place.of_cursor(place.to_cursor(), "holdings") == place


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "400",
        "{}",
        '{"feed":"holdings","start":"0","after":null,"parts":[]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"where":["vintage","2024"],"rows":"3"}]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"where":["countryName",null],"rows":"3"}]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"where":"countryName","rows":"3"}]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"rows":"3","backwards":"true"}]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"rows":"3","whole":"x"}]}',
        '{"feed":"holdings","start":"0","after":null,"parts":[{"whole":"3"}]}',
        '{"feed":"holdings","start":"-1","after":null,"parts":[{"rows":"3"}]}',
        '{"feed":"retirements","start":"0","after":null,"parts":[{"rows":"3"}]}',
        "\ud800",
    ],
)
def test_a_cursor_that_is_none_of_this_feed_is_refused(cursor: str) -> None:
    with pytest.raises(ConfigurationError, match=r"found (the|a) cursor.*read the feed from its beginning"):
        Place.of_cursor(cursor, "holdings")


@pytest.mark.parametrize("part", ['["3"]', '["countryName","Chile","3"]'])
def test_a_cursor_of_the_form_before_is_refused_with_what_is_wrong_in_it(part: str) -> None:
    cursor = f'{{"feed":"holdings","start":"0","after":null,"parts":[{part}]}}'
    with pytest.raises(ConfigurationError, match="a part is an array, expected an object; read the feed from"):
        Place.of_cursor(cursor, "holdings")
