"""Columns that no row says by itself: what the market keeps in lists inside a row, or says by being asked.

A mapping document reads texts, not lists of objects. These columns begin with ``derived.`` and hold nothing but what
the row says; where it does not say it, they are empty or hold words that no code list knows, so that the mapping
quarantines the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number

ACCOUNT: Final = "derived.account"
PROJECT: Final = "derived.project"
CERTIFICATIONS: Final = "derived.certifications"
QUANTITY: Final = "derived.quantity"
LOT: Final = "derived.lot"

PARTS: Final = ("availableQuantity", "encumberedQuantity", "unsettledQuantity")
"""The parts of a tax lot. Its whole is not said: ``establishQuantity`` is what it once began with."""

SEPARATOR: Final = ";"
NOT_SHOWN: Final = "certifications not shown"
PERIOD_UNKNOWN: Final = "of an unknown period"


def with_account(rows: pl.DataFrame, account: str) -> pl.DataFrame:
    """The rows with whose they are: the search says it only in its path."""
    return rows if rows.is_empty() else rows.with_columns(pl.lit(account, pl.String).alias(ACCOUNT))


def with_project(rows: pl.DataFrame, instrument: str) -> pl.DataFrame:
    """The rows with their project's number at the registry of the instrument's programme.

    ``instrument`` is the path of the instrument in a row. A project may be of several programmes, each with a number.
    """
    programs = _column(rows, f"{instrument}.program")
    listed = _column(rows, f"{instrument}.project.programs")
    return _with(rows, PROJECT, [_project(program, text) for program, text in zip(programs, listed, strict=True)])


def with_certifications(rows: pl.DataFrame, instrument: str) -> pl.DataFrame:
    """The rows with the codes of the certifications that hold for the instrument.

    One of an issuance holds for the vintage years that it names, one of a project while its date ranges cover the
    reporting period; where none are named, always.
    """
    columns = [
        _column(rows, f"{instrument}.{name}")
        for name in (
            "issuanceCertifications",
            "projectCertifications",
            "vintage.year",
            "reportingPeriodStart",
            "reportingPeriodEnd",
        )
    ]
    return _with(rows, CERTIFICATIONS, [_certifications(*row) for row in zip(*columns, strict=True)])


def with_quantity(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the sum of their parts; empty where a part is not readable."""
    parts = zip(*(_column(rows, name) for name in PARTS), strict=True)
    return _with(rows, QUANTITY, [_sum(row) for row in parts])


def with_lot(rows: pl.DataFrame) -> pl.DataFrame:
    """Listings with the smallest quantity that can be taken: of an all-or-none order, all that is left of it."""
    kinds, lots, balances = (_column(rows, name) for name in ("type", "lotSize", "balance"))
    smallest = [balance if kind == "AON" else lot for kind, lot, balance in zip(kinds, lots, balances, strict=True)]
    return _with(rows, LOT, smallest)


def summed(rows: pl.DataFrame, name: str) -> int | None:
    """The sum of a column of whole numbers; None where one of them cannot be read."""
    try:
        return sum(whole_number(text, name) for text in _column(rows, name))
    except Undecodable:
        return None


def _column(rows: pl.DataFrame, name: str) -> list[str | None]:
    return rows.get_column(name).to_list() if name in rows.columns else [None] * rows.height


def _with(rows: pl.DataFrame, name: str, values: list[str | None]) -> pl.DataFrame:
    return rows if rows.is_empty() else rows.with_columns(pl.Series(name, values, pl.String))


def _project(program: str | None, listed: str | None) -> str | None:
    if program is None:
        return None
    ids = [one.get("registryAssignedId") for one in _objects(listed) or () if one.get("program") == program]
    return ids[0] if len(ids) == 1 and isinstance(ids[0], str) and ids[0] else None


def _certifications(
    issuance: str | None, project: str | None, year: str | None, start: str | None, end: str | None
) -> str:
    of_issuance, of_project = _objects(issuance), _objects(project)
    if of_issuance is None or of_project is None:
        return NOT_SHOWN
    told = [(str(one.get("code")), _of_year(one.get("vintageYears"), year)) for one in of_issuance]
    told += [
        (str(one.get("code")), _covers(one.get("projectCertificationDateRanges"), start, end)) for one in of_project
    ]
    return SEPARATOR.join(code if holds else f"{code} {PERIOD_UNKNOWN}" for code, holds in told if holds is not False)


def _of_year(years: Json, year: str | None) -> bool | None:
    """Whether the year is among those named; None where that cannot be told."""
    if not years:
        return True
    return year in years if isinstance(years, list) and year is not None else None


def _covers(ranges: Json, start: str | None, end: str | None) -> bool | None:
    """Whether one range has the whole period in it; None where that cannot be told.

    Days are compared as ISO texts, and an open end is open.
    """
    if not ranges:
        return True
    if not isinstance(ranges, list) or start is None or end is None:
        return None
    spans = [one for one in ranges if isinstance(one, dict)]
    return any(
        str(one.get("certificationStart") or "")[:10] <= start[:10]
        and end[:10] <= str(one.get("certificationEnd") or "9")[:10]
        for one in spans
    )


def _objects(text: str | None) -> list[dict[str, Json]] | None:
    """The objects of a list inside a row; None where it is not there or is no such list."""
    if text is None:
        return None
    try:
        return list(_members_of(text))
    except Undecodable:
        return None


def _members_of(text: str) -> Iterator[dict[str, Json]]:
    for one in elements(decode_json(text.encode()), "a list in a row"):
        yield members(one, "an element of it")


def _sum(parts: tuple[str | None, ...]) -> str | None:
    try:
        return str(sum(whole_number(part, "a part") for part in parts))
    except Undecodable:
        return None
