"""Xpansiv Connect in its own words: paths, criteria, pages, tokens (version ``1.0.0-beta`` of its published contract).

- Reads are mostly searches: a POST with the criteria in the body, ``page`` and ``size`` in the query. An optional field
  is absent unless ``include`` names it.
- The token comes from an Auth0 server by its password-realm grant, which is no registered one, and lives for a day.
- No operation takes an idempotency key. A refusal is a 400 with ``{code, message}`` and lists of inner errors.

That pages are counted from 0 is our reading: the contract does not say. Where listings and trades are read is our own
shape, because the market tells them over FIX.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from adapters.cbl.config import CblConfig
from adapters.cbl.refusals import read_refusal
from gateway.kit.clock import Clock
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.kit.errors import AccessDenied, ContractBreach, NotSent, Unavailable
from gateway.kit.tokens import Token, TokenKeeper
from gateway.kit.transport import Response, Transport

SCOPE: Final = "cbl"
GRANT: Final = "http://auth0.com/oauth/grant-type/password-realm"
TOKEN_MARGIN: Final = timedelta(minutes=5)
CERTIFICATIONS: Final = "issuanceCertifications,projectCertifications"
TAX_LOTS: Final = "transferTaxLots"
JSON_TYPE: Final = "application/json"
ROWS_LIMIT: Final = 100_000
"""Rows of a search that is read as a whole: more of them is no answer to be waited for."""

_HEADER_TEXT: Final = re.compile(r"[!-~]{1,16384}")


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search.

    Attributes:
        document: the page, decoded.
        body: the page as received.
        total: how many elements the whole search has, as stated on this page.
        more: whether there are further pages.
    """

    document: Json
    body: bytes
    total: int
    more: bool


