"""The calendars' documents: what they refuse, what the committed ones say, and that the generator would write them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.kit.calendars import generate, load, loading, names
from gateway.kit.calendars.document import CalendarEntry, CalendarsDocument, DayList, Overrides
from gateway.kit.calendars.loading import DATA, calendar_of, overrides, read_document
from gateway.model.errors import ConfigurationError

LISTS = sorted(path.name.removesuffix(".yaml") for path in (DATA / "days").iterdir())
GUIDE = (Path(__file__).parents[2] / "docs" / "calendars.md").read_text(encoding="utf-8")
ENTRIES = read_document(CalendarsDocument, DATA / "calendars.yaml").calendars

GOOD = """
days: somewhere
describes: A place
source: Nobody
generated_with: {holidays: "1"}
week: monday_to_friday
first_day: 2026-01-01
last_day: 2026-12-31
years:
  2026:
    closed:
      - {day: 2026-01-01, weekday: Thu, name: New Year}
    half_days:
      - {day: 2026-12-24, weekday: Thu, name: Eve}
    opened:
      - {day: 2026-01-04, weekday: Sun, name: Make-up}
"""


def day_list(name: str) -> DayList:
    return read_document(DayList, DATA / "days" / f"{name}.yaml")


def read(text: str, folder: Path, kind: Any = DayList) -> Any:
    path = folder / "one.yaml"
    path.write_text(text, encoding="utf-8")
    return read_document(kind, path)


def entry(**more: Any) -> CalendarEntry:
    said = {"assumed": True, "note": "Nobody published it"}
    given = {
        "describes": "A made-up market",
        "source": "Nobody published it",
        "zone": "Asia/Hong_Kong",
        "days": {"list": "somewhere", **said},
        "hours": {"sessions": ["09:30-12:00"], "half_day_sessions": ["09:30-11:00"], **said},
        **more,
    }
    return CalendarEntry.model_validate(given)


def decided(*days: dict[str, Any]) -> Overrides:
    why = {"name": "Because", "reason": "a person says so", "source": "a person says so"}
    return Overrides.model_validate({"provisional": {}, "overrides": [{**why, **one} for one in days]})


class TestDocuments:
    @pytest.mark.parametrize(
        ("found", "instead", "message"),
        [
            ("weekday: Thu, name: New", "weekday: Fri, name: New", "2026-01-01 is written as Fri, but it is a Thu"),
            ("2026-01-01, weekday: Thu", "1767225600, weekday: Thu", "found '1767225600', expected a day as"),
            ("2026-01-04, weekday: Sun", "2026-01-05, weekday: Mon", "listed as opened, but a Mon is open anyway"),
            ("2026-12-24, weekday: Thu", "2026-12-26, weekday: Sat", "but a Sat is closed anyway"),
            ("2026-12-24, weekday: Thu", "2027-12-24, weekday: Fri", "2027-12-24 stands in 2026"),
            ("2026-12-24, weekday: Thu", "2026-01-01, weekday: Thu", "is listed as closed and as a half day"),
            ("last_day: 2026", "last_day: 2027", "found the years 2026, expected 2026, 2027"),
            ("years:\n", "years:\n  2025: {}\n", "found the years 2025, 2026, expected 2026"),
            ("week: monday_to_friday", "week: sunday_to_thursday", "week: Input should be"),
            ("describes:", "remark: new\ndescribes:", "remark: Extra inputs are not permitted"),
            ("describes: A place", "describes: A place\ndescribes: Another", "the key describes stands twice"),
            (
                "name: New Year}\n",
                "name: New Year}\n      - {day: 2026-01-01, weekday: Thu, name: Again}\n",
                "must stand in order, each once",
            ),
        ],
    )
    def test_a_day_list_with_a_fault_is_refused(self, found: str, instead: str, message: str, tmp_path: Path) -> None:
        assert read(GOOD, tmp_path).days == "somewhere"
        assert found in GOOD
        with pytest.raises(ConfigurationError, match=re.escape(message)):
            read(GOOD.replace(found, instead), tmp_path)

    @pytest.mark.parametrize(
        ("sessions", "message"),
        [
            (["09:30"], "expected hours as 09:30-11:30"),
            (["9:30-11:30"], "found '9:30', expected a time of day"),
            (["09:30-24:01"], "24:00 at the latest"),
            (["11:30-09:30"], "expected the earlier time first"),
            (["09:30-11:30", "11:00-15:00"], "must stand in order and not overlap"),
            ([], "at least 1 item"),
        ],
    )
    def test_hours_with_a_fault_are_refused(self, sessions: list[str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            entry(hours={"sessions": sessions, "assumed": True, "note": "Nobody published it"})

    def test_a_day_is_decided_once(self) -> None:
        one = {"day": "2026-03-02", "lists": ["somewhere"], "becomes": "closed"}
        with pytest.raises(ValueError, match="2026-03-02 is overridden twice for somewhere"):
            decided(one, one)
        assert len(decided(one, {**one, "lists": ["elsewhere"]}).overrides) == 2

    def test_a_document_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: cannot be read"):
            read_document(DayList, tmp_path / "nowhere.yaml")


class TestAssembly:
    def test_overrides_win_in_every_direction(self, tmp_path: Path) -> None:
        listed = read(GOOD, tmp_path)
        where = {"lists": ["somewhere"]}
        calendar = calendar_of(
            "made_up",
            entry(),
            listed,
            decided(
                {"day": "2026-01-01", "becomes": "half_day", **where},
                {"day": "2026-01-04", "becomes": "closed", **where},
                {"day": "2026-03-07", "becomes": "open", **where},
                {"day": "2026-12-24", "becomes": "open", **where},
                {"day": "2026-03-09", "becomes": "closed", "lists": ["elsewhere"]},
            ),
        )
        assert calendar.is_half_day(date(2026, 1, 1))
        assert not calendar.is_open(date(2026, 1, 4))
        assert calendar.is_open(date(2026, 3, 7))
        assert (calendar.is_open(date(2026, 12, 24)), calendar.is_half_day(date(2026, 12, 24))) == (True, False)
        assert calendar.is_open(date(2026, 3, 9))
        assert calendar.assumptions == ("Nobody published it",) * 2

    @pytest.mark.parametrize(
        ("more", "override", "message"),
        [
            ({"zone": "Asia/Peking"}, {}, "found the zone 'Asia/Peking'"),
            ({"first_day": "2025-01-01"}, {}, "found the first day 2025-01-01"),
            ({"hours": {"sessions": ["09:30-12:00"], "assumed": False, "note": "as published"}}, {}, "have half days"),
            ({"cut_off": {"at": "17:00", "assumed": False, "note": "as published"}}, {}, "have half days"),
            ({}, {"day": "2027-01-01", "lists": ["somewhere"], "becomes": "open"}, "does not have that day"),
        ],
    )
    def test_parts_that_do_not_fit_are_refused(
        self, more: dict[str, Any], override: dict[str, Any], message: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match=message):
            calendar_of("made_up", entry(**more), read(GOOD, tmp_path), decided(*([override] if override else [])))


class TestCommittedData:
    def test_every_list_is_followed_and_every_override_meets_one(self) -> None:
        assert {one.days.list for one in ENTRIES.values()} == set(LISTS)
        said = set(overrides().provisional) | {name for one in overrides().overrides for name in one.lists}
        assert said <= set(LISTS)

    def test_an_override_of_a_list_that_is_not_there_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        one = {"day": "2026-03-02", "lists": ["hong-kong-bank"], "becomes": "closed"}
        monkeypatch.setattr(loading, "overrides", lambda: decided(one))
        with pytest.raises(ConfigurationError, match="found the day list 'hong-kong-bank', expected one of every-day"):
            loading._known_overrides.__wrapped__()

    @pytest.mark.parametrize("name", LISTS)
    def test_a_list_is_as_the_generator_writes_it(self, name: str) -> None:
        text = (DATA / "days" / f"{name}.yaml").read_text(encoding="utf-8")
        assert generate.render(day_list(name)) == text

    @pytest.mark.parametrize("name", [name for name in LISTS if name.startswith(("hong-kong", "mainland"))])
    def test_chinese_days_have_their_chinese_names(self, name: str) -> None:
        listed = [one for year in day_list(name).years.values() for one in year.listed()]
        assert listed
        assert [one for one in listed if not re.search(r"[\u4e00-\u9fff]", one.chinese or "")] == []

    def test_the_mainland_is_provisional_from_the_end_of_what_the_library_knows(self) -> None:
        found = re.search(r"XSHG up to (\d{4}-\d{2}-\d{2})", day_list("mainland-exchanges").source)
        assert found
        provisional = load("ccer").provisional_from
        assert provisional is not None
        assert (provisional - date.fromisoformat(found[1])).days <= 1

    def test_the_guide_tells_of_every_calendar_what_is_assumed(self) -> None:
        rows = dict(re.findall(r"^\| `(\w+)` \|( `[\w-]+` \|.*)\|$", GUIDE, re.MULTILINE))
        assert set(rows) == set(names())
        for name, row in rows.items():
            listed, zone, days, hours, cut_off = (cell.strip() for cell in row.split("|"))
            one = ENTRIES[name]
            assert ("assumed" in days, "assumed" in hours) == (one.days.assumed, one.hours.assumed), name
            assert "assumed" in cut_off if one.cut_off and one.cut_off.assumed else "assumed" not in cut_off, name
            assert (listed, zone) == (f"`{one.days.list}`", one.zone)

    def test_the_guide_counts_the_days_rightly(self) -> None:
        rows = re.findall(r"^\| (\d{4})(?: \(provisional\))? \| (\d+) \| (\d+) \| (\d+) \|$", GUIDE, re.MULTILINE)
        counted = []
        for year in range(2024, 2029):
            here, there = ({day for day in load(name).open_days if day.year == year} for name in ("hkvenue", "hubei"))
            counted.append(tuple(map(str, (year, len(here), len(there), len(here & there)))))
        assert rows == counted


def stand_ins(shut: set[date], holidays: dict[date, str]) -> Callable[[str], Any]:
    """The two libraries, with an exchange that is shut on some weekdays, and a country with some holidays."""

    def exchange(code: str, start: str, end: str | None = None) -> Any:
        days = [day for day in generate._weekdays(date.fromisoformat(start), generate.LAST_DAY) if day not in shut]
        moments = [SimpleNamespace(date=lambda day=day: day) for day in days]
        kind = type("Kind", (), {"bound_max": staticmethod(lambda: None), "sessions": moments, "early_closes": []})
        return kind()

    libraries = {
        "exchange_calendars": SimpleNamespace(get_calendar=exchange),
        "holidays": SimpleNamespace(country_holidays=lambda *_, **__: holidays),
    }
    return libraries.__getitem__


class TestGenerator:
    def test_it_stops_at_days_that_a_person_must_decide(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shut, unknown, unkept = date(2025, 1, 1), date(2025, 3, 4), date(2025, 5, 6)
        monkeypatch.setattr(generate, "_library", stand_ins({shut, unknown}, {shut: "New Year", unkept: "Feast"}))
        exchange, known = generate._exchange("XHKG"), generate._names("HK", "en", None)
        with pytest.raises(ConfigurationError, match="holidays differ on 2025-03-04, 2025-05-06; expected each"):
            generate._exchange_years("hong-kong-exchange", exchange, known, decided())
        where = {"lists": ["hong-kong-exchange"]}
        by_hand = decided(
            {"day": str(unknown), "becomes": "closed", **where}, {"day": str(unkept), "becomes": "open", **where}
        )
        years = generate._exchange_years("hong-kong-exchange", exchange, known, by_hand)
        assert [one.day for one in years["2025"].closed] == [shut]

    def test_a_library_that_is_missing_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no library no_such_library.*carbon-gateway\[calendars\]"):
            generate._library("no_such_library")

    # The library's own pandas calls; what they warn of does not change a day.
    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*deprecated")
    def test_the_committed_lists_are_what_the_libraries_say(self) -> None:
        missing = [one for one in ("exchange_calendars", "holidays") if importlib.util.find_spec(one) is None]
        if missing:
            pytest.skip(f"needs {' and '.join(missing)}: pip install 'carbon-gateway[calendars]'")
        made = generate.day_lists(overrides())
        assert sorted(one.days for one in made) == LISTS
        for one in made:
            committed = day_list(one.days)
            assert one.model_copy(update={"generated_with": committed.generated_with}) == committed
