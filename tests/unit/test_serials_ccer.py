"""The synthetic serials of the national registry's stand-in: twelve digits, zeros in front, one count a product."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.serials import Serial, SerialFacts, SerialRange, SerialRefused, grammar_of, parse, read
from gateway.model.serials.columnar import parse_column

GRAMMAR = "ccer-simulated"
PROJECT = "1526163848812433408"
SERIAL = f"CCER-{PROJECT}-2024-000000000101-000000000250"
LARGEST = 10**12 - 1


def columnar(*texts: str) -> list[dict[str, object]]:
    frame = pl.DataFrame({"text": list(texts)}, schema={"text": pl.String})
    parsed = parse_column(grammar_of(GRAMMAR), pl.col("text"))
    return frame.select(parsed.alias("serial")).unnest("serial").to_dicts()


def test_says_project_year_and_units_and_counts_per_product() -> None:
    serial = parse(GRAMMAR, SERIAL)
    assert serial.space.key == f"ccer-simulated:{PROJECT}-2024"
    assert serial.range == SerialRange(101, 250)
    assert serial.facts == SerialFacts(project=PROJECT, vintage_year=2024)
    assert serial.text == SERIAL


def test_another_year_of_the_same_project_is_another_space() -> None:
    one, other = parse(GRAMMAR, SERIAL), parse(GRAMMAR, SERIAL.replace("-2024-", "-2025-"))
    assert one.range == other.range
    assert one.space != other.space


def test_the_column_says_the_same() -> None:
    (row,) = columnar(SERIAL)
    assert {name: value for name, value in row.items() if value is not None} == {
        "space": f"ccer-simulated:{PROJECT}-2024",
        "first": 101,
        "last": 250,
        "count": 150,
        "project": PROJECT,
        "vintage_year": 2024,
    }


def test_a_part_of_a_block_keeps_its_twelve_digits() -> None:
    serial = parse(GRAMMAR, SERIAL)
    part = serial.with_range(SerialRange(101, 120))
    assert part.text == f"CCER-{PROJECT}-2024-000000000101-000000000120"
    assert parse(GRAMMAR, part.text) == part
    assert part.with_range(serial.range) == serial


@given(
    project=st.integers(1, 10**19 - 1),
    year=st.integers(1900, 2199),
    bounds=st.tuples(st.integers(1, LARGEST), st.integers(1, LARGEST)).map(sorted),
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_written_is_read_again_by_both_engines(project: int, year: int, bounds: list[int]) -> None:
    first, last = bounds
    text = f"CCER-{project}-{year}-{first:012}-{last:012}"
    serial = read(grammar_of(GRAMMAR), text)
    assert isinstance(serial, Serial)
    assert (serial.text, serial.range) == (text, SerialRange(first, last))
    (row,) = columnar(text)
    assert (row["space"], row["first"], row["last"], row["refused"]) == (serial.space.key, first, last, None)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (f"CCER-{PROJECT}-2024-101-250", "SERIAL_UNREADABLE", "the first unit number (twelve digits, not zero)"),
        (f"CCER-{PROJECT}-2024-000000000000-000000000250", "SERIAL_UNREADABLE", "the first unit number"),
        (f"CCER-{PROJECT}-2024-000000000101-0000000000250", "SERIAL_UNREADABLE", "the end of the serial"),
        (f"CCER-{PROJECT}-1824-000000000101-000000000250", "SERIAL_UNREADABLE", "the vintage's year"),
        (f"CCER-0{PROJECT}-2024-000000000101-000000000250", "SERIAL_UNREADABLE", "the project (1 to 19 digits"),
        (f"CCER-{PROJECT}0-2024-000000000101-000000000250", "SERIAL_UNREADABLE", "after the project"),
        (f"CCER-{PROJECT}-2024-000000000250-000000000101", "SERIAL_BACKWARDS", "250, is above the last, 101"),
    ],
)
def test_refuses_a_near_miss_and_says_where(text: str, code: str, says: str) -> None:
    found = read(grammar_of(GRAMMAR), text)
    assert isinstance(found, SerialRefused)
    assert found.code == code
    assert says in found.reason
    (row,) = columnar(text)
    assert row["refused"] == code
