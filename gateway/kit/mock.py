"""Mocks: stateful stand-ins of markets, and the two ways to reach one.

A mock answers requests as its market would, with the market's own words, limits and error bodies. It does no I/O and
asks no clock of the machine: time is passed in. One mock has two mounts::

    httpx.AsyncClient(transport=in_process(mock))         # in this process, no socket
    async with serve(mock) as base_url: ...               # a TCP server, for any client

A mock's ``handle``, and whatever changes its book, is called from one thread at a time; the served mount calls it on
the loop it was started on. Nothing in a mock belongs to a loop, so it may be mounted again in another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
from aiohttp import web

DELAY = "carbon_gateway.delay"
"""Key of ``response.extensions``: how long the market takes to answer, a ``timedelta``. The mounts enforce it."""

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a request body that the served mount reads; a longer one is answered 413."""

HANG_LIMIT = timedelta(minutes=10)
"""How long the served mount leaves a client waiting for an answer that never comes."""

_SHUTDOWN_SECONDS = 0.1
_NOT_FORWARDED = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})


class MockClock:
    """A ``Clock`` that stands still until a test moves it.

    Args:
        now: the instant to start at; aware. Raises ValueError when it is naive.
    """

    def __init__(self, now: datetime) -> None:
        self._now = _in_utc(now)

    def __call__(self) -> datetime:
        """The instant the clock stands at, in UTC."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Moves the clock forward and returns the new instant. Raises ValueError when ``by`` is negative."""
        if by < timedelta(0):
            raise ValueError(f"found a step of {by}; a clock only advances (use move_to to go back)")
        self._now += by
        return self._now

    def move_to(self, now: datetime) -> datetime:
        """Sets the clock to any instant, also an earlier one. Raises ValueError when it is naive."""
        self._now = _in_utc(now)
        return self._now


class Mock(Protocol):
    """A stateful stand-in of a market."""

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request whose body was read.

        A reply that takes time carries ``DELAY`` in its extensions. A reply that never reaches the caller is an
        ``httpx.TransportError``, raised after the effect: what the caller's client would have raised.
        """
        ...


def answered(mock: Mock, request: httpx.Request) -> httpx.Response:
    """The mock's answer, with the caller's read timeout enforced.

    A mounted transport enforces no timeout of its own. Nobody waits here: a delay longer than the request's read
    timeout raises ``httpx.ReadTimeout`` at once, after the effect, and a shorter one passes at once.
    """
    response = mock.handle(request)
    delay: timedelta | None = response.extensions.get(DELAY)
    read_seconds = request.extensions.get("timeout", {}).get("read")
    if delay is not None and read_seconds is not None and delay > timedelta(seconds=read_seconds):
        raise httpx.ReadTimeout(
            f"the answer takes {delay.total_seconds()} s, the caller reads for {read_seconds} s", request=request
        )
    return response


def in_process(mock: Mock) -> httpx.AsyncBaseTransport:
    """Mounts a mock in this process, as the transport of an ``httpx.AsyncClient``."""
    return _InProcess(mock)


class _InProcess(httpx.AsyncBaseTransport):
    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return answered(self._mock, request)


@asynccontextmanager
async def serve(mock: Mock, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Mounts a mock on a TCP port and yields its base URL, without a slash at the end.

    Args:
        mock: what answers.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.

    A lost reply closes the connection, a timed-out one leaves the caller waiting until it goes away. Raises OSError
    when the port cannot be had.
    """

    async def handler(request: web.Request) -> web.StreamResponse:
        return await _served(mock, request)

    application = web.Application(client_max_size=BODY_LIMIT)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    finally:
        await runner.cleanup()


async def _served(mock: Mock, request: web.Request) -> web.StreamResponse:
    if not request.raw_path.startswith("/"):
        return web.Response(status=400, text="a mock is no proxy: the request target must start with /")
    content = await request.read()
    asked = httpx.Request(
        request.method,
        f"{request.scheme}://{request.host}{request.raw_path}",
        headers=list(request.raw_headers),
        content=content,
    )
    try:
        response = mock.handle(asked)
    except httpx.TimeoutException:
        await asyncio.sleep(HANG_LIMIT.total_seconds())
        return _hung_up(request)
    except httpx.TransportError:
        return _hung_up(request)
    delay: timedelta | None = response.extensions.get(DELAY)
    if delay is not None:
        await asyncio.sleep(delay.total_seconds())
    reply = web.Response(status=response.status_code, body=response.content)
    for name, value in response.headers.multi_items():
        if name.lower() not in _NOT_FORWARDED:
            reply.headers.add(name, value)
    return reply


def _hung_up(request: web.Request) -> web.StreamResponse:
    """Cuts the connection without a reply. What is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"found the naive time {instant.isoformat()}; expected one with a zone")
    return instant.astimezone(UTC)
