"""What ``restrict`` says of what it touches, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest
import stamina
from sqlalchemy.engine import make_url

from adapters.hkvenue.mock import HkVenueMock
from adapters.hkvenue.mock import build as build_venue
from adapters.verra.mock import build as build_verra
from gateway.app import now
from gateway.cli.mocks import addresses_at
from gateway.markets.registry import installed
from tests.integration.conftest import Answered, CommandLine, call, made_database, served

WORDS: Final = ("--reason", "title under review", "--as", "Kit")
Settings = dict[str, str | None]


def document(answered: Answered, code: int = 0) -> Any:
    assert answered.code == code, answered
    return json.loads(answered.out)


def environment_of(name: str, url: str) -> Settings:
    settings = addresses_at(installed()[name], url)
    return {f"CARBON_GATEWAY_MARKETS__{name.upper()}__{key.upper()}": value for key, value in settings.items()}


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nobody is there to be spared: a read that failed is not tried again."""
    with stamina.set_testing(testing=True, attempts=1):
        yield


@pytest.fixture(scope="module")
def read_once(database_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database in which a small registry was read."""
    with (
        made_database(database_url, template) as url,
        served(build_verra(7, now, projects=20, blocks=80, defective=False)) as at,
    ):
        directory = str(tmp_path_factory.mktemp("data"))
        settings: Settings = {"CARBON_GATEWAY_DATABASE_URL": url, "CARBON_GATEWAY_DATA_DIRECTORY": directory}
        assert call(settings | environment_of("verra", at), "sync").code == 0
        yield str(make_url(url).database)


@pytest.fixture
def settings(environment: Settings, database_url: str, read_once: str) -> Iterator[Settings]:
    with made_database(database_url, read_once) as url:
        yield environment | {"CARBON_GATEWAY_DATABASE_URL": url}


@pytest.fixture
def known(settings: Settings) -> CommandLine:
    """A registry that was read, and no home venue configured."""
    return partial(call, settings)


def test_a_restriction_says_what_it_touches(known: CommandLine) -> None:
    rows = document(known("listings", "--inventory", "--limit", "10000", "--json"))["rows"]
    ours = next(row for row in rows if row["seen_as"] == "ours")
    alike = sum(row["class_id"] == ours["class_id"] for row in rows)

    told = document(known("restrict", f"class:{ours['class_id']}", *WORDS, "--json"))
    person = known("restrict", "market:verra", *WORDS)

    assert told["touches"] == {"candidates": alike, "offers": 0}
    assert person.code == 0
    assert f"it touches {len(rows)} candidates and 0 offers at the home venue" in person.out


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("class:nonsense", "which no candidate and no offer is under; expected one of "),
        ("offer:OF-1336E2BC605C7911X", "which no candidate and no offer is under; expected one of "),
        ("programme:vcs", "which no candidate and no offer is under; expected one of VCS; nothing was restricted"),
        ("market:cix", "which no candidate and no offer is under; expected one of verra;"),
    ],
)
def test_a_scope_that_touches_nothing_is_refused_unless_it_is_meant_so(
    known: CommandLine, scope: str, said: str
) -> None:
    refused = known("restrict", scope, *WORDS, "--json")
    kept = document(known("restrictions", "--all", "--json"))["total"]
    meant = known("restrict", scope, *WORDS, "--anyway")

    assert said in document(refused, 2)["error"]["message"]
    assert "give --anyway" in refused.err
    assert kept == 0
    assert meant.code == 0
    assert "it touches nothing that is known now" in meant.out
    assert document(known("restrictions", "--json"))["total"] == 1


def test_another_case_of_a_known_name_is_pointed_to(known: CommandLine) -> None:
    class_id = document(known("listings", "--json"))["rows"][0]["class_id"]

    answered = known("restrict", f"class:{class_id.lower()}", *WORDS)

    assert answered.code == 2
    assert repr(class_id) in answered.err


def test_everything_can_be_restricted_before_anything_is_known(command_line: CommandLine) -> None:
    told = document(command_line("restrict", "all", *WORDS, "--json"))

    assert told["touches"] == {"candidates": 0, "offers": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("class:\udcff", *WORDS), "found U+DCFF as character 1 of the scope"),
        (("class:a\x07", *WORDS), "found U+0007 as character 2 of the scope"),
        (("all", "--reason", "\udcff", "--as", "Kit"), "found U+DCFF as character 1 of the reason"),
        (("all", "--reason", "a\nb", "--as", "Kit"), "found U+000A as character 2 of the reason"),
        (("all", "--reason", "\u200b", "--as", "Kit"), "in which nothing can be seen"),
        (("all", "--reason", "why", "--as", "K\x1b[2J"), "found U+001B as character 2 of the name"),
    ],
)
def test_what_is_no_text_is_refused_in_our_words(known: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    placed, lifted = known("restrict", *arguments, "--json"), known("lift", *arguments, "--json")

    assert said in document(placed, 2)["error"]["message"]
    assert said in document(lifted, 2)["error"]["message"]
    assert document(known("restrictions", "--all", "--json"))["total"] == 0


def test_what_is_restricted_already_is_said_and_the_venue_is_told_what_it_missed(settings: Settings) -> None:
    venue: HkVenueMock = build_venue(1, now, participants=2, trades=3)
    with served(venue) as url:
        desk = partial(call, settings | environment_of("hkvenue", url))
        assert desk("offers", "--publish").code == 0
        entry = next(row for row in document(desk("offers", "--json"))["rows"] if row["firm"])
        scope = f"offer:{entry['offer_id']}"
        venue.go_down()
        missed = desk("restrict", scope, *WORDS)
        venue.come_back()
        shown_before = venue.book.offers[entry["offer_id"]].entry.action

        again = desk("restrict", scope, "--reason", "once more", "--as", "Ada")
        third = desk("restrict", scope, "--reason", "once more", "--as", "Ada", "--json")
        venue.go_down()
        unreached = desk("restrict", scope, *WORDS, "--json")

    assert (missed.code, shown_before) == (3, "PUT")
    assert again.code == 2
    assert f"error: {scope} is restricted already, by Kit since " in again.err
    assert f"{entry['class_id']} halted: {scope} is restricted by Kit: {WORDS[1]}" in again.out
    assert venue.book.offers[entry["offer_id"]].entry.action == "HALT"
    found = document(third, 2)
    assert found.keys() == {"error", "told_venue", "offers"}
    assert found["error"]["type"] == "AlreadyRestricted"
    assert (found["told_venue"], found["offers"]["accepted"]) == (True, [])
    assert document(unreached, 3)["told_venue"] is False
