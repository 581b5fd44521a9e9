"""A stand-in of the venue: its book behind its Open API, and the webhooks that it would send.

``build(seed, clock)`` gives one. What it holds is in ``HkVenueMock.book``, and a test or a demonstration changes it
there; who may ask is in ``HkVenueMock.access``; webhooks wait in ``book.outbox`` until ``webhooks`` hands them out, and
delivering them is the caller's. It knows the development keys that the settings have by default.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from adapters.hkvenue.book import Book
from adapters.hkvenue.book_build import build_book
from adapters.hkvenue.book_entries import Event, Refused
from adapters.hkvenue.config import PAGE_LIMIT, HkVenueConfig, private_key
from adapters.hkvenue.development_key import WEBHOOK_KEY
from adapters.hkvenue.mock_access import Access, PortalKey
from adapters.hkvenue.mock_messages import read_record, records_of
from adapters.hkvenue.mock_rows import Row, offer_row, position_row, publication_row, trade_row
from adapters.hkvenue.mock_wire import Failure, failed, read_message, required_text, success
from gateway.kit.clock import Clock
from gateway.kit.signature import WebhookKey, sign

LOGIN: Final = "/hkcv/auth/token/v1"
API: Final = "/hkcv/api"
DEFAULT_SIZE: Final = 100
KEYS_LAST: Final = timedelta(days=730)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOWN: Final = b"<html><head><title>503 Service Unavailable</title></head><body>System maintenance</body></html>"

Keyed = tuple[str, Row]
"""A row and the key by which its list is ordered."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the API: its method, the entitlement that it needs, and what answers."""

    method: str
    entitlement: str
    answer: Callable[[httpx.Request, str], httpx.Response]


