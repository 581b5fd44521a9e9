from __future__ import annotations

import asyncio
import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from adapters.verra.book import Book
from adapters.verra.book_build import build_book
from adapters.verra.book_entries import Block, BlockKind, Defect
from adapters.verra.book_export import DateStyle, export_csv
from gateway.catalogue.ingest import Ingested, Ingestion
from gateway.catalogue.pulls import PATH_LIMIT
from gateway.kit.mock import MockClock
from gateway.model.errors import UnusableFile
from gateway.store.database import Database, DatabaseUnreachable
from tests.integration.catalogue_support import EXPORTS, LOG, NOW, asked, contents, registry, scalar, told

UNREADABLE = {Defect.UNREADABLE_SERIAL, Defect.MISSING_SERIAL, Defect.QUANTITY_MISMATCH}
SERIAL = "100-{first}-{last}-VCS-VCU-263-VER-PE-14-868-01012017-31122017-0"
HEADINGS = (
    "Issuance Date",
    "Vintage Start",
    "Vintage End",
    "ID",
    "Name",
    "Country/Area",
    "Quantity Issued",
    "Serial Number",
    "Additional Certifications",
    "Retirement/Cancellation Date",
    "Retirement Beneficiary",
    "Retirement Reason",
    "Retirement Details",
    "Methodology",
)
HOSTILE = (
    "''; DROP TABLE block; --",
    'a "quoted" word',
    "back\\slash \\N \\. \\x41",
    "\\N",
    "\\.",
    "before\n\\.\nafter",
    "line\r\nbreak",
    '{"}","{},NULL,\\"',
    "NULL",
    "碳 \U0001f333 \u202e ﷽ e\u0301",
    "=cmd|' /C calc'!A0",
    "%s :name $1 ?",
    "x" * 60_000,
)


@pytest.fixture(scope="module")
def book() -> Book:
    return build_book(11, MockClock(NOW), projects=20, blocks=120, defective=True)


def row(first: int, last: int, **other: str) -> dict[str, str]:
    return {
        "Issuance Date": "2018-05-01",
        "Vintage Start": "2017-01-01",
        "Vintage End": "2017-12-31",
        "ID": "868",
        "Name": "A forest",
        "Country/Area": "Peru",
        "Quantity Issued": str(last - first + 1),
        "Serial Number": SERIAL.format(first=first, last=last),
    } | other


def written(path: Path, rows: Sequence[dict[str, str]], *, headings: Sequence[str] = HEADINGS) -> Path:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, headings, restval="")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(stream.getvalue().encode())
    return path


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def ingestion(path: Path, as_of: datetime | None = NOW, **other: Any) -> Ingestion:
    return Ingestion("verra", "VCS", EXPORTS, path, actor="test", as_of=as_of, **other)


async def ingested(database: Database, path: Path, as_of: datetime | None = NOW) -> Ingested:
    return await ingestion(path, as_of).run(database)


async def live(database: Database, *names: str) -> list[tuple[Any, ...]]:
    """Columns of the blocks that are not gone, in the order of their numbers."""
    query = f"SELECT {', '.join(names)} FROM block WHERE gone_pull IS NULL ORDER BY first, last, copy"  # noqa: S608 - ours
    found = await asked(database, query)
    return [tuple(one.values()) for one in found]


def _good(book: Book) -> list[Block]:
    return [block for block in book.blocks() if block.defect not in UNREADABLE]


