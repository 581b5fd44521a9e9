"""Tables of the store itself: raw documents and events."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.event import listen

from gateway.store.tables.base import METADATA

raw_document = Table(
    "raw_document",
    METADATA,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the bytes as received"),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes as received"),
    Column("origin", Text, nullable=False, comment="where it was first received from, in words"),
    Column("stored_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("octet_length(digest) = 32", name="digest_length"),
    CheckConstraint("size >= 0", name="size_positive"),
)

raw_chunk = Table(
    "raw_chunk",
    METADATA,
    Column("digest", LargeBinary, ForeignKey("raw_document.digest"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False, comment="zstandard, one frame a chunk"),
    CheckConstraint("position >= 0", name="position_positive"),
)

event = Table(
    "event",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("kind", Text, nullable=False, comment="what happened: noun.verb"),
    Column("subject", Text, nullable=False, comment="what it happened to: market/kind/key"),
    Column("actor", Text, nullable=False, comment="who or what did it"),
    Column("data", JSONB, nullable=False),
    Index(None, "subject"),
    Index("event_pull_idx", text("(data ->> 'pull')")),
)

REFUSE_CHANGE: Final = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = TG_TABLE_NAME || ' is kept for ever, ' || TG_OP || ' refused',
    ERRCODE = 'integrity_constraint_violation';
END $body$
"""


def _statement(sql: str) -> DDL:
    return DDL(sql)  # type: ignore[no-untyped-call]  # SQLAlchemy left this one untyped


def keep_for_ever(kept: Table, *, but: Collection[str] = ()) -> None:
    """Makes the database refuse to delete from a table, and to update it but in the columns named."""
    fixed = ", ".join(column.name for column in kept.columns if column.name not in but)
    changes = f"UPDATE OF {fixed} OR DELETE OR TRUNCATE"
    trigger = (
        f"CREATE TRIGGER {kept.name}_kept BEFORE {changes} ON {kept.name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    listen(kept, "after_create", _statement(trigger))


listen(METADATA, "before_create", _statement(REFUSE_CHANGE))
for evidence in (raw_document, raw_chunk, event):
    keep_for_ever(evidence)
