"""The connection to PostgreSQL: one engine a process, one transaction a unit of work.

Bulk data goes in by COPY, as CSV text made from a polars table: that is an order of magnitude faster than rows.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Self

import asyncpg
import polars as pl
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.model.errors import ConfigurationError

OLDEST_VERSION: Final = 14
POOL_SIZE: Final = 10
CONNECT_SECONDS: Final = 15
NULL_MARK: Final = "\\N"

LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionResetError,
)
"""What PostgreSQL or its line says when there is no connection, or no longer one."""


class DatabaseUnreachable(ConfigurationError):
    """PostgreSQL cannot be reached, or the connection was lost: what was under way was not done."""


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
            isolation_level="READ COMMITTED",
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": {"application_name": "carbon-gateway", "timezone": "UTC", "jit": "off"},
            },
        )

    async def __aenter__(self) -> Self:
        """Connects once, so that a wrong address is known now and not later.

        Raises DatabaseUnreachable, or ConfigurationError for a server that is too old or an address it refuses.
        """
        try:
            async with self.transaction() as connection:
                version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
        except BaseException:
            await self.engine.dispose()
            raise
        if int(version) // 10000 < OLDEST_VERSION:
            await self.engine.dispose()
            raise ConfigurationError(
                f"found PostgreSQL {int(version) // 10000}, expected {OLDEST_VERSION} or later, at {self._shown}"
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes every connection."""
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back on any error.

        Raises DatabaseUnreachable when there is no connection or it is lost, ConfigurationError when the server has
        no room left.
        """
        with self._told():
            connection = await self._connect()
            try:
                async with connection.begin():
                    yield connection
            finally:
                await connection.close()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection of one's own for several transactions, for temporary tables; closed for good at the end.

        Raises as :meth:`transaction` does.
        """
        with self._told():
            connection = await self._connect()
            try:
                yield connection
            finally:
                # A lost connection cannot be rolled back; the server did it.
                with suppress(sqlalchemy.exc.SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await connection.rollback()
                    await connection.invalidate()
                await connection.close()

    async def _connect(self) -> AsyncConnection:
        try:
            return await self.engine.connect()
        except (OSError, TimeoutError) as error:
            raise self._unreachable(error) from error
        except TypeError as error:
            # An option that the driver does not know arrives at it as a keyword argument.
            raise ConfigurationError(f"the database address {self._shown} has a wrong option: {error}") from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tells a lost connection, and a server without room, in our own errors."""
        try:
            yield
        except (
            sqlalchemy.exc.DBAPIError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            ConnectionResetError,
        ) as error:
            causes = _causes(error)
            if any(isinstance(one, LOST) for one in causes) or _is_closed(causes):
                raise self._unreachable(causes[-1]) from error
            if any(isinstance(one, asyncpg.InsufficientResourcesError) for one in causes):
                raise ConfigurationError(f"the database at {self._shown} has no room left: {causes[-1]}") from error
            raise

    def _unreachable(self, error: BaseException) -> DatabaseUnreachable:
        return DatabaseUnreachable(f"cannot reach the database at {self._shown}: {str(error) or type(error).__name__}")

    @property
    def _shown(self) -> str:
        return self.url.render_as_string(hide_password=True)


async def copy_rows(connection: AsyncConnection, table: str, rows: pl.DataFrame) -> None:
    """Appends the rows of a table of the same column names by COPY, within the connection's transaction.

    A list column must already be PostgreSQL array text (:func:`array_text`).
    """
    if rows.is_empty():
        return
    # A column without a value need not travel.
    rows = rows.select(column for column in rows.iter_columns() if column.null_count() < rows.height)
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, null_value=NULL_MARK, quote_style="non_numeric", line_terminator="\n")
    buffer.seek(0)
    driver = await _driver(connection)
    # Without this the driver waits for ever for a server that dies while rows are on their way to it.
    lost = asyncio.get_running_loop().create_future()

    def tell(_: object) -> None:
        if not lost.done():
            lost.set_result(None)

    driver.add_termination_listener(tell)
    copying = asyncio.ensure_future(
        driver.copy_to_table(table, source=buffer, columns=rows.columns, format="csv", null=NULL_MARK)
    )
    try:
        await asyncio.wait({copying, lost}, return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection ended while rows were on their way")
        await copying
    finally:
        driver.remove_termination_listener(tell)
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)


def array_text(column: str) -> pl.Expr:
    """A list-of-text column as PostgreSQL array text; elements are quoted, so any text is safe."""
    element = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    quoted = pl.concat_str(pl.lit('"'), element, pl.lit('"'))
    return pl.concat_str(pl.lit("{"), pl.col(column).list.eval(quoted).list.join(","), pl.lit("}")).alias(column)


async def _driver(connection: AsyncConnection) -> Any:
    raw = await connection.get_raw_connection()
    return raw.driver_connection


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it was raised from, down to the first."""
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and len(causes) < 10:
        causes.append(cause)
    return causes


def _is_closed(causes: list[BaseException]) -> bool:
    """Whether an error is that the connection was closed: the driver has one class for all misuse."""
    return any(
        (isinstance(one, sqlalchemy.exc.DBAPIError) and one.connection_invalidated)
        or (isinstance(one, asyncpg.InterfaceError) and "closed" in str(one))
        for one in causes
    )


def _checked(url: str) -> URL:
    expected = "expected postgresql://user:password@host:5432/name"
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise ConfigurationError(f"CARBON_GATEWAY_DATABASE_URL is no database address; {expected}") from error
    if parsed.drivername.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ConfigurationError(
            f"CARBON_GATEWAY_DATABASE_URL names {parsed.drivername}; {expected}, the only database this program uses"
        )
    if "sslmode" in parsed.query:
        # The word of PostgreSQL's own library for what our driver calls ssl.
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed
