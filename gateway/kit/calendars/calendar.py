"""A calendar: the open days, hours and cut-offs of one market or one currency.

A day here is a date in the calendar's own zone; an instant is UTC. A calendar answers from its data alone. Outside
them it raises :class:`BeyondCalendar`: that a day is a Tuesday does not make it a trading day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.model.errors import ConfigurationError

HORIZON_DAYS: Final = 180
"""So many days before a calendar's data end, a person is told."""
PROVISIONAL_NOTICE_DAYS: Final = 30
"""So many days before a calendar's days become provisional, a person is told: the time in which to read the notice."""

Minutes = int
"""A time of day as minutes of the wall clock since midnight: 0 to 1440, so that a day can end at 24:00."""
Span = tuple[Minutes, Minutes]


class BeyondCalendar(ConfigurationError):
    """A day was asked about that the calendar's data do not reach.

    Args:
        calendar: the calendar's name.
        day: the day asked about.
        first_day: the first day of its data.
        last_day: the last day of its data.
    """

    def __init__(self, calendar: str, day: date, *, first_day: date, last_day: date) -> None:
        self.calendar = calendar
        self.day = day
        self.first_day = first_day
        self.last_day = last_day
        super().__init__(
            f"calendar {calendar}: found {day}, expected a day of {first_day} to {last_day}, which its data cover; "
            "docs/calendars.md tells how to extend them"
        )


@dataclass(frozen=True, slots=True)
class Holiday:
    """Why a day is not like its weekday.

    Args:
        name: in English.
        chinese: as the place writes it, traditional in Hong Kong and simplified on the mainland; None elsewhere.
    """

    name: str
    chinese: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A time of trading or of business, ``start <= instant < end``, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a day, by the wall clock of the calendar's zone.

    Args:
        sessions: in order, not overlapping.
        cut_off: the last minute for business of the day; None where there is none.
    """

    sessions: tuple[Span, ...]
    cut_off: Minutes | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days and hours of one market or currency. Its methods take days; an instant in place of one is a TypeError.

    Args:
        name: ``ccer``, ``USD``.
        zone: the zone in which its days and hours are written.
        describes: what it is the calendar of, in a sentence.
        source: where its days and hours are known from.
        assumptions: a sentence for each part that nobody published and we chose; empty where all is published.
        first_day: the first day of the data.
        last_day: the last day of the data.
        provisional_from: from here on the days are expected, not announced; None where all are settled.
        open_days: every open day of the data, in order.
        half_days: the open days that keep the half day's hours.
        holidays: the days that are not like their weekday, and why: closed ones, half days, make-up working days.
        full_day: the hours of a full day.
        half_day: the hours of a half day; None where the data have none.
    """

    name: str
    zone: ZoneInfo
    describes: str
    source: str
    assumptions: tuple[str, ...]
    first_day: date
    last_day: date
    provisional_from: date | None
    open_days: tuple[date, ...] = field(repr=False)
    half_days: frozenset[date] = field(repr=False)
    holidays: Mapping[date, Holiday] = field(repr=False, hash=False)
    full_day: Hours
    half_day: Hours | None

    def is_open(self, day: date) -> bool:
        """Whether the market trades, or the currency is paid, on a day. Raises BeyondCalendar outside the data."""
        self._require(day)
        place = bisect_left(self.open_days, day)
        return place < len(self.open_days) and self.open_days[place] == day

    def is_half_day(self, day: date) -> bool:
        """Whether a day is open with shorter hours. Raises BeyondCalendar outside the data."""
        self._require(day)
        return day in self.half_days

    def holiday(self, day: date) -> Holiday | None:
        """What makes a day differ from its weekday; None where nothing does. Raises BeyondCalendar outside the data."""
        self._require(day)
        return self.holidays.get(day)

    def provisional(self, day: date) -> bool:
        """Whether a day is expected rather than announced. Raises BeyondCalendar outside the data."""
        self._require(day)
        return self.provisional_from is not None and day >= self.provisional_from

    def sessions(self, day: date) -> tuple[Session, ...]:
        """The sessions of a day in order; none on a closed day. Raises BeyondCalendar outside the data."""
        hours = self._hours(day)
        if hours is None:
            return ()
        return tuple(Session(self._instant(day, start), self._instant(day, end)) for start, end in hours.sessions)

    def cut_off(self, day: date) -> datetime | None:
        """The instant after which business is of a later day; None on a closed day or where the calendar has none.

        Raises BeyondCalendar outside the data.
        """
        hours = self._hours(day)
        return self._instant(day, hours.cut_off) if hours and hours.cut_off is not None else None

    def is_open_at(self, instant: datetime) -> bool:
        """Whether an instant lies in a session; a session's end does not belong to it.

        Raises ValueError for a naive instant, BeyondCalendar outside the data.
        """
        if instant.utcoffset() is None:
            raise ValueError(f"calendar {self.name}: found the naive instant {instant}, expected one with a zone")
        day = instant.astimezone(self.zone).date()
        return any(session.start <= instant < session.end for session in self.sessions(day))

    def next_open_day(self, day: date) -> date:
        """The first open day after a day. Raises BeyondCalendar where the data end before there is one."""
        return self._open_day(day, bisect_right(self.open_days, day))

    def previous_open_day(self, day: date) -> date:
        """The last open day before a day. Raises BeyondCalendar where the data begin after it."""
        return self._open_day(day, bisect_left(self.open_days, day) - 1)

    def add_open_days(self, day: date, number: int) -> date:
        """The ``number``-th open day after a day, which itself need not be open; before it where negative.

        ``add_open_days(day, 2)`` is T+2. Zero gives the day itself, or the next open one where it is closed.
        Raises BeyondCalendar where the data do not reach.
        """
        if number < 0:
            return self._open_day(day, bisect_left(self.open_days, day) + number)
        if number == 0:
            return self._open_day(day, bisect_left(self.open_days, day))
        return self._open_day(day, bisect_right(self.open_days, day) + number - 1)

    def open_days_between(self, first: date, last: date) -> int:
        """How many open days come after ``first``, up to and with ``last``: 1 from a day to the next open one.

        So counts the rule of CCER that between buying and selling lie five trading days (trading rules of 2023,
        article 29): :meth:`add_open_days` of the same number is the day on which the count is reached.
        Raises ValueError where ``last`` is before ``first``, BeyondCalendar outside the data.
        """
        self._require(first)
        self._require(last)
        if last < first:
            raise ValueError(f"calendar {self.name}: found the days {first} to {last}, expected the earlier one first")
        return bisect_right(self.open_days, last) - bisect_right(self.open_days, first)

    def _hours(self, day: date) -> Hours | None:
        if not self.is_open(day):
            return None
        return self.half_day if day in self.half_days else self.full_day

    def _instant(self, day: date, minutes: Minutes) -> datetime:
        """The wall clock's reading as an instant: arithmetic within one zone moves the clock's hands."""
        return (datetime.combine(day, time(), self.zone) + timedelta(minutes=minutes)).astimezone(UTC)

    def _open_day(self, day: date, place: int) -> date:
        """The open day at a place in the order; beyond either end of it the data do not say."""
        self._require(day)
        if place < 0:
            self._refuse(self.first_day - timedelta(days=1))
        if place >= len(self.open_days):
            self._refuse(self.last_day + timedelta(days=1))
        return self.open_days[place]

    def _require(self, day: date) -> None:
        if isinstance(day, datetime):
            raise TypeError(f"calendar {self.name}: found the instant {day}, expected a day in the zone {self.zone}")
        if not self.first_day <= day <= self.last_day:
            self._refuse(day)

    def _refuse(self, day: date) -> None:
        raise BeyondCalendar(self.name, day, first_day=self.first_day, last_day=self.last_day)


