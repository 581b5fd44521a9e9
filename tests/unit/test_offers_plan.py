"""What the home venue ought to show, and in which order it is told, so that nothing is sold twice."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.commands import OfferAction, OfferEntry
from gateway.model.money import Currency
from gateway.model.vocabulary import ListingState
from gateway.offers.admission import Decision, Verdict
from gateway.offers.candidate import Origin
from gateway.offers.plan import CHANGING, Shown, Standing, additions, available, protective, wanted
from gateway.offers.policy import PolicyVersion
from gateway.offers.venue_book import VenueBook, VenueOffer
from tests.unit.test_offers_admission import HELD, LISTED, VERSION

YES = (Verdict("any", admitted=True, words="yes"),)
NO = (Verdict("any", admitted=False, words="no"),)
OURS = Decision(HELD, YES, firm=True, halted=None)
SEEN = Decision(replace(LISTED, price=1_500_000, currency="USD", quantity=50), YES, firm=False, halted=None)
NOTHING = VenueBook({}, {})


def by_lots(lot: int, **changes: object) -> PolicyVersion:
    return VERSION.model_copy(update={"lot": lot} | changes)


ONES = by_lots(1)


def only(decisions: list[Decision], version: PolicyVersion = ONES) -> OfferEntry:
    (entry,) = wanted(decisions, available(decisions, {}), version).values()
    return entry


def test_our_units_are_firm_at_our_own_price() -> None:
    entry = only([OURS, SEEN])
    assert (entry.firm, entry.quantity, entry.price, entry.currency) == (True, 800, 46_500_000, "HKD")
    assert entry.name == "VCS 1748 Mangroves of Somewhere"


def test_without_a_price_of_our_own_nothing_is_firm() -> None:
    unpriced = by_lots(1, asking_prices=())
    alone = only([OURS], unpriced)
    assert (alone.firm, alone.quantity, alone.price) == (False, 800, None)
    beside = only([OURS, SEEN], unpriced)
    assert (beside.firm, beside.quantity, beside.price) == (False, 50, 11_700_000)


def test_a_price_seen_in_another_currency_is_shown_at_the_reference_rate_rounded_to_a_step() -> None:
    assert ONES.quoted(1_234_567, "USD") == (9_630_000, "HKD")
    assert ONES.quoted(641_025, "USD") == (5_000_000, "HKD")
    assert ONES.quoted(5_004_999, "CNH") == (5_000_000, "CNH")
    assert ONES.quoted(5_000_000, "CNY") is None
    assert ONES.quoted(600, "USD") is None
    assert ONES.quoted(0, "HKD") is None


def test_the_lowest_price_is_the_one_in_the_venues_first_currency() -> None:
    cheap = replace(SEEN, candidate=replace(SEEN.candidate, price=1_000_000, currency="CNH"))
    assert (only([SEEN, cheap]).price, only([SEEN, cheap]).currency) == (11_700_000, Currency.HKD)
    assert only([cheap]).currency is Currency.CNH


def test_what_is_seen_elsewhere_is_indicative() -> None:
    entry = only([SEEN, replace(SEEN, candidate=replace(SEEN.candidate, market="cix", quantity=5))])
    assert (entry.firm, entry.quantity) == (False, 55)


def test_a_chinese_name_is_kept_beside_the_english_one() -> None:
    entry = only([replace(OURS, candidate=replace(HELD, project_name="某某红树林项目"))])
    assert (entry.name, entry.name_native) == ("VCS 1748", "某某红树林项目")


def test_a_firm_offer_is_never_more_than_is_available_over_all() -> None:
    entries = wanted([OURS, replace(OURS, candidate=replace(HELD, market="other"))], lambda _: 1_100, ONES)
    assert [(one.firm, one.quantity) for one in entries.values()] == [(True, 1_100)]
    assert available([OURS], {HELD.class_id: 300})(HELD.class_id) == 500
    assert available([OURS], {HELD.class_id: 900})(HELD.class_id) == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), max_size=8), st.integers(1, 7))
def test_firm_quantities_are_whole_lots_of_what_is_free(parts: list[tuple[int, bool, bool]], lot: int) -> None:
    decisions = [
        Decision(replace(HELD, available=free, quantity=50), YES if admitted else NO, firm=firm, halted=None)
        for free, admitted, firm in parts
    ]
    free = sum(quantity for quantity, admitted, firm in parts if admitted and firm)
    entries = list(wanted(decisions, available(decisions, {}), by_lots(lot)).values())
    firm = [one for one in entries if one.firm]
    assert sum(one.quantity for one in firm) <= free
    assert all(one.quantity % lot == 0 and one.quantity > 0 for one in entries)
    assert bool(firm) == (free >= lot)


def test_a_refused_candidate_is_not_offered_and_a_halted_one_is_shown_as_halted() -> None:
    assert wanted([replace(OURS, verdicts=NO)], lambda _: 800, ONES) == {}
    entry = only([replace(OURS, halted="class is restricted")])
    assert (entry.action, entry.reason, entry.quantity) == (OfferAction.HALT, "class is restricted", 800)


def test_what_is_halted_at_one_market_leaves_what_is_at_another() -> None:
    halted = replace(OURS, halted="market:verra is restricted")
    entry = only([halted, SEEN])
    assert (entry.action, entry.firm, entry.quantity) == (OfferAction.PUT, False, 50)


def test_inventory_that_a_policy_admits_is_indicative() -> None:
    entry = only([Decision(replace(HELD, origin=Origin.INVENTORY, available=0), YES, firm=False, halted=None)])
    assert (entry.firm, entry.quantity) == (False, 1000)


def why(_: str) -> str:
    return "retired"


def there(entry: OfferEntry, **changes: object) -> VenueOffer:
    units = (entry.programme, entry.project_id, entry.vintage_start, entry.vintage_end, entry.unit_kind)
    made = VenueOffer(entry.class_id, units, entry.revision, ListingState.OPEN, entry.firm, entry.quantity)
    return replace(made, **changes)  # type: ignore[arg-type]


def standing(entry: OfferEntry, at_venue: VenueOffer | None, refused: OfferEntry | None = None) -> Standing:
    offers = {} if at_venue is None else {entry.offer_id: at_venue}
    return Standing({entry.offer_id: Shown(entry, refused)}, {}, VenueBook(offers, {}))


def told(entries: dict[str, OfferEntry], known: Standing) -> list[tuple[OfferAction, int, int]]:
    both = [*protective(entries, known, why), *additions(entries, known)]
    return [(one.action, one.revision, one.quantity) for one in both]


def test_nothing_is_told_twice() -> None:
    entry = only([OURS])
    entries = {entry.offer_id: entry}
    assert told(entries, Standing({}, {}, NOTHING)) == [(OfferAction.PUT, 1, 800)]
    assert told(entries, standing(entry, there(entry))) == []


def test_what_was_traded_of_an_offer_is_no_change() -> None:
    entry = only([OURS])
    less = entry.model_copy(update={"quantity": 300})
    assert told({entry.offer_id: less}, standing(entry, there(entry, left=300))) == []


def test_a_firm_offer_is_halted_before_it_changes() -> None:
    entry = only([OURS])
    less = entry.model_copy(update={"quantity": 300})
    known = standing(entry, there(entry))
    (halt,) = protective({entry.offer_id: less}, known, why)
    assert (halt.action, halt.revision, halt.quantity, halt.reason) == (OfferAction.HALT, 2, 800, CHANGING)
    halted = standing(halt, there(halt, state=ListingState.HALTED))
    assert told({entry.offer_id: less}, halted) == [(OfferAction.PUT, 3, 300)]


def test_what_is_not_wanted_any_more_is_withdrawn_once_with_its_reason() -> None:
    entry = only([OURS])
    (gone,) = protective({}, standing(entry, there(entry)), why)
    assert (gone.action, gone.revision, gone.reason) == (OfferAction.WITHDRAW, 2, "retired")
    withdrawn = standing(gone, there(gone, state=ListingState.WITHDRAWN))
    assert told({}, withdrawn) == []
    assert told({entry.offer_id: entry}, withdrawn) == [(OfferAction.PUT, 3, 800)]


def test_an_offer_that_we_do_not_know_is_taken_down() -> None:
    entry = only([OURS])
    strange = Standing({}, {}, VenueBook({entry.offer_id: there(entry, revision=9)}, {}))
    assert told({}, strange) == [(OfferAction.WITHDRAW, 10, 0)]
    assert told({entry.offer_id: entry}, strange) == [(OfferAction.HALT, 10, 800), (OfferAction.PUT, 10, 800)]


def test_what_may_yet_arrive_is_overtaken() -> None:
    entry = only([OURS])
    lost = Standing({}, {entry.offer_id: 4}, NOTHING)
    assert told({entry.offer_id: entry}, lost) == [(OfferAction.PUT, 5, 800)]
    known = Standing({entry.offer_id: Shown(entry)}, {entry.offer_id: 4}, NOTHING)
    assert told({}, known) == [(OfferAction.WITHDRAW, 5, 800)]


def test_what_the_venue_refused_is_put_up_again_only_when_it_changes() -> None:
    entry = only([OURS])
    never = entry.model_copy(update={"action": OfferAction.WITHDRAW})
    refused = standing(never, None, refused=entry)
    assert told({entry.offer_id: entry}, refused) == []
    smaller = entry.model_copy(update={"quantity": 5})
    assert told({entry.offer_id: smaller}, refused) == [(OfferAction.PUT, 2, 5)]


def test_what_the_venue_lost_is_put_up_again() -> None:
    entry = only([OURS])
    assert told({entry.offer_id: entry}, standing(entry, None)) == [(OfferAction.PUT, 2, 800)]


def test_units_that_the_venue_would_not_take_down_are_not_put_up_a_second_time() -> None:
    entry = only([OURS])
    renamed = entry.model_copy(update={"offer_id": "OF-NEW", "class_id": f"{entry.class_id} +CCP", "labels": ("CCP",)})
    stuck = standing(entry, there(entry, left=500))
    (put,) = additions({"OF-NEW": renamed}, stuck)
    assert (put.action, put.quantity) == (OfferAction.PUT, 300)
    assert additions({"OF-NEW": renamed}, standing(entry, there(entry))) == []


def test_a_restriction_is_told_once() -> None:
    entry = only([OURS])
    halt = only([replace(OURS, halted="class is restricted")])
    assert told({entry.offer_id: halt}, standing(entry, there(entry))) == [(OfferAction.HALT, 2, 800)]
    told_it = halt.model_copy(update={"revision": 2})
    assert told({entry.offer_id: halt}, standing(told_it, there(told_it, state=ListingState.HALTED))) == []
    assert told({entry.offer_id: halt}, Standing({}, {}, NOTHING)) == []
