"""The plan: what the home venue ought to show, and how it is brought there. Pure.

Two steps, so that no unit is ever offered twice. First the venue is told what must not be traded as it stands: offers
that are not wanted are withdrawn, stopped ones halted, and firm ones that are to change are halted too. When that is
known to hold, and what was traded until then is known, the rest is put up, with never more of the same units than is
free.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.model.commands import OfferAction, OfferEntry
from gateway.model.money import Currency
from gateway.model.vocabulary import ListingState
from gateway.offers.admission import Decision
from gateway.offers.candidate import Candidate, Origin
from gateway.offers.identity import offer_id
from gateway.offers.policy import PolicyVersion
from gateway.offers.venue_book import VenueBook, VenueOffer

Availability = Callable[[str], int]
"""How many units of a class are free to be sold, over all venues together."""

REASON_LIMIT: Final = 500
NAME_LIMIT: Final = 200
CHANGING: Final = "its terms are being changed"


@dataclass(frozen=True, slots=True)
class Shown:
    """The entry that the venue last accepted of us, and the one that it refused since, if any."""

    entry: OfferEntry
    refused: OfferEntry | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of our offers at the venue.

    Attributes:
        shown: what it accepted, by offer id.
        doubtful: the highest revision of each offer in a publication of which the end is not known.
        book: what it shows itself.
    """

    shown: Mapping[str, Shown]
    doubtful: Mapping[str, int]
    book: VenueBook

    def next_revision(self, key: str) -> int:
        """A revision above all that the venue has, or may yet get."""
        kept = self.shown[key].entry.revision if key in self.shown else 0
        there = self.book.offers[key].revision if key in self.book.offers else 0
        return max(kept, there, self.doubtful.get(key, 0)) + 1

    def is_as(self, entry: OfferEntry) -> bool:
        """Whether the venue shows an offer just so, but for what was traded of it."""
        there, kept = self.book.offers.get(entry.offer_id), self.shown.get(entry.offer_id)
        if there is None or kept is None or entry.offer_id in self.doubtful:
            return False
        if there.revision != kept.entry.revision or there.state is not _STATES[entry.action]:
            return False
        return _same(entry, kept.entry.model_copy(update={"quantity": there.left}))


_STATES: Final = {
    OfferAction.PUT: ListingState.OPEN,
    OfferAction.HALT: ListingState.HALTED,
    OfferAction.WITHDRAW: ListingState.WITHDRAWN,
}


def available(decisions: Sequence[Decision], unsettled: Mapping[str, int]) -> Availability:
    """What the complete snapshots say is free, by class, less what is sold and not settled yet."""
    free: dict[str, int] = {}
    for one in decisions:
        if one.admitted and one.firm:
            free[one.candidate.class_id] = free.get(one.candidate.class_id, 0) + one.candidate.available
    return lambda class_id: max(0, free.get(class_id, 0) - unsettled.get(class_id, 0))


def wanted(decisions: Sequence[Decision], availability: Availability, version: PolicyVersion) -> dict[str, OfferEntry]:
    """The entry that each class ought to have at the venue, by offer id; revisions are all 1 and mean nothing."""
    admitted: dict[str, list[Decision]] = {}
    for one in decisions:
        if one.admitted:
            admitted.setdefault(one.candidate.class_id, []).append(one)
    entries = (_entry(class_id, found, availability(class_id), version) for class_id, found in sorted(admitted.items()))
    return {entry.offer_id: entry for entry in entries if entry is not None}


def protective(
    entries: Mapping[str, OfferEntry], standing: Standing, reasons: Callable[[str], str]
) -> list[OfferEntry]:
    """What must not be traded as it stands: to be withdrawn or halted before anything is put up.

    An offer of ours that the venue shows and that is not wanted is withdrawn, also one that we do not know.
    """
    told = []
    for key in sorted(standing.shown.keys() | standing.book.offers.keys() | standing.doubtful.keys()):
        there, entry = standing.book.offers.get(key), entries.get(key)
        gone = there is None or there.state in {ListingState.WITHDRAWN, ListingState.EXPIRED}
        if gone and key not in standing.doubtful:
            continue
        if entry is None:
            last = standing.shown[key].entry if key in standing.shown else _unknown(key, there)
            if last is not None:
                why = reasons(last.class_id)
                told.append(_changed(last, standing, OfferAction.WITHDRAW, why))
        elif entry.action is OfferAction.HALT:
            if not standing.is_as(entry):
                told.append(entry.model_copy(update={"revision": standing.next_revision(key)}))
        elif there is not None and there.state is ListingState.OPEN and there.firm and not standing.is_as(entry):
            last = standing.shown[key].entry if key in standing.shown else entry
            told.append(_changed(last, standing, OfferAction.HALT, CHANGING))
    return told


def additions(entries: Mapping[str, OfferEntry], standing: Standing) -> list[OfferEntry]:
    """What is to be put up: what the venue does not show as it ought, and has not refused as it is.

    Where it still shows firm offers of the same units that ought to be gone (it refused to withdraw them), so much less
    is put up.
    """
    told = []
    taken = _still_firm(entries, standing.book)
    for key, entry in entries.items():
        kept = standing.shown.get(key)
        if entry.action is OfferAction.WITHDRAW or standing.is_as(entry):
            continue
        if entry.action is OfferAction.HALT and key not in standing.book.offers:
            continue  # nothing of it is to be seen
        if kept is not None and kept.refused is not None and _same(entry, kept.refused):
            continue
        left = entry.quantity - taken.get(_units(entry), 0) if entry.firm else entry.quantity
        left -= left % entry.lot
        if left >= entry.lot and entry.action is OfferAction.PUT:
            told.append(entry.model_copy(update={"revision": standing.next_revision(key), "quantity": left}))
    return told


