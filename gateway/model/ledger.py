"""The ledger's words: where units and cash can be in our books, and what an entry says.

An entry is a set of lines that sum to zero for each asset, so that nothing is made or lost; what comes from the world
comes out of ``OUTSIDE``. Beside its lines an entry says which blocks moved, where units have serial numbers.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

HOUSE: Final = "HOUSE"
"""The owner of what is nobody's share in particular: what is retired, withdrawn, in transit, or outside."""


class AssetKind(StrEnum):
    """What an asset is: units of a credit class at a market, or a currency at a bank."""

    UNITS = "units"
    CASH = "cash"


class Bucket(StrEnum):
    """Where an owner's units or cash are in our books.

    ``AVAILABLE``: free to be sold or paid out. ``RESERVED``: held for an instruction. ``EARMARKED``: at a venue.
    ``PLEDGED`` and ``FROZEN``: encumbered by an authority. ``ESCROW``: between the two sides of a delivery.
    ``IN_TRANSIT``: commanded to leave, not yet seen to have left. ``RETIRED``, ``WITHDRAWN``, ``CANCELLED`` and
    ``CONVERTED`` are ends. ``FEES``: what we earned. ``OUTSIDE``: the world; the only one that may be negative.
    """

    AVAILABLE = "available"
    RESERVED = "reserved"
    EARMARKED = "earmarked"
    PLEDGED = "pledged"
    FROZEN = "frozen"
    ESCROW = "escrow"
    IN_TRANSIT = "in_transit"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    CONVERTED = "converted"
    FEES = "fees"
    OUTSIDE = "outside"


LIVE: Final = frozenset(
    {
        Bucket.AVAILABLE,
        Bucket.RESERVED,
        Bucket.EARMARKED,
        Bucket.PLEDGED,
        Bucket.FROZEN,
        Bucket.ESCROW,
        Bucket.IN_TRANSIT,
        Bucket.FEES,
    }
)
"""The buckets of what we hold now."""

ENDS: Final = frozenset({Bucket.RETIRED, Bucket.WITHDRAWN, Bucket.CANCELLED, Bucket.CONVERTED})
"""The buckets of units that we hold no more."""


class EntryKind(StrEnum):
    """Why an entry was made."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    RESERVATION = "reservation"
    RELEASE = "release"
    SETTLEMENT = "settlement"
    RETIREMENT = "retirement"
    PAY_IN = "pay_in"
    PAY_OUT = "pay_out"
    CONVERSION = "conversion"
    FEE = "fee"
    ENCUMBRANCE = "encumbrance"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One balance: whose, in which bucket, of which asset at which market.

    Attributes:
        market: the registry or venue where the units are, or the bank where the cash is.
        asset: the class id of units, the currency of cash.
    """

    kind: AssetKind
    market: str
    asset: str
    owner: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class Line:
    """So much more (or, negative, less) in one place: units, or minor units of cash."""

    place: Place
    quantity: int


@dataclass(frozen=True, slots=True)
class BlockMove:
    """A run of units that goes from one bucket to another.

    ``space``, ``first`` and ``last`` are empty where the programme has no ranges; then ``block`` is the batch's id and
    ``quantity`` all that is known. ``source`` is None when the units come into our books.
    """

    market: str
    class_id: str
    block: str
    space: str | None
    first: int | None
    last: int | None
    quantity: int
    source: Bucket | None
    target: Bucket


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal.

    Attributes:
        business_date: the day it counts for.
        actor: who made it; ``checker`` is the second person where one is needed.
        reason: in words; needed for a correction.
        reference: the instruction, command or deposit that it belongs to.
        corrects: the id of the entry that it puts right.
    """

    kind: EntryKind
    business_date: dt.date
    actor: str
    reference: str
    lines: tuple[Line, ...]
    blocks: tuple[BlockMove, ...] = field(default=())
    reason: str | None = None
    checker: str | None = None
    corrects: int | None = None
