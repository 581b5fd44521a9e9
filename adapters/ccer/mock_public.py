"""The stand-in's public side, as it is known: no session, POST for reads, and its traps.

Simulated there: the words for a body that cannot be read, and at which status they come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from adapters.ccer.book import Book
from adapters.ccer.book_entries import Opening, RefusedHere
from adapters.ccer.mock_body import Body
from adapters.ccer.mock_rows import detail_row, ids_of, methodology_rows, opening_row
from adapters.ccer.words import ITEM_IDS, NO_NOTICE_NUMBER, SECONDARY_ID, Code, Tab

OPEN: Final = "/api/projectmanage/open"
METHODOLOGIES: Final = "/api/methodology/host/methodologVisit/20"
EMPTY_TABS: Final = frozenset({"6", "7"})


class PublicSide:
    """Answers what anybody may ask.

    Args:
        book: what the registry holds.
    """

    def __init__(self, book: Book) -> None:
        self._book = book

    def paths(self) -> dict[str, Callable[[Body], dict[str, Any]]]:
        """What is answered, by path."""
        return {
            f"{OPEN}/getOpeningApply": self._list,
            f"{OPEN}/getOpeningApplyDetail": self._detail,
            METHODOLOGIES: self._methodologies,
        }

    def _list(self, body: Body) -> dict[str, Any]:
        """A page of a list, the newest first. Any other key of the body, ``applyStatus`` too, is ignored."""
        tab = _tab(body)
        items = [] if tab is None else self._book.listed(tab)
        return _good([opening_row(one) for one in body.page(items)], len(items))

    def _detail(self, body: Body) -> dict[str, Any]:
        """The detail of one item, for all its ids; without the secondary one of its list there is none."""
        tab = _tab(body)
        if tab is None or body.text_or_none(SECONDARY_ID[tab]) is None:
            raise RefusedHere(Code.MALFORMED, NO_NOTICE_NUMBER)
        asked = {key: body.text_or_none(key) for key in ITEM_IDS}
        found: Opening | None = next((one for one in self._book.listed(tab) if ids_of(one) == asked), None)
        return _good(None if found is None else detail_row(found), 0 if found is None else 1)

    def _methodologies(self, _body: Body) -> dict[str, Any]:
        rows = methodology_rows(self._book)
        return _good(rows, len(rows))


def _tab(body: Body) -> Tab | None:
    """The list that is asked for; None for the two that are always empty."""
    word = body.text("dataType")
    if word in EMPTY_TABS:
        return None
    try:
        return Tab(int(word))
    except ValueError as error:
        raise RefusedHere(Code.MALFORMED, "dataType") from error


def _good(data: object, total: int) -> dict[str, Any]:
    return {"successful": True, "msg": "操作成功", "total": total, "dataInfo": data}
