from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.kit.decoding import Undecodable, decode_json
from gateway.kit.mapping import tabulate as tabulating
from gateway.kit.mapping.converters import convert
from gateway.kit.mapping.document import DateRule, InstantRule, ScaledRule, SourceRule, TextsRule, YearsRule
from gateway.kit.mapping.tabulate import tabulate

UTC = dt.UTC


def read(rule: SourceRule, *texts: str | None) -> tuple[list[Any], list[str | None]]:
    converted = convert(rule, pl.Series(list(texts), dtype=pl.String), None)
    return converted.values.to_list(), converted.refused.to_list()


def instant(*styles: str, zone: str | None = None) -> InstantRule:
    return InstantRule.model_validate(
        {"from": "x", "class": "descriptive", "convert": "instant", "styles": styles, "zone": zone}
    )


def scaled(scale: int) -> ScaledRule:
    return ScaledRule.model_validate({"from": "x", "class": "quantity", "convert": "scaled", "scale": scale})


def date(*styles: str) -> DateRule:
    return DateRule.model_validate({"from": "x", "class": "descriptive", "convert": "date", "styles": styles})


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-15T03:00:00Z",
        "2026-07-15 11:00:00+08:00",
        "2026-07-15T11:00+0800",
        "2026-07-14T19:00:00.000-08:00",
    ],
)
def test_an_instant_with_its_offset_is_read_as_utc(text: str) -> None:
    assert read(instant("iso"), text) == ([dt.datetime(2026, 7, 15, 3, tzinfo=UTC)], [None])


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-15T03:00:00",
        "2026-02-30T03:00:00Z",
        "2026-07-15T24:00:00Z",
        "2026-07-15T03:00:00+15:00",
        "2026-07-15T03:00:00+08:60",
        "2026-07-15T03:00:00.1234567Z",
        "2026-07-15",
        "yesterday",
    ],
)
def test_what_is_no_instant_with_an_offset_is_refused(text: str) -> None:
    assert read(instant("iso"), text) == ([None], ["UNREADABLE"])


def test_a_local_time_is_read_in_its_declared_zone() -> None:
    expected = dt.datetime(2026, 7, 15, 2, 30, tzinfo=UTC)
    assert read(instant("iso_local", zone="Asia/Shanghai"), "2026-07-15 10:30:00")[0] == [expected]
    assert read(instant("compact_local", zone="Asia/Shanghai"), "20260715103000")[0] == [expected]
    assert read(instant("epoch_milliseconds"), str(int(expected.timestamp() * 1000)))[0] == [expected]


def test_a_local_time_that_is_skipped_or_comes_twice_is_refused() -> None:
    new_york = instant("iso_local", zone="America/New_York")
    assert read(new_york, "2026-03-08T02:30:00", "2026-11-01T01:30:00") == ([None, None], ["UNREADABLE", "UNREADABLE"])


def test_a_zone_stands_exactly_where_a_style_is_local() -> None:
    for styles, zone in ((("iso",), "Asia/Shanghai"), (("iso_local",), None), (("iso_local",), "Asia/Atlantis")):
        with pytest.raises(ValidationError, match="zone"):
            instant(*styles, zone=zone)


@given(st.integers(0, 4 * 10**15), st.integers(-14 * 60, 14 * 60))
def test_every_instant_survives(microseconds: int, minutes: int) -> None:
    moment = dt.datetime(1970, 1, 2, tzinfo=UTC) + dt.timedelta(microseconds=microseconds)
    written = moment.astimezone(dt.timezone(dt.timedelta(minutes=minutes))).isoformat()
    assert read(instant("iso"), written)[0] == [moment]


@pytest.mark.parametrize(
    ("scale", "text", "value"),
    [(2, "1,234.5", 123450), (2, "0.01", 1), (2, "1234.560", 123456), (6, "12.34", 12_340_000), (0, "7", 7)],
)
def test_a_decimal_is_a_whole_number_of_its_scale(scale: int, text: str, value: int) -> None:
    assert read(scaled(scale), text) == ([value], [None])


@pytest.mark.parametrize("text", ["1234.567", "-1", "+1", "1e3", "01.2", "1.", ".5", "1,23", "9" * 18, "NaN", "1 000"])
def test_what_would_be_rounded_or_guessed_is_refused(text: str) -> None:
    assert read(scaled(2), text) == ([None], ["UNREADABLE"])


