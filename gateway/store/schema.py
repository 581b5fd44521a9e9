"""The database's schema: brought up to date, described, or thrown away."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, Select, column, func, select, table, text

from gateway.model.errors import ConfigurationError
from gateway.store.database import Database
from gateway.store.tables import catalogue, controls, ledger, offers, store  # noqa: F401 - they fill the metadata
from gateway.store.tables.base import METADATA

UPGRADE_LOCK: Final = 0x0CA8_B017
VERSION_TABLE: Final = "alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """Where the schema stands.

    Attributes:
        revision: the migration that the database is at; None where it is empty.
        head: the newest one that this program has.
        pending: how many are between them.
    """

    revision: str | None
    head: str
    pending: int

    @property
    def current(self) -> bool:
        """Whether the database is exactly as this program wants it."""
        return self.revision == self.head


async def status(database: Database) -> SchemaStatus:
    """Where the schema stands. Raises ConfigurationError when the database is newer than this program."""
    async with database.transaction() as connection:
        return await connection.run_sync(_status)


async def upgrade(database: Database) -> SchemaStatus:
    """Brings the schema to the newest migration; several processes may ask at once, one does it."""
    async with database.transaction() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        before = await connection.run_sync(_status)
        if not before.current:
            await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))
        return before


async def reset(database: Database) -> None:
    """Throws everything away and builds the schema anew. There is no way back.

    Raises ConfigurationError when the schema holds tables that are not ours: somebody else's are never thrown away.
    """
    foreign = sorted((await contents(database)).keys() - METADATA.tables.keys() - {VERSION_TABLE})
    if foreign:
        raise ConfigurationError(
            f"the database holds tables that are not the gateway's: {', '.join(foreign)}; nothing was deleted. Name a "
            "database of the gateway's own, or drop them yourself first"
        )
    async with database.transaction() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))


async def contents(database: Database) -> dict[str, int]:
    """Every table of the schema with its number of rows, also those that are not ours: what a reset throws away."""
    listed: Select[Any] = (
        select(column("tablename")).select_from(table("pg_tables")).where(column("schemaname") == "public")
    )
    async with database.transaction() as connection:
        names = (await connection.execute(listed.order_by(column("tablename")))).scalars().all()
        return {
            name: await connection.scalar(select(func.count()).select_from(table(name, schema="public"))) or 0
            for name in names
        }


async def require_current(database: Database) -> None:
    """Raises ConfigurationError, saying what to call, unless the schema is the newest."""
    found = await status(database)
    if not found.current:
        raise ConfigurationError(
            f"the database's schema is at {found.revision or 'nothing'}, {found.pending} migration(s) behind; call "
            "'carbon-gateway db upgrade'"
        )


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(importlib.resources.files("gateway.store") / "migrations"))
    config.attributes["connection"] = connection
    return config


def _status(connection: Connection) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(_config(None))
    head = scripts.get_current_head()
    assert head is not None
    revision = MigrationContext.configure(connection).get_current_revision()
    try:
        pending = len(list(scripts.iterate_revisions(head, revision or "base")))
    except RevisionError as error:
        raise ConfigurationError(
            f"the database's schema is at {revision}, which this program (newest: {head}) does not know: it was made "
            "by a newer version of the program, or is not ours"
        ) from error
    return SchemaStatus(revision, head, pending)


__all__ = ["SchemaStatus", "contents", "require_current", "reset", "status", "upgrade"]
