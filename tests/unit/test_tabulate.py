"""From a JSON document to a table of text: nothing lost, nothing made up."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kit.decoding import Json, Undecodable, decode_json
from gateway.kit.mapping import tabulate as module
from gateway.kit.mapping.tabulate import tabulate


def decoded(value: Any) -> Json:
    return decode_json(json.dumps(value).encode())


def test_each_element_is_a_row_of_text() -> None:
    table = tabulate(
        decode_json(b'{"n": 2, "entities": [{"a": 235604.0, "b": "x", "c": true}, {"a": 1e3, "b": null, "c": false}]}'),
        "entities[]",
    )
    assert set(table.dtypes) == {pl.String}
    assert table.to_dicts() == [{"a": "235604.0", "b": "x", "c": "true"}, {"a": "1e3", "b": None, "c": "false"}]


def test_the_document_itself_may_be_the_list() -> None:
    assert tabulate(decoded([{"a": "1"}, {"a": "2"}]), "[]").to_dicts() == [{"a": "1"}, {"a": "2"}]


def test_what_is_nested_keeps_its_text() -> None:
    table = tabulate(decode_json('[{"a": {"größe": [1, null, "x"]}, "b": []}]'.encode()), "[]")
    assert table.to_dicts() == [{"a": '{"größe": ["1", null, "x"]}', "b": "[]"}]


def test_keys_that_only_some_rows_have_and_keys_in_another_order() -> None:
    table = tabulate(decoded([{"a": "1", "b": "2"}, {"b": "3", "a": "4"}, {"c": "5"}, {"b": None}]), "[]")
    assert table.columns == ["a", "b", "c"]
    assert table.rows() == [("1", "2", None), ("4", "3", None), (None, None, "5"), (None, None, None)]


def test_no_rows_is_a_table_without_rows() -> None:
    assert tabulate(decoded({"entities": []}), "entities[]").shape == (0, 0)


def test_a_column_of_nulls_is_text() -> None:
    assert tabulate(decoded([{"a": None}, {"a": None}]), "[]").schema == {"a": pl.String}


@pytest.mark.parametrize(
    ("document", "rows", "said"),
    [
        ({}, "entities[]", "the member 'entities' is missing or null, expected an array"),
        ({"entities": None}, "entities[]", "the member 'entities' is missing or null, expected an array"),
        ({"entities": {"a": "1"}}, "entities[]", "the member 'entities' is an object, expected an array"),
        ({"entities": "none"}, "entities[]", "the member 'entities' is 'none', expected an array"),
        ([], "entities[]", "the document is an array, expected an object"),
        ({"a": "1"}, "[]", "the document is an object, expected an array"),
        ([{"a": "1"}, "x"], "[]", r"an element of \[\] is 'x', expected an object"),
        ([{"a": "1"}, None], "[]", r"an element of \[\] is missing or null, expected an object"),
        ([{"a": "1"}, {}], "[]", r"element 2 of \[\] is an empty object, expected a row"),
        ([{}, {}], "[]", r"element 1 of \[\] is an empty object, expected a row"),
        ([{"_row": "1"}], "[]", r"found the key _row in \[\], which the gateway keeps for its own columns"),
        ([{"a": "1"}, {"_gateway_source": "1"}], "[]", "the gateway keeps for its own"),
        ([{"_gateway_position": None}], "[]", "the gateway keeps for its own"),
    ],
)
def test_what_is_no_list_of_rows_is_refused(document: Any, rows: str, said: str) -> None:
    with pytest.raises(Undecodable, match=said):
        tabulate(decoded(document), rows)


@pytest.mark.parametrize(
    ("document", "rows", "column"),
    [
        ({"p": [{"a": "1", "b": [{"p.a": "2"}]}]}, "p[].b[]", "p.a"),
        ({"p": [{"p.a": "1", "b": [{"p.p.a": "2"}]}]}, "p[].b[]", "p.p.a"),
        ({"p": [{"b.x": "1", "b": [{"x": "2", "c": [{"y": "3"}]}]}]}, "p[].b[].c[]", "p.b.x"),
    ],
)
def test_a_row_and_its_parent_never_share_a_column(document: Any, rows: str, column: str) -> None:
    with pytest.raises(Undecodable, match=f"the column {column}: a row's and its parent's"):
        tabulate(decoded(document), rows)


def test_a_parent_with_an_empty_list_has_no_rows_and_one_without_a_list_is_refused() -> None:
    empty = {"p": [{"a": "1", "b": []}, {"a": "2", "b": [{"x": "3"}]}]}
    assert tabulate(decoded(empty), "p[].b[]").to_dicts() == [{"p.a": "2", "x": "3"}]
    assert tabulate(decoded({"p": [{"a": "1", "b": []}]}), "p[].b[]").height == 0
    for wrong in ({"a": "1"}, {"a": "1", "b": None}):
        with pytest.raises(Undecodable, match=r"the member 'p\.b' is missing or null, expected an array"):
            tabulate(decoded({"p": [wrong]}), "p[].b[]")


def test_more_rows_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_LIMIT", 3)
    assert tabulate(decoded([{"a": "1"}] * 3), "[]").height == 3
    with pytest.raises(Undecodable, match="found 4 rows in one document, expected 3 at most"):
        tabulate(decoded([{"a": "1"}] * 4), "[]")


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
_ROWS = st.dictionaries(st.sampled_from(["a", "b", "c", "", "values", "größe"]), _SCALARS, min_size=1)


@given(st.lists(_ROWS, max_size=8))
@settings(max_examples=100, deadline=None)
def test_every_value_is_in_its_place(rows: list[dict[str, Any]]) -> None:
    table = tabulate(decoded({"rows": rows}), "rows[]")
    assert table.height == len(rows)
    assert set(table.columns) == {name for row in rows for name in row}
    for given_row, made in zip(rows, table.iter_rows(named=True), strict=True):
        for name, text in made.items():
            value = given_row.get(name)
            assert text == (str(value).lower() if isinstance(value, bool) else value if value is None else str(value))
