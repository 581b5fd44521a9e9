"""The stand-in's wire: request bodies read strictly, answers with numbers as written, and the market's refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import httpx

SIZE_DEFAULT: Final = 20
SIZE_LIMIT: Final = 200
ITEMS_LIMIT: Final = 500
AMOUNT_DIGITS: Final = 12


class Amount(str):
    """A decimal number of JSON, digit by digit."""

    __slots__ = ()


class Refused(Exception):
    """The market's no.

    Args:
        code: its code.
        message: its words.
        status: of the answer.
        inner: lists of inner errors by their name in the body.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **inner: Any) -> None:
        self.code = code
        self.status = status
        self.body = {"code": code, "message": message} | inner
        super().__init__(f"{code}: {message}")


def error(code: str, message: str, **more: str) -> dict[str, str]:
    """An inner error."""
    return {"code": code, "message": message} | more


def amount(cents: int) -> Amount:
    """Cents as a number of JSON."""
    return Amount(f"{cents // 100}.{cents % 100:02d}")


def cents(value: object, code: str = "INVALID_REQUEST") -> int:
    """A number of JSON as cents. Raises Refused for anything else, or for parts of a cent."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**AMOUNT_DIGITS:
        return value * 100
    if isinstance(value, Amount):
        whole, _, places = value.partition(".")
        digits = places.rstrip("0")
        if whole.isdigit() and len(whole) <= AMOUNT_DIGITS and len(digits) <= 2 and (digits or "0").isdigit():
            return int(whole) * 100 + int(digits.ljust(2, "0"))
    raise Refused(code, "the price is no amount of whole cents")


def instant(at: datetime) -> str:
    """An instant as the market writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer(value: object, status: int = 200) -> httpx.Response:
    """A JSON answer."""
    # A message may repeat what it was sent, half a surrogate pair too.
    content = _written(value).encode(errors="replace")
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content)


def empty(status: int = 200) -> httpx.Response:
    """An answer without a body."""
    return httpx.Response(status)


def page_of(elements: Sequence[object], query: Mapping[str, str]) -> dict[str, object]:
    """One page of a search. Raises Refused for a page or a size that is none."""
    number = _whole_text(query.get("page", "0"), "INVALID_PAGE_NUMBER")
    size = _whole_text(query.get("size", str(SIZE_DEFAULT)), "INVALID_PAGE_SIZE")
    if not 1 <= size <= SIZE_LIMIT:
        raise Refused("INVALID_PAGE_SIZE", f"the size is {size}, expected 1 to {SIZE_LIMIT}")
    return {
        "page": number,
        "size": size,
        "totalPages": -(-len(elements) // size),
        "totalElements": len(elements),
        "content": list(elements[number * size : (number + 1) * size]),
    }


def body_of(request: httpx.Request) -> dict[str, Any]:
    """A request's JSON object. Raises Refused for any other body."""
    try:
        found = json.loads(request.content, parse_float=Amount, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("INVALID_REQUEST", "the body is no JSON") from None
    if not isinstance(found, dict):
        raise Refused("INVALID_REQUEST", "the body is no object")
    return found


def text(found: Mapping[str, Any], key: str, *, least: int = 1) -> str:
    """A member that must be a text."""
    value = found.get(key)
    if not isinstance(value, str) or isinstance(value, Amount) or len(value.strip()) < least:
        raise Refused("INVALID_REQUEST", f"{key} must be a text of {least} characters or more")
    return value


def text_or_none(found: Mapping[str, Any], key: str) -> str | None:
    """A member that may be absent and otherwise is a text."""
    return None if found.get(key) is None else text(found, key)


def whole(found: Mapping[str, Any], key: str) -> int:
    """A member that must be a whole number."""
    value = found.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise Refused("INVALID_REQUEST", f"{key} must be a whole number")
    return value


def flag(found: Mapping[str, Any], key: str, *, needed: bool = False) -> bool:
    """A member that must be true or false."""
    value = found.get(key, None if needed else False)
    if not isinstance(value, bool):
        raise Refused("INVALID_REQUEST", f"{key} must be true or false")
    return value


def objects(found: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A member that must be a list of objects."""
    value = found.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Refused("INVALID_REQUEST", f"{key} must be a list of objects")
    if len(value) > ITEMS_LIMIT:
        raise Refused("REQUEST_TOO_LARGE", f"{key} has {len(value)} entries, expected {ITEMS_LIMIT} at most")
    return value


def texts(found: Mapping[str, Any], key: str) -> list[str] | None:
    """A member that may be absent and otherwise is a list of texts."""
    value = found.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused("INVALID_REQUEST", f"{key} must be a list of texts")
    return list(value)


def day(found: Mapping[str, Any], key: str) -> date:
    """A member that must be a calendar day."""
    try:
        return date.fromisoformat(text(found, key))
    except ValueError:
        raise Refused("INVALID_REQUEST", f"{key} must be a day, as in 2026-07-15") from None


def instant_or_none(found: Mapping[str, Any], key: str) -> datetime | None:
    """A member that may be absent and otherwise is an instant with its offset."""
    value = text_or_none(found, key)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refused("INVALID_REQUEST", f"{key} must be an instant, as in 2026-07-15T03:00:00Z")
    return at


def _whole_text(value: str, code: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Refused(code, f"found {value!r}, expected a whole number")
    return int(value)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _written(value: object) -> str:
    """JSON with amounts as numbers, which the library can only write as floats."""
    if isinstance(value, Amount):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
