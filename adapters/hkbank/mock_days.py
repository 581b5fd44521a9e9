"""When the stand-in bank pays, deals and remits, by the gateway's currency calendars; their hours are assumed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.hkbank.config import Profile
from adapters.hkbank.mock_ledger import BankRefusal
from gateway.kit.calendars import BeyondCalendar, load
from gateway.model.money import Currency

ZONES: Final = {Profile.HONG_KONG: ZoneInfo("Asia/Hong_Kong"), Profile.MAINLAND: ZoneInfo("Asia/Shanghai")}


def value_day(currency: Currency, now: datetime) -> tuple[date, datetime]:
    """The day of which a payment ordered now is, and when that day's business begins.

    Until the currency's cut-off it is the day itself where that is open, afterwards the next open one. The day is one
    of the currency's own zone: a payment of dollars in the morning of Hong Kong is of a day that New York has yet to
    begin. Raises BankRefusal beyond the calendar's data.
    """
    calendar = load(currency.value)
    day = now.astimezone(calendar.zone).date()
    try:
        cut_off = calendar.cut_off(day)
        if cut_off is None or now > cut_off:
            day = calendar.next_open_day(day)
        return day, calendar.sessions(day)[0].start
    except BeyondCalendar as error:
        raise BankRefusal("VALUE_DATE_UNKNOWN", str(error)) from error


def is_open(currency: Currency, now: datetime) -> bool:
    """Whether the currency's business hours are on; never beyond the calendar's data."""
    try:
        return load(currency.value).is_open_at(now)
    except BeyondCalendar:
        return False
