"""Listings, offers and restrictions on the command line, and several markets read side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import stamina
from sqlalchemy.engine import make_url

from adapters.cix.mock import build as build_cix
from adapters.hkvenue.adapter import HkVenueAdapter
from adapters.hkvenue.mock import HkVenueMock
from adapters.hkvenue.mock import build as build_venue
from adapters.verra.mock import build as build_verra
from gateway.app import now
from gateway.cli.mocks import addresses_at
from gateway.kit.faults import Fault, FaultPlan, with_faults
from gateway.kit.mock import Mock
from gateway.markets.registry import installed
from gateway.model.commands import CommandState, CommandStatus, EntryStatus, Publication, PublicationStatus
from tests.integration.conftest import Answered, call, made_database, served

OMNIBUS: Final = "HKCV Omnibus"
WORDS: Final = ("--reason", "title under review", "--as", "Kit")
WIDTH: Final = 100
Settings = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Desk:
    """A command line on a database, with stand-ins on real ports."""

    settings: Settings
    mocks: dict[str, Any]

    def __call__(self, *arguments: str) -> Answered:
        return call(self.settings, *arguments)

    def document(self, *arguments: str, code: int = 0) -> Any:
        answered = self(*arguments, "--json")
        assert answered.code == code, answered
        return json.loads(answered.out)

    @property
    def venue(self) -> HkVenueMock:
        mock = self.mocks["hkvenue"]
        assert isinstance(mock, HkVenueMock)
        return mock

    def at_venue(self, offer_id: str) -> Any:
        return self.venue.book.offers[offer_id]

    def firm_offer(self) -> dict[str, Any]:
        found: dict[str, Any] = next(row for row in self.document("offers")["rows"] if row["firm"])
        return found


def environment_of(name: str, url: str) -> Settings:
    settings = addresses_at(installed()[name], url)
    return {f"CARBON_GATEWAY_MARKETS__{name.upper()}__{key.upper()}": value for key, value in settings.items()}


@contextmanager
def desk_with(settings: Settings, mocks: dict[str, Any], behind: dict[str, Mock] | None = None) -> Iterator[Desk]:
    """Serves the stand-ins; ``behind`` says what answers in place of one of them."""
    with ExitStack() as stack:
        everything = dict(settings)
        for name, mock in mocks.items():
            url = stack.enter_context(served((behind or {}).get(name, mock)))
            everything |= environment_of(name, url)
        yield Desk(everything, mocks)


def small(*names: str) -> dict[str, Any]:
    """Small stand-ins; their time is the machine's, as the command line's is."""
    builders: dict[str, Callable[[], Mock]] = {
        "cix": lambda: build_cix(1, now, offered=6, positions=5),
        "hkvenue": lambda: build_venue(1, now, participants=2, trades=3),
        "verra": lambda: build_verra(7, now, projects=20, blocks=80, defective=False),
    }
    return {name: builders[name]() for name in names}


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nobody is there to be spared: a read that failed is not tried again."""
    with stamina.set_testing(testing=True, attempts=1):
        yield


@pytest.fixture(scope="module")
def registries() -> dict[str, Any]:
    """Two markets that no test of the catalogue that was read once changes."""
    return small("cix", "verra")


