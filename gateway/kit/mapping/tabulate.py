"""From a decoded JSON document to a table of strings: one row an element of the list that the mapping names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import polars as pl

from gateway.kit.decoding import Json, Undecodable, elements, members
from gateway.kit.mapping.engine import OURS

ROWS_LIMIT: Final = 100_000
DEPTH_LIMIT: Final = 6
"""How deep objects may lie inside a row whose nested objects become columns."""


def tabulate(document: Json, rows: str, *, nested: bool = False) -> pl.DataFrame:
    """The rows of ``entities[]`` (or ``[]``: the document is the list), every value as text.

    The path may lead through objects and lists: ``data.items[]``, ``positions[].blocks[]``. A row of a list within a
    list also has the fields of the rows it belongs to, under their list's name: ``positions.account``. A key that only
    some rows have is a column with nulls. A list inside a row keeps its JSON text; so does an object, so that it can be
    listed as ignored or seen as drift, unless ``nested`` asks for its members as columns: ``instrument.project.name``.

    Raises Undecodable when a list is not there, is too long, or has an element that is no object or says nothing at
    all, for two members that would share a column (also a row's and its parent's), and for a key that the gateway keeps
    for its own columns. An empty list is a list without rows: of a parent whose list is empty nothing is told, so
    parents that count by themselves need a table of their own.
    """
    listed = list(islice(_rows(document, rows.split("."), {}, nested=nested), ROWS_LIMIT + 1))
    if len(listed) > ROWS_LIMIT:
        raise Undecodable(f"found more than {ROWS_LIMIT} rows in one document")
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


def _rows(
    document: Json, steps: list[str], inherited: Mapping[str, Json], *, nested: bool, path: str = ""
) -> Iterator[dict[str, Json]]:
    """The rows at the end of a path, each with what it has of its parents."""
    step, further = steps[0], steps[1:]
    name = step.removesuffix("[]")
    found = members(document, path or "the document").get(name) if name else document
    here = ".".join(part for part in (path, name) if part)
    if not step.endswith("[]"):
        yield from _rows(found, further, inherited, nested=nested, path=here)
        return
    listed = elements(found, f"the member {here!r}" if here else "the document")
    if len(listed) > ROWS_LIMIT:
        raise Undecodable(f"found {len(listed)} rows in one document, expected {ROWS_LIMIT} at most")
    for position, element in enumerate(listed, start=1):
        row = members(element, f"an element of {here}[]")
        if not row:
            raise Undecodable(f"element {position} of {here}[] is an empty object, expected a row")
        if not further:
            yield _joined(inherited, _flat(row) if nested else row)
            continue
        onward = further[0].removesuffix("[]")
        own = {key: value for key, value in row.items() if key != onward}
        told = {f"{here}.{key}": value for key, value in (_flat(own) if nested else own).items()}
        yield from _rows(row, further, _joined(inherited, told), nested=nested, path=here)


def _joined(inherited: Mapping[str, Json], own: Mapping[str, Json]) -> dict[str, Json]:
    """What a row has of its parents, and its own. Raises Undecodable where both would be one column."""
    both = sorted(inherited.keys() & own.keys())
    if both:
        raise Undecodable(f"found two members that would both be the column {both[0]}: a row's and its parent's")
    return {**inherited, **own}


def _flat(row: Mapping[str, Json], prefix: str = "", depth: int = 1) -> dict[str, Json]:
    """A row's nested objects as columns of their own, named by their path."""
    if depth > DEPTH_LIMIT:
        raise Undecodable(f"found objects more than {DEPTH_LIMIT} deep at {prefix}")
    flat: dict[str, Json] = {}
    for key, value in row.items():
        name = f"{prefix}{key}"
        columns = _flat(value, f"{name}.", depth + 1) if isinstance(value, dict) and value else {name: value}
        if not flat.keys().isdisjoint(columns):
            raise Undecodable(f"found two members that would both be the column {name}")
        flat |= columns
    return flat


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
