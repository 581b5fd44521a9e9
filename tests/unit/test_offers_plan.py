"""What the home venue ought to show, and that it is told only what changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.commands import OfferAction, OfferEntry
from gateway.offers.admission import Decision, Verdict
from gateway.offers.candidate import Origin
from gateway.offers.plan import Shown, VenueList, available, changes, wanted
from gateway.offers.policy import PolicyVersion
from tests.unit.test_offers_admission import HELD, LISTED, NOW, VERSION

YES = (Verdict("any", admitted=True, words="yes"),)
NO = (Verdict("any", admitted=False, words="no"),)
OURS = Decision(HELD, YES, firm=True, halted=None)
SEEN = Decision(LISTED, YES, firm=False, halted=None)


def by_lots(lot: int, **changes: object) -> PolicyVersion:
    return VERSION.model_copy(update={"lot": lot} | changes)


ONES = by_lots(1)


def only(decisions: list[Decision], version: PolicyVersion = ONES) -> OfferEntry:
    (entry,) = wanted(decisions, available(decisions), version).values()
    return entry


def test_our_units_are_firm_at_our_own_price() -> None:
    priced = replace(SEEN, candidate=replace(LISTED, price=1_500_000, currency="USD", quantity=50))
    entry = only([OURS, priced])
    assert (entry.firm, entry.quantity, entry.price, entry.currency) == (True, 800, 46_500_000, "HKD")
    assert entry.name == "VCS 1748 Mangroves of Somewhere"


def test_without_a_price_nothing_is_firm() -> None:
    unpriced = by_lots(1, asking_prices=())
    entry = only([OURS], unpriced)
    assert (entry.firm, entry.quantity, entry.price) == (False, 800, None)
    priced = replace(SEEN, candidate=replace(LISTED, price=1_500_000, currency="USD"))
    assert (only([OURS, priced], unpriced).firm, only([OURS, priced], unpriced).price) == (True, 11_700_000)


def test_a_price_seen_in_another_currency_is_shown_at_the_reference_rate_rounded_to_a_step() -> None:
    assert ONES.quoted(1_234_567, "USD") == (9_630_000, "HKD")
    assert ONES.quoted(641_025, "USD") == (5_000_000, "HKD")
    assert ONES.quoted(5_000_001, "CNH") == (5_000_001, "CNH")
    assert ONES.quoted(5_000_000, "CNY") is None


def test_what_is_seen_elsewhere_is_indicative() -> None:
    entry = only([SEEN, replace(SEEN, candidate=replace(LISTED, market="cix", quantity=5))])
    assert (entry.firm, entry.quantity) == (False, 1005)


def test_a_chinese_name_is_kept_beside_the_english_one() -> None:
    entry = only([replace(OURS, candidate=replace(HELD, project_name="某某红树林项目"))])
    assert (entry.name, entry.name_native) == ("VCS 1748", "某某红树林项目")


def test_a_firm_offer_is_never_more_than_is_available_over_all() -> None:
    entries = wanted([OURS, replace(OURS, candidate=replace(HELD, market="other"))], lambda _: 1_100, ONES)
    assert [(one.firm, one.quantity) for one in entries.values()] == [(True, 1_100)]
    assert wanted([OURS], lambda _: 0, ONES) == {}


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), max_size=8), st.integers(1, 7))
def test_firm_quantities_are_whole_lots_of_what_is_free(parts: list[tuple[int, bool, bool]], lot: int) -> None:
    decisions = [
        Decision(replace(HELD, available=free, quantity=50), YES if admitted else NO, firm=firm, halted=None)
        for free, admitted, firm in parts
    ]
    free = sum(quantity for quantity, admitted, firm in parts if admitted and firm)
    entries = list(wanted(decisions, available(decisions), by_lots(lot)).values())
    firm = [one for one in entries if one.firm]
    assert sum(one.quantity for one in firm) <= free
    assert all(one.quantity % lot == 0 and one.quantity > 0 for one in entries)
    assert bool(firm) == (free >= lot)


def test_a_refused_candidate_is_not_offered_and_a_halted_one_is_shown_as_halted() -> None:
    assert wanted([replace(OURS, verdicts=NO)], lambda _: 800, ONES) == {}
    entry = only([replace(OURS, halted="class is restricted")])
    assert (entry.action, entry.reason, entry.quantity) == (OfferAction.HALT, "class is restricted", 800)


def told(entry: OfferEntry, **changed: object) -> dict[str, Shown]:
    return {entry.offer_id: Shown(entry.model_copy(update=changed), NOW)}


def why(_: str) -> str:
    return "retired"


def test_nothing_is_told_twice() -> None:
    entry = only([OURS])
    entries = {entry.offer_id: entry}
    assert changes(entries, {}, why) == [entry]
    assert changes(entries, told(entry, revision=7), why) == []
    (changed,) = changes(entries, told(entry, revision=7, quantity=1), why)
    assert (changed.revision, changed.quantity) == (8, 800)


def test_what_is_not_wanted_any_more_is_withdrawn_once_with_its_reason() -> None:
    entry = only([OURS])
    (gone,) = changes({}, told(entry, revision=3), why)
    assert (gone.action, gone.revision, gone.reason) == (OfferAction.WITHDRAW, 4, "retired")
    assert changes({}, {gone.offer_id: Shown(gone, NOW)}, why) == []
    (back,) = changes({entry.offer_id: entry}, {gone.offer_id: Shown(gone, NOW)}, why)
    assert (back.action, back.revision) == (OfferAction.PUT, 5)


def test_what_the_venue_refused_is_sent_again_only_when_it_changes() -> None:
    entry = only([OURS])
    refused = {entry.offer_id: Shown(entry.model_copy(update={"action": OfferAction.WITHDRAW}), NOW, refused=entry)}
    assert changes({entry.offer_id: entry}, refused, why) == []
    smaller = entry.model_copy(update={"quantity": 5})
    assert changes({entry.offer_id: smaller}, refused, why) == [smaller.model_copy(update={"revision": 2})]


def test_what_the_venue_lost_is_put_up_again() -> None:
    entry = only([OURS])
    entries, shown = {entry.offer_id: entry}, told(entry, revision=2)
    later, earlier = NOW + dt.timedelta(minutes=1), NOW - dt.timedelta(minutes=1)
    assert changes(entries, shown, why, VenueList(frozenset({entry.offer_id}), later)) == []
    assert changes(entries, shown, why, VenueList(frozenset(), earlier)) == []
    (again,) = changes(entries, shown, why, VenueList(frozenset(), later))
    assert (again.action, again.revision) == (OfferAction.PUT, 3)


def test_inventory_that_a_policy_admits_is_indicative() -> None:
    entry = only([Decision(replace(HELD, origin=Origin.INVENTORY, available=0), YES, firm=False, halted=None)])
    assert (entry.firm, entry.quantity) == (False, 1000)
