"""The one way to call out: httpx with limits, one rate limiter a scope, and errors in our own classes.

Reads are retried here and nowhere else, with growing and jittered waits; a market's ``Retry-After`` is honoured but
never below a floor (one registry answers ``0``) and never above what a reader will wait. Redirects are not followed:
a market moves by configuration.

| what happened to a read | error |
|---|---|
| could not connect, no free connection | ``NotSent`` |
| any other transport failure, 5xx, 408, 425 | ``Unavailable`` |
| 429 | ``RateLimited`` |
| 401, 403 | ``AccessDenied`` |
| 3xx, any other 4xx, a body over the limit | ``ContractBreach`` |

A command is sent once. Silence is not an answer:

| what happened to a command | error |
|---|---|
| could not connect, no free connection | ``NotSent`` |
| 401, 403 | ``AccessDenied`` |
| 4xx whose body has a code that the adapter lists, but 404, 408, 409, 425 and 429 | ``Rejected`` with that code |
| everything else but a whole 2xx: a transport failure, 3xx, 4xx, 5xx, a body over the limit | ``OutcomeUnknown`` |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import httpx
import stamina

from gateway.kit.decoding import Json, Undecodable, decode_json
from gateway.kit.errors import (
    AccessDenied,
    AdapterError,
    ContractBreach,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)

TIMEOUT: Final = httpx.Timeout(30, connect=5)
ATTEMPTS: Final = 4
WAIT_INITIAL: Final = timedelta(milliseconds=200)
WAIT_MAX: Final = timedelta(seconds=5)
RETRY_AFTER_FLOOR: Final = 1
RETRY_AFTER_LIMIT: Final = 60
BODY_LIMIT: Final = 64 * 1024 * 1024
EXCERPT: Final = 120
UNDECIDED: Final = frozenset({404, 408, 409, 425, 429})
"""Statuses of a command that may mean that it, or an earlier copy of it, has happened."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``requests`` in ``seconds`` for everything that shares the scope."""

    scope: str
    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Response:
    """A market's answer to a read, whole and successful."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A market's final no to a command: its code and its words."""

    code: str
    message: str


class Pacer:
    """Spaces the requests of one scope evenly, so that no window of the limit is ever exceeded."""

    def __init__(self, limit: RateLimit) -> None:
        self._gap = limit.seconds / limit.requests
        self._free_at = 0.0
        self._lock = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when the next request of this scope may leave."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            wait = self._free_at - clock()
            if wait > 0:
                await asyncio.sleep(wait)
            self._free_at = max(clock(), self._free_at) + self._gap


