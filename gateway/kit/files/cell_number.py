"""The numbers of a spreadsheet's cells, decided on the text in which the file states them: no float is ever made."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction

# The exponent is bounded so that no short text stands for an endless number; a binary double ends at 308.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]{1,4})?")

# Enough for the largest double without an exponent (309 digits).
_CHARACTERS = 400

# Beyond, an integer is no quantity of anything, and an exponent is not written out.
_DIGITS = 38

# Excel counts a 29 February 1900, which there was not, as day 60 (ECMA-376 part 1, 18.17.4.1).
_NO_DAY = 60
_FIRST_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones

_DAY = 24 * 60 * 60 * 1000
_TIME = dt.timedelta(milliseconds=1)


def exact_number(stated: str) -> str:
    """A number as a cell states it, an integral one in plain digits.

    ``235604.0`` and ``1.454054E6`` become ``235604`` and ``1454054``. A number with a fraction, however small, and one
    of more than 38 digits keep the text in which they are written, for whoever wants a quantity to refuse.

    Raises ``ValueError`` for a text that is no number or is absurdly long.
    """
    text = _checked(stated)
    if text.isdigit() and text[0] != "0" and len(text) <= _DIGITS:
        return text
    whole = _whole(Decimal(text))
    return text if whole is None else str(whole)


def exact_moment(stated: str, epoch: dt.datetime, *, elapsed: bool) -> str | dt.datetime | dt.time | dt.timedelta:
    """What a number says in a cell that is formatted as a date or time (a day serial).

    Whole days are exact. Their fraction is a time of day, which is rounded to the millisecond, the finest that Excel
    tells apart (a serial in decimals cannot state most times exactly). A number below one is a time without a day. A
    number that is no day of its calendar (negative, after the year 9999, or 29 February 1900, which Excel invented)
    comes back as ``exact_number`` has it.

    Args:
        stated: the number's text.
        epoch: day zero: 1899-12-30, or 1904-01-01 in workbooks that count from there.
        elapsed: whether the format is of a span of time, such as ``[h]:mm``.

    Raises ``ValueError`` for a text that is no number or is absurdly long.
    """
    number = Decimal(_checked(stated))
    days_of_calendar = (dt.date.max - epoch.date()).days + 1
    if not 0 <= number < days_of_calendar:
        return exact_number(stated)
    whole = _whole(number)
    days, milliseconds = divmod(_milliseconds(number), _DAY) if whole is None else (whole, 0)
    time = milliseconds * _TIME
    if elapsed:
        return dt.timedelta(days=days) + time
    if days == 0:
        return (epoch + time).time()
    if epoch == _FIRST_EPOCH and days <= _NO_DAY:
        if days == _NO_DAY:
            return exact_number(stated)
        days += 1
    return exact_number(stated) if days >= days_of_calendar else epoch + dt.timedelta(days=days) + time


def _checked(stated: str) -> str:
    text = stated.strip(" \t\r\n")  # XML lets white space surround a number
    if len(text) > _CHARACTERS:
        message = f"a number of {len(text):,} characters"
        raise ValueError(message)
    if not _NUMBER.fullmatch(text):
        message = f"{text[:50]!r} as a number"
        raise ValueError(message)
    return text


def _whole(number: Decimal) -> int | None:
    """The number if it is an integer of bounded length. Neither step rounds, whatever the decimal context is."""
    if number and number.adjusted() >= _DIGITS:
        return None
    whole = int(number) if number else 0
    return whole if number == whole else None


def _milliseconds(days: Decimal) -> int:
    """Rounded half up, exactly: a product of decimals would be rounded to its context's precision first."""
    return int(Fraction(days) * _DAY + Fraction(1, 2))
