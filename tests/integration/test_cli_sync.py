from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from adapters.verra import MANIFEST
from adapters.verra.book import Book
from adapters.verra.book_entries import Project
from tests.integration.conftest import Answered, CommandLine, ServedVerra, call, served

ON_HOLD = "On Hold - see notification letter"
NOBODY = "http://127.0.0.1:1"
ADDRESSES = ("REPORTS_URL", "RESOURCES_URL", "ACCOUNTS_URL")


def document(answered: Answered) -> Any:
    return json.loads(answered.out)


def registered(book: Book) -> Project:
    return next(one for one in book.projects.values() if one.status == "Registered" and one.defect is None)


def test_a_sync_reads_the_whole_book_and_a_second_one_changes_nothing(
    linked_command_line: CommandLine, verra_mock: ServedVerra
) -> None:
    book = verra_mock.mock.book
    ours = [one for one in book.holdings.values() if one.account.name == "HKCV Omnibus"]

    first = linked_command_line("sync", "--json")
    second = linked_command_line("sync", "verra", "--json")

    assert (first.code, second.code) == (0, 0)
    (pull,), (again,) = document(first)["markets"], document(second)["markets"]
    feeds = {feed["feed"]: feed for feed in pull["feeds"]}
    stated = {
        "projects": (len(book.projects), None),
        "issuances": (len(book.batches), sum(one.quantity for one in book.batches.values())),
        "holdings": (len(book.holdings), sum(one.stated_quantity for one in book.holdings.values())),
        "retirements": (len(book.retirements), sum(one.stated_quantity for one in book.retirements.values())),
        "cancellations": (len(book.cancellations), sum(one.stated_quantity for one in book.cancellations.values())),
        "account-holdings": (len(ours), sum(one.quantity for one in ours)),
    }
    assert {name: (feed["stated_rows"], feed["stated_quantity"]) for name, feed in feeds.items()} == stated
    assert all(feed["complete"] and feed["rows"] == feed["stated_rows"] for feed in feeds.values())
    assert sum(feed["quarantined"] for feed in feeds.values()) == len(book.planted)
    assert (pull["status"], pull["changed"], pull["quarantined_new"]) == ("complete", True, len(book.planted))
    assert (again["status"], again["changed"], again["changes"]) == ("complete", False, {"rows": [], "total": 0})
    assert "verra projects: read 60 of 60 rows" in first.err


def test_a_change_in_the_registry_is_a_sentence(linked_command_line: CommandLine, verra_mock: ServedVerra) -> None:
    book = verra_mock.mock.book
    project = registered(book)
    linked_command_line("sync")
    book.set_project_status(project.number, ON_HOLD)

    answered = linked_command_line("sync")
    asked = linked_command_line("changes")

    expected = f"VCS {project.number}: Registered → {ON_HOLD}"
    assert answered.code == 0
    assert expected in answered.out
    assert "projects: 1 changed" in answered.out
    assert "nothing changed" not in answered.out
    assert expected in asked.out
    rows = document(linked_command_line("changes", "--pull", "2", "--json"))
    assert ([row["sentence"] for row in rows["rows"]], rows["total"]) == ([expected], 1)
    assert rows["rows"][0]["recorded_at"].endswith("Z")
    assert document(linked_command_line("changes", "--pull", "1", "--json")) == {"rows": [], "total": 0}


def test_many_changes_are_counted_and_the_first_are_told(
    linked_command_line: CommandLine, verra_mock: ServedVerra
) -> None:
    book = verra_mock.mock.book
    linked_command_line("sync")
    many = [one for one in book.projects.values() if one.status != ON_HOLD and one.defect is None][:23]
    for project in many:
        book.set_project_status(project.number, ON_HOLD)

    answered = linked_command_line("sync")

    assert answered.out.count(f"→ {ON_HOLD}") == 20
    assert "and 3 more: carbon-gateway changes --pull 2" in answered.out


def test_a_market_that_is_down_is_said_once_and_does_not_stop_the_others(
    environment: dict[str, str | None],
    fresh_database_url: str,
    verra_mock: ServedVerra,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = {"another": replace(MANIFEST, name="another"), "verra": MANIFEST}
    monkeypatch.setattr("gateway.app.installed", lambda: both)
    settings = environment | {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url} | verra_mock.environment()
    settings["CARBON_GATEWAY_MARKETS__ANOTHER__REPORTS_URL"] = NOBODY
    settings["CARBON_GATEWAY_MARKETS__ANOTHER__RESOURCES_URL"] = NOBODY
    settings["CARBON_GATEWAY_MARKETS__ANOTHER__ACCOUNTS_URL"] = NOBODY

    answered = call(settings, "sync", "--json")

    assert answered.code == 3
    assert [(one["market"], one.get("status")) for one in document(answered)["markets"]] == [
        ("another", None),
        ("verra", "complete"),
    ]
    assert document(answered)["markets"][0]["error"]["type"] == "NotSent"
    assert answered.err.count("error:") == 1
    assert "Traceback" not in answered.err


class Broken:
    """Answers as its market does, until it is asked for holdings; then it shows a page for people."""

    def __init__(self, whole: Callable[[httpx.Request], httpx.Response]) -> None:
        self._whole = whole

    def handle(self, request: httpx.Request) -> httpx.Response:
        if "/holdings/" in request.url.path:
            return httpx.Response(200, html="<html>Maintenance</html>")
        return self._whole(request)


def test_an_incomplete_pull_ends_with_1_and_says_why(
    environment: dict[str, str | None], fresh_database_url: str, verra_mock: ServedVerra
) -> None:
    with served(Broken(verra_mock.mock.handle)) as url:
        broken = ServedVerra(verra_mock.mock, verra_mock.clock, url)
        settings = environment | {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url} | broken.environment()
        answered = call(settings, "sync")

    assert answered.code == 1
    assert "pull 1, incomplete" in answered.out
    assert "holdings is incomplete" in answered.out


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ADDRESSES),
        ({"APP_KEY": "a key"}, ADDRESSES),
        ({"REPORTS_URL": "http://127.0.0.1:9/reports"}, ("RESOURCES_URL", "ACCOUNTS_URL")),
    ],
)
def test_no_address_is_called_that_was_not_configured(
    environment: dict[str, str | None], fresh_database_url: str, given: dict[str, str], missing: tuple[str, ...]
) -> None:
    settings = {f"CARBON_GATEWAY_MARKETS__VERRA__{name}": value for name, value in given.items()}
    url = {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url}
    answered = call(environment | url | settings, "sync", "verra", "--json")
    assert answered.code == 2
    assert "market verra is not configured" in answered.out
    for name in ADDRESSES:
        assert (f"CARBON_GATEWAY_MARKETS__VERRA__{name}=" in answered.out) is (name in missing)
