"""A stand-in of the settlement bank, in Hong Kong and on the mainland: signatures, idempotency keys, lists, orders.

``build(seed, clock)`` gives one; both banks are behind it, each under its own path. What they hold is in
``HkBankMock.desks``, and a test or a demonstration changes it there. All of it is simulated: the bank is invented.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from adapters.hkbank.client import decimal, signature
from adapters.hkbank.config import API_PATH, PAGE_SIZE_LIMIT, HkBankConfig, Profile
from adapters.hkbank.mock_days import ZONES
from adapters.hkbank.mock_desk import CURRENCIES, RATE_SOURCE, BankOrder, Desk
from adapters.hkbank.mock_ledger import Balance, BankRefusal, Direction, Entry, Ledger
from adapters.hkbank.mock_requests import parse_order, require_method, since_of, whole
from gateway.kit.clock import Clock
from gateway.model.commands import RATE_SCALE
from gateway.model.money import MINOR_DIGITS

TOLERANCE: Final = timedelta(minutes=5)
OMNIBUS: Final = {Profile.HONG_KONG: "HK-880-90001", Profile.MAINLAND: "CN-620-90001"}
"""The escrow account of the home venue at each bank."""
OMNIBUS_NAME: Final = "HKCV Omnibus"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOLDERS: Final = ("Varanmere", "Kestiwick", "Dolothal", "Miranquill", "Selulune", "Bruenvash", "海雲澗", "Quenalstow")


@dataclass(slots=True)
class _Answered:
    """What an idempotency key was used for, and what was answered."""

    digest: str
    status: int
    body: bytes


@dataclass(slots=True)
class HkBankMock:
    """Both banks.

    Args:
        desks: each bank's desk.
        clock: their time.
        config: names the key and the secret that they believe.
    """

    desks: Mapping[Profile, Desk]
    clock: Clock
    config: HkBankConfig
    _answered: dict[tuple[Profile, str], _Answered] = field(default_factory=dict, repr=False)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the bank would."""
        for desk in self.desks.values():
            desk.settle()
        try:
            return self._answer(request)
        except BankRefusal as refusal:
            statuses = {"NOT_FOUND": 404, "METHOD_NOT_ALLOWED": 405, "INVALID_REQUEST": 400, "KEY_REUSED": 409}
            statuses |= dict.fromkeys(("KEY_UNKNOWN", "SIGNATURE_INVALID", "TIMESTAMP_STALE"), 401)
            return _json(statuses.get(refusal.code, 422), _error(refusal))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        parts = tuple(request.url.path.removeprefix(API_PATH).strip("/").split("/"))
        profile = next((one for one in Profile if parts[0] == one.value.replace("_", "-")), None)
        if not request.url.path.startswith(f"{API_PATH}/") or profile is None or len(parts) != 2:
            raise BankRefusal("NOT_FOUND", f"There is no {request.url.path}.")
        self._require_signature(request)
        desk = self.desks[profile]
        match parts[1]:
            case "balances":
                require_method(request, "GET")
                rows = [(one.number, _balance(one)) for one in desk.ledger.balances.values()]
                return _list(request, "balances", rows)
            case "statement":
                require_method(request, "GET")
                since = since_of(request)
                entries = [one for one in desk.ledger.entries if one.booked_at >= since]
                return _list(request, "statement", [(one.number, _entry(one)) for one in entries])
            case "orders" if request.method == "POST":
                return self._place(request, profile)
            case "orders":
                require_method(request, "GET")
                found = desk.orders.get(request.url.params.get("reference", ""))
                return _json(200, {"orders": [] if found is None else [_order(found)]})
            case "rates":
                require_method(request, "GET")
                return _rate(desk, request.url.params)
        raise BankRefusal("NOT_FOUND", f"There is no {request.url.path}.")

    def _require_signature(self, request: httpx.Request) -> None:
        signed_at = request.headers.get("x-timestamp", "")
        if request.headers.get("x-api-key") != self.config.api_key:
            raise BankRefusal("KEY_UNKNOWN", "The API key is missing or unknown.")
        secret, target = self.config.signing_secret.get_secret_value(), request.url.raw_path.decode("ascii")
        expected = signature(secret, request.method, target, signed_at, request.content)
        if not hmac.compare_digest(expected.encode(), request.headers.get("x-signature", "").encode()):
            raise BankRefusal("SIGNATURE_INVALID", "The signature is not of this request.")
        if abs(self.clock() - _EPOCH - timedelta(seconds=whole(signed_at, "x-timestamp"))) > TOLERANCE:
            raise BankRefusal("TIMESTAMP_STALE", "The request was signed too long ago, or in the future.")

    def _place(self, request: httpx.Request, profile: Profile) -> httpx.Response:
        key, digest = request.headers.get("idempotency-key", ""), hashlib.sha256(request.content).hexdigest()
        known = self._answered.get((profile, key))
        if known is not None:
            if known.digest != digest:
                raise BankRefusal("KEY_REUSED", f"The key {key} was used for something else.")
            return httpx.Response(
                known.status,
                headers={"content-type": "application/json", "idempotency-replayed": "true"},
                content=known.body,
            )
        if key in self.desks[profile].orders:
            raise BankRefusal("KEY_REUSED", f"The key {key} was used for something else.")
        order = parse_order(request.content)
        if order.reference != key:
            raise BankRefusal("INVALID_REQUEST", "The idempotency key must be the reference.")
        try:
            answer = _json(201, _order(self.desks[profile].place(order)))
        except BankRefusal as refusal:
            answer = _json(422, _error(refusal))
        self._answered[profile, key] = _Answered(digest, answer.status_code, answer.content)
        return answer


