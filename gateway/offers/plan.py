"""The plan: what the home venue ought to show, from what was decided. Pure."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.model.commands import OfferAction, OfferEntry
from gateway.model.money import Currency
from gateway.offers.admission import Decision
from gateway.offers.candidate import Candidate, Origin
from gateway.offers.identity import offer_id
from gateway.offers.policy import PolicyVersion

Availability = Callable[[str], int]
"""How many units of a class are free to be sold, over all venues together."""

REASON_LIMIT: Final = 500
NAME_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """What the venue shows of ours.

    Attributes:
        entry: the entry that it last accepted.
        told_at: when it was last told of it, by the database's clock.
        refused: the entry that it refused since, if any.
    """

    entry: OfferEntry
    told_at: dt.datetime
    refused: OfferEntry | None = None


@dataclass(frozen=True, slots=True)
class VenueList:
    """The venue's own complete list of our offers: their ids, and when its reading began, by the database's clock."""

    offer_ids: frozenset[str]
    began_at: dt.datetime

    def lacks(self, one: Shown) -> bool:
        """Whether the list was read after the venue was told of an offer, and does not have it."""
        return one.told_at < self.began_at and one.entry.offer_id not in self.offer_ids


def available(decisions: Sequence[Decision]) -> Availability:
    """What the complete snapshots say is free, by class. A unit that is in an account once is counted once."""
    free: dict[str, int] = {}
    for one in decisions:
        if one.admitted and one.firm:
            free[one.candidate.class_id] = free.get(one.candidate.class_id, 0) + one.candidate.available
    return lambda class_id: free.get(class_id, 0)


def wanted(decisions: Sequence[Decision], availability: Availability, version: PolicyVersion) -> dict[str, OfferEntry]:
    """The entry that each class ought to have at the venue, by offer id; revisions are all 1 and mean nothing."""
    admitted: dict[str, list[Decision]] = {}
    for one in decisions:
        if one.admitted:
            admitted.setdefault(one.candidate.class_id, []).append(one)
    entries = (_entry(class_id, found, availability(class_id), version) for class_id, found in sorted(admitted.items()))
    return {entry.offer_id: entry for entry in entries if entry is not None}


def changes(
    entries: Mapping[str, OfferEntry],
    shown: Mapping[str, Shown],
    reasons: Callable[[str], str],
    venue_list: VenueList | None = None,
) -> list[OfferEntry]:
    """What to tell the venue so that it shows the entries and no others; nothing where it does.

    An offer that is not wanted any more is withdrawn with its reason. What the venue refused is not sent again as long
    as it is the same. What it accepted and does not list any more is sent again.
    """
    told = []
    for key, entry in entries.items():
        before = shown.get(key)
        if before is None:
            told.append(entry)
        elif before.refused and _same(entry, before.refused):
            continue
        elif not _same(entry, before.entry) or (venue_list and venue_list.lacks(before)):
            told.append(entry.model_copy(update={"revision": before.entry.revision + 1}))
    for key, before in shown.items():
        if key not in entries and before.entry.action is not OfferAction.WITHDRAW:
            gone = {
                "revision": before.entry.revision + 1,
                "action": OfferAction.WITHDRAW,
                "reason": reasons(before.entry.class_id)[:REASON_LIMIT],
            }
            told.append(before.entry.model_copy(update=gone))
    return told


def _same(one: OfferEntry, other: OfferEntry) -> bool:
    return one.model_copy(update={"revision": other.revision}) == other


def _entry(class_id: str, found: Sequence[Decision], free: int, version: PolicyVersion) -> OfferEntry | None:
    lot = version.lot
    firm = [one for one in found if one.firm]
    listed = [one.candidate for one in found if not one.firm]
    ours = min(sum(one.candidate.available for one in firm), free)
    price = _price(found, version)
    # Firm is what a buyer can take as it is: covered by units of ours, and priced.
    is_firm = bool(firm) and ours >= lot and price is not None
    quantity = ours if firm and ours >= lot else sum(_for_sale(one) for one in listed)
    quantity -= quantity % lot
    if quantity < lot:
        return None
    told = firm[0].candidate if firm else found[0].candidate
    halted = next((one.halted for one in found if one.halted), None)
    assert told.vintage_start is not None  # the rule on vintages refuses a candidate without one
    assert told.vintage_end is not None
    name, native = _names(told)
    return OfferEntry(
        offer_id=offer_id(class_id),
        revision=1,
        action=OfferAction.HALT if halted else OfferAction.PUT,
        class_id=class_id,
        name=name,
        name_native=native,
        programme=told.programme or "",
        project_id=told.project_id or told.instrument or "",
        vintage_start=told.vintage_start,
        vintage_end=told.vintage_end,
        unit_kind=told.unit_kind or "basket",
        labels=told.labels,
        firm=is_firm,
        quantity=quantity,
        lot=lot,
        price=price[0] if price else None,
        currency=price[1] if price else None,
        reason=halted[:REASON_LIMIT] if halted else None,
    )


def _for_sale(one: Candidate) -> int:
    """What a candidate adds to an indicative offer: of our own units, earmarked elsewhere, only what is free there."""
    return one.available if one.origin is Origin.HOLDING else one.quantity


def _price(found: Sequence[Decision], version: PolicyVersion) -> tuple[int, Currency] | None:
    """Our own asking price where units of ours are among them; else the lowest that is asked elsewhere."""
    ours = next((one.candidate for one in found if one.candidate.origin is Origin.HOLDING), None)
    asking = version.asking(ours.programme, ours.project_id) if ours else None
    if asking is not None:
        return asking.price, asking.currency
    seen = (one.candidate for one in found)
    quotes = (version.quoted(one.price, one.currency) for one in seen if one.price is not None and one.currency)
    return min((one for one in quotes if one is not None), key=lambda one: (one[1], one[0]), default=None)


def _names(told: Candidate) -> tuple[str, str | None]:
    """The name in Latin letters, and the source's own where that is Chinese."""
    thing = f"{told.programme} {told.project_id or told.instrument}"
    if told.project_name is None:
        return thing, None
    if any(unicodedata.name(letter, "").startswith("CJK") for letter in told.project_name):
        return thing, told.project_name[:NAME_LIMIT]
    return f"{thing} {told.project_name}"[:NAME_LIMIT], None
