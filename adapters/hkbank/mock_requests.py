"""How the stand-in bank reads what it is sent; what is not as it should be is ``INVALID_REQUEST``, without effect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from adapters.hkbank.mock_desk import BankOrder
from adapters.hkbank.mock_ledger import BankRefusal
from gateway.model.commands import RATE_SCALE
from gateway.model.money import MINOR_DIGITS, Currency

KINDS: Final = frozenset({"PAY_IN", "PAY_OUT", "HOLD", "COMMIT", "RELEASE", "CONVERT", "REMIT"})
KEYS: Final = frozenset(
    {
        "reference",
        "type",
        "account",
        "currency",
        "amount",
        "counterAccount",
        "holdReference",
        "expiresAt",
        "intoCurrency",
        "rate",
        "purposeCode",
    }
)
TEXT_LIMIT: Final = 64


def parse_order(content: bytes) -> BankOrder:
    """An order out of a body. Raises BankRefusal for anything else."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise invalid("The body is no JSON document.") from None
    if not isinstance(body, dict):
        raise invalid("The body is no JSON object.")
    if unknown := sorted(body.keys() - KEYS):
        raise invalid(f"The body has {', '.join(unknown)}, which no order has.")
    kind = _text(body, "type")
    if kind not in KINDS:
        raise invalid(f"type is {kind}, expected one of {', '.join(sorted(KINDS))}.")
    amount = _decimal(_text(body, "amount"), MINOR_DIGITS, "amount")
    if amount == 0:
        raise invalid("amount is nothing.")
    into, rate, expires_at = _optional(body, "intoCurrency"), _optional(body, "rate"), _optional(body, "expiresAt")
    return BankOrder(
        number="",
        reference=_text(body, "reference"),
        kind=kind,
        account=_text(body, "account"),
        currency=_currency(_text(body, "currency"), "currency"),
        amount=amount,
        counter=_optional(body, "counterAccount"),
        hold=_optional(body, "holdReference"),
        expires_at=None if expires_at is None else instant(expires_at, "expiresAt"),
        into=None if into is None else _currency(into, "intoCurrency"),
        rate=None if rate is None else _decimal(rate, RATE_SCALE, "rate"),
        purpose=_optional(body, "purposeCode"),
    )


def require_method(request: httpx.Request, method: str) -> None:
    """Raises BankRefusal for another method."""
    if request.method != method:
        raise BankRefusal("METHOD_NOT_ALLOWED", f"{request.method} is not understood here, {method} is.")


def since_of(request: httpx.Request) -> datetime:
    """The instant from which on a statement is asked for."""
    return instant(request.url.params.get("since", ""), "since")


def instant(text: str, name: str) -> datetime:
    """An instant with its offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"{name} is no instant.") from None
    if read.tzinfo is None:
        raise invalid(f"{name} has no zone.")
    return read.astimezone(UTC)


def whole(text: str, name: str) -> int:
    """A whole number of up to eleven digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise invalid(f"{name} is no whole number.")
    return int(text)


def invalid(message: str) -> BankRefusal:
    """What is said of a request that is not as it should be."""
    return BankRefusal("INVALID_REQUEST", message)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_LIMIT:
        raise invalid(f"{name} must be a text of 1 to {TEXT_LIMIT} characters.")
    return value


def _optional(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else _text(body, name)


def _currency(text: str, name: str) -> Currency:
    if text not in set(Currency):
        raise invalid(f"{name} is {text}, expected one of {', '.join(Currency)}.")
    return Currency(text)


def _decimal(text: str, places: int, name: str) -> int:
    """A decimal text with exactly so many places."""
    if not re.fullmatch(rf"[0-9]{{1,13}}\.[0-9]{{{places}}}", text, re.ASCII):
        raise invalid(f"{name} is {text}, expected a decimal with {places} places.")
    return int(text.replace(".", ""))
