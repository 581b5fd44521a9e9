"""A: what is cancelled stops, and calls side by side do not meddle with one another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

import httpx

from gateway.kit.conformance.check import ORDERS, READS, Check, Failed, Group, check, require
from gateway.kit.conformance.line import Deliver, Exchange, Line
from gateway.kit.conformance.ordering import cases, sent
from gateway.kit.conformance.reading import (
    Content,
    Stream,
    Whole,
    content,
    difference,
    everything,
    streams,
    subject_streams,
    whole,
)
from gateway.kit.conformance.subject import Subject, Trial

PATIENCE_SECONDS: Final = 2
"""How long a cancelled call may take to stop; it has nothing to wait for."""

TURNS: Final = 3
"""How often each answer lets the other calls go first."""


class _Stalling(httpx.AsyncByteStream):
    """Half a body, and then nothing more."""

    def __init__(self, body: bytes, reached: asyncio.Event) -> None:
        self._half = body[: len(body) // 2]
        self._reached = reached
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._half
        self._reached.set()
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


@check(
    "A010",
    "A read that is cancelled while it waits stops at once and asks no more.",
    called_by=READS,
    group=Group.CANCELLATION,
)
async def cancelled_read(subject: Subject) -> None:
    """At each of its requests."""
    for stream in await subject_streams(subject):
        trial = subject.trial()
        since = trial.rehearsal.since
        async with trial.adapter() as adapter:
            await stream.page(adapter, since, None)
        for place in range(len(trial.line.exchanges)):
            await _cancel(trial, stream.title, lambda adapter: stream.page(adapter, since, None), place)  # noqa: B023 - called here


@check(
    "A020",
    "A read that is cancelled in the middle of an answer leaves no connection open.",
    called_by=READS,
    group=Group.CANCELLATION,
)
async def cancelled_body(subject: Subject) -> None:
    """Whoever cancels must not pay for it with a connection."""
    for stream in await subject_streams(subject):
        trial = subject.trial()
        reached = asyncio.Event()
        stalled: list[_Stalling] = []

        async def stall(
            _exchange: Exchange, deliver: Deliver, bodies: list[_Stalling] = stalled, at: asyncio.Event = reached
        ) -> httpx.Response:
            answer = deliver()
            bodies.append(_Stalling(answer.content, at))
            return httpx.Response(answer.status_code, headers={"content-type": "application/json"}, stream=bodies[-1])

        trial.line.tamper = stall
        async with trial.adapter() as adapter:
            task = asyncio.ensure_future(stream.page(adapter, trial.rehearsal.since, None))
            await _require_cancelled(task, reached, stream.title)
            require(all(one.closed for one in stalled), f"{stream.title}: cancelled, and its connection is still open")


@check(
    "A030",
    "A command that is cancelled while it waits stops at once and is not sent again.",
    called_by=ORDERS,
    group=Group.CANCELLATION,
)
async def cancelled_command(subject: Subject) -> None:
    """Its outcome is then unknown, which is for the core to find out."""
    async for case in cases(subject):
        order = await case.prepared()
        reached = _hold(case.trial.line, lambda exchange, line=case.trial.line: exchange in line.commands())  # type: ignore[misc]
        task = asyncio.ensure_future(sent(case.adapter, order))
        await _require_cancelled(task, reached, case.title)
        found = len(case.trial.line.commands())
        require(found == 1, f"{case.title}: cancelled, and {found} commands were sent")


@check(
    "A040",
    "Feeds read side by side have the rows that they have one after the other.",
    called_by=READS,
    group=Group.CONCURRENCY,
)
async def side_by_side(subject: Subject) -> None:
    """Calls share no state that one of them could spoil for another."""
    expected = (await everything(subject, small=True)).contents
    for title, found in (await _together(subject)).contents.items():
        said = difference(expected[title], found)
        require(said is None, f"{title}, read beside the others: {said}")


@check(
    "A050",
    "Calls side by side ask the market for no more than calls one after the other.",
    called_by=READS,
    group=Group.CONCURRENCY,
)
async def shared_tokens(subject: Subject) -> None:
    """A token is fetched once, and shared."""
    surplus = (await _together(subject)).asked - (await everything(subject, small=True)).asked
    require(not surplus, f"side by side the adapter asked more often: {dict(surplus)}")


async def _together(subject: Subject) -> Whole:
    """Everything, each feed beside the others."""
    return await subject.kept_later("everything, side by side", partial(_read_together, subject))


async def _read_together(subject: Subject) -> Whole:
    trial = subject.trial()

    async def in_turns(_exchange: Exchange, deliver: Deliver) -> httpx.Response:
        for _ in range(TURNS):
            await asyncio.sleep(0)
        answer = deliver()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return answer

    async def read(stream: Stream, adapter: Any) -> tuple[str, Content]:
        return stream.title, content(subject, stream, await whole(stream, adapter, trial.rehearsal.since))

    trial.line.tamper = in_turns
    async with trial.adapter(small=True) as adapter:
        found = streams(adapter, subject.manifest.capabilities())
        contents = dict(await asyncio.gather(*(read(stream, adapter) for stream in found)))
    return Whole(contents, Counter(one.path for one in trial.line.exchanges))


async def _cancel(trial: Trial, title: str, call: Callable[[Any], Awaitable[object]], place: int) -> None:
    number = len(trial.line.exchanges) + place
    reached = _hold(trial.line, lambda exchange: exchange.number == number)
    async with trial.adapter() as adapter:
        await _require_cancelled(asyncio.ensure_future(call(adapter)), reached, title)
    after = len(trial.line.exchanges) - number - 1
    require(not after, f"{title}: cancelled, and {after} requests followed")
    trial.line.tamper = None


def _hold(line: Line, hits: Callable[[Exchange], bool]) -> asyncio.Event:
    """Holds the answer to a request back for ever, and tells when it is asked for."""
    reached = asyncio.Event()

    async def held(exchange: Exchange, deliver: Deliver) -> httpx.Response:
        if hits(exchange):
            reached.set()
            await asyncio.Event().wait()
        return deliver()

    line.tamper = held
    return reached


async def _require_cancelled(task: asyncio.Future[Any], reached: asyncio.Event, title: str) -> None:
    waiting = asyncio.ensure_future(reached.wait())
    await asyncio.wait({task, waiting}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not reached.is_set():
        raise Failed(f"{title}: the request that was to be cancelled was never sent, {task!r:.200}")
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if not task.done():
        task.cancel()
        raise Failed(f"{title}: cancelled, and it goes on")
    if not task.cancelled():
        said = task.exception() or task.result()
        raise Failed(f"{title}: cancelled, and it ended with {said!r:.200} instead of the cancellation")


CHECKS: tuple[Check, ...] = (cancelled_read, cancelled_body, cancelled_command, side_by_side, shared_tokens)
