"""holdings, listings, cash balances, restrictions, offers and publications"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cash_balance",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False, comment="account and currency"),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("booked", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint("currency IN ('HKD', 'CNH', 'CNY', 'USD')", name=op.f("cash_balance_currency_known_check")),
        sa.CheckConstraint(
            "available >= 0 AND held >= 0 AND booked = available + held", name=op.f("cash_balance_balance_whole_check")
        ),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("cash_balance_pkey")),
    )
    op.create_table(
        "holding",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column(
            "record_key",
            sa.Text(),
            nullable=False,
            comment="account and block; account and the market's own id where a market shows no ranges",
        ),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("space", sa.Text(), nullable=True),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("quantity_unit", sa.Text(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=True),
        sa.Column("earmarked", sa.BigInteger(), nullable=True),
        sa.Column("pledged", sa.BigInteger(), nullable=True),
        sa.Column("frozen", sa.BigInteger(), nullable=True),
        sa.Column("in_transit", sa.BigInteger(), nullable=True),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("unit_kind", sa.Text(), nullable=False),
        sa.Column("vintage_start", sa.Date(), nullable=False),
        sa.Column("vintage_end", sa.Date(), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("labels_native", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_native", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("hold_reason_native", sa.Text(), nullable=True),
        sa.Column("hold_authority", sa.Text(), nullable=True),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint("quantity_unit IN ('tCO2e', 'kgCO2e')", name=op.f("holding_quantity_unit_known_check")),
        sa.CheckConstraint(
            "state IN ('issued', 'active', 'on_hold', 'retired', 'cancelled', 'retired_or_cancelled')",
            name=op.f("holding_state_known_check"),
        ),
        sa.CheckConstraint("(first IS NULL) = (last IS NULL)", name=op.f("holding_range_whole_check")),
        sa.CheckConstraint(
            "coalesce(available, 0) + coalesce(earmarked, 0) + coalesce(pledged, 0) + coalesce(frozen, 0) + coalesce(in_transit, 0) <= quantity",
            name=op.f("holding_parts_fit_check"),
        ),
        sa.CheckConstraint("first >= 0", name=op.f("holding_first_positive_check")),
        sa.CheckConstraint("first IS NULL OR last - first + 1 = quantity", name=op.f("holding_count_check")),
        sa.CheckConstraint("quantity >= 0", name=op.f("holding_quantity_positive_check")),
        sa.CheckConstraint("vintage_start <= vintage_end", name=op.f("holding_vintage_forward_check")),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("holding_pkey")),
    )
    op.create_index(op.f("holding_class_id_idx"), "holding", ["class_id"], unique=False)
    op.create_table(
        "listing",
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False, comment="the venue's own id of the listing"),
        sa.Column(
            "copy", sa.Integer(), nullable=False, comment="0, or more where a market shows one record several times"
        ),
        sa.Column("native_key", sa.Text(), nullable=True, comment="the market's own id of the row, where it has one"),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("instrument_name", sa.Text(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("firmness", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_native", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("quantity_unit", sa.Text(), nullable=False),
        sa.Column("lot", sa.BigInteger(), nullable=True),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("programme", sa.Text(), nullable=True),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("project_name", sa.Text(), nullable=True),
        sa.Column("unit_kind", sa.Text(), nullable=True),
        sa.Column("vintage_start", sa.Date(), nullable=True),
        sa.Column("vintage_end", sa.Date(), nullable=True),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("labels_native", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_native", sa.Text(), nullable=True),
        sa.Column("methodologies_native", sa.Text(), nullable=True),
        sa.Column("deliverable_projects", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("serial", sa.Text(), nullable=True),
        sa.Column("space", sa.Text(), nullable=True),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_pull", sa.BigInteger(), nullable=False, comment="pull in which it was first seen"),
        sa.Column("changed_pull", sa.BigInteger(), nullable=False, comment="pull in which it was last seen to differ"),
        sa.Column("gone_pull", sa.BigInteger(), nullable=True, comment="pull that showed that it is no more"),
        sa.Column("source", sa.BigInteger(), nullable=False, comment="pull_document that said so"),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="row in that document, from 1"),
        sa.CheckConstraint("currency IN ('HKD', 'CNH', 'CNY', 'USD')", name=op.f("listing_currency_known_check")),
        sa.CheckConstraint("firmness IN ('firm', 'indicative')", name=op.f("listing_firmness_known_check")),
        sa.CheckConstraint("quantity_unit IN ('tCO2e', 'kgCO2e')", name=op.f("listing_quantity_unit_known_check")),
        sa.CheckConstraint("side IN ('sell', 'buy')", name=op.f("listing_side_known_check")),
        sa.CheckConstraint(
            "state IN ('open', 'halted', 'expired', 'withdrawn')", name=op.f("listing_state_known_check")
        ),
        sa.CheckConstraint("(first IS NULL) = (last IS NULL)", name=op.f("listing_range_whole_check")),
        sa.CheckConstraint("first >= 0", name=op.f("listing_first_positive_check")),
        sa.CheckConstraint("first IS NULL OR last - first + 1 = quantity", name=op.f("listing_count_check")),
        sa.CheckConstraint("price >= 0", name=op.f("listing_price_positive_check")),
        sa.CheckConstraint("quantity >= 0", name=op.f("listing_quantity_positive_check")),
        sa.CheckConstraint("vintage_start <= vintage_end", name=op.f("listing_vintage_forward_check")),
        sa.PrimaryKeyConstraint("market", "record_key", "copy", name=op.f("listing_pkey")),
    )
    op.create_table(
        "publication",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False, comment="the home venue"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "sent_order",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the whole order, as it is sent",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (state IN ('persisted', 'accepted', 'in_doubt'))",
            name=op.f("publication_finished_whole_check"),
        ),
        sa.CheckConstraint(
            "state IN ('persisted', 'accepted', 'in_doubt', 'confirmed', 'rejected')", name=op.f("publication_state_known_check")
        ),
        sa.PrimaryKeyConstraint("command_id", name=op.f("publication_pkey")),
    )
    op.create_index(
        "publication_open", "publication", ["market"], unique=False, postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_table(
        "restriction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("scope_kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False, comment="what of that kind; empty for all"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(scope = '') = (scope_kind = 'all')", name=op.f("restriction_scope_said_check")),
        sa.CheckConstraint("reason <> '' AND placed_by <> ''", name=op.f("restriction_reason_said_check")),
        sa.CheckConstraint(
            "scope_kind IN ('all', 'market', 'programme', 'project', 'class', 'offer', 'account')",
            name=op.f("restriction_scope_kind_known_check"),
        ),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL)",
            name=op.f("restriction_lift_whole_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("restriction_pkey")),
    )
    op.create_index(
        "restriction_in_force",
        "restriction",
        ["scope_kind", "scope"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "offer",
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="what the venue was last told, and accepted"),
        sa.Column("firm", sa.Boolean(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column(
            "entry",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the whole entry as the venue accepted it",
        ),
        sa.Column("publication", sa.Text(), nullable=False),
        sa.Column(
            "refused",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="the venue's code and words, where it refused a later revision",
        ),
        sa.CheckConstraint("action IN ('put', 'halt', 'withdraw')", name=op.f("offer_action_known_check")),
        sa.CheckConstraint("quantity >= 0", name=op.f("offer_quantity_positive_check")),
        sa.CheckConstraint("revision >= 1", name=op.f("offer_revision_positive_check")),
        sa.ForeignKeyConstraint(["publication"], ["publication.command_id"], name=op.f("offer_publication_fkey")),
        sa.PrimaryKeyConstraint("offer_id", name=op.f("offer_pkey")),
        sa.UniqueConstraint("class_id", name=op.f("offer_class_id_key")),
    )
    for kept, fixed in (
        ("restriction", "id, scope_kind, scope, reason, placed_by, placed_at"),
        ("publication", "command_id, market, actor, sent_order, created_at"),
    ):
        op.execute(
            f"CREATE TRIGGER {kept}_kept BEFORE UPDATE OF {fixed} OR DELETE OR TRUNCATE ON {kept} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
