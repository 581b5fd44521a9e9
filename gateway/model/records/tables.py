"""Each record type is also a table: so that the columnar mapping and a single record can never drift apart."""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import polars as pl
from pydantic import AwareDatetime
from pydantic.fields import FieldInfo

from gateway.model.records.base import Record
from gateway.model.records.cash import CashBalance, CashMovement
from gateway.model.records.catalogue import Batch, Block, Project
from gateway.model.records.holdings import Holding, Movement
from gateway.model.records.trading import Listing, Trade
from gateway.model.vocabulary import RecordKind

RECORDS: Final[Mapping[RecordKind, type[Record]]] = types.MappingProxyType(
    {
        RecordKind.PROJECT: Project,
        RecordKind.BATCH: Batch,
        RecordKind.BLOCK: Block,
        RecordKind.HOLDING: Holding,
        RecordKind.MOVEMENT: Movement,
        RecordKind.LISTING: Listing,
        RecordKind.TRADE: Trade,
        RecordKind.CASH_BALANCE: CashBalance,
        RecordKind.CASH_MOVEMENT: CashMovement,
    }
)


def columns(kind: RecordKind) -> dict[str, pl.DataType]:
    """The columns of a record's table, in the order of its fields, with their polars types."""
    return {name: _column_type(field.annotation) for name, field in RECORDS[kind].model_fields.items()}


def measure(kind: RecordKind) -> str | None:
    """The field of a record that a market's stated total sums: units, or minor units of cash; a project has none."""
    names = RECORDS[kind].model_fields
    return next((name for name in ("quantity", "booked", "amount") if name in names), None)


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
    record = RECORDS[kind]
    lowest = (
        _below(name, least) for name, field in record.model_fields.items() if (least := _least(field)) is not None
    )
    rules = (*_RANGE, _VINTAGE, _PARTS, _CASH_PARTS)
    return (*lowest, *(rule for rule in rules if _NEEDS[rule.code] <= record.model_fields.keys()))


_RANGE: Final = (
    Contradiction(
        "RANGE_TORN",
        "serial",
        pl.col("first").is_null() != pl.col("last").is_null(),
        pl.lit("a range with one end", pl.String),
    ),
    Contradiction(
        "QUANTITY_MISMATCH",
        "quantity",
        pl.col("last") - pl.col("first") + 1 != pl.col("quantity"),
        pl.format("quantity is {}, the serial counts {}", "quantity", pl.col("last") - pl.col("first") + 1),
    ),
)
_VINTAGE: Final = Contradiction(
    "VINTAGE_BACKWARDS",
    "vintage_end",
    pl.col("vintage_end") < pl.col("vintage_start"),
    pl.format("from {} to {}", "vintage_start", "vintage_end"),
)
_PART_NAMES: Final = ("available", "earmarked", "pledged", "frozen", "in_transit")
_PARTS: Final = Contradiction(
    "PARTS_EXCEED_QUANTITY",
    "quantity",
    pl.sum_horizontal(*_PART_NAMES) > pl.col("quantity"),
    pl.format("quantity is {}, its parts are {}", "quantity", pl.sum_horizontal(*_PART_NAMES)),
)
_CASH_PARTS: Final = Contradiction(
    "BALANCE_TORN",
    "booked",
    pl.col("booked") != pl.col("available") + pl.col("held"),
    pl.format("booked is {}, available and held are {}", "booked", pl.col("available") + pl.col("held")),
)


_NEEDS: Final[Mapping[str, set[str]]] = types.MappingProxyType(
    {
        "RANGE_TORN": {"first", "last"},
        "QUANTITY_MISMATCH": {"first", "last", "quantity"},
        "VINTAGE_BACKWARDS": {"vintage_start", "vintage_end"},
        "PARTS_EXCEED_QUANTITY": {"quantity", *_PART_NAMES},
        "BALANCE_TORN": {"booked", "available", "held"},
    }
)
"""The fields without which a rule has nothing to say."""


def _least(field: FieldInfo) -> int | None:
    """The lowest number that a field may have; None where it says none."""
    limits = [*field.metadata]
    for inner in typing.get_args(field.annotation):
        limits += [limit for one in getattr(inner, "__metadata__", ()) for limit in getattr(one, "metadata", ())]
    return next((limit.ge for limit in limits if hasattr(limit, "ge")), None)


def _below(name: str, least: int) -> Contradiction:
    code = f"{name.upper()}_BELOW_{'ONE' if least else 'ZERO'}"
    return Contradiction(code, name, pl.col(name) < least, pl.col(name).cast(pl.String))


def _bare(annotation: object) -> object:
    """The type of a field that may also be empty, without its limits."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        annotation = next(one for one in typing.get_args(annotation) if one is not type(None))
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _column_type(annotation: object) -> pl.DataType:
    bare = _bare(annotation)
    if typing.get_origin(bare) is tuple:
        return pl.List(pl.String())
    if bare is AwareDatetime:
        return pl.Datetime("us", "UTC")
    if bare is bool:
        return pl.Boolean()
    if bare is int:
        return pl.Int64()
    if bare is dt.date:
        return pl.Date()
    if isinstance(bare, type) and issubclass(bare, str):
        return pl.String()
    raise TypeError(f"no column type for {annotation!r}")
