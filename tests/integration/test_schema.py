from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy.exc
from sqlalchemy import text

from gateway.catalogue.staging import STAGED
from gateway.model.errors import ConfigurationError
from gateway.model.records import columns, required
from gateway.model.vocabulary import RecordKind
from gateway.store import schema
from gateway.store.database import Database, DatabaseUnreachable
from gateway.store.embedded import binaries
from gateway.store.tables.base import METADATA
from tests.integration.catalogue_support import asked, scalar
from tests.integration.conftest import made_database

UPGRADE = """
import asyncio, sys
from gateway.store import schema
from gateway.store.database import Database

async def main():
    async with Database(sys.argv[1]) as database:
        print((await schema.upgrade(database)).pending)

asyncio.run(main())
"""

KEPT = ("event", "raw_document", "raw_chunk", "pull", "pull_document", "restriction", "publication")
BLOCK = {
    "market": "'m'",
    "record_key": "'k'",
    "copy": "0",
    "serial": "'s'",
    "space": "'x'",
    "first": "1",
    "last": "10",
    "quantity": "10",
    "quantity_unit": "'tCO2e'",
    "project_id": "'1'",
    "unit_kind": "'VCU'",
    "vintage_start": "'2020-01-01'",
    "vintage_end": "'2020-12-31'",
    "labels": "'{}'",
    "state": "'active'",
    "buffer": "false",
    "class_id": "'c'",
    "first_pull": "1",
    "changed_pull": "1",
    "source": "1",
    "position": "1",
}


