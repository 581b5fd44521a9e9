"""R: what an account holds, read twice and reconciled with itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from gateway.kit.conformance.check import HOLDS, Check, Group, NotCalledFor, check, require
from gateway.kit.conformance.reading import Stream, content, difference, mapped, subject_streams, table, whole
from gateway.kit.conformance.subject import Subject
from gateway.sweep import Engine, Verdict, break_id, compare, overlaps

MEMORY = "128MB"


@check(
    "R010",
    "The same holdings are the same records when they are read again.",
    called_by=HOLDS,
    group=Group.RECONCILIATION,
)
async def read_twice(subject: Subject) -> None:
    """From the same book, by another adapter; with the market's own ids, each once."""
    trial = subject.trial()
    for stream in await subject_streams(subject, of=HOLDS):
        readings = []
        for _ in range(2):
            async with trial.adapter() as adapter:
                readings.append(await whole(stream, adapter, trial.rehearsal.since))
        first, second = (content(subject, stream, pages) for pages in readings)
        said = difference(first, second)
        require(said is None, f"{stream.title}, read again: {said}")


@check(
    "R020", "Each holding has an id of the market's own that no other has.", called_by=HOLDS, group=Group.RECONCILIATION
)
async def native_keys(subject: Subject) -> None:
    """Orders name holdings by it."""
    for stream in await subject_streams(subject, of=HOLDS):
        rows = await _rows(subject, stream)
        keys = rows.get_column("native_key")
        require(not keys.null_count(), f"{stream.title}: {keys.null_count()} records have no native key")
        require(keys.n_unique() == keys.len(), f"{stream.title}: native keys come twice: {keys.to_list()}")


@check("R030", "A snapshot reconciled with itself matches, unit by unit.", called_by=HOLDS, group=Group.RECONCILIATION)
async def matches_itself(subject: Subject) -> None:
    """And no unit is in it twice."""
    book, again = await _book(subject), await _book(subject)
    with _engine() as folder, Engine(temp_directory=Path(folder), memory_limit=MEMORY, threads=1) as engine:
        doubled = overlaps(book, engine=engine)
        require(not doubled.units, f"{doubled.units} units are held twice, such as {doubled.segments[:1]}")
        found = compare(book, again, complete=True, engine=engine)
    require(found.verdict is Verdict.MATCHED, f"the same holdings differ: {found.segments[:1]}")


@check("R040", "The same difference is the same break in every run.", called_by=HOLDS, group=Group.RECONCILIATION)
async def same_break(subject: Subject) -> None:
    """A snapshot less one block, twice."""
    runs = []
    with _engine() as folder, Engine(temp_directory=Path(folder), memory_limit=MEMORY, threads=1) as engine:
        for _ in range(2):
            book = await _book(subject)
            found = compare(book, book.sort("space", "first").slice(1), complete=True, engine=engine)
            runs.append(
                [
                    break_id(one.kind.break_kind, subject.manifest.name, None, one.space, one.first, one.last)
                    for one in found.segments
                ]
            )
    require(runs[0], "a block that is missing was not found")
    require(runs[0] == runs[1], f"the ids of the same breaks differ: {runs}")


def _engine() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="carbon-gateway-conformance-")


async def _rows(subject: Subject, stream: Stream) -> pl.DataFrame:
    trial = subject.trial()
    async with trial.adapter() as adapter:
        return mapped(subject, stream, table(await whole(stream, adapter, trial.rehearsal.since))).rows


async def _book(subject: Subject) -> pl.DataFrame:
    """The blocks that the market says we hold; raises NotCalledFor where it shows no serial ranges."""
    blocks = []
    for stream in await subject_streams(subject, of=HOLDS):
        rows = await _rows(subject, stream)
        if "first" in rows.columns:
            blocks.append(rows.filter(pl.col("first").is_not_null()).select("space", "first", "last"))
    book = pl.concat(blocks) if blocks else pl.DataFrame()
    if book.is_empty():
        raise NotCalledFor("the market shows no serial ranges of our holdings")
    return book


CHECKS: tuple[Check, ...] = (read_twice, native_keys, matches_itself, same_break)