@pytest.mark.parametrize("dates", DateStyle)
@pytest.mark.parametrize("thousands", [False, True])
async def test_figures_and_blocks_are_those_of_the_book_in_every_style(
    database: Database, tmp_path: Path, book: Book, dates: DateStyle, thousands: bool
) -> None:
    good = _good(book)
    found = await ingested(
        database, saved(tmp_path / "vcus.csv", export_csv(book, dates=dates, thousands=thousands).units)
    )
    assert (found.rows, found.accepted, found.quarantined) == (len(list(book.blocks())), len(good), 3)
    assert found.quantity == sum(block.quantity for block in good)
    assert found.projects == len({block.batch.project.number for block in good})
    assert (found.kind, found.blocks, found.overlaps, found.drift) == ("vcus", len(good), 0, [])
    assert found.applied.added == len(good)
    rows = await asked(
        database,
        "SELECT first, last, quantity, project_id, vintage_start, vintage_end, issued_on, state, ended_on, "
        "labels_native, beneficiary, remarks FROM block ORDER BY space, first",
    )
    expected = [
        {
            "first": block.first,
            "last": block.last,
            "quantity": block.quantity,
            "project_id": str(block.batch.project.number),
            "vintage_start": block.batch.vintage_start,
            "vintage_end": block.batch.vintage_end,
            "issued_on": block.batch.issued.date(),
            "state": "active" if block.kind is BlockKind.HOLDING else "retired_or_cancelled",
            "ended_on": block.acted.date() if block.acted else None,
            "labels_native": "; ".join(block.labels) or None,
            "beneficiary": block.beneficiary,
            "remarks": block.details,
        }
        for block in good
    ]

    def order(one: dict[str, Any]) -> str:
        return repr(sorted(one.items()))

    assert sorted(rows, key=order) == sorted(expected, key=order)


async def test_the_same_file_again_changes_nothing_but_the_log(database: Database, tmp_path: Path, book: Book) -> None:
    path = saved(tmp_path / "vcus.csv", export_csv(book).units)
    first = await ingested(database, path)
    before = await contents(database)
    second = await ingested(database, path)
    after = await contents(database)
    assert (second.applied.added, second.applied.changed, second.applied.stale, second.placeholders) == (0, 0, 0, 0)
    assert (second.rows, second.accepted, second.quantity) == (first.rows, first.accepted, first.quantity)
    grown = {name for name in before if after[name] != before[name]}
    assert grown == {"pull", "pull_document", "event"}
    assert [len(after[name]) - len(before[name]) for name in sorted(grown)] == [1, 1, 1]


async def test_a_later_file_that_says_all_the_same_touches_no_row(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "vcus.csv", [row(1, 10), row(11, 20)])
    await ingested(database, path)
    before = await contents(database, without=LOG)
    later = await ingested(database, path, NOW + timedelta(days=1))
    assert (later.applied.added, later.applied.changed) == (0, 0)
    assert await contents(database, without=LOG) == before
    confirmed = await asked(database, "SELECT confirmed_as_of FROM pull_document ORDER BY id")
    assert [one["confirmed_as_of"] for one in confirmed] == [NOW + timedelta(days=1), None]


async def test_a_later_file_that_says_a_part_again_is_the_source_of_that_part(
    database: Database, tmp_path: Path
) -> None:
    await ingested(database, written(tmp_path / "first.csv", [row(1, 10), row(11, 20)]))
    before = await asked(database, "SELECT * FROM block ORDER BY first")
    await ingested(database, written(tmp_path / "later.csv", [row(11, 20)]), NOW + timedelta(days=1))
    after = await asked(database, "SELECT * FROM block ORDER BY first")
    assert after[0] == before[0]
    assert {name for name in after[1] if after[1][name] != before[1][name]} == {"source", "position"}


async def test_copies_of_a_row_are_kept_and_counted_as_overlaps(database: Database, tmp_path: Path) -> None:
    rows = [row(1, 10), row(1, 10), row(1, 10, **{"Retirement/Cancellation Date": "2020-01-01"}), row(11, 20)]
    found = await ingested(database, written(tmp_path / "vcus.csv", rows))
    assert (found.accepted, found.quantity, found.overlaps) == (4, 40, 3)
    assert await live(database, "first", "copy", "state") == [
        (1, 0, "active"),
        (1, 1, "active"),
        (1, 2, "retired_or_cancelled"),
        (11, 0, "active"),
    ]
    again = await ingested(database, tmp_path / "vcus.csv")
    assert (again.applied.added, again.applied.changed) == (0, 0)


