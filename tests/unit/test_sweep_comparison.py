from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from random import Random

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.model.errors import ConfigurationError, InvariantViolation
from gateway.sweep import (
    Engine,
    Segment,
    SegmentKind,
    Total,
    Verdict,
    break_id,
    compare,
    overlaps,
)

Block = tuple[str, int, int]
SURPLUS_HERE, SURPLUS_THERE, OVERLAP_HERE, OVERLAP_THERE = (
    SegmentKind.SURPLUS_HERE,
    SegmentKind.SURPLUS_THERE,
    SegmentKind.OVERLAP_HERE,
    SegmentKind.OVERLAP_THERE,
)
SCHEMA = {"space": pl.String, "first": pl.Int64, "last": pl.Int64}
LARGEST_SERIAL = 10**18 - 1
# Each example is a query over many spaces: few prove much, and shrinking a failure would take minutes.
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


def book(*blocks: Block) -> pl.DataFrame:
    return pl.DataFrame(list(blocks), schema=SCHEMA, orient="row")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(temp_directory=tmp_path_factory.mktemp("spill")) as opened:
        yield opened


# --- the oracle: every serial, one by one


def covers(blocks: Sequence[Block]) -> Counter[tuple[str, int]]:
    return Counter((space, serial) for space, first, last in blocks for serial in range(first, last + 1))


def runs(kind: SegmentKind, depths: dict[tuple[str, int], int]) -> list[Segment]:
    found: list[Segment] = []
    for (space, serial), depth in sorted(depths.items()):
        before = found[-1] if found else None
        if before is not None and before.space == space and before.last == serial - 1:
            found[-1] = Segment(kind, space, before.first, serial, max(depth, before.depth))
        else:
            found.append(Segment(kind, space, serial, serial, depth))
    return found


def expected_segments(ours: Sequence[Block], theirs: Sequence[Block]) -> list[Segment]:
    here, there = covers(ours), covers(theirs)
    return [
        *runs(OVERLAP_HERE, {unit: n for unit, n in here.items() if n > 1}),
        *runs(OVERLAP_THERE, {unit: n for unit, n in there.items() if n > 1}),
        *runs(SURPLUS_HERE, {unit: n for unit, n in here.items() if not there[unit]}),
        *runs(SURPLUS_THERE, {unit: n for unit, n in there.items() if not here[unit]}),
    ]


def expected_pairs(blocks: Sequence[Block]) -> int:
    return sum(a[0] == b[0] and a[1] <= b[2] and b[1] <= a[2] for a, b in combinations(blocks, 2))


def block_lists(longest: int = 8) -> st.SearchStrategy[list[Block]]:
    block = st.tuples(
        st.sampled_from(["VCS-1", "VCS-10", "GS-é", "国-2", "", *"abcdef"]), st.integers(0, 24), st.integers(0, longest)
    )
    return st.lists(block.map(lambda parts: (parts[0], parts[1], parts[1] + parts[2])), max_size=60)


@FEW
@given(blocks=block_lists())
def test_overlaps_agrees_with_the_oracle(engine: Engine, blocks: list[Block]) -> None:
    found = overlaps(book(*blocks), engine=engine)
    assert found.pairs == expected_pairs(blocks)
    assert list(found.segments) == expected_segments(blocks, blocks)[: len(found.segments)]
    assert len(found.segments) == len(runs(OVERLAP_HERE, {u: n for u, n in covers(blocks).items() if n > 1}))
    assert found.units == sum(n > 1 for n in covers(blocks).values())
    assert not found.truncated


@FEW
@given(ours=block_lists(), theirs=block_lists())
def test_compare_agrees_with_the_oracle(engine: Engine, ours: list[Block], theirs: list[Block]) -> None:
    found = compare(book(*ours), book(*theirs), complete=True, engine=engine)
    expected = expected_segments(ours, theirs)
    assert list(found.segments) == expected
    assert found.verdict is (Verdict.BROKEN if expected else Verdict.MATCHED)
    for kind, total in found.totals.items():
        assert total.segments == sum(segment.kind is kind for segment in expected)
        assert total.units == sum(segment.units for segment in expected if segment.kind is kind)
    assert found.totals[OVERLAP_HERE].pairs == expected_pairs(ours)
    assert found.totals[OVERLAP_THERE].pairs == expected_pairs(theirs)
    assert found.totals[OVERLAP_HERE].excess == covers(ours).total() - len(covers(ours))
    assert found.totals[OVERLAP_THERE].excess == covers(theirs).total() - len(covers(theirs))
    assert found.units_ours == covers(ours).total()
    assert found.units_theirs == covers(theirs).total()
    assert found.units_compared == len(covers(ours).keys() | covers(theirs).keys())
    assert found.units_unproven == 0


