"""A stand-in of the national CCER registry.

The public lists answer as they are known to: POST for reads, filters that are ignored, one item in several lists, a
secondary id without which there is no detail, eight-digit dates, a null status beside its text, and now and then a
page of a browser check instead of JSON, at status 200. The account side behind it is simulated, our own shape.

``build(seed, clock)`` gives one. What it holds is in ``CcerMock.book``, and a test or a demonstration changes it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import httpx

from adapters.ccer.book import Book
from adapters.ccer.book_build import build_book, operators
from adapters.ccer.book_entries import Operator, RefusedHere
from adapters.ccer.mock_account import AccountSide
from adapters.ccer.mock_body import Body, read_body
from adapters.ccer.mock_public import PublicSide
from adapters.ccer.words import SAID, Code
from gateway.kit.clock import Clock

CHALLENGE: Final = (
    b"<!DOCTYPE html><html><head><meta charset='utf-8'><title></title></head><body>"
    b"<script>document.cookie='check='+Date.now();location.reload();</script></body></html>"
)
"""The page of a browser check: what it runs is made up."""

DOWN: Final = b"<html><head><title>503 Service Temporarily Unavailable</title></head></html>"

Answer = Callable[[Body], dict[str, Any]]
AccountAnswer = Callable[[Body, Operator, datetime], dict[str, Any]]


class CcerMock:
    """The registry.

    Args:
        book: what it holds.
        clock: its time.
        sessions: who is logged in, by session token; a test may add or remove one.

    Attributes:
        challenges: how many of the next requests are answered with the page of a browser check.
        down: whether every request is answered 503.
    """

    def __init__(self, book: Book, clock: Clock, sessions: Mapping[str, Operator]) -> None:
        self.book = book
        self.sessions = dict(sessions)
        self.challenges = 0
        self.down = False
        self._clock = clock
        self._public: dict[str, Answer] = PublicSide(book).paths()
        self._account: dict[str, AccountAnswer] = AccountSide(book).paths()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the registry would."""
        now = self._clock()
        self.book.settle(now)
        if self.down:
            return httpx.Response(503, headers={"content-type": "text/html"}, content=DOWN)
        if self.challenges > 0:
            self.challenges -= 1
            return httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, content=CHALLENGE)
        path = request.url.path
        if path not in self._public and path not in self._account:
            return _said({"successful": False, "msg": "接口不存在", "total": 0, "dataInfo": None}, 404)
        if request.method != "POST":
            return _said({"successful": False, "msg": "请求方式不支持", "total": 0, "dataInfo": None}, 405)
        try:
            return _said(self._answer(path, request, now))
        except RefusedHere as refused:
            return _refusal(refused, public=path in self._public)

    def _answer(self, path: str, request: httpx.Request, now: datetime) -> dict[str, Any]:
        if path in self._public:
            return self._public[path](read_body(request.content))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        operator = self.sessions.get(token) if scheme == "Bearer" else None
        if operator is None:
            raise RefusedHere(Code.NO_SESSION)
        return self._account[path](read_body(request.content), operator, now)


def build(seed: int, clock: Clock, *, projects: int = 24, blocks: int = 12) -> CcerMock:
    """A registry made from a seed.

    Args:
        seed: decides everything.
        clock: its time; nothing in the book is later than its present.
        projects: how many projects its public lists show.
        blocks: how many blocks our account has.

    Raises ValueError for sizes that ``build_book`` refuses.
    """
    return CcerMock(build_book(seed, clock(), projects=projects, blocks=blocks), clock, operators())


def _refusal(refused: RefusedHere, *, public: bool) -> httpx.Response:
    """No, at status 200 as on the public side; only a session that is none is answered 401."""
    said = SAID[refused.code]
    words = f"{said} ({refused.detail})" if refused.detail else said
    envelope: dict[str, Any] = {"successful": False, "msg": words, "total": 0, "dataInfo": None}
    if public:
        return _said(envelope | {"msg": refused.detail or said})
    return _said(envelope | {"code": refused.code.value}, 401 if refused.code is Code.NO_SESSION else 200)


def _said(document: dict[str, Any], status: int = 200) -> httpx.Response:
    # A refusal may repeat what was sent, half a surrogate pair too.
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return httpx.Response(status, headers={"content-type": "application/json;charset=UTF-8"}, content=content)
