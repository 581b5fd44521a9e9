"""Which candidates are admitted, and that every rule can refuse one and says why."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from gateway.controls.restrictions import Restriction, Restrictions, Scope
from gateway.model.controls import ScopeKind
from gateway.model.errors import ConfigurationError
from gateway.model.money import Currency
from gateway.model.vocabulary import ProjectState, UnitState
from gateway.offers.admission import RULES, Circumstances, Decision, decide
from gateway.offers.candidate import Candidate, Origin
from gateway.offers.identity import offer_id
from gateway.offers.policy import AskingPrice, DeliverableList, Policy, PolicyVersion, Programme, ReferenceRate

NOW = dt.datetime(2026, 7, 15, 3, tzinfo=dt.UTC)
TODAY = NOW.date()
HELD = Candidate(
    origin=Origin.HOLDING,
    market="verra",
    at_venue=False,
    reference="90420",
    class_id="VCS-1748 2021-01-01..2021-12-31 VCU",
    programme="VCS",
    project_id="1748",
    project_name="Mangroves of Somewhere",
    project_state="registered",
    instrument=None,
    unit_kind="VCU",
    vintage_start=dt.date(2021, 1, 1),
    vintage_end=dt.date(2021, 12, 31),
    labels=(),
    deliverable=None,
    state="active",
    state_native="Active",
    quantity=1000,
    available=800,
    price=None,
    currency=None,
    unreadable=False,
    valid_from=None,
    valid_until=None,
    seen_at=NOW - dt.timedelta(hours=1),
)
LISTED = replace(
    HELD, origin=Origin.LISTING, market="cbl", at_venue=True, reference="L-1", state="open", price=5_000_000
)
BASKET = replace(
    LISTED,
    class_id="CIX CNX-24",
    project_id=None,
    unit_kind=None,
    instrument="CNX-24",
    market="cix",
    deliverable=("VCS-1748", "VCS-934"),
)
VERSION = PolicyVersion(
    version="test-1",
    effective_from=dt.date(2026, 1, 1),
    source="ours",
    programmes=(
        Programme(programme="VCS", name="Verified Carbon Standard", unit_kinds=("VCU",), earliest_vintage=2016),
        Programme(
            programme="ACR",
            name="American Carbon Registry",
            unit_kinds=("ERT",),
            earliest_vintage=2016,
            labels_any_of=("CCP",),
        ),
        Programme(
            programme="CCER",
            name="China Certified Emission Reduction",
            name_native="国家核证自愿减排量",
            unit_kinds=("CCER",),
            earliest_vintage=2020,
            cross_border=False,
            cross_border_why="article 29",
        ),
    ),
    unit_states=(UnitState.ACTIVE,),
    project_states=(ProjectState.REGISTERED,),
    excluded_labels=("DISPUTED",),
    registry_inventory="refuse",
    venue_positions="indicative",
    snapshot_hours=24,
    listing_hours=24,
    lot=10,
    quoted_in=(Currency.HKD, Currency.CNH),
    price_step="0.01",
    asking_prices=(AskingPrice(programme="VCS", price="46.5", currency=Currency.HKD),),
    reference_rates=(ReferenceRate(seen_in=Currency.USD, into=Currency.HKD, rate="7.8", source="ours"),),
)
LIST = DeliverableList(
    market="cix",
    instrument="CNX-24",
    effective_from=dt.date(2026, 7, 1),
    notice="MN 2026/07",
    projects=("VCS-934", "VCS-1748"),
)


REFUSED: list[tuple[Candidate, str, str]] = [
    (replace(HELD, programme="XYZ"), "programme", "programme XYZ is not accepted; accepted are VCS, ACR, CCER"),
    (replace(HELD, programme=None), "programme", "programme not said is not accepted"),
    (
        replace(HELD, programme="CCER", unit_kind="CCER"),
        "cross-border policy",
        "off by policy: article 29",
    ),
    (replace(HELD, unit_kind="PFC"), "unit kind", "unit kind PFC; accepted are VCU"),
    (replace(HELD, unit_kind=None), "unit kind", "unit kind not said"),
    (replace(HELD, vintage_start=dt.date(2015, 12, 31)), "vintage", "the earliest accepted is 2016"),
    (replace(HELD, vintage_start=None), "vintage", "the vintage is not said"),
    (
        replace(HELD, programme="ACR", unit_kind="ERT", labels=("SDG-13",)),
        "labels",
        "none of the labels CCP; it has",
    ),
    (replace(HELD, labels=("DISPUTED",)), "labels", "label DISPUTED is excluded"),
    (replace(HELD, state="on_hold", state_native="冻结"), "unit state", "the units are on_hold (冻结)"),
    (replace(LISTED, state="halted"), "unit state", "the listing is halted"),
    (replace(HELD, project_state="withdrawn"), "project state", "the project is withdrawn"),
    (replace(BASKET, instrument="CNX-20"), "deliverable list", "no deliverable list of CNX-20 is known"),
    (
        replace(BASKET, deliverable=("VCS-1748", "VCS-1")),
        "deliverable list",
        "the market adds VCS-1 and leaves out VCS-934 against the list of MN 2026/07: it must be reviewed",
    ),
    (replace(HELD, origin=Origin.INVENTORY), "for sale", "nobody has put these units up for sale"),
    (replace(HELD, available=0), "for sale", "nothing of 1,000 units is available"),
    (replace(LISTED, quantity=9), "for sale", "9 units are less than the lot of 10"),
    (replace(LISTED, labels=None), "labels", "the venue does not say which labels they have"),
    (replace(HELD, unreadable=True), "readable", "that cannot be read: see the quarantine"),
    (replace(HELD, seen_at=None), "fresh", "verra was never read whole"),
    (replace(LISTED, seen_at=NOW - dt.timedelta(hours=25)), "fresh", "last complete reading of cbl is 25 hours old"),
    (replace(LISTED, valid_until=NOW), "fresh", "the listing ended at 2026-07-15 03:00Z"),
    (replace(LISTED, valid_from=NOW + dt.timedelta(1)), "fresh", "the listing begins at 2026-07-16 03:00Z"),
]


def decided(one: Candidate, **changes: Any) -> Decision:
    version = changes.pop("version", VERSION)
    circumstances = {
        "policy": Policy((version,), (LIST,)),
        "version": version,
        "restrictions": Restrictions(()),
        "now": NOW,
        "today": TODAY,
        "unproven": {},
    }
    (decision,) = decide([one], Circumstances(**(circumstances | changes)))
    return decision


def refusals(one: Candidate, **changes: Any) -> list[tuple[str, str]]:
    return [(each.rule, each.words) for each in decided(one, **changes).verdicts if not each.admitted]


@pytest.mark.parametrize("one", [HELD, LISTED, BASKET])
def test_what_meets_every_rule_is_admitted(one: Candidate) -> None:
    decision = decided(one)
    assert (decision.admitted, decision.halted) == (True, None)
    assert [each.rule for each in decision.verdicts] == [name for name, _ in RULES]
    assert all(each.words for each in decision.verdicts)


@pytest.mark.parametrize(("one", "rule", "words"), REFUSED)
def test_every_rule_refuses_in_words(one: Candidate, rule: str, words: str) -> None:
    (refused,) = refusals(one)
    assert refused[0] == rule
    assert words in refused[1]


def test_a_list_that_was_changed_later_is_not_the_list_of_today() -> None:
    assert [rule for rule, _ in refusals(BASKET, today=dt.date(2026, 6, 30))] == ["deliverable list"]


def test_every_rule_can_refuse() -> None:
    told = {rule for _, rule, _ in REFUSED}
    assert told == {name for name, _ in RULES}


def test_a_snapshot_that_proves_nothing_halts_and_does_not_refuse() -> None:
    broken = decided(HELD, unproven={"verra": "the last snapshot of verra is not complete"})
    assert (broken.admitted, broken.halted) == (True, "the last snapshot of verra is not complete")
    old = decided(replace(HELD, seen_at=NOW - dt.timedelta(hours=25)))
    assert (old.admitted, old.halted) == (True, "the last complete snapshot of verra is 25 hours old")
    assert decided(LISTED, unproven={"cbl": "it is not complete"}).halted is None


def test_a_restricted_project_halts_the_contracts_that_may_deliver_it() -> None:
    one = Restriction(1, Scope.parse("project:VCS-934"), "under review", "Kit", NOW)
    assert decided(BASKET, restrictions=Restrictions([one])).halted == (
        "project:VCS-934 is restricted by Kit: under review"
    )
    assert decided(LISTED, restrictions=Restrictions([one])).halted is None


def test_only_our_own_units_at_their_registry_are_firm() -> None:
    assert decided(HELD).firm
    assert not decided(LISTED).firm
    at_venue = replace(HELD, at_venue=True)
    assert not decided(at_venue).firm
    assert decided(at_venue, version=VERSION.model_copy(update={"venue_positions": "firm"})).firm


@pytest.mark.parametrize(
    "scope",
    [
        "all",
        "market:verra",
        "programme:VCS",
        "project:VCS-1748",
        f"class:{HELD.class_id}",
        f"offer:{offer_id(HELD.class_id)}",
        "account:90420",
    ],
)
def test_a_restriction_on_anything_it_is_part_of_halts_it(scope: str) -> None:
    one = Restriction(1, Scope.parse(scope), "under review", "Kit", NOW)
    decision = decided(HELD, restrictions=Restrictions([one]))
    assert decision.admitted
    assert decision.halted == f"{scope} is restricted by Kit: under review"


@pytest.mark.parametrize("scope", ["market:cbl", "programme:GS", "project:GS-1748", "account:90421", "project:1748"])
def test_a_restriction_on_something_else_does_not(scope: str) -> None:
    one = Restriction(1, Scope.parse(scope), "under review", "Kit", NOW)
    assert decided(HELD, restrictions=Restrictions([one])).halted is None


@pytest.mark.parametrize("text", ["", "everything", "market", "market:", "all:verra", "class: ", "market:" + "x" * 501])
def test_a_scope_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="found"):
        Scope.parse(text)


def test_every_kind_of_scope_can_be_written_and_read() -> None:
    for kind in ScopeKind:
        scope = Scope(kind, "" if kind is ScopeKind.ALL else "a:b c")
        assert Scope.parse(str(scope)) == scope


def test_the_version_of_the_day_is_the_last_that_began() -> None:
    later = VERSION.model_copy(update={"version": "test-2", "effective_from": dt.date(2026, 9, 1)})
    policy = Policy((later, VERSION), ())
    assert policy.on(dt.date(2026, 8, 31)).version == "test-1"
    assert policy.on(dt.date(2026, 9, 1)).version == "test-2"
    with pytest.raises(
        ConfigurationError, match="no admission policy holds on 2025-12-31; the first begins on 2026-01-01"
    ):
        policy.on(dt.date(2025, 12, 31))


def test_the_policy_that_is_shipped_can_be_read_and_keeps_mainland_units_at_home() -> None:
    version = Policy.of_package("mappings.hkvenue").on(TODAY)
    mainland = [version.programme(name) for name in ("CCER", "PHCER", "CEA")]
    assert [one and one.cross_border for one in mainland] == [False, False, False]
    assert all(one and one.name_native and one.cross_border_why for one in mainland)
