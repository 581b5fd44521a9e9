"""What the CBL adapter reads: pages, totals, mappings, derived columns, and what it refuses to believe."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx
import polars as pl
import pytest
import stamina

from adapters.cbl import MANIFEST, rows
from adapters.cbl.adapter import CblAdapter
from adapters.cbl.book import ACCOUNT
from adapters.cbl.config import CblConfig
from adapters.cbl.rehearsal import insert
from gateway.kit.contract import Page, StatedTotal
from gateway.kit.errors import AccessDenied, ContractBreach, RateLimited, Unavailable
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import Mock
from gateway.model.errors import CapabilityMissing, ConfigurationError
from tests.unit.cbl_line import adapter_of, mock_of, rehearsal

LIBRARY = Library.of_package("mappings.cbl")
SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FEEDS = ("positions", "deposits", "listings", "trades", "transfers", "retirements")
PAGED = ("positions", "listings", "trades", "transfers")


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


async def total(adapter: CblAdapter, feed: str) -> StatedTotal:
    match feed:
        case "positions" | "deposits":
            return await adapter.holdings_total(feed)
        case "listings":
            return await adapter.listings_total(feed)
        case "trades":
            return await adapter.trades_total(feed, SINCE)
        case _:
            return await adapter.movements_total(feed, SINCE)


async def page(adapter: CblAdapter, feed: str, cursor: str | None) -> Page:
    match feed:
        case "positions" | "deposits":
            return await adapter.read_holdings(feed, cursor)
        case "listings":
            return await adapter.read_listings(feed, cursor)
        case "trades":
            return await adapter.read_trades(feed, SINCE, cursor)
        case _:
            return await adapter.read_movements(feed, SINCE, cursor)


async def every_page(adapter: CblAdapter, feed: str, between: Callable[[], None] = lambda: None) -> list[Page]:
    pages = [await page(adapter, feed, None)]
    between()
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < 200
        pages.append(await page(adapter, feed, cursor))
    return pages


@cache
def mapping(feed: str) -> Mapping:
    return Mapping(feed, LIBRARY)


def mapped(feed: str, pages: list[Page]) -> list[Mapped]:
    return [mapping(feed).apply(one.rows) for one in pages]


def keys(feed: str, pages: list[Page]) -> list[str]:
    return [key for one in mapped(feed, pages) for key in one.rows.get_column("native_key")]


class Changed:
    """The stand-in, with its answers to some requests changed."""

    def __init__(self, mock: Mock, path: str, change: Callable[[Any], Any]) -> None:
        self._mock, self._path, self._change = mock, path, change

    def handle(self, request: httpx.Request) -> httpx.Response:
        response = self._mock.handle(request)
        if self._path not in request.url.path:
            return response
        changed = self._change(json.loads(response.content, parse_float=str))
        if isinstance(changed, httpx.Response):
            return changed
        return httpx.Response(200, json=changed)


def test_the_manifest_can_be_loaded_and_offers_what_the_adapter_has() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {
        "AcceptsTransfers",
        "BearsWitness",
        "ReadsHoldings",
        "ReadsListings",
        "ReadsMovements",
        "ReadsTrades",
        "Retires",
        "Transfers",
    }
    assert (MANIFEST.name, MANIFEST.programme, MANIFEST.calendar) == ("cbl", "CBL", "cbl")
    assert all(words.endswith(".") for words in MANIFEST.simulated.values())


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("size", [1, 7, 100])
async def test_every_feed_is_read_whole_on_pages_of_any_size(feed: str, size: int) -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock, page_size=size) as adapter:
        pages = await every_page(adapter, feed)
        stated = await total(adapter, feed)
    results = mapped(feed, pages)
    assert sum(one.rows.height for one in results) == stated.rows >= 3
    assert len(set(keys(feed, pages))) == stated.rows
    if stated.quantity is not None:
        assert sum(one.units for one in results) == stated.quantity
    assert all(one.defects.is_empty() and not one.unknown for one in results)
    assert all(one.as_of == clock() for one in pages)
    if size == 100:
        assert [one.missing for one in results] == [()]


@pytest.mark.parametrize("feed", PAGED)
async def test_a_row_that_comes_in_while_pages_are_turned_hides_no_other(feed: str) -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock, page_size=1) as adapter:
        before = set(keys(feed, await every_page(adapter, feed)))
        again = set(keys(feed, await every_page(adapter, feed, between=lambda: insert(mock_of(plan).book))))
    assert before <= again


async def test_a_search_that_became_shorter_while_it_was_read_is_read_again() -> None:
    plan, clock = rehearsal()
    book = mock_of(plan).book

    def close_the_best() -> None:
        best = min(book.listings.values(), key=lambda one: (one.market, one.side, one.price))
        del book.listings[best.original]

    async with adapter_of(plan.mock, clock, page_size=1) as adapter:
        with pytest.raises(Unavailable, match="it changed while it was read"):
            await every_page(adapter, "listings", between=close_the_best)


async def test_a_transfer_that_changes_while_pages_are_turned_leaves_the_window_and_is_noticed() -> None:
    plan, clock = rehearsal()
    book = mock_of(plan).book

    def one_is_answered() -> None:
        clock.advance(dt.timedelta(seconds=1))
        oldest = min(book.transfers.values(), key=lambda one: (one.updated, one.identifier))
        oldest.updated = clock()

    async with adapter_of(plan.mock, clock, page_size=1) as adapter:
        with pytest.raises(Unavailable, match="it changed while it was read"):
            await every_page(adapter, "transfers", between=one_is_answered)


async def test_positions_say_what_is_free_on_the_venue_and_on_its_way() -> None:
    plan, clock = rehearsal()
    book = mock_of(plan).book
    lot = next(one for one in book.lots.values() if one.account == ACCOUNT and one.encumbered and one.available > 90)
    lot.available, lot.unsettled = lot.available - 30, 30
    async with adapter_of(plan.mock, clock) as adapter:
        [result] = mapped("positions", await every_page(adapter, "positions"))
        [placed] = mapped("deposits", await every_page(adapter, "deposits"))
    [row] = result.rows.filter(pl.col("native_key") == str(lot.id)).to_dicts()
    assert (row["account"], row["instrument"]) == (ACCOUNT, lot.instrument.ein)
    assert (row["quantity"], row["available"], row["earmarked"], row["in_transit"]) == (
        lot.held,
        lot.available,
        lot.encumbered,
        30,
    )
    project = lot.instrument.project
    assert (row["programme"], row["project_id"]) == (project.program, project.number)
    assert (row["vintage_start"], row["vintage_end"]) == (lot.instrument.start, lot.instrument.end)
    assert set(placed.rows.get_column("account")) == {f"CBL/{ACCOUNT}"}
    assert placed.rows.get_column("earmarked").null_count() == placed.rows.height
    assert placed.rows.get_column("quantity").sum() == result.rows.get_column("earmarked").sum()


async def test_certificates_of_other_kinds_are_not_asked_for() -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock) as adapter:
        pages = await every_page(adapter, "positions")
        assert "REC" not in set(pages[0].rows.get_column("content.instrument.type"))
    async with adapter_of(plan.mock, clock, programs=("NAR", "VCS")) as adapter:
        [result] = mapped("positions", await every_page(adapter, "positions"))
    assert {"KIND_UNREADABLE"} <= set(result.defects.get_column("code"))


async def test_an_order_that_fills_all_or_nothing_can_only_be_taken_whole() -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock) as adapter:
        [read] = await every_page(adapter, "listings")
    whole = dict(zip(read.rows.get_column("original"), read.rows.get_column("type") == "AON", strict=True))
    listed = mapping("listings").apply(read.rows).rows
    assert {whole[row["native_key"]] for row in listed.to_dicts()} == {True, False}
    for row in listed.to_dicts():
        assert row["lot"] == (row["quantity"] if whole[row["native_key"]] else 1)
        assert row["price"] % 10_000 == 0
        assert (row["currency"], row["state"]) == ("USD", "open")
    assert set(listed.filter(pl.col("project_id").is_null()).get_column("programme")) == {None, "VCS"}


@pytest.mark.parametrize(
    ("issuance", "project", "said"),
    [
        ([], [], ""),
        ([{"code": "A", "vintageYears": [2021]}], [], "A"),
        ([{"code": "A", "vintageYears": [2020]}], [], ""),
        ([{"code": "A"}, {"code": "B", "vintageYears": []}], [], "A;B"),
        ([{"code": "A", "vintageYears": "2021"}], [], f"A {rows.PERIOD_UNKNOWN}"),
        ([], [{"code": "C", "projectCertificationDateRanges": []}], "C"),
        ([], [{"code": "C", "projectCertificationDateRanges": [{"certificationStart": "2021-01-01T00:00:00Z"}]}], "C"),
        ([], [{"code": "C", "projectCertificationDateRanges": [{"certificationStart": "2021-01-02T00:00:00Z"}]}], ""),
        ([], [{"code": "C", "projectCertificationDateRanges": [{"certificationEnd": "2021-12-30T00:00:00Z"}]}], ""),
        ([], [{"code": "C", "projectCertificationDateRanges": "always"}], f"C {rows.PERIOD_UNKNOWN}"),
        (None, [], rows.NOT_SHOWN),
        ([], None, rows.NOT_SHOWN),
        ([7], [], rows.NOT_SHOWN),
    ],
)
def test_certifications_hold_for_the_reporting_period_or_are_left_to_a_person(
    issuance: object, project: object, said: str
) -> None:
    table = pl.DataFrame(
        {
            "i.issuanceCertifications": None if issuance is None else json.dumps(issuance).replace("2021]", '"2021"]'),
            "i.projectCertifications": None if project is None else json.dumps(project),
            "i.vintage.year": "2021",
            "i.reportingPeriodStart": "2021-01-01T00:00:00.000Z",
            "i.reportingPeriodEnd": "2021-12-31T00:00:00.000Z",
        },
        schema_overrides={"i.issuanceCertifications": pl.String, "i.projectCertifications": pl.String},
    )
    assert rows.with_certifications(table, "i").get_column(rows.CERTIFICATIONS).to_list() == [said]


def test_an_unknown_certification_quarantines_the_row() -> None:
    table = pl.DataFrame({rows.CERTIFICATIONS: ["CCB", "MYSTERY", rows.NOT_SHOWN]})
    result = mapping("positions").apply(table)
    refused = result.defects.filter(pl.col("code") == "LABELS_UNKNOWN")
    assert refused.get_column("_row").to_list() == [2, 3]


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ([{"program": "VCS", "registryAssignedId": "1748"}], "1748"),
        ([{"program": "GS", "registryAssignedId": "5"}, {"program": "VCS", "registryAssignedId": "1748"}], "1748"),
        ([{"program": "GS", "registryAssignedId": "5"}], None),
        ([{"program": "VCS", "registryAssignedId": "1"}, {"program": "VCS", "registryAssignedId": "2"}], None),
        ([{"program": "VCS"}], None),
        ("VCS", None),
    ],
)
def test_the_project_is_the_one_of_the_instruments_own_programme(programs: object, said: str | None) -> None:
    table = pl.DataFrame({"i.program": ["VCS"], "i.project.programs": [json.dumps(programs)]})
    assert rows.with_project(table, "i").get_column(rows.PROJECT).to_list() == [said]


@pytest.mark.parametrize(("part", "said"), [("30", "60"), ("30.0", "60"), ("30.5", None), (None, None), ("-1", None)])
def test_the_whole_of_a_lot_is_the_sum_of_readable_parts(part: str | None, said: str | None) -> None:
    table = pl.DataFrame({"availableQuantity": ["10"], "encumberedQuantity": ["20"], "unsettledQuantity": [part]})
    assert rows.with_quantity(table).get_column(rows.QUANTITY).to_list() == [said]


async def test_an_unreadable_part_quarantines_the_lot_and_leaves_the_stated_sum_open() -> None:
    plan, clock = rehearsal()

    def spoil(document: Any) -> Any:
        document["content"][0]["taxLots"][0]["unsettledQuantity"] = "many"
        return document

    async with adapter_of(Changed(Changed(plan.mock, "/position/", spoil), "/reports/", spoil), clock) as adapter:
        [result] = mapped("positions", await every_page(adapter, "positions"))
        stated = await total(adapter, "positions")
    assert stated.quantity is None
    assert result.rows.height == stated.rows - 1
    assert {"QUANTITY_MISSING", "IN_TRANSIT_UNREADABLE"} == set(result.defects.get_column("code"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda page: page | {"page": 5}, "asked for 0 of size"),
        (lambda page: page | {"size": 50}, "asked for 0 of size 100"),
        (lambda page: page | {"totalElements": 10_000}, "expected 100"),
        (lambda page: page | {"content": page["content"][1:]}, "rows on page 0"),
        (lambda page: {key: value for key, value in page.items() if key != "totalElements"}, "totalElements"),
        (lambda _page: {"content": None}, "page is missing"),
        (lambda _page: [], "is an array"),
        (lambda _page: httpx.Response(200, text="<html>Sign in</html>"), "found HTML"),
        (lambda _page: httpx.Response(200, text='{"page":0,'), "broken JSON"),
    ],
)
async def test_a_page_that_is_not_what_it_says_is_a_breach(change: Callable[[Any], Any], said: str) -> None:
    plan, clock = rehearsal()
    async with adapter_of(Changed(plan.mock, "/listings/", change), clock) as adapter:
        with pytest.raises(ContractBreach, match=said):
            await adapter.read_listings("listings", None)


async def test_a_page_keeps_its_raw_body() -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock, page_size=2) as adapter:
        read = await adapter.read_listings("listings", None)
        second = await adapter.read_listings("listings", read.next_cursor)
        again = await adapter.read_listings("listings", read.next_cursor)
    assert len(json.loads(read.document.content)["content"]) == 2
    assert read.document.origin == "listings page=0"
    assert second.rows.equals(again.rows)


@pytest.mark.parametrize("cursor", ["", "7", "[1,2]", '["a",0,null]', "{}", "[1,2,3,4]"])
async def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock) as adapter:
        with pytest.raises(ConfigurationError, match="found the cursor"):
            await adapter.read_listings("listings", cursor)


async def test_a_feed_that_is_not_there_is_a_missing_capability() -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock) as adapter:
        with pytest.raises(CapabilityMissing, match="expected positions or deposits"):
            await adapter.read_holdings("bonds", None)


async def test_a_token_is_kept_until_shortly_before_its_end_and_forgotten_when_refused() -> None:
    plan, clock = rehearsal()
    asked: list[str] = []

    class Counting:
        def handle(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return plan.mock.handle(request)

    async with adapter_of(Counting(), clock) as adapter:
        await adapter.holdings_total("deposits")
        await adapter.holdings_total("deposits")
        assert asked.count("/oauth/token") == 1
        clock.advance(dt.timedelta(hours=23, minutes=56))
        await adapter.holdings_total("deposits")
        assert asked.count("/oauth/token") == 2
        mock_of(plan).revoke_tokens()
        with pytest.raises(AccessDenied):
            await adapter.holdings_total("deposits")
        assert (await adapter.holdings_total("deposits")).rows >= 3
        assert asked.count("/oauth/token") == 3


async def test_wrong_credentials_are_told_without_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    plan, clock = rehearsal()
    caplog.set_level(logging.DEBUG)
    async with adapter_of(plan.mock, clock, password="hunter2-of-ours") as adapter:
        with pytest.raises(AccessDenied, match="invalid_grant") as caught:
            await adapter.holdings_total("deposits")
    assert "hunter2" not in f"{caught.value!r} {caplog.text} {CblConfig(password='hunter2-of-ours')!r}"


@pytest.mark.parametrize("token", [None, "", True, "two\nlines", "zwölf"])
async def test_a_token_that_is_none_is_a_breach_and_not_told(token: object) -> None:
    plan, clock = rehearsal()
    mounted = Changed(plan.mock, "/oauth/token", lambda given: given | {"access_token": token})
    async with adapter_of(mounted, clock) as adapter:
        with pytest.raises(ContractBreach, match="no text under access_token"):
            await adapter.holdings_total("deposits")


async def test_a_market_that_throttles_or_is_down_is_not_there_for_the_moment() -> None:
    plan, clock = rehearsal()
    async with adapter_of(plan.mock, clock) as adapter:
        await adapter.holdings_total("deposits")
        mock_of(plan).throttle(1)
        with pytest.raises(RateLimited) as caught:
            await adapter.holdings_total("deposits")
        assert caught.value.retry_after is None
        mock_of(plan).go_down()
        with pytest.raises(Unavailable):
            await adapter.read_listings("listings", None)
        mock_of(plan).come_back()
        assert (await adapter.listings_total("listings")).rows > 3


async def test_a_position_nobody_knows_the_shape_of_is_a_breach() -> None:
    plan, clock = rehearsal()
    mounted = Changed(plan.mock, "/position/", lambda page: page | {"content": [7] * len(page["content"])})
    async with adapter_of(mounted, clock) as adapter:
        with pytest.raises(ContractBreach, match="an element of content"):
            await adapter.read_holdings("positions", None)


def test_settings_are_checked() -> None:
    for wrong in ({"page_size": 0}, {"page_size": 201}, {"account": "a/b"}, {"programs": ()}, {"colour": "red"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CblConfig(**wrong)
