"""From a decoded JSON document to a table of strings: one row an element of the list that the mapping names."""

from __future__ import annotations

import json
from typing import Final

import polars as pl

from gateway.kit.decoding import Json, Undecodable, elements, members
from gateway.kit.mapping.engine import OURS

ROWS_LIMIT: Final = 100_000


def tabulate(document: Json, rows: str) -> pl.DataFrame:
    """The rows of ``entities[]`` (or ``[]``: the document is the list), every value as text.

    A nested object or list keeps its JSON text, so that it can be listed as ignored or seen as drift. A key that only
    some rows have is a column with nulls.

    Raises Undecodable when the list is not there, is too long, or has an element that is no object or says nothing at
    all, and for a key that the gateway keeps for its own columns.
    """
    path = rows.removesuffix("[]")
    found = members(document, "the document").get(path) if path else document
    found = elements(found, f"the member {path!r}" if path else "the document")
    if len(found) > ROWS_LIMIT:
        raise Undecodable(f"found {len(found)} rows in one document, expected {ROWS_LIMIT} at most")
    listed = [members(row, f"an element of {rows}") for row in found]
    if not all(listed):
        raise Undecodable(f"element {listed.index({}) + 1} of {rows} is an empty object, expected a row")
    names = list(listed[0]) if listed else []
    if all(list(row) == names for row in listed):
        values = list(zip(*(row.values() for row in listed), strict=True))
    else:
        names = list(dict.fromkeys(name for row in listed for name in row))
        values = [tuple(row.get(name) for row in listed) for name in names]
    if not OURS.isdisjoint(names):
        taken = ", ".join(sorted(OURS.intersection(names)))
        raise Undecodable(f"found the key {taken} in {rows}, which the gateway keeps for its own columns")
    return pl.DataFrame({name: _column(name, column) for name, column in zip(names, values, strict=True)})


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