async def test_blocks_of_one_file_that_overlap_are_all_kept_and_counted(database: Database, tmp_path: Path) -> None:
    other_epoch = row(1, 100, **{"Serial Number": SERIAL.format(first=1, last=100).replace("VCS-VCU", "VCU")})
    rows = [row(1, 100), row(50, 60), row(100, 120), row(121, 130), other_epoch]
    found = await ingested(database, written(tmp_path / "vcus.csv", rows))
    assert (found.accepted, found.overlaps, found.applied.gone) == (5, 2, 0)
    assert len(await live(database, "first")) == 5


async def test_an_older_file_does_not_overwrite_what_is_known_later(database: Database, tmp_path: Path) -> None:
    ended = {"Retirement/Cancellation Date": "2026-06-01"}
    await ingested(database, written(tmp_path / "new.csv", [row(1, 10, **ended), row(11, 20)]))
    older = written(tmp_path / "old.csv", [row(1, 10), row(11, 20), row(21, 30)])
    found = await ingested(database, older, NOW - timedelta(days=30))
    assert (found.accepted, found.applied.added, found.applied.changed, found.applied.stale) == (3, 1, 0, 1)
    assert await live(database, "first", "state") == [(1, "retired_or_cancelled"), (11, "active"), (21, "active")]
    same_instant = await ingested(database, older, NOW)
    assert (same_instant.applied.changed, same_instant.applied.stale) == (1, 0)


@pytest.mark.parametrize("part", [False, True])
async def test_a_file_between_two_that_agree_does_not_overwrite_the_later_one(
    database: Database, tmp_path: Path, part: bool
) -> None:
    first = written(tmp_path / "first.csv", [row(1, 10), row(11, 20)])
    later = written(tmp_path / "later.csv", [row(1, 10)] if part else [row(1, 10), row(11, 20)])
    labelled = written(tmp_path / "labelled.csv", [row(1, 10, **{"Additional Certifications": "CCB-Gold"})])
    await ingested(database, first, NOW - timedelta(days=10))
    await ingested(database, later, NOW)
    found = await ingested(database, labelled, NOW - timedelta(days=5))
    assert (found.applied.changed, found.applied.stale) == (0, 1)
    assert await live(database, "first", "labels") == [(1, []), (11, [])]


async def test_a_later_file_that_cuts_the_same_units_otherwise_supersedes_the_known_block(
    database: Database, tmp_path: Path
) -> None:
    first = [row(1, 100), row(101, 200), row(201, 300)]
    await ingested(database, written(tmp_path / "first.csv", first), NOW - timedelta(days=30))
    parts = [row(1, 10, **{"Retirement/Cancellation Date": "2026-06-20"}), row(11, 100)]
    found = await ingested(database, written(tmp_path / "later.csv", parts))
    assert (found.applied.added, found.applied.gone, found.overlaps) == (2, 1, 0)
    assert await live(database, "first", "last") == [(1, 10), (11, 100), (101, 200), (201, 300)]
    pull = await scalar(database, "SELECT max(id) FROM pull")
    assert [kind for kind, _ in await told(database, pull)] == ["block.gone"]
    again = await ingested(database, tmp_path / "first.csv", NOW - timedelta(days=30))
    assert (again.applied.added, again.applied.changed, again.applied.stale) == (0, 0, 1)
    assert await live(database, "first", "last") == [(1, 10), (11, 100), (101, 200), (201, 300)]


async def test_an_earlier_file_does_not_add_blocks_whose_units_a_later_one_cuts_otherwise(
    database: Database, tmp_path: Path
) -> None:
    whole = row(1, 1000)
    inside = [row(5, 6), row(500, 500)]
    await ingested(database, written(tmp_path / "later.csv", [*inside, row(2000, 2001)]))
    found = await ingested(
        database, written(tmp_path / "earlier.csv", [whole, row(1500, 1600)]), NOW - timedelta(days=9)
    )
    assert (found.applied.added, found.applied.stale) == (1, 1)
    assert await live(database, "first", "last") == [(5, 6), (500, 500), (1500, 1600), (2000, 2001)]


async def test_a_long_block_reaches_over_shorter_ones_that_begin_later(database: Database, tmp_path: Path) -> None:
    await ingested(database, written(tmp_path / "first.csv", [row(500, 510)]), NOW - timedelta(days=9))
    found = await ingested(database, written(tmp_path / "later.csv", [row(1, 1000), row(5, 6)]))
    assert (found.applied.added, found.applied.gone) == (2, 1)
    assert await live(database, "first", "last") == [(1, 1000), (5, 6)]


async def test_a_file_of_before_a_complete_pull_adds_nothing_that_the_pull_did_not_show(
    database: Database, tmp_path: Path
) -> None:
    async with registry() as verra:
        old = saved(tmp_path / "old.csv", export_csv(verra.mock.book).units)
        verra.clock.advance(timedelta(days=20))
        holding = max(verra.mock.book.holdings.values(), key=lambda block: block.quantity)
        verra.mock.book.retire(holding.entity_id, units=(holding.first, holding.first + 1))
        await verra.pull(database)
        before = await live(database, "space", "first", "last", "state", "state_native", "holder")
        found = await ingested(database, old)
        assert (found.applied.added, found.applied.gone) == (0, 0)
        assert found.applied.stale >= 1
        assert await live(database, "space", "first", "last", "state", "state_native", "holder") == before


async def test_rows_that_cannot_be_trusted_wait_with_their_text_and_reasons(database: Database, tmp_path: Path) -> None:
    rows = [
        row(1, 10, ID="999", Name="wrong, project"),
        row(11, 20, **{"Quantity Issued": "11"}),
        row(21, 30, **{"Serial Number": "gone"}),
        row(31, 40, **{"Additional Certifications": "Never Heard"}),
        row(41, 50),
    ]
    path = written(tmp_path / "vcus.csv", rows)
    path.write_bytes(path.read_bytes() + b"too,few\r\n")
    found = await ingested(database, path)
    assert (found.rows, found.accepted, found.quarantined) == (6, 1, 5)
    assert found.defects["ROW_RAGGED"] == 1
    entries = await asked(database, "SELECT raw, reasons, position, mapping FROM quarantine ORDER BY position")
    assert [entry["position"] for entry in entries] == [1, 2, 3, 4, 6]
    for entry, sent in zip(entries[:4], rows, strict=False):
        assert json.loads(entry["raw"]) == sent
    codes = [[reason["code"] for reason in entry["reasons"]] for entry in entries]
    assert codes[0] == ["PROJECT_MISMATCH"]
    assert codes[1] == ["QUANTITY_MISMATCH"]
    assert codes[3] == ["LABELS_UNKNOWN"]
    assert entries[3]["reasons"][0]["found"] == "Never Heard"
    assert json.loads(entries[4]["raw"]) == {"_text": "too,few"}
    assert entries[4]["reasons"] == [
        {"code": "ROW_RAGGED", "field": None, "found": f"2 fields, expected {len(HEADINGS)}"}
    ]


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def with_ragged_rows(path: Path) -> Path:
    """One good row, one that has a wrong count and two alike that are cut off."""
    written(path, [row(1, 10), row(11, 20, **{"Quantity Issued": "9"})])
    cut = b'2018-05-01,2017-01-01,"a, quoted",868\r\n'
    path.write_bytes(path.read_bytes() + cut + cut)
    return path


async def waiting(database: Database) -> list[dict[str, Any]]:
    return await asked(
        database, "SELECT id, record_key, copy, raw, reasons FROM quarantine WHERE resolved_pull IS NULL ORDER BY id"
    )


