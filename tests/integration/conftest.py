"""What the integration tests share: a PostgreSQL for the whole run, a fresh database for each test, stand-ins."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from adapters.verra.mock import VerraMock, build
from gateway.cli.commands import application
from gateway.kit.mock import Mock, MockClock, serve
from gateway.store import schema
from gateway.store.database import Database
from gateway.store.embedded import EmbeddedServer

TEMPLATE = "template_of_tests"
DROP_ATTEMPTS = 25
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


CommandLine = Callable[..., Answered]


@dataclass(frozen=True, slots=True)
class ServedVerra:
    """A stand-in of Verra on a real port; its book may be changed while nobody asks it."""

    mock: VerraMock
    clock: MockClock
    url: str

    def environment(self) -> dict[str, str]:
        root = f"{self.url}/ci-raas-prod"
        return {
            "CARBON_GATEWAY_MARKETS__VERRA__REPORTS_URL": f"{root}/raas-report-api/es/public",
            "CARBON_GATEWAY_MARKETS__VERRA__RESOURCES_URL": f"{root}/cms-resources",
            "CARBON_GATEWAY_MARKETS__VERRA__ACCOUNTS_URL": f"{root}/raas-account-api/v1",
        }


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL that lives as long as the test run; its role may make databases."""
    with EmbeddedServer(tmp_path_factory.mktemp("postgresql")) as address:
        # No test cuts this server's power; those of the server itself have one each.
        _administer(address.url, "ALTER ROLE CURRENT_USER SET synchronous_commit = off")
        yield address.url


@pytest.fixture(scope="session")
def template(database_url: str) -> str:
    """The name of a database whose schema is the newest, to copy from."""

    async def migrate() -> None:
        async with Database(_named(database_url, TEMPLATE)) as database:
            await schema.upgrade(database)

    _administer(database_url, f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(migrate())
    return TEMPLATE


@pytest.fixture
def empty_database_url(database_url: str) -> Iterator[str]:
    """A database of this test without any schema."""
    with made_database(database_url, "template1") as url:
        yield url


@pytest.fixture
def fresh_database_url(database_url: str, template: str) -> Iterator[str]:
    """A migrated database of this test."""
    with made_database(database_url, template) as url:
        yield url


@pytest.fixture
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    """A migrated database of this test, connected."""
    async with Database(fresh_database_url) as connected:
        yield connected


@pytest.fixture
def verra_mock() -> Iterator[ServedVerra]:
    """A small registry with one wrong row of each kind, on a real port."""
    with served_verra() as verra:
        yield verra


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str | None]:
    """The settings of a command of this test; None takes a variable away."""
    return {"CARBON_GATEWAY_DATA_DIRECTORY": str(tmp_path / "data"), "CARBON_GATEWAY_DATABASE_URL": None}


@pytest.fixture
def bare_command_line(environment: dict[str, str | None]) -> CommandLine:
    """Runs ``carbon-gateway`` in this process, with a data directory of this test and no other setting."""
    return partial(call, environment)


@pytest.fixture
def command_line(environment: dict[str, str | None], fresh_database_url: str) -> CommandLine:
    """Runs ``carbon-gateway`` in this process, on a migrated database of this test."""
    return partial(call, environment | {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url})


@pytest.fixture
def linked_command_line(
    environment: dict[str, str | None], fresh_database_url: str, verra_mock: ServedVerra
) -> CommandLine:
    """The same, with the settings that lead to the stand-in of Verra."""
    url = {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url}
    return partial(call, environment | url | verra_mock.environment())


def call(settings: Mapping[str, str | None], *arguments: str | Path, stdin: str | None = None) -> Answered:
    """One command in this process; an error that the command line does not expect is raised."""
    result = CliRunner().invoke(application, [str(one) for one in arguments], input=stdin, env=settings)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answered(int(result.exit_code), result.stdout, result.stderr)


@contextmanager
def served_verra() -> Iterator[ServedVerra]:
    """The registry of :func:`verra_mock`."""
    clock = MockClock(datetime(2026, 7, 1, 8, tzinfo=UTC))
    mock = build(7, clock, projects=60, blocks=300)
    with served(mock) as url:
        yield ServedVerra(mock, clock, url)


@contextmanager
def served(mock: Mock) -> Iterator[str]:
    """A stand-in on a real port, answering from a thread of its own; gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = serve(mock)
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@contextmanager
def made_database(url: str, template: str) -> Iterator[str]:
    """The address of a new database, copied from a template and dropped at the end."""
    name = f"test_{next(_numbers)}"
    _administer(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _named(url, name)
    finally:
        _drop(url, name)


def _drop(url: str, name: str) -> None:
    """Drops a test's database. Its role may not end the server's own cleaning of it, which ends soon by itself."""
    for attempt in range(DROP_ATTEMPTS):
        try:
            _administer(url, f"DROP DATABASE {name} WITH (FORCE)")
        except DBAPIError:
            if attempt == DROP_ATTEMPTS - 1:
                raise
            time.sleep(0.2)
        else:
            return


def _administer(url: str, statement: str) -> None:
    async def run() -> None:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        finally:
            await engine.dispose()

    asyncio.run(run())


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
