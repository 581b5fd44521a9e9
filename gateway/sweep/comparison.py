"""Looks inside one book, or compares two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.model.errors import InvariantViolation
from gateway.sweep.verdict import Comparison, Overlaps, Segment, SegmentKind, Total, provable, verdict_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from gateway.sweep.engine import Book, Engine

SEGMENT_LIMIT = 1000


def overlaps(book: Book, *, engine: Engine, limit: int = SEGMENT_LIMIT) -> Overlaps:
    """Finds where a book names a unit more than once.

    At most ``limit`` segments are returned; the numbers are exact all the same. Raises TypeError when
    the book has not the columns of one, InvariantViolation when a row is no block.
    """
    from gateway.sweep.expression import HERE

    with engine.reading({HERE: book}) as books:
        _units(engine, books[HERE], "the book")
        totals, segments = _findings(engine, books, limit)
    total = totals[SegmentKind.OVERLAP_HERE]
    return Overlaps(total.pairs, total.units, segments, truncated=total.segments > len(segments))


def compare(
    ours: Book,
    theirs: Book,
    *,
    complete: bool,
    engine: Engine,
    limit: int = SEGMENT_LIMIT,
) -> Comparison:
    """Compares two books unit by unit. How they cut the same units into blocks makes no difference.

    Args:
        ours: what we hold; it is always whole.
        theirs: what was read of theirs.
        complete: whether theirs is known to be everything that they hold in these spaces.
        engine: where it is computed.
        limit: how many segments of each kind to return at most; totals are exact all the same.

    Raises TypeError when a book has not the columns of one, InvariantViolation when a row is no block.
    """
    from gateway.sweep.expression import HERE, THERE

    with engine.reading({HERE: ours, THERE: theirs}) as books:
        units_ours = _units(engine, books[HERE], "our book")
        units_theirs = _units(engine, books[THERE], "their book")
        found, segments = _findings(engine, books, limit)
    totals = {kind: total if provable(kind, complete=complete) else Total() for kind, total in found.items()}
    shown = tuple(segment for segment in segments if provable(segment.kind, complete=complete))
    units_unproven = sum(found[kind].units - totals[kind].units for kind in SegmentKind)
    distinct = units_ours - found[SegmentKind.OVERLAP_HERE].excess + found[SegmentKind.SURPLUS_THERE].units
    return Comparison(
        verdict=verdict_of(found=any(total.segments for total in totals.values()), complete=complete),
        units_ours=units_ours,
        units_theirs=units_theirs,
        units_compared=distinct - units_unproven,
        units_unproven=units_unproven,
        totals=totals,
        segments=shown,
        truncated=sum(total.segments for total in totals.values()) > len(shown),
    )


def _units(engine: Engine, table: ir.Table, whose: str) -> int:
    from gateway.sweep.expression import census, unusable

    (row,) = engine.rows(census(table))
    if row["unusable"]:
        (example,) = engine.rows(table.filter(unusable(table)).limit(1))
        raise InvariantViolation(
            f"{whose} has {row['unusable']} rows that are no blocks, such as {example}; "
            f"expected a space and 0 <= first <= last < {2**63 - 1}"
        )
    return int(row["units"])


def _findings(
    engine: Engine, books: Mapping[str, ir.Table], limit: int
) -> tuple[dict[SegmentKind, Total], tuple[Segment, ...]]:
    from gateway.sweep.expression import findings

    rows = engine.rows(findings(books, limit=limit))
    totals = dict.fromkeys(SegmentKind, Total())
    totals.update({SegmentKind(row["kind"]): _total(row) for row in rows})
    return totals, _segments(rows)


def _total(row: Mapping[str, Any]) -> Total:
    return Total(*(int(row[name]) for name in ("segments", "units", "excess", "pairs")))


def _segments(rows: Iterable[Mapping[str, Any]]) -> tuple[Segment, ...]:
    return tuple(
        Segment(SegmentKind(row["kind"]), row["space"], row["first"], row["last"], row["depth"]) for row in rows
    )
