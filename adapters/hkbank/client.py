"""The settlement bank's API in its own words: signed requests, lists, orders, rates.

Simulated: the bank is invented, and so is its API. Every request is signed with HMAC-SHA256 (RFC 2104) over the method,
the path with its question, the second of signing and the SHA-256 of the body, each on a line of its own; a signature
that is five minutes old is not believed. Amounts are decimal texts with two places, rates with eight.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import httpx

from adapters.hkbank.config import HkBankConfig
from gateway.kit.clock import Clock
from gateway.kit.decoding import Json, decode_json, members
from gateway.kit.transport import Refusal, Response, Transport

SCOPE: Final = "hkbank"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

REFUSALS: Final = frozenset(
    {
        "ACCOUNT_BLOCKED",
        "CURRENCY_NOT_OFFERED",
        "DEALING_CLOSED",
        "HOLD_ENDED",
        "HOLD_EXPIRED",
        "HOLD_INSUFFICIENT",
        "INSUFFICIENT_FUNDS",
        "INVALID_EXPIRY",
        "INVALID_PURPOSE",
        "INVALID_REQUEST",
        "RATE_NOT_QUOTED",
        "REMITTANCE_LIMIT",
        "REMITTANCE_NOT_CONVERSION",
        "REMITTANCE_PAIR",
        "REMITTANCE_WINDOW_CLOSED",
        "UNKNOWN_ACCOUNT",
        "UNKNOWN_COUNTER_ACCOUNT",
        "UNKNOWN_HOLD",
        "VALUE_DATE_UNKNOWN",
    }
)
"""Codes after which no cash has moved. KEY_REUSED is none: it says that the bank had the key before."""


class HkBankClient:
    """Asks and tells the bank.

    Args:
        config: where it is, and who we are.
        transport: the line to it.
        clock: gives the second of signing.
    """

    def __init__(self, config: HkBankConfig, transport: Transport, clock: Clock) -> None:
        self._config = config
        self._transport = transport
        self._clock = clock
        self._root = f"{config.api_url}/{config.profile.value.replace('_', '-')}"

    async def ask(self, path: str, question: Mapping[str, str], operation: str) -> tuple[Json, bytes]:
        """Reads what lies under a path, decoded, with the raw body beside it."""
        url = f"{self._root}/{path}?{urlencode(question)}"
        return await self._transport.read_json(
            "GET", url, operation=operation, headers=self._headers("GET", url, b""), scope=SCOPE
        )

    async def order(self, key: str, body: Mapping[str, object], operation: str) -> Json:
        """Sends an order under an idempotency key, once."""
        url, content = f"{self._root}/orders", json.dumps(body, ensure_ascii=False).encode()
        headers = self._headers("POST", url, content)
        return await self._transport.command_json(
            "POST",
            url,
            operation=operation,
            refusal=refusal,
            headers=headers | {"content-type": "application/json", "idempotency-key": key},
            content=content,
            scope=SCOPE,
        )

    def _headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        signed_at = str((self._clock() - _EPOCH) // timedelta(seconds=1))
        target = httpx.URL(url).raw_path.decode("ascii")
        secret = self._config.signing_secret.get_secret_value()
        return {
            "accept": "application/json",
            "x-api-key": self._config.api_key,
            "x-timestamp": signed_at,
            "x-signature": signature(secret, method, target, signed_at, body),
        }


def signature(secret: str, method: str, target: str, signed_at: str, body: bytes) -> str:
    """The signature of a request; ``target`` is the path with its question, ``signed_at`` seconds since 1970."""
    content = "\n".join([method, target, signed_at, hashlib.sha256(body).hexdigest()])
    return base64.b64encode(hmac.digest(secret.encode(), content.encode(), "sha256")).decode()


def refusal(response: Response) -> Refusal | None:
    """The code and the words of a refusal, where the code is one after which nothing has happened."""
    said = members(members(decode_json(response.body), "the answer").get("error"), "the error")
    code, message = said.get("code"), said.get("message")
    if not isinstance(code, str) or code not in REFUSALS:
        return None
    return Refusal(code, message if isinstance(message, str) else "")


def decimal(number: int, places: int) -> str:
    """A whole number of ``10 ** -places`` as a decimal text: 123450 with two places is ``1234.50``."""
    whole, rest = divmod(number, 10**places)
    return f"{whole}.{rest:0{places}d}"
