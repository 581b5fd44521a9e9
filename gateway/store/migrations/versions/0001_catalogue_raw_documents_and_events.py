"""catalogue, raw documents and events"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  RAISE EXCEPTION USING
    MESSAGE = TG_TABLE_NAME || ' is kept for ever, ' || TG_OP || ' refused',
    ERRCODE = 'integrity_constraint_violation';
END $body$
"""
    )
    op.create_table(
        "batch",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column(
            "record_key",
            sa.Text(),
            nullable=False,
            comment="space:first-last; the market's own id where a registry has no ranges",
        ),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("quantity_unit", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("unit_kind", sa.Text(), nullable=False),
        sa.Column("vintage_start", sa.Date(), nullable=False),
        sa.Column("vintage_end", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("labels_native", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_native", sa.Text(), nullable=True),
        sa.Column("methodologies_native", sa.Text(), nullable=True),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_native", sa.Text(), nullable=True),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint("quantity_unit IN ('tCO2e', 'kgCO2e')", name=op.f("batch_quantity_unit_known_check")),
        sa.CheckConstraint(
            "state IN ('issued', 'active', 'on_hold', 'retired', 'cancelled', 'retired_or_cancelled')",
            name=op.f("batch_state_known_check"),
        ),
        sa.CheckConstraint("(first IS NULL) = (last IS NULL)", name=op.f("batch_range_whole_check")),
        sa.CheckConstraint("first >= 0", name=op.f("batch_first_positive_check")),
        sa.CheckConstraint("first IS NULL OR last - first + 1 = quantity", name=op.f("batch_count_check")),
        sa.CheckConstraint("quantity >= 1", name=op.f("batch_quantity_positive_check")),
        sa.CheckConstraint("vintage_start <= vintage_end", name=op.f("batch_vintage_forward_check")),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("batch_pkey")),
    )
    op.create_index(op.f("batch_market_project_id_idx"), "batch", ["market", "project_id"], unique=False)
    op.create_table(
        "block",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column(
            "record_key",
            sa.Text(),
            nullable=False,
            comment="space:first-last; the market's own id where a registry has no ranges",
        ),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("quantity_unit", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("unit_kind", sa.Text(), nullable=False),
        sa.Column("vintage_start", sa.Date(), nullable=False),
        sa.Column("vintage_end", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("labels_native", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_native", sa.Text(), nullable=True),
        sa.Column("methodologies_native", sa.Text(), nullable=True),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_native", sa.Text(), nullable=True),
        sa.Column("buffer", sa.Boolean(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("beneficiary", sa.Text(), nullable=True),
        sa.Column("reason_native", sa.Text(), nullable=True),
        sa.Column("remarks", sa.Text(), nullable=True),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint("quantity_unit IN ('tCO2e', 'kgCO2e')", name=op.f("block_quantity_unit_known_check")),
        sa.CheckConstraint(
            "state IN ('issued', 'active', 'on_hold', 'retired', 'cancelled', 'retired_or_cancelled')",
            name=op.f("block_state_known_check"),
        ),
        sa.CheckConstraint("(first IS NULL) = (last IS NULL)", name=op.f("block_range_whole_check")),
        sa.CheckConstraint("first >= 0", name=op.f("block_first_positive_check")),
        sa.CheckConstraint("first IS NULL OR last - first + 1 = quantity", name=op.f("block_count_check")),
        sa.CheckConstraint("quantity >= 1", name=op.f("block_quantity_positive_check")),
        sa.CheckConstraint("vintage_start <= vintage_end", name=op.f("block_vintage_forward_check")),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("block_pkey")),
    )
    op.create_index(op.f("block_market_project_id_idx"), "block", ["market", "project_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="what happened: noun.verb"),
        sa.Column("subject", sa.Text(), nullable=False, comment="what it happened to: market/kind/key"),
        sa.Column("actor", sa.Text(), nullable=False, comment="who or what did it"),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("event_pkey")),
    )
    op.create_index("event_pull_idx", "event", [sa.literal_column("(data ->> 'pull')")], unique=False)
    op.create_index(op.f("event_subject_idx"), "event", ["subject"], unique=False)
    op.create_table(
        "project",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False, comment="the project's id at its registry"),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_native", sa.Text(), nullable=True),
        sa.Column("proponent", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_native", sa.Text(), nullable=True),
        sa.Column("region_native", sa.Text(), nullable=True),
        sa.Column("sectors_native", sa.Text(), nullable=True),
        sa.Column("activities_native", sa.Text(), nullable=True),
        sa.Column("methodologies_native", sa.Text(), nullable=True),
        sa.Column("estimated_annual_units", sa.BigInteger(), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.Column("crediting_start", sa.Date(), nullable=True),
        sa.Column("crediting_end", sa.Date(), nullable=True),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint(
            "state IN ('development', 'validation', 'review', 'registered', 'on_hold', 'denied', 'rejected', 'withdrawn', 'inactive', 'transferred', 'unstated')",
            name=op.f("project_state_known_check"),
        ),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("project_pkey")),
    )
    op.create_table(
        "pull",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="sync, or the file's name"),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'complete', 'incomplete', 'failed')", name=op.f("pull_status_known_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pull_pkey")),
    )
    op.create_index(op.f("pull_market_id_idx"), "pull", ["market", "id"], unique=False)
    op.create_table(
        "raw_document",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the bytes as received"),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes as received"),
        sa.Column("origin", sa.Text(), nullable=False, comment="where it was first received from, in words"),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("raw_document_digest_length_check")),
        sa.CheckConstraint("size >= 0", name=op.f("raw_document_size_positive_check")),
        sa.PrimaryKeyConstraint("digest", name=op.f("raw_document_pkey")),
    )
    op.create_table(
        "drift",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first_pull", sa.BigInteger(), nullable=False),
        sa.Column("last_pull", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('unknown', 'missing')", name=op.f("drift_kind_known_check")),
        sa.ForeignKeyConstraint(["first_pull"], ["pull.id"], name=op.f("drift_first_pull_fkey")),
        sa.ForeignKeyConstraint(["last_pull"], ["pull.id"], name=op.f("drift_last_pull_fkey")),
        sa.PrimaryKeyConstraint("market", "mapping", "path", "kind", name=op.f("drift_pkey")),
    )
    op.create_table(
        "pull_document",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("pull", sa.BigInteger(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column(
            "mapping_digest", sa.Text(), nullable=False, comment="SHA-256 over the mapping document and its code lists"
        ),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column(
            "as_of", sa.DateTime(timezone=True), nullable=False, comment="when the market is known to have said it"
        ),
        sa.Column(
            "confirmed_as_of",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a later file said all again that rests on it",
        ),
        sa.ForeignKeyConstraint(["document"], ["raw_document.digest"], name=op.f("pull_document_document_fkey")),
        sa.ForeignKeyConstraint(["pull"], ["pull.id"], name=op.f("pull_document_pull_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("pull_document_pkey")),
    )
    op.create_index(op.f("pull_document_document_idx"), "pull_document", ["document"], unique=False)
    op.create_index(op.f("pull_document_pull_idx"), "pull_document", ["pull"], unique=False)
    op.create_table(
        "raw_chunk",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="zstandard, one frame a chunk"),
        sa.CheckConstraint("position >= 0", name=op.f("raw_chunk_position_positive_check")),
        sa.ForeignKeyConstraint(["digest"], ["raw_document.digest"], name=op.f("raw_chunk_digest_fkey")),
        sa.PrimaryKeyConstraint("digest", "position", name=op.f("raw_chunk_pkey")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column(
            "record_key", sa.Text(), nullable=False, comment="the market's own id of the row, else the row's digest"
        ),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one row several times"
        ),
        sa.Column("raw", sa.Text(), nullable=False, comment="the row as JSON text, every value as received"),
        sa.Column(
            "reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="list of code, field, found"
        ),
        sa.Column("first_pull", sa.BigInteger(), nullable=False),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False),
        sa.Column("resolved_pull", sa.BigInteger(), nullable=True, comment="since when it is accepted, or gone"),
        sa.Column(
            "mended",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="resolved by a row of a reject file",
        ),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["changed_pull"], ["pull.id"], name=op.f("quarantine_changed_pull_fkey")),
        sa.ForeignKeyConstraint(["first_pull"], ["pull.id"], name=op.f("quarantine_first_pull_fkey")),
        sa.ForeignKeyConstraint(["resolved_pull"], ["pull.id"], name=op.f("quarantine_resolved_pull_fkey")),
        sa.ForeignKeyConstraint(["source"], ["pull_document.id"], name=op.f("quarantine_source_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("quarantine_pkey")),
    )
    op.create_index("quarantine_row_key", "quarantine", ["market", "mapping", "record_key", "copy"], unique=True)
    for kept, fixed in (
        ("raw_document", "digest, media_type, size, origin, stored_at"),
        ("raw_chunk", "digest, position, content"),
        ("event", "id, recorded_at, kind, subject, actor, data"),
        ("pull", "id, market, origin, started_at"),
        ("pull_document", "id, pull, mapping, mapping_digest, document, as_of"),
    ):
        op.execute(
            f"CREATE TRIGGER {kept}_kept BEFORE UPDATE OF {fixed} OR DELETE OR TRUNCATE ON {kept} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
