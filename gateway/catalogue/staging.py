"""Staging: the rows of one pull wait in temporary tables and are applied together, in one transaction, set by set.

A document says only what it maps: applying it compares and changes those columns alone. Rows that say the same as
before are not touched, so that a second look at an unchanged market writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.kit.contract import RejectedRow
from gateway.kit.files import RaggedRow
from gateway.kit.mapping.engine import OURS, POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.model.credits import class_id_column
from gateway.model.records import columns
from gateway.model.vocabulary import RecordKind
from gateway.store.database import array_text, copy_rows

ROW_RAGGED: Final = "ROW_RAGGED"
ROW_REJECTED: Final = "ROW_REJECTED"
RAGGED_TEXT: Final = "_text"
SQL_TYPES: Final = {
    pl.String: "text",
    pl.Int64: "bigint",
    pl.Date: "date",
    pl.Boolean: "boolean",
    pl.List: "text[]",
    pl.Datetime: "timestamptz",
}
STAGED: Final = (
    RecordKind.PROJECT,
    RecordKind.BATCH,
    RecordKind.BLOCK,
    RecordKind.HOLDING,
    RecordKind.LISTING,
    RecordKind.CASH_BALANCE,
)
"""What the catalogue keeps. Movements and trades are read by those who need them, and are not kept here."""

CLASSED: Final = (RecordKind.BLOCK, RecordKind.HOLDING)
"""Records of units: each has the name of its credit class."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A record kind's table and what each mapping fills of it."""

    kind: RecordKind

    @property
    def columns(self) -> dict[str, str]:
        """The record's columns and their SQL types; a record of units also has its class."""
        typed = {name: SQL_TYPES[type(dtype)] for name, dtype in columns(self.kind).items()}
        return typed | ({"class_id": "text"} if self.kind in CLASSED else {})

    @property
    def about(self) -> str:
        """What a change of a known row ``b`` is told of, as SQL: its project, else what stands for it."""
        match self.kind:
            case RecordKind.LISTING:
                return "coalesce(b.project_id, b.instrument)"
            case RecordKind.CASH_BALANCE:
                return "b.account"
            case _:
                return "b.project_id"


def said_by(mapping: Mapping) -> list[str]:
    """The columns that a mapping fills, in the order of its record."""
    document = mapping.document
    said = document.fields.keys() | document.given().keys() | ({"quantity_unit"} if document.quantity_unit else set())
    if document.record in CLASSED:
        said = said | {"class_id"}
    return [name for name in Layout(document.record).columns if name in said]


async def create(connection: AsyncConnection) -> None:
    """Makes the temporary tables of a pull; they vanish with the connection.

    ``standing``: the row waited in quarantine while later pulls still showed it. ``outdated``: a newer source knows
    nothing of it, so it is not added.
    """
    for kind in STAGED:
        typed = ", ".join(f'"{name}" {sql}' for name, sql in Layout(kind).columns.items())
        await connection.execute(
            text(
                f"CREATE TEMP TABLE stage_{kind} (mapping text, record_key text, copy integer NOT NULL DEFAULT 0, "
                "native_key text, standing boolean NOT NULL DEFAULT false, outdated boolean NOT NULL DEFAULT false, "
                f"ordinal bigint GENERATED ALWAYS AS IDENTITY, {typed}, source bigint, position bigint)"
            )
        )
    await connection.execute(
        text(
            "CREATE TEMP TABLE stage_quarantine (mapping text, record_key text, copy integer NOT NULL DEFAULT 0, "
            "native_key text, ordinal bigint GENERATED ALWAYS AS IDENTITY, raw text, reasons text, source bigint, "
            "position bigint)"
        )
    )


async def add(
    connection: AsyncConnection,
    mapping: Mapping,
    programme: str,
    mapped: Mapped,
    table: pl.DataFrame,
    entries: dict[int, str] | None = None,
) -> pl.DataFrame:
    """Stages what a mapping made of one table: accepted rows and quarantined ones, which are returned.

    Args:
        connection: the one that has the staging tables.
        mapping: which made it.
        programme: the crediting programme, which class names begin with.
        mapped: what it made.
        table: what was mapped, with the document (``SOURCE``) and the place there (``POSITION``) of each row.
        entries: the rows (``ROW``) that are in quarantine already, with their record keys, which they keep.
    """
    await add_accepted(connection, mapping, programme, mapped, table)
    quarantined = quarantined_rows(mapping, mapped, table, entries)
    await copy_rows(connection, "stage_quarantine", quarantined)
    return quarantined


async def add_accepted(
    connection: AsyncConnection,
    mapping: Mapping,
    programme: str,
    mapped: Mapped,
    table: pl.DataFrame,
    *,
    standing: bool = False,
) -> None:
    """Stages the accepted rows alone; for ``standing`` see :func:`create`."""
    kind = mapping.document.record
    rows = mapped.rows.join(table.select(ROW, SOURCE, POSITION), on=ROW, how="left", maintain_order="left")
    rows = rows.with_columns(record_key=_record_key(kind))
    if kind in CLASSED:
        own = pl.lit(programme)
        said = pl.coalesce("programme", own) if kind is RecordKind.HOLDING else own
        rows = rows.with_columns(class_id=class_id_column(said))
    staged = rows.select(
        pl.lit(mapping.name).alias("mapping"),
        "record_key",
        "native_key",
        *([pl.lit(value=True).alias("standing")] if standing else []),
        *(array_text(name) if sql == "text[]" else pl.col(name) for name, sql in Layout(kind).columns.items()),
        pl.col(SOURCE).alias("source"),
        pl.col(POSITION).alias("position"),
    )
    await copy_rows(connection, f"stage_{kind}", staged)


