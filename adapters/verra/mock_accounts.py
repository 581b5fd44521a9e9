"""The account side of the stand-in: a REST API of our own invention over the same book as the public reports.

Simulated throughout: the platform has no public document of its account API. What is imitated is what such APIs have in
common: OAuth 2 client credentials with a token of half an hour, lists with a place to go on from, references of the
caller's that are taken once, errors as ``{"code", "message", "field"}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import httpx

from adapters.verra.book_entries import Account
from adapters.verra.book_operations import Desk, Operation, OperationState, Refusal, Wanted
from adapters.verra.book_words import REASONS
from adapters.verra.config import ACCOUNTS_PATH, BENEFICIARY_LIMIT, PAGE_SIZE_LIMIT
from adapters.verra.mock_statements import (
    Row,
    certificate,
    decision_body,
    holding_rows,
    movement_rows,
    operation_body,
)

TOKEN_LIFETIME: Final = timedelta(minutes=30)
REFERENCE_LIMIT: Final = 64
TEXT_LIMIT: Final = 1_000
BLOCKS_LIMIT: Final = 100
_UNITS_LIMIT: Final = 10**15


class _Denied(Exception):
    """An error that is no refusal of the desk: status, code, words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message
        super().__init__(message)


@dataclass(slots=True)
class AccountsMock:
    """The desk, answering over HTTP.

    Args:
        desk: what account holders ask of the registry.
        account: the number of the account that the credentials belong to.
        client_id: one half of the credentials.
        client_secret: the other half.
    """

    desk: Desk
    account: str
    client_id: str
    client_secret: str = field(repr=False)
    _tokens: dict[str, datetime] = field(default_factory=dict, repr=False)
    _issued: int = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request whose path lies under ``ACCOUNTS_PATH``."""
        self.desk.settle()
        try:
            return self._answer(request)
        except _Denied as denied:
            return _json(denied.status, {"code": denied.code, "message": denied.message, "field": None})
        except Refusal as refusal:
            status = {"DUPLICATE_REFERENCE": 409, "INVALID_REQUEST": 400}.get(refusal.code, 422)
            return _json(status, {"code": refusal.code, "message": refusal.message, "field": refusal.field})

    def expire_tokens(self) -> None:
        """Ends every token at once."""
        self._tokens.clear()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        parts = tuple(request.url.path.removeprefix(ACCOUNTS_PATH).strip("/").split("/"))
        if parts == ("oauth", "token"):
            _require(request, "POST")
            return self._token(request)
        self._require_token(request)
        if len(parts) < 3 or parts[0] != "accounts":
            raise _Denied(404, "NOT_FOUND", f"There is no {request.url.path}.")
        return self._answer_of(self._own(parts[1]), parts[2:], request)

    def _answer_of(self, account: Account, path: tuple[str, ...], request: httpx.Request) -> httpx.Response:
        match path:
            case (("holdings" | "movements") as name,):
                _require(request, "GET")
                return self._list(request, name, self._rows(account, name, request))
            case (("transfers" | "retirements") as kind,):
                return self._operations(request, account, kind)
            case ("decisions",):
                _require(request, "GET")
                return self._decisions(request, account)
            case ("transfers", number, "decision"):
                _require(request, "POST")
                return self._decide(request, account, number)
            case ("retirements", number, "certificate"):
                _require(request, "GET")
                return self._certificate(account, number)
        raise _Denied(404, "NOT_FOUND", f"There is no {request.url.path}.")

    def _rows(self, account: Account, name: str, request: httpx.Request) -> list[tuple[int, Row]]:
        if name == "holdings":
            return holding_rows(self.desk, account)
        return movement_rows(self.desk, account, _since(request))

    def _token(self, request: httpx.Request) -> httpx.Response:
        try:
            form = {key: values[-1] for key, values in parse_qs(request.content.decode("ascii")).items()}
        except ValueError:
            form = {}
        if form.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type"})
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _json(401, {"error": "invalid_client"})
        self._issued += 1
        token = f"token-{self._issued:06d}"
        self._tokens[token] = self.desk.clock() + TOKEN_LIFETIME
        lifetime = TOKEN_LIFETIME // timedelta(seconds=1)
        return _json(200, {"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def _require_token(self, request: httpx.Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        ends_at = self._tokens.get(token)
        if scheme.lower() != "bearer" or ends_at is None or ends_at <= self.desk.clock():
            raise _Denied(401, "TOKEN_NOT_VALID", "The access token is missing, unknown or has ended.")

    def _own(self, number: str) -> Account:
        if number != self.account:
            raise _Denied(403, "ACCOUNT_NOT_PERMITTED", f"These credentials do not reach the account {number}.")
        return self._account(number)

    def _account(self, number: str) -> Account:
        found = next((one for one in self.desk.book.accounts.values() if str(one.number) == number), None)
        if found is None:
            raise Refusal("UNKNOWN_ACCOUNT", f"There is no account {number}.", "counterAccountNumber")
        return found

    def _list(self, request: httpx.Request, name: str, rows: list[tuple[int, Row]]) -> httpx.Response:
        limit = _whole(request.url.params.get("limit", str(PAGE_SIZE_LIMIT)), "limit")
        after = _whole(request.url.params.get("after", "0"), "after")
        if not 1 <= limit <= PAGE_SIZE_LIMIT:
            raise Refusal("INVALID_REQUEST", f"limit is {limit}, expected 1 to {PAGE_SIZE_LIMIT}.", "limit")
        rest = [one for one in rows if one[0] > after]
        shown = rest[:limit]
        quantities = [row["quantity"] for _, row in rows]
        body = {
            name: [row for _, row in shown],
            "totalRows": len(rows),
            "totalQuantity": sum(one for one in quantities if isinstance(one, int)),
            "nextAfter": str(shown[-1][0]) if len(shown) < len(rest) else None,
        }
        return _json(200, body)

    def _operations(self, request: httpx.Request, account: Account, kind: str) -> httpx.Response:
        if request.method == "POST":
            begin = self._transfer if kind == "transfers" else self._retire
            return _json(201, operation_body(begin(account, _body(request))))
        _require(request, "GET")
        reference = _reference(request)
        found = [
            operation_body(one)
            for one in self.desk.operations.values()
            if (one.account, one.reference, one.receiver is not None) == (account, reference, kind == "transfers")
        ]
        return _json(200, {kind: found})

    def _transfer(self, account: Account, body: Mapping[str, Any]) -> Operation:
        reference, wanted = _text(body, "reference", REFERENCE_LIMIT), _blocks(body)
        receiver = self._account(_text(body, "counterAccountNumber"))
        return self.desk.transfer(account, receiver, reference, wanted)

    def _retire(self, account: Account, body: Mapping[str, Any]) -> Operation:
        reference, wanted = _text(body, "reference", REFERENCE_LIMIT), _blocks(body)
        purpose, beneficiary = _text(body, "purpose"), _text(body, "beneficiary", 10 * TEXT_LIMIT)
        reason = REASONS[0] if body.get("retirementReason") is None else _text(body, "retirementReason")
        remarks = None if body.get("remarks") is None else _text(body, "remarks")
        if purpose != "VOLUNTARY":
            raise Refusal("INVALID_PURPOSE", f"The purpose is {purpose}, expected VOLUNTARY.", "purpose")
        if not beneficiary.strip() or not beneficiary.isprintable() or len(beneficiary) > BENEFICIARY_LIMIT:
            words = f"The beneficiary must be 1 to {BENEFICIARY_LIMIT} visible characters."
            raise Refusal("INVALID_BENEFICIARY", words, "beneficiary")
        if reason not in REASONS:
            raise Refusal("INVALID_REASON", f"The reason is none of: {'; '.join(REASONS)}.", "retirementReason")
        return self.desk.retire(account, reference, wanted, beneficiary=beneficiary, reason=reason, remarks=remarks)

    def _decisions(self, request: httpx.Request, account: Account) -> httpx.Response:
        reference = _reference(request)
        found = [one for one in self.desk.decisions if (one.account, one.reference) == (account, reference)]
        return _json(200, {"decisions": [decision_body(one) for one in found]})

    def _decide(self, request: httpx.Request, account: Account, number: str) -> httpx.Response:
        body = _body(request)
        reference, word = _text(body, "reference", REFERENCE_LIMIT), _text(body, "decision")
        if word not in {"ACCEPT", "REJECT"}:
            raise Refusal("INVALID_REQUEST", f"decision is {word!r}, expected ACCEPT or REJECT.", "decision")
        return _json(201, decision_body(self.desk.decide(account, number, reference, accept=word == "ACCEPT")))

    def _certificate(self, account: Account, number: str) -> httpx.Response:
        found = self.desk.operations.get(number)
        finished = found is not None and found.state is OperationState.COMPLETED
        if found is None or not finished or found.receiver is not None or found.account != account:
            raise _Denied(404, "NO_CERTIFICATE", f"There is no certificate {number}.")
        return httpx.Response(200, headers={"content-type": "text/plain; charset=utf-8"}, content=certificate(found))


def _require(request: httpx.Request, method: str) -> None:
    if request.method != method:
        raise _Denied(405, "METHOD_NOT_ALLOWED", f"{request.method} is not understood here, {method} is.")


def _body(request: httpx.Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.content)
    except (ValueError, RecursionError):
        raise Refusal("INVALID_REQUEST", "The body is no JSON document.") from None
    if not isinstance(body, dict):
        raise Refusal("INVALID_REQUEST", "The body is no JSON object.")
    return body


def _text(body: Mapping[str, Any], name: str, limit: int = TEXT_LIMIT) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise Refusal("INVALID_REQUEST", f"{name} must be a text of 1 to {limit} characters.", name)
    return value


def _blocks(body: Mapping[str, Any]) -> list[Wanted]:
    blocks = body.get("blocks")
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= BLOCKS_LIMIT:
        raise Refusal("INVALID_REQUEST", f"blocks must be a list of 1 to {BLOCKS_LIMIT}.", "blocks")
    return [_block(one) for one in blocks]


def _block(value: object) -> Wanted:
    if not isinstance(value, dict):
        raise Refusal("INVALID_REQUEST", "Each of blocks must be an object.", "blocks")
    quantity = value.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= _UNITS_LIMIT:
        raise Refusal("INVALID_REQUEST", "quantity must be a whole number of one or more.", "quantity")
    serial = None if value.get("serialNumber") is None else _text(value, "serialNumber")
    return Wanted(_text(value, "holdingId"), serial, quantity)


def _reference(request: httpx.Request) -> str:
    return _text(dict(request.url.params), "reference")


def _since(request: httpx.Request) -> datetime:
    text = request.url.params.get("since", "")
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal("INVALID_REQUEST", f"since is {text[:40]!r}, expected an instant.", "since") from None
    if since.tzinfo is None:
        raise Refusal("INVALID_REQUEST", "since has no zone.", "since")
    return since.astimezone(UTC)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refusal("INVALID_REQUEST", f"{name} must be a whole number.", name)
    return int(text)


def _json(status: int, body: object) -> httpx.Response:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content)
