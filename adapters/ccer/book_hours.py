"""When the stand-in does which business: hours of the rules, days of the calendar, both by the registry's clock."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.ccer import rules
from adapters.ccer.book_entries import RefusedHere
from adapters.ccer.words import ZONE, Business, Code
from gateway.kit import calendars

LOCAL: Final = ZoneInfo(ZONE)
_TO_VENUE: Final = frozenset({Business.TO_TRADING_ACCOUNT, Business.TO_TRADING_PLATFORM})
_SATURDAY = 5


def business_day(at: datetime) -> date:
    """The registry's date at an instant."""
    return at.astimezone(LOCAL).date()


def is_working_day(day: date) -> bool:
    """Whether the registry works on a day; beyond the calendar's data a stand-in goes by the weekday."""
    try:
        return calendars.load(rules.load().calendar).is_open(day)
    except calendars.BeyondCalendar:
        return day.weekday() < _SATURDAY


def hours_of(business: Business) -> rules.Hours:
    """The hours of a business."""
    kind = rules.Business.REGISTRY_TO_VENUE if business in _TO_VENUE else rules.Business.REGISTRY
    return rules.load().hours_of(kind)


def require_open(business: Business, at: datetime) -> None:
    """Raises RefusedHere outside the business's hours; the end of a span does not belong to it."""
    local = at.astimezone(LOCAL)
    minutes = local.hour * 60 + local.minute
    if not is_working_day(local.date()) or not any(start <= minutes < end for start, end in hours_of(business).spans):
        raise RefusedHere(Code.OUTSIDE_HOURS, f"{local:%Y%m%d %H:%M}")


def closing(at: datetime) -> datetime:
    """When the registry closes on the day of an instant."""
    end = rules.load().hours_of(rules.Business.REGISTRY).spans[-1][1]
    return datetime.combine(business_day(at), time(), LOCAL) + timedelta(minutes=end)
