"""Every converter: the texts that it reads, the texts that it refuses, and that columns and single texts agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kit.mapping import converters
from gateway.kit.mapping.converters import by_distinct, cleaned
from gateway.kit.mapping.document import CodeList
from gateway.model.serials import Serial, grammar_of, read
from tests.unit.mapping_documents import LABELS, PLACES, SERIAL, WORDS, converted, outcomes

WHOLE = {"convert": "whole_units"}
ISO = {"convert": "date", "styles": ["iso"]}
ANY_DATE = {"convert": "date", "styles": ["iso", "day_month_year", "excel_serial"]}
CODE = {"convert": "code", "codes": "words"}
CODES = {"convert": "codes", "codes": "labels", "separator": ";"}
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
# What Rust takes for white space, and polars with it.
SPACES = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def one(rule: dict[str, Any], text: str | None, codes: dict[str, Any] | None = None) -> Any:
    return outcomes(rule, text, codes=codes)[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1454054", 1_454_054),
        ("1,454,054", 1_454_054),
        ("235604.0", 235_604),
        ("235604.000000000", 235_604),
        ("1,454,054.00", 1_454_054),
        (" 42 ", 42),
        ("999999999999999999", 10**18 - 1),
        ("999,999,999,999,999,999", 10**18 - 1),
    ],
)
def test_whole_units_that_are_read(text: str, number: int) -> None:
    assert one(WHOLE, text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("6.726.799", "1,45", "1,4540", "12,34,567", ",454", "1,,454", "1454,054", "1454054.5", "1.", ".0", "1.0.0"),
        *("-1", "+1", "1e5", "0x10", "1 454 054", "1'454", "1_000", "1454054.0000000000", "1.00,0"),
        *("1000000000000000000", "1,000,000,000,000,000,000", "9" * 400, "9223372036854775808"),
        *("0,123", "007", "01", "00"),
        *("\u0661\u0662", "\uff11\uff12", "\U0001d7ce1", "1\u200b", "1\x00", "1\n2", "NaN", "inf", "None", "-", "n/a"),
    ],
)
def test_whole_units_that_are_refused(text: str) -> None:
    assert one(WHOLE, text) == "UNREADABLE"
    assert one(WHOLE | {"zero": True}, text) == "UNREADABLE"


@pytest.mark.parametrize("text", ["0", "0.0", "0.000"])
def test_zero_is_a_quantity_only_where_the_document_says_so(text: str) -> None:
    assert one(WHOLE, text) == "UNREADABLE"
    assert one(WHOLE | {"zero": True}, text) == 0


def test_one_number_with_a_point_does_not_change_how_the_others_are_read() -> None:
    assert outcomes(WHOLE, "1,000", "5.0", "7", None) == [1000, 5, 7, None]
    assert outcomes(WHOLE, "1,000", "7", None) == [1000, 7, None]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-12-31", dt.date(2024, 12, 31)),
        ("2024-02-29", dt.date(2024, 2, 29)),
        ("2024-12-31 00:00:00", dt.date(2024, 12, 31)),
        ("2026-07-27T19:27:26.947", dt.date(2026, 7, 27)),
        ("2026-07-27T19:27", dt.date(2026, 7, 27)),
        *((f"2026-07-27T19:27:26.{'9' * digits}", dt.date(2026, 7, 27)) for digits in range(1, 10)),
        ("2026-07-27T23:59:59Z", dt.date(2026, 7, 27)),
        ("2026-07-27T23:59:59.5Z", dt.date(2026, 7, 27)),
        ("31/12/2024", dt.date(2024, 12, 31)),
        ("02/01/2024", dt.date(2024, 1, 2)),
        ("45657", dt.date(2024, 12, 31)),
        ("10000", dt.date(1927, 5, 18)),
        (" 2024-12-31 ", dt.date(2024, 12, 31)),
    ],
)
def test_days_that_are_read(text: str, day: dt.date) -> None:
    assert one(ANY_DATE, text) == day


@pytest.mark.parametrize(
    "text",
    [
        *("1/2/24", "01/02/24", "1/2/2024", "2024-1-5", "2024-01-5", "24-01-05", "20240105", "2024/01/05"),
        *("2024-02-30", "2023-02-29", "31/02/2020", "13/25/2020", "00/01/2020", "2024-13-01", "2024-00-10"),
        *("+2024-01-05", "-2024-01-05", "+024-01-05", "02024-01-05", "12024-01-05", "0000-01-01", "1899-12-31"),
        *("2200-01-01", "9999-12-31", "31/12/9999", "01/01/0001"),
        *("2026-07-31T10:00:00-04:00", "2026-07-31T10:00:00+00:00", "2026-07-31Z", "2026-07-31T", "2026-07-31T10"),
        *(
            "2026-07-31T24:00:00",
            "2026-07-31T10:60",
            "2026-07-31T10:00:61",
            "2026-07-31T10:00:00.",
            "2026-07-31 10:00 AM",
        ),
        "2026-07-31T10:00:00.1234567890",
        *(
            "2024-12-31 00:00:00 GMT",
            "31/12/2024 00:00",
            "45657.5",
            "45657.0",
            "9999",
            "09999",
            "100000",
            "Dec 31, 2024",
        ),
        *(
            "\u0662\u0660\u0662\u0664-12-31",
            "\uff12024-12-31",
            "2024\u201312\u201331",
            "2024-12-31\x00",
            "2024-12-31\n1",
        ),
    ],
)
def test_days_that_are_refused(text: str) -> None:
    assert one(ANY_DATE, text) == "UNREADABLE"


def test_a_style_that_is_not_named_is_not_read() -> None:
    assert outcomes(ISO, "31/12/2024", "45657", "2024-12-31") == ["UNREADABLE", "UNREADABLE", dt.date(2024, 12, 31)]
    assert one({"convert": "date", "styles": ["day_month_year"]}, "2024-12-31") == "UNREADABLE"
    assert one({"convert": "date", "styles": ["excel_serial"]}, "2024-12-31") == "UNREADABLE"


def test_every_day_of_three_centuries_goes_there_and_back() -> None:
    first, last = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
    days = [first + dt.timedelta(number) for number in range((last - first).days + 1)]
    assert converted(ISO, *(day.isoformat() for day in days)).values.to_list() == days
    assert converted(ISO, *(f"{day.isoformat()}T00:00:00.123" for day in days)).values.to_list() == days
    styled = {"convert": "date", "styles": ["day_month_year"]}
    assert converted(styled, *(f"{day.day:02}/{day.month:02}/{day.year}" for day in days)).values.to_list() == days
    numbered = {"convert": "date", "styles": ["excel_serial"]}
    counted = [dt.date(1899, 12, 30) + dt.timedelta(number) for number in range(10_000, 100_000)]
    assert converted(numbered, *map(str, range(10_000, 100_000))).values.to_list() == counted


@given(st.integers(1, 10**18 - 1), st.booleans(), st.integers(0, 9))
@settings(deadline=None)
def test_whole_units_go_there_and_back(number: int, separators: bool, zeros: int) -> None:
    text = (f"{number:,}" if separators else str(number)) + ("." + "0" * zeros if zeros else "")
    assert one(WHOLE, text) == number


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2024", (2024, 2024)),
        ("2003 - 2004", (2003, 2004)),
        ("2003-2004", (2003, 2004)),
        ("2004 - 2004", (2004, 2004)),
        ("1900 - 2199", (1900, 2199)),
    ],
)
def test_years_that_are_read(text: str, years: tuple[int, int]) -> None:
    made = converted({"convert": "years"}, text)
    assert (made.facts["first_year"][0], made.facts["last_year"][0]) == years
    assert made.values.to_list() == [text]
    assert made.refused.to_list() == [None]


@pytest.mark.parametrize(
    "text",
    [
        "24",
        "2004 - 2003",
        "2003 - ",
        "- 2004",
        "2003/2004",
        "1899",
        "2200",
        "20244",
        "2003 - 2004 - 2005",
        "\u0662024",
        "2024a",
    ],
)
def test_years_that_are_refused(text: str) -> None:
    made = converted({"convert": "years"}, text)
    assert made.refused.to_list() == ["UNREADABLE"]
    assert [made.values[0], made.facts["first_year"][0], made.facts["last_year"][0]] == [None, None, None]


def test_text_is_kept_as_it_is_but_for_outer_space() -> None:
    rule = {"convert": "text"}
    assert outcomes(rule, " a  b ", "\u00a0x\u3000", "", "  ", None, "星禾谷") == [
        "a  b",
        "x",
        None,
        None,
        None,
        "星禾谷",
    ]


@pytest.mark.parametrize("text", ["1a", "a1", "1\n", "11111111111", "\u0661", "1 1"])
def test_a_pattern_must_match_all_of_a_text(text: str) -> None:
    rule = {"convert": "text", "pattern": "[0-9]{1,9}|b"}
    assert one(rule, text if text.strip() == text else f"2{text}2") == "UNREADABLE"
    assert outcomes(rule, "123", "b") == ["123", "b"]


def test_presence_says_one_word_or_the_other() -> None:
    rule = {"convert": "presence", "present": "retired", "absent": "active"}
    assert outcomes(rule, "2024-01-01", "", " ", None, "n/a") == ["retired", "active", "active", "active", "retired"]


def test_flags() -> None:
    rule = {"convert": "flag"}
    assert outcomes(rule, "true", "FALSE", "True", None, "") == [True, False, True, None, None]
    assert outcomes(rule | {"absent": False}, "true", None) == [True, False]
    assert outcomes(rule | {"absent": True}, "false", "") == [False, True]
    assert set(outcomes(rule | {"absent": True}, "yes", "1", "0", "t", "NO", "truee", "t rue")) == {"UNREADABLE"}


def test_a_code_is_compared_without_case_spaces_and_kind_of_dash() -> None:
    for dash in DASHES:
        for text in (
            f"On Hold {dash} see letter",
            f"  ON  HOLD {dash}\tSEE\u00a0letter",
            f"on hold {dash} see letter\n",
        ):
            assert one(CODE, text, WORDS) == "on_hold"
    assert outcomes(CODE, "no", "NO", "No", codes=WORDS) == ["retired"] * 3


@pytest.mark.parametrize(
    "text", ["On Hold", "OnHold - see letter", "Activ", "Actives", "Active;", "N/A", "Act\u00adive"]
)
def test_a_word_that_is_not_listed_is_unknown(text: str) -> None:
    assert one(CODE, text, WORDS) == "UNKNOWN"


def test_where_the_list_says_so_another_word_is_left_empty() -> None:
    assert outcomes(CODE, "Norway", "Worldwide", None, codes=PLACES) == ["NO", None, None]
    rule = {"convert": "codes", "codes": "places", "separator": ";"}
    assert outcomes(rule, "Norway; Worldwide", "Worldwide", codes=PLACES) == [["NO"], []]


def test_several_codes_come_sorted_and_each_once() -> None:
    text = "CCBS-Gold; 13: Climate Action;CCB\u2013Gold; ; CORSIA \u2013 Pilot Phase, 2021-2023 Eligible;"
    assert one(CODES, text, LABELS) == ["CCB-GOLD", "CORSIA-PILOT-ELIGIBLE", "SDG-13"]
    assert outcomes(CODES, None, "", ";", " ; ", codes=LABELS) == [[], [], [], []]


def test_one_unknown_code_refuses_the_text() -> None:
    assert outcomes(CODES, "CCB-Gold; Mystery", "Mystery", codes=LABELS) == ["UNKNOWN", "UNKNOWN"]


def test_a_serial_gives_what_it_says_and_its_years() -> None:
    rule = {"convert": "serial", "grammar": "verra"}
    made = converted(rule, SERIAL, "nonsense", None)
    single = read(grammar_of("verra"), SERIAL)
    assert isinstance(single, Serial)
    assert made.values.to_list() == [SERIAL, "nonsense", None]
    assert made.refused.to_list() == [None, "SERIAL_UNREADABLE", None]
    assert {
        name: facts[0] for name, facts in made.facts.items() if name in {"first", "last", "count", "space", "batch"}
    } == {
        "first": single.range.first,
        "last": single.range.last,
        "count": single.range.count,
        "space": single.space.key,
        "batch": "20000",
    }
    assert (made.facts["first_year"].to_list(), made.facts["last_year"].to_list()) == ([2020, None, None],) * 2


RULES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "text": ({"convert": "text"}, None),
    "pattern": ({"convert": "text", "pattern": "[0-9]+"}, None),
    "whole": (WHOLE, None),
    "date": (ANY_DATE, None),
    "years": ({"convert": "years"}, None),
    "presence": ({"convert": "presence", "present": "a", "absent": "b"}, None),
    "flag": ({"convert": "flag"}, None),
    "code": (CODE, WORDS),
    "codes": (CODES, LABELS),
    "serial": ({"convert": "serial", "grammar": "verra"}, None),
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_no_rows_and_only_empty_rows(name: str) -> None:
    rule, codes = RULES[name]
    none, empty, full = (converted(rule, *texts, codes=codes) for texts in ((), (None, "", " "), ("x", "1")))
    for made, height in ((none, 0), (empty, 3)):
        assert made.values.len() == made.refused.len() == height
        assert made.values.dtype == full.values.dtype
        assert {fact: series.dtype for fact, series in made.facts.items()} == {
            fact: series.dtype for fact, series in full.facts.items()
        }
        assert made.refused.dtype == pl.String
        assert made.refused.null_count() == height


# What columns hold and what looks like it.
_PIECES = st.sampled_from(
    [
        *("1,454,054", "235604.0", "0", "2024-12-31", "31/12/2024", "45657", "T10:20:30.5Z", "2003 - 2004", "true"),
        *("Active", "On Hold \u2013 see letter", "CCB-Gold", "; ", SERIAL),
        *(",", ".", "-", "/", "9", "0" * 9, "\u0661", " ", "\u00a0", "\n", ""),
    ]
)
_TEXTS = st.one_of(
    st.none(),
    _PIECES,
    st.lists(_PIECES, max_size=3).map("".join),
    st.text(max_size=8),
    st.from_regex(converters.WHOLE, fullmatch=True),
    st.from_regex(converters.ISO, fullmatch=True),
)


@given(st.lists(_TEXTS, max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_column_is_read_as_each_of_its_texts_alone(texts: list[str | None]) -> None:
    for name, (rule, codes) in RULES.items():
        whole = converted(rule, *texts, codes=codes)
        alone = [converted(rule, text, codes=codes) for text in texts]
        assert whole.values.to_list() == [made.values.to_list()[0] for made in alone], name
        assert whole.refused.to_list() == [made.refused[0] for made in alone], name
        for fact, series in whole.facts.items():
            assert series.to_list() == [made.facts[fact][0] for made in alone], name


@given(st.lists(_TEXTS, max_size=6), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_by_distinct_text_is_the_same_as_directly(texts: list[str | None], times: int) -> None:
    column = cleaned(pl.Series(texts * times, dtype=pl.String))
    codes = CodeList.model_validate(LABELS)
    conversions: list[Callable[[pl.Series], pl.DataFrame]] = [
        lambda column: converters._date(column, ("iso", "day_month_year", "excel_serial")),
        converters._years,
        lambda column: converters._flag(column, absent=True),
        lambda column: converters._code(column, codes),
        lambda column: converters._codes(column, codes, ";"),
    ]
    for convert in conversions:
        made, directly = by_distinct(column, convert), convert(column)
        assert made.values.to_list() == directly.get_column("values").to_list()
        assert made.refused.to_list() == directly.get_column("refused").to_list()
        for fact, series in made.facts.items():
            assert series.to_list() == directly.get_column(fact).to_list()


def by_hand_whole(text: str) -> int | None:
    """A whole number read by a person: no pattern, digit by digit."""
    body, point, zeros = text.partition(".")
    if point and (not 1 <= len(zeros) <= 9 or set(zeros) != {"0"}):
        return None
    groups = body.split(",")
    digits = "".join(groups)
    if not digits or not all(digit in "0123456789" for digit in digits) or len(digits) > 18:
        return None
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        return None
    number = sum(int(digit) * 10**place for place, digit in enumerate(reversed(digits)))
    return None if number == 0 or digits[0] == "0" else number


def by_hand_day(text: str) -> dt.date | None:
    """A day in one of the three styles, read with the standard library's calendar."""
    if not text.isascii():
        return None
    if len(text) == 5 and text.isdigit() and text[0] != "0":
        return dt.date(1899, 12, 30) + dt.timedelta(int(text))
    numbers: list[str] = []
    if len(text) == 10 and text[2:6:3] == "//":
        numbers = [text[6:], text[3:5], text[:2]]
    elif len(text) >= 10 and text[4:8:3] == "--" and _time_by_hand(text[10:]):
        numbers = [text[:4], text[5:7], text[8:10]]
    if not numbers or not all(part.isdigit() for part in numbers) or not "1900" <= numbers[0] < "2200":
        return None
    try:
        return dt.date(*map(int, numbers))
    except ValueError:
        return None


def _time_by_hand(rest: str) -> bool:
    if not rest:
        return True
    if rest[0] not in "T ":
        return False
    time, point, fraction = rest[1:].removesuffix("Z").partition(".")
    parts = time.split(":")
    if point and not (len(parts) == 3 and 1 <= len(fraction) <= 9 and fraction.isdigit()):
        return False
    limits = (24, 60, 60)[: len(parts)]
    return len(parts) in {2, 3} and all(
        len(part) == 2 and part.isdigit() and int(part) < limit for part, limit in zip(parts, limits, strict=True)
    )


@given(st.lists(_TEXTS, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_numbers_and_days_are_read_as_by_hand(texts: list[str | None]) -> None:
    bare = [(text or "").strip(SPACES) for text in texts]
    assert outcomes(WHOLE, *texts) == [(by_hand_whole(text) or "UNREADABLE") if text else None for text in bare]
    assert outcomes(ANY_DATE, *texts) == [(by_hand_day(text) or "UNREADABLE") if text else None for text in bare]