def _still_firm(entries: Mapping[str, OfferEntry], book: VenueBook) -> dict[tuple[object, ...], int]:
    taken: dict[tuple[object, ...], int] = {}
    for key, one in book.offers.items():
        if one.firm and one.state is ListingState.OPEN and key not in entries:
            taken[one.units] = taken.get(one.units, 0) + one.left
    return taken


def _units(entry: OfferEntry) -> tuple[object, ...]:
    """Which units an offer is of, whatever their labels are called today."""
    return (entry.programme, entry.project_id, entry.vintage_start, entry.vintage_end, entry.unit_kind)


def _changed(last: OfferEntry, standing: Standing, action: OfferAction, reason: str) -> OfferEntry:
    change = {"revision": standing.next_revision(last.offer_id), "action": action, "reason": reason[:REASON_LIMIT]}
    return last.model_copy(update=change)


def _unknown(key: str, there: VenueOffer | None) -> OfferEntry | None:
    """An offer that the venue shows and our books do not: all that is known is enough to take it down."""
    if there is None:
        return None
    programme, project, start, end, kind = there.units
    return OfferEntry(
        offer_id=key,
        revision=1,
        action=OfferAction.WITHDRAW,
        class_id=there.class_id,
        name=there.class_id,
        name_native=None,
        programme=programme,
        project_id=project,
        vintage_start=start,
        vintage_end=end,
        unit_kind=kind,
        labels=(),
        firm=False,
        quantity=0,
        lot=1,
        price=None,
        currency=None,
        reason=None,
    )


def _same(one: OfferEntry, other: OfferEntry) -> bool:
    return one.model_copy(update={"revision": other.revision}) == other


def _entry(class_id: str, found: Sequence[Decision], free: int, version: PolicyVersion) -> OfferEntry | None:
    """The offer of a class. What is halted adds nothing to it; where nothing else is left, it is halted whole."""
    moving = [one for one in found if not one.halted]
    halted = None if moving else found[0].halted
    told = moving or list(found)
    firm = [one for one in told if one.firm]
    ours = min(sum(one.candidate.available for one in firm), free)
    price = _own_price(firm[0].candidate, version) if firm and ours >= version.lot else None
    is_firm = price is not None
    shown = firm if is_firm else _indicative(told)
    quantity = ours if is_firm else sum(_for_sale(one.candidate) for one in shown)
    quantity -= quantity % version.lot
    if not shown or quantity < version.lot:
        return None
    first = shown[0].candidate
    price = price or _seen_price([one.candidate for one in shown], version)
    assert first.vintage_start is not None  # the rule on vintages refuses a candidate without one
    assert first.vintage_end is not None
    name, native = _names(first)
    return OfferEntry(
        offer_id=offer_id(class_id),
        revision=1,
        action=OfferAction.HALT if halted else OfferAction.PUT,
        class_id=class_id,
        name=name,
        name_native=native,
        programme=first.programme or "",
        project_id=first.project_id or first.instrument or "",
        vintage_start=first.vintage_start,
        vintage_end=first.vintage_end,
        unit_kind=first.unit_kind or "basket",
        labels=first.labels or (),
        firm=is_firm,
        quantity=quantity,
        lot=version.lot,
        price=price[0] if price else None,
        currency=price[1] if price else None,
        reason=halted[:REASON_LIMIT] if halted else None,
    )


def _indicative(found: Sequence[Decision]) -> list[Decision]:
    """What is listed by others; only where nothing is, units of ours that cannot be firm. Never both in one sum."""
    listed = [one for one in found if one.candidate.origin is not Origin.HOLDING]
    return listed or list(found)


def _for_sale(one: Candidate) -> int:
    """What a candidate adds to an indicative offer: of our own units only what is free where they are."""
    return one.available if one.origin is Origin.HOLDING else one.quantity


def _own_price(ours: Candidate, version: PolicyVersion) -> tuple[int, Currency] | None:
    """The price that was set for our own units. Firm is only what somebody has priced."""
    asking = version.asking(ours.programme, ours.project_id)
    return (asking.price, asking.currency) if asking else None


def _seen_price(seen: Sequence[Candidate], version: PolicyVersion) -> tuple[int, Currency] | None:
    """The lowest price asked, in the first currency of the venue's in which there is one."""
    quotes = [version.quoted(one.price, one.currency) for one in seen if one.price is not None and one.currency]
    for currency in version.quoted_in:
        found = [quote for quote in quotes if quote is not None and quote[1] is currency]
        if found:
            return min(found)
    return None


def _names(told: Candidate) -> tuple[str, str | None]:
    """The name in Latin letters, and the source's own where that is Chinese."""
    thing = f"{told.programme} {told.project_id or told.instrument}"
    if told.project_name is None:
        return thing, None
    if any(unicodedata.name(letter, "").startswith("CJK") for letter in told.project_name):
        return thing, told.project_name[:NAME_LIMIT]
    return f"{thing} {told.project_name}"[:NAME_LIMIT], None
