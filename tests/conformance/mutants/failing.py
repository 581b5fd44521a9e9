"""Broken in what they make of a market that fails or talks nonsense, when they read."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl

from gateway.kit.contract import Document, Page, StatedTotal
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, NotSent, RateLimited, Unavailable
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.client import MARKET
from tests.conformance.mutants.making import broken


class Translates(HarbourAdapter):
    """The market whose errors become others."""

    def translated(self, error: AdapterError) -> Exception | None:
        return error

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        try:
            return await super()._page(feed, since, cursor)
        except AdapterError as error:
            other = self.translated(error)
            if other is not None:
                raise other from error
            return Page(Document(b"", "application/json", "nothing"), pl.DataFrame(), None, self._clock())

    async def _total(self, feed: str, since: datetime | None) -> StatedTotal:
        try:
            return await super()._total(feed, since)
        except AdapterError as error:
            other = self.translated(error)
            if other is not None:
                raise other from error
            return StatedTotal(0, 0)


class EmptyOnError(Translates):
    def translated(self, error: AdapterError) -> None:
        return None


class EverythingPasses(Translates):
    """Whatever it was, it may be tried again."""

    def translated(self, error: AdapterError) -> Exception:
        return Unavailable("try again", market=MARKET, operation="list", code=error.code)


class NothingWasSent(Translates):
    def translated(self, error: AdapterError) -> Exception:
        return NotSent("nothing left", market=MARKET, operation="list", code=error.code)


class ForgetsHowLong(Translates):
    def translated(self, error: AdapterError) -> Exception:
        if isinstance(error, RateLimited):
            return RateLimited("slow", market=MARKET, operation="list", code=error.code, retry_after=1)
        return error


class DeniedIsTransient(Translates):
    def translated(self, error: AdapterError) -> Exception:
        if isinstance(error, AccessDenied):
            return Unavailable("try again", market=MARKET, operation="list", code=error.code)
        return error


class ForgetsTheCode(Translates):
    def translated(self, error: AdapterError) -> Exception:
        error.code = None
        return error


class Retries(HarbourAdapter):
    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        try:
            return await super()._page(feed, since, cursor)
        except Unavailable:
            return await super()._page(feed, since, cursor)


class FollowsRedirects(HarbourAdapter):
    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        try:
            return await super()._page(feed, since, cursor)
        except ContractBreach as error:
            if error.code not in {"301", "302", "307"}:
                raise
            return await super()._page(feed, since, cursor)


class DecodesLeniently:
    """A line whose JSON is read by the standard library."""

    def __init__(self, line: Any) -> None:
        self._line = line

    async def read_json(self, *arguments: Any, **options: Any) -> Any:
        answer = await self._line.read(*arguments, **options)
        try:
            told = json.loads(answer.body.decode("utf-8", "replace"), parse_int=str, parse_float=str)
        except ValueError as error:
            raise ContractBreach(str(error), market=MARKET, operation="list") from error
        return told, answer.body


class Lenient(HarbourAdapter):
    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, DecodesLeniently(transport), clock)  # type: ignore[arg-type]


_BODIES = ("B010", "B020", "B030", "B040", "B050", "B060")
_ERRORS = ("E010", "E020", "E030", "E040", "E050", "E060", "E070", "E080", "E090", "E100")

MUTANTS = (
    broken("returns empty on error", *_BODIES, *_ERRORS, adapter=EmptyOnError),
    broken("takes every error for one that passes", "B030", "E010", "E060", "E070", "E080", adapter=EverythingPasses),
    broken("says that nothing was sent", "E020", "E030", "E040", adapter=NothingWasSent),
    broken("forgets how long to wait", "E050", adapter=ForgetsHowLong),
    broken("catches 401 as transient", "E060", adapter=DeniedIsTransient),
    broken("follows redirects", "E080", adapter=FollowsRedirects),
    broken("retries a read", "E090", adapter=Retries),
    broken("forgets the code", "E100", adapter=ForgetsTheCode),
    broken("decodes leniently", "B010", "B020", "B050", adapter=Lenient),
)