async def test_rows_of_a_reject_file_that_nobody_mended_stay_what_they_are(database: Database, tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"r{number}.csv" for number in (1, 2, 3))
    origin = with_ragged_rows(tmp_path / "vcus.csv")
    began = await ingestion(origin, reject_file=first).run(database)
    before = await waiting(database)
    entries = await scalar(database, "SELECT count(*) FROM quarantine")

    again = await ingestion(first, reject_file=second).run(database)
    then = await ingestion(second, reject_file=third).run(database)

    assert (began.quarantined, entries) == (3, 3)
    for found in (again, then):
        assert (found.rows, found.accepted, found.quarantined) == (3, 0, 3)
        assert found.defects == {"QUANTITY_MISMATCH": 1, "ROW_RAGGED": 2}
    assert await waiting(database) == before
    assert await scalar(database, "SELECT count(*) FROM quarantine") == entries
    ragged = [one for one in lines(first) if one["_reasons"].startswith("ROW_RAGGED")]
    assert len(ragged) == 2
    assert "a, quoted" in ragged[0]["_reasons"]
    for rejects in (second, third):
        assert [one for one in lines(rejects) if one["_reasons"].startswith("ROW_RAGGED")] == ragged
        assert [one["_rejected_entry"] for one in lines(rejects) if one["ID"]] == [lines(first)[0]["_rejected_entry"]]


async def test_an_entry_is_resolved_only_by_an_accepted_row_and_one_copy_by_each(
    database: Database, tmp_path: Path
) -> None:
    rejects, again = tmp_path / "rejects.csv", tmp_path / "again.csv"
    await ingestion(with_ragged_rows(tmp_path / "vcus.csv"), reject_file=rejects).run(database)
    before = await waiting(database)
    wrong, one, other = lines(rejects)
    headings = list(wrong)
    wrong |= row(11, 20, **{"Quantity Issued": "8"})
    one |= row(21, 30, **{"Serial Number": "unreadable"})
    other |= row(31, 40)
    written(rejects, [wrong, one, other], headings=headings)

    half = await ingestion(rejects, reject_file=again).run(database)

    assert (half.accepted, half.quarantined) == (1, 2)
    left = await waiting(database)
    assert [found["id"] for found in left] == [found["id"] for found in before[:2]]
    assert [json.loads(found["raw"])["Serial Number"] for found in left] == [wrong["Serial Number"], "unreadable"]
    assert [found["reasons"][0]["code"] for found in left] == ["QUANTITY_MISMATCH", "SERIAL_UNREADABLE"]
    assert [found["_rejected_entry"] for found in lines(again)] == [found["record_key"] for found in left]

    written(again, [one | row(11, 20) for one in lines(again)[:1]] + [lines(again)[1] | row(21, 30)], headings=headings)
    await ingested(database, again)

    assert await waiting(database) == []
    assert await scalar(database, "SELECT count(*) FROM quarantine") == len(before)
    assert await live(database, "first") == [(1,), (11,), (21,), (31,)]


