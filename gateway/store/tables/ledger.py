"""Tables of the ledger: what we hold. Balances and blocks are what the journal adds up to, kept for speed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.event import listen

from gateway.model.ledger import AssetKind, Bucket, EntryKind
from gateway.store.tables.base import METADATA
from gateway.store.tables.store import keep_for_ever


def _words(words: type[AssetKind | Bucket | EntryKind]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


journal_entry = Table(
    "journal_entry",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("actor", Text, nullable=False),
    Column("checker", Text, comment="the second person, where two are needed"),
    Column("reason", Text),
    Column("reference", Text, nullable=False, comment="the instruction, command or deposit that it belongs to"),
    Column("corrects", BigInteger, ForeignKey("journal_entry.id")),
    CheckConstraint(f"kind IN ({_words(EntryKind)})", name="kind_known"),
    CheckConstraint("checker <> actor", name="two_people"),
    CheckConstraint(
        "kind <> 'correction' OR (reason IS NOT NULL AND checker IS NOT NULL)", name="correction_explained"
    ),
    Index(None, "reference"),
)

journal_line = Table(
    "journal_line",
    METADATA,
    Column("entry", BigInteger, ForeignKey("journal_entry.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("market", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False, comment="units, or minor units of cash; less where negative"),
    CheckConstraint(f"kind IN ({_words(AssetKind)})", name="kind_known"),
    CheckConstraint(f"bucket IN ({_words(Bucket)})", name="bucket_known"),
    CheckConstraint("quantity <> 0", name="quantity_said"),
)

journal_block = Table(
    "journal_block",
    METADATA,
    Column("entry", BigInteger, ForeignKey("journal_entry.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("market", Text, nullable=False),
    Column("class_id", Text, nullable=False),
    Column("block", Text, nullable=False, comment="the serial text, or the batch where there are no ranges"),
    Column("space", Text),
    Column("first", BigInteger),
    Column("last", BigInteger),
    Column("quantity", BigInteger, nullable=False),
    Column("source", Text, comment="the bucket that they leave; empty when they come into our books"),
    Column("target", Text, nullable=False),
    CheckConstraint("(first IS NULL) = (last IS NULL) AND (first IS NULL) = (space IS NULL)", name="range_whole"),
    CheckConstraint("first IS NULL OR last - first + 1 = quantity", name="count"),
    CheckConstraint("quantity >= 1", name="quantity_positive"),
    CheckConstraint(f"source IN ({_words(Bucket)}) AND target IN ({_words(Bucket)})", name="buckets_known"),
    CheckConstraint("source <> target", name="moved"),
)

ledger_balance = Table(
    "ledger_balance",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("market", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("bucket", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0 OR bucket = 'outside'", name="covered"),
    CheckConstraint(f"kind IN ({_words(AssetKind)})", name="kind_known"),
    CheckConstraint(f"bucket IN ({_words(Bucket)})", name="bucket_known"),
    Index(None, "owner"),
)

ledger_block = Table(
    "ledger_block",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("market", Text, nullable=False),
    Column("class_id", Text, nullable=False),
    Column("block", Text, nullable=False, comment="the serial text, or the batch where there are no ranges"),
    Column("space", Text),
    Column("first", BigInteger),
    Column("last", BigInteger),
    Column("quantity", BigInteger, nullable=False),
    Column("bucket", Text, nullable=False),
    Column("since", BigInteger, nullable=False, comment="the entry with which the units came: first in, first out"),
    CheckConstraint("(first IS NULL) = (last IS NULL) AND (first IS NULL) = (space IS NULL)", name="range_whole"),
    CheckConstraint("first IS NULL OR last - first + 1 = quantity", name="count"),
    CheckConstraint("quantity >= 1", name="quantity_positive"),
    CheckConstraint(f"bucket IN ({_words(Bucket)}) AND bucket <> 'outside'", name="bucket_known"),
    # A unit is in one place: withdrawn ones are gone from here, retired ones stay, so that none comes back.
    ExcludeConstraint(
        ("space", "="),
        (text("int8range(first, last, '[]')"), "&&"),
        name="ledger_block_one_place",
        using="gist",
        where=text("first IS NOT NULL"),
    ),
    Index("ledger_block_lots", "market", "class_id", "bucket", "since", "id"),
)

seal = Table(
    "seal",
    METADATA,
    Column("id", BigInteger, primary_key=True, comment="1 and up, without a gap"),
    Column("entries", BigInteger, nullable=False),
    Column("previous", LargeBinary, nullable=False, comment="digest of the seal before; empty for the first"),
    Column(
        "digest", LargeBinary, nullable=False, comment="SHA-256 of previous, of this row and of the entries' digests"
    ),
    Column("sealed_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    CheckConstraint("octet_length(digest) = 32", name="digest_length"),
)

sealed_entry = Table(
    "sealed_entry",
    METADATA,
    Column("entry", BigInteger, ForeignKey("journal_entry.id"), primary_key=True),
    Column("seal", BigInteger, ForeignKey("seal.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index(None, "seal"),
)

BALANCED: Final = """
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE wrong record;
BEGIN
  SELECT entry, kind, asset, sum(quantity) AS over INTO wrong FROM added
  GROUP BY entry, kind, market, asset HAVING sum(quantity) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING
      MESSAGE = 'entry ' || wrong.entry || ' does not balance: ' || wrong.over || ' too many of ' || wrong.asset,
      ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $body$
"""
"""Units and cash each sum to zero over an entry. All lines of an entry are written by one statement."""

BALANCED_TRIGGER: Final = (
    "CREATE TRIGGER journal_line_balanced AFTER INSERT ON journal_line REFERENCING NEW TABLE AS added "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced()"
)
BTREE_GIST: Final = "CREATE EXTENSION IF NOT EXISTS btree_gist"


def _statement(sql: str) -> DDL:
    return DDL(sql)  # type: ignore[no-untyped-call]  # SQLAlchemy left this one untyped


listen(METADATA, "before_create", _statement(BTREE_GIST))
listen(METADATA, "before_create", _statement(BALANCED))
listen(journal_line, "after_create", _statement(BALANCED_TRIGGER))
for evidence in (journal_entry, journal_line, journal_block, seal, sealed_entry):
    keep_for_ever(evidence)
