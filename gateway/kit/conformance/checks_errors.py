"""B and E: bodies that no contract has, and each row of the transport's table for reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx

from gateway.kit.conformance.check import READS, Check, NotCalledFor, check, require
from gateway.kit.conformance.failing import Failure, failures
from gateway.kit.conformance.line import Tamper
from gateway.kit.conformance.subject import Subject
from gateway.kit.conformance.tampers import (
    HTML,
    Hits,
    dropped,
    duplicate_key,
    instead,
    is_json,
    not_a_number,
    rewritten,
)
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, NotSent, RateLimited, Unavailable

CANNOT_CONNECT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
BROKEN_OFF: Final = (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteTimeout)
RETRY_DATE: Final = "Wed, 15 Jul 2026 03:05:00 GMT"
RETRY_SECONDS: Final = 7
FIRST_TEXT: Final = re.compile(rb':\s*"')
LATIN_1: Final = "é".encode("latin-1")

Make = Callable[[Hits], Tamper]


async def _all_fail(
    subject: Subject,
    tampers: list[Make],
    kind: type[AdapterError],
    *,
    but: type[AdapterError] | None = None,
    applies: Callable[[httpx.Response], bool] = lambda _answer: True,
) -> list[tuple[Failure, AdapterError]]:
    found = [(one, one.require(kind, but)) async for one in failures(subject, *tampers, applies=applies)]
    if not found:
        raise NotCalledFor("no answer of this market is of that kind")
    return found


def _changed(change: Callable[[bytes], bytes]) -> Make:
    return partial(rewritten, change=change)


def _status(status: int, body: bytes = HTML, headers: dict[str, str] | None = None) -> Make:
    return partial(instead, status=status, body=body, headers=headers)


@check("B010", "A document with a key twice in one object is refused.", called_by=READS)
async def duplicate_keys(subject: Subject) -> None:
    """Which of the two is meant is nobody's to guess."""
    await _all_fail(subject, [_changed(duplicate_key)], ContractBreach, applies=is_json)


@check("B020", "A document with NaN in it is refused.", called_by=READS)
async def nan(subject: Subject) -> None:
    """It is no JSON."""
    await _all_fail(subject, [_changed(not_a_number)], ContractBreach, applies=is_json)


@check("B030", "A web page at status 200 is no answer.", called_by=READS)
async def html_at_200(subject: Subject) -> None:
    """A proxy's, a login's or a maintenance page."""
    await _all_fail(subject, [_status(200)], ContractBreach)