async def test_a_row_of_a_reject_file_that_was_mended_to_a_ragged_one_keeps_its_entry(
    database: Database, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    await ingestion(with_ragged_rows(tmp_path / "vcus.csv"), reject_file=rejects).run(database)
    before = await waiting(database)
    rejects.write_bytes(rejects.read_bytes().replace(b"2018-05-01,", b"2018-05-01,one too many,", 1))

    found = await ingested(database, rejects)

    assert found.defects == {"ROW_RAGGED": 3}
    assert [one["id"] for one in await waiting(database)] == [one["id"] for one in before]


async def test_an_entry_that_is_not_in_the_quarantine_is_no_entry(database: Database, tmp_path: Path) -> None:
    foreign = {"_rejected_entry": "x" * 5000, "_rejected_row": "1", "_reasons": "ROW_RAGGED: lost"}
    path = written(
        tmp_path / "rejects.csv",
        [foreign, row(1, 10) | foreign, row(11, 20, ID="") | foreign],
        headings=[*HEADINGS, "_rejected_row", "_reasons", "_rejected_entry"],
    )

    found = await ingested(database, path)

    assert (found.accepted, found.quarantined) == (1, 2)
    assert [len(one["record_key"]) for one in await waiting(database)] == [64, 64]


async def test_what_was_mended_through_a_reject_file_stays_resolved_when_its_file_comes_again(
    database: Database, tmp_path: Path
) -> None:
    origin, rejects, again = (tmp_path / name for name in ("vcus.csv", "rejects.csv", "again.csv"))
    await ingestion(with_ragged_rows(origin), reject_file=rejects).run(database)
    headings = list(lines(rejects)[0])
    mended = [one | row(first, first + 9) for one, first in zip(lines(rejects), (11, 21, 31), strict=True)]
    written(rejects, [mended[0] | {"Quantity Issued": "8"}, *mended[1:]], headings=headings)
    await ingestion(rejects, reject_file=again).run(database)
    await ingested(database, written(again, [lines(again)[0] | {"Quantity Issued": "10"}], headings=headings))
    resolved = await asked(database, "SELECT * FROM quarantine ORDER BY id")

    for later in (timedelta(0), timedelta(days=1)):
        await ingested(database, origin, NOW + later)
        assert await asked(database, "SELECT * FROM quarantine ORDER BY id") == resolved
    assert len(resolved) == 3
    assert await waiting(database) == []
    assert await live(database, "first") == [(1,), (11,), (21,), (31,)]

    other = written(tmp_path / "other.csv", [row(11, 20, **{"Quantity Issued": "7"})])
    await ingested(database, other)
    assert [json.loads(one["raw"])["Quantity Issued"] for one in await waiting(database)] == ["7"]


async def test_a_column_that_nobody_mapped_is_drift_however_it_is_called(database: Database, tmp_path: Path) -> None:
    long = "".join(f"{n:x}-" for n in range(3_000))
    path = written(tmp_path / "vcus.csv", [row(1, 10)], headings=(*HEADINGS, "Neu'\"\\", long))
    found = await ingested(database, path)
    assert found.drift == ["Neu'\"\\", long]
    rows = await asked(database, "SELECT path, kind, first_pull = last_pull AS once FROM drift ORDER BY path DESC")
    assert rows == [
        {"path": "Neu'\"\\", "kind": "unknown", "once": True},
        {"path": f"{long[:PATH_LIMIT]}…", "kind": "unknown", "once": True},
    ]
    await ingested(database, path)
    assert await scalar(database, "SELECT bool_and(last_pull > first_pull) FROM drift")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda good: good.replace(b"Serial Number", b"Serial No"), "found the columns"),
        (lambda good: good.replace(b"Quantity Issued", b"_gateway_source"), "which the gateway uses itself"),
        (lambda good: good.replace(b"Retirement/Cancellation Date", b"Retired"), "without the columns"),
        (lambda good: good + b'"never closed', "found"),
        (lambda good: good + b"\xff\xfe", "expected text in UTF-8"),
        (lambda _good: b"", "found"),
    ],
)
async def test_a_refused_file_leaves_every_table_as_it_was(
    database: Database, tmp_path: Path, make: Callable[[bytes], bytes], said: str
) -> None:
    good = written(tmp_path / "good.csv", [row(1, 10), row(11, 20, ID="999")])
    await ingested(database, good)
    before = await contents(database)
    rejects = tmp_path / "rejects.csv"
    bad = saved(tmp_path / "bad.csv", make(good.read_bytes() + b"x,y\r\n" * 50))
    with pytest.raises(UnusableFile, match=said):
        await ingestion(bad, reject_file=rejects).run(database)
    assert await contents(database) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.csv", "good.csv"]


