"""Alembic's entry: runs the migrations on the connection that ``gateway.store.schema`` passes in."""

from __future__ import annotations

from alembic import context

import gateway.store.tables.catalogue
import gateway.store.tables.controls
import gateway.store.tables.ledger
import gateway.store.tables.offers
import gateway.store.tables.store  # noqa: F401 - they fill the metadata
from gateway.store.tables.base import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