def all_open(calendars: Iterable[Calendar], day: date) -> bool:
    """Whether a day is open in every calendar: both markets of a delivery, and the currency that pays for it.

    A day is the same date in each zone. Raises BeyondCalendar where one does not reach it.
    """
    return all([calendar.is_open(day) for calendar in calendars])  # noqa: C419 - each one is asked whether it reaches


def next_day_all_open(calendars: Iterable[Calendar], day: date) -> date:
    """The first day after ``day`` that is open in every calendar.

    Raises ValueError without a calendar, BeyondCalendar where the first one to end has none.
    """
    every = tuple(calendars)
    if not every:
        raise ValueError("found no calendar, expected at least one")
    found = max(calendar.next_open_day(day) for calendar in every)
    while not all_open(every, found):
        found = max(calendar.add_open_days(found, 0) for calendar in every)
    return found


def horizon_warnings(calendar: Calendar, today: date, *, within_days: int = HORIZON_DAYS) -> tuple[str, ...]:
    """What a person should be told today about a calendar's data: that they end soon, or are soon only provisional.

    Args:
        calendar: the calendar asked about.
        today: the day in the calendar's zone; any day, since data that have ended are told of too.
        within_days: how many days before the end the warning begins.
    """
    said = []
    left = (calendar.last_day - today).days
    if left < 0:
        said.append(f"calendar {calendar.name}: its data ended on {calendar.last_day}; extend them now")
    elif left <= within_days:
        said.append(f"calendar {calendar.name}: its data end on {calendar.last_day}, in {left} days; extend them")
    begins = calendar.provisional_from
    if begins is not None and today <= calendar.last_day and (begins - today).days <= PROVISIONAL_NOTICE_DAYS:
        said.append(
            f"calendar {calendar.name}: its days from {begins} are provisional; check them against the announced ones"
        )
    return tuple(said)
