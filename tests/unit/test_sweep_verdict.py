import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sweep import BreakKind, SegmentKind, Verdict, break_id
from gateway.sweep.verdict import provable, verdict_of

Parts = tuple[BreakKind, str, str | None, str | None, int | None, int | None]
PARTS = st.tuples(
    st.sampled_from(BreakKind),
    st.text(),
    st.none() | st.text(),
    st.none() | st.text(),
    st.none() | st.integers(),
    st.none() | st.integers(),
)


def test_an_id_never_changes() -> None:
    # Written once: a change here makes every open break of every installation a new one.
    found = break_id(BreakKind.SERIAL_OVERLAP, "verra", "1001", "verra:2:VCS-1", 1, 10**18 - 1)
    assert found == "break-a073965f5ade43c7ac7202e20d5991a5"
    assert break_id(BreakKind.RUN_MISSED, "ccer", None, None, None, None) == "break-f20d91c85f5023d7dec00d3f0f421a90"


@given(one=PARTS, other=PARTS)
def test_one_finding_one_id(
    one: tuple[BreakKind, str, str, str, int, int], other: tuple[BreakKind, str, str, str, int, int]
) -> None:
    assert (break_id(*one) == break_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c", "d"), ("a", "bc", "d")),
        (("a", 'b","c', "d"), ("a", "b", 'c","d')),
        (("a", "b|c", "d"), ("a|b", "c", "d")),
        (("a", "", "d"), ("a", None, "d")),
        (("a", "null", "d"), ("a", None, "d")),
        (("a", "é", "d"), ("a", "\\u00e9", "d")),
    ],
)
def test_parts_do_not_run_into_each_other(one: tuple[str, str | None, str], other: tuple[str, str | None, str]) -> None:
    assert break_id(BreakKind.MISSING_HERE, *one, 1, 2) != break_id(BreakKind.MISSING_HERE, *other, 1, 2)


def test_ranges_do_not_run_into_each_other() -> None:
    ids = {break_id(BreakKind.MISSING_HERE, "m", "a", "s", first, last) for first, last in [(1, 12), (11, 2), (1, 1)]}
    assert len(ids) == 3


def test_all_kinds_of_the_design_are_there() -> None:
    assert " ".join(kind.name for kind in BreakKind) == (
        "SERIAL_OVERLAP RETIRED_ELSEWHERE QUANTITY_SURPLUS QUANTITY_SHORTFALL MISSING_THERE MISSING_HERE "
        "OWNER_MISMATCH STATE_MISMATCH ENTITLEMENT_MISMATCH ATTRIBUTE_MISMATCH COMMAND_UNRESOLVED "
        "UNREADABLE_RECORD RUN_MISSED SOURCE_STALE SOURCE_INCOMPLETE"
    )
    assert all(kind.value == kind.name.lower() for kind in BreakKind)


def test_what_a_segment_raises() -> None:
    assert {kind: kind.break_kind for kind in SegmentKind} == {
        SegmentKind.SURPLUS_HERE: BreakKind.MISSING_THERE,
        SegmentKind.SURPLUS_THERE: BreakKind.MISSING_HERE,
        SegmentKind.OVERLAP_HERE: BreakKind.SERIAL_OVERLAP,
        SegmentKind.OVERLAP_THERE: BreakKind.SERIAL_OVERLAP,
    }


def test_an_incomplete_book_never_proves_missing_there() -> None:
    unprovable = {kind for kind in SegmentKind if not provable(kind, complete=False)}
    assert {kind.break_kind for kind in unprovable} == {BreakKind.MISSING_THERE}
    assert all(provable(kind, complete=True) for kind in SegmentKind)


@pytest.mark.parametrize(
    ("found", "complete", "verdict"),
    [
        (False, True, Verdict.MATCHED),
        (True, True, Verdict.BROKEN),
        (False, False, Verdict.INCOMPLETE),
        (True, False, Verdict.INCOMPLETE),
    ],
)
def test_verdicts(found: bool, complete: bool, verdict: Verdict) -> None:
    assert verdict_of(found=found, complete=complete) is verdict
