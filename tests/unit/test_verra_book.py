"""The stand-in of the Verra registry: a consistent book, what can happen to it, and how it is shown."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters._platts.mock_rows import (
    CANCELLATION_KEYS,
    HOLDING_KEYS,
    ISSUANCE_KEYS,
    PROJECT_KEYS,
    RETIREMENT_KEYS,
)
from adapters.verra.book import Book
from adapters.verra.book_entries import (
    FIRST_PRESENT_BATCH,
    LAST_FORMER_BATCH,
    UNLISTED_PROJECT_STATUS,
    UNLISTED_STATE,
    Batch,
    Defect,
)
from adapters.verra.book_export import PROJECT_HEADINGS, UNIT_HEADINGS, DateStyle, export_csv
from adapters.verra.book_words import STATUS_OF
from adapters.verra.mock import VerraMock, build
from gateway.kit.mock import MockClock, in_process

NOW = datetime(2026, 8, 15, 9, 0, tzinfo=UTC)
FEEDS = ("project", "issuances", "holdings", "retirements", "cancellations")
SERIAL = re.compile(
    r"(?P<batch>\d+)-(?P<first>\d+)-(?P<last>\d+)-(?P<epoch>VCS-VCU|VCU)-(?P<code>\d{3,4})-(?P<origin>VER|MER|APX|TZ1|CDC)"
    r"-(?P<country>[A-Z]{2})-(?:(?P<scope>\d{1,2})-)?(?P<project>\d+)-(?P<start>\d{8})[-_](?P<end>\d{8})-(?P<flag>[01])"
)
HEADERS = {
    "application": "Markit",
    "appkey": "any",
    "x-xsrf-token": "t20",
    "registry": "VERRA",
    "standardid": "150000000000001",
    "standardacronym": "VCS",
    "language": "en",
}


def small(seed: int = 7, *, defective: bool = False) -> tuple[VerraMock, MockClock]:
    clock = MockClock(NOW)
    return build(seed, clock, projects=40, blocks=300, defective=defective), clock


@pytest.fixture(scope="module")
def full() -> VerraMock:
    """The book of the default size, with its defects. Not to be changed."""
    return build(7, MockClock(NOW))


def ask(mock: VerraMock, feed: str, operation: str, search: dict[str, Any]) -> Any:
    url = f"https://site.test/ci-raas-prod/raas-report-api/es/public/{feed}/{operation}"
    response = mock.handle(httpx.Request("POST", url, headers=HEADERS, content=json.dumps({"searchFilter": search})))
    assert response.status_code == 200, response.text
    return json.loads(response.content, parse_float=str)


def rows(mock: VerraMock, feed: str, model: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = []
    for start in range(0, 10_000, 400):
        pagination = {"start": start, "limit": 400, "sortOptions": [{"sort": "entityId", "dir": "ASC"}]}
        document = ask(mock, feed, "publicReportPageSearch", {"pagination": pagination, "filterModel": model or {}})
        read += document["entities"]
        if len(read) == document["totalEntities"]:
            return read
    raise AssertionError(f"{feed} never ends")


def total(mock: VerraMock, feed: str) -> int:
    search = {"pagination": {}, "filterModel": {}, "groupKeys": [], "statsSumByField": "holdingQuantity"}
    return int(ask(mock, feed, "aggregateResultBySearchFilter", search)["sum"])


def assert_consistent(book: Book) -> None:
    """Every batch is exactly its blocks, and no shelf holds what belongs on another."""
    pieces: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for block in book.blocks():
        pieces[block.batch.entity_id].append((block.first, block.last))
    assert set(pieces) == set(book.batches)
    for entity_id, batch in book.batches.items():
        expected = batch.first
        for first, last in sorted(pieces[entity_id]):
            assert first == expected
            assert last >= first
            expected = last + 1
        assert expected == batch.last + 1
    ids = [one.entity_id for one in (*book.projects.values(), *book.batches.values(), *book.blocks())]
    assert len(ids) == len(set(ids))


def largest_holding(book: Book) -> int:
    return max(book.holdings.values(), key=lambda block: block.quantity).entity_id


class TestBook:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_a_batch_is_its_blocks(self, seed: int) -> None:
        assert_consistent(small(seed)[0].book)

    def test_the_size_is_about_what_was_asked_for(self, full: VerraMock) -> None:
        assert len(full.book.projects) == 300
        assert 3_600 < len(list(full.book.blocks())) < 5_200
        assert len(full.book.holdings) > 1_000
        assert len(full.book.retirements) > 1_000
        assert len(full.book.cancellations) > 50

    def test_the_two_epochs_count_on_their_own(self, full: VerraMock) -> None:
        former: list[Batch] = []
        present: list[Batch] = []
        for batch in full.book.batches.values():
            (present if batch.shown_serial.split("-")[3] == "VCS" else former).append(batch)
        assert all(16 <= batch.number <= LAST_FORMER_BATCH for batch in former)
        assert all(batch.number >= FIRST_PRESENT_BATCH for batch in present)
        for epoch in (former, present):
            ordered = sorted(epoch, key=lambda batch: batch.number)
            assert len({batch.number for batch in epoch}) == len(epoch)
            for one, following in pairwise(ordered):
                assert one.last < following.first
                assert one.issued.date() <= following.issued.date()
        assert min(batch.first for batch in present) < max(batch.last for batch in former)

    def test_a_serial_says_what_its_batch_is(self, full: VerraMock) -> None:
        shapes = set()
        for block in full.book.blocks():
            if block.defect is not None:
                continue
            serial = SERIAL.fullmatch(block.shown_serial or "")
            assert serial, block.shown_serial
            batch = block.batch
            assert int(serial["batch"]) == batch.number
            assert (int(serial["first"]), int(serial["last"])) == (block.first, block.last)
            assert int(serial["project"]) == batch.project.number
            days = [datetime.strptime(serial[key], "%d%m%Y").replace(tzinfo=UTC).date() for key in ("start", "end")]
            assert days == [batch.vintage_start, batch.vintage_end]
            assert serial["flag"] == "1" or not block.labels
            shapes.add((serial["epoch"], serial["scope"] is None))
        assert shapes == {("VCU", False), ("VCS-VCU", False), ("VCS-VCU", True)}

    def test_times_are_in_order_and_none_is_in_the_future(self, full: VerraMock) -> None:
        for block in full.book.blocks():
            batch = block.batch
            assert batch.vintage_start <= batch.vintage_end < batch.issued.date()
            assert batch.project.credit_start <= batch.vintage_start
            assert batch.vintage_end <= batch.project.credit_end
            assert batch.issued <= NOW
            assert block.updated <= NOW
            assert block.modified <= NOW
            if block.acted is not None:
                assert batch.issued.date() <= block.acted.date() <= NOW.date()

    def test_the_same_seed_gives_the_same_registry(self) -> None:
        one, again, other = (small(seed)[0] for seed in (7, 7, 8))
        for feed in FEEDS:
            assert rows(one, feed) == rows(again, feed)
        assert rows(one, "holdings") != rows(other, "holdings")

    def test_a_tiny_registry_can_be_made(self) -> None:
        mock = build(1, MockClock(NOW), projects=1, blocks=1)
        assert len(mock.book.batches) == 1
        assert_consistent(mock.book)

    @pytest.mark.parametrize(("projects", "blocks"), [(0, 10), (10, 0), (10, 200_000)])
    def test_an_impossible_size_is_refused(self, projects: int, blocks: int) -> None:
        with pytest.raises(ValueError, match="found"):
            build(1, MockClock(NOW), projects=projects, blocks=blocks)

    def test_texts_are_not_all_ascii(self, full: VerraMock) -> None:
        assert any(not row["projectName"].isascii() for row in rows(full, "project"))
        assert any(row["beneficialOwner"] and not row["beneficialOwner"].isascii() for row in rows(full, "retirements"))


class TestRows:
    @pytest.mark.parametrize(
        ("feed", "keys"),
        [
            ("project", PROJECT_KEYS),
            ("issuances", ISSUANCE_KEYS),
            ("holdings", HOLDING_KEYS),
            ("retirements", RETIREMENT_KEYS),
            ("cancellations", CANCELLATION_KEYS),
        ],
    )
    def test_have_the_keys_of_the_captures(self, feed: str, keys: str) -> None:
        for row in rows(small()[0], feed):
            assert list(row) == keys.split()
            assert row["id"] == str(row["entityId"])
            assert row["standardId"] == 150000000000001

    def test_quantities_times_and_vintages_are_written_as_on_the_platform(self, full: VerraMock) -> None:
        digits = set()
        vintages = set()
        for row in rows(full, "holdings"):
            assert re.fullmatch(r"\d+\.0", row["holdingQuantity"])
            stamp = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?", row["esUpdatedOn"])
            modified = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,3}))?", row["modifiedDate"])
            assert stamp
            assert modified
            digits |= {len(stamp[1] or ""), len(modified[1] or "")}
            assert re.fullmatch(r"\d{4}( - \d{4})?", row["vintage"])
            vintages.add(len(row["vintage"]))
        assert {0, 3, 8, 9} <= digits
        assert vintages == {4, 11}

    def test_the_same_fact_has_another_key_in_another_feed(self) -> None:
        mock, _ = small()
        [retired, *_], [cancelled, *_] = rows(mock, "retirements"), rows(mock, "cancellations")
        assert (retired["stateCode"], retired["stateNameEn"], cancelled["status"]) == (
            "RETIRED",
            "Retired",
            "Cancelled",
        )
        assert retired["retiredDate"]
        assert cancelled["cancellation_date"] == cancelled["retired_date"]
        assert cancelled["serial_no"].split("-")[1:3] == [str(cancelled["block_start"]), str(cancelled["block_end"])]

    def test_labels_are_null_empty_or_words(self, full: VerraMock) -> None:
        words = {row["additionalCertification"] for row in rows(full, "holdings")}
        assert {None, "", "CORSIA – Pilot Phase, 2021-2023 Eligible"} <= words  # noqa: RUF001 - the registry's dash
        assert any(word and "; " in word for word in words)

    def test_the_stated_totals_agree_with_the_rows_and_with_each_other(self) -> None:
        mock, _ = small()
        sums = {feed: sum(int(row["holdingQuantity"][:-2]) for row in rows(mock, feed)) for feed in FEEDS[1:]}
        assert {feed: total(mock, feed) for feed in FEEDS[1:]} == sums
        assert sums["issuances"] == sums["holdings"] + sums["retirements"] + sums["cancellations"]
        assert ask(mock, "project", "publicProjectsSum", {"filterModel": {}})["total"] == 40

    @pytest.mark.parametrize(
        ("feed", "field"),
        [
            *[(feed, "countryName") for feed in FEEDS],
            *[(feed, "regionName") for feed in FEEDS],
            *[(feed, "projectId") for feed in FEEDS],
            *[(feed, "vcsProjectId") for feed in FEEDS],
            *[(feed, "vintage") for feed in FEEDS[1:]],
            ("project", "status"),
            ("project", "publicStateNameEn"),
            ("holdings", "status"),
            ("holdings", "isBuffer"),
        ],
    )
    def test_filters_part_a_feed_but_for_rows_without_the_value(self, feed: str, field: str) -> None:
        mock, _ = small()
        everything = rows(mock, feed)
        kind = {"projectId": "Number", "isBuffer": "Boolean"}.get(field, "Text")
        parted = []
        for value in {row[field] for row in everything if row[field] is not None}:
            wanted = str(value).lower() if kind == "Boolean" else value
            model = {field: {"columnFilters": [{"filterType": kind, "type": "equals", "filter": wanted}]}}
            part = rows(mock, feed, model)
            assert {row[field] for row in part} == {value}
            parted += part
        expected = [row for row in everything if row[field] is not None]
        assert sorted(row["entityId"] for row in parted) == [row["entityId"] for row in expected]


class TestChanges:
    def test_a_retired_part_leaves_two_holdings(self) -> None:
        mock, _ = small()
        book = mock.book
        holding = book.holdings[largest_holding(book)]
        first, last, count = holding.first, holding.last, len(book.holdings)
        retired = book.retire(holding.entity_id, units=(first + 5, first + 9), beneficiary="海雲澗", reason="Other")
        assert (retired.first, retired.last, retired.acted) == (first + 5, first + 9, NOW)
        assert len(book.holdings) == count + 1
        left = [block for block in book.holdings.values() if block.batch is holding.batch]
        assert {(first, first + 4), (first + 10, last)} <= {(block.first, block.last) for block in left}
        assert book.holdings[holding.entity_id].first == first
        assert_consistent(book)
        [row] = [row for row in rows(mock, "retirements") if row["entityId"] == retired.entity_id]
        assert (row["holdingQuantity"], row["retiredDate"]) == ("5.0", "2026-08-15T09:00:00")
        assert (row["beneficialOwner"], row["retirementReason"]) == ("海雲澗", "Other")

    def test_a_whole_holding_that_is_cancelled_is_gone(self) -> None:
        mock, _ = small()
        book = mock.book
        holding_id = largest_holding(book)
        before = total(mock, "issuances"), total(mock, "holdings")
        cancelled = book.cancel(holding_id, reason="Other")
        assert holding_id not in book.holdings
        assert book.cancellations[cancelled.entity_id] is cancelled
        assert (total(mock, "issuances"), total(mock, "holdings")) == (before[0], before[1] - cancelled.quantity)
        assert_consistent(book)

    def test_a_transfer_moves_the_whole_row_or_makes_one_for_the_part(self) -> None:
        mock, _ = small()
        book = mock.book
        holding_id = largest_holding(book)
        whole = book.transfer(holding_id, "Ithanmere Omnibus")
        assert (whole.entity_id, whole.account.name) == (holding_id, "Ithanmere Omnibus")
        part = book.transfer(holding_id, "Zevudor Trading", units=(whole.first, whole.first))
        assert part.entity_id != holding_id
        assert (book.holdings[holding_id].first, part.quantity) == (whole.first + 1, 1)
        assert book.account("Zevudor Trading") is part.account
        assert_consistent(book)

    def test_an_issuance_takes_the_next_numbers_of_the_present_epoch(self) -> None:
        mock, clock = small()
        book = mock.book
        clock.advance(timedelta(days=1))
        present = [one for one in book.batches.values() if one.number >= FIRST_PRESENT_BATCH]
        number = next(iter(book.projects))
        batch = book.issue(number, 250, vintage=(date(2025, 1, 1), date(2025, 12, 31)), account="Ithanmere Omnibus")
        assert batch.number == 1 + max(one.number for one in present)
        assert batch.first == 1 + max(one.last for one in present)
        assert f"-{number}-01012025-31122025-0" in batch.shown_serial
        [held] = [block for block in book.holdings.values() if block.batch is batch]
        assert (held.quantity, held.account.name) == (250, "Ithanmere Omnibus")
        [row] = [row for row in rows(mock, "issuances") if row["entityId"] == batch.entity_id]
        assert (row["issueDate"], row["vintage"], row["holdingQuantity"]) == ("2026-08-16T09:00:00", "2025", "250.0")
        assert_consistent(book)

    def test_a_label_flags_the_serial(self) -> None:
        mock, _ = small()
        book = mock.book
        holding = next(block for block in book.holdings.values() if not block.flagged)
        book.add_label(holding.entity_id, "ICVCM CCP")
        book.add_label(holding.entity_id, "ICVCM CCP")
        [row] = [row for row in rows(mock, "holdings") if row["entityId"] == holding.entity_id]
        assert row["additionalCertification"] == "ICVCM CCP"
        assert row["serialNo"].endswith("-1")

    def test_only_the_touched_rows_change(self) -> None:
        mock, clock = small()
        book = mock.book
        before = {feed: {row["entityId"]: row for row in rows(mock, feed)} for feed in FEEDS}
        clock.advance(timedelta(hours=1))
        number = next(iter(book.projects))
        book.set_project_status(number, "Withdrawn")
        holding_id = largest_holding(book)
        first = book.holdings[holding_id].first
        retired = book.retire(holding_id, units=(first, first + 1))
        touched = {book.projects[number].entity_id, holding_id, retired.entity_id}
        for feed in FEEDS:
            for row in rows(mock, feed):
                changed = row != before[feed].get(row["entityId"])
                assert changed == (row["entityId"] in touched)
                assert row["esUpdatedOn"].startswith("2026-08-15T10:00:00") == changed
        [row] = [row for row in rows(mock, "project") if row["projectId"] == number]
        assert (row["status"], row["publicStateNameEn"], row["stateCode"]) == ("Withdrawn", "Withdrawn", "WITHDRAWN")

    def test_what_cannot_be_is_refused_and_changes_nothing(self) -> None:
        book = small()[0].book
        holding = book.holdings[largest_holding(book)]
        for units in ((holding.first - 1, holding.last), (holding.last, holding.first), (1, 0)):
            with pytest.raises(ValueError, match="expected one inside"):
                book.retire(holding.entity_id, units=units)
        with pytest.raises(KeyError):
            book.cancel(next(iter(book.retirements)))
        with pytest.raises(ValueError, match="'Paused'"):
            book.set_project_status(next(iter(book.projects)), "Paused")
        with pytest.raises(ValueError, match="one unit or more"):
            book.issue(next(iter(book.projects)), 0, vintage=(date(2025, 1, 1), date(2025, 12, 31)))
        assert_consistent(book)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("rct"), st.integers(0, 10**6), st.integers(0, 10**6)), max_size=12))
    def test_no_series_of_changes_loses_or_makes_a_unit(self, changes: list[tuple[str, int, int]]) -> None:
        book = build(3, MockClock(NOW), projects=3, blocks=12, defective=False).book
        for kind, one, other in changes:
            if not book.holdings:
                break
            holding = list(book.holdings.values())[one % len(book.holdings)]
            first = holding.first + other % holding.quantity
            units = (first, first + one % (holding.last - first + 1))
            if kind == "r":
                book.retire(holding.entity_id, units=units)
            elif kind == "c":
                book.cancel(holding.entity_id, units=units)
            else:
                book.transfer(holding.entity_id, "Ithanmere Omnibus", units=units)
            assert_consistent(book)


class TestDefects:
    def test_one_of_each_is_planted_and_said_so(self, full: VerraMock) -> None:
        planted = {one.defect: one for one in full.book.planted}
        assert set(planted) == set(Defect)
        assert all(one.reason for one in planted.values())
        shown = {
            defect: next(row for row in rows(full, one.feed) if row["entityId"] == one.entity_id)
            for defect, one in planted.items()
        }
        assert shown[Defect.UNKNOWN_STATE]["status"] == UNLISTED_STATE[0]
        assert shown[Defect.UNKNOWN_PROJECT_STATUS]["status"] == UNLISTED_PROJECT_STATUS[0]
        assert not SERIAL.fullmatch(shown[Defect.UNREADABLE_SERIAL]["serialNo"])
        assert "serialNo" not in shown[Defect.MISSING_SERIAL]
        wrong = shown[Defect.QUANTITY_MISMATCH]
        _, first, last, *_ = wrong["serialNo"].split("-")
        assert int(wrong["holdingQuantity"][:-2]) == int(last) - int(first) + 2

    def test_no_other_row_is_wrong(self, full: VerraMock) -> None:
        wrong = {(one.feed, one.entity_id) for one in full.book.planted}
        for feed in FEEDS[1:]:
            for row in rows(full, feed):
                if (feed, row["entityId"]) not in wrong:
                    serial = SERIAL.fullmatch(row["serial_no" if feed == "cancellations" else "serialNo"])
                    assert serial
                    assert int(serial["last"]) - int(serial["first"]) + 1 == int(row["holdingQuantity"][:-2])
                    assert feed != "holdings" or row["status"] == "Active"
        unlisted = {row["entityId"] for row in rows(full, "project") if row["status"] not in STATUS_OF}
        assert unlisted == {one.entity_id for one in full.book.planted if one.feed == "project"}

    def test_a_clean_book_has_none(self) -> None:
        book = small()[0].book
        assert book.planted == []
        assert all(one.defect is None for one in (*book.projects.values(), *book.blocks()))

    def test_one_can_be_planted_anywhere_it_fits(self) -> None:
        book = small()[0].book
        cancellation = next(iter(book.cancellations))
        planted = book.plant(Defect.MISSING_SERIAL, cancellation)
        assert (planted.feed, book.planted) == ("cancellations", [planted])
        with pytest.raises(KeyError):
            book.plant(Defect.UNKNOWN_STATE, cancellation)
        with pytest.raises(KeyError):
            book.plant(Defect.UNKNOWN_PROJECT_STATUS, cancellation)


def parsed(content: bytes, headings: Iterable[str]) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
    assert tuple(reader.fieldnames or ()) == tuple(headings)
    return list(reader)


class TestExport:
    def test_has_a_row_for_each_block_and_project(self, full: VerraMock) -> None:
        book = full.book
        export = export_csv(book)
        units = parsed(export.units, UNIT_HEADINGS)
        assert len(units) == len(list(book.blocks()))
        assert sum(1 for row in units if not row["Retirement/Cancellation Date"]) == len(book.holdings)
        stated = sum(int(row["Quantity Issued"].replace(",", "")) for row in units)
        assert stated == sum(batch.quantity for batch in book.batches.values()) + 1
        serials = {row["Serial Number"] for row in units}
        assert serials == {block.shown_serial or "" for block in book.blocks()}
        assert len(parsed(export.projects, PROJECT_HEADINGS)) == len(book.projects)

    def test_blocks_of_a_vintage_share_its_total(self) -> None:
        book = small()[0].book
        held: dict[tuple[str, str, str], int] = defaultdict(int)
        totals: dict[tuple[str, str, str], set[int]] = defaultdict(set)
        for row in parsed(export_csv(book, thousands=False).units, UNIT_HEADINGS):
            vintage = row["ID"], row["Vintage Start"], row["Vintage End"]
            held[vintage] += int(row["Quantity Issued"])
            totals[vintage].add(int(row["Total Vintage Quantity"]))
        assert {vintage: {units} for vintage, units in held.items()} == totals

    @pytest.mark.parametrize(
        ("style", "shape"),
        [
            (DateStyle.ISO, r"\d{4}-\d\d-\d\d"),
            (DateStyle.ISO_TIME, r"\d{4}-\d\d-\d\d 00:00:00"),
            (DateStyle.DMY, r"\d\d/\d\d/\d{4}"),
        ],
    )
    def test_dates_are_in_one_style(self, style: DateStyle, shape: str) -> None:
        book = small()[0].book
        export = export_csv(book, dates=style)
        for row in parsed(export.units, UNIT_HEADINGS):
            assert re.fullmatch(shape, row["Issuance Date"])
            assert re.fullmatch(shape, row["Vintage End"])
            assert re.fullmatch(f"({shape})?", row["Retirement/Cancellation Date"])
        for row in parsed(export.projects, PROJECT_HEADINGS):
            assert re.fullmatch(shape, row["Crediting Period Start Date"])

    def test_spells_one_status_otherwise(self, full: VerraMock) -> None:
        shown = {row["status"] for row in rows(full, "project")}
        exported = {row["Status"] for row in parsed(export_csv(full.book).projects, PROJECT_HEADINGS)}
        assert shown ^ exported == {"Late to Verify", "Late to verify"}

    def test_writes_thousands_as_the_registry_does(self) -> None:
        book = small()[0].book
        quantities = [row["Quantity Issued"] for row in parsed(export_csv(book).units, UNIT_HEADINGS)]
        assert any(re.fullmatch(r"\d{1,3}(,\d{3})+", quantity) for quantity in quantities)

    def test_has_the_headings_of_real_exports(self) -> None:
        shared = Path(__file__).parents[3] / "shared" / "data" / "verra"
        if not shared.is_dir():
            pytest.skip(f"no real exports at {shared}")
        for name, headings in (("vcus_sg_2024-12.csv", UNIT_HEADINGS), ("allprojects_2023-11.csv", PROJECT_HEADINGS)):
            with (shared / name).open(encoding="utf-8-sig", newline="") as file:
                assert tuple(next(csv.reader(file))) == headings


async def test_is_reached_through_a_client() -> None:
    mock, _ = small()
    async with httpx.AsyncClient(transport=in_process(mock), base_url="https://registry.test") as client:
        uris = json.loads((await client.get("/config/environment.config.json")).content)["uris"]
        url = f"{uris['raasReportPublicManager']}/holdings/publicReportPageSearch"
        search = {"searchFilter": {"pagination": {"start": 0, "limit": 1}, "filterModel": {}}}
        response = await client.post(url, headers=HEADERS, json=search)
    assert json.loads(response.content)["totalEntities"] == len(mock.book.holdings)