@pytest.fixture(scope="module")
def shared_url(database_url: str, template: str) -> Iterator[str]:
    """A migrated database for tests that leave nothing in it."""
    with made_database(database_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def recorded_url(shared_url: str) -> str:
    """The same with one row in each table that is kept for ever."""

    async def record() -> None:
        async with Database(shared_url) as database, database.transaction() as connection:
            for statement in (
                "INSERT INTO event (kind, subject, actor, data) VALUES ('a.b', 's', 'me', '{}')",
                "INSERT INTO raw_document (digest, media_type, size, origin) VALUES (sha256('x'), 't', 1, 'o')",
                "INSERT INTO raw_chunk (digest, position, content) VALUES (sha256('x'), 0, 'x')",
                "INSERT INTO pull (market, origin, status) VALUES ('m', 'sync', 'running')",
                (
                    "INSERT INTO pull_document (pull, mapping, mapping_digest, document, as_of) "
                    "SELECT id, 'm', 'd', sha256('x'), now() FROM pull"
                ),
                "INSERT INTO restriction (scope_kind, scope, reason, placed_by) VALUES ('all', '', 'why', 'me')",
                (
                    "INSERT INTO publication (command_id, market, actor, sent_order, state) "
                    "VALUES ('p', 'm', 'me', '{}', 'persisted')"
                ),
            ):
                await connection.execute(text(statement))

    asyncio.run(record())
    return shared_url


def dumped(url: str) -> list[str]:
    """The schema as pg_dump writes it, without what the tool adds and without Alembic's own table."""
    program = binaries() / "pg_dump"
    arguments = [str(program), "--schema-only", "--no-owner", "--exclude-table=alembic_version", f"--dbname={url}"]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    return [line for line in result.stdout.splitlines() if not line.startswith("\\")]


async def test_a_migrated_database_is_what_the_tables_say(shared_url: str, empty_database_url: str) -> None:
    async with Database(empty_database_url) as database, database.transaction() as connection:
        await connection.run_sync(METADATA.create_all)
    migrated = dumped(shared_url)
    assert any(line.startswith("CREATE TABLE public.block ") for line in migrated)
    assert any("CREATE TRIGGER event_kept" in line for line in migrated)
    assert sorted(dumped(empty_database_url)) == sorted(migrated)


def test_two_processes_upgrade_at_once_and_one_does_it(empty_database_url: str) -> None:
    arguments = [sys.executable, "-c", UPGRADE, empty_database_url]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pending = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert pending == ["0", "3"]


async def test_a_second_upgrade_changes_nothing(empty_database_url: str) -> None:
    async with Database(empty_database_url) as database:
        empty = await schema.status(database)
        assert (empty.revision, empty.pending, empty.current) == (None, 3, False)
        assert await schema.upgrade(database) == empty
        before = dumped(empty_database_url)
        assert (await schema.upgrade(database)).current
        assert dumped(empty_database_url) == before


async def test_a_schema_that_is_behind_is_refused_naming_the_command(empty_database_url: str) -> None:
    async with Database(empty_database_url) as database:
        with pytest.raises(ConfigurationError, match=r"at nothing, 3 migration.*db upgrade"):
            await schema.require_current(database)
        await schema.upgrade(database)
        await schema.require_current(database)


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(database: Database) -> None:
    await _execute(database, "UPDATE alembic_version SET version_num = '9999'")
    for question in (schema.status, schema.upgrade, schema.require_current):
        with pytest.raises(ConfigurationError, match=r"schema is at 9999, which this program .newest: 0003. does not"):
            await question(database)
    assert await scalar(database, "SELECT version_num FROM alembic_version") == "9999"


async def test_a_reset_leaves_an_empty_newest_schema_even_of_a_newer_one(database: Database) -> None:
    await _execute(database, "INSERT INTO event (kind, subject, actor, data) VALUES ('a.b', 's', 'me', '{}')")
    await _execute(database, "UPDATE alembic_version SET version_num = '9999'")
    assert (await schema.contents(database))["event"] == 1
    await schema.reset(database)
    after = await schema.contents(database)
    assert {name: count for name, count in after.items() if count} == {"alembic_version": 1}
    assert (await schema.status(database)).current


async def test_a_reset_refuses_a_database_with_tables_of_somebody_else(database: Database) -> None:
    await _execute(database, "CREATE TABLE strange AS SELECT 1 AS one")
    await _execute(database, "INSERT INTO event (kind, subject, actor, data) VALUES ('a.b', 's', 'me', '{}')")
    with pytest.raises(ConfigurationError, match="not the gateway's: strange; nothing was deleted"):
        await schema.reset(database)
    kept = await schema.contents(database)
    assert (kept["strange"], kept["event"]) == (1, 1)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        *((table, "DELETE FROM {}") for table in KEPT),
        *((table, "TRUNCATE {} CASCADE") for table in KEPT),
        ("event", "UPDATE {} SET actor = actor"),
        ("raw_document", "UPDATE {} SET origin = origin"),
        ("raw_chunk", "UPDATE {} SET content = content"),
        ("pull_document", "UPDATE {} SET as_of = as_of"),
        ("pull", "UPDATE {} SET market = market"),
        ("restriction", "UPDATE {} SET reason = reason"),
        ("publication", "UPDATE {} SET sent_order = sent_order"),
    ],
)
async def test_evidence_cannot_be_changed_or_thrown_away(recorded_url: str, table: str, statement: str) -> None:
    async with Database(recorded_url) as database:
        with pytest.raises(sqlalchemy.exc.IntegrityError, match=r"is kept for ever, (DELETE|TRUNCATE|UPDATE) refused"):
            await _execute(database, statement.format(table))
        assert await scalar(database, f"SELECT count(*) FROM {table}") == 1  # noqa: S608 - our own table


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"quantity": "11"}, "block_count_check"),
        ({"last": "9"}, "block_count_check"),
        ({"first": "10", "last": "1", "quantity": "-8"}, "block_quantity_positive_check"),
        ({"last": "NULL"}, "block_range_whole_check"),
        ({"first": "-5", "last": "4"}, "block_first_positive_check"),
        ({"first": "NULL", "last": "NULL", "quantity": "0"}, "block_quantity_positive_check"),
        ({"quantity_unit": "'lb'"}, "block_quantity_unit_known_check"),
        ({"state": "'burned'"}, "block_state_known_check"),
        ({"vintage_start": "'2021-01-01'"}, "block_vintage_forward_check"),
        ({"record_key": "NULL"}, "record_key"),
        ({"serial": "NULL"}, "serial"),
        ({"labels": "NULL"}, "labels"),
    ],
)
async def test_postgresql_itself_refuses_a_block_that_cannot_be(
    shared_url: str, change: dict[str, str], constraint: str
) -> None:
    async with Database(shared_url) as database:
        with pytest.raises(sqlalchemy.exc.IntegrityError, match=constraint):
            await _execute(database, _insert("block", BLOCK | change))
        with pytest.raises(_Undone):
            await _execute(database, _insert("block", BLOCK), undo=True)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO pull (market, origin, status) VALUES ('m', 'sync', 'done')",
        "INSERT INTO raw_document (digest, media_type, size, origin) VALUES ('short', 't', 1, 'o')",
        "INSERT INTO raw_document (digest, media_type, size, origin) VALUES (sha256('z'), 't', -1, 'o')",
        "INSERT INTO raw_chunk (digest, position, content) VALUES (sha256('z'), 0, 'x')",
        (
            "INSERT INTO project (market, record_key, copy, project_id, state, first_pull, changed_pull, source, "
            "position) VALUES ('m', '1', 0, '1', 'sleeping', 1, 1, 1, 1)"
        ),
        "INSERT INTO drift (market, mapping, path, kind, first_pull, last_pull) VALUES ('m', 'x', 'y', 'new', 1, 1)",
    ],
)
async def test_postgresql_itself_refuses_other_impossible_rows(shared_url: str, statement: str) -> None:
    async with Database(shared_url) as database:
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            await _execute(database, statement)