class Transport:
    """An adapter's line to its market.

    Args:
        market: the market's name, for messages.
        client: an httpx client, or one over a mounted mock.
        pacers: the shared limiter of each scope that the market meters.
        attempts: how often a read is tried.
    """

    def __init__(
        self,
        market: str,
        client: httpx.AsyncClient,
        pacers: Mapping[str, Pacer] | None = None,
        *,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._market = market
        self._client = client
        self._pacers = dict(pacers or {})
        self._attempts = attempts

    async def __aenter__(self) -> Self:
        """Opens the line."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every connection."""
        await self._client.aclose()

    async def read(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        scope: str | None = None,
    ) -> Response:
        """Asks the market something that changes nothing there, as often as the table above allows.

        Raises an AdapterError of the table in this module's docstring.
        """
        async for attempt in stamina.retry_context(
            on=_patience, attempts=self._attempts, timeout=None, wait_initial=WAIT_INITIAL, wait_max=WAIT_MAX
        ):
            with attempt:
                if scope is not None and scope in self._pacers:
                    await self._pacers[scope].turn()
                return await self._once(method, url, operation, headers, content)
        raise AssertionError("stamina returned without a result")  # pragma: no cover

    async def read_json(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        scope: str | None = None,
    ) -> tuple[Json, bytes]:
        """The same, decoded, with the raw body beside it. Raises ContractBreach when it is no JSON."""
        response = await self.read(method, url, operation=operation, headers=headers, content=content, scope=scope)
        try:
            return decode_json(response.body), response.body
        except Undecodable as error:
            raise ContractBreach(str(error), market=self._market, operation=operation) from error

    async def command(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        refusal: Callable[[Response], Refusal | None],
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        scope: str | None = None,
    ) -> Response:
        """Sends something that changes the market, once.

        Args:
            method: the HTTP method.
            url: where to.
            operation: what is being done, for messages.
            refusal: reads the body of a 4xx: the market's code and words where that code is on the adapter's list of
                codes after which nothing happened, else None. An ``Undecodable`` that it raises counts as None.
            headers: of the request.
            content: its body.
            scope: the rate limit that it counts against.

        Raises an AdapterError of the table in this module's docstring.
        """
        if scope is not None and scope in self._pacers:
            await self._pacers[scope].turn()
        place = {"market": self._market, "operation": operation}
        try:
            answer, body = await self._exchange(method, url, operation, headers, content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(f"cannot reach {url}: {error!r}", **place) from error
        except (httpx.TransportError, httpx.DecodingError, ContractBreach) as error:
            raise OutcomeUnknown(f"no whole answer from {url}: {error!r}", **place) from error
        response = Response(answer.status_code, dict(answer.headers), body)
        if 200 <= response.status < 300:
            return response
        said = f"status {response.status}: {body[:EXCERPT].decode('utf-8', 'replace')!r}"
        if response.status in {401, 403}:
            raise AccessDenied(said, code=str(response.status), **place)
        if 400 <= response.status < 500 and response.status not in UNDECIDED:
            refused = _read_refusal(refusal, response)
            if refused is not None:
                raise Rejected(refused.message, code=refused.code, **place)
        raise OutcomeUnknown(said, code=str(response.status), **place)

    async def command_json(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        refusal: Callable[[Response], Refusal | None],
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        scope: str | None = None,
    ) -> Json:
        """The same, decoded. Raises OutcomeUnknown when the answer is no JSON: the command may have happened."""
        response = await self.command(
            method, url, operation=operation, refusal=refusal, headers=headers, content=content, scope=scope
        )
        try:
            return decode_json(response.body)
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=self._market, operation=operation) from error

    async def _exchange(
        self, method: str, url: str, operation: str, headers: Mapping[str, str] | None, content: bytes | None
    ) -> tuple[httpx.Response, bytes]:
        async with self._client.stream(
            method, url, headers=dict(headers or {}), content=content, timeout=TIMEOUT, follow_redirects=False
        ) as answer:
            return answer, await self._whole_body(answer, operation)

    async def _once(
        self, method: str, url: str, operation: str, headers: Mapping[str, str] | None, content: bytes | None
    ) -> Response:
        try:
            answer, body = await self._exchange(method, url, operation, headers, content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSent(f"cannot reach {url}: {error!r}", market=self._market, operation=operation) from error
        except httpx.TransportError as error:
            raise Unavailable(f"{url} broke off: {error!r}", market=self._market, operation=operation) from error
        except httpx.DecodingError as error:
            raise ContractBreach(f"unreadable encoding: {error!r}", market=self._market, operation=operation) from error
        self._check_status(answer, body, operation)
        return Response(answer.status_code, dict(answer.headers), body)

    async def _whole_body(self, answer: httpx.Response, operation: str) -> bytes:
        parts, size = [], 0
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > BODY_LIMIT:
                raise ContractBreach(
                    f"found a body of more than {BODY_LIMIT} bytes", market=self._market, operation=operation
                )
            parts.append(part)
        return b"".join(parts)

    def _check_status(self, answer: httpx.Response, body: bytes, operation: str) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        said = f"status {status}: {body[:EXCERPT].decode('utf-8', 'replace')!r}"
        if status == 429:
            raise RateLimited(
                said,
                market=self._market,
                operation=operation,
                code="429",
                retry_after=_whole_seconds(answer.headers.get("retry-after")),
            )
        kind: type[AdapterError] = ContractBreach
        if status >= 500 or status in {408, 425}:
            kind = Unavailable
        elif status in {401, 403}:
            kind = AccessDenied
        raise kind(said, market=self._market, operation=operation, code=str(status))


def _read_refusal(refusal: Callable[[Response], Refusal | None], response: Response) -> Refusal | None:
    try:
        return refusal(response)
    except Undecodable:
        return None


def _patience(error: Exception) -> bool | timedelta:
    if isinstance(error, RateLimited) and error.retry_after is not None:
        if error.retry_after > RETRY_AFTER_LIMIT:
            return False
        return timedelta(seconds=max(error.retry_after, RETRY_AFTER_FLOOR))
    return isinstance(error, NotSent | Unavailable)


def _whole_seconds(value: str | None) -> int | None:
    """The seconds form of ``Retry-After``; its date form is treated as not said."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return int(value[:9])
