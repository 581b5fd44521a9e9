"""the ledger: journal, balances, blocks and seals"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(
        """
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
    )
    op.create_table('journal_entry',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('business_date', sa.Date(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('checker', sa.Text(), nullable=True, comment='the second person, where two are needed'),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('reference', sa.Text(), nullable=False, comment='the instruction, command or deposit that it belongs to'),
    sa.Column('corrects', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("kind <> 'correction' OR (reason IS NOT NULL AND checker IS NOT NULL)", name=op.f('journal_entry_correction_explained_check')),
    sa.CheckConstraint("kind IN ('deposit', 'withdrawal', 'reservation', 'release', 'settlement', 'retirement', 'pay_in', 'pay_out', 'conversion', 'fee', 'encumbrance', 'correction')", name=op.f('journal_entry_kind_known_check')),
    sa.CheckConstraint('checker <> actor', name=op.f('journal_entry_two_people_check')),
    sa.ForeignKeyConstraint(['corrects'], ['journal_entry.id'], name=op.f('journal_entry_corrects_fkey')),
    sa.PrimaryKeyConstraint('id', name=op.f('journal_entry_pkey'))
    )
    op.create_index(op.f('journal_entry_reference_idx'), 'journal_entry', ['reference'], unique=False)
    op.create_table('ledger_balance',
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('market', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('bucket', sa.Text(), nullable=False),
    sa.Column('quantity', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("bucket IN ('available', 'reserved', 'earmarked', 'pledged', 'frozen', 'escrow', 'in_transit', 'retired', 'withdrawn', 'cancelled', 'converted', 'fees', 'outside')", name=op.f('ledger_balance_bucket_known_check')),
    sa.CheckConstraint("kind IN ('units', 'cash')", name=op.f('ledger_balance_kind_known_check')),
    sa.CheckConstraint("quantity >= 0 OR bucket = 'outside'", name=op.f('ledger_balance_covered_check')),
    sa.PrimaryKeyConstraint('kind', 'market', 'asset', 'owner', 'bucket', name=op.f('ledger_balance_pkey'))
    )
    op.create_index(op.f('ledger_balance_owner_idx'), 'ledger_balance', ['owner'], unique=False)
    op.create_table('ledger_block',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('market', sa.Text(), nullable=False),
    sa.Column('class_id', sa.Text(), nullable=False),
    sa.Column('block', sa.Text(), nullable=False, comment='the serial text, or the batch where there are no ranges'),
    sa.Column('space', sa.Text(), nullable=True),
    sa.Column('first', sa.BigInteger(), nullable=True),
    sa.Column('last', sa.BigInteger(), nullable=True),
    sa.Column('quantity', sa.BigInteger(), nullable=False),
    sa.Column('bucket', sa.Text(), nullable=False),
    sa.Column('since', sa.BigInteger(), nullable=False, comment='the entry with which the units came: first in, first out'),
    postgresql.ExcludeConstraint((sa.column('space'), '='), (sa.text("int8range(first, last, '[]')"), '&&'), where=sa.text('first IS NOT NULL'), using='gist', name='ledger_block_one_place'),
    sa.CheckConstraint("bucket IN ('available', 'reserved', 'earmarked', 'pledged', 'frozen', 'escrow', 'in_transit', 'retired', 'withdrawn', 'cancelled', 'converted', 'fees', 'outside') AND bucket <> 'outside'", name=op.f('ledger_block_bucket_known_check')),
    sa.CheckConstraint('(first IS NULL) = (last IS NULL) AND (first IS NULL) = (space IS NULL)', name=op.f('ledger_block_range_whole_check')),
    sa.CheckConstraint('first IS NULL OR last - first + 1 = quantity', name=op.f('ledger_block_count_check')),
    sa.CheckConstraint('quantity >= 1', name=op.f('ledger_block_quantity_positive_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('ledger_block_pkey'))
    )
    op.create_index('ledger_block_lots', 'ledger_block', ['market', 'class_id', 'bucket', 'since', 'id'], unique=False)
    op.create_table('seal',
    sa.Column('id', sa.BigInteger(), nullable=False, comment='1 and up, without a gap'),
    sa.Column('entries', sa.BigInteger(), nullable=False),
    sa.Column('previous', sa.LargeBinary(), nullable=False, comment='digest of the seal before; empty for the first'),
    sa.Column('digest', sa.LargeBinary(), nullable=False, comment="SHA-256 of previous, of this row and of the entries' digests"),
    sa.Column('sealed_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint('octet_length(digest) = 32', name=op.f('seal_digest_length_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('seal_pkey'))
    )
    op.create_table('journal_block',
    sa.Column('entry', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('market', sa.Text(), nullable=False),
    sa.Column('class_id', sa.Text(), nullable=False),
    sa.Column('block', sa.Text(), nullable=False, comment='the serial text, or the batch where there are no ranges'),
    sa.Column('space', sa.Text(), nullable=True),
    sa.Column('first', sa.BigInteger(), nullable=True),
    sa.Column('last', sa.BigInteger(), nullable=True),
    sa.Column('quantity', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.Text(), nullable=True, comment='the bucket that they leave; empty when they come into our books'),
    sa.Column('target', sa.Text(), nullable=False),
    sa.CheckConstraint("source IN ('available', 'reserved', 'earmarked', 'pledged', 'frozen', 'escrow', 'in_transit', 'retired', 'withdrawn', 'cancelled', 'converted', 'fees', 'outside') AND target IN ('available', 'reserved', 'earmarked', 'pledged', 'frozen', 'escrow', 'in_transit', 'retired', 'withdrawn', 'cancelled', 'converted', 'fees', 'outside')", name=op.f('journal_block_buckets_known_check')),
    sa.CheckConstraint('(first IS NULL) = (last IS NULL) AND (first IS NULL) = (space IS NULL)', name=op.f('journal_block_range_whole_check')),
    sa.CheckConstraint('first IS NULL OR last - first + 1 = quantity', name=op.f('journal_block_count_check')),
    sa.CheckConstraint('quantity >= 1', name=op.f('journal_block_quantity_positive_check')),
    sa.CheckConstraint('source <> target', name=op.f('journal_block_moved_check')),
    sa.ForeignKeyConstraint(['entry'], ['journal_entry.id'], name=op.f('journal_block_entry_fkey')),
    sa.PrimaryKeyConstraint('entry', 'position', name=op.f('journal_block_pkey'))
    )
    op.create_table('journal_line',
    sa.Column('entry', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('market', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('bucket', sa.Text(), nullable=False),
    sa.Column('quantity', sa.BigInteger(), nullable=False, comment='units, or minor units of cash; less where negative'),
    sa.CheckConstraint("bucket IN ('available', 'reserved', 'earmarked', 'pledged', 'frozen', 'escrow', 'in_transit', 'retired', 'withdrawn', 'cancelled', 'converted', 'fees', 'outside')", name=op.f('journal_line_bucket_known_check')),
    sa.CheckConstraint("kind IN ('units', 'cash')", name=op.f('journal_line_kind_known_check')),
    sa.CheckConstraint('quantity <> 0', name=op.f('journal_line_quantity_said_check')),
    sa.ForeignKeyConstraint(['entry'], ['journal_entry.id'], name=op.f('journal_line_entry_fkey')),
    sa.PrimaryKeyConstraint('entry', 'position', name=op.f('journal_line_pkey'))
    )
    op.create_table('sealed_entry',
    sa.Column('entry', sa.BigInteger(), nullable=False),
    sa.Column('seal', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['entry'], ['journal_entry.id'], name=op.f('sealed_entry_entry_fkey')),
    sa.ForeignKeyConstraint(['seal'], ['seal.id'], name=op.f('sealed_entry_seal_fkey')),
    sa.PrimaryKeyConstraint('entry', name=op.f('sealed_entry_pkey'))
    )
    op.create_index(op.f('sealed_entry_seal_idx'), 'sealed_entry', ['seal'], unique=False)
    op.execute(
        "CREATE TRIGGER journal_line_balanced AFTER INSERT ON journal_line REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced()"
    )
    for kept, fixed in (
        (
            "journal_entry",
            "id, kind, business_date, recorded_at, actor, checker, reason, reference, corrects",
        ),
        ("journal_line", "entry, position, kind, market, asset, owner, bucket, quantity"),
        (
            "journal_block",
            "entry, position, market, class_id, block, space, first, last, quantity, source, target",
        ),
        ("seal", "id, entries, previous, digest, sealed_at"),
        ("sealed_entry", "entry, seal, digest"),
    ):
        op.execute(
            f"CREATE TRIGGER {kept}_kept BEFORE UPDATE OF {fixed} OR DELETE OR TRUNCATE ON {kept} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
