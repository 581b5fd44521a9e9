"""A stand-in of Climate Impact X: its book behind an interface of our own invention.

``build(seed, clock)`` gives one. What it holds is in ``CixMock.book``, and a test or a demonstration changes it there;
what it would push is fetched, signed, from ``CixMock.deliveries``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from adapters.cix import book_rows as rows
from adapters.cix.book import Book
from adapters.cix.book_build import build_book
from adapters.cix.config import PAGE_LIMIT, CixConfig
from adapters.cix.mock_commands import Problem, error_body, take
from gateway.kit.clock import Clock
from gateway.kit.signature import WebhookKey, sign

BASE: Final = "/api/v1"
DEFAULT_LIMIT: Final = 50
COLLECTIONS: Final = ("transfers", "ctn-answers")
MARKET_DATA: Final = ("exchange/levels", "marketplace/listings")
"""What a suspended member is denied; its own records and the notices stay readable."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list: its entries, the key that orders and pages them, how one is shown, and what it sums."""

    entries: Sequence[Any]
    key: Callable[[Any], Key]
    row: Callable[[Any], rows.Row]
    quantity: Callable[[Any], int] | None
    changed: Callable[[Any], datetime] | None = None


class CixMock:
    """The venue.

    Args:
        book: what it knows.
        api_key: what our requests must carry.
        webhook_key: what its pushes are signed with.
    """

    def __init__(self, book: Book, *, api_key: str, webhook_key: WebhookKey) -> None:
        self.book = book
        self.down = False
        self._api_key = api_key
        self._webhook_key = webhook_key

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the venue would."""
        if self.down:
            return httpx.Response(503, headers={"content-type": "text/html"}, text="<html>Maintenance</html>")
        self.book.catch_up()
        try:
            return self._answer(request)
        except Problem as problem:
            return _json(problem.status, error_body(problem))

    def deliveries(self) -> list[tuple[dict[str, str], bytes]]:
        """What the venue has to push now, signed, oldest first; each is given once."""
        self.book.catch_up()
        told = []
        while self.book.events:
            event = self.book.events.popleft()
            data = rows.ctn_row(self.book.deals[event.ctn]) if event.ctn else {}
            body = json.dumps({"type": event.type, "occurredAt": rows.instant(event.at), "data": data}).encode()
            headers = sign(event.id, self.book.clock(), body, self._webhook_key)
            told.append(({**headers, "content-type": "application/json"}, body))
        return told

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(f"{BASE}/")
        if path == request.url.path:
            raise Problem(404, "NO_SUCH_RESOURCE", f"there is nothing at {request.url.path}")
        self._require_access(request)
        own = f"members/{self.book.member}/"
        if path.startswith("members/") and not path.startswith(own):
            raise Problem(403, "NOT_YOUR_MEMBERSHIP", f"{path} belongs to another member")
        collection = path.removeprefix(own)
        if collection in COLLECTIONS and collection != path:
            if request.method == "POST":
                return _json(*take(self.book, collection, request.content))
            _require_get(request)
            return self._commands(collection, dict(request.url.params))
        listed = self._listed(path)
        if listed is None:
            raise Problem(404, "NO_SUCH_RESOURCE", f"there is nothing at {request.url.path}")
        _require_get(request)
        if path in MARKET_DATA and self.book.member in self.book.suspended:
            raise Problem(403, "MEMBER_SUSPENDED", f"the membership of {self.book.member} is suspended")
        return _json(200, _page(listed, dict(request.url.params)))

    def _require_access(self, request: httpx.Request) -> None:
        given = request.headers.get("x-member"), request.headers.get("x-api-key")
        if given != (self.book.member, self._api_key):
            raise Problem(401, "UNAUTHENTICATED", "x-member and x-api-key do not name a member")

    def _commands(self, collection: str, params: Mapping[str, str]) -> httpx.Response:
        if set(params) != {"clientOrderId"}:
            raise Problem(422, "FIELD_MISSING", "clientOrderId, and nothing else, is required", "clientOrderId")
        known = self.book.commands.get(params["clientOrderId"])
        found = [known] if known is not None and known.collection == collection else []
        body = {"asked": dict(params), "items": [rows.command_row(one) for one in found]}
        return _json(200, json.dumps(body).encode())

    def _listed(self, path: str) -> _Listed | None:
        make = _LISTS.get(path.removeprefix(f"members/{self.book.member}/"))
        of_us = path.startswith("members/")
        return None if make is None or make[0] is not of_us else make[1](self.book)


def _levels(book: Book) -> _Listed:
    both = [row for contract in book.contracts.values() for row in rows.level_rows(book, contract)]
    return _Listed(both, lambda row: (row["levelId"],), dict, lambda row: int(row["credits"]))


def _offered(book: Book) -> _Listed:
    return _Listed(list(book.offered.values()), _by_id, lambda one: rows.offered_row(book, one), _quantity)


def _notices(book: Book) -> _Listed:
    return _Listed(book.notices, lambda one: (_utc(one.effective_from), one.number), rows.notice_row, None)


def _positions(book: Book) -> _Listed:
    return _Listed(list(book.positions.values()), _by_id, rows.position_row, _quantity)


def _movements(book: Book) -> _Listed:
    return _Listed(list(book.movements.values()), _by_change, rows.movement_row, _quantity, _changed)


def _trades(book: Book) -> _Listed:
    made = [deal for deal in book.deals.values() if not deal.is_ctn]
    return _Listed(made, _by_change, rows.trade_row, _quantity, _changed)


def _ctns(book: Book) -> _Listed:
    notified = [deal for deal in book.deals.values() if deal.is_ctn]
    return _Listed(notified, _by_change, rows.ctn_row, _quantity, _changed)


_LISTS: Final[Mapping[str, tuple[bool, Callable[[Book], _Listed]]]] = {
    "exchange/levels": (False, _levels),
    "marketplace/listings": (False, _offered),
    "notices": (False, _notices),
    "positions": (True, _positions),
    "movements": (True, _movements),
    "trades": (True, _trades),
    "ctns": (True, _ctns),
}
"""Every list by its path, and whether it belongs to a member."""


def build(seed: int, clock: Clock, *, offered: int = 40, positions: int = 12) -> CixMock:
    """A venue made from a seed, reached with the settings' own placeholders; for the sizes see ``build_book``."""
    defaults = CixConfig()
    book = build_book(
        seed, clock, member=defaults.member, account=defaults.account, offered=offered, positions=positions
    )
    key = WebhookKey.parse(defaults.webhook_key.get_secret_value())
    return CixMock(book, api_key=defaults.api_key.get_secret_value(), webhook_key=key)


