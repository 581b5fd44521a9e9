"""From a decoded JSON document to a table of strings: one row an element of the list that the mapping names."""

from __future__ import annotations

import json
from typing import Final

import polars as pl

from gateway.kit.decoding import Json, Undecodable, elements, members

ROWS_LIMIT: Final = 100_000


def tabulate(document: Json, rows: str) -> pl.DataFrame:
    """The rows of ``entities[]`` (or ``[]``: the document is the list), every value as text.

    A nested object or list keeps its JSON text, so that it can be listed as ignored or seen as drift. A key that only
    some rows have is a column with nulls.

    Raises Undecodable when the list is not there or an element is no object.
    """
    path = rows.removesuffix("[]")
    found = members(document, "the document").get(path) if path else document
    listed = [members(row, f"{rows} element") for row in elements(found, f"the member {path!r}")]
    if len(listed) > ROWS_LIMIT:
        raise Undecodable(f"found {len(listed)} rows in one document, expected {ROWS_LIMIT} at most")
    names = list(listed[0]) if listed else []
    if all(list(row) == names for row in listed):
        values = list(zip(*(row.values() for row in listed), strict=True))
    else:
        names = list(dict.fromkeys(name for row in listed for name in row))
        values = [tuple(row.get(name) for row in listed) for name in names]
    return pl.DataFrame([_column(name, column) for name, column in zip(names, values, strict=True)])


def _column(name: str, values: tuple[Json, ...]) -> pl.Series:
    """A column of text; the checks are here because pages have sixty columns, most of them empty or all text."""
    kinds = set(map(type, values))
    if kinds == {type(None)}:
        return pl.Series(name, [None], pl.String).new_from_index(0, len(values))
    if kinds <= {str, type(None)}:
        return pl.Series(name, values, pl.String)
    return pl.Series(name, [_text(value) for value in values], pl.String)


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
