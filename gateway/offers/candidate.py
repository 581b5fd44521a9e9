"""Candidates: what could be offered, wherever it was seen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a candidate was seen: in an account of ours, listed at a venue, or in a registry's public inventory."""

    HOLDING = "holding"
    LISTING = "listing"
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Units of one class at one market that could be offered.

    Attributes:
        market: where they are.
        at_venue: whether that is a venue, where they are earmarked, and not their registry.
        reference: the market's id of the listing or the account that holds them.
        class_id: their credit class; of a standardised contract, the market and its instrument.
        deliverable: of a standardised contract, the projects that the market says may be delivered into it.
        labels: None where the market does not say them.
        unreadable: the market says something of these units, or of their project, that cannot be read.
        valid_from, valid_until: of a listing.
        seen_at: when all that the market shows of the kind was last read whole; None where it never was.
        quantity: units, as the market shows them.
        available: of these, what nothing encumbers.
        state: the units' normalised state, or the listing's; ``state_native`` the market's word.
        price: in the scale of ``PRICE_SCALE``.
    """

    origin: Origin
    market: str
    at_venue: bool
    reference: str
    class_id: str
    programme: str | None
    project_id: str | None
    project_name: str | None
    project_state: str | None
    instrument: str | None
    unit_kind: str | None
    vintage_start: dt.date | None
    vintage_end: dt.date | None
    labels: tuple[str, ...] | None
    deliverable: tuple[str, ...] | None
    state: str
    state_native: str | None
    quantity: int
    available: int
    price: int | None
    currency: str | None
    unreadable: bool
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None
    seen_at: dt.datetime | None
