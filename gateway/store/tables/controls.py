"""Tables of the controls: restrictions."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Table, Text, func, text

from gateway.model.controls import ScopeKind
from gateway.store.tables.base import METADATA
from gateway.store.tables.store import keep_for_ever

restriction = Table(
    "restriction",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("scope_kind", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="what of that kind; empty for all"),
    Column("reason", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("lifted_by", Text),
    Column("lifted_at", DateTime(timezone=True)),
    Column("lift_reason", Text),
    CheckConstraint(
        "scope_kind IN (" + ", ".join(f"'{kind.value}'" for kind in ScopeKind) + ")", name="scope_kind_known"
    ),
    CheckConstraint("(scope = '') = (scope_kind = 'all')", name="scope_said"),
    CheckConstraint("reason <> '' AND placed_by <> ''", name="reason_said"),
    CheckConstraint(
        "(lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL)", name="lift_whole"
    ),
    Index("restriction_in_force", "scope_kind", "scope", unique=True, postgresql_where=text("lifted_at IS NULL")),
)

keep_for_ever(restriction, but=("lifted_by", "lifted_at", "lift_reason"))
