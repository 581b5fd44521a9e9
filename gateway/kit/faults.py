"""Faults composed around any mock, decided by a seed.

What goes wrong between two computers, one fault a request: a reply lost after the effect, a delay, a request handled
twice or overtaken by the next one, an error of the server with or without the effect, throttling, a body cut short, a
document whose fields changed. The same plan and the same order of requests give the same faults.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import httpx

from gateway.kit.mock import DELAY, Mock
from gateway.model.errors import ConfigurationError

INJECTED_KEPT = 10_000
"""How many of the last injected faults a faulty mock remembers."""

LATE_LIMIT = 100
"""How many overtaken requests may wait; one more pushes the oldest to the market."""

_ROUNDING = 1e-9

# A key: a quoted name before a colon. Inside a text the closing quote is escaped, so no value can look like one.
_JSON_KEY = re.compile(rb'"([A-Za-z_]\w*)"(?=\s*:)')
_JSON_OBJECT = re.compile(rb'\{(?=\s*"[^"\\]*"\s*:)')
_BAD_GATEWAY = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


class Fault(StrEnum):
    """What can go wrong with one request."""

    LOST_REPLY = "lost_reply"
    """The market acted; the connection broke before the answer."""
    DELAY = "delay"
    """The market acted; the answer takes the plan's delay."""
    DUPLICATE = "duplicate"
    """The market got the request twice; the caller sees the second answer."""
    LATE = "late"
    """The caller's wait ran out first; the market gets the request after the next one."""
    SERVER_ERROR = "server_error"
    """502 of a proxy; the market never saw the request."""
    SERVER_ERROR_AFTER_EFFECT = "server_error_after_effect"
    """502 of a proxy; the market acted."""
    RATE_LIMITED = "rate_limited"
    """429; nothing was done."""
    TRUNCATED = "truncated"
    """The market acted; its body ends somewhere before its end, at the same status."""
    DRIFT = "drift"
    """The market acted; a key of its JSON document is called otherwise, or there is one more."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How the fields of a JSON document changed, wherever they occur in it.

    Args:
        renamed: old key to new key.
        added: a new key, and its value as JSON text, put first into every object that has fields.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Which faults to inject, and when.

    Args:
        seed: decides everything that is left open.
        rates: the chance of each fault per request, 0 to 1, together at most 1.
        script: the faults of the first requests (``None``: none); the rates hold for those after.
        hits: the requests that may be hit; the others pass and are not counted.
        delay: how long a delayed answer takes.
        retry_after: seconds that a 429 names; ``None`` sends no such header.
        drift: what ``Fault.DRIFT`` does; without it one key of the answer, chosen by the seed, is renamed.

    Raises ConfigurationError when a rate is out of its bounds.
    """

    seed: int
    rates: Mapping[Fault, float] = field(default_factory=dict)
    script: tuple[Fault | None, ...] = ()
    hits: Callable[[httpx.Request], bool] = lambda _request: True
    delay: timedelta = timedelta(minutes=2)
    retry_after: int | None = 1
    drift: Drift | None = None

    def __post_init__(self) -> None:
        wrong = {fault.value: rate for fault, rate in self.rates.items() if not 0 <= rate <= 1}
        if wrong or sum(self.rates.values()) > 1 + _ROUNDING:
            raise ConfigurationError(
                f"found fault rates {wrong or {fault.value: rate for fault, rate in self.rates.items()}}; "
                "expected each from 0 to 1, and together at most 1"
            )

    def fault_of(self, number: int, chance: random.Random) -> Fault | None:
        """The fault of the request with this number, counted from 0 among those that may be hit."""
        if number < len(self.script):
            return self.script[number]
        drawn = chance.random()
        for fault, rate in sorted(self.rates.items()):
            if drawn < rate:
                return fault
            drawn -= rate
        return None


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that was injected, and the request it hit."""

    fault: Fault
    method: str
    path: str


def with_faults(mock: Mock, plan: FaultPlan) -> FaultyMock:
    """The mock, reached over a network on which the plan's faults happen."""
    return FaultyMock(mock, plan)


