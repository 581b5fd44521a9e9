"""The platform's protocol and its traps, over a feed of our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters._platts.mock import Feed, PlattsMock, Standard
from adapters._platts.mock_rows import (
    ABSENT,
    CANCELLATION_KEYS,
    HOLDING_KEYS,
    ISSUANCE_KEYS,
    PROJECT_KEYS,
    RETIREMENT_KEYS,
    Form,
    NumberText,
    Value,
)
from gateway.kit.mock import MockClock

NOW = datetime(2026, 8, 15, 9, 0, tzinfo=UTC)
STANDARD = "150000000000001"
REPORTS = "/ci-raas-prod/raas-report-api/es/public"
HEADERS = {
    "application": "Markit",
    "appkey": "any",
    "x-xsrf-token": "t20",
    "registry": "VERRA",
    "standardid": STANDARD,
    "standardacronym": "VCS",
    "language": "en",
}
BY_ID = [{"sort": "entityId", "dir": "ASC"}]
FORM = Form("id entityId country quantity kept gone", {"kept": True})


@dataclass
class Thing:
    entity_id: int
    country: str | None
    stated_quantity: int
    revision: int = 0
    drawn: int = 0


def row(thing: Thing) -> dict[str, Value]:
    thing.drawn += 1
    return {
        "id": str(thing.entity_id),
        "entityId": thing.entity_id,
        "country": thing.country,
        "quantity": NumberText(f"{thing.stated_quantity}.0"),
    }


def platform(things: list[Thing], window: int = 10_000, feed: str = "holdings") -> PlattsMock:
    return PlattsMock(
        registry="VERRA",
        standards=[Standard(STANDARD, "Verified Carbon Standard", "VCS"), Standard("150000000000002", "Other", "JNR")],
        feeds=[
            Feed(
                feed,
                lambda: things,
                FORM,
                row,
                filters={"country": lambda thing: thing.country, "many": lambda thing: thing.stated_quantity > 5},
                sorts={"country.keyword": lambda thing: thing.country, "quantity": lambda thing: thing.stated_quantity},
            )
        ],
        clock=MockClock(NOW),
        seed=1,
        window=window,
    )


def things(count: int) -> list[Thing]:
    countries = ["Viet Nam", "Chile", None, "Côte d'Ivoire"]
    return [Thing(1_000 + (number * 7) % count, countries[number % 4], number) for number in range(count)]


def ask(
    mock: PlattsMock,
    operation: str = "publicReportPageSearch",
    *,
    feed: str = "holdings",
    headers: dict[str, str] | None = None,
    method: str = "POST",
    **search: Any,
) -> httpx.Response:
    return mock.handle(
        httpx.Request(
            method,
            f"https://site.test{REPORTS}/{feed}/{operation}",
            headers=HEADERS if headers is None else headers,
            content=json.dumps({"searchFilter": search}),
        )
    )


def page(mock: PlattsMock, start: int = 0, limit: int = 400, sort: Any = BY_ID, **model: Any) -> dict[str, Any]:
    response = ask(mock, pagination={"start": start, "limit": limit, "sortOptions": sort}, filterModel=model)
    assert response.status_code == 200, response.text
    return dict(json.loads(response.content))


def ids(document: dict[str, Any]) -> list[int]:
    return [entity["entityId"] for entity in document["entities"]]


def only(kind: str, wanted: Any, shape: str = "equals") -> dict[str, Any]:
    key = "strList" if shape == "in" else "filter"
    return {"columnFilters": [{"filterType": kind, "type": shape, key: wanted}]}


class TestPages:
    def test_every_row_once_in_the_order_of_entity_ids(self) -> None:
        mock = platform(things(1_003))
        seen = [one for start in range(0, 1_200, 400) for one in ids(page(mock, start))]
        assert seen == list(range(1_000, 2_003))

    def test_the_envelope(self) -> None:
        document = page(platform(things(1_003)), 800)
        assert document.pop("entities")
        assert document == {
            "totalPages": 3,
            "totalEntities": 1_003,
            "start": 800,
            "limit": 400,
            "numberOfElements": 203,
            "first": False,
            "last": False,
            "pageStats": None,
            "searchAfter": None,
            "pitId": None,
        }

    def test_past_the_end_is_an_empty_page(self) -> None:
        assert page(platform(things(3)), 400)["entities"] == []

    def test_quantities_are_written_with_a_decimal_point_and_text_in_utf_8(self) -> None:
        response = ask(platform(things(4)), pagination={"limit": 400, "sortOptions": BY_ID}, filterModel={})
        assert b'"quantity":3.0,' in response.content
        assert "Côte d'Ivoire".encode() in response.content

    @pytest.mark.parametrize(
        ("start", "limit", "status"), [(0, 401, 500), (0, 0, 500), (40, 10, 200), (41, 10, 500), (-1, 10, 500)]
    )
    def test_limits_of_page_and_window(self, start: int, limit: int, status: int) -> None:
        mock = platform(things(60), window=50)
        pagination = {"start": start, "limit": limit, "sortOptions": BY_ID}
        assert ask(mock, pagination=pagination, filterModel={}).status_code == status

    def test_a_row_is_written_again_only_when_its_record_changed(self) -> None:
        stock = things(3)
        mock = platform(stock)
        before = page(mock)
        stock[1].country, stock[1].revision = "Peru", 1
        after = page(mock)
        assert [thing.drawn for thing in sorted(stock, key=lambda one: one.revision)] == [1, 1, 2]
        changed = [new for old, new in zip(before["entities"], after["entities"], strict=True) if old != new]
        assert [one["country"] for one in changed] == ["Peru"]


class TestOrder:
    def test_the_reverse_order_of_entity_ids_is_the_same_rows_from_the_end(self) -> None:
        mock = platform(things(1_003))
        back = [{"sort": "entityId", "dir": "DESC"}]
        seen = [one for start in range(0, 1_200, 400) for one in ids(page(mock, start, sort=back))]
        assert seen == list(range(2_002, 999, -1))

    def test_without_a_sort_pages_lose_and_repeat_rows(self) -> None:
        mock = platform(things(900))
        seen = [one for start in range(0, 900, 300) for one in ids(page(mock, start, 300, sort=[]))]
        assert len(seen) == 900
        assert len(set(seen)) < 900

    def test_equal_rows_have_no_order_of_their_own(self) -> None:
        mock = platform(things(40))
        country = [{"sort": "country.keyword", "dir": "ASC"}]
        first, second = page(mock, sort=country), page(mock, sort=country)
        assert ids(first) != ids(second)
        assert [one["country"] for one in first["entities"]] == [one["country"] for one in second["entities"]]

    def test_entity_id_settles_what_is_equal(self) -> None:
        mock = platform(things(40))
        both = [{"sort": "country.keyword", "dir": "DESC"}, *BY_ID]
        first, second = page(mock, sort=both), page(mock, sort=both)
        assert ids(first) == ids(second)
        countries = [one["country"] for one in first["entities"]]
        assert countries == ["Viet Nam"] * 10 + ["Côte d'Ivoire"] * 10 + ["Chile"] * 10 + [None] * 10

    def test_the_order_repeats_with_the_seed(self) -> None:
        assert ids(page(platform(things(40)), sort=[])) == ids(page(platform(things(40)), sort=[]))

    @pytest.mark.parametrize("field", ["id", "country", "nothing"])
    def test_a_field_that_cannot_be_sorted_by_fails(self, field: str) -> None:
        mock = platform(things(4))
        pagination = {"start": 0, "limit": 4, "sortOptions": [{"sort": field, "dir": "ASC"}]}
        assert ask(mock, pagination=pagination, filterModel={}).status_code == 500


class TestFilters:
    @pytest.mark.parametrize(
        ("field", "condition", "kept"),
        [
            ("country", only("Text", "Chile"), 10),
            ("country", only("Text", ["Chile", "Viet Nam"], "in"), 20),
            ("country", only("Text", "Atlantis"), 0),
            ("many", only("Boolean", "true"), 34),
        ],
    )
    def test_understood(self, field: str, condition: dict[str, Any], kept: int) -> None:
        model: dict[str, Any] = {field: condition}
        assert page(platform(things(40)), **model)["totalEntities"] == kept

    @pytest.mark.parametrize(
        ("field", "condition"),
        [
            ("continent", only("Text", "Chile")),
            ("country", only("Text", "", "blank")),
            ("country", only("Date", "2024-01-01", "inRange")),
            ("country", {"columnFilters": [{"filterType": "Text"}]}),
            ("country", {"columnFilters": ["Chile"]}),
            ("country", "Chile"),
        ],
    )
    def test_not_understood_is_ignored_without_a_word(self, field: str, condition: Any) -> None:
        assert page(platform(things(40)), **{field: condition})["totalEntities"] == 40

    def test_several_conditions_all_hold(self) -> None:
        mock = platform(things(40))
        assert page(mock, country=only("Text", "Chile"), many=only("Boolean", "false"))["totalEntities"] == 2


class TestAggregate:
    def test_sums_what_the_filters_keep(self) -> None:
        mock = platform(things(40))
        search: dict[str, Any] = {"pagination": {}, "groupKeys": [], "statsSumByField": "holdingQuantity"}
        everything = ask(mock, "aggregateResultBySearchFilter", filterModel={}, **search)
        assert everything.content == b'{"average":0,"sum":780,"total":0,"additionalTotals":null}'
        some = ask(mock, "aggregateResultBySearchFilter", filterModel={"country": only("Text", "Chile")}, **search)
        assert json.loads(some.content)["sum"] == sum(range(1, 40, 4))

    def test_group_keys_fail(self) -> None:
        search: dict[str, Any] = {"pagination": {}, "filterModel": {}, "statsSumByField": "holdingQuantity"}
        response = ask(platform(things(4)), "aggregateResultBySearchFilter", groupKeys=["projectId"], **search)
        assert response.status_code == 500

    def test_projects_are_counted(self) -> None:
        mock = platform(things(40), feed="project")
        search: dict[str, Any] = {"pagination": {}, "filterModel": {}, "groupKeys": []}
        response = ask(mock, "publicProjectsSum", feed="project", **search)
        assert response.content == b'{"average":0,"sum":0,"total":40,"additionalTotals":null}'
        assert ask(platform(things(4)), "publicProjectsSum", **search).status_code == 404


class TestRefusals:
    @pytest.mark.parametrize("missing", sorted(HEADERS))
    def test_a_missing_header_is_a_generic_500(self, missing: str) -> None:
        headers = {name: value for name, value in HEADERS.items() if name != missing}
        response = ask(platform(things(4)), headers=headers, pagination={"limit": 4}, filterModel={})
        assert response.status_code == 500
        assert json.loads(response.content) == {
            "timestamp": "2026-08-15T09:00:00.000+00:00",
            "status": 500,
            "error": "Internal Server Error",
            "path": f"{REPORTS}/holdings/publicReportPageSearch",
        }

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"standardid": "100000000000004"}, 200),
            ({"standardid": "150000000000002"}, 200),
            ({"registry": "PVCL"}, 200),
            ({"standardid": "VCS"}, 500),
            ({"application": "Other"}, 500),
        ],
    )
    def test_a_wrong_but_plausible_standard_has_no_rows(self, change: dict[str, str], status: int) -> None:
        response = ask(platform(things(4)), headers=HEADERS | change, pagination={"limit": 4}, filterModel={})
        assert response.status_code == status
        if status == 200:
            document = json.loads(response.content)
            assert (document["totalEntities"], document["entities"]) == (0, [])

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"\xff\xfe", 400),
            (b"[" * 100_000, 400),
            (b"[]", 500),
            (b"{}", 500),
            (b'{"searchFilter":{"pagination":{"start":0.5,"limit":4}}}', 500),
            (b'{"searchFilter":{"pagination":{"start":true,"limit":4}}}', 500),
            (b'{"searchFilter":{"pagination":{"start":0,"limit":4,"sortOptions":["x"]}}}', 500),
            (b'{"searchFilter":{"pagination":{"start":0,"limit":4},"filterModel":7}}', 500),
        ],
    )
    def test_a_malformed_body_is_an_error_of_the_platform(self, body: bytes, status: int) -> None:
        url = f"https://site.test{REPORTS}/holdings/publicReportPageSearch"
        response = platform(things(4)).handle(httpx.Request("POST", url, headers=HEADERS, content=body))
        assert (response.status_code, json.loads(response.content)["status"]) == (status, status)

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", f"{REPORTS}/holdings/publicReportPageSearch", 405),
            ("POST", f"{REPORTS}/retirements/publicReportPageSearch", 404),
            ("POST", f"{REPORTS}/holdings/other", 404),
            ("POST", "/holdings/publicReportPageSearch", 404),
            ("POST", "/config/environment.config.json", 405),
            ("GET", "/", 404),
        ],
    )
    def test_unknown_paths_and_methods(self, method: str, path: str, status: int) -> None:
        request = httpx.Request(method, f"https://site.test{path}", headers=HEADERS, content=b"{}")
        assert platform(things(4)).handle(request).status_code == status


class TestSite:
    def test_the_configuration_names_the_base_uris_of_this_host(self) -> None:
        request = httpx.Request("GET", "http://127.0.0.1:8001/config/environment.config.json")
        uris = json.loads(platform([]).handle(request).content)["uris"]
        assert uris["raasReportPublicManager"] == f"http://127.0.0.1:8001{REPORTS}"
        assert uris["cmsResources"] == "http://127.0.0.1:8001/ci-raas-prod/cms-resources"

    @pytest.mark.parametrize(("registry", "acronyms"), [("VERRA", ["VCS", "JNR"]), ("PVCL", [])])
    def test_the_standards_of_a_registry(self, registry: str, acronyms: list[str]) -> None:
        url = f"https://site.test/ci-raas-prod/cms-resources/public/standardsByRegistry/{registry}"
        headers = {name: HEADERS[name] for name in ("application", "appkey", "x-xsrf-token")}
        listed = json.loads(platform([]).handle(httpx.Request("GET", url, headers=headers)).content)
        assert [one["metaData"] for one in listed] == acronyms
        if listed:
            assert listed[0]["id"] == STANDARD
            assert listed[0]["publicReportExport"]["HOLDINGS"] is True
        assert platform([]).handle(httpx.Request("GET", url)).status_code == 500


class TestForm:
    def test_fills_in_what_a_row_says_and_leaves_out_what_it_lacks(self) -> None:
        filled = FORM.filled({"entityId": 7, "country": '"\n海\u2028', "quantity": NumberText("12.0"), "gone": ABSENT})
        assert filled.decode() == '{"id":null,"entityId":7,"country":"\\"\\n海\u2028","quantity":12.0,"kept":true}'
        assert json.loads(filled)["country"] == '"\n海\u2028'

    def test_refuses_a_float_and_an_unknown_key(self) -> None:
        with pytest.raises(KeyError):
            FORM.filled({"quantity": 12.5})  # type: ignore[dict-item] # a float is what is tested
        with pytest.raises(KeyError):
            FORM.filled({"unheard": 1})

    def test_the_captured_key_sets_are_whole(self) -> None:
        reports = (PROJECT_KEYS, ISSUANCE_KEYS, HOLDING_KEYS, RETIREMENT_KEYS, CANCELLATION_KEYS)
        keys = [report.split() for report in reports]
        assert [len(one) for one in keys] == [99, 70, 71, 81, 83]
        assert all(len(set(one)) == len(one) for one in keys)