@FEW
@given(ours=block_lists(), theirs=block_lists())
def test_an_incomplete_read_drops_what_it_cannot_prove_and_nothing_else(
    engine: Engine, ours: list[Block], theirs: list[Block]
) -> None:
    found = compare(book(*ours), book(*theirs), complete=False, engine=engine)
    assert found.verdict is Verdict.INCOMPLETE
    expected = expected_segments(ours, theirs)
    assert list(found.segments) == [segment for segment in expected if segment.kind is not SURPLUS_HERE]
    assert found.totals[SURPLUS_HERE] == Total()
    assert found.units_unproven == sum(segment.units for segment in expected if segment.kind is SURPLUS_HERE)
    assert found.units_compared == len(covers(theirs))


@FEW
@given(
    lengths=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50)), min_size=1, max_size=12),
    seed=st.integers(0, 2**32),
)
def test_splits_and_merges_of_one_union_match(engine: Engine, lengths: list[tuple[str, int]], seed: int) -> None:
    random = Random(seed)
    whole: list[Block] = []
    for space, length in lengths:
        start = 1 + max((last for name, _, last in whole if name == space), default=0) + random.choice((0, 3))
        whole.append((space, start, start + length - 1))

    def cut() -> pl.DataFrame:
        pieces = []
        for space, first, last in whole:
            ends = sorted({last, *(random.randint(first, last) for _ in range(random.randint(0, 4)))})
            starts = [first, *(end + 1 for end in ends[:-1])]
            pieces += [(space, start, end) for start, end in zip(starts, ends, strict=True)]
        random.shuffle(pieces)
        return book(*pieces)

    found = compare(cut(), cut(), complete=True, engine=engine)
    assert found.verdict is Verdict.MATCHED
    assert found.segments == ()
    assert found.units_compared == sum(length for _, length in lengths)


# --- by hand


def test_blocks_that_touch_do_not_overlap(engine: Engine) -> None:
    found = overlaps(book(("a", 1, 10), ("a", 11, 11), ("a", 12, 20), ("b", 5, 15)), engine=engine)
    assert (found.pairs, found.units, found.segments, found.truncated) == (0, 0, (), False)


def test_overlaps_next_to_each_other_are_one_segment_with_the_deepest_cover(engine: Engine) -> None:
    found = overlaps(book(("a", 1, 10), ("a", 3, 5), ("a", 6, 8), ("a", 8, 9)), engine=engine)
    assert found.segments == (Segment(OVERLAP_HERE, "a", 3, 9, 3),)
    assert found.pairs == 4


@pytest.mark.parametrize("count", [2, 3, 40])
def test_equal_blocks_are_every_pair(engine: Engine, count: int) -> None:
    found = overlaps(book(*[("a", 7, 7)] * count), engine=engine)
    assert found.pairs == count * (count - 1) // 2
    assert found.segments == (Segment(OVERLAP_HERE, "a", 7, 7, count),)


def test_a_double_count_that_totals_hide(engine: Engine) -> None:
    found = compare(book(("a", 1, 5), ("a", 1, 5)), book(("a", 1, 10)), complete=True, engine=engine)
    assert found.units_ours == found.units_theirs == 10
    assert found.segments == (Segment(OVERLAP_HERE, "a", 1, 5, 2), Segment(SURPLUS_THERE, "a", 6, 10, 1))


def test_a_unit_held_twice_and_unknown_there_is_both(engine: Engine) -> None:
    found = compare(book(("a", 1, 10), ("a", 5, 5)), book(), complete=True, engine=engine)
    assert found.segments == (Segment(OVERLAP_HERE, "a", 5, 5, 2), Segment(SURPLUS_HERE, "a", 1, 10, 2))


