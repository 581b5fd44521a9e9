"""When a market is open and a currency can be paid: dated data in the package, and nothing worked out beyond them.

:func:`load` gives the calendar of a market (``ccer``, ``cbl``) or of a currency (``CNH``). What is in the data, where
each day comes from and what is assumed is told in ``docs/calendars.md``.
"""

from gateway.kit.calendars.calendar import (
    HORIZON_DAYS,
    PROVISIONAL_NOTICE_DAYS,
    BeyondCalendar,
    Calendar,
    Holiday,
    Session,
    all_open,
    horizon_warnings,
    next_day_all_open,
)
from gateway.kit.calendars.loading import load, names

__all__ = [
    "HORIZON_DAYS",
    "PROVISIONAL_NOTICE_DAYS",
    "BeyondCalendar",
    "Calendar",
    "Holiday",
    "Session",
    "all_open",
    "horizon_warnings",
    "load",
    "names",
    "next_day_all_open",
]
