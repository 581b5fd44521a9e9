"""P: pages come to an end, and nothing is lost or read twice on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import polars as pl

from gateway.kit.conformance.check import READS, SINCE, Check, Failed, Group, NotCalledFor, check, require
from gateway.kit.conformance.line import Deliver, Exchange
from gateway.kit.conformance.reading import (
    PAGES_LIMIT,
    Stream,
    content,
    difference,
    everything,
    mapped,
    subject_streams,
    table,
    whole,
)
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.contract import Page
from gateway.kit.errors import AdapterError

PAGES_MORE = 10
"""Pages of a market that repeats itself, beyond three times those that it has: then nothing will stop it."""


@dataclass(frozen=True, slots=True)
class Turning:
    """A feed of several small pages, on a new rehearsal."""

    stream: Stream
    trial: Trial
    adapter: Any
    pages: list[Page]


async def _turning(subject: Subject) -> AsyncIterator[Turning]:
    """Each feed that has two pages at least; raises NotCalledFor where none has."""
    found = 0
    for stream in await subject_streams(subject):
        trial = subject.trial()
        async with trial.adapter(small=True) as adapter:
            pages = await whole(stream, adapter, trial.rehearsal.since)
            if len(pages) > 1:
                found += 1
                yield Turning(stream, trial, adapter, pages)
    if not found:
        raise NotCalledFor("no feed has pages")


@check("P010", "The pages of each feed come to an end.", called_by=READS, group=Group.PAGING)
async def ends(subject: Subject) -> None:
    """Without a cursor that comes again."""
    for small in (False, True):
        trial = subject.trial()
        async with trial.adapter(small=small) as adapter:
            for stream in await subject_streams(subject):
                await whole(stream, adapter, trial.rehearsal.since, PAGES_LIMIT)


@check("P020", "Small pages hold the same rows as large ones.", called_by=READS, group=Group.PAGING)
async def small_pages(subject: Subject) -> None:
    """None lost, none twice."""
    if not subject.trial().rehearsal.small_pages:
        raise NotCalledFor("the rehearsal has no small pages")
    large, small = await everything(subject), await everything(subject, small=True)
    for title, expected in large.contents.items():
        said = difference(expected, small.contents[title])
        require(said is None, f"{title}, in small pages: {said}")


@check("P030", "A market that repeats itself is noticed.", called_by=READS, group=Group.PAGING)
async def repeated_page(subject: Subject) -> None:
    """By a refusal, an end, or a cursor that comes again, which is where the core stops."""
    async for turning in _turning(subject):
        limit = 3 * len(turning.pages) + PAGES_MORE
        try:
            pages = await _read_repeating(turning, limit)
        except AdapterError:
            continue
        require(len(pages) < limit, f"{turning.stream.title}: no end after {limit} pages that are all the same")


@check(
    "P040",
    "A row that appears while pages are turned makes no other disappear unnoticed.",
    called_by=READS,
    group=Group.PAGING,
)
async def insertion(subject: Subject) -> None:
    """Each row that was there is read, or the market's total shows that the reading was not of one moment."""
    async for turning in _turning(subject):
        stream, since = turning.stream, turning.trial.rehearsal.since
        before = await stream.total(turning.adapter, since)
        pages = [await stream.page(turning.adapter, since, None)]
        turning.trial.rehearsal.insert()
        while pages[-1].next_cursor is not None and len(pages) < PAGES_LIMIT:
            pages.append(await stream.page(turning.adapter, since, pages[-1].next_cursor))
        lost = content(subject, stream, turning.pages).records - content(subject, stream, pages).records
        after = await stream.total(turning.adapter, since)
        said = f"{stream.title}: {lost.total()} rows were lost by an insertion, and the total says {after} as before"
        require(not lost or before != after, said)


@check("P050", "What the market states of a feed is what its pages hold.", called_by=READS, group=Group.PAGING)
async def totals(subject: Subject) -> None:
    """Rows, and units or money where it sums them."""
    trial = subject.trial()
    async with trial.adapter() as adapter:
        for stream in await subject_streams(subject):
            stated = await stream.total(adapter, trial.rehearsal.since)
            pages = await whole(stream, adapter, trial.rehearsal.since)
            rows = content(subject, stream, pages).rows
            require(stated.rows == rows, f"{stream.title}: {stated.rows} rows are stated, {rows} were read")
            made = mapped(subject, stream, table(pages))
            if stated.quantity is not None and not made.units_unreadable:
                said = f"{stream.title}: the stated quantity is {stated.quantity}, that of the rows {made.units}"
                require(stated.quantity == made.units, said)


@check("P060", "A cursor is all that another adapter needs to go on.", called_by=READS, group=Group.PAGING)
async def no_kept_cursor(subject: Subject) -> None:
    """The core keeps cursors, over restarts; an adapter keeps none."""
    async for turning in _turning(subject):
        stream, since = turning.stream, turning.trial.rehearsal.since
        pages: list[Page] = []
        while not pages or (pages[-1].next_cursor is not None and len(pages) < PAGES_LIMIT):
            async with turning.trial.adapter(small=True) as adapter:
                pages.append(await stream.page(adapter, since, pages[-1].next_cursor if pages else None))
        said = difference(content(subject, stream, turning.pages), content(subject, stream, pages))
        require(said is None, f"{stream.title}, each page by another adapter: {said}")


@check("P070", "From an instant on, nothing of that instant or later is left out.", called_by=SINCE, group=Group.PAGING)
async def since_inclusive(subject: Subject) -> None:
    """More may come; the core overlaps windows."""
    trial = subject.trial()
    async with trial.adapter() as adapter:
        for stream in await subject_streams(subject, of=SINCE):
            rows = mapped(subject, stream, table(await whole(stream, adapter, trial.rehearsal.since))).rows
            name = next((one for one in ("occurred_at", "booked_at", "traded_at") if one in rows.columns), None)
            if name is None:
                raise Failed(f"{stream.title}: its records have no instant")
            instants = sorted(set(rows.get_column(name).to_list()))
            for instant in {instants[0], instants[len(instants) // 2], instants[-1]}:
                later = mapped(subject, stream, table(await whole(stream, adapter, instant))).rows
                expected = rows.filter(pl.col(name) >= instant).height
                found = later.filter(pl.col(name) >= instant).height if later.height else 0
                require(found == expected, f"{stream.title} since {instant}: {found} rows, expected {expected}")


async def _read_repeating(turning: Turning, limit: int) -> list[Page]:
    """The pages of a market that answers whatever follows the second page with the second page."""
    stream, line, since = turning.stream, turning.trial.line, turning.trial.rehearsal.since
    first = await stream.page(turning.adapter, since, None)
    begin = len(line.exchanges)
    second = await stream.page(turning.adapter, since, first.next_cursor)
    answers = [one.response for one in line.exchanges[begin:]]
    place = 0

    async def again(_exchange: Exchange, deliver: Deliver) -> httpx.Response:
        nonlocal place
        answer = answers[place % len(answers)] if answers else None
        place += 1
        return deliver() if answer is None else answer

    line.tamper = again
    seen, pages, cursor = {first.next_cursor}, [first, second], second.next_cursor
    while cursor is not None and cursor not in seen and len(pages) < limit:
        seen.add(cursor)
        place = 0
        pages.append(await stream.page(turning.adapter, since, cursor))
        cursor = pages[-1].next_cursor
    return pages


CHECKS: tuple[Check, ...] = (ends, small_pages, repeated_page, insertion, totals, no_kept_cursor, since_inclusive)
