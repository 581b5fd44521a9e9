"""Ranges of unit numbers and what can be done with them.

A range is inclusive at both ends, as every registry prints it. CAD Trust's own published example is off by
one here (end 1234023 in the field, 1234022 in the serial, count 1000), so the rule is stated and tested:
``count = last - first + 1``.

A range knows nothing of its numbering space. Comparing ranges of two spaces is meaningless (Verra's two
epochs share hundreds of millions of numbers), so callers group by space first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: The highest unit number: 18 digits, so that it and its successor fit PostgreSQL's bigint and int8range.
LARGEST_NUMBER = 10**18 - 1


@dataclass(frozen=True, slots=True, order=True)
class SerialRange:
    """The units ``first`` to ``last``, both included; ordered by first number, then last.

    Zero is refused: every registry numbers its units from 1, and a 0 is the mark of an empty or half-read
    field. Raises ValueError when the bounds are not ``1 <= first <= last <= LARGEST_NUMBER``.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= LARGEST_NUMBER:
            raise ValueError(
                f"found the unit range {self.first} to {self.last}; "
                f"expected 1 <= first <= last <= {LARGEST_NUMBER}, both ends included"
            )

    @property
    def count(self) -> int:
        """How many units the range holds; never zero."""
        return self.last - self.first + 1

    def contains(self, other: SerialRange) -> bool:
        """Whether every unit of ``other`` is in this range."""
        return self.first <= other.first and other.last <= self.last

    def overlaps(self, other: SerialRange) -> bool:
        """Whether some unit is in both."""
        return self.first <= other.last and other.first <= self.last

    def adjacent(self, other: SerialRange) -> bool:
        """Whether one begins right after the other ends: no shared unit, no gap."""
        return self.last + 1 == other.first or other.last + 1 == self.first

    def intersection(self, other: SerialRange) -> SerialRange | None:
        """The units in both, or None when there are none."""
        if not self.overlaps(other):
            return None
        return SerialRange(max(self.first, other.first), min(self.last, other.last))

    def difference(self, other: SerialRange) -> tuple[SerialRange, ...]:
        """The units of this range that are not in ``other``: none, one or two ranges, in ascending order."""
        if not self.overlaps(other):
            return (self,)
        rest: list[SerialRange] = []
        if self.first < other.first:
            rest.append(SerialRange(self.first, other.first - 1))
        if other.last < self.last:
            rest.append(SerialRange(other.last + 1, self.last))
        return tuple(rest)

    def split_at(self, number: int) -> tuple[SerialRange, SerialRange]:
        """Cuts in two; ``number`` is the first unit of the second part.

        Raises ValueError when a part would be empty.
        """
        if not self.first < number <= self.last:
            raise ValueError(
                f"found {number} as the first unit of the second part; "
                f"expected {self.first + 1} to {self.last}, to leave units on both sides"
            )
        return SerialRange(self.first, number - 1), SerialRange(number, self.last)

    def take_first(self, quantity: int) -> tuple[SerialRange, SerialRange | None]:
        """Takes the lowest ``quantity`` units; returns (taken, rest), rest None when all were taken.

        Raises ValueError when ``quantity`` is not 1 to ``count``.
        """
        self._check_quantity(quantity)
        if quantity == self.count:
            return self, None
        return self.split_at(self.first + quantity)

    def take_last(self, quantity: int) -> tuple[SerialRange, SerialRange | None]:
        """Takes the highest ``quantity`` units; returns (taken, rest), rest None when all were taken.

        Registries differ in the end they split from (UNDP's from the top, CAD Trust's bridge to it from the
        bottom), so the end is always named. Raises ValueError when ``quantity`` is not 1 to ``count``.
        """
        self._check_quantity(quantity)
        if quantity == self.count:
            return self, None
        rest, taken = self.split_at(self.last - quantity + 1)
        return taken, rest

    def merge(self, other: SerialRange) -> SerialRange:
        """The one range that holds exactly the units of both.

        Raises ValueError when a gap lies between them.
        """
        if not (self.overlaps(other) or self.adjacent(other)):
            raise ValueError(
                f"found a gap between {self.first} to {self.last} and {other.first} to {other.last}; "
                "expected ranges that overlap or follow one another"
            )
        return SerialRange(min(self.first, other.first), max(self.last, other.last))

    def _check_quantity(self, quantity: int) -> None:
        if not 1 <= quantity <= self.count:
            raise ValueError(
                f"found {quantity} units to take from {self.first} to {self.last}; expected 1 to {self.count}"
            )


def normalise(ranges: Iterable[SerialRange]) -> tuple[SerialRange, ...]:
    """The same units as the fewest ranges: ascending, disjoint, with a gap between each and the next.

    Two books that cut the same units into different blocks have equal normal forms.
    """
    merged: list[SerialRange] = []
    for item in sorted(ranges):
        if merged and item.first <= merged[-1].last + 1:
            merged[-1] = merged[-1].merge(item)
        else:
            merged.append(item)
    return tuple(merged)


def overlap(left: Iterable[SerialRange], right: Iterable[SerialRange]) -> tuple[SerialRange, ...]:
    """The units that are in both sets, normalised. Overlaps inside one side are not reported."""
    lefts, rights = normalise(left), normalise(right)
    shared: list[SerialRange] = []
    i = j = 0
    while i < len(lefts) and j < len(rights):
        common = lefts[i].intersection(rights[j])
        if common is not None:
            shared.append(common)
        if lefts[i].last < rights[j].last:
            i += 1
        else:
            j += 1
    return tuple(shared)


def difference(left: Iterable[SerialRange], right: Iterable[SerialRange]) -> tuple[SerialRange, ...]:
    """The units of ``left`` that are not in ``right``, normalised."""
    rights = normalise(right)
    rest: list[SerialRange] = []
    j = 0
    for item in normalise(left):
        while j < len(rights) and rights[j].last < item.first:
            j += 1
        remaining: tuple[SerialRange, ...] = (item,)
        k = j
        while remaining and k < len(rights) and rights[k].first <= item.last:
            *done, tail = remaining
            rest.extend(done)
            remaining = tail.difference(rights[k])
            k += 1
        rest.extend(remaining)
        # The last range looked at may reach into the next item of the left side.
        j = max(j, k - 1)
    return tuple(rest)