BASE = ("a", 1, 10)
VERDICTS = [
    # ours, theirs, kinds when complete, kinds when incomplete
    ([BASE], [BASE], set(), set()),
    ([BASE], [("a", 1, 9)], {SURPLUS_HERE}, set()),
    ([BASE], [], {SURPLUS_HERE}, set()),
    ([BASE], [("a", 1, 11)], {SURPLUS_THERE}, {SURPLUS_THERE}),
    ([BASE, BASE], [BASE], {OVERLAP_HERE}, {OVERLAP_HERE}),
    ([BASE], [BASE, BASE], {OVERLAP_THERE}, {OVERLAP_THERE}),
    ([], [], set(), set()),
]


@pytest.mark.parametrize(("ours", "theirs", "whole", "part"), VERDICTS)
def test_the_table_of_verdicts(
    engine: Engine, ours: list[Block], theirs: list[Block], whole: set[SegmentKind], part: set[SegmentKind]
) -> None:
    complete = compare(book(*ours), book(*theirs), complete=True, engine=engine)
    assert complete.verdict is (Verdict.BROKEN if whole else Verdict.MATCHED)
    assert {segment.kind for segment in complete.segments} == whole
    incomplete = compare(book(*ours), book(*theirs), complete=False, engine=engine)
    assert incomplete.verdict is Verdict.INCOMPLETE
    assert {segment.kind for segment in incomplete.segments} == part


def test_a_limit_cuts_each_kind_and_leaves_the_numbers_exact(engine: Engine) -> None:
    scattered = [("a", n * 10, n * 10 + 1) for n in range(30)]
    found = compare(book(*scattered), book(("b", 1, 1)), complete=True, engine=engine, limit=3)
    assert found.truncated
    assert [segment.first for segment in found.segments if segment.kind is SURPLUS_HERE] == [0, 10, 20]
    assert [segment.kind for segment in found.segments].count(SURPLUS_THERE) == 1
    assert found.totals[SURPLUS_HERE] == Total(segments=30, units=60)
    inside = overlaps(book(*scattered, *scattered), engine=engine, limit=29)
    assert (inside.pairs, inside.units, len(inside.segments), inside.truncated) == (30, 60, 29, True)
    assert not overlaps(book(*scattered, *scattered), engine=engine, limit=30).truncated


