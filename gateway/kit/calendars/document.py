"""The three kinds of document that calendars are made of, and what each must hold.

- A **day list** (``data/days/*.yaml``) is generated: the days of a place that are not like their weekday, by year.
- ``data/overrides.yaml`` is written by hand: days that the day lists' sources have wrong or cannot name, and from when
  on a list is provisional.
- ``data/calendars.yaml`` is written by hand: which day list a calendar follows, in which zone, with which hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
CLOCK: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_IN_MINUTES: Final = 24 * 60

Week = Literal["monday_to_friday", "every_day"]


def _day(said: object) -> object:
    """An ISO day and nothing else: pydantic would also read ``1704067200`` as one."""
    if isinstance(said, str) and not DAY.fullmatch(said):
        raise ValueError(f"found {said!r}, expected a day as 2026-01-31")
    return said


def _minutes(said: object) -> int:
    found = CLOCK.fullmatch(said) if isinstance(said, str) else None
    minutes = int(found[1]) * 60 + int(found[2]) if found else DAY_IN_MINUTES + 1
    if minutes > DAY_IN_MINUTES:
        raise ValueError(f"found {said!r}, expected a time of day as 09:30, 24:00 at the latest")
    return minutes


def _span(said: object) -> tuple[int, int]:
    start, dash, end = said.partition("-") if isinstance(said, str) else ("", "", "")
    if not dash:
        raise ValueError(f"found {said!r}, expected hours as 09:30-11:30")
    span = _minutes(start), _minutes(end)
    if span[0] >= span[1]:
        raise ValueError(f"found {said!r}, expected the earlier time first")
    return span


Day = Annotated[date, BeforeValidator(_day)]
ClockTime = Annotated[int, BeforeValidator(_minutes)]
ClockSpan = Annotated[tuple[int, int], BeforeValidator(_span)]


class _Part(BaseModel):
    """A part of a document: frozen, and closed to words that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def is_weekly(week: Week, day: date) -> bool:
    """Whether the week alone makes a day an open one."""
    return week == "every_day" or day.weekday() < WEEKDAYS.index("Sat")


class ListedDay(_Part):
    """A day that is not like its weekday. The weekday is written beside it for the reader, and checked."""

    day: Day
    weekday: str
    name: str = Field(min_length=1)
    chinese: str | None = None

    @model_validator(mode="after")
    def _the_weekday_is_right(self) -> Self:
        expected = WEEKDAYS[self.day.weekday()]
        if self.weekday != expected:
            raise ValueError(f"{self.day} is written as {self.weekday}, but it is a {expected}")
        return self


class Year(_Part):
    """One year of a day list.

    Args:
        closed: days that the week would have open.
        half_days: open days with shorter hours.
        opened: days that the week would have closed: make-up working days.
    """

    closed: tuple[ListedDay, ...] = ()
    half_days: tuple[ListedDay, ...] = ()
    opened: tuple[ListedDay, ...] = ()

    @model_validator(mode="after")
    def _each_day_once_and_in_order(self) -> Self:
        for days in (self.closed, self.half_days, self.opened):
            order = [one.day for one in days]
            if order != sorted(set(order)):
                raise ValueError("the days of a list must stand in order, each once")
        both = {one.day for one in self.closed} & {one.day for one in self.half_days}
        if both:
            raise ValueError(f"{min(both)} is listed as closed and as a half day")
        return self

    def listed(self) -> Iterator[ListedDay]:
        """Every day of the year's lists."""
        yield from self.closed
        yield from self.half_days
        yield from self.opened


class DayList(_Part):
    """The days of one place, as the generator writes them."""

    days: str
    describes: str
    source: str
    generated_with: dict[str, str] = Field(description="The libraries and their versions.")
    week: Week
    first_day: Day
    last_day: Day
    years: dict[Annotated[str, Field(pattern=r"^\d{4}$")], Year]

    @model_validator(mode="after")
    def _every_year_is_there(self) -> Self:
        """A year left out would read as a year without holidays."""
        expected = [str(year) for year in range(self.first_day.year, self.last_day.year + 1)]
        if list(self.years) != expected:
            raise ValueError(f"found the years {', '.join(self.years)}, expected {', '.join(expected)}")
        return self

    @model_validator(mode="after")
    def _every_day_is_in_its_place(self) -> Self:
        for number, year in self.years.items():
            for one in year.listed():
                if str(one.day.year) != number or not self.first_day <= one.day <= self.last_day:
                    raise ValueError(
                        f"{one.day} stands in {number}, of a list from {self.first_day} to {self.last_day}"
                    )
            for one in (*year.closed, *year.half_days):
                if not is_weekly(self.week, one.day):
                    raise ValueError(f"{one.day} is listed as closed or half, but a {one.weekday} is closed anyway")
            for one in year.opened:
                if is_weekly(self.week, one.day):
                    raise ValueError(f"{one.day} is listed as opened, but a {one.weekday} is open anyway")
        return self


class Override(_Part):
    """What a day is, decided by a person against or beyond the day lists' sources."""

    day: Day
    lists: tuple[str, ...] = Field(min_length=1)
    becomes: Literal["closed", "open", "half_day"]
    name: str = Field(min_length=1)
    chinese: str | None = None
    reason: str = Field(min_length=10)
    source: str = Field(min_length=10)


class Provisional(_Part):
    """From when on the days of a list are expected rather than announced."""

    begins: Day = Field(alias="from")
    because: str = Field(min_length=10)


class Overrides(_Part):
    """What people know better than the libraries."""

    provisional: dict[str, Provisional]
    overrides: tuple[Override, ...]

    @model_validator(mode="after")
    def _each_day_once(self) -> Self:
        seen: set[tuple[str, date]] = set()
        for one in self.overrides:
            for name in one.lists:
                if (name, one.day) in seen:
                    raise ValueError(f"{one.day} is overridden twice for {name}")
                seen.add((name, one.day))
        return self

    def of(self, name: str) -> dict[date, Override]:
        """The overrides of one day list."""
        return {one.day: one for one in self.overrides if name in one.lists}


class _Stated(_Part):
    """Something said about a calendar: published by somebody, or assumed by us; the note says which and why."""

    assumed: StrictBool
    note: str = Field(min_length=10)


class FollowedDays(_Stated):
    """Which day list a calendar follows."""

    list: str


class StatedHours(_Stated):
    """The sessions of a full day and of a half day, by the clock of the calendar's zone."""

    sessions: tuple[ClockSpan, ...] = Field(min_length=1)
    half_day_sessions: tuple[ClockSpan, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for spans in (self.sessions, self.half_day_sessions):
            bounds = [bound for span in spans for bound in span]
            if bounds != sorted(bounds):
                raise ValueError("the sessions of a day must stand in order and not overlap")
        return self


class StatedCutOff(_Stated):
    """The last time of day for business of that day."""

    at: ClockTime
    half_day_at: ClockTime | None = None


class CalendarEntry(_Part):
    """One calendar."""

    describes: str = Field(min_length=10)
    source: str = Field(min_length=10)
    zone: str
    first_day: Day | None = Field(default=None, description="Where the market began later than the day list does.")
    days: FollowedDays
    hours: StatedHours
    cut_off: StatedCutOff | None = None

    def assumptions(self) -> tuple[str, ...]:
        """The notes of the parts that are assumed."""
        return tuple(one.note for one in (self.days, self.hours, self.cut_off) if one is not None and one.assumed)


class CalendarsDocument(_Part):
    """Every calendar by its name."""

    calendars: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], CalendarEntry]
