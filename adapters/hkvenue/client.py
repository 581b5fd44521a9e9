"""The venue's Open API, in its own words: tokens, signed requests, envelopes, pages.

Every function is under ``api_url`` and ends in its version. A token lives 30 seconds and is fetched anew shortly before
its end. A request id comes once: that of a command is the command's own id, so that the venue knows a second one
(``411002``); that of a read is made of the access token, the instant, the method, the target and a count, so that two
processes of ours never meet in one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from adapters.hkvenue.config import HkVenueConfig
from adapters.hkvenue.credentials import Credentials, EachAttempt
from adapters.hkvenue.envelope import Envelope, NotSuccessful, read_envelope, text
from gateway.kit.clock import Clock
from gateway.kit.decoding import Json, Undecodable, decode_json, members, whole_number
from gateway.kit.errors import AccessDenied, ContractBreach, NotSent, OutcomeUnknown, Unavailable
from gateway.kit.tokens import Token, TokenKeeper
from gateway.kit.transport import Refusal, Response, Transport

MARKET: Final = "hkvenue"
SCOPE: Final = "hkvenue"
"""The venue meters a company, whatever it asks."""

TOKEN_MARGIN: Final = timedelta(seconds=10)
"""So long before its end a token is not used any more: a request may have to wait its turn."""

TOKEN_LIFE_LIMIT: Final = 24 * 60 * 60
"""Seconds; a longer life of a token is not believed."""

OFFERS: Final = "/offers/v1"
TRADES: Final = "/trades/v1"
POSITIONS: Final = "/positions/v1"
POSITION_TOTALS: Final = "/positions/summary/v1"
PUBLISH: Final = "/offers/publish/v1"
PUBLICATIONS: Final = "/offers/publications/v1"

REFUSALS: Final = frozenset({"405101", "405900", "405901", "405902", "405904", "405905"})
"""Codes of a message that was rejected as a whole, after its request id was found to be new: nothing happened.