class FaultyMock:
    """A mock behind a bad network. See ``with_faults``."""

    def __init__(self, mock: Mock, plan: FaultPlan) -> None:
        self._mock = mock
        self._plan = plan
        self._number = 0
        self._late: deque[httpx.Request] = deque()
        self._ways: dict[Fault, Callable[[httpx.Request, random.Random], httpx.Response]] = {
            Fault.LOST_REPLY: self._lose_reply,
            Fault.DELAY: self._delay,
            Fault.DUPLICATE: self._duplicate,
            Fault.SERVER_ERROR: lambda _request, _chance: _bad_gateway(),
            Fault.SERVER_ERROR_AFTER_EFFECT: self._fail_after_effect,
            Fault.RATE_LIMITED: self._throttle,
            Fault.TRUNCATED: self._truncate,
            Fault.DRIFT: self._drift,
        }
        self.injected: deque[Injected] = deque(maxlen=INJECTED_KEPT)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers as the mock would, but for the fault that the plan has for this request."""
        fault, chance = self._next(request)
        if fault is None:
            response = self._mock.handle(request)
            self.deliver_late()
            return response
        self.injected.append(Injected(fault, request.method, request.url.path))
        if fault is Fault.LATE:
            return self._overtake(request)
        try:
            return self._ways[fault](request, chance)
        finally:
            self.deliver_late()

    def deliver_late(self) -> int:
        """Hands the overtaken requests to the market, oldest first, and says how many; nobody sees the answers."""
        delivered = 0
        while self._late:
            # Whoever sent it has stopped listening, so a lost reply of an inner faulty mock is nobody's error.
            with suppress(httpx.TransportError):
                self._mock.handle(self._late.popleft())
            delivered += 1
        return delivered

    def _next(self, request: httpx.Request) -> tuple[Fault | None, random.Random]:
        # One generator a request: what a fault draws for itself does not shift the faults after it.
        chance = random.Random(f"{self._plan.seed}:{self._number}")  # noqa: S311 - repeatable faults, no secret
        if not self._plan.hits(request):
            return None, chance
        number, self._number = self._number, self._number + 1
        return self._plan.fault_of(number, chance), chance

    def _lose_reply(self, request: httpx.Request, _chance: random.Random) -> httpx.Response:
        self._mock.handle(request)
        raise httpx.ReadError("the connection broke before the answer", request=request)

    def _delay(self, request: httpx.Request, _chance: random.Random) -> httpx.Response:
        response = self._mock.handle(request)
        response.extensions[DELAY] = response.extensions.get(DELAY, timedelta(0)) + self._plan.delay
        return response

    def _duplicate(self, request: httpx.Request, _chance: random.Random) -> httpx.Response:
        self._mock.handle(request)
        return self._mock.handle(request)

    def _overtake(self, request: httpx.Request) -> httpx.Response:
        self._late.append(request)
        if len(self._late) > LATE_LIMIT:
            with suppress(httpx.TransportError):
                self._mock.handle(self._late.popleft())
        raise httpx.ReadTimeout("no answer in time; the request is still under way", request=request)

    def _fail_after_effect(self, request: httpx.Request, _chance: random.Random) -> httpx.Response:
        self._mock.handle(request)
        return _bad_gateway()

    def _throttle(self, _request: httpx.Request, _chance: random.Random) -> httpx.Response:
        after = self._plan.retry_after
        headers = {} if after is None else {"retry-after": str(after)}
        return httpx.Response(429, headers=headers, text="Too Many Requests")

    def _truncate(self, request: httpx.Request, chance: random.Random) -> httpx.Response:
        response = self._mock.handle(request)
        content = response.content
        return _with_body(response, content[: chance.randrange(len(content))] if content else content)

    def _drift(self, request: httpx.Request, chance: random.Random) -> httpx.Response:
        response = self._mock.handle(request)
        if "json" not in response.headers.get("content-type", ""):
            return response
        return _with_body(response, drifted(response.content, self._plan.drift or _any_rename(response, chance)))


def drifted(document: bytes, drift: Drift) -> bytes:
    """A JSON document after a change of its fields. It works on the text, so that numbers keep theirs."""
    renamed = {old.encode(): new.encode() for old, new in drift.renamed.items()}
    changed = _JSON_KEY.sub(lambda found: b'"' + renamed.get(found[1], found[1]) + b'"', document)
    if not drift.added:
        return changed
    addition = "".join(f'"{key}":{value},' for key, value in drift.added.items()).encode()
    return _JSON_OBJECT.sub(lambda _found: b"{" + addition, changed)


def _any_rename(response: httpx.Response, chance: random.Random) -> Drift:
    keys = sorted({found.decode() for found in _JSON_KEY.findall(response.content)})
    if not keys:
        return Drift()
    key = chance.choice(keys)
    return Drift(renamed={key: f"{key}V2"})


def _with_body(response: httpx.Response, content: bytes) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() != "content-length"]
    return httpx.Response(response.status_code, headers=headers, content=content, extensions=response.extensions)


def _bad_gateway() -> httpx.Response:
    return httpx.Response(502, headers={"content-type": "text/html"}, content=_BAD_GATEWAY)
