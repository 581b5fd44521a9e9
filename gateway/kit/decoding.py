"""From bytes to text values, with nothing lost on the way.

JSON numbers arrive as their own text, so that no float ever exists; duplicate keys, NaN, HTML answered with status
200, truncation and wrong encodings are refused. What is refused here is a breach of contract by the sender; the
caller names it (:class:`Undecodable` says why).
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | bool | None"
"""A decoded JSON value: numbers are text, exactly as written."""

EXCERPT: Final = 80

# Escapes that can mean a character which no text column can store. What they mean is decided on the decoded text.
_UNSTORABLE_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Undecodable(ValueError):
    """Why a body is not what it should be."""


def decode_json(body: bytes) -> Json:
    """Decodes a JSON body, numbers as their own text.

    Raises Undecodable, saying what was found instead.
    """
    head = body.lstrip()[:1]
    if head == b"<":
        raise Undecodable(f"found HTML or XML ({_excerpt(body)}), expected JSON")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Undecodable(f"found byte 0x{body[error.start]:02x} at {error.start}, expected UTF-8") from error
    try:
        value: Json = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except json.JSONDecodeError as error:
        raise Undecodable(
            f"found broken JSON at character {error.pos} of {len(text)} ({error.msg}), expected a whole document"
        ) from error
    except RecursionError as error:
        raise Undecodable("found JSON nested beyond reason, expected a flat document") from error
    if _UNSTORABLE_ESCAPE.search(body):
        _refuse_unstorable(value)
    return value


def members(value: Json, what: str) -> dict[str, Json]:
    """The members of an object; raises Undecodable when it is none."""
    if not isinstance(value, dict):
        raise Undecodable(f"{what} is {_kind(value)}, expected an object")
    return value


def elements(value: Json, what: str) -> list[Json]:
    """The elements of an array; raises Undecodable when it is none."""
    if not isinstance(value, list):
        raise Undecodable(f"{what} is {_kind(value)}, expected an array")
    return value


def whole_number(value: Json, what: str) -> int:
    """A whole number from its text (``5``, ``5.0``); raises Undecodable for anything else."""
    if isinstance(value, str):
        digits, _, fraction = value.partition(".")
        if digits.isascii() and digits.isdigit() and not fraction.strip("0") and len(digits) <= 18:
            return int(digits)
    raise Undecodable(f"{what} is {_kind(value)}, expected a whole number")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Undecodable(f"found the key {twice!r} twice in one object")
    return decoded


def _refuse_unstorable(value: Json) -> None:
    """Raises Undecodable for NUL or half a surrogate pair: neither can be stored, in a key as little as in a value."""
    waiting: list[Json] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and (found := _UNSTORABLE.search(one)):
            raise Undecodable(
                f"found the character U+{ord(found[0]):04X} at {found.start()} of the text {one[:EXCERPT]!a}, "
                "expected text that can be stored"
            )


def _refuse_constant(name: str) -> Json:
    raise Undecodable(f"found {name}, which is no JSON number")


def _excerpt(body: bytes) -> str:
    return repr(body[:EXCERPT].decode("utf-8", "replace"))


def _kind(value: Json) -> str:
    if value is None:
        return "missing or null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    return repr(value)[:EXCERPT]
