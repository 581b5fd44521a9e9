"""Credit classes: one name for what is fungible, the same for one unit and for a column."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.credits import CreditClass, class_id_column, distinguishing

START, END = dt.date(2021, 1, 1), dt.date(2021, 12, 31)
_LABELS = st.lists(
    st.sampled_from(["CCP", "CCB", "CCB-GOLD", "CORSIA-PILOT-ELIGIBLE", "SDG-01", "SDG-13", "SD-VISTA", "ÉCO", "a"])
)
_CLASSES = st.fixed_dictionaries(
    {
        "project_id": st.sampled_from(["1748", "1", "GS23718"]),
        "vintage_start": st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31)),
        "vintage_end": st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31)),
        "unit_kind": st.sampled_from(["VCU", "fPVC"]),
        "labels": _LABELS,
    }
)


def name_of(*labels: str) -> str:
    return CreditClass("VCS", "1748", START, END, "VCU", frozenset(labels)).class_id


def test_the_name_is_stable_and_readable() -> None:
    head = "VCS-1748 2021-01-01..2021-12-31 VCU"
    assert name_of() == head
    assert name_of("CORSIA-PILOT-ELIGIBLE", "CCB-GOLD") == f"{head} +CCB-GOLD+CORSIA-PILOT-ELIGIBLE"


def test_goals_describe_and_do_not_distinguish() -> None:
    assert name_of("SDG-13", "SDG-01") == name_of()
    assert name_of("SDG-13", "CCP") == name_of("CCP")
    assert distinguishing(["SDG-13", "SD-VISTA", "CCP", "CCP"]) == ["CCP", "SD-VISTA"]


def test_each_thing_that_distinguishes_changes_the_name() -> None:
    one = CreditClass("VCS", "1", START, END, "VCU", frozenset())
    others = [
        replace(one, programme="GS"),
        replace(one, project_id="11"),
        replace(one, vintage_start=END),
        replace(one, vintage_end=START),
        replace(one, unit_kind="fPVC"),
        replace(one, labels=frozenset({"CCP"})),
    ]
    assert len({other.class_id for other in (one, *others)}) == len(others) + 1


@given(st.lists(_CLASSES, max_size=10))
@settings(max_examples=80, deadline=None)
def test_a_column_has_the_names_of_its_rows(rows: list[dict[str, Any]]) -> None:
    schema: dict[str, Any] = {
        "project_id": pl.String,
        "vintage_start": pl.Date,
        "vintage_end": pl.Date,
        "unit_kind": pl.String,
        "labels": pl.List(pl.String),
    }
    table = pl.DataFrame(rows, schema=schema)
    named = table.select(class_id_column(pl.lit("VCS")).alias("name")).get_column("name").to_list()
    single = [CreditClass("VCS", **(row | {"labels": frozenset(row["labels"])})) for row in rows]
    assert named == [one.class_id for one in single]