@pytest.fixture(scope="module")
def read_once(
    database_url: str, template: str, registries: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database in which those markets were read, to copy from."""
    with made_database(database_url, template) as url:
        settings: Settings = {
            "CARBON_GATEWAY_DATABASE_URL": url,
            "CARBON_GATEWAY_DATA_DIRECTORY": str(tmp_path_factory.mktemp("data")),
        }
        with desk_with(settings, registries) as desk:
            assert desk("sync").code == 0
        yield str(make_url(url).database)


@pytest.fixture
def known_settings(environment: Settings, database_url: str, read_once: str) -> Iterator[Settings]:
    """A copy of that database."""
    with made_database(database_url, read_once) as url:
        yield environment | {"CARBON_GATEWAY_DATABASE_URL": url}


@pytest.fixture
def known(known_settings: Settings) -> Desk:
    """Markets that were read, and no home venue configured."""
    return Desk(known_settings, {})


@pytest.fixture
def desk(known_settings: Settings) -> Iterator[Desk]:
    """The same with a home venue that shows nothing yet."""
    with desk_with(known_settings, small("hkvenue")) as one:
        yield one


@pytest.fixture
def published(desk: Desk) -> Desk:
    """The same, once it was told what is offered."""
    assert desk("offers", "--publish").code == 0
    return desk


@pytest.fixture
def fresh_settings(environment: Settings, fresh_database_url: str) -> Settings:
    """A database in which nothing was read."""
    return environment | {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url}


def omnibus(mock: Any) -> int:
    return sum(one.quantity for one in mock.book.holdings.values() if one.account.name == OMNIBUS)


def fits_a_terminal(answered: Answered) -> bool:
    return all(len(line) <= WIDTH for line in answered.out.splitlines()) and "\x1b" not in answered.out


def test_listings_are_ours_and_the_venues_and_with_inventory_the_registries_too(
    known: Desk, registries: dict[str, Any]
) -> None:
    found = known.document("listings", "--limit", "10000")
    everything = known.document("listings", "--limit", "10000", "--inventory")
    rows = found["rows"]
    assert found["total"] == len(rows)
    assert {(row["market"], row["seen_as"]) for row in rows} == {("cix", "listed"), ("cix", "ours"), ("verra", "ours")}
    assert sum(row["quantity"] for row in rows if row["market"] == "verra") == omnibus(registries["verra"])
    listed = {row["reference"] for row in rows if row["seen_as"] == "listed"}
    assert registries["cix"].book.offered.keys() <= listed
    shown = [row for row in everything["rows"] if row["seen_as"] == "shown"]
    assert {row["market"] for row in shown} == {"verra"}
    assert everything["total"] == found["total"] + len(shown)
    assert all(row["available"] == 0 for row in shown)


def test_listings_for_a_person_are_cut_and_counted_and_of_one_market(known: Desk) -> None:
    of_verra = known.document("listings", "--market", "verra")
    answered = known("listings", "--market", "verra", "--limit", "2")
    nothing = known("listings", "--market", "hubei")
    assert answered.code == 0
    assert f"showing 2 of {of_verra['total']} listings" in answered.out
    assert answered.out.count(" verra ") == 2
    assert of_verra["rows"][0]["class_id"].split()[0] in answered.out
    assert fits_a_terminal(answered)
    assert (nothing.code, nothing.out) == (0, "no listings\n")


def test_why_says_for_each_candidate_what_every_rule_says(known: Desk) -> None:
    found = known.document("offers", "--why")
    answered = known("offers", "--why", "--limit", "10000")
    assert found["rows"] == []
    assert found["policy"] in answered.out
    assert {one["verdict"] for one in found["why"]} == {"firm", "indicative", "refused"}
    (names,) = {tuple(rule["rule"] for rule in one["rules"]) for one in found["why"]}
    assert {"programme", "vintage", "deliverable list", "for sale", "readable", "fresh"} <= set(names)
    for one in found["why"]:
        assert (one["verdict"] == "refused") is not all(rule["admitted"] for rule in one["rules"])
    refused = next(rule for one in found["why"] for rule in one["rules"] if not rule["admitted"])
    assert f"    - {refused['rule']}: {refused['words']}" in answered.out
    assert answered.out.count("\n    + programme: ") + answered.out.count("\n    - programme: ") == len(found["why"])
    assert {one["seen_as"] for one in found["why"]} == {"ours", "listed", "shown"}


def test_publishing_tells_the_venue_once(desk: Desk) -> None:
    first = desk("offers", "--publish")
    found = desk.document("offers", "--limit", "10000")
    second = desk("offers", "--publish")
    assert (first.code, second.code) == (0, 0)
    assert {row["offer_id"] for row in found["rows"]} == desk.venue.book.offers.keys()
    assert [row["firm"] for row in found["rows"]] == sorted((row["firm"] for row in found["rows"]), reverse=True)
    assert first.out.count(" offered: firm, ") == sum(row["firm"] for row in found["rows"]) > 0
    assert first.out.count(" offered: indicative, ") == sum(not row["firm"] for row in found["rows"]) > 0
    assert "offers: nothing changed" in second.out
    assert set(desk.venue.book.effects.values()) == {1}


def test_an_offer_for_a_person_has_its_price_and_its_class_whole(published: Desk) -> None:
    entry = published.firm_offer()
    answered = published("offers", "--limit", "1")
    assert answered.code == 0
    assert fits_a_terminal(answered)
    assert entry["offer_id"] in answered.out
    assert f"{entry['quantity']:,}" in answered.out
    assert "HKD 46.50" in answered.out
    assert f"showing 1 of {len(published.venue.book.offers)} offers" in answered.out


def test_a_restriction_and_its_lift_are_at_the_venue_when_the_command_ends(published: Desk) -> None:
    entry = published.firm_offer()
    scope = f"offer:{entry['offer_id']}"

    placed = published.document("restrict", scope, *WORDS)

    assert published.at_venue(entry["offer_id"]).entry.action == "HALT"
    assert placed.keys() == {"id", "scope", "reason", "by", "touches", "told_venue", "offers"}
    assert (placed["scope"], placed["reason"], placed["by"], placed["told_venue"]) == (scope, WORDS[1], "Kit", True)
    (told,) = placed["offers"]["accepted"]
    assert (told["offer_id"], told["action"]) == (entry["offer_id"], "halt")
    (row,) = published.document("restrictions")["rows"]
    assert (row["id"], row["scope"], row["placed_by"], row["lifted_at"]) == (placed["id"], scope, "Kit", None)
    assert row["placed_at"].endswith("Z")
    why = published.document("offers", "--why", "--limit", "10000")
    assert {one["verdict"] for one in why["why"] if one["class_id"] == entry["class_id"]} == {"halted"}
    assert "    ! offer:" in published("offers", "--why", "--limit", "10000").out

    lifted = published("lift", scope, "--reason", "in order", "--as", "Ada")

    assert lifted.code == 0
    assert f"{scope} is not restricted any more: in order" in lifted.out
    assert f"{entry['class_id']} offered: firm" in lifted.out
    assert published.at_venue(entry["offer_id"]).entry.action == "PUT"
    assert published("restrictions").out == "no restrictions\n"
    (row,) = published.document("restrictions", "--all")["rows"]
    assert (row["lifted_by"], row["lift_reason"]) == ("Ada", "in order")


@pytest.mark.parametrize("kind", ["all", "market", "programme", "project", "class", "account"])
def test_every_kind_of_scope_halts_what_it_covers_and_no_more(published: Desk, kind: str) -> None:
    entry = published.firm_offer()
    scopes = {
        "all": "all",
        "market": "market:verra",
        "programme": f"programme:{entry['programme']}",
        "project": f"project:{entry['programme']}-{entry['project_id']}",
        "class": f"class:{entry['class_id']}",
        "account": "account:90420",
    }
    told = published.document("restrict", scopes[kind], *WORDS)["offers"]["accepted"]
    everything = published.document("offers", "--limit", "10000")["rows"]
    halted = {row["offer_id"] for row in everything if row["action"] == "halt"}
    assert {row["action"] for row in told} == {"halt"}
    assert {row["offer_id"] for row in told} == halted
    assert entry["offer_id"] in halted
    assert (len(halted) == len(everything)) is (kind == "all")


def test_restrictions_are_counted_beyond_those_shown(known: Desk) -> None:
    for year in (2020, 2021, 2022):
        assert known("restrict", f"class:VCS-1 {year}-01-01..{year}-12-31 VCU", "--anyway", *WORDS).code == 0
    cut = known.document("restrictions", "--limit", "2")
    assert (len(cut["rows"]), cut["total"]) == (2, 3)
    answered = known("restrictions", "--limit", "2")
    assert "showing 2 of 3 restrictions" in answered.out
    assert fits_a_terminal(answered)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("restrict", "nonsense", *WORDS), "found the scope 'nonsense'; expected one of all, market:…"),
        (("restrict", "all:verra", *WORDS), "found the scope all with 'verra'"),
        (("restrict", "market:", *WORDS), "found the scope market with ''"),
        (("restrict", "market:vera", *WORDS), "no market is called 'vera'; there are cbl"),
        (("restrict", f"class:{'x' * 501}", *WORDS), "found a scope of 501 characters"),
        (("restrict", "all", "--reason", " ", "--as", "Kit"), "found a reason of 1 characters"),
        (("restrict", "all", "--reason", "why", "--as", ""), "found a name of 0 characters"),
        (("lift", "all", *WORDS), "no restriction is in force on all"),
        (("lift", "market:vera", *WORDS), "no restriction is in force on market:vera"),
        (("listings", "--market", "vera"), "no market is called 'vera'; there are cbl"),
        (("offers", "--publish"), "market hkvenue is not configured"),
    ],
)
def test_what_is_wrong_ends_with_2_and_restricts_nothing(known: Desk, arguments: tuple[str, ...], said: str) -> None:
    answered = known(*arguments, "--json")
    assert answered.code == 2
    assert said in json.loads(answered.out)["error"]["message"]
    assert answered.err.count("error:") == 1
    assert known.document("restrictions", "--all") == {"rows": [], "total": 0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("restrict", "all", "--reason", "why"),
        ("restrict", "all", "--as", "Kit"),
        ("restrict", "--reason", "why", "--as", "Kit"),
        ("offers", "--limit", "0"),
        ("listings", "--limit", "10001"),
    ],
)
def test_a_wrong_call_ends_with_2_and_prints_nothing(known: Desk, arguments: tuple[str, ...]) -> None:
    answered = known(*arguments)
    assert (answered.code, answered.out) == (2, "")


def test_a_second_restriction_of_the_same_thing_is_refused(known: Desk) -> None:
    first = known("restrict", "market:verra", *WORDS)
    second = known("restrict", "market:verra", *WORDS)
    assert (first.code, second.code) == (0, 2)
    assert "the home venue is not configured, so it was not told" in first.out
    assert "market:verra is restricted already" in second.err
    assert known.document("restrictions")["total"] == 1


def test_a_restriction_holds_while_the_venue_is_down_and_the_next_publication_tells_it(published: Desk) -> None:
    entry = published.firm_offer()
    scope = f"offer:{entry['offer_id']}"
    published.venue.go_down()

    answered = published("restrict", scope, *WORDS)
    lost = published.document("restrict", "market:cix", *WORDS, code=3)
    publish = published("offers", "--publish")

    assert answered.code == publish.code == 3
    assert f"{scope} is restricted: {WORDS[1]}" in answered.out
    assert "status 503" in answered.err
    assert answered.err.count("error:") == publish.err.count("error:") == 1
    assert "the home venue was not told; the next 'carbon-gateway sync' or 'offers --publish' tells it" in answered.err
    assert (lost["scope"], lost["told_venue"], lost["offers"]["error"]["type"]) == ("market:cix", False, "Unavailable")
    assert [row["scope"] for row in published.document("restrictions")["rows"]] == ["market:cix", scope]
    assert published.at_venue(entry["offer_id"]).entry.action == "PUT"

    published.venue.come_back()
    told = published("offers", "--publish")

    assert told.code == 0
    assert f"{entry['class_id']} halted: {scope} is restricted by Kit: {WORDS[1]}" in told.out
    assert published.at_venue(entry["offer_id"]).entry.action == "HALT"


def test_a_revision_of_the_venues_that_we_do_not_know_is_overtaken(published: Desk) -> None:
    entry = published.firm_offer()
    offers = published.venue.book.offers
    # Somebody else published there in our name: the venue has a newer revision than ours.
    offers[entry["offer_id"]] = replace(offers[entry["offer_id"]], revision=99)

    placed = published.document("restrict", f"offer:{entry['offer_id']}", *WORDS)

    assert [(one["action"], one["revision"]) for one in placed["offers"]["accepted"]] == [("halt", 100)]
    assert published.at_venue(entry["offer_id"]).entry.action == "HALT"


def test_an_offer_that_the_venue_refuses_ends_with_1_and_the_venues_code(
    published: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = published.firm_offer()

    async def refuse(self: HkVenueAdapter, order: Publication) -> PublicationStatus:
        status = CommandStatus(command_id=order.command_id, state=CommandState.CONFIRMED, as_of=datetime.now(UTC))
        refused = (
            EntryStatus(offer_id=one.offer_id, revision=one.revision, accepted=False, code="405999", message="not now")
            for one in order.offers
        )
        return PublicationStatus(status=status, entries=tuple(refused))

    monkeypatch.setattr(HkVenueAdapter, "publish", refuse)
    answered = published("restrict", f"offer:{entry['offer_id']}", *WORDS)

    assert answered.code == 1
    assert f"{entry['class_id']} refused by the venue: not now [405999]" in answered.out
    assert published.at_venue(entry["offer_id"]).entry.action == "PUT"
    monkeypatch.undo()
    assert published("offers", "--publish").code == 0
    assert published.at_venue(entry["offer_id"]).entry.action == "HALT"


def test_a_halt_that_never_came_is_not_called_done(known_settings: Settings) -> None:
    mocks = small("hkvenue")
    plan = FaultPlan(
        1, script=(None, Fault.SERVER_ERROR), hits=lambda request: request.url.path.endswith("/offers/publish/v1")
    )
    with desk_with(known_settings, mocks, {"hkvenue": with_faults(mocks["hkvenue"], plan)}) as desk:
        assert desk("offers", "--publish").code == 0
        entry = desk.firm_offer()
        answered = desk("restrict", f"offer:{entry['offer_id']}", *WORDS)
        assert desk.at_venue(entry["offer_id"]).entry.action == "HALT"
        assert answered.code == 1
        assert "the venue cannot say yet what became of publication" in answered.out


def test_a_publication_that_nobody_can_say_the_end_of_is_told_and_settled_by_the_next(known_settings: Settings) -> None:
    mocks = small("hkvenue")
    plan = FaultPlan(
        1,
        script=(Fault.LOST_REPLY, Fault.SERVER_ERROR),
        hits=lambda request: "/offers/publi" in request.url.path,
    )
    with desk_with(known_settings, mocks, {"hkvenue": with_faults(mocks["hkvenue"], plan)}) as desk:
        lost = desk("offers", "--publish")
        at_venue = set(desk.venue.book.offers)
        settled = desk("offers", "--publish")
        assert lost.code == 3
        assert "status 502" in lost.err
        assert settled.code == 0
        assert settled.out.count(" offered: ") == len(at_venue) > 0
        assert desk.venue.book.offers.keys() == at_venue
        assert set(desk.venue.book.effects.values()) == {1}


def test_markets_are_read_side_by_side_and_the_home_venue_is_told_at_the_end(fresh_settings: Settings) -> None:
    with desk_with(fresh_settings, small("cix", "hkvenue", "verra")) as desk:
        found = desk.document("sync")
        again = desk("sync")
        assert found.keys() == {"markets", "offers"}
        assert [(one["market"], one["status"]) for one in found["markets"]] == [
            ("cix", "complete"),
            ("hkvenue", "complete"),
            ("verra", "complete"),
        ]
        assert found["offers"].keys() == {"accepted", "refused", "rejected", "in_doubt"}
        accepted = {one["offer_id"] for one in found["offers"]["accepted"]}
        assert accepted == desk.venue.book.offers.keys()
        assert {one["firm"] for one in found["offers"]["accepted"]} == {True, False}
    assert again.code == 0
    assert "offers: nothing changed" in again.out
    assert "cix: nothing changed" in again.out
    assert again.out.index("verra: nothing changed") < again.out.index("offers: nothing changed")


def test_a_market_that_is_down_is_said_once_and_the_venue_is_told_all_the_same(fresh_settings: Settings) -> None:
    with desk_with(fresh_settings, small("cix", "hkvenue", "verra")) as desk:
        desk.mocks["cix"].down = True
        answered = desk("sync", "--json")
        back = desk("sync", "verra", "hkvenue")
    found = json.loads(answered.out)
    lost, *others = found["markets"]
    assert answered.code == 3
    assert answered.err.count("error:") == 1
    assert "error: cix" in answered.err
    assert (lost.keys(), lost["market"], lost["error"]["type"]) == ({"market", "error"}, "cix", "Unavailable")
    assert [(one["market"], one["status"]) for one in others] == [("hkvenue", "complete"), ("verra", "complete")]
    assert {one["firm"] for one in found["offers"]["accepted"]} == {True}
    assert back.code == 0


def test_a_home_venue_that_is_down_does_not_stop_the_others(fresh_settings: Settings) -> None:
    with desk_with(fresh_settings, small("hkvenue", "verra")) as desk:
        desk.venue.go_down()
        answered = desk("sync", "--json")
    found = json.loads(answered.out)
    assert answered.code == 3
    assert [one.get("status") for one in found["markets"]] == [None, "complete"]
    assert found["offers"]["error"]["type"] == "Unavailable"


def test_a_market_that_is_half_configured_is_not_called_and_the_others_are_read(fresh_settings: Settings) -> None:
    half: Settings = {"CARBON_GATEWAY_MARKETS__VERRA__REPORTS_URL": "http://127.0.0.1:9/reports"}
    with desk_with(fresh_settings | half, small("cix")) as desk:
        answered = desk("sync", "--json")
    found = json.loads(answered.out)
    assert answered.code == 2
    assert answered.err.count("error:") == 1
    assert "market verra is not configured" in answered.err
    assert "CARBON_GATEWAY_MARKETS__VERRA__ACCOUNTS_URL=" in answered.err
    assert [(one["market"], one.get("status")) for one in found["markets"]] == [("cix", "complete"), ("verra", None)]
    assert found["offers"] is None


def test_nothing_configured_and_a_market_that_there_is_not_are_told(fresh_settings: Settings) -> None:
    desk = Desk(fresh_settings, {})
    nothing, unknown = desk("sync", "--json"), desk("sync", "verra", "vera", "--json")
    assert (nothing.code, unknown.code) == (2, 2)
    assert "no market is configured; there are cbl, ccer" in json.loads(nothing.out)["error"]["message"]
    assert "no market is called 'vera'" in json.loads(unknown.out)["error"]["message"]
    assert {row["last_pull"] for row in desk.document("markets")["rows"]} == {None}
