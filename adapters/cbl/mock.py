"""A stand-in of Xpansiv Connect and the CBL exchange behind it.

``build(seed, clock)`` gives one. What it holds is in ``CblMock.book``; a test or a demonstration changes it there, and
makes the whole market fail, throttle or forget its tokens by the methods here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import httpx

from adapters.cbl import book_retirements, book_transfers, book_venue
from adapters.cbl import mock_documents as shown
from adapters.cbl import mock_searches as searches
from adapters.cbl.book import Book
from adapters.cbl.book_build import build_book
from adapters.cbl.mock_wire import Refused, answer, body_of, empty, page_of, texts
from gateway.kit.clock import Clock

ROOT: Final = "/app/api/v1"
GRANT: Final = "http://auth0.com/oauth/grant-type/password-realm"
CREDENTIALS: Final[Mapping[str, str]] = {
    "grant_type": GRANT,
    "realm": "Username-Password-Authentication",
    "audience": "https://xpansiv/platform",
    "client_id": "the-client-id",
    "client_secret": "the-client-secret",
    "username": "the-api-user",
    "password": "the-api-password",
}
TOKEN_LIVES: Final = timedelta(seconds=86_400)

Answer: TypeAlias = Callable[["CblMock", httpx.Request, dict[str, str]], httpx.Response]
ROUTES: Final[list[tuple[str, re.Pattern[str], Answer]]] = []


def route(method: str, path: str) -> Callable[[Answer], Answer]:
    """Files an answer under its method and path; ``{name}`` is a part of the path."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def file(one: Answer) -> Answer:
        ROUTES.append((method, pattern, one))
        return one

    return file


