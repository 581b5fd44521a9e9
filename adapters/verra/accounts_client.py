"""The registry's account API in its own words: token, lists, operations, certificates.

Simulated: the platform has no public document of it, and the shape is ours. An account is reached with an OAuth 2 token
(RFC 6749, section 4.4: client credentials), which is fetched when first needed and kept until shortly before its end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from adapters.verra.config import VerraConfig
from gateway.kit.clock import Clock
from gateway.kit.decoding import Json, Undecodable, decode_json, members, whole_number
from gateway.kit.errors import AccessDenied, ContractBreach, NotSent, Unavailable
from gateway.kit.tokens import Token, TokenKeeper
from gateway.kit.transport import Refusal, Response, Transport

ACCOUNTS_SCOPE: Final = "verra-accounts"
TOKEN_MARGIN: Final = timedelta(seconds=60)
TOKEN_LIFETIME_LIMIT: Final = 24 * 3600

REFUSALS: Final = frozenset(
    {
        "ACCOUNT_FROZEN",
        "INSUFFICIENT_UNITS",
        "INVALID_BENEFICIARY",
        "INVALID_PURPOSE",
        "INVALID_REASON",
        "INVALID_REQUEST",
        "NOT_AWAITING_ACCEPTANCE",
        "OVERLAPPING_UNITS",
        "SAME_ACCOUNT",
        "UNITS_IN_TRANSIT",
        "UNITS_ON_HOLD",
        "UNKNOWN_ACCOUNT",
        "UNKNOWN_HOLDING",
        "UNKNOWN_SERIAL",
        "UNKNOWN_TRANSFER",
    }
)
"""Codes after which nothing has happened. DUPLICATE_REFERENCE is none: it says that the registry had it before."""


class AccountsClient:
    """Asks and tells the registry what concerns our account.

    Args:
        market: the market's name, for messages.
        config: where it is, and who we are.
        transport: the line to it.
        clock: decides when a token has ended.
    """

    def __init__(self, market: str, config: VerraConfig, transport: Transport, clock: Clock) -> None:
        self._market = market
        self._config = config
        self._transport = transport
        self._clock = clock
        self._tokens = TokenKeeper(self._token, clock, TOKEN_MARGIN)

    async def ask(self, path: str, question: Mapping[str, str], operation: str) -> tuple[Json, bytes]:
        """Reads what lies under a path of our account, decoded, with the raw body beside it."""
        token = await self._tokens.secret()
        try:
            return await self._transport.read_json(
                "GET",
                f"{self._address(path)}?{urlencode(question)}",
                operation=operation,
                headers=_headers(token),
                scope=ACCOUNTS_SCOPE,
            )
        except AccessDenied:
            self._tokens.forget(token)
            raise

    async def document(self, path: str, operation: str) -> Response:
        """Reads a document of our account that is no JSON."""
        token = await self._tokens.secret()
        headers = _headers(token) | {"accept": "text/plain, application/pdf"}
        try:
            return await self._transport.read(
                "GET", self._address(path), operation=operation, headers=headers, scope=ACCOUNTS_SCOPE
            )
        except AccessDenied:
            self._tokens.forget(token)
            raise

    async def tell(self, path: str, body: Mapping[str, object], operation: str) -> Json:
        """Sends a command under a path of our account, once.

        Raises an AdapterError of a command; NotSent also when no token could be had.
        """
        try:
            token = await self._tokens.secret()
        except (Unavailable, ContractBreach) as error:
            raise NotSent(f"no access token: {error}", market=self._market, operation=operation) from error
        try:
            return await self._transport.command_json(
                "POST",
                self._address(path),
                operation=operation,
                refusal=refusal,
                headers=_headers(token) | {"content-type": "application/json"},
                content=json.dumps(body, ensure_ascii=False).encode(),
                scope=ACCOUNTS_SCOPE,
            )
        except AccessDenied:
            self._tokens.forget(token)
            raise

    def _address(self, path: str) -> str:
        return f"{self._config.accounts_url}/accounts/{self._config.account}/{path}"

    async def _token(self) -> Token:
        operation = "access token"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret.get_secret_value(),
        }
        document, _ = await self._transport.read_json(
            "POST",
            f"{self._config.accounts_url}/oauth/token",
            operation=operation,
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            scope=ACCOUNTS_SCOPE,
        )
        try:
            secret, seconds = _granted(document)
        except Undecodable as error:
            raise ContractBreach(str(error), market=self._market, operation=operation) from error
        return Token(SecretStr(secret), self._clock() + timedelta(seconds=seconds))


def _headers(token: str) -> dict[str, str]:
    return {"accept": "application/json", "authorization": f"Bearer {token}"}


def _granted(document: Json) -> tuple[str, int]:
    granted = members(document, "the token")
    secret, seconds = granted.get("access_token"), whole_number(granted.get("expires_in"), "expires_in")
    if not isinstance(secret, str) or not secret.isascii() or not secret.isprintable() or not secret:
        raise Undecodable("access_token is no text that a header can carry")
    if not 1 <= seconds <= TOKEN_LIFETIME_LIMIT:
        raise Undecodable(f"expires_in is {seconds}, expected 1 to {TOKEN_LIFETIME_LIMIT}")
    return secret, seconds


def refusal(response: Response) -> Refusal | None:
    """The code and the words of a refusal, where the code is one after which nothing has happened."""
    said = members(decode_json(response.body), "the error")
    code, message = said.get("code"), said.get("message")
    if not isinstance(code, str) or code not in REFUSALS:
        return None
    return Refusal(code, message if isinstance(message, str) else "")


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