def _page(listed: _Listed, params: dict[str, str]) -> bytes:
    limit = _limit(params.pop("limit", str(DEFAULT_LIMIT)))
    cursor, since = params.pop("cursor", None), params.pop("since", None)
    if params or (since is not None and listed.changed is None):
        name = next(iter(params), "since")
        raise Problem(422, "FIELD_UNKNOWN", f"{name} is no parameter here", name)
    entries = sorted(listed.entries, key=listed.key)
    if since is not None and listed.changed is not None:
        begin, changed = _since(since), listed.changed
        entries = [one for one in entries if changed(one) >= begin]
    after = None if cursor is None else _key_of(cursor)
    rest = entries if after is None else [one for one in entries if listed.key(one) > after]
    shown = rest[:limit]
    page = {
        "items": [listed.row(one) for one in shown],
        "nextCursor": _cursor_of(listed.key(shown[-1])) if len(rest) > limit else None,
        "total": len(entries),
        "totalQuantity": None if listed.quantity is None else sum(map(listed.quantity, entries)),
    }
    return json.dumps(page).encode()


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= PAGE_LIMIT):
        raise Problem(422, "FIELD_INVALID", f"limit must be 1 to {PAGE_LIMIT}", "limit")
    return int(text)


def _since(text: str) -> datetime:
    try:
        since = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(422, "FIELD_INVALID", "since must be an instant", "since") from error
    if since.tzinfo is None:
        raise Problem(422, "FIELD_INVALID", "since must carry an offset", "since")
    return since


def _cursor_of(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _key_of(cursor: str) -> Key:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise Problem(422, "FIELD_INVALID", "cursor is none of ours", "cursor") from error
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise Problem(422, "FIELD_INVALID", "cursor is none of ours", "cursor")
    return tuple(parts)


def _by_id(one: Any) -> Key:
    return (one.id,)


def _by_change(one: Any) -> Key:
    return (_utc(one.updated_at), one.id)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _quantity(one: Any) -> int:
    return int(one.quantity)


def _changed(one: Any) -> datetime:
    changed: datetime = one.updated_at
    return changed


def _require_get(request: httpx.Request) -> None:
    if request.method != "GET":
        raise Problem(405, "METHOD_NOT_ALLOWED", f"{request.method} is not done here")


def _json(status: int, body: bytes) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "application/json"}, content=body)
