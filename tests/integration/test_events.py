from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.store import events
from gateway.store.database import Database
from tests.integration.catalogue_support import asked, scalar

HOSTILE = {"quotes": "'\"\\", "lines": "a\r\nb", "words": "碳 \U0001f333 {}", "numbers": [1, 2**60], "nothing": None}


async def test_an_event_is_told_with_who_what_and_when(database: Database) -> None:
    async with database.transaction() as connection:
        await events.append(connection, kind="pull.finished", subject="verra/pull/1", actor="me", data=HOSTILE)
        await events.append(connection, kind="pull.finished", subject="verra/pull/2", actor="me", data={})
    first, second = await asked(database, "SELECT * FROM event ORDER BY id")
    assert (first["kind"], first["subject"], first["actor"]) == ("pull.finished", "verra/pull/1", "me")
    assert first["data"] == HOSTILE
    assert first["id"] < second["id"]
    assert first["recorded_at"].utcoffset() == timedelta(0)
    assert first["recorded_at"] <= second["recorded_at"]


async def test_events_of_a_query_keep_its_order_and_say_how_many(database: Database) -> None:
    query = (
        "SELECT 'one.told', 'subject/' || n, :actor, jsonb_build_object('n', n) "
        "FROM unnest(cast(:numbers AS integer[])) AS n ORDER BY n DESC"
    )
    async with database.transaction() as connection:
        count = await events.append_all(connection, query, {"actor": "set", "numbers": [1, 3, 2]})
    assert count == 3
    found = await asked(database, "SELECT subject, actor, data FROM event ORDER BY id")
    assert found == [{"subject": f"subject/{n}", "actor": "set", "data": {"n": n}} for n in (3, 2, 1)]


async def test_an_event_stands_or_falls_with_the_change_it_tells(database: Database) -> None:
    async def tell_and_fail() -> None:
        async with database.transaction() as connection:
            await events.append(connection, kind="a.b", subject="s", actor="me", data={})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await tell_and_fail()
    assert await scalar(database, "SELECT count(*) FROM event") == 0
