"""The stand-in's envelopes, and its field rules on what comes in.

The template's rules: white space around a text is trimmed before it is checked, unknown fields are ignored, the first
of repeated fields wins, an empty text is null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import httpx

from adapters.hkvenue.book_entries import Refused
from adapters.hkvenue.mock_rows import Row, local_time

TEXT_LIMIT: Final = 1000

_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Failure(Exception):
    """An answer that is no success: a status, the venue's code and its words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(f"{status} {code} {message}")


def success(rows: Sequence[Row], now: datetime, *, total: int | None = None, cursor: str = "0") -> httpx.Response:
    """A successful envelope."""
    return _respond(
        200,
        {
            "code": "0",
            "message": "Success",
            "data": list(rows),
            "totalSize": len(rows) if total is None else total,
            "timestamp": local_time(now),
            "nextCursor": cursor,
            "exception": [],
        },
    )


def failed(failure: Failure, now: datetime) -> httpx.Response:
    """An envelope with an exception of the whole message."""
    return _respond(
        failure.status,
        {
            "code": failure.code,
            "message": failure.message,
            "data": [],
            "totalSize": 0,
            "timestamp": local_time(now),
            "nextCursor": "0",
            "exception": [{"recordErrorCode": failure.code, "recordErrorMsg": failure.message}],
        },
    )


def token_reply(status: int, reply: dict[str, object]) -> httpx.Response:
    """What the address for tokens answers: RFC 6749, no envelope."""
    return _respond(status, reply)


def read_message(content: bytes) -> dict[str, Any]:
    """A message under the field rules. Raises Refused (405900) when it is no JSON object."""
    try:
        value = json.loads(content, object_pairs_hook=_first_wins, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("405900", "Invalid JSON message") from None
    if not isinstance(value, dict):
        raise Refused("405900", "Invalid JSON message")
    return value


def required_text(record: dict[str, Any], name: str) -> str:
    """A text that must be there. Raises Refused: 405901 when it is missing, 405902 when it is no text or too long."""
    value = optional_text(record, name)
    if value is None:
        raise Refused("405901", f"{name} is mandatory")
    return value


def optional_text(record: dict[str, Any], name: str) -> str | None:
    """A text that may be missing. Raises Refused (405902) when it is no text or too long."""
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise Refused("405902", f"{name} is not a valid text")
    return value


def required_number(record: dict[str, Any], name: str, least: int) -> int:
    """A whole number. Raises Refused: 405901 when it is missing, 405902 when it is none or below ``least``."""
    value = record.get(name)
    if value is None:
        raise Refused("405901", f"{name} is mandatory")
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 10**15:
        raise Refused("405902", f"{name} is not a valid number")
    return value


def required_date(record: dict[str, Any], name: str) -> date:
    """A day, ``2024-12-31``. Raises Refused: 405901 when it is missing, 405902 when it is none."""
    value = required_text(record, name)
    try:
        return date.fromisoformat(value if _DATE.fullmatch(value) else "")
    except ValueError:
        raise Refused("405902", f"{name} is not a valid date") from None


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name not in read:
            read[name] = (value.strip() or None) if isinstance(value, str) else value
    return read


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _respond(status: int, document: dict[str, Any]) -> httpx.Response:
    content = json.dumps(document, ensure_ascii=False).encode()
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content)
