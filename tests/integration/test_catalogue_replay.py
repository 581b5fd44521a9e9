from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.verra.book_entries import UNLISTED_STATE, Defect
from gateway.catalogue.ingest import Ingestion
from gateway.catalogue.replay import Replayed, replay
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping
from gateway.model.vocabulary import RecordKind
from gateway.store.database import Database
from tests.integration.catalogue_support import EXPORTS, LOG, NOW, asked, contents, registry, scalar, told
from tests.integration.test_catalogue_ingest import row, written

MAPPINGS = Path(__file__).parents[2] / "mappings"
NEVER = {"Additional Certifications": "Never Heard"}


def mended(tmp_path: Path, name: str, codes: str, word: str, means: str) -> Mapping:
    """A mapping document as it is, with one more word in one of its code lists."""
    folder = tmp_path / "mended"
    folder.mkdir(exist_ok=True)
    for source in (MAPPINGS / "verra").glob("*.yaml"):
        (folder / source.name).write_bytes(source.read_bytes())
    path = folder / f"{codes}.yaml"
    head, _, rows = path.read_text().partition("rows:\n")
    path.write_text(f"{head}rows:\n  - {{native: {json.dumps(word)}, means: {json.dumps(means)}}}\n{rows}")
    return Mapping(name, Library(folder, MAPPINGS / "common"))


async def replayed(database: Database, mappings: Sequence[Mapping] = EXPORTS) -> Replayed:
    return await replay(database, "verra", "VCS", mappings, actor="test")


async def ingested(database: Database, path: Path, as_of: datetime = NOW) -> None:
    await Ingestion("verra", "VCS", EXPORTS, path, actor="test", as_of=as_of).run(database)


async def test_a_mended_code_list_lets_rows_in_with_the_document_and_instant_they_came_with(
    database: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "vcus.csv", [row(1, 10), row(11, 20, **NEVER), row(21, 30, ID="999", **NEVER)])
    path.write_bytes(path.read_bytes() + b"too,few\r\n")
    await ingested(database, path)
    ragged = await asked(database, "SELECT * FROM quarantine WHERE raw LIKE '%_text%'")
    found = await replayed(database, [mended(tmp_path, "vcus", "labels", "Never Heard", "NEW-LABEL")])
    assert (found.tried, found.accepted, found.applied.added) == (2, 1, 1)
    (block,) = await asked(
        database,
        "SELECT b.first, b.labels, b.class_id, b.position, d.as_of, d.document, d.pull FROM block b JOIN pull_document "
        "d ON d.id = b.source WHERE b.first = 11",
    )
    assert (block["labels"], block["position"], block["as_of"]) == (["NEW-LABEL"], 2, NOW)
    assert block["class_id"].endswith("+NEW-LABEL")
    assert block["document"] == await scalar(database, "SELECT digest FROM raw_document")
    assert block["pull"] == await scalar(database, "SELECT max(id) FROM pull")
    entries = await asked(database, "SELECT position, reasons, resolved_pull FROM quarantine ORDER BY position")
    assert [entry["resolved_pull"] for entry in entries] == [block["pull"], None, None]
    assert [one["code"] for one in entries[1]["reasons"]] == ["PROJECT_MISMATCH"]
    assert await asked(database, "SELECT * FROM quarantine WHERE raw LIKE '%_text%'") == ragged


async def test_a_replay_without_a_mended_mapping_changes_nothing_but_the_log(
    database: Database, tmp_path: Path
) -> None:
    await ingested(database, written(tmp_path / "vcus.csv", [row(1, 10), row(11, 20, **NEVER)]))
    before = await contents(database, without=LOG)
    found = await replayed(database)
    assert (found.tried, found.accepted) == (1, 0)
    assert await contents(database, without=LOG) == before


async def test_a_replayed_row_does_not_overwrite_what_was_said_later(database: Database, tmp_path: Path) -> None:
    first = [row(1, 10, **NEVER), row(101, 200, **NEVER)]
    await ingested(database, written(tmp_path / "first.csv", first), NOW - timedelta(days=30))
    ended = {"Retirement/Cancellation Date": "2026-06-20"}
    await ingested(database, written(tmp_path / "later.csv", [row(1, 10, **ended), row(101, 150), row(151, 200)]))
    before = await asked(database, "SELECT * FROM block ORDER BY first")
    found = await replayed(database, [mended(tmp_path, "vcus", "labels", "Never Heard", "NEW-LABEL")])
    assert (found.accepted, found.applied.added, found.applied.changed, found.applied.stale) == (2, 0, 0, 2)
    assert await asked(database, "SELECT * FROM block ORDER BY first") == before


@pytest.mark.parametrize("pulls", [1, 2])
@pytest.mark.parametrize("seen_before", [False, True])
async def test_rows_of_a_feed_join_the_catalogue_however_long_they_waited(
    database: Database, tmp_path: Path, pulls: int, seen_before: bool
) -> None:
    async with registry() as verra:
        if seen_before:
            await verra.pull(database)
        block = max(verra.mock.book.holdings.values(), key=lambda one: one.quantity)
        verra.mock.book.plant(Defect.UNKNOWN_STATE, block.entity_id)
        for _ in range(pulls):
            verra.clock.advance(timedelta(hours=1))
            await verra.pull(database)
        mapping = mended(tmp_path, "holdings", "unit-status", UNLISTED_STATE[0], "on_hold")
        found = await replayed(database, [mapping])
        assert (found.tried, found.accepted, found.applied.stale) == (1, 1, 0)
        assert (found.applied.added, found.applied.changed) == ((0, 1) if seen_before else (1, 0))
        states = await asked(
            database, "SELECT state, state_native FROM block WHERE native_key = :key", key=str(block.entity_id)
        )
        assert states == [{"state": "on_hold", "state_native": UNLISTED_STATE[0]}]
        number = await scalar(database, "SELECT max(id) FROM pull")
        assert [kind for kind, _ in await told(database, number)] == (["block.changed"] if seen_before else [])
        before = await contents(database, without=LOG)
        verra.clock.advance(timedelta(hours=1))
        verra.market.compiled["holdings"] = mapping
        synced = await verra.pull(database)
        assert synced.applied[RecordKind.BLOCK].gone == 0
        assert await contents(database, without=LOG) == before