@check("B040", "A body that ends before its end is refused.", called_by=READS)
async def truncated(subject: Subject) -> None:
    """Half a page is not a short page."""
    async for failure in failures(subject, _changed(lambda body: body[: len(body) // 2])):
        if not isinstance(failure.result, Unavailable):
            failure.require(ContractBreach)


@check("B050", "A body in another encoding is refused.", called_by=READS)
async def wrong_encoding(subject: Subject) -> None:
    """A name with a wrong letter in it is another name."""

    def spoilt(body: bytes) -> bytes:
        value = FIRST_TEXT.search(body)
        at = value.end() if value else body.find(b'"') + 1
        return body[:at] + LATIN_1 + body[at:]

    await _all_fail(subject, [_changed(spoilt)], ContractBreach, applies=is_json)


@check("B060", "An empty body is no answer.", called_by=READS)
async def empty_body(subject: Subject) -> None:
    """Nothing at all is not an empty list."""
    await _all_fail(subject, [_changed(lambda _body: b"")], ContractBreach)


@check("E010", "A market out of reach: NotSent.", called_by=READS)
async def cannot_connect(subject: Subject) -> None:
    """Nothing left."""
    await _all_fail(subject, [partial(dropped, error=error) for error in CANNOT_CONNECT], NotSent)


@check("E020", "A read that breaks off: Unavailable.", called_by=READS)
async def broken_off(subject: Subject) -> None:
    """It may be tried again."""
    tampers: list[Make] = [partial(dropped, error=error) for error in BROKEN_OFF]
    await _all_fail(subject, tampers, Unavailable, but=RateLimited)


@check("E030", "500, 502 with a web page and 503: Unavailable.", called_by=READS)
async def server_errors(subject: Subject) -> None:
    """The market's trouble may pass."""
    await _all_fail(subject, [_status(500, b"oops"), _status(502), _status(503)], Unavailable, but=RateLimited)


@check("E040", "408 and 425: Unavailable.", called_by=READS)
async def too_slow_too_early(subject: Subject) -> None:
    """Neither is about what was asked."""
    await _all_fail(subject, [_status(408), _status(425)], Unavailable, but=RateLimited)


@check(
    "E050", "429: RateLimited, with the seconds that the market asks for, where it does in seconds.", called_by=READS
)
async def rate_limited(subject: Subject) -> None:
    """A date counts as not said, and so does nothing."""
    for value, expected in ((str(RETRY_SECONDS), RETRY_SECONDS), (RETRY_DATE, None), (None, None)):
        tamper = _status(429, b"slow down", {} if value is None else {"retry-after": value})
        for failure, error in await _all_fail(subject, [tamper], RateLimited):
            assert isinstance(error, RateLimited)
            said = f"{failure.title}: retry_after is {error.retry_after}, the market said {value}"
            require(error.retry_after == expected, said)


@check("E060", "401 and 403: AccessDenied.", called_by=READS)
async def denied(subject: Subject) -> None:
    """Trying again would lock us out."""
    await _all_fail(subject, [_status(401), _status(403)], AccessDenied)


@check("E070", "400, 404 and 409 with a web page: ContractBreach.", called_by=READS)
async def client_errors(subject: Subject) -> None:
    """A read has nothing that such an answer could settle."""
    await _all_fail(subject, [_status(400), _status(404), _status(409)], ContractBreach)


@check("E080", "A redirect is not followed: ContractBreach.", called_by=READS)
async def redirects(subject: Subject) -> None:
    """A market moves by configuration, and secrets go nowhere else."""
    elsewhere = {"location": "https://elsewhere.example/"}
    for failure, _ in await _all_fail(
        subject, [_status(one, b"", elsewhere) for one in (301, 302, 307)], ContractBreach
    ):
        require(not failure.after, f"{failure.title}: {failure.after} requests after the redirect")


@check("E090", "An adapter tries nothing again by itself.", called_by=READS)
async def no_retries(subject: Subject) -> None:
    """The transport does, within the market's limits."""
    tampers: list[Make] = [partial(dropped, error=httpx.ReadTimeout), _status(500), _status(429), _status(401)]
    async for failure in failures(subject, *tampers):
        require(not failure.after, f"{failure.title} failed, and {failure.after} requests followed")
        failed = isinstance(failure.result, Exception)
        require(failed, f"{failure.title} failed, and the adapter returned {failure.result!r:.200}")


@check("E100", "An error keeps the market's code, names the market and what was being done.", called_by=READS)
async def told_errors(subject: Subject) -> None:
    """Whoever reads it must know whom to ask."""
    found = await _all_fail(subject, [_status(500), _status(403), _status(404)], AdapterError)
    for failure, error in found:
        require(error.code is not None, f"{failure.title}: {error!r} has no code")
        require(error.market == subject.manifest.name, f"{failure.title}: {error!r} is of market {error.market}")
        require(error.operation, f"{failure.title}: {error!r} names no operation")


CHECKS: tuple[Check, ...] = (
    duplicate_keys,
    nan,
    html_at_200,
    truncated,
    wrong_encoding,
    empty_body,
    cannot_connect,
    broken_off,
    server_errors,
    too_slow_too_early,
    rate_limited,
    denied,
    client_errors,
    redirects,
    no_retries,
    told_errors,
)
