"""Calendars out of the package's data. The data are read once; every reader gets the same frozen calendar."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ValidationError

from gateway.kit.calendars.calendar import Calendar, Holiday, Hours
from gateway.kit.calendars.document import CalendarEntry, CalendarsDocument, DayList, Overrides, is_weekly
from gateway.kit.mapping.document import DOCUMENT_LIMIT, FAULTS_LIMIT
from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.model.errors import ConfigurationError

DATA: Final = importlib.resources.files("gateway.kit.calendars") / "data"

Document = TypeVar("Document", bound=BaseModel)


def names() -> tuple[str, ...]:
    """The names of all calendars: the markets' in small letters, the currencies' by their codes."""
    return tuple(_calendars().calendars)


@cache
def load(name: str) -> Calendar:
    """A calendar by its name.

    Raises ConfigurationError where there is none of that name, or naming the document and the place that is wrong.
    """
    entry = _calendars().calendars.get(name)
    if entry is None:
        raise ConfigurationError(f"found the calendar {name!r}, expected one of {', '.join(names())}")
    listed = read_document(DayList, DATA / "days" / f"{entry.days.list}.yaml")
    if listed.days != entry.days.list:
        raise ConfigurationError(f"day list {entry.days.list}.yaml: it calls itself {listed.days!r}")
    return calendar_of(name, entry, listed, _known_overrides())


@cache
def overrides() -> Overrides:
    """What people decided about single days. Raises ConfigurationError as :func:`load` does."""
    return read_document(Overrides, DATA / "overrides.yaml")


def read_document(kind: type[Document], path: Traversable) -> Document:
    """A document of the data, checked. Raises ConfigurationError naming the file, the place in it and what is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"calendar document {path}: cannot be read ({error.strerror})") from error
    if len(content) > DOCUMENT_LIMIT:
        raise ConfigurationError(f"calendar document {path}: {len(content)} bytes, expected {DOCUMENT_LIMIT} at most")
    try:
        return kind.model_validate(read_yaml(content))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"calendar document {path}: {error}") from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}" for one in error.errors()[:FAULTS_LIMIT]
        )
        raise ConfigurationError(f"calendar document {path}: {places}") from error


def calendar_of(name: str, entry: CalendarEntry, listed: DayList, decided: Overrides) -> Calendar:
    """The calendar that an entry, its day list and the overrides make together.

    Raises ConfigurationError where they do not fit: an unknown zone, a half day without hours, an override outside.
    """
    open_days, half_days, holidays = _days(listed, decided)
    first_day = entry.first_day or listed.first_day
    if not listed.first_day <= first_day <= listed.last_day:
        raise ConfigurationError(f"calendar {name}: found the first day {first_day}, which {listed.days} does not have")
    half_days = {day for day in half_days if day >= first_day}
    provisional = decided.provisional.get(listed.days)
    full_day, half_day = _hours(name, entry, half_days=bool(half_days))
    return Calendar(
        name=name,
        zone=_zone(name, entry.zone),
        describes=entry.describes,
        source=f"{entry.source} Days: {listed.source}",
        assumptions=entry.assumptions(),
        first_day=first_day,
        last_day=listed.last_day,
        provisional_from=provisional.begins if provisional else None,
        open_days=tuple(sorted(day for day in open_days if day >= first_day)),
        half_days=frozenset(half_days),
        holidays=MappingProxyType({day: why for day, why in sorted(holidays.items()) if day >= first_day}),
        full_day=full_day,
        half_day=half_day,
    )


@cache
def _calendars() -> CalendarsDocument:
    return read_document(CalendarsDocument, DATA / "calendars.yaml")


@cache
def _known_overrides() -> Overrides:
    """The overrides, each of a day list that there is: a misspelt one would silently decide nothing."""
    decided = overrides()
    there = {path.name.removesuffix(".yaml") for path in (DATA / "days").iterdir()}
    said = set(decided.provisional) | {name for one in decided.overrides for name in one.lists}
    if unknown := sorted(said - there):
        raise ConfigurationError(
            f"overrides.yaml: found the day list {unknown[0]!r}, expected one of {', '.join(sorted(there))}"
        )
    return decided


def _days(listed: DayList, decided: Overrides) -> tuple[set[date], set[date], dict[date, Holiday]]:
    """The open days, the half days among them, and why days differ: the list first, then what people decided."""
    years = listed.years.values()
    open_days = {day for day in _each_day(listed.first_day, listed.last_day) if is_weekly(listed.week, day)}
    open_days -= {one.day for year in years for one in year.closed}
    open_days |= {one.day for year in years for one in year.opened}
    half_days = {one.day for year in years for one in year.half_days}
    holidays = {one.day: Holiday(one.name, one.chinese) for year in years for one in year.listed()}
    for day, override in decided.of(listed.days).items():
        if not listed.first_day <= day <= listed.last_day:
            raise ConfigurationError(f"overrides.yaml: found {day} for {listed.days}, which does not have that day")
        open_days.discard(day)
        half_days.discard(day)
        if override.becomes != "closed":
            open_days.add(day)
        if override.becomes == "half_day":
            half_days.add(day)
        holidays[day] = Holiday(override.name, override.chinese)
    return open_days, half_days, holidays


def _hours(name: str, entry: CalendarEntry, *, half_days: bool) -> tuple[Hours, Hours | None]:
    full_day = Hours(entry.hours.sessions, entry.cut_off.at if entry.cut_off else None)
    if not half_days:
        return full_day, None
    cut_off = entry.cut_off.half_day_at if entry.cut_off else None
    if not entry.hours.half_day_sessions or (entry.cut_off and cut_off is None):
        raise ConfigurationError(
            f"calendar {name}: its days have half days, but their sessions or cut-off are not said"
        )
    return full_day, Hours(entry.hours.half_day_sessions, cut_off)


def _zone(name: str, key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(f"calendar {name}: found the zone {key!r}, expected an IANA name") from error


def _each_day(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