def test_what_an_incomplete_read_leaves_unproven_does_not_count_as_truncated(engine: Engine) -> None:
    scattered = [("a", n * 10, n * 10) for n in range(5)]
    assert not compare(book(*scattered), book(), complete=False, engine=engine, limit=1).truncated


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_could_hide_everything_is_refused(engine: Engine, limit: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        overlaps(book(), engine=engine, limit=limit)


def test_serials_near_the_end_of_their_range(engine: Engine) -> None:
    wide = ("a", 0, LARGEST_SERIAL)
    found = compare(book(wide), book(*[wide] * 40, ("b", 0, 2**63 - 2)), complete=True, engine=engine)
    assert found.segments == (
        Segment(OVERLAP_THERE, "a", 0, LARGEST_SERIAL, 40),
        Segment(SURPLUS_THERE, "b", 0, 2**63 - 2, 1),
    )
    assert found.units_theirs == 40 * 10**18 + 2**63 - 1
    assert found.totals[OVERLAP_THERE] == Total(segments=1, units=10**18, excess=39 * 10**18, pairs=780)
    assert found.units_compared == 10**18 + 2**63 - 1


@pytest.mark.parametrize("space_of", [lambda _: "one", str], ids=["one space", "a space each"])
def test_many_blocks_in_one_space_or_many(engine: Engine, space_of: Callable[[int], str]) -> None:
    count = 60_000
    blocks = pl.DataFrame({"space": [space_of(n) for n in range(count)], "first": range(0, count * 10, 10)})
    ours = blocks.with_columns(last=pl.col("first") + 9)
    theirs = pl.concat([ours.filter(pl.col("first") != 70), ours[100:101]]).sample(fraction=1, shuffle=True, seed=1)
    found = compare(ours, theirs, complete=True, engine=engine)
    assert found.segments == (
        Segment(OVERLAP_THERE, space_of(100), 1000, 1009, 2),
        Segment(SURPLUS_HERE, space_of(7), 70, 79, 1),
    )


def test_nested_blocks_of_one_space_are_counted_not_listed(engine: Engine) -> None:
    count = 20_000
    nested = pl.DataFrame({"space": ["a"] * count, "first": range(count), "last": range(2 * count, count, -1)})
    found = overlaps(nested, engine=engine)
    assert found.pairs == count * (count - 1) // 2
    assert found.segments == (Segment(OVERLAP_HERE, "a", 1, 2 * count - 1, count),)


def test_findings_and_their_ids_do_not_depend_on_order_or_carrier(engine: Engine) -> None:
    random = Random(7)
    ours = [(random.choice("abc"), first, first + random.randint(0, 20)) for first in range(0, 600, 9)]
    theirs = [(space, first, last - 1) for space, first, last in ours if last > first]

    def ids(mine: pl.DataFrame | pa.Table, other: pl.DataFrame | pa.Table) -> list[str]:
        found = compare(mine, other, complete=True, engine=engine).segments
        return [break_id(s.kind.break_kind, "verra", "1001", s.space, s.first, s.last) for s in found]

    first = ids(book(*ours), book(*theirs))
    assert len(first) == len(set(first)) > 50
    random.shuffle(ours)
    random.shuffle(theirs)
    assert ids(book(*ours), book(*theirs)) == first
    assert ids(pa.table(book(*ours).to_arrow()), pa.Table.from_pylist(book(*theirs).to_dicts())) == first


def test_other_columns_are_not_read(engine: Engine) -> None:
    more = book(("a", 1, 2)).with_columns(owner=pl.lit("x")).select("owner", "last", "first", "space")
    assert compare(more, book(("a", 1, 2)), complete=True, engine=engine).verdict is Verdict.MATCHED


@pytest.mark.parametrize(
    ("space", "first", "last"),
    [
        ("a", 5, 4),
        ("a", -1, 4),
        ("a", 0, 2**63 - 1),
        ("a", -(2**63), 2**63 - 1),
        (None, 1, 2),
        ("a", None, 2),
        ("a", 1, None),
    ],
)
def test_a_row_that_is_no_block_stops_the_comparison(
    engine: Engine, space: str | None, first: int | None, last: int | None
) -> None:
    bad = pl.DataFrame({"space": ["a", space], "first": [1, first], "last": [1, last]}, schema=SCHEMA)
    with pytest.raises(InvariantViolation, match="their book has 1 rows that are no blocks"):
        compare(book(("a", 1, 1)), bad, complete=True, engine=engine)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("first").cast(pl.Float64), "'first': found double; expected int64"),
        (pl.col("last").cast(pl.Int32), "'last': found int32; expected int64"),
        (pl.col("first").alias("space"), "'space': found int64; expected string"),
    ],
)
def test_a_column_of_another_type_is_refused(engine: Engine, change: pl.Expr, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        overlaps(book(("a", 1, 1)).with_columns(change), engine=engine)


def test_an_absent_column_is_named(engine: Engine) -> None:
    with pytest.raises(TypeError, match="'last': found none; expected int64"):
        overlaps(book(("a", 1, 1)).drop("last"), engine=engine)


def test_spilling_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    count = 200_000
    ours = pl.DataFrame({"space": [f"VCS-{n % 1000}" for n in range(count)], "first": range(0, count * 10, 10)})
    ours = ours.with_columns(last=pl.col("first") + 9)
    theirs = ours[::-1].filter(pl.col("first") % 70_000 != 0)
    with (
        Engine(temp_directory=tmp_path / "none", memory_limit="32MB", spill_limit="1MB") as too_small,
        pytest.raises(ConfigurationError),  # so the next one did spill
    ):
        compare(ours, theirs, complete=True, engine=too_small)
    with Engine(temp_directory=tmp_path / "spill", memory_limit="32MB") as small:
        assert compare(ours, theirs, complete=True, engine=small) == compare(ours, theirs, complete=True, engine=engine)
