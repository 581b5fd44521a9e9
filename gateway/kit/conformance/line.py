"""The line between an adapter and its stand-in, watched: what was sent in which way, and what was made of the answer.

A tamper stands between the two: it may lose a request or an answer, answer in the market's stead, change a body, or
wait. It decides by the exchange, which knows its number and whether it was sent as a read or as a command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

import httpx

from gateway.kit.mock import Mock, answered
from gateway.kit.transport import Pacer, RateLimit, Response, Transport


class Way(StrEnum):
    """Through which of the transport's two doors a request left; ``NEITHER``: past both of them."""

    READ = "read"
    COMMAND = "command"
    NEITHER = "neither"


_WAY: Final[ContextVar[Way]] = ContextVar("conformance_way", default=Way.NEITHER)


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        number: counted from 0 on this line.
        way: how it was sent.
        request: as it left, body read.
        response: as it came back; None where none did.
    """

    number: int
    way: Way
    request: httpx.Request
    response: httpx.Response | None = None

    @property
    def path(self) -> str:
        """Method and path, for messages."""
        return f"{self.request.method} {self.request.url.path}"


Deliver: TypeAlias = Callable[[], httpx.Response]
"""Lets the market handle the request and gives its answer."""

Tamper: TypeAlias = Callable[[Exchange, Deliver], Awaitable[httpx.Response]]


class Line(httpx.AsyncBaseTransport):
    """A stand-in mounted in this process, with a record of every exchange.

    Args:
        mock: what answers.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self.exchanges: list[Exchange] = []
        self.tamper: Tamper | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hands the request over, through the tamper where there is one."""
        await request.aread()
        exchange = Exchange(len(self.exchanges), _WAY.get(), request)
        self.exchanges.append(exchange)

        def deliver() -> httpx.Response:
            return answered(self._mock, request)

        exchange.response = deliver() if self.tamper is None else await self.tamper(exchange, deliver)
        return exchange.response

    def commands(self, since: int = 0) -> list[Exchange]:
        """The exchanges from a number on that were sent as commands."""
        return [one for one in self.exchanges[since:] if one.way is Way.COMMAND]


class CountingPacer(Pacer):
    """Counts turns and lets nobody wait."""

    def __init__(self, limit: RateLimit) -> None:
        super().__init__(limit)
        self.turns = 0

    async def turn(self) -> None:
        """Counts."""
        self.turns += 1


class WatchedTransport(Transport):
    """A transport that tries a read once, so that nobody waits, and marks how each request left.

    Args:
        market: the market's name.
        line: where its requests go.
        pacers: count the turns of each scope.
    """

    def __init__(self, market: str, line: httpx.AsyncBaseTransport, pacers: Mapping[str, Pacer]) -> None:
        super().__init__(market, httpx.AsyncClient(transport=line, trust_env=False), pacers, attempts=1)

    async def read(self, method: str, url: str, **options: Any) -> Response:
        """See :meth:`Transport.read`."""
        mark = _WAY.set(Way.READ)
        try:
            return await super().read(method, url, **options)
        finally:
            _WAY.reset(mark)

    async def command(self, method: str, url: str, **options: Any) -> Response:
        """See :meth:`Transport.command`."""
        mark = _WAY.set(Way.COMMAND)
        try:
            return await super().command(method, url, **options)
        finally:
            _WAY.reset(mark)
