"""What the stand-in reads of a request's body: each value by its key, refused where it is not of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from adapters.ccer.book_entries import RefusedHere
from adapters.ccer.book_hours import LOCAL
from adapters.ccer.words import Code

PAGE_LIMIT: Final = 100
NUMBER_LIMIT: Final = 10**12
LIST_LIMIT: Final = 1_000


class Body:
    """The members of a request's JSON object. Every reader raises RefusedHere naming the key."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def text(self, key: str) -> str:
        """A text that must be there."""
        found = self.text_or_none(key)
        if found is None:
            raise RefusedHere(Code.MALFORMED, key)
        return found

    def text_or_none(self, key: str) -> str | None:
        """A text, or nothing where the key is absent, null or empty."""
        found = self._members.get(key)
        if found is None or found == "":
            return None
        if not isinstance(found, str):
            raise RefusedHere(Code.MALFORMED, key)
        return found

    def whole(self, key: str, most: int = NUMBER_LIMIT) -> int:
        """A whole number from 1 on."""
        found = self._members.get(key)
        if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
            raise RefusedHere(Code.MALFORMED, key)
        return found

    def day_or_none(self, key: str) -> date | None:
        """A day of eight digits."""
        found = self.text_or_none(key)
        return None if found is None else _moment(found, "%Y%m%d", 8, key).date()

    def moment(self, key: str) -> datetime:
        """An instant of fourteen digits, by the registry's clock."""
        return _moment(self.text(key), "%Y%m%d%H%M%S", 14, key)

    def bodies(self, key: str) -> Iterator[Body]:
        """The objects of a list, at least one."""
        found = self._members.get(key)
        if not isinstance(found, list) or not 1 <= len(found) <= LIST_LIMIT:
            raise RefusedHere(Code.MALFORMED, key)
        for one in found:
            if not isinstance(one, dict):
                raise RefusedHere(Code.MALFORMED, key)
            yield Body(one)

    def page(self, rows: list[Any]) -> list[Any]:
        """The rows of the page that is asked for."""
        size = self.whole("pageSize", PAGE_LIMIT)
        start = (self.whole("pageNumber") - 1) * size
        return rows[start : start + size]


def read_body(content: bytes) -> Body:
    """The object that a request's body is. Raises RefusedHere for anything else."""
    try:
        members = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RefusedHere(Code.MALFORMED, "JSON") from error
    if not isinstance(members, dict):
        raise RefusedHere(Code.MALFORMED, "JSON")
    return Body(members)


def _moment(text: str, style: str, length: int, key: str) -> datetime:
    if len(text) != length or not (text.isascii() and text.isdigit()):
        raise RefusedHere(Code.MALFORMED, key)
    try:
        return datetime.strptime(text, style).replace(tzinfo=LOCAL)
    except ValueError as error:
        raise RefusedHere(Code.MALFORMED, key) from error
