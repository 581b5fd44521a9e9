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
    names = dict.fromkeys(name for row in listed for name in row)
    return pl.DataFrame({name: pl.Series([_text(row.get(name)) for row in listed], dtype=pl.String) for name in names})


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