async def test_a_file_that_changes_while_it_is_read_is_refused(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "vcus.csv", [row(1, 10)])

    def touched(_rows: int) -> None:
        os.utime(path, ns=(1, 1))

    with pytest.raises(UnusableFile, match=r"vcus\.csv changed while it was read"):
        await ingestion(path, progress=touched).run(database)
    assert await scalar(database, "SELECT count(*) FROM block") == 0


async def test_an_export_does_not_make_a_retirement_or_a_cancellation_vague_again(
    database: Database, tmp_path: Path
) -> None:
    async with registry() as verra:
        await verra.pull(database)
        known = await live(database, "space", "first", "state", "state_native")
        assert {"active", "retired", "cancelled"} <= {state for _, _, state, _ in known}
        export = saved(tmp_path / "vcus.csv", export_csv(verra.mock.book).units)
        await ingested(database, export, NOW + timedelta(days=1))
        assert await live(database, "space", "first", "state", "state_native") == known


async def test_a_word_of_the_registry_does_not_stay_beside_a_state_that_it_does_not_mean(
    database: Database, tmp_path: Path
) -> None:
    async with registry() as verra:
        await verra.pull(database)
        holding = min(verra.mock.book.holdings.values(), key=lambda block: block.first)
        verra.mock.book.retire(holding.entity_id)
        export = saved(tmp_path / "vcus.csv", export_csv(verra.mock.book).units)
        await ingested(database, export, NOW + timedelta(days=1))
        found = await asked(
            database,
            "SELECT state, state_native FROM block WHERE first = :first AND last = :last",
            first=holding.first,
            last=holding.last,
        )
        assert {"state": "retired_or_cancelled", "state_native": None} in found


async def test_unseen_projects_have_a_place_that_a_project_list_fills_even_an_older_one(
    database: Database, tmp_path: Path, book: Book
) -> None:
    export = export_csv(book)
    found = await ingested(database, saved(tmp_path / "vcus.csv", export.units))
    assert found.placeholders == found.projects
    unstated = "SELECT count(*) FROM project WHERE state = 'unstated'"
    assert await scalar(database, unstated) == found.projects
    listed = await ingested(database, saved(tmp_path / "projects.csv", export.projects), NOW - timedelta(days=400))
    assert (listed.kind, listed.quantity, listed.rows) == ("project-list", None, len(book.projects))
    assert listed.quarantined == 1
    left = await asked(database, "SELECT project_id FROM project WHERE state = 'unstated'")
    bad = {str(p.number) for p in book.projects.values() if p.defect is Defect.UNKNOWN_PROJECT_STATUS}
    assert {one["project_id"] for one in left} <= bad
    older = await ingested(database, tmp_path / "projects.csv", NOW - timedelta(days=500))
    assert (older.applied.changed, older.applied.added) == (0, 0)


