"""Calendars: the days that are known to be right, the clock and its seasons, arithmetic, and the edges of the data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kit.calendars import (
    BeyondCalendar,
    Calendar,
    all_open,
    horizon_warnings,
    load,
    names,
    next_day_all_open,
)
from gateway.model.errors import ConfigurationError

FIRST, LAST = date(2024, 1, 1), date(2028, 12, 31)
DAYS = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
CALENDARS = {name: load(name) for name in names()}
MAINLAND = ("ccer", "hubei", "phcer")

calendars = st.sampled_from(list(CALENDARS.values()))


@st.composite
def calendars_and_days(draw: st.DrawFn, days: int = 1) -> tuple[Calendar, list[date]]:
    """A calendar, and days of its data in order, far enough from their ends to count a month either way."""
    calendar = draw(calendars)
    margin = timedelta(days=60)
    one = st.dates(calendar.first_day + margin, calendar.last_day - margin)
    return calendar, sorted(draw(st.lists(one, min_size=days, max_size=days)))


def days_of(year: int) -> list[date]:
    return [day for day in DAYS if day.year == year]


def at(day: date, clock: str, zone: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)).astimezone(UTC)


def hours(calendar: Calendar, day: date) -> list[tuple[str, str]]:
    return [
        (f"{one.start.astimezone(calendar.zone):%H:%M}", f"{one.end.astimezone(calendar.zone):%H:%M}")
        for one in calendar.sessions(day)
    ]


class TestKnownDays:
    def test_there_is_a_calendar_for_every_market_and_currency(self) -> None:
        assert set(names()) == {
            *("hkvenue", "ccer", "hubei", "phcer", "cbl", "cix", "verra"),
            *("HKD", "CNH", "CNY", "USD"),
        }

    @pytest.mark.parametrize("mainland", MAINLAND)
    def test_the_trading_days_of_2026(self, mainland: str) -> None:
        there, here = CALENDARS[mainland], CALENDARS["hkvenue"]
        assert sum(here.is_open(day) for day in days_of(2026)) == 247
        assert sum(there.is_open(day) for day in days_of(2026)) == 242
        assert sum(all_open([here, there], day) for day in days_of(2026)) == 236

    @pytest.mark.parametrize("mainland", MAINLAND)
    def test_the_days_of_2026_on_which_hong_kong_and_the_mainland_differ(self, mainland: str) -> None:
        there, here = CALENDARS[mainland], CALENDARS["hkvenue"]
        only_here = [f"{day:%m-%d}" for day in days_of(2026) if here.is_open(day) and not there.is_open(day)]
        only_there = [f"{day:%m-%d}" for day in days_of(2026) if there.is_open(day) and not here.is_open(day)]
        assert only_here == [
            *("01-02", "02-16", "02-20", "02-23", "05-04", "05-05"),
            *("09-25", "10-02", "10-05", "10-06", "10-07"),
        ]
        assert only_there == ["04-03", "04-07", "05-25", "07-01", "10-19", "12-25"]

    def test_hong_kong_keeps_half_days_on_the_eves(self) -> None:
        here = CALENDARS["hkvenue"]
        half = [day for day in days_of(2026) if here.is_half_day(day)]
        assert half == [date(2026, 2, 16), date(2026, 12, 24), date(2026, 12, 31)]
        assert [here.is_open(day) for day in half] == [True] * 3
        assert hours(here, half[0]) == [("09:30", "12:00")]
        assert hours(here, date(2026, 2, 13)) == [("09:30", "12:00"), ("13:00", "16:00")]
        assert here.cut_off(half[0]) == at(half[0], "13:00", "Asia/Hong_Kong")
        assert here.cut_off(date(2026, 2, 13)) == at(date(2026, 2, 13), "17:00", "Asia/Hong_Kong")

    def test_only_the_home_venue_has_half_days(self) -> None:
        assert [name for name, calendar in CALENDARS.items() if calendar.half_days] == ["hkvenue"]

    def test_ccer_trades_in_two_sessions(self) -> None:
        assert hours(CALENDARS["ccer"], date(2026, 7, 17)) == [("09:30", "11:30"), ("13:00", "15:00")]
        assert CALENDARS["ccer"].sessions(date(2026, 7, 17))[0].start == datetime(2026, 7, 17, 1, 30, tzinfo=UTC)
        assert CALENDARS["ccer"].sessions(date(2026, 7, 18)) == ()

    @pytest.mark.parametrize(
        ("instant", "is_open"),
        [("01:29:59", False), ("01:30", True), ("03:29:59", True), ("03:30", False), ("05:00", True), ("07:00", False)],
    )
    def test_a_session_has_its_start_and_not_its_end(self, instant: str, is_open: bool) -> None:
        moment = datetime.combine(date(2026, 7, 17), time.fromisoformat(instant), UTC)
        assert CALENDARS["ccer"].is_open_at(moment) is is_open
        assert CALENDARS["ccer"].is_open_at(moment.astimezone(ZoneInfo("America/New_York"))) is is_open

    def test_make_up_days_are_worked_by_banks_and_not_by_markets(self) -> None:
        make_up = [day for day in days_of(2026) if day.weekday() >= 5 and CALENDARS["CNY"].is_open(day)]
        assert [f"{day:%m-%d}" for day in make_up] == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
        assert not any(CALENDARS[name].is_open(day) for name in MAINLAND for day in make_up)
        assert sum(CALENDARS["CNY"].is_open(day) for day in days_of(2026)) == 248

    def test_banks_of_the_mainland_worked_on_the_eve_of_2024_and_markets_did_not(self) -> None:
        assert CALENDARS["CNY"].is_open(date(2024, 2, 9))
        assert not CALENDARS["ccer"].is_open(date(2024, 2, 9))

    def test_a_typhoon_shut_the_venue_and_not_the_banks(self) -> None:
        day = date(2024, 9, 6)
        assert not CALENDARS["hkvenue"].is_open(day)
        assert CALENDARS["HKD"].is_open(day)
        why = CALENDARS["hkvenue"].holiday(day)
        assert why is not None
        assert "Typhoon" in why.name
        assert why.chinese is not None
        assert CALENDARS["HKD"].holiday(day) is None

    def test_a_holiday_on_a_saturday_does_not_close_the_federal_reserve_on_friday(self) -> None:
        for friday in ("2026-07-03", "2027-06-18", "2027-12-24", "2027-12-31", "2028-11-10"):
            assert CALENDARS["USD"].is_open(date.fromisoformat(friday))
        assert not CALENDARS["USD"].is_open(date(2027, 7, 5)), "a Sunday's holiday is kept on Monday"
        assert not CALENDARS["USD"].is_open(date(2026, 11, 26))

    def test_an_override_wins_over_the_list(self) -> None:
        assert CALENDARS["HKD"].is_open(date(2028, 10, 3))
        assert CALENDARS["hkvenue"].is_open(date(2028, 10, 3))
        assert not CALENDARS["HKD"].is_open(date(2028, 10, 4))

    def test_cix_keeps_singapores_business_days(self) -> None:
        assert not CALENDARS["cix"].is_open(date(2026, 8, 10))
        assert hours(CALENDARS["cix"], date(2026, 8, 11)) == [("09:00", "18:30")]

    def test_cbl_and_verra_are_open_every_day(self) -> None:
        assert all(CALENDARS[name].is_open(day) for name in ("cbl", "verra") for day in DAYS)
        assert CALENDARS["cbl"].cut_off(date(2026, 12, 25)) is None

    def test_both_currencies_of_a_remittance_must_be_open(self) -> None:
        both = [CALENDARS["CNH"], CALENDARS["CNY"]]
        assert not all_open(both, date(2026, 10, 10)), "a make-up Saturday is worked on the mainland alone"
        assert next_day_all_open(both, date(2026, 9, 30)) == date(2026, 10, 8)


class TestSeasons:
    """The clock of New York goes forward on 2026-03-08 and back on 2026-11-01."""

    @pytest.mark.parametrize(
        ("day", "instant"),
        [("2026-03-06", 22), ("2026-03-09", 21), ("2026-10-30", 21), ("2026-11-02", 22)],
    )
    def test_the_cut_off_of_dollars_follows_new_york(self, day: str, instant: int) -> None:
        found = CALENDARS["USD"].cut_off(date.fromisoformat(day))
        assert found == datetime.combine(date.fromisoformat(day), time(instant), UTC)

    @pytest.mark.parametrize(("day", "open_hours"), [("2026-03-08", 22), ("2026-03-09", 23), ("2026-11-01", 24)])
    def test_cbl_is_open_23_hours_but_for_the_nights_of_the_change(self, day: str, open_hours: int) -> None:
        sessions = CALENDARS["cbl"].sessions(date.fromisoformat(day))
        assert sum((one.end - one.start for one in sessions), timedelta()) == timedelta(hours=open_hours)

    def test_midnight_parts_no_two_days_of_cbl(self) -> None:
        ends = [CALENDARS["cbl"].sessions(day)[-1].end for day in DAYS[:-1]]
        assert ends == [CALENDARS["cbl"].sessions(day)[0].start for day in DAYS[1:]]

    def test_an_instant_belongs_to_the_day_of_the_calendars_zone(self) -> None:
        friday_evening = datetime(2026, 7, 17, 23, 0, tzinfo=UTC)
        assert not CALENDARS["ccer"].is_open_at(friday_evening), "it is Saturday in Beijing"
        assert CALENDARS["hkvenue"].is_open_at(datetime(2026, 7, 20, 1, 30, tzinfo=UTC))


class TestProperties:
    @given(calendars_and_days(), st.integers(1, 30))
    def test_adding_and_counting_agree(self, drawn: tuple[Calendar, list[date]], number: int) -> None:
        calendar, (day,) = drawn
        reached = calendar.add_open_days(day, number)
        assert calendar.is_open(reached)
        assert calendar.open_days_between(day, reached) == number
        assert calendar.open_days_between(day, reached - timedelta(days=1)) == number - 1

    @given(calendars_and_days(), st.integers(1, 30))
    def test_adding_and_taking_away_agree(self, drawn: tuple[Calendar, list[date]], number: int) -> None:
        calendar, (day,) = drawn
        start = calendar.add_open_days(day, 0)
        assert calendar.add_open_days(calendar.add_open_days(start, number), -number) == start

    @given(calendars_and_days())
    def test_neighbours_are_open_and_nothing_open_lies_between(self, drawn: tuple[Calendar, list[date]]) -> None:
        calendar, (day,) = drawn
        before, after = calendar.previous_open_day(day), calendar.next_open_day(day)
        between = [one for one in DAYS if before < one < after and calendar.is_open(one)]
        assert calendar.is_open(before)
        assert calendar.is_open(after)
        assert between == ([day] if calendar.is_open(day) else [])
        assert (calendar.add_open_days(day, 1), calendar.add_open_days(day, -1)) == (after, before)
        assert calendar.add_open_days(day, 0) == (day if calendar.is_open(day) else after)

    @given(calendars_and_days(3))
    def test_counts_add_up(self, drawn: tuple[Calendar, list[date]]) -> None:
        calendar, (first, middle, last) = drawn
        parts = calendar.open_days_between(first, middle) + calendar.open_days_between(middle, last)
        assert calendar.open_days_between(first, last) == parts
        counted = sum(calendar.is_open(day) for day in DAYS if first < day <= last)
        assert calendar.open_days_between(first, last) == counted

    @pytest.mark.parametrize("name", sorted(CALENDARS))
    def test_sessions_lie_inside_their_day_in_order(self, name: str) -> None:
        calendar = CALENDARS[name]
        for day in DAYS:
            if day < calendar.first_day:
                continue
            midnight, next_midnight = (
                datetime.combine(one, time(), calendar.zone).astimezone(UTC) for one in (day, day + timedelta(days=1))
            )
            bounds = [bound for one in calendar.sessions(day) for bound in (one.start, one.end)]
            assert [midnight, *bounds, next_midnight] == sorted([midnight, *bounds, next_midnight])
            assert len(set(bounds)) == len(bounds)
            assert bool(bounds) is calendar.is_open(day)
            assert {bound.tzinfo for bound in bounds} <= {UTC}
            cut_off = calendar.cut_off(day)
            assert cut_off is None or bounds[0] < cut_off <= next_midnight

    @given(st.lists(calendars, min_size=1, max_size=4), st.dates(date(2024, 1, 22), date(2028, 10, 1)))
    def test_the_next_common_day_is_the_first_one(self, several: list[Calendar], day: date) -> None:
        found = next_day_all_open(several, day)
        assert [one for one in DAYS if day < one <= found and all_open(several, one)] == [found]


class TestEdges:
    @pytest.mark.parametrize("name", sorted(CALENDARS))
    def test_a_day_outside_the_data_is_refused_and_not_guessed(self, name: str) -> None:
        calendar = CALENDARS[name]
        for day in (calendar.first_day - timedelta(days=1), date(2029, 1, 1)):
            for ask in (
                *(calendar.is_open, calendar.is_half_day, calendar.sessions, calendar.cut_off, calendar.provisional),
                *(calendar.holiday, calendar.next_open_day, calendar.previous_open_day),
            ):
                with pytest.raises(BeyondCalendar, match=rf"calendar {name}: found {day}, expected a day of 20"):
                    ask(day)
            with pytest.raises(BeyondCalendar):
                calendar.add_open_days(day, 1)
        with pytest.raises(BeyondCalendar):
            calendar.open_days_between(calendar.last_day, date(2029, 1, 1))
        with pytest.raises(BeyondCalendar):
            calendar.is_open_at(datetime(2029, 1, 3, tzinfo=UTC))

    @pytest.mark.parametrize("name", sorted(CALENDARS))
    def test_counting_over_the_end_is_refused(self, name: str) -> None:
        calendar = CALENDARS[name]
        first, last = calendar.open_days[0], calendar.open_days[-1]
        assert calendar.add_open_days(calendar.previous_open_day(last), 1) == last
        assert calendar.add_open_days(calendar.next_open_day(first), -1) == first
        pasts: list[Callable[[], date]] = [
            lambda: calendar.add_open_days(last, 1),
            lambda: calendar.next_open_day(last),
            lambda: calendar.add_open_days(first, -1),
            lambda: calendar.previous_open_day(first),
            lambda: calendar.add_open_days(first, -10_000),
        ]
        for past in pasts:
            with pytest.raises(BeyondCalendar) as refused:
                past()
            assert (refused.value.first_day, refused.value.last_day) == (calendar.first_day, LAST)

    def test_ccer_has_no_days_before_it_began(self) -> None:
        assert CALENDARS["ccer"].first_day == date(2024, 1, 22)
        assert CALENDARS["ccer"].open_days[0] == date(2024, 1, 22)

    def test_days_out_of_order_are_refused(self) -> None:
        with pytest.raises(ValueError, match="expected the earlier one first"):
            CALENDARS["ccer"].open_days_between(date(2026, 7, 17), date(2026, 7, 16))

    def test_an_instant_is_no_day_and_a_naive_one_is_none_at_all(self) -> None:
        with pytest.raises(TypeError, match="found the instant"):
            CALENDARS["ccer"].is_open(datetime(2026, 7, 17, 3, 0, tzinfo=UTC))
        with pytest.raises(ValueError, match="naive"):
            CALENDARS["ccer"].is_open_at(datetime(2026, 7, 17, 3, 0))  # noqa: DTZ001 - what is refused

    def test_an_unknown_calendar_names_those_there_are(self) -> None:
        with pytest.raises(ConfigurationError, match=r"found the calendar 'shanghai', expected one of hkvenue, ccer"):
            load("shanghai")

    def test_common_days_end_where_the_first_calendar_does(self) -> None:
        with pytest.raises(BeyondCalendar):
            next_day_all_open([CALENDARS["ccer"], CALENDARS["cbl"]], date(2028, 12, 29))
        with pytest.raises(ValueError, match="found no calendar"):
            next_day_all_open([], date(2028, 12, 29))


class TestHorizon:
    @pytest.mark.parametrize("name", ["ccer", "hubei", "phcer", "CNY", "hkvenue", "HKD", "CNH"])
    def test_days_that_nobody_announced_are_provisional(self, name: str) -> None:
        assert not CALENDARS[name].provisional(date(2026, 12, 31))
        assert CALENDARS[name].provisional(date(2027, 1, 1))

    def test_days_set_by_law_or_by_nobody_are_not(self) -> None:
        assert [name for name in names() if not CALENDARS[name].provisional(LAST)] == ["cbl", "verra", "USD"]

    @pytest.mark.parametrize(
        ("today", "said"),
        [
            ("2028-07-03", []),
            ("2028-07-04", ["calendar USD: its data end on 2028-12-31, in 180 days; extend them"]),
            ("2028-12-31", ["calendar USD: its data end on 2028-12-31, in 0 days; extend them"]),
            ("2029-01-01", ["calendar USD: its data ended on 2028-12-31; extend them now"]),
        ],
    )
    def test_the_end_of_the_data_is_told_in_time(self, today: str, said: list[str]) -> None:
        assert list(horizon_warnings(CALENDARS["USD"], date.fromisoformat(today))) == said

    def test_provisional_days_are_told_a_month_before(self) -> None:
        assert horizon_warnings(CALENDARS["ccer"], date(2026, 12, 1)) == ()
        (said,) = horizon_warnings(CALENDARS["ccer"], date(2026, 12, 2))
        assert "its days from 2027-01-01 are provisional" in said
        assert len(horizon_warnings(CALENDARS["ccer"], date(2028, 12, 1))) == 2

    def test_the_length_of_the_warning_is_the_callers(self) -> None:
        assert horizon_warnings(CALENDARS["USD"], date(2028, 12, 1), within_days=10) == ()


def test_a_calendar_is_read_once_and_cannot_be_changed() -> None:
    assert load("ccer") is load("ccer")
    with pytest.raises(TypeError):
        CALENDARS["ccer"].holidays[date(2026, 7, 17)] = None  # type: ignore[index]
    assert hash(CALENDARS["ccer"]) != hash(CALENDARS["hubei"])
