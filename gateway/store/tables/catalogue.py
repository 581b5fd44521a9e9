"""Tables of the catalogue: what markets say. Observed facts only; nothing here is ours.

Record columns are those of ``gateway.model.records``, in its order; a test holds them together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import polars as pl
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeEngine

from gateway.model.money import Currency
from gateway.model.records import columns, required
from gateway.model.vocabulary import (
    Firmness,
    ListingState,
    ProjectState,
    PullStatus,
    QuantityUnit,
    RecordKind,
    Side,
    UnitState,
)
from gateway.store.tables.base import METADATA
from gateway.store.tables.store import keep_for_ever

_TYPES: Final[dict[type[pl.DataType], TypeEngine[Any]]] = {
    pl.String: Text(),
    pl.Int64: BigInteger(),
    pl.Date: Date(),
    pl.Boolean: Boolean(),
    pl.List: ARRAY(Text),
    pl.Datetime: DateTime(timezone=True),
}

RANGE_KEY: Final = "space:first-last; the market's own id where a registry has no ranges"


def _record_columns(kind: RecordKind) -> list[Column[Any]]:
    needed = required(kind)
    return [Column(name, _TYPES[type(dtype)], nullable=name not in needed) for name, dtype in columns(kind).items()]


def _provenance() -> list[Column[Any]]:
    """When a row was seen and what said so.

    A row that is shown again unchanged is not touched, so ``source`` is the document that said it first: a complete
    pull vouches for all rows at once, a later file for all that rest on a document (``confirmed_as_of``). Only where a
    file shows a part of these, their source moves to it.

    No foreign keys: checking four of them takes two thirds of a bulk insert. What they would prevent cannot happen in
    the other direction either, since the database refuses to delete a pull or its documents.
    """
    return [
        Column("first_pull", BigInteger, nullable=False, comment="pull in which it was first seen"),
        Column("changed_pull", BigInteger, nullable=False, comment="pull in which it was last seen to differ"),
        Column("gone_pull", BigInteger, comment="pull that showed that it is no more"),
        Column("source", BigInteger, nullable=False, comment="pull_document that said so"),
        Column("position", BigInteger, nullable=False, comment="row in that document, from 1"),
    ]


def _identity(meaning: str) -> list[Column[Any]]:
    return [
        Column("market", Text, primary_key=True),
        Column("record_key", Text, primary_key=True, comment=meaning),
        Column("copy", Integer, primary_key=True, comment="0, or more where a market shows one record several times"),
        Column("native_key", Text, comment="the market's own id of the row, where it has one"),
    ]


def _words(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


def _range_checks(quantity: str) -> list[CheckConstraint]:
    return [
        CheckConstraint("(first IS NULL) = (last IS NULL)", name="range_whole"),
        CheckConstraint("first >= 0", name="first_positive"),
        CheckConstraint("first IS NULL OR last - first + 1 = quantity", name="count"),
        CheckConstraint(quantity, name="quantity_positive"),
        CheckConstraint(f"quantity_unit IN ({_words(QuantityUnit)})", name="quantity_unit_known"),
        CheckConstraint("vintage_start <= vintage_end", name="vintage_forward"),
    ]


def _serial_checks(states: str) -> list[CheckConstraint]:
    return [*_range_checks("quantity >= 1"), CheckConstraint(f"state IN ({states})", name="state_known")]


def _sum_of_parts() -> str:
    return " + ".join(f"coalesce({part}, 0)" for part in ("available", "earmarked", "pledged", "frozen", "in_transit"))


pull = Table(
    "pull",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("market", Text, nullable=False),
    Column("origin", Text, nullable=False, comment="sync, or the file's name"),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("finished_at", DateTime(timezone=True)),
    Column("status", Text, nullable=False),
    Column("summary", JSONB, nullable=False, server_default="{}"),
    CheckConstraint(f"status IN ({_words(PullStatus)})", name="status_known"),
    Index(None, "market", "id"),
)

pull_document = Table(
    "pull_document",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("pull", BigInteger, ForeignKey("pull.id"), nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_digest", Text, nullable=False, comment="SHA-256 over the mapping document and its code lists"),
    Column("document", LargeBinary, ForeignKey("raw_document.digest"), nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False, comment="when the market is known to have said it"),
    Column("confirmed_as_of", DateTime(timezone=True), comment="when a later file said all again that rests on it"),
    Index(None, "pull"),
    Index(None, "document"),
)

project = Table(
    "project",
    METADATA,
    *_identity("the project's id at its registry"),
    *_record_columns(RecordKind.PROJECT),
    *_provenance(),
    CheckConstraint(f"state IN ({_words(ProjectState)})", name="state_known"),
)

batch = Table(
    "batch",
    METADATA,
    *_identity(RANGE_KEY),
    *_record_columns(RecordKind.BATCH),
    *_provenance(),
    *_serial_checks(_words(UnitState)),
    Index(None, "market", "project_id"),
)

block = Table(
    "block",
    METADATA,
    *_identity(RANGE_KEY),
    *_record_columns(RecordKind.BLOCK),
    Column("class_id", Text, nullable=False),
    *_provenance(),
    *_serial_checks(_words(UnitState)),
    Index(None, "market", "project_id"),
)

holding = Table(
    "holding",
    METADATA,
    *_identity("account and block; account and the market's own id where a market shows no ranges"),
    *_record_columns(RecordKind.HOLDING),
    Column("class_id", Text, nullable=False),
    *_provenance(),
    *_range_checks("quantity >= 0"),
    CheckConstraint(f"state IN ({_words(UnitState)})", name="state_known"),
    CheckConstraint(f"{_sum_of_parts()} <= quantity", name="parts_fit"),
    Index(None, "class_id"),
)

listing = Table(
    "listing",
    METADATA,
    *_identity("the venue's own id of the listing"),
    *_record_columns(RecordKind.LISTING),
    *_provenance(),
    *_range_checks("quantity >= 0"),
    CheckConstraint(f"side IN ({_words(Side)})", name="side_known"),
    CheckConstraint(f"firmness IN ({_words(Firmness)})", name="firmness_known"),
    CheckConstraint(f"state IN ({_words(ListingState)})", name="state_known"),
    CheckConstraint(f"currency IN ({_words(Currency)})", name="currency_known"),
    CheckConstraint("price >= 0", name="price_positive"),
)

cash_balance = Table(
    "cash_balance",
    METADATA,
    *_identity("account and currency"),
    *_record_columns(RecordKind.CASH_BALANCE),
    *_provenance(),
    CheckConstraint(f"currency IN ({_words(Currency)})", name="currency_known"),
    CheckConstraint("available >= 0 AND held >= 0 AND booked = available + held", name="balance_whole"),
)

quarantine = Table(
    "quarantine",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("market", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("record_key", Text, nullable=False, comment="the market's own id of the row, else the row's digest"),
    Column("copy", Integer, nullable=False, comment="0, or more where a market shows one row several times"),
    Column("raw", Text, nullable=False, comment="the row as JSON text, every value as received"),
    Column("reasons", JSONB, nullable=False, comment="list of code, field, found"),
    Column("first_pull", BigInteger, ForeignKey("pull.id"), nullable=False),
    Column("changed_pull", BigInteger, ForeignKey("pull.id"), nullable=False),
    Column("resolved_pull", BigInteger, ForeignKey("pull.id"), comment="since when it is accepted, or gone"),
    Column("mended", Boolean, nullable=False, server_default="false", comment="resolved by a row of a reject file"),
    Column("source", BigInteger, ForeignKey("pull_document.id"), nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("quarantine_row_key", "market", "mapping", "record_key", "copy", unique=True),
)

drift = Table(
    "drift",
    METADATA,
    Column("market", Text, primary_key=True),
    Column("mapping", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("first_pull", BigInteger, ForeignKey("pull.id"), nullable=False),
    Column("last_pull", BigInteger, ForeignKey("pull.id"), nullable=False),
    CheckConstraint("kind IN ('unknown', 'missing')", name="kind_known"),
)

keep_for_ever(pull, but=("finished_at", "status", "summary"))
keep_for_ever(pull_document, but=("confirmed_as_of",))
