"""Tables of the offers: what the home venue shows of ours, and the publications that made it so."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.tables.base import METADATA
from gateway.store.tables.store import keep_for_ever

publication = Table(
    "publication",
    METADATA,
    Column("command_id", Text, primary_key=True),
    Column("market", Text, nullable=False, comment="the home venue"),
    Column("actor", Text, nullable=False),
    Column("sent_order", JSONB, nullable=False, comment="the whole order, as it is sent"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("state", Text, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("answer", JSONB),
    CheckConstraint("state IN ('persisted', 'accepted', 'in_doubt', 'confirmed', 'rejected')", name="state_known"),
    CheckConstraint("(finished_at IS NULL) = (state IN ('persisted', 'accepted', 'in_doubt'))", name="finished_whole"),
    Index("publication_open", "market", postgresql_where=text("finished_at IS NULL")),
)

offer = Table(
    "offer",
    METADATA,
    Column("offer_id", Text, primary_key=True),
    Column("class_id", Text, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("action", Text, nullable=False, comment="what the venue was last told, and accepted"),
    Column("firm", Boolean, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("entry", JSONB, nullable=False, comment="the whole entry as the venue accepted it"),
    Column("publication", Text, ForeignKey("publication.command_id"), nullable=False),
    Column("refused", JSONB, comment="the venue's code and words, where it refused a later revision"),
    CheckConstraint("revision >= 1", name="revision_positive"),
    CheckConstraint("action IN ('put', 'halt', 'withdraw')", name="action_known"),
    CheckConstraint("quantity >= 0", name="quantity_positive"),
)

keep_for_ever(publication, but=("state", "finished_at", "answer"))
