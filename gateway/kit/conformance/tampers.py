"""The ways in which a line goes wrong, and the bodies that a market never promised."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import httpx

from gateway.kit.conformance.line import Deliver, Exchange, Tamper

Hits: TypeAlias = Callable[[Exchange], bool]
HTML: Final = b"<html><head><title>Service notice</title></head><body>Please try again later.</body></html>"
_FIRST_OBJECT: Final = re.compile(rb'\{(?=\s*")')
_SCALAR: Final = rb'("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)'


def nth(number: int) -> Hits:
    """The exchange of this number on its line."""
    return lambda exchange: exchange.number == number


def dropped(hits: Hits, error: type[httpx.TransportError] = httpx.ReadTimeout) -> Tamper:
    """The request never reaches the market."""

    async def tamper(exchange: Exchange, deliver: Deliver) -> httpx.Response:
        if hits(exchange):
            raise error("the kit lost this request", request=exchange.request)
        return deliver()

    return tamper


def lost_answer(hits: Hits, error: type[httpx.TransportError] = httpx.ReadError) -> Tamper:
    """The market acts; its answer never arrives."""

    async def tamper(exchange: Exchange, deliver: Deliver) -> httpx.Response:
        answer = deliver()
        if hits(exchange):
            raise error("the kit lost this answer", request=exchange.request)
        return answer

    return tamper


def instead(hits: Hits, status: int, body: bytes, headers: dict[str, str] | None = None) -> Tamper:
    """Somebody before the market answers; the market never sees the request."""

    async def tamper(exchange: Exchange, deliver: Deliver) -> httpx.Response:
        if hits(exchange):
            return httpx.Response(status, headers=headers or {"content-type": "text/html"}, content=body)
        return deliver()

    return tamper


def rewritten(hits: Hits, change: Callable[[bytes], bytes]) -> Tamper:
    """The market acts, and its answer's body is another one at the same status."""

    async def tamper(exchange: Exchange, deliver: Deliver) -> httpx.Response:
        answer = deliver()
        return with_body(answer, change(answer.content)) if hits(exchange) else answer

    return tamper


def with_body(answer: httpx.Response, content: bytes) -> httpx.Response:
    """The same answer with another body."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() != "content-length"]
    return httpx.Response(answer.status_code, headers=headers, content=content)


def is_json(answer: httpx.Response) -> bool:
    """Whether an answer is a JSON object or list, by its first byte."""
    return is_json_body(answer.content)


def is_json_body(body: bytes) -> bool:
    """Whether a body is a JSON object or list, by its first byte."""
    return body.lstrip()[:1] in {b"{", b"["}


def duplicate_key(body: bytes) -> bytes:
    """The document with a key that stands twice in its first object."""
    return _FIRST_OBJECT.sub(b'{"saidTwice": "1", "saidTwice": "2", ', body, count=1)


def not_a_number(body: bytes) -> bytes:
    """The document with a member that is NaN."""
    return _FIRST_OBJECT.sub(b'{"notANumber": NaN, ', body, count=1)


def added_key(body: bytes, key: str) -> bytes:
    """The document with one more member in each of its objects."""
    return _FIRST_OBJECT.sub(b'{"' + key.encode() + b'": "never seen before", ', body)


def renamed_key(body: bytes, key: str, name: str) -> bytes:
    """The document with a member called otherwise wherever it occurs."""
    return re.sub(rb'"' + re.escape(key.encode()) + rb'"(?=\s*:)', b'"' + name.encode() + b'"', body)


def replaced_value(body: bytes, key: str, found: str, change: Callable[[bytes], bytes]) -> bytes:
    """The document with the first member of this key and this value changed; the same where there is none.

    Args:
        body: a JSON document.
        key: the member's key.
        found: its value as an adapter shows it.
        change: from the value's JSON text to another one.
    """
    for one in re.finditer(rb'"' + re.escape(key.encode()) + rb'"\s*:\s*' + _SCALAR, body):
        if _shown(one[1]) == found:
            return body[: one.start(1)] + change(one[1]) + body[one.end(1) :]
    return body


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    if not text.startswith('"'):
        return text
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda one: chr(int(one[1], 16)), text[1:-1]).replace("\\/", "/")
