"""The sweep as one Ibis expression, for any engine that Ibis compiles to.

A block is two edges: +1 at its first serial, -1 behind its last. Running sums of the edges over a
space say how many blocks of each side cover the serials up to the next edge. No join of ranges: a
space that holds every block costs what as many blocks in many spaces cost.

Books are tables of ``space`` (text), ``first`` and ``last`` (int64, inclusive). A side is a column, so
one side and two are the same expression. Sums that could pass 64 bits are taken as decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add, or_

import ibis
import ibis.expr.types as ir
import ibis.selectors as s

from gateway.sweep.verdict import SegmentKind

HERE = "here"
THERE = "there"

_SURPLUS = {HERE: SegmentKind.SURPLUS_HERE.value, THERE: SegmentKind.SURPLUS_THERE.value}
_OVERLAP = {HERE: SegmentKind.OVERLAP_HERE.value, THERE: SegmentKind.OVERLAP_THERE.value}
_LARGEST = 2**63 - 2  # one is left for the edge behind it
_LENGTH = "decimal(19, 0)"  # any int64
_TOTAL = "decimal(38, 0)"


def unusable(book: ir.Table) -> ir.BooleanColumn:
    """Whether a row is no block that the sweep can count exactly.

    With serials from 0 to 2**63 - 2 every difference and every edge fits 64 bits.
    """
    missing = book.space.isnull() | book.first.isnull() | book.last.isnull()
    return missing | (book.first < 0) | (book.last < book.first) | (book.last > _LARGEST)


def census(book: ir.Table) -> ir.Table:
    """One row: ``unusable`` rows of the book, and ``units``, the sum of the lengths of the others."""
    bad = unusable(book)
    # Engines compute it of unusable rows too, where int64 could not hold it.
    length = book.last.cast(_LENGTH) - book.first.cast(_LENGTH) + 1
    return book.aggregate(unusable=bad.sum().coalesce(0), units=length.sum(where=~bad).coalesce(0))


def findings(books: Mapping[str, ir.Table], *, limit: int) -> ir.Table:
    """What is wrong inside one book (``HERE``) or between two (``HERE`` and ``THERE``).

    One row for each maximal segment, at most ``limit`` of each kind (the lowest), in order of kind,
    space and serial: ``kind``, ``space``, ``first``, ``last``, ``depth``; and on each row, for the whole
    of its kind, whether returned or not: ``segments``, ``units``, ``excess`` and ``pairs``. Raises
    ValueError when the limit is below 1, as then nothing found could not be told from nothing wrong.
    """
    if limit < 1:
        raise ValueError(f"limit: found {limit}; expected 1 or more segments")
    edges = ibis.union(*(edge for side in books for edge in _edges(books, side)))
    # Dense numbers in place of names nearly halve the sort. In order, so that every engine agrees.
    names = ibis.union(*(book.select("space") for book in books.values())).distinct()
    names = names.select(name="space", code=ibis.row_number().over(order_by="space"))
    coded = edges.join(names, edges.space == names.name).drop("space", "name")
    found = _first_of_each_kind(_coalesced(_found(_covered(coded, books), books)), limit)
    return found.join(names, "code").rename(space="name").drop("code").order_by("kind", "space", "first")


def _edges(books: Mapping[str, ir.Table], side: str) -> tuple[ir.Table, ir.Table]:
    book = books[side]

    def edge(at: ir.IntegerColumn, step: int) -> ir.Table:
        steps = {name: ibis.literal(step if name == side else 0, "int8") for name in books}
        return book.select("space", at=at, **steps)

    return edge(book.first, 1), edge(book.last + 1, -1)


def _covered(edges: ir.Table, books: Mapping[str, ir.Table]) -> ir.Table:
    """From each edge ``at`` to the next (``until``): how many blocks of each side are open.

    At one serial the ends come before the starts: blocks that touch never count as open together.
    ``<side>_pairs`` is, where a block of the side starts, how many others of it were open.
    """
    order = [edges["at"], reduce(add, (edges[side] for side in books))]
    running = ibis.cumulative_window(group_by="code", order_by=order)
    covers = edges.mutate(
        until=edges["at"].lead().over(group_by="code", order_by=order),
        **{f"{side}_step": edges[side] for side in books},
        **{side: edges[side].sum().over(running) for side in books},
    )
    return covers.mutate(
        **{f"{side}_pairs": ibis.ifelse(covers[f"{side}_step"] > 0, covers[side] - 1, 0) for side in books}
    )


def _found(covers: ir.Table, books: Mapping[str, ir.Table]) -> ir.Table:
    """One row for each kind of finding on each stretch: ``kind``, ``depth``, ``pairs``.

    Edges at one serial leave stretches of no length between them. They matter to no surplus, and are
    kept for overlaps: they carry pairs, and always touch a longer stretch of the same overlap.
    """
    depths = {_OVERLAP[side]: ibis.ifelse(covers[side] > 1, covers[side], 0) for side in books}
    if THERE in books:
        for side, other in ((HERE, THERE), (THERE, HERE)):
            surplus = (covers[side] > 0) & (covers[other] == 0) & (covers.until > covers["at"])
            depths[_SURPLUS[side]] = ibis.ifelse(surplus, covers[side], 0)
    wide = covers.mutate(**depths)
    wide = wide.filter(reduce(or_, (wide[kind] > 0 for kind in depths)))
    long = wide.pivot_longer(s.cols(*depths), names_to="kind", values_to="depth").filter(ibis._.depth > 0)
    pairs = [ibis.ifelse(long.kind == _OVERLAP[side], long[f"{side}_pairs"], 0) for side in books]
    return long.select("code", "at", "until", "kind", "depth", pairs=reduce(add, pairs))


def _coalesced(found: ir.Table) -> ir.Table:
    """Joins stretches of one kind that touch: one row for each maximal segment."""
    # Stretches of a kind never overlap, so a gap shows against the one before alone.
    order = [found["at"], found.until]
    before = found.until.lag().over(group_by=["kind", "code"], order_by=order)
    marked = found.mutate(gap=(before.isnull() | (before < found["at"])).cast("int8"))
    running = ibis.cumulative_window(group_by=["kind", "code"], order_by=[marked["at"], marked.until])
    runs = marked.mutate(run=marked.gap.sum().over(running))
    length = (runs.until - runs["at"]).cast(_LENGTH)
    return runs.group_by("kind", "code", "run").aggregate(
        first=runs["at"].min(),
        last=runs.until.max() - 1,
        depth=runs.depth.max(),
        pairs=runs.pairs.sum(),
        excess=((runs.depth - 1).cast(_LENGTH) * length).sum(),
    )


def _first_of_each_kind(segments: ir.Table, limit: int) -> ir.Table:
    whole = ibis.window(group_by="kind")
    ranked = segments.select(
        "kind",
        "code",
        "first",
        "last",
        "depth",
        rank=ibis.row_number().over(group_by="kind", order_by=["code", "first"]),
        segments=segments["first"].count().over(whole),
        units=(segments["last"] - segments["first"] + 1).cast(_TOTAL).sum().over(whole),
        excess=segments.excess.sum().over(whole),
        pairs=segments.pairs.sum().over(whole),
    )
    return ranked.filter(ranked["rank"] < limit).drop("rank")
