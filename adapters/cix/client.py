"""Climate Impact X in its own words: pages of rows, transfers, answers to Clear Transaction Notifications.

No interface of CIX is published. Paths, bodies and codes are a simulated shape of our own; the README tells what is
known. Every list is paged by an opaque cursor and states its totals; every command carries a client order id, and the
same id with the same body is answered again as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import polars as pl

from adapters.cix.config import CixConfig
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number
from gateway.kit.errors import ContractBreach, OutcomeUnknown
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Refusal, Response, Transport

SCOPE: Final = "cix"
ROWS: Final = "items[]"
TEXT_LIMIT: Final = 1000
"""Characters of a text in an answer to a command."""

NOTHING_HAPPENED: Final = frozenset(
    {
        "MEMBER_SUSPENDED",
        "ACCOUNT_UNKNOWN",
        "POSITION_UNKNOWN",
        "INSUFFICIENT_AVAILABLE",
        "VALUE_DATE_PAST",
        "CTN_UNKNOWN",
        "CTN_NOT_AWAITING_YOU",
        "MALFORMED_BODY",
        "FIELD_MISSING",
        "FIELD_INVALID",
        "FIELD_UNKNOWN",
    }
)
"""Codes after which no units moved. ``CLIENT_ORDER_ID_CONFLICT`` is not one: something was done under that id."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a list: its rows as text, what the whole list has, and where the next page begins."""

    rows: pl.DataFrame
    total: int
    total_quantity: int | None
    next_cursor: str | None
    body: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the venue says of one command: its native state, its id, and a code where it was refused."""

    client_order_id: str
    state: str
    reference: str
    code: str | None
    message: str | None
    lots: tuple[tuple[str, str | None, int], ...]


class CixClient:
    """Asks and tells the venue.

    Args:
        market: the market's name, for messages.
        config: where it is and who we are.
        transport: the line to it.
    """

    def __init__(self, market: str, config: CixConfig, transport: Transport) -> None:
        self._market = market
        self._config = config
        self._transport = transport

    def own(self, what: str) -> str:
        """The path of a list, or a collection, that belongs to our membership."""
        return f"members/{self._config.member}/{what}"

    async def page(self, path: str, *, limit: int, cursor: str | None = None, since: str | None = None) -> Found:
        """One page of a list, in the venue's order. Raises an AdapterError of a read."""
        asked = {"limit": str(limit)} | ({"since": since} if since else {}) | ({"cursor": cursor} if cursor else {})
        origin = f"GET {path}?{urlencode(asked)}"
        document, body = await self._read(path, asked)
        try:
            answer = members(document, "the page")
            rows = tabulate(document, ROWS, nested=True)
            following = _optional(answer, "nextCursor")
            stated = _given(answer, "totalQuantity")
            found = Found(
                rows=rows,
                total=whole_number(answer.get("total"), "total"),
                total_quantity=None if stated is None else whole_number(stated, "totalQuantity"),
                next_cursor=following,
                body=body,
                origin=origin,
            )
        except Undecodable as error:
            raise self._breach(str(error), origin) from error
        if rows.height > limit:
            raise self._breach(f"found {rows.height} rows, expected {limit} at most", origin)
        if following is not None and not rows.height:
            raise self._breach("found no row and a next cursor; expected rows, or the end", origin)
        return found

    async def command(self, path: str, body: Mapping[str, Any], *, operation: str) -> Outcome:
        """Sends a command once. Raises an AdapterError of a command."""
        answer = await self._transport.command_json(
            "POST",
            f"{self._config.url}/{path}",
            operation=operation,
            refusal=_refusal,
            headers={**self._headers(), "content-type": "application/json"},
            content=json.dumps(body, ensure_ascii=False).encode(),
            scope=SCOPE,
        )
        try:
            outcome = _outcome(answer)
        except Undecodable as error:
            raise OutcomeUnknown(str(error), market=self._market, operation=operation) from error
        if outcome.client_order_id != body["clientOrderId"]:
            raise OutcomeUnknown(
                f"found an answer about {outcome.client_order_id!r}, expected one about {body['clientOrderId']!r}",
                market=self._market,
                operation=operation,
            )
        return outcome

    async def by_client_order_id(self, path: str, client_order_id: str) -> Outcome | None:
        """What the venue keeps under an id of ours; None where it never got it. Raises an AdapterError of a read."""
        asked = {"clientOrderId": client_order_id}
        operation = f"GET {path}?{urlencode(asked)}"
        document, _ = await self._read(path, asked)
        try:
            answer = members(document, "the answer")
            echoed = members(answer.get("asked"), "asked")
            outcomes = [_outcome(one) for one in elements(answer.get("items"), "items")]
        except Undecodable as error:
            raise self._breach(str(error), operation) from error
        # A filter that was not understood would show other orders, or an emptiness that says nothing.
        if echoed.get("clientOrderId") != client_order_id or any(
            one.client_order_id != client_order_id for one in outcomes
        ):
            raise self._breach(f"found orders of another id, expected those of {client_order_id!r} alone", operation)
        if len(outcomes) > 1:
            raise self._breach(f"found {len(outcomes)} orders under one id, expected one", operation)
        return outcomes[0] if outcomes else None

    async def _read(self, path: str, asked: Mapping[str, str]) -> tuple[Json, bytes]:
        url = f"{self._config.url}/{path}?{urlencode(asked, quote_via=quote)}"
        return await self._transport.read_json(
            "GET", url, operation=f"GET {path}", headers=self._headers(), scope=SCOPE
        )

    def _headers(self) -> dict[str, str]:
        return {
            "accept": "application/json",
            "x-member": self._config.member,
            "x-api-key": self._config.api_key.get_secret_value(),
        }

    def _breach(self, message: str, operation: str) -> ContractBreach:
        return ContractBreach(message, market=self._market, operation=operation)


def _refusal(response: Response) -> Refusal | None:
    error = members(members(decode_json(response.body), "the answer").get("error"), "error")
    code, message = error.get("code"), error.get("message")
    if not isinstance(code, str) or code not in NOTHING_HAPPENED:
        return None
    return Refusal(code, str(message))


def _outcome(value: Json) -> Outcome:
    order = members(value, "the order")
    return Outcome(
        client_order_id=text_of(order, "clientOrderId"),
        state=text_of(order, "state"),
        reference=text_of(order, "reference"),
        code=_optional(order, "code"),
        message=_optional(order, "message"),
        lots=tuple(_lot(one) for one in elements(order.get("lots"), "lots")),
    )


def _lot(value: Json) -> tuple[str, str | None, int]:
    lot = members(value, "a lot")
    quantity = whole_number(lot.get("quantity"), "quantity")
    if quantity < 1:
        raise Undecodable(f"the quantity of a lot is {quantity}, expected 1 or more")
    return text_of(lot, "holding"), _optional(lot, "serial"), quantity


def text_of(row: Mapping[str, Json], name: str) -> str:
    """A member that must be a text; raises Undecodable when it is none."""
    value = row.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LIMIT:
        raise Undecodable(f"{name} is {str(value)[:80]!r}, expected a text of 1 to {TEXT_LIMIT} characters")
    return value


def _optional(row: Mapping[str, Json], name: str) -> str | None:
    return None if _given(row, name) is None else text_of(row, name)


def _given(row: Mapping[str, Json], name: str) -> Json:
    """A member that may be null but must be there: one that is called otherwise now is not taken for nothing."""
    if name not in row:
        raise Undecodable(f"{name} is missing, expected it, or null")
    return row[name]