async def add_rejected(
    connection: AsyncConnection, mapping: Mapping, rejected: Iterable[RejectedRow], source: int
) -> pl.DataFrame:
    """Stages records that a market's own schema refuses, as their text; returns them."""
    listed = [
        quarantine_row(
            mapping.name,
            None,
            {RAGGED_TEXT: one.text},
            [{"code": ROW_REJECTED, "field": None, "found": one.reason}],
            source,
            one.position,
        )
        for one in rejected
    ]
    if not listed:
        return pl.DataFrame()
    quarantined = pl.DataFrame(listed, orient="row", schema_overrides={"native_key": pl.String})
    await copy_rows(connection, "stage_quarantine", quarantined)
    return quarantined


async def add_ragged(
    connection: AsyncConnection,
    mapping: Mapping,
    ragged: Iterable[RaggedRow],
    source: int,
    entries: dict[int, str] | None = None,
) -> pl.DataFrame:
    """Stages rows of a file that do not have as many fields as there are headings, as their text; returns them.

    For ``entries`` see :func:`add`.
    """
    listed = [
        quarantine_row(
            mapping.name,
            None,
            {RAGGED_TEXT: one.text},
            [{"code": ROW_RAGGED, "field": None, "found": f"{one.found} fields, expected {one.expected}"}],
            source,
            one.row,
            (entries or {}).get(one.row),
        )
        for one in ragged
    ]
    if not listed:
        return pl.DataFrame()
    quarantined = pl.DataFrame(listed, orient="row", schema_overrides={"native_key": pl.String})
    await copy_rows(connection, "stage_quarantine", quarantined)
    return quarantined


def quarantined_rows(
    mapping: Mapping, mapped: Mapped, table: pl.DataFrame, entries: dict[int, str] | None = None
) -> pl.DataFrame:
    """The quarantined rows as received, each with its reasons; for ``entries`` see :func:`add`."""
    bad = mapped.quarantined()
    if bad.is_empty():
        return pl.DataFrame()
    path = mapping.document.native_key
    reasons = reasons_by_row(mapped.defects)
    listed = [
        quarantine_row(
            mapping.name,
            row.get(path) if path else None,
            {name: value for name, value in row.items() if name not in OURS},
            reasons[row[ROW]],
            row[SOURCE],
            row[POSITION],
            (entries or {}).get(row[ROW]),
        )
        for row in table.filter(pl.col(ROW).is_in(bad.implode())).sort(ROW).iter_rows(named=True)
    ]
    return pl.DataFrame(listed, orient="row", schema_overrides={"native_key": pl.String})


def quarantine_row(
    mapping: str,
    native_key: str | None,
    raw: dict[str, Any],
    reasons: Iterable[dict[str, Any]],
    source: int,
    row: int,
    entry: str | None = None,
) -> dict[str, Any]:
    """One row for the quarantine, as it is staged; ``entry`` is the record key it has there already."""
    written = json.dumps({name: value for name, value in raw.items() if value is not None}, ensure_ascii=True)
    return {
        "mapping": mapping,
        "record_key": entry or native_key or _digest(written),
        "native_key": native_key,
        "raw": written,
        "reasons": json.dumps(list(reasons), ensure_ascii=True),
        "source": source,
        "position": row,
    }


def reasons_by_row(defects: pl.DataFrame) -> dict[int, list[dict[str, Any]]]:
    """The defects of every quarantined row: code, field, found."""
    bad = defects.filter("quarantined").get_column(ROW).unique()
    found: dict[int, list[dict[str, Any]]] = {}
    for row in defects.filter(pl.col(ROW).is_in(bad.implode())).iter_rows(named=True):
        found.setdefault(row[ROW], []).append({key: row[key] for key in ("code", "field", "found")})
    return found


def _record_key(kind: RecordKind) -> pl.Expr:
    if kind is RecordKind.PROJECT:
        return pl.col("project_id")
    if kind is RecordKind.CASH_BALANCE:
        return pl.format("{} {}", "account", "currency")
    if kind is RecordKind.LISTING:
        return pl.coalesce("native_key", pl.format("{} {}", "instrument", "side"))
    ranged = pl.format("{}:{}-{}", "space", "first", "last")
    if kind is RecordKind.HOLDING:
        whole_class = pl.format("{} {}..{} {}", "project_id", "vintage_start", "vintage_end", "unit_kind")
        held = (
            pl.when(pl.col("first").is_not_null())
            .then(ranged)
            .otherwise(pl.coalesce("native_key", "serial", whole_class))
        )
        return pl.format("{} {}", "account", held)
    return pl.when(pl.col("first").is_not_null()).then(ranged).otherwise(pl.coalesce("native_key", "serial"))


def _digest(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()