Other codes prove nothing. ``411002`` says that the id was there before; ``411001``, ``411003``, ``411004`` and
``411008`` are told before the venue looks whether an earlier copy of the message came through.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer to a read, and its bytes."""

    envelope: Envelope
    body: bytes


class HkVenueClient:
    """Asks the venue.

    Args:
        config: where it is and who we are.
        transport: the line to it.
        clock: gives the instant.
    """

    def __init__(self, config: HkVenueConfig, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._credentials = Credentials(config)
        self._tokens = TokenKeeper(self._fetch_token, clock, TOKEN_MARGIN)
        self._asked = count(1)

    async def read(self, function: str, query: Mapping[str, str], operation: str) -> Answer:
        """Asks a function that changes nothing.

        Raises ContractBreach, with the venue's code where there is one, when the answer is no successful envelope;
        Unavailable when the token ended while the request waited; otherwise as the transport's table says.
        """
        url = self._url(function, query)
        fetched_at = self._clock()
        token = await self._tokens.secret()

        def headers() -> dict[str, str]:
            return self._headers("GET", url, b"", self._read_id(token, url), token)

        try:
            document, body = await self._transport.read_json(
                "GET", url, operation=operation, headers=EachAttempt(headers), scope=SCOPE
            )
            return Answer(read_envelope(document), body)
        except AccessDenied as error:
            self._tokens.forget(token)
            if self._ended_since(fetched_at, error):
                raise Unavailable("the access token ended meanwhile", market=MARKET, operation=operation) from error
            raise
        except NotSuccessful as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation, code=error.code) from error
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error

    async def page(
        self, function: str, query: Mapping[str, str], cursor: str | None, operation: str, size: int | None = None
    ) -> Answer:
        """A page of a list, of at most ``size`` rows (the configured ones). Raises ContractBreach for more."""
        size = size or self._config.page_size
        place = {} if cursor is None else {"nextCursor": cursor}
        answer = await self.read(function, {**query, "size": str(size), **place}, operation)
        if answer.envelope.rows > size:
            raise ContractBreach(
                f"found {answer.envelope.rows} rows, asked for {size}", market=MARKET, operation=operation
            )
        return answer

    async def command(self, function: str, request_id: str, body: bytes, operation: str) -> Envelope:
        """Sends a message that changes something, once, under our id.

        Raises NotSent when no token could be had or the token ended while the message waited, Rejected with a code of
        ``REFUSALS``, OutcomeUnknown for an answer that is no successful envelope; otherwise as the transport's table
        says.
        """
        url = self._url(function, {})
        fetched_at = self._clock()
        try:
            token = await self._tokens.secret()
        except (Unavailable, ContractBreach) as error:
            raise NotSent(f"no access token could be had ({error})", market=MARKET, operation=operation) from error
        # Made when the message leaves, not when it joins those that wait their turn: its time must be of then.
        headers = EachAttempt(lambda: self._headers("POST", url, body, request_id, token))
        try:
            document = await self._transport.command_json(
                "POST", url, operation=operation, refusal=refusal, headers=headers, content=body, scope=SCOPE
            )
            return read_envelope(document)
        except AccessDenied as error:
            self._tokens.forget(token)
            if self._ended_since(fetched_at, error):
                raise NotSent("the access token ended meanwhile", market=MARKET, operation=operation) from error
            raise
        except NotSuccessful as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=operation, code=error.code) from error
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=MARKET, operation=operation) from error

    async def _fetch_token(self) -> Token:
        operation = "access token"
        now = self._clock()
        try:
            document, _ = await self._transport.read_json(
                "POST",
                self._config.login_url,
                operation=operation,
                headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
                content=self._credentials.token_request(now),
                scope=SCOPE,
            )
            return _token(document, now, self._config.company_id)
        except Undecodable as error:
            raise ContractBreach(str(error), market=MARKET, operation=operation) from error

    def _headers(self, method: str, url: str, body: bytes, request_id: str, token: str) -> dict[str, str]:
        content = {"content-type": "application/json"} if body else {}
        return {
            "accept": "application/json",
            "accept-language": "en-US",
            "authorization": f"Bearer {token}",
            **content,
            **self._credentials.request_headers(method, _target(url), body, request_id, self._clock()),
        }

    def _read_id(self, token: str, url: str) -> str:
        parts = (token, self._clock().isoformat(), "GET", _target(url), str(next(self._asked)))
        return f"R-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:30]}"

    def _ended_since(self, fetched_at: datetime, error: AccessDenied) -> bool:
        """Whether a denial may be the token's end: not one for want of an entitlement (403), however long it took."""
        return error.code == "401" and self._clock() - fetched_at >= TOKEN_MARGIN

    def _url(self, function: str, query: Mapping[str, str]) -> str:
        return f"{self._config.api_url}{function}" + (f"?{urlencode(query)}" if query else "")


def refusal(response: Response) -> Refusal | None:
    """The venue's final no in the body of a 4xx; None for any other code. Raises Undecodable for another shape."""
    envelope = members(decode_json(response.body), "the answer")
    code = text(envelope, "code")
    return Refusal(code, text(envelope, "message")) if code in REFUSALS else None


def _token(document: Json, asked_at: datetime, company: str) -> Token:
    reply = members(document, "the token reply")
    if text(reply, "token_type").casefold() != "bearer":
        raise Undecodable(f"the token is of the type {text(reply, 'token_type')!r:.80}, expected Bearer")
    if text(reply, "scope") != company:
        raise Undecodable(f"the token is for {text(reply, 'scope')!r:.80}, expected {company!r}")
    seconds = whole_number(reply.get("expires_in"), "expires_in")
    if seconds > TOKEN_LIFE_LIMIT:
        raise Undecodable(f"the token lives {seconds} s, expected at most {TOKEN_LIFE_LIMIT}")
    return Token(SecretStr(text(reply, "access_token")), asked_at + timedelta(seconds=seconds))


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
