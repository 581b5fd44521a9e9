"""The unified schema of what markets say: project, batch (an issuance) and block, one frozen record each.

Names follow CAD Trust v2 for project, issuance and unit, and the Carbon Data Open Protocol for block and label. Each
record type is also a table: :func:`columns` gives the polars type of each field, so that the columnar mapping and a
single record can never drift apart.

Quantities are integers of ``quantity_unit``; ranges are inclusive; a vintage is a period; ``*_native`` is the market's
own word.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.model.vocabulary import ProjectState, QuantityUnit, RecordKind, UnitState

Units = typing.Annotated[int, Field(ge=1)]


class Record(BaseModel):
    """Base of every record: frozen, strict, and closed to fields nobody declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Project(Record):
    """A mitigation project as its registry lists it."""

    project_id: str
    name: str | None
    state: ProjectState
    state_native: str | None
    proponent: str | None
    country: str | None
    country_native: str | None
    region_native: str | None
    sectors_native: str | None
    activities_native: str | None
    methodologies_native: str | None
    estimated_annual_units: int | None
    registered_on: dt.date | None
    crediting_start: dt.date | None
    crediting_end: dt.date | None


class _Serialised(Record):
    """What a batch and a block have in common: a serial range of a project's units of one vintage."""

    serial: str
    space: str
    first: int | None
    last: int | None
    quantity: Units
    quantity_unit: QuantityUnit
    project_id: str
    batch_id: str | None
    unit_kind: str
    vintage_start: dt.date
    vintage_end: dt.date
    issued_on: dt.date | None
    labels: tuple[str, ...]
    labels_native: str | None
    country: str | None
    country_native: str | None
    methodologies_native: str | None
    project_name: str | None

    @model_validator(mode="after")
    def _holds_together(self) -> typing.Self:
        if (self.first is None) != (self.last is None):
            raise ValueError("a range has both its ends or neither")
        if self.first is not None and self.last is not None and self.last - self.first + 1 != self.quantity:
            raise ValueError(
                f"quantity {self.quantity} differs from the {self.last - self.first + 1} units of "
                f"{self.first}..{self.last}"
            )
        if self.vintage_end < self.vintage_start:
            raise ValueError(f"vintage ends {self.vintage_end} before it starts {self.vintage_start}")
        return self


class Batch(_Serialised):
    """One issuance: the range that a registry issued at once, whatever became of its units since."""

    state: UnitState
    state_native: str | None


class Block(_Serialised):
    """A run of consecutive units of one project and vintage, in one state, as a registry shows it.

    ``buffer`` marks units in a programme's risk pool: they exist, and nobody may sell them.
    """

    state: UnitState
    state_native: str | None
    buffer: bool
    ended_on: dt.date | None
    holder: str | None
    beneficiary: str | None
    reason_native: str | None
    remarks: str | None


RECORDS: Final[Mapping[RecordKind, type[Record]]] = types.MappingProxyType(
    {RecordKind.PROJECT: Project, RecordKind.BATCH: Batch, RecordKind.BLOCK: Block}
)


def columns(kind: RecordKind) -> dict[str, pl.DataType]:
    """The columns of a record's table, in the order of its fields, with their polars types."""
    return {name: _column_type(field.annotation) for name, field in RECORDS[kind].model_fields.items()}


def required(kind: RecordKind) -> frozenset[str]:
    """The fields of a record that may not be empty."""
    return frozenset(
        name
        for name, field in RECORDS[kind].model_fields.items()
        if type(None) not in typing.get_args(field.annotation)
    )


def vocabulary(kind: RecordKind) -> dict[str, frozenset[str]]:
    """The words of each field of a record that takes only those of a closed list."""
    bare = {name: _bare(field.annotation) for name, field in RECORDS[kind].model_fields.items()}
    return {
        name: frozenset(word.value for word in one)
        for name, one in bare.items()
        if isinstance(one, type) and issubclass(one, StrEnum)
    }


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What a row of a record's table must not say; the columnar twin of the record's own validation.

    Attributes:
        code: names it, stable.
        field: the field that is wrong, or one of them.
        present: true where the row says so (null counts as false).
        found: the contradiction in words.
    """

    code: str
    field: str
    present: pl.Expr
    found: pl.Expr


def contradictions(kind: RecordKind) -> tuple[Contradiction, ...]:
    """What no row of a record's table may say, whatever the mapping that made it."""
    if kind is RecordKind.PROJECT:
        return ()
    first, last, quantity = pl.col("first"), pl.col("last"), pl.col("quantity")
    start, end = pl.col("vintage_start"), pl.col("vintage_end")
    return (
        Contradiction("QUANTITY_BELOW_ONE", "quantity", quantity < 1, quantity.cast(pl.String)),
        Contradiction(
            "RANGE_TORN", "serial", first.is_null() != last.is_null(), pl.lit("a range with one end", pl.String)
        ),
        Contradiction(
            "QUANTITY_MISMATCH",
            "quantity",
            last - first + 1 != quantity,
            pl.format("quantity is {}, the serial counts {}", quantity, last - first + 1),
        ),
        Contradiction("VINTAGE_BACKWARDS", "vintage_end", end < start, pl.format("from {} to {}", start, end)),
    )


def _bare(annotation: object) -> object:
    """The type of a field that may also be empty."""
    members = [member for member in typing.get_args(annotation) if member is not type(None)]
    return members[0] if isinstance(annotation, types.UnionType) else annotation


def _column_type(annotation: object) -> pl.DataType:
    bare = _bare(annotation)
    if typing.get_origin(bare) is tuple:
        return pl.List(pl.String())
    if bare is bool:
        return pl.Boolean()
    if bare is int:
        return pl.Int64()
    if bare is dt.date:
        return pl.Date()
    if isinstance(bare, type) and issubclass(bare, str):
        return pl.String()
    raise TypeError(f"no column type for {annotation!r}")