class HkVenueMock:
    """The venue.

    Args:
        book: what it holds.
        clock: its time.
        config: the company's ids and keys, as registered in the portal.
    """

    def __init__(self, book: Book, clock: Clock, config: HkVenueConfig) -> None:
        self.book = book
        self._clock = clock
        self._down = False
        self._functions = {
            "/offers/v1": Function("GET", "EU_hkcvOfferAPI", self._offers),
            "/offers/publish/v1": Function("POST", "EU_hkcvPublishAPI", self._publish),
            "/offers/publications/v1": Function("GET", "EU_hkcvPublishAPI", self._publication),
            "/trades/v1": Function("GET", "EU_hkcvTradeAPI", self._trades),
            "/positions/v1": Function("GET", "EU_hkcvPositionAPI", self._positions),
            "/positions/summary/v1": Function("GET", "EU_hkcvPositionAPI", self._position_totals),
        }
        entitlements = {one.entitlement for one in self._functions.values()}
        self.access = Access(clock, company=config.company_id, machine=config.machine_id, entitlements=entitlements)
        ends_at = clock() + KEYS_LAST
        agent, machine = private_key(config.agent_key).public_key(), private_key(config.machine_key).public_key()
        self.access.keys[config.agent_key_id] = PortalKey(config.company_id, agent, ends_at)
        self.access.keys[config.machine_key_id] = PortalKey(config.machine_id, machine, ends_at)
        self.webhook_keys: tuple[WebhookKey, ...] = (WebhookKey.parse(WEBHOOK_KEY),)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the venue would."""
        if self._down:
            return httpx.Response(503, headers={"content-type": "text/html"}, content=_DOWN)
        self.book.finish_due()
        try:
            return self._answer(request)
        except Failure as failure:
            return failed(failure, self._clock())

    def go_down(self) -> None:
        """The venue answers every request with a page of its proxy."""
        self._down = True

    def come_back(self) -> None:
        """It answers again; nothing was lost."""
        self._down = False

    def webhooks(self) -> list[tuple[dict[str, str], bytes]]:
        """The events that wait, oldest first, signed now: headers and body of each. None waits any more after it."""
        waiting = [self.signed(event) for event in self.book.outbox]
        self.book.outbox.clear()
        return waiting

    def signed(self, event: Event) -> tuple[dict[str, str], bytes]:
        """The headers and the body of one event, signed now by every live key of the venue."""
        return sign(event.event_id, self._clock(), event.body, *self.webhook_keys), event.body

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == LOGIN:
            _require_method(request, "POST")
            return self.access.give_token(request)
        function = self._functions.get(path.removeprefix(API)) if path.startswith(API) else None
        if function is None:
            raise Failure(404, "404001", "No such function")
        _require_method(request, function.method)
        request_id = self.access.admit(request, function.entitlement)
        return function.answer(request, request_id)

    def _publish(self, request: httpx.Request, request_id: str) -> httpx.Response:
        try:
            message = read_message(request.content)
            account = required_text(message, "accountId")
            entries = tuple(read_record(record) for record in records_of(message))
            publication = self.book.receive(request_id, account, entries)
        except Refused as refused:
            self.book.refuse(request_id, refused)
            raise Failure(400, refused.code, refused.message) from refused
        return success([publication_row(publication)], self._clock())

    def _publication(self, request: httpx.Request, _request_id: str) -> httpx.Response:
        wanted = _first(request, "requestId")
        if wanted is None:
            raise Failure(400, "405901", "requestId is mandatory")
        found = self.book.publications.get(wanted)
        return success([] if found is None else [publication_row(found)], self._clock())

    def _offers(self, request: httpx.Request, _request_id: str) -> httpx.Response:
        return self._page(request, [(one.offer_id, offer_row(one)) for one in self.book.offers.values()])

    def _trades(self, request: httpx.Request, _request_id: str) -> httpx.Response:
        since = _since(request)
        changed = [one for one in self.book.trades.values() if one.updated_at >= since]
        return self._page(request, [(f"{one.sequence:012d}", trade_row(one)) for one in changed])

    def _positions(self, request: httpx.Request, _request_id: str) -> httpx.Response:
        return self._page(request, [(one.position_id, position_row(one)) for one in self.book.positions.values()])

    def _position_totals(self, _request: httpx.Request, _request_id: str) -> httpx.Response:
        positions = self.book.positions.values()
        total = sum(one.quantity for one in positions)
        return success([{"positionCount": len(positions), "totalQuantity": total}], self._clock())

    def _page(self, request: httpx.Request, listed: Sequence[Keyed]) -> httpx.Response:
        """A page by keys: a row that appears meanwhile moves no other row from its place."""
        size, after = _size(request), _cursor(request)
        ordered = sorted(listed, key=_key)
        rest = [one for one in ordered if after is None or one[0] > after]
        page = rest[:size]
        cursor = _cursor_of(page[-1][0]) if len(rest) > size else "0"
        return success([row for _, row in page], self._clock(), total=len(ordered), cursor=cursor)


def build(seed: int, clock: Clock, *, participants: int = 6, trades: int = 24) -> HkVenueMock:
    """A venue made from a seed: members with positions, past trades, and no offers until we publish some.

    Args:
        seed: decides what is owned and was traded.
        clock: the venue's time.
        participants: how many members, at most 8.
        trades: how many past trades.
    """
    return HkVenueMock(build_book(seed, clock, participants=participants, trades=trades), clock, HkVenueConfig())


def _key(keyed: Keyed) -> str:
    return keyed[0]


def _require_method(request: httpx.Request, method: str) -> None:
    if request.method != method:
        raise Failure(405, "405001", f"Method {request.method} is not supported")


def _first(request: httpx.Request, name: str) -> str | None:
    """The first of repeated parameters; an empty one is none."""
    return next((value.strip() for key, value in request.url.params.multi_items() if key == name), None) or None


def _size(request: httpx.Request) -> int:
    text = _first(request, "size") or str(DEFAULT_SIZE)
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= PAGE_LIMIT:
        raise Failure(400, "405902", f"size must be between 1 and {PAGE_LIMIT}")
    return int(text[:9])


def _since(request: httpx.Request) -> datetime:
    text = _first(request, "sinceTime")
    if text is None:
        raise Failure(400, "405901", "sinceTime is mandatory")
    if not (text.isascii() and text.isdigit()) or len(text) > 13:
        raise Failure(400, "405902", "sinceTime is not a valid time")
    return _EPOCH + timedelta(milliseconds=int(text))


def _cursor_of(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _cursor(request: httpx.Request) -> str | None:
    text = _first(request, "nextCursor")
    if text is None:
        return None
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Failure(400, "405903", "nextCursor is not valid") from None
