"""The connection to PostgreSQL: one engine a process, one transaction a unit of work.

Bulk data goes in by COPY, as CSV text made from a polars table: that is an order of magnitude faster than rows.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import polars as pl
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.model.errors import ConfigurationError

OLDEST_VERSION: Final = 14
POOL_SIZE: Final = 10
NULL_MARK: Final = "\\N"


class DatabaseUnreachable(ConfigurationError):
    """PostgreSQL cannot be reached; nothing was done."""


class Database:
    """A pool of connections to one PostgreSQL database.

    Args:
        url: ``postgresql://…``; a password in it is never printed.
    """

    def __init__(self, url: str) -> None:
        self.url: URL = _checked(url)
        self.engine: AsyncEngine = create_async_engine(
            self.url.set(drivername="postgresql+asyncpg"),
            pool_size=POOL_SIZE,
            pool_pre_ping=True,
            connect_args={"server_settings": {"application_name": "carbon-gateway", "timezone": "UTC", "jit": "off"}},
        )

    async def __aenter__(self) -> Self:
        """Connects once, so that a wrong address is known now and not later.

        Raises DatabaseUnreachable, or ConfigurationError for a server that is too old.
        """
        try:
            async with self.engine.connect() as connection:
                version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
        except (OSError, TimeoutError, sqlalchemy.exc.DBAPIError) as error:
            await self.engine.dispose()
            reason = str(getattr(error, "orig", None) or error) or type(error).__name__
            raise DatabaseUnreachable(
                f"cannot reach the database at {self.url.render_as_string(hide_password=True)}: {reason}"
            ) from error
        if int(version) // 10000 < OLDEST_VERSION:
            await self.engine.dispose()
            raise ConfigurationError(
                f"found PostgreSQL {int(version) // 10000}, expected {OLDEST_VERSION} or later, at "
                f"{self.url.render_as_string(hide_password=True)}"
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes every connection."""
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on any error."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection of one's own for several transactions, for temporary tables; it is closed for good at the end."""
        async with self.engine.connect() as connection:
            try:
                yield connection
            finally:
                await connection.rollback()
                await connection.invalidate()


async def copy_rows(connection: AsyncConnection, table: str, rows: pl.DataFrame) -> None:
    """Appends the rows of a table of the same column names by COPY, within the connection's transaction.

    A list column must already be PostgreSQL array text (:func:`array_text`).
    """
    if rows.is_empty():
        return
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, null_value=NULL_MARK, quote_style="non_numeric", line_terminator="\n")
    buffer.seek(0)
    await (await _driver(connection)).copy_to_table(
        table, source=buffer, columns=rows.columns, format="csv", null=NULL_MARK
    )


def array_text(column: str) -> pl.Expr:
    """A list-of-text column as PostgreSQL array text; elements are quoted, so any text is safe."""
    element = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    quoted = pl.concat_str(pl.lit('"'), element, pl.lit('"'))
    return pl.concat_str(pl.lit("{"), pl.col(column).list.eval(quoted).list.join(","), pl.lit("}")).alias(column)


async def _driver(connection: AsyncConnection) -> Any:
    raw = await connection.get_raw_connection()
    return raw.driver_connection


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise ConfigurationError(
            "CARBON_GATEWAY_DATABASE_URL is no database address; expected postgresql://user:password@host:5432/name"
        ) from error
    if parsed.get_backend_name() != "postgresql":
        raise ConfigurationError(
            f"CARBON_GATEWAY_DATABASE_URL names {parsed.get_backend_name()}; expected postgresql://…, the only database "
            "this program uses"
        )
    return parsed