class CblMock:
    """The market, answering as its contract says.

    Args:
        book: what it holds.
        clock: its time.
        credentials: what a token request must say.
    """

    def __init__(self, book: Book, clock: Clock, credentials: Mapping[str, str] = CREDENTIALS) -> None:
        self.book = book
        self.clock = clock
        self._credentials = dict(credentials)
        self._tokens: dict[str, datetime] = {}
        self._throttled = 0
        self._down = False

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        if self._down:
            return answer({"message": "Internal server error"}, 500)
        if self._throttled:
            self._throttled -= 1
            # The market says no Retry-After.
            return answer({"message": "Too many requests"}, 429)
        self.book.advance()
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        if (request.method, path) == ("POST", "/oauth/token"):
            return self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, self.clock()) <= self.clock():
            return answer({"message": "Unauthorized"}, 401)
        for method, pattern, one in ROUTES:
            matched = pattern.fullmatch(path.removeprefix(ROOT)) if path.startswith(ROOT) else None
            if matched is not None and method == request.method:
                return self._answered(one, request, matched.groupdict())
        return answer({"message": "Not found"}, 404)

    def go_down(self) -> None:
        """Every request is answered 500 until it comes back."""
        self._down = True

    def come_back(self) -> None:
        """The market works again; what was due in the meantime is done."""
        self._down = False

    def throttle(self, requests: int) -> None:
        """So many further requests are answered 429."""
        self._throttled = requests

    def revoke_tokens(self) -> None:
        """No token that was given is good any more."""
        self._tokens.clear()

    def _answered(self, one: Answer, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
        known = "account" not in parts or parts["account"] in self.book.accounts
        if not known and "exchange" not in parts:
            return answer({"message": "Not found"}, 404)
        try:
            if "exchange" in parts:
                book_venue.require_exchange(parts["exchange"])
                book_venue.require_account(parts.get("account"), self.book)
            return one(self, request, parts)
        except Refused as refused:
            return answer(refused.body, refused.status)

    def _token(self, request: httpx.Request) -> httpx.Response:
        try:
            asked = json.loads(request.content)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            return answer({"error": "invalid_request", "error_description": "the body is no JSON object"}, 400)
        if asked.get("grant_type") != self._credentials["grant_type"]:
            told = f"Grant type '{asked.get('grant_type')}' not allowed for the client."
            return answer({"error": "unauthorized_client", "error_description": told}, 403)
        wrong = [key for key, value in self._credentials.items() if asked.get(key) != value]
        if {"client_id", "client_secret"} & set(wrong):
            return answer({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        if wrong:
            return answer({"error": "invalid_grant", "error_description": "Wrong email or password."}, 403)
        token = hashlib.sha256(f"token {len(self._tokens)} {self.clock().isoformat()}".encode()).hexdigest()
        self._tokens[token] = self.clock() + TOKEN_LIVES
        seconds = int(TOKEN_LIVES.total_seconds())
        return answer({"access_token": token, "scope": "", "expires_in": seconds, "token_type": "Bearer"})


def build(seed: int, clock: Clock, *, projects: int = 24) -> CblMock:
    """A stand-in with a book made from a seed.

    Args:
        seed: decides everything in the book.
        clock: the market's time.
        projects: how many projects it trades, 4 or more.
    """
    return CblMock(build_book(seed, clock, projects=projects), clock)


def _include(request: httpx.Request) -> shown.Include:
    return frozenset(request.url.params.get("include", "").split(","))


def _paged(request: httpx.Request, elements: list[Any]) -> httpx.Response:
    return answer(page_of(elements, request.url.params))


@route("POST", "/exchanges/{exchange}/accounts/{account}/action/search-deposits")
def _search_deposits(mock: CblMock, _request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    return answer([shown.deposit(one) for one in searches.deposits(mock.book, parts["account"])])


@route("POST", "/exchanges/{exchange}/execution-venues/{venue}/accounts/{account}/action/deposit")
def _deposit(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    book_venue.require_venue(parts["venue"])
    placed = book_venue.deposit(mock.book, parts["account"], body_of(request))
    return answer([{"depositIdentifier": one.identifier} for one in placed])


@route("POST", "/exchanges/{exchange}/accounts/{account}/action/withdraw")
def _withdraw(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    taken = book_venue.withdraw(mock.book, parts["account"], body_of(request))
    return answer([{"depositIdentifier": one.identifier, "status": "PENDING"} for one in taken])


@route("POST", "/exchanges/{exchange}/account/{account}/program/{program}/action/withdraw-and-retire")
def _withdraw_and_retire(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    body = body_of(request)
    batch, made = book_retirements.retire(mock.book, parts["account"], parts["program"], body, deposited=True)
    return answer({"retirements": [shown.retirement(one) for one in made], "batchIdentifier": batch})


@route("POST", "/exchanges/{exchange}/account/{account}/program/{program}/action/withdraw-and-export")
def _withdraw_and_export(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    batch, made = book_retirements.export(mock.book, parts["account"], parts["program"], body_of(request))
    exports = [{"transferIdentifier": one.identifier, "externalIdentifier": one.external} for one in made]
    return answer({"batchIdentifier": batch, "exports": exports})


@route("POST", "/exchanges/{exchange}/execution-venues/{venue}/action/settle")
def _settle(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    book_venue.require_venue(parts["venue"])
    book_venue.settle(mock.book, body_of(request))
    return empty(201)


@route("POST", "/portfolio/account/{account}/position/action/search")
def _positions(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    found, include = searches.positions(mock.book, parts["account"], body_of(request)), _include(request)
    return _paged(request, [shown.position(one, lots, include) for one, lots in found])


@route("GET", "/reports/account/{account}/type/tax-lots-by-program")
def _report(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    account, include = parts["account"], _include(request)
    content = [shown.position(one, lots, include) for one, lots in mock.book.positions(account)]
    return answer({"accountIdentifier": account, "accountName": mock.book.accounts[account], "content": content})


@route("POST", "/transfers/account/{account}/action/search")
def _transfers(mock: CblMock, request: httpx.Request, _parts: dict[str, str]) -> httpx.Response:
    include = _include(request)
    return _paged(request, [shown.transfer(one, include) for one in searches.transfers(mock.book, body_of(request))])


@route("POST", "/transfers/account/{account}/program/{program}/action/create")
def _create_transfers(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    batch, made = book_transfers.create(mock.book, parts["account"], parts["program"], body_of(request))
    named = [{"externalTransferIdentifier": one.external, "transferIdentifier": one.identifier} for one in made]
    return answer({"transfers": named, "batchIdentifier": batch})


@route("POST", "/transfers/account/{account}/program/{program}/action/accept")
def _accept(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    book_transfers.accept(mock.book, parts["account"], parts["program"], body_of(request))
    return empty()


@route("POST", "/transfers/account/{account}/program/{program}/action/reject")
def _reject(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    book_transfers.reject(mock.book, parts["program"], body_of(request))
    return empty()


@route("POST", "/transfers/account/{account}/program/{program}/action/cancel")
def _cancel(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    book_transfers.cancel(mock.book, parts["program"], body_of(request))
    return empty()


@route("POST", "/retirements/account/{account}/program/{program}/action/create")
def _create_retirements(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    body = body_of(request)
    batch, made = book_retirements.retire(mock.book, parts["account"], parts["program"], body, deposited=False)
    return answer({"retirementIdentifiers": [one.identifier for one in made], "batchIdentifier": batch})


@route("POST", "/retirements/account/{account}/action/check-status")
def _check_status(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    names = texts(body_of(request), "retirementIdentifiers")
    if not names:
        raise Refused("EMPTY_REQUEST", "no retirement was named")
    found = [one for one in mock.book.retirements.values() if one.identifier in names]
    ours = [one for one in found if one.account == parts["account"]]
    return answer({"retirementStatuses": [shown.retirement_status(one) for one in ours]})


@route("POST", "/retirements/account/{account}/action/search")
def _retirements(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    found, include = searches.retirements(mock.book, parts["account"], body_of(request)), _include(request)
    return answer({"retirements": [shown.retirement(one, include) for one in found]})


@route("GET", "/retirements/program/{program}/rules")
def _rules(_mock: CblMock, _request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    if parts["program"] not in book_retirements.RETIRING:
        return answer({"message": "Not found"}, 404)
    return answer({"program": parts["program"], "attributes": list(book_retirements.ATTRIBUTES)})


@route("GET", "/retirements/account/{account}/batch/{batch}/certificate")
def _certificate(mock: CblMock, _request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    found = [one for one in mock.book.retirements.values() if one.batch == parts["batch"]]
    if not found or any(one.status != "COMPLETED" for one in found):
        return answer({"message": "Not found"}, 404)
    words = "".join(f"% {one.quantity} units of {one.instrument.ein}, {one.registry_id}\n" for one in found)
    content = f"%PDF-1.4\n% Certificate of the batch {parts['batch']}\n{words}%%EOF\n".encode()
    return httpx.Response(200, headers={"content-type": "application/pdf"}, content=content)


@route("POST", "/exchanges/{exchange}/listings/action/search")
def _listings(mock: CblMock, request: httpx.Request, _parts: dict[str, str]) -> httpx.Response:
    body_of(request)
    return _paged(request, [shown.listing(one) for one in searches.listings(mock.book)])


@route("POST", "/exchanges/{exchange}/accounts/{account}/trades/action/search")
def _trades(mock: CblMock, request: httpx.Request, parts: dict[str, str]) -> httpx.Response:
    found = searches.trades(mock.book, parts["account"], body_of(request))
    return _paged(request, [shown.trade(one) for one in found])