@given(st.integers(0, 10**15), st.integers(0, 6))
def test_every_amount_survives(value: int, scale: int) -> None:
    whole, rest = divmod(value, 10**scale)
    text = f"{whole}.{rest:0{scale}d}" if scale else str(whole)
    assert read(scaled(scale), text)[0] == [value]


def test_days_as_they_are_written_on_the_mainland() -> None:
    texts = ("20260715", "2026年7月5日", "2026/7/15", "2026/07/05")
    days = [dt.date(2026, 7, 15), dt.date(2026, 7, 5), dt.date(2026, 7, 15), dt.date(2026, 7, 5)]
    assert read(date("compact", "han", "slashed"), *texts) == (days, [None] * 4)
    impossible = ("20260230", "2026年2月30日", "2026/13/1", "202607", "2026年7月")
    assert read(date("compact", "han", "slashed"), *impossible) == ([None] * 5, ["UNREADABLE"] * 5)


def test_several_texts_in_one() -> None:
    json = TextsRule.model_validate({"from": "x", "class": "descriptive", "convert": "texts"})
    parted = json.model_copy(update={"separator": ";"})
    assert read(json, '["a", "b"]', None, "[]") == ([["a", "b"], [], []], [None] * 3)
    assert read(json, "a", '["a", ["b"]]', '{"a": 1}') == ([None] * 3, ["UNREADABLE"] * 3)
    assert read(parted, "a; b;;") == ([["a", "b"]], [None])


def test_years_are_whole_calendar_years() -> None:
    rule = YearsRule.model_validate({"from": "x", "class": "identity", "convert": "years"})
    facts = convert(rule, pl.Series(["2024", "2003 - 2004"]), None).facts
    assert facts["first_day"].to_list() == [dt.date(2024, 1, 1), dt.date(2003, 1, 1)]
    assert facts["last_day"].to_list() == [dt.date(2024, 12, 31), dt.date(2004, 12, 31)]


POSITIONS = b"""{"data": {"account": "A", "positions": [
 {"ein": "E1", "project": {"name": "P", "ids": [1, 2]}, "lots": [{"id": "L1", "units": 5}, {"id": "L2", "units": 7}]},
 {"ein": "E2", "project": {"name": "Q", "ids": []}, "lots": []}]}}"""


def test_rows_of_a_list_within_a_list_have_their_parents_fields() -> None:
    rows = tabulate(decode_json(POSITIONS), "data.positions[].lots[]", nested=True)
    assert rows.to_dicts() == [
        {
            "data.positions.ein": "E1",
            "data.positions.project.name": "P",
            "data.positions.project.ids": '["1", "2"]',
            "id": identifier,
            "units": units,
        }
        for identifier, units in (("L1", "5"), ("L2", "7"))
    ]


def test_nested_objects_are_columns_only_where_that_is_asked_for() -> None:
    document = decode_json(b'[{"a": {"b": 1, "c": {}}, "d": [1]}]')
    assert tabulate(document, "[]").to_dicts() == [{"a": '{"b": "1", "c": {}}', "d": '["1"]'}]
    assert tabulate(document, "[]", nested=True).to_dicts() == [{"a.b": "1", "a.c": "{}", "d": '["1"]'}]


@pytest.mark.parametrize(
    ("body", "rows", "message"),
    [
        (b'{"data": []}', "data.items[]", "data is"),
        (b'{"data": {"items": {}}}', "data.items[]", "data.items"),
        (b'[{"a.b": 1, "a": {"b": 2}}]', "[]", "two members that would both be the column"),
        (b'[{"a": ' + b'{"a": ' * 7 + b"1" + b"}" * 8 + b"]", "[]", "deep"),
    ],
)
def test_what_cannot_be_a_table_is_refused(body: bytes, rows: str, message: str) -> None:
    with pytest.raises(Undecodable, match=message):
        tabulate(decode_json(body), rows, nested=True)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabulating, "ROWS_LIMIT", 3)
    with pytest.raises(Undecodable, match="more than 3 rows"):
        tabulate(decode_json(b'{"p": [{"b": [{"x": 1}, {"x": 2}]}, {"b": [{"x": 1}, {"x": 2}]}]}'), "p[].b[]")
