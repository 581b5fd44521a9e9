from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.model.errors import InvariantViolation, UnusableFile
from gateway.store import documents
from gateway.store.database import Database
from tests.integration.catalogue_support import asked, scalar
from tests.integration.conftest import made_database

SIZES = (0, 1, documents.CHUNK - 1, documents.CHUNK, documents.CHUNK + 1, 2 * documents.CHUNK + 12_345)


@pytest.fixture(scope="module")
def shared_url(database_url: str, template: str) -> Iterator[str]:
    with made_database(database_url, template) as url:
        yield url


@pytest.fixture
async def shared(shared_url: str) -> AsyncIterator[Database]:
    async with Database(shared_url) as database:
        yield database


async def kept(database: Database, content: bytes, origin: str = "somewhere") -> bytes:
    async with database.transaction() as connection:
        return await documents.keep(connection, content, media_type="text/plain", origin=origin)


async def read(database: Database, digest: bytes) -> bytes:
    async with database.transaction() as connection:
        return await documents.read(connection, digest)


@pytest.mark.parametrize("size", SIZES)
async def test_bytes_come_back_as_they_were(shared: Database, tmp_path: Path, size: int) -> None:
    in_memory, in_file = random.Random(size).randbytes(size), random.Random(size + 1).randbytes(size)
    digest = await kept(shared, in_memory)
    assert digest == hashlib.sha256(in_memory).digest()
    assert await read(shared, digest) == in_memory
    path = tmp_path / "file"
    path.write_bytes(in_file)
    async with shared.transaction() as connection:
        digest = await documents.keep_file(connection, path, media_type="text/plain", origin="a file")
    assert await read(shared, digest) == in_file
    rows = await asked(shared, "SELECT size FROM raw_document WHERE digest = :digest", digest=digest)
    assert rows == [{"size": size}]


async def test_a_document_is_kept_once_with_the_origin_it_first_had(shared: Database) -> None:
    first = await kept(shared, b"the same", "here")
    assert await kept(shared, b"the same", "there") == first
    found = await asked(shared, "SELECT origin FROM raw_document WHERE digest = :digest", digest=first)
    assert found == [{"origin": "here"}]
    assert await scalar(shared, "SELECT count(*) FROM raw_chunk WHERE digest = :digest", digest=first) == 1


@pytest.mark.parametrize("first_commits", [True, False])
async def test_two_connections_keep_the_same_document_at_once(shared: Database, first_commits: bool) -> None:
    content = f"kept twice, {first_commits}".encode() * 1000
    async with shared.session() as one:
        transaction = await one.begin()
        digest = await documents.keep(one, content, media_type="text/plain", origin="one")
        other = asyncio.create_task(kept(shared, content, "other"))
        await _waits_for_a_lock(shared)
        assert not other.done()
        await (transaction.commit() if first_commits else transaction.rollback())
    assert await other == digest
    assert await read(shared, digest) == content
    found = await asked(shared, "SELECT origin FROM raw_document WHERE digest = :digest", digest=digest)
    assert found == [{"origin": "one" if first_commits else "other"}]


async def test_what_was_not_kept_cannot_be_read(shared: Database) -> None:
    with pytest.raises(LookupError, match=f"no raw document {'00' * 32}"):
        await read(shared, bytes(32))


async def test_a_document_that_is_no_longer_what_was_received_is_told(shared: Database) -> None:
    async with shared.transaction() as connection:
        await connection.execute(
            text("INSERT INTO raw_document (digest, media_type, size, origin) VALUES (sha256('gone'), 't', 4, 'o')")
        )
    with pytest.raises(InvariantViolation, match="has 0 bytes with the digest e3b0c442"):
        await read(shared, hashlib.sha256(b"gone").digest())


async def test_a_file_that_is_written_to_meanwhile_is_refused(
    shared: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def digest_then_change(path: Path) -> tuple[bytes, int]:
        found = digest_of(path)
        path.write_bytes(b"after!")
        return found

    digest_of = documents._digest_of
    monkeypatch.setattr(documents, "_digest_of", digest_then_change)
    with pytest.raises(UnusableFile, match="file changed while it was read"):
        async with shared.transaction() as connection:
            await documents.keep_file(connection, path, media_type="text/plain", origin="a file")
    with pytest.raises(LookupError):
        await read(shared, hashlib.sha256(b"before").digest())


async def _waits_for_a_lock(database: Database) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(200):
        if await scalar(database, waiting):
            return
        await asyncio.sleep(0.02)
    pytest.fail("nobody waited for a lock")
