"""Harbour in its own words: lists, orders, certificates and events.

A list comes in pages in the order of its rows' ids; ``next`` is where the following page begins. An order is posted
once under our reference, and answered with its state; orders are found again by that reference.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import polars as pl
from pydantic import SecretStr

from gateway.kit.clock import Clock
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number
from gateway.kit.errors import ContractBreach
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.tokens import Token, TokenKeeper
from gateway.kit.transport import Refusal, Response, Transport
from tests.conformance.market.config import HarbourConfig

MARKET: Final = "harbour"
SCOPE: Final = "harbour"
TOKEN_MARGIN: Final = timedelta(seconds=30)
REFUSALS: Final = frozenset({"NOT_ENOUGH", "NOT_WHOLE", "NO_SUCH_HOLDING", "NO_SUCH_TRANSFER", "BELOW_LOT"})
"""The market's codes after which nothing happened. ``DUPLICATE_REFERENCE`` is none: the first one may have."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list, with what the market says of the whole."""

    rows: pl.DataFrame
    following: str | None
    total_rows: int
    total_units: int | None
    body: bytes


@dataclass(frozen=True, slots=True)
class OrderState:
    """What the market says of an order."""

    reference: str
    state: str
    number: str
    code: str | None
    entries: tuple[Mapping[str, Json], ...]


class HarbourClient:
    """Speaks with the market.

    Args:
        config: where it is and who we are.
        transport: the line to it.
        clock: gives the instant.
    """

    def __init__(self, config: HarbourConfig, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._token = TokenKeeper(self._fetch_token, clock, TOKEN_MARGIN)

    async def listed(self, name: str, since: datetime | None, after: str | None) -> Listed:
        """A page of a list. Raises ContractBreach when it is none."""
        asked = {"limit": str(self._config.page_size)}
        asked |= {} if since is None else {"since": since.isoformat()}
        asked |= {} if after is None else {"after": after}
        operation = f"list {name}"
        document, body = await self._read(f"/lists/{name}?{urlencode(asked)}", operation)
        try:
            return _listed(document, body)
        except Undecodable as error:
            raise self._breach(str(error), operation) from error

    async def order_state(self, reference: str) -> OrderState | None:
        """What became of an order; None when the market never got it."""
        operation = f"order {reference}"
        document, _ = await self._read(f"/orders?{urlencode({'reference': reference})}", operation)
        try:
            return _only_order(document)
        except Undecodable as error:
            raise self._breach(str(error), operation) from error

    async def order(self, kind: str, body: Mapping[str, object]) -> Json:
        """Posts an order, once."""
        return await self._transport.command_json(
            "POST",
            f"{self._config.url}/orders/{kind}",
            operation=f"order {kind}",
            refusal=_refusal,
            headers=await self._headers(),
            content=json.dumps(body).encode(),
            scope=SCOPE,
        )

    async def certificate(self, reference: str) -> bytes:
        """The market's proof of a retirement."""
        path = f"/certificates/{reference}"
        answer = await self._transport.read(
            "GET",
            f"{self._config.url}{path}",
            operation="certificate",
            headers=await self._headers(),
            scope=SCOPE,
        )
        return answer.body

    async def _read(self, path: str, operation: str) -> tuple[Json, bytes]:
        return await self._transport.read_json(
            "GET", f"{self._config.url}{path}", operation=operation, headers=await self._headers(), scope=SCOPE
        )

    async def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {await self._token.secret()}", "content-type": "application/json"}

    async def _fetch_token(self) -> Token:
        asked = {"client": self._config.client, "secret": self._config.secret.get_secret_value()}
        document, _ = await self._transport.read_json(
            "POST", f"{self._config.url}/token", operation="token", content=json.dumps(asked).encode(), scope=SCOPE
        )
        try:
            told = members(document, "the token")
            lasts = whole_number(told.get("expires_in"), "expires_in")
            return Token(SecretStr(_text(told, "token")), self._clock() + timedelta(seconds=lasts))
        except Undecodable as error:
            raise self._breach(str(error), "token") from error

    def _breach(self, message: str, operation: str) -> ContractBreach:
        return ContractBreach(message, market=MARKET, operation=operation)


def order_state(value: Json) -> OrderState:
    """An order as the market writes it; raises Undecodable when it is none."""
    told = members(value, "an order")
    code = told.get("code")
    entries = tuple(members(one, "an entry") for one in elements(told.get("entries", []), "entries"))
    return OrderState(
        _text(told, "reference"),
        _text(told, "state"),
        _text(told, "number"),
        code if isinstance(code, str) else None,
        entries,
    )


def signature(secret: SecretStr, event: str, sent: str, body: bytes) -> str:
    """How the market signs an event: HMAC-SHA256 over its id, its time and its bytes, in base64."""
    signed = f"{event}.{sent}.".encode() + body
    return base64.b64encode(hmac.digest(secret.get_secret_value().encode(), signed, hashlib.sha256)).decode()


def _only_order(document: Json) -> OrderState | None:
    found = elements(members(document, "the answer").get("orders"), "orders")
    if len(found) > 1:
        raise Undecodable(f"found {len(found)} orders of one reference")
    return order_state(found[0]) if found else None


def _listed(document: Json, body: bytes) -> Listed:
    whole = members(document, "the list")
    total = members(whole.get("total"), "total")
    following = whole.get("next")
    if following is not None and not isinstance(following, str):
        raise Undecodable("next is no text, expected the id of a row or null")
    units = total.get("units")
    return Listed(
        tabulate(document, "rows[]"),
        following,
        whole_number(total.get("rows"), "total.rows"),
        None if units is None else whole_number(units, "total.units"),
        body,
    )


def _refusal(response: Response) -> Refusal | None:
    told = members(decode_json(response.body), "the refusal")
    code = told.get("code")
    return Refusal(code, str(told.get("message"))) if isinstance(code, str) and code in REFUSALS else None


def _text(told: Mapping[str, Json], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str):
        raise Undecodable(f"{key} is no text")
    return value
