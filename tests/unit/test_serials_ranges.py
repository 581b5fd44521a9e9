from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.serials import LARGEST_NUMBER, SerialRange, difference, normalise, overlap

# Small numbers, so that sets of units can say what is right and collisions are common.
BOUND = 40
ranges = st.tuples(st.integers(1, BOUND), st.integers(1, BOUND)).map(lambda ends: SerialRange(min(ends), max(ends)))
books = st.lists(ranges, max_size=8)


def units(*parts: SerialRange) -> set[int]:
    return {number for part in parts for number in range(part.first, part.last + 1)}


def test_both_ends_are_included() -> None:
    # CAD Trust's example, which says 1234023 in one place and 1000 units in another.
    assert SerialRange(1233023, 1234022).count == 1000
    assert SerialRange(5400, 5400).count == 1


@pytest.mark.parametrize(("first", "last"), [(2, 1), (0, 5), (0, 0), (-3, 4), (-4, -3), (1, LARGEST_NUMBER + 1)])
def test_refuses_what_is_no_range(first: int, last: int) -> None:
    with pytest.raises(ValueError, match=f"found the unit range {first} to {last}; expected 1 <= first"):
        SerialRange(first, last)


def test_the_largest_number_and_its_successor_fit_a_bigint() -> None:
    assert SerialRange(1, LARGEST_NUMBER).last + 1 < 2**63


@given(ranges)
def test_count_is_the_number_of_units(one: SerialRange) -> None:
    assert one.count == len(units(one))


@given(ranges, ranges)
def test_pairs_behave_as_sets_of_units(one: SerialRange, other: SerialRange) -> None:
    mine, theirs = units(one), units(other)
    common = one.intersection(other)
    assert (units(common) if common else set()) == mine & theirs
    assert one.overlaps(other) == bool(mine & theirs)
    assert one.contains(other) == (theirs <= mine)
    rest = one.difference(other)
    assert units(*rest) == mine - theirs
    assert list(rest) == sorted(rest)
    assert sum(part.count for part in rest) == len(mine - theirs)


@given(ranges, ranges)
def test_merges_exactly_what_leaves_no_gap(one: SerialRange, other: SerialRange) -> None:
    together = units(one) | units(other)
    gapless = max(together) - min(together) + 1 == len(together)
    assert gapless == (one.overlaps(other) or one.adjacent(other))
    assert not (one.overlaps(other) and one.adjacent(other))
    if gapless:
        assert units(one.merge(other)) == together
        assert one.merge(other) == other.merge(one)
    else:
        with pytest.raises(ValueError, match="found a gap between"):
            one.merge(other)


@given(ranges, st.integers(-1, BOUND + 2))
def test_split_then_merge_is_identity_or_the_split_is_refused(one: SerialRange, number: int) -> None:
    if one.first < number <= one.last:
        low, high = one.split_at(number)
        assert low.adjacent(high)
        assert high.first == number
        assert low.merge(high) == one
    else:
        with pytest.raises(ValueError, match="units on both sides"):
            one.split_at(number)


@given(ranges, st.integers(-1, BOUND + 2))
def test_takes_a_quantity_from_either_end_and_loses_nothing(one: SerialRange, quantity: int) -> None:
    if not 1 <= quantity <= one.count:
        for take in (one.take_first, one.take_last):
            with pytest.raises(ValueError, match=f"found {quantity} units to take"):
                take(quantity)
        return
    low, above = one.take_first(quantity)
    high, below = one.take_last(quantity)
    assert low.first == one.first
    assert high.last == one.last
    for taken, rest in ((low, above), (high, below)):
        assert taken.count == quantity
        assert (rest.count if rest else 0) == one.count - quantity
        assert (taken.merge(rest) if rest else taken) == one


@given(books)
def test_normal_form_is_the_same_units_in_the_fewest_blocks(book: list[SerialRange]) -> None:
    normal = normalise(book)
    assert units(*normal) == units(*book)
    assert all(one.last + 1 < following.first for one, following in pairwise(normal))
    assert normalise(normal) == normal
    assert normalise(reversed(book)) == normal


@given(books, books)
def test_books_behave_as_sets_of_units(left: list[SerialRange], right: list[SerialRange]) -> None:
    mine, theirs = units(*left), units(*right)
    assert units(*overlap(left, right)) == mine & theirs
    assert units(*difference(left, right)) == mine - theirs
    for found in (overlap(left, right), difference(left, right)):
        assert normalise(found) == found


def test_a_long_book_is_compared_in_one_pass() -> None:
    # Twenty thousand blocks a side: a comparison of all pairs would take minutes.
    left = [SerialRange(10 * i + 1, 10 * i + 6) for i in range(20_000)]
    right = [SerialRange(10 * i + 5, 10 * i + 9) for i in range(20_000)]
    assert sum(part.count for part in overlap(left, right)) == 2 * 20_000
    assert sum(part.count for part in difference(left, right)) == 4 * 20_000