@pytest.mark.parametrize("kind", STAGED)
async def test_tables_have_the_columns_of_the_records(shared_url: str, kind: RecordKind) -> None:
    async with Database(shared_url) as database:
        found = await asked(
            database,
            "SELECT column_name AS name, data_type AS type, is_nullable = 'YES' AS empty FROM "
            "information_schema.columns WHERE table_schema = 'public' AND table_name = :table ORDER BY "
            "ordinal_position",
            table=kind.value,
        )
    types = {"String": "text", "Int64": "bigint", "Date": "date", "Boolean": "boolean", "List": "ARRAY"}
    types["Datetime"] = "timestamp with time zone"
    wanted = [
        {"name": name, "type": types[type(dtype).__name__], "empty": name not in required(kind)}
        for name, dtype in columns(kind).items()
    ]
    own = {"market", "record_key", "copy", "native_key", "class_id", "source", "position"}
    ours = {name for name in (row["name"] for row in found) if name in own or name.endswith("_pull")}
    assert [row for row in found if row["name"] not in ours] == wanted


async def test_a_database_that_is_not_there_is_unreachable(database_url: str) -> None:
    for url in (
        database_url.replace("?", "_absent?", 1),
        "postgresql://gw:secret@127.0.0.1:1/gw",
        "postgresql://gw:secret@/gw?host=/nowhere",
    ):
        with pytest.raises(DatabaseUnreachable, match="cannot reach the database at") as caught:
            async with Database(url):
                pass
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///x.db", "postgresql://h:port/x", "mysql://root@localhost/x"])
def test_what_is_no_address_of_a_postgresql_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="expected postgresql://user:password@host:5432/name"):
        Database(url)


async def test_options_of_an_address(database_url: str) -> None:
    short = database_url.replace("postgresql://", "postgres://") + "&sslmode=disable"
    async with Database(short) as database:
        assert await scalar(database, "SELECT 1") == 1
    with pytest.raises(ConfigurationError, match=r"has a wrong option: .*colour"):
        async with Database(f"{database_url}&colour=red"):
            pass


async def test_a_lost_connection_is_told_as_unreachable(database: Database) -> None:
    with pytest.raises(DatabaseUnreachable, match="cannot reach the database"):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with pytest.raises(DatabaseUnreachable):
        async with database.session() as connection, connection.begin():
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await scalar(database, "SELECT 1") == 1


class _Undone(Exception):
    pass


async def _execute(database: Database, statement: str, *, undo: bool = False) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))
        if undo:
            raise _Undone


def _insert(table: str, values: dict[str, str]) -> str:
    names = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(values.values())})"  # noqa: S608 - literals above