async def test_a_cancelled_ingestion_leaves_nothing(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "vcus.csv", [row(n * 10 + 1, n * 10 + 10) for n in range(120_000)])
    before = await contents(database)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(
        ingestion(
            path, reject_file=tmp_path / "rejects.csv", progress=lambda _: loop.call_soon_threadsafe(begun.set)
        ).run(database)
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await contents(database) == before
    assert [one.name for one in tmp_path.iterdir()] == ["vcus.csv"]
    found = await ingested(database, written(tmp_path / "small.csv", [row(1, 10)]))
    assert found.accepted == 1


async def test_a_connection_killed_in_the_middle_leaves_nothing_and_is_told_as_unreachable(
    database: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "vcus.csv", [row(n * 10 + 1, n * 10 + 10) for n in range(60_000)])
    before = await contents(database)
    async with Database(database.url.render_as_string(hide_password=False)) as other, other.transaction() as own:
        killer = await own.scalar(text("SELECT pg_backend_pid()"))
        task = asyncio.create_task(ingestion(path).run(database))
        for _ in range(500):
            await own.execute(text("SELECT pg_stat_clear_snapshot()"))
            found = await own.scalar(
                text(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> :own AND "
                    "state LIKE '%transaction%' OR query LIKE 'COPY%' LIMIT 1"
                ),
                {"own": killer},
            )
            if found:
                await own.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": found})
                break
            await asyncio.sleep(0.01)
        with pytest.raises(DatabaseUnreachable, match="cannot reach the database"):
            await task
    assert await contents(database) == before


async def test_hostile_text_survives_exactly(database: Database, tmp_path: Path) -> None:
    rows = [
        row(n * 10 + 1, n * 10 + 10, Name=hostile, **{"Retirement Details": hostile, "Country/Area": hostile})
        for n, hostile in enumerate(HOSTILE)
    ]
    bad = [
        row(n * 10 + 1, n * 10 + 10, ID="999", Name=hostile, **{"Retirement Details": hostile})
        for n, hostile in enumerate(HOSTILE)
    ]
    found = await ingested(database, written(tmp_path / "vcus.csv", [*rows, *bad]))
    assert (found.accepted, found.quarantined) == (len(HOSTILE), len(HOSTILE))
    assert await live(database, "project_name", "remarks", "country_native") == [(one,) * 3 for one in HOSTILE]
    entries = await asked(database, "SELECT raw FROM quarantine ORDER BY position")
    assert [json.loads(entry["raw"])["Name"] for entry in entries] == list(HOSTILE)
    assert await scalar(database, "SELECT name FROM project") == HOSTILE[0]


async def test_hostile_labels_and_values_survive_the_way_into_the_database(database: Database) -> None:
    import polars as pl

    from gateway.store.database import array_text, copy_rows

    labels = [list(HOSTILE), [], [""], ["a,b", "{}", '"', "\\", "NULL", " "]]
    frame = pl.DataFrame({"labels": labels, "words": ["", "\\N", "\\.", " "]})
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TEMP TABLE hostile (labels text[], words text)"))
        await copy_rows(connection, "hostile", frame.with_columns(array_text("labels")))
        found = (await connection.execute(text("SELECT labels, words FROM hostile"))).all()
    assert [tuple(one) for one in found] == frame.rows()


async def test_a_file_name_that_is_no_text_is_kept_readable(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / os.fsdecode(b"caf\xe9 '\\.csv"), [row(1, 10)])
    found = await ingested(database, path)
    assert found.file == "caf\\xe9 '\\.csv"
    assert await scalar(database, "SELECT origin FROM pull") == found.file


async def test_without_an_instant_a_file_speaks_of_when_it_was_written_but_never_of_the_future(
    database: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "vcus.csv", [row(1, 10)])
    os.utime(path, ns=(1_700_000_000_123_456_789,) * 2)
    await ingested(database, path, None)
    written_at = datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC)
    assert await scalar(database, "SELECT as_of FROM pull_document") == written_at
    os.utime(path, ns=(9_000_000_000_000_000_000,) * 2)
    await ingested(database, path, None)
    assert await scalar(database, "SELECT max(as_of) <= clock_timestamp() FROM pull_document")


async def test_the_log_says_what_was_read(database: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "vcus.csv", [row(1, 10), row(11, 20, ID="999")])
    found = await ingested(database, path)
    (pull,) = await asked(database, "SELECT * FROM pull")
    assert (pull["market"], pull["origin"], pull["status"]) == ("verra", "vcus.csv", "complete")
    assert pull["finished_at"] >= pull["started_at"]
    assert (pull["summary"]["rows"], pull["summary"]["quantity"]) == (2, found.quantity)
    (event,) = await asked(database, "SELECT * FROM event")
    assert (event["kind"], event["subject"], event["actor"]) == ("pull.finished", f"verra/pull/{pull['id']}", "test")
    kept = await scalar(database, "SELECT size FROM raw_document")
    assert kept == path.stat().st_size
    assert set(LOG) <= set(await contents(database))
