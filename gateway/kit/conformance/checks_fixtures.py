"""F: what was recorded once is still asked and still read in the same way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from gateway.kit.conformance.check import READS, Check, Failed, NotCalledFor, check, require
from gateway.kit.conformance.fixtures import GOLDEN, Replay, Strange, first_pages, golden, read
from gateway.kit.conformance.reading import Stream, as_text, subject_streams
from gateway.kit.conformance.sources import FIXTURES
from gateway.kit.conformance.subject import Subject
from gateway.kit.contract import Page


@check("F010", "Each feed has a fixture with rows in it, and a golden file.", called_by=READS)
async def each_feed(subject: Subject) -> None:
    """An empty one would prove nothing."""
    for stream in await subject_streams(subject):
        for ending in ("", GOLDEN):
            path = subject.folder / FIXTURES / f"{stream.file}{ending}.json"
            require(path.exists(), f"{FIXTURES}/{path.name} is not there; record it")
        recorded = read(subject.folder / FIXTURES / f"{stream.file}{GOLDEN}.json")
        rows = sum(len(page["records"]) for page in recorded["pages"])
        require(rows, f"{FIXTURES}/{stream.file}{GOLDEN}.json has no records")


@check("F020", "The recorded answers become the rows of the golden files.", called_by=READS)
async def golden_rows(subject: Subject) -> None:
    """Value by value."""
    for stream in await _recorded(subject):
        expected = read(subject.folder / FIXTURES / f"{stream.file}{GOLDEN}.json")
        pages, _ = await _replayed(subject, stream)
        found = golden(subject, stream, pages)
        for number, (one, other) in enumerate(zip(found["pages"], expected["pages"], strict=False), start=1):
            for part in expected["pages"][0]:
                same = one[part] == other[part]
                require(same, f"{stream.title}, page {number}: {part} {_first_difference(one[part], other[part])}")
        require(len(found["pages"]) == len(expected["pages"]), f"{stream.title}: {len(found['pages'])} pages")


@check("F030", "The adapter asks what it asked when its fixtures were recorded, and all of it.", called_by=READS)
async def same_requests(subject: Subject) -> None:
    """Method, path, query and body; and every recorded answer is used."""
    for stream in await _recorded(subject):
        _, replay = await _replayed(subject, stream)
        unused = len(replay.recorded) - replay.place
        require(not unused, f"{stream.title}: {unused} recorded exchanges were not asked for")


@check("F040", "Every fixture belongs to a feed.", called_by=READS)
async def no_unused(subject: Subject) -> None:
    """One that nobody reads hides that its feed is gone."""
    known = {f"{one.file}{ending}.json" for one in await subject_streams(subject) for ending in ("", GOLDEN)}
    for path in sorted((subject.folder / FIXTURES).glob("*")):
        require(path.name in known, f"{FIXTURES}/{path.name} belongs to no feed")


@check("F050", "No secret was recorded.", called_by=READS)
async def no_secrets(subject: Subject) -> None:
    """Neither in a request nor in an answer."""
    secrets = subject.trial().rehearsal.secrets
    for path in sorted((subject.folder / FIXTURES).glob("*.json")):
        text = path.read_text("utf-8")
        require(not any(secret in text for secret in secrets), f"{FIXTURES}/{path.name} has a secret in it")


async def _recorded(subject: Subject) -> list[Stream]:
    found = [
        stream
        for stream in await subject_streams(subject)
        if (subject.folder / FIXTURES / f"{stream.file}.json").exists()
    ]
    if not found:
        raise NotCalledFor("nothing is recorded")
    return found


async def _replayed(subject: Subject, stream: Stream) -> tuple[list[Page], Replay]:
    """The pages that a fixture gives, and how it was used."""
    replay = Replay(read(subject.folder / FIXTURES / f"{stream.file}.json")["exchanges"])
    trial = subject.trial()
    # The line only has to be one; what a rehearsal's line would keep is not looked at.
    async with replace(trial, line=cast("Any", replay)).adapter(small=True) as adapter:
        try:
            return await first_pages(stream, adapter, trial.rehearsal.since), replay
        except Strange as error:
            raise Failed(f"{stream.title}: {error}") from error


def _first_difference(found: object, expected: object) -> str:
    if isinstance(found, list) and isinstance(expected, list):
        for number, (one, other) in enumerate(zip(found, expected, strict=False), start=1):
            if one != other:
                return f"{number}: {_first_difference(one, other)}"
        return f"has {len(found)} entries, recorded were {len(expected)}"
    if isinstance(found, dict) and isinstance(expected, dict):
        names = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
        return f"{names[0]} is {as_text(found.get(names[0]))}, recorded was {as_text(expected.get(names[0]))}"
    return f"is {as_text(found)[:200]}, recorded was {as_text(expected)[:200]}"


CHECKS: tuple[Check, ...] = (each_feed, golden_rows, same_requests, no_unused, no_secrets)
