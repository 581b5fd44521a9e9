"""Every read of an adapter, failed once at each of its requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from gateway.kit.conformance.check import Failed
from gateway.kit.conformance.line import Exchange, Tamper
from gateway.kit.conformance.reading import Stream, subject_streams
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.conformance.tampers import Hits, nth
from gateway.kit.errors import AccessDenied, AdapterError


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that is asked of an adapter: a page of a feed, or its total."""

    title: str
    call: Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of a read one of whose requests failed.

    Attributes:
        title: the read, and which request failed.
        result: what was raised, or returned in spite of it.
        after: how many requests followed the failed one.
        exchange: the failed request.
    """

    title: str
    result: object
    after: int
    exchange: Exchange

    def require(self, kind: type[AdapterError], but: type[AdapterError] | None = None) -> AdapterError:
        """The error; raises Failed when it is none of this kind."""
        fine = isinstance(self.result, kind) and not (but is not None and isinstance(self.result, but))
        if not fine:
            raise Failed(f"{self.title}: {self.result!r:.300}, expected {kind.__name__}")
        assert isinstance(self.result, AdapterError)
        return self.result


async def failures(
    subject: Subject,
    *tampers: Callable[[Hits], Tamper],
    applies: Callable[[httpx.Response], bool] = lambda _answer: True,
) -> AsyncIterator[Failure]:
    """Each read, failed at each of its requests in turn in each way.

    Every read of the first feed is of a new adapter, so that signing in fails too; then one adapter reads the others.

    Args:
        subject: the adapter.
        tampers: how a request fails.
        applies: whether it can fail so, by the answer that it has when nothing fails.
    """
    trial = subject.trial()
    first, *others = await subject_streams(subject)
    for read in _reads(trial, [first]):
        async for failure in _failures(trial, read, tampers, applies, None):
            yield failure
    async with trial.adapter() as adapter:
        for read in _reads(trial, others):
            async for failure in _failures(trial, read, tampers, applies, adapter):
                yield failure


async def _failures(
    trial: Trial,
    read: Read,
    tampers: Sequence[Callable[[Hits], Tamper]],
    applies: Callable[[httpx.Response], bool],
    adapter: Any,
) -> AsyncIterator[Failure]:
    exchanges, answers = trial.line.exchanges, await _clean(trial, read, adapter)
    for tamper in tampers:
        for place, answer in enumerate(answers):
            if answer is None or not applies(answer):
                continue
            number = len(exchanges) + place
            trial.line.tamper = tamper(nth(number))
            result = await _call(trial, read, adapter)
            if number < len(exchanges):
                after = len(exchanges) - number - 1
                yield Failure(f"{read.title}, {exchanges[number].path}", result, after, exchanges[number])
            if isinstance(result, AccessDenied):
                # It signs in again before its next read, which is to be the same as this one was.
                await _clean(trial, read, adapter)


async def _clean(trial: Trial, read: Read, adapter: Any) -> list[httpx.Response | None]:
    """The answers to a read when nothing fails."""
    begin = len(trial.line.exchanges)
    trial.line.tamper = None
    await _call(trial, read, adapter)
    return [one.response for one in trial.line.exchanges[begin:]]


def _reads(trial: Trial, streams: Sequence[Stream]) -> Iterator[Read]:
    """A page of each feed, and one total of each capability."""
    since = trial.rehearsal.since
    for stream in streams:
        yield Read(stream.title, partial(_page, stream, since))
    for stream in {one.capability: one for one in streams}.values():
        yield Read(f"{stream.title}, its total", partial(_total, stream, since))


async def _page(stream: Stream, since: datetime, adapter: Any) -> object:
    return await stream.page(adapter, since, None)


async def _total(stream: Stream, since: datetime, adapter: Any) -> object:
    return await stream.total(adapter, since)


async def _call(trial: Trial, read: Read, adapter: Any) -> object:
    """What a read returns or raises, of this adapter or of a new one."""
    try:
        if adapter is not None:
            return await read.call(adapter)
        async with trial.adapter() as new:
            return await read.call(new)
    except Exception as error:  # noqa: BLE001 - what is raised is what is looked at
        return error
