"""What a comparison says: segments, verdict, and the kind and identity of a break.

Pure: no engine, no clock. Reconciliation, ingest and the conformance kit share these words.

What may be said depends on whether *their* book was read completely (ours is a ledger, and whole):

==============================  ==========================  ================================
finding                         their book complete         their book incomplete
==============================  ==========================  ================================
none                            ``MATCHED``                 ``INCOMPLETE``
surplus there (missing here)    ``BROKEN``, break           ``INCOMPLETE``, break
overlap here, overlap there     ``BROKEN``, break           ``INCOMPLETE``, break
surplus here (missing there)    ``BROKEN``, break           ``INCOMPLETE``, *no* break: the
                                                            part not read may hold it;
                                                            counted as ``units_unproven``
==============================  ==========================  ================================

So an incomplete run may raise breaks, never says "missing there" and never ``MATCHED``; since its
verdict is not ``BROKEN`` either, a run that may close breaks is told by its verdict alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class BreakKind(StrEnum):
    """Every kind of break (the design, section 9). The value is part of a break's identity: never rename one."""

    SERIAL_OVERLAP = "serial_overlap"
    RETIRED_ELSEWHERE = "retired_elsewhere"
    QUANTITY_SURPLUS = "quantity_surplus"
    QUANTITY_SHORTFALL = "quantity_shortfall"
    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    OWNER_MISMATCH = "owner_mismatch"
    STATE_MISMATCH = "state_mismatch"
    ENTITLEMENT_MISMATCH = "entitlement_mismatch"
    ATTRIBUTE_MISMATCH = "attribute_mismatch"
    COMMAND_UNRESOLVED = "command_unresolved"
    UNREADABLE_RECORD = "unreadable_record"
    RUN_MISSED = "run_missed"
    SOURCE_STALE = "source_stale"
    SOURCE_INCOMPLETE = "source_incomplete"


class Verdict(StrEnum):
    """The outcome of a comparison; there is no "completed". Only a run that is not ``INCOMPLETE`` closes a break."""

    MATCHED = "matched"
    BROKEN = "broken"
    INCOMPLETE = "incomplete"


class SegmentKind(StrEnum):
    """What the sweep finds between two books. "Here" is our book, "there" is theirs.

    A surplus speaks of the union of a book's blocks, an overlap of units that one book names more than
    once, so a unit that we hold twice and they do not know is both.
    """

    SURPLUS_HERE = "surplus_here"
    SURPLUS_THERE = "surplus_there"
    OVERLAP_HERE = "overlap_here"
    OVERLAP_THERE = "overlap_there"

    @property
    def break_kind(self) -> BreakKind:
        """The break that a segment of this kind raises."""
        return _BREAK_KINDS[self]


_BREAK_KINDS: Mapping[SegmentKind, BreakKind] = {
    SegmentKind.SURPLUS_HERE: BreakKind.MISSING_THERE,
    SegmentKind.SURPLUS_THERE: BreakKind.MISSING_HERE,
    SegmentKind.OVERLAP_HERE: BreakKind.SERIAL_OVERLAP,
    SegmentKind.OVERLAP_THERE: BreakKind.SERIAL_OVERLAP,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A maximal run of serials of one space about which one thing is true.

    Args:
        kind: what is true of each of its serials.
        space: the numbering space, as in the book.
        first: first serial, inclusive.
        last: last serial, inclusive.
        depth: the most blocks of that book that cover one serial of it (1 is no double count).
    """

    kind: SegmentKind
    space: str
    first: int
    last: int
    depth: int

    @property
    def units(self) -> int:
        """How many serials it has."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Total:
    """The exact extent of one kind of finding, also where the list of its segments was cut short.

    Args:
        segments: how many maximal segments.
        units: how many distinct serials they have.
        excess: how many units their book counts beyond the first time (0 where nothing is named twice).
        pairs: how many pairs of blocks overlap (0 for a surplus).
    """

    segments: int = 0
    units: int = 0
    excess: int = 0
    pairs: int = 0


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Where one book names a unit more than once.

    Args:
        pairs: exact number of pairs of blocks of one space that share a serial (n equal blocks: n(n-1)/2).
        units: exact number of serials that are named more than once.
        segments: the maximal segments in order of space and serial, of kind ``OVERLAP_HERE``.
        truncated: whether there are more segments than were returned.
    """

    pairs: int
    units: int
    segments: tuple[Segment, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing our book with theirs proved.

    Args:
        verdict: see the table of this module.
        units_ours: units that our book counts, doubles as often as it names them.
        units_theirs: the same of theirs.
        units_compared: distinct serials about which this comparison is a statement.
        units_unproven: serials of ours that an incomplete read of theirs did not show: no statement.
        totals: exact extent of every kind of proven finding, zeros included.
        segments: proven findings in order of kind, space and serial; each becomes a break.
        truncated: whether some kind has more segments than were returned.
    """

    verdict: Verdict
    units_ours: int
    units_theirs: int
    units_compared: int
    units_unproven: int
    totals: Mapping[SegmentKind, Total]
    segments: tuple[Segment, ...]
    truncated: bool


def provable(kind: SegmentKind, *, complete: bool) -> bool:
    """Whether a finding of this kind is proven, given whether their book was read completely."""
    return complete or kind is not SegmentKind.SURPLUS_HERE


def verdict_of(*, found: bool, complete: bool) -> Verdict:
    """The verdict, from whether anything was proven wrong and whether their book was read completely."""
    if not complete:
        return Verdict.INCOMPLETE
    return Verdict.BROKEN if found else Verdict.MATCHED


def break_id(
    kind: BreakKind,
    market: str,
    account: str | None,
    space: str | None,
    first: int | None,
    last: int | None,
) -> str:
    """The identity of a break: the same finding has the same id in every run, on every machine.

    The parts are encoded as a JSON array, which no choice of separators inside them can make ambiguous;
    ``None`` ("this break is not about one") differs from the empty text. For an overlap inside our own
    book the market is the home venue, so that it is not the overlap that a market's book shows.

    Args:
        kind: what is wrong.
        market: whose book it is wrong in or against.
        account: the account there.
        space: the numbering space.
        first: first serial, inclusive.
        last: last serial, inclusive.
    """
    parts = json.dumps([kind.value, market, account, space, first, last], separators=(",", ":"))
    # 128 bits: no two findings of a lifetime collide, and a person can still copy it.
    return f"break-{hashlib.sha256(parts.encode('ascii')).hexdigest()[:32]}"