def build(seed: int, clock: Clock, *, participants: int = 12) -> HkBankMock:
    """Both banks, made from a seed.

    Args:
        seed: decides what the accounts hold.
        clock: the banks' time.
        participants: how many participants have accounts, besides the home venue's own.

    Raises ValueError when there is none.
    """
    if participants < 1:
        raise ValueError(f"found {participants} participants; expected one or more")
    chance = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    desks = {profile: Desk(profile, Ledger(clock), clock) for profile in Profile}
    desks[Profile.HONG_KONG].partner = desks[Profile.MAINLAND]
    desks[Profile.MAINLAND].partner = desks[Profile.HONG_KONG]
    for profile, desk in desks.items():
        head = OMNIBUS[profile].rpartition("-")[0]
        holders = [(OMNIBUS[profile], OMNIBUS_NAME)]
        holders += [(f"{head}-{10_001 + place}", _holder(place)) for place in range(participants)]
        for place, (account, holder) in enumerate(holders):
            for currency in CURRENCIES[profile]:
                balance = desk.ledger.open(account, holder, currency)
                if place:
                    _fund(desk, balance, chance, days=len(holders) - place)
    return HkBankMock(desks, clock, HkBankConfig())


def _holder(place: int) -> str:
    return f"{_HOLDERS[place % len(_HOLDERS)]} Carbon {place + 1} Ltd"


def _fund(desk: Desk, balance: Balance, chance: random.Random, *, days: int) -> None:
    """What an account began with: a pay-in some days ago."""
    amount = 100_000_000 + chance.randrange(10_000_000_000)
    at = (desk.clock() - timedelta(days=days)).replace(microsecond=0)
    desk.ledger.credit(balance, amount)
    day = at.astimezone(ZONES[desk.profile]).date()
    desk.ledger.enter(balance, amount, Direction.CREDIT, "PAY_IN", value_date=day, at=at, counter="OPENING")


def _list(request: httpx.Request, name: str, rows: list[tuple[int, dict[str, object]]]) -> httpx.Response:
    limit = whole(request.url.params.get("limit", str(PAGE_SIZE_LIMIT)), "limit")
    after = whole(request.url.params.get("after", "0"), "after")
    if not 1 <= limit <= PAGE_SIZE_LIMIT:
        raise BankRefusal("INVALID_REQUEST", f"limit is {limit}, expected 1 to {PAGE_SIZE_LIMIT}.")
    rest = [one for one in rows if one[0] > after]
    shown = rest[:limit]
    following = str(shown[-1][0]) if len(shown) < len(rest) else None
    return _json(200, {name: [row for _, row in shown], "totalRows": len(rows), "nextAfter": following})


def _rate(desk: Desk, asked: Mapping[str, str]) -> httpx.Response:
    pair = (asked.get("currency"), asked.get("into"))
    quote = next((quote for quoted, quote in desk.quotes.items() if quoted == pair), None)
    if quote is None:
        raise BankRefusal("CURRENCY_NOT_OFFERED", "There is no rate for this pair.")
    body = {
        "currency": asked["currency"],
        "intoCurrency": asked["into"],
        "rate": decimal(quote.rate, RATE_SCALE),
        "rateSource": RATE_SOURCE,
        "rateTime": _written(quote.at),
    }
    return _json(200, body)


def _balance(balance: Balance) -> dict[str, object]:
    return {
        "balanceId": f"{balance.account}.{balance.currency}",
        "account": balance.account,
        "holder": balance.holder,
        "currency": balance.currency.value,
        "booked": decimal(balance.booked, MINOR_DIGITS),
        "available": decimal(balance.available, MINOR_DIGITS),
        "held": decimal(balance.held, MINOR_DIGITS),
    }


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "entryId": f"{entry.number:09d}",
        "account": entry.account,
        "counterAccount": entry.counter,
        "currency": entry.currency.value,
        "amount": decimal(entry.amount, MINOR_DIGITS),
        "direction": entry.direction.value,
        "type": entry.kind,
        "status": "BOOKED",
        "reference": entry.reference,
        "narrative": entry.remarks,
        "bookedAt": _written(entry.booked_at),
        "valueDate": entry.value_date.isoformat(),
    }


def _order(order: BankOrder) -> dict[str, object]:
    quoted = order.rate_time is not None
    return {
        "orderId": order.number,
        "reference": order.reference,
        "type": order.kind,
        "status": order.status,
        "account": order.account,
        "currency": order.currency.value,
        "amount": decimal(order.amount, MINOR_DIGITS),
        "counterAccount": order.counter,
        "holdReference": order.hold,
        "expiresAt": None if order.expires_at is None else _written(order.expires_at),
        "valueDate": None if order.value_date is None else order.value_date.isoformat(),
        "intoCurrency": None if order.into is None else order.into.value,
        "intoAmount": None if order.into_amount is None else decimal(order.into_amount, MINOR_DIGITS),
        "rate": None if order.rate is None else decimal(order.rate, RATE_SCALE),
        "rateSource": RATE_SOURCE if quoted else None,
        "rateTime": None if order.rate_time is None else _written(order.rate_time),
        "code": order.code,
        "message": order.message,
    }


def _written(instant: datetime) -> str:
    """An instant in the zone of both banks, with its offset."""
    return instant.astimezone(ZONES[Profile.HONG_KONG]).isoformat(timespec="milliseconds")


def _error(refusal: BankRefusal) -> dict[str, object]:
    return {"error": {"code": refusal.code, "message": refusal.message}}


def _json(status: int, body: object) -> httpx.Response:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content)
