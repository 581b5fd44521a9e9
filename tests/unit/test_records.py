"""The unified records, and that a record and a row of its table can never differ in what they allow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.model.money import Currency
from gateway.model.records import (
    RECORDS,
    Block,
    CashBalance,
    Holding,
    columns,
    contradictions,
    measure,
    required,
    vocabulary,
)
from gateway.model.vocabulary import ProjectState, QuantityUnit, RecordKind, UnitState

BLOCK: dict[str, Any] = {
    "serial": "20000-1-425-VCS-VCU-1507-VER-ET-14-1340-01012020-31122020-1",
    "space": "verra:vcs-vcu",
    "first": 1,
    "last": 425,
    "quantity": 425,
    "quantity_unit": QuantityUnit.TONNE,
    "project_id": "1340",
    "batch_id": "20000",
    "unit_kind": "VCU",
    "vintage_start": dt.date(2020, 1, 1),
    "vintage_end": dt.date(2020, 12, 31),
    "issued_on": None,
    "labels": ("CCB-GOLD",),
    "labels_native": None,
    "country": None,
    "country_native": None,
    "methodologies_native": None,
    "project_name": None,
    "state": UnitState.ACTIVE,
    "state_native": "Active",
    "buffer": False,
    "ended_on": None,
    "holder": None,
    "beneficiary": None,
    "reason_native": None,
    "remarks": None,
}


def test_a_block_is_what_it_says() -> None:
    block = Block(**BLOCK)
    assert block.model_dump() == BLOCK
    with pytest.raises(ValidationError, match="frozen"):
        block.quantity = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": 426}, r"quantity 426 differs from the 425 units of 1\.\.425"),
        ({"first": None}, "both its ends or neither"),
        ({"last": None}, "both its ends or neither"),
        ({"first": 425, "last": 1, "quantity": 1}, "differs"),
        ({"vintage_end": dt.date(2019, 12, 31)}, "vintage ends 2019-12-31 before it starts 2020-01-01"),
        ({"quantity": 0}, "greater than or equal to 1"),
        ({"quantity": 425.0}, "valid integer"),
        ({"quantity": "425"}, "valid integer"),
        ({"quantity": True}, "valid integer"),
        ({"quantity": None}, "valid integer"),
        ({"vintage_start": "2020-01-01"}, "valid date"),
        ({"vintage_start": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "valid date"),
        ({"state": "active"}, "UnitState"),
        ({"labels": ["CCB-GOLD"]}, "valid tuple"),
        ({"buffer": None}, "valid boolean"),
        ({"colour": "green"}, "Extra inputs are not permitted"),
    ],
)
def test_a_block_that_contradicts_itself_or_is_not_exact_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Block(**(BLOCK | changes))


def test_units_without_a_range_are_a_block_too() -> None:
    assert Block(**(BLOCK | {"first": None, "last": None, "quantity": 7})).quantity == 7


def test_every_record_has_a_table() -> None:
    assert set(RECORDS) == set(RecordKind)
    assert {kind: record.__name__ for kind, record in RECORDS.items()} == {
        kind: "".join(word.title() for word in kind.value.split("_")) for kind in RecordKind
    }
    for kind, record in RECORDS.items():
        assert list(columns(kind)) == list(record.model_fields)
    assert columns(RecordKind.BLOCK) == {name: pl.String() for name in BLOCK} | {
        "first": pl.Int64(),
        "last": pl.Int64(),
        "quantity": pl.Int64(),
        "vintage_start": pl.Date(),
        "vintage_end": pl.Date(),
        "issued_on": pl.Date(),
        "ended_on": pl.Date(),
        "labels": pl.List(pl.String()),
        "buffer": pl.Boolean(),
    }


def test_what_may_not_be_empty() -> None:
    assert required(RecordKind.PROJECT) == {"project_id", "state"}
    serialised = {
        *("serial", "space", "quantity", "quantity_unit", "project_id", "unit_kind", "vintage_start", "vintage_end"),
        *("labels", "state"),
    }
    assert required(RecordKind.BATCH) == serialised
    assert required(RecordKind.BLOCK) == serialised | {"buffer"}
    for name in BLOCK:
        try:
            Block(**(BLOCK | {name: None} | ({"first": None, "last": None} if name in {"first", "last"} else {})))
        except ValidationError:
            assert name in required(RecordKind.BLOCK)
        else:
            assert name not in required(RecordKind.BLOCK)


def test_fields_that_take_only_words_of_a_list() -> None:
    states = {word.value for word in UnitState}
    assert vocabulary(RecordKind.PROJECT) == {"state": {word.value for word in ProjectState}}
    assert vocabulary(RecordKind.BATCH) == vocabulary(RecordKind.BLOCK) == {
        "state": states,
        "quantity_unit": {"tCO2e", "kgCO2e"},
    }  # fmt: skip


_NUMBERS = st.one_of(st.none(), st.integers(1, 6))
_DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2020, 1, 4))
_CASES = st.fixed_dictionaries(
    {"first": _NUMBERS, "last": _NUMBERS, "quantity": st.integers(0, 4), "vintage_start": _DAYS, "vintage_end": _DAYS}
)


@given(st.lists(_CASES, min_size=1, max_size=20))
@settings(max_examples=80, deadline=None)
def test_a_row_is_refused_when_its_record_is(cases: list[dict[str, Any]]) -> None:
    schema: dict[str, Any] = {name: columns(RecordKind.BLOCK)[name] for name in cases[0]}
    table = pl.DataFrame(cases, schema=schema)
    rules = contradictions(RecordKind.BLOCK)
    wrong = table.select(pl.any_horizontal(one.present.fill_null(value=False) for one in rules)).to_series()
    for case, refused in zip(cases, wrong, strict=True):
        try:
            Block(**(BLOCK | case))
        except ValidationError:
            assert refused, case
        else:
            assert not refused, case
    for one in rules:
        told = table.filter(one.present).select(one.found.alias("found")).get_column("found")
        assert told.dtype == pl.String
        assert told.null_count() == 0
        assert one.field in columns(RecordKind.BLOCK)


def test_a_batch_is_held_to_the_same_and_a_project_to_nothing() -> None:
    assert [one.code for one in contradictions(RecordKind.BATCH)] == [
        one.code for one in contradictions(RecordKind.BLOCK)
    ]
    assert contradictions(RecordKind.PROJECT) == ()


def test_an_annotation_without_a_column_type_is_refused() -> None:
    from gateway.model.records import tables

    with pytest.raises(TypeError, match="no column type for <class 'float'>"):
        tables._column_type(float)


HOLDING: dict[str, Any] = dict.fromkeys(columns(RecordKind.HOLDING)) | {
    "account": "HK-1",
    "quantity": 10,
    "quantity_unit": QuantityUnit.TONNE,
    "project_id": "1340",
    "unit_kind": "VCU",
    "vintage_start": dt.date(2020, 1, 1),
    "vintage_end": dt.date(2020, 12, 31),
    "state": UnitState.ACTIVE,
}
_PARTS = st.one_of(st.none(), st.integers(-1, 6))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "quantity": st.integers(-1, 9),
                **dict.fromkeys(("available", "earmarked", "pledged", "frozen", "in_transit"), _PARTS),
            }
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=80, deadline=None)
def test_the_parts_of_a_holding_never_exceed_it(cases: list[dict[str, Any]]) -> None:
    schema: dict[str, Any] = columns(RecordKind.HOLDING)
    table = pl.DataFrame([HOLDING | case for case in cases], schema=schema)
    rules = contradictions(RecordKind.HOLDING)
    wrong = table.select(pl.any_horizontal(one.present.fill_null(value=False) for one in rules)).to_series()
    for case, refused in zip(cases, wrong, strict=True):
        try:
            Holding(**(HOLDING | case))
        except ValidationError:
            assert refused, case
        else:
            assert not refused, case


def test_a_cash_balance_is_what_is_available_and_what_is_held() -> None:
    rules = {one.code: one for one in contradictions(RecordKind.CASH_BALANCE)}
    table = pl.DataFrame({"booked": [10, 10], "available": [7, 7], "held": [3, 4]})
    assert table.select(rules["BALANCE_TORN"].present).to_series().to_list() == [False, True]
    balance: dict[str, Any] = {"account": "A", "currency": Currency.HKD, "booked": 10, "available": 7, "holder": None}
    assert CashBalance(**balance, held=3).held == 3
    with pytest.raises(ValidationError, match="booked 10 differs from available 7 and held 4"):
        CashBalance(**balance, held=4)


def test_what_a_stated_total_sums() -> None:
    assert {kind.value: measure(kind) for kind in RecordKind if measure(kind) != "quantity"} == {
        "project": None,
        "cash_balance": "booked",
        "cash_movement": "amount",
    }