class ConnectClient:
    """Asks and commands Xpansiv Connect for one account.

    Args:
        market: the market's name, for messages.
        config: where it is and who we are.
        transport: the line to it.
        clock: says when a token ends.
    """

    def __init__(self, market: str, config: CblConfig, transport: Transport, clock: Clock) -> None:
        self.market = market
        self._config = config
        self._transport = transport
        self._clock = clock
        self._keeper = TokenKeeper(self._fetch_token, clock, TOKEN_MARGIN)

    async def positions(self, page: int) -> Found:
        """A page of positions with their tax lots and certifications, of the configured programmes."""
        path = f"/portfolio/account/{self._config.account}/position/action/search"
        criteria = {"programs": list(self._config.programs)}
        return await self._page(path, criteria, page, "positions", include=CERTIFICATIONS)

    async def tax_lot_report(self) -> Json:
        """Every position of the account in one answer: ``accountIdentifier, accountName, content[Position]``."""
        path = f"/reports/account/{self._config.account}/type/tax-lots-by-program"
        document, _ = await self._read("GET", path, "tax lot report")
        return document

    async def deposits(self) -> tuple[Json, bytes]:
        """Every deposit of the account on the exchange: a list, without pages."""
        path = f"/exchanges/{self._config.exchange}/accounts/{self._config.account}/action/search-deposits"
        return await self._read("POST", path, "deposits")

    async def transfers(self, criteria: Mapping[str, object], page: int, *, include: str | None = None) -> Found:
        """A page of transfers; without ``include`` they do not say their tax lots."""
        path = f"/transfers/account/{self._config.account}/action/search"
        return await self._page(path, criteria, page, "transfers", include=include)

    async def all_transfers(self, criteria: Mapping[str, object]) -> list[Json]:
        """Every transfer of a search with its tax lots.

        Raises Unavailable when the search changed while it was read, ContractBreach when it has too many. A transfer
        that moves to the end meanwhile leaves as many rows as before, but is read twice while another is read never.
        """
        listed: list[Json] = []
        page, total = 0, 0
        while True:
            found = await self.transfers(criteria, page, include=TAX_LOTS)
            if found.total < total:
                raise self.shrunk("transfers", total, found.total)
            if found.total > ROWS_LIMIT:
                raise self.breach(f"found {found.total} transfers, expected {ROWS_LIMIT} at most", "transfers")
            listed += elements(members(found.document, "the page").get("content"), "content")
            if not found.more:
                break
            page, total = page + 1, found.total
        named = {str(one.get("identifier")) for one in listed if isinstance(one, dict)}
        if len(named) != found.total:
            raise self.shrunk("transfers", found.total, len(named))
        return listed

    async def retirements(self, criteria: Mapping[str, object], *, include: str | None = None) -> tuple[Json, bytes]:
        """Every retirement of a search, in one answer without pages."""
        path = f"/retirements/account/{self._config.account}/action/search"
        return await self._read("POST", path, "retirements", body=criteria, query={"include": include})

    async def certificate(self, batch: str) -> Response:
        """The proof of a batch of retirements. Simulated: the contract has none."""
        path = f"/retirements/account/{self._config.account}/batch/{quote(batch, safe='')}/certificate"
        return await self._read_raw("GET", path, "certificate")

    async def listings(self, page: int) -> Found:
        """A page of the exchange's order book. Simulated: the market tells it over FIX."""
        return await self._page(f"/exchanges/{self._config.exchange}/listings/action/search", {}, page, "listings")

    async def trades(self, criteria: Mapping[str, object], page: int) -> Found:
        """A page of the account's trades. Simulated: the market tells them over FIX."""
        path = f"/exchanges/{self._config.exchange}/accounts/{self._config.account}/trades/action/search"
        return await self._page(path, criteria, page, "trades")

    async def command(self, path: str, body: bytes, operation: str, codes: frozenset[str]) -> Response:
        """Sends a command once.

        Args:
            path: below the API's address.
            body: its JSON.
            operation: for messages.
            codes: the market's codes after which nothing happened.

        Raises an AdapterError of the transport's table for commands; NotSent also when no token can be had.
        """
        try:
            token = await self._keeper.secret()
        except (Unavailable, ContractBreach) as error:
            raise NotSent(f"no token to send it with: {error}", market=self.market, operation=operation) from error
        try:
            return await self._transport.command(
                "POST",
                f"{self._config.api_url}{path}",
                operation=operation,
                refusal=lambda response: read_refusal(response, codes),
                headers=_headers(token),
                content=body,
                scope=SCOPE,
            )
        except AccessDenied:
            self._keeper.forget(token)
            raise

    def breach(self, message: str, operation: str) -> ContractBreach:
        """A breach of the contract, in this market's name."""
        return ContractBreach(message, market=self.market, operation=operation)

    def shrunk(self, operation: str, before: int, now: int) -> Unavailable:
        """A search whose rows moved while it was read: those behind them moved up, perhaps to a page already read."""
        message = f"the search had {before} different rows, then {now}: it changed while it was read; read it again"
        return Unavailable(message, market=self.market, operation=operation)

    async def _page(
        self, path: str, criteria: Mapping[str, object], page: int, operation: str, *, include: str | None = None
    ) -> Found:
        size = self._config.page_size
        place = f"{operation} page={page}"
        query = {"page": str(page), "size": str(size), "include": include}
        document, body = await self._read("POST", path, place, body=criteria, query=query)
        try:
            told = members(document, "the page")
            stated_page, stated_size = (whole_number(told.get(key), key) for key in ("page", "size"))
            total = whole_number(told.get("totalElements"), "totalElements")
            count = len(elements(told.get("content"), "content"))
        except Undecodable as error:
            raise self.breach(str(error), place) from error
        if (stated_page, stated_size) != (page, size):
            raise self.breach(f"found page {stated_page} of size {stated_size}, asked for {page} of size {size}", place)
        due = min(size, max(0, total - page * size))
        if count != due:
            raise self.breach(f"found {count} rows on page {page} of {total} in all, expected {due}", place)
        return Found(document, body, total, more=(page + 1) * size < total)

    async def _read(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str | None] | None = None,
    ) -> tuple[Json, bytes]:
        asked = urlencode({key: value for key, value in (query or {}).items() if value is not None}, safe=",")
        token = await self._keeper.secret()
        try:
            return await self._transport.read_json(
                method,
                f"{self._config.api_url}{path}{'?' if asked else ''}{asked}",
                operation=operation,
                headers=_headers(token),
                content=None if body is None else encoded(body),
                scope=SCOPE,
            )
        except AccessDenied:
            self._keeper.forget(token)
            raise

    async def _read_raw(self, method: str, path: str, operation: str) -> Response:
        token = await self._keeper.secret()
        try:
            return await self._transport.read(
                method, f"{self._config.api_url}{path}", operation=operation, headers=_headers(token), scope=SCOPE
            )
        except AccessDenied:
            self._keeper.forget(token)
            raise

    async def _fetch_token(self) -> Token:
        config = self._config
        asked_at: datetime = self._clock()
        grant = {
            "grant_type": GRANT,
            "realm": config.realm,
            "audience": config.audience,
            "client_id": config.client_id,
            "client_secret": config.client_secret.get_secret_value(),
            "username": config.username,
            "password": config.password.get_secret_value(),
            "scope": "",
        }
        document, _ = await self._transport.read_json(
            "POST",
            config.token_url,
            operation="token",
            headers={"content-type": JSON_TYPE},
            content=encoded(grant),
            scope=SCOPE,
        )
        try:
            told = members(document, "the token")
            seconds = whole_number(told.get("expires_in"), "expires_in")
        except Undecodable as error:
            raise self.breach(str(error), "token") from error
        token = told.get("access_token")
        if not isinstance(token, str) or not _HEADER_TEXT.fullmatch(token):
            # What was found instead may be a secret in the wrong place: it is not told.
            raise self.breach("found no text under access_token that can stand in a header", "token")
        return Token(SecretStr(token), asked_at + timedelta(seconds=min(seconds, 10**9)))


def _headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "accept": JSON_TYPE, "content-type": JSON_TYPE}


def encoded(value: object) -> bytes:
    """A JSON body."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
