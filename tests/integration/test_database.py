"""What becomes of rows that are on their way to a server that dies."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from gateway.store.database import Database, DatabaseUnreachable, copy_rows
from gateway.store.embedded import EmbeddedServer, inspect

PATIENCE_SECONDS = 30


async def copy_for_ever(url: str, begun: asyncio.Event) -> None:
    rows = pl.DataFrame({"content": ["x" * 1_000] * 20_000})
    async with Database(url) as database, database.transaction() as connection:
        await connection.execute(text("CREATE TEMP TABLE target (content text)"))
        while True:
            await copy_rows(connection, "target", rows)
            begun.set()


@pytest.mark.parametrize("after_seconds", [0.0, 0.013, 0.05])
async def test_a_server_that_dies_during_a_copy_is_told_at_once(tmp_path: Path, after_seconds: float) -> None:
    with EmbeddedServer(tmp_path / "data") as address:
        begun = asyncio.Event()
        copying = asyncio.create_task(copy_for_ever(address.url, begun))
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        await asyncio.sleep(after_seconds)
        server = inspect(tmp_path / "data").pid
        assert server is not None
        os.kill(server, signal.SIGKILL)
        with pytest.raises(DatabaseUnreachable):
            await asyncio.wait_for(copying, PATIENCE_SECONDS)
