"""The stand-in of Harbour: its lists, its orders and its time.

An order is received at once and carried out five minutes later; a transfer to somebody else waits ten minutes for
their yes. Cash is only counted when it is paid out, so that a payment can be refused after it was received.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx

from gateway.kit.clock import Clock
from gateway.kit.decoding import Undecodable, decode_json, members
from tests.conformance.market.book import HONG_KONG_TIME, MAX_PAGE, UNITS_KEY, lists, movement

PROCESSING: Final = timedelta(minutes=5)
ACCEPTING: Final = timedelta(minutes=10)
TOKEN_SECONDS: Final = 600
HONG_KONG: Final = ZoneInfo("Asia/Hong_Kong")
CLIENT: Final = {"client": "our-client", "secret": "harbour-secret"}


@dataclass
class BookedOrder:
    """An order that was received."""

    kind: str
    told: Mapping[str, Any]
    number: str
    due: datetime
    state: str
    code: str | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)


class Refusal(Exception):
    """What the market answers to a request that it does not carry out."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.answer = httpx.Response(status, json={"code": code, "message": message})
        super().__init__(code)


class HarbourMock:
    """The market.

    Args:
        seed: the number of its first token.
        clock: the market's time.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, datetime] = {}
        self._token_number = seed
        self.lists = lists()
        self.orders: dict[str, BookedOrder] = {}
        self.effects: Counter[str] = Counter()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        self.work()
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.answer
        except (Undecodable, KeyError, TypeError, ValueError) as error:
            return Refusal(400, "MALFORMED", f"{error!r}").answer

    def work(self) -> None:
        """Carries out whatever is due."""
        for reference, order in self.orders.items():
            if order.state in {"RECEIVED", "WAITING"} and order.due <= self._clock():
                self._carry_out(reference, order)

    def _route(self, request: httpx.Request) -> httpx.Response:
        method, parts = request.method, request.url.path.strip("/").split("/")
        if (method, parts) == ("POST", ["token"]):
            return self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, datetime.min.replace(tzinfo=HONG_KONG)) <= self._clock():
            raise Refusal(401, "NO_TOKEN", "the token is unknown or has run out")
        match method, parts:
            case "GET", ["lists", name] if name in self.lists:
                return self._list(name, request.url.params)
            case "GET", ["orders"]:
                found = self.orders.get(request.url.params["reference"])
                shown = [] if found is None else [_shown(request.url.params["reference"], found)]
                return httpx.Response(200, json={"orders": shown})
            case "POST", ["orders", kind]:
                return self._order(kind, members(decode_json(request.content), "the order"))
            case "GET", ["certificates", reference] if self._is_retired(reference):
                return httpx.Response(200, text=f"Retired under {reference}")
        raise Refusal(404, "NOT_HERE", f"{method} {request.url.path}")

    def _token(self, request: httpx.Request) -> httpx.Response:
        if decode_json(request.content) != CLIENT:
            raise Refusal(401, "WHO", "client or secret are not known")
        self._token_number += 1
        token = f"token-{self._token_number}"
        self._tokens[token] = self._clock() + timedelta(seconds=TOKEN_SECONDS)
        return httpx.Response(200, json={"token": token, "expires_in": TOKEN_SECONDS})

    def _list(self, name: str, asked: httpx.QueryParams) -> httpx.Response:
        limit = int(asked["limit"])
        if not 1 <= limit <= MAX_PAGE:
            raise Refusal(422, "LIMIT", f"a page has 1 to {MAX_PAGE} rows")
        rows = self.lists[name]
        if "since" in asked:
            since = datetime.fromisoformat(asked["since"])
            rows = [row for row in rows if _instant(row) >= since]
        rows = sorted(rows, key=lambda row: str(row["id"]))
        following = [row for row in rows if str(row["id"]) > asked.get("after", "")]
        key = UNITS_KEY[name]
        total = {"rows": len(rows), "units": None if key is None else sum(int(row[key]) for row in rows)}
        more = len(following) > limit
        page = {"rows": following[:limit], "next": following[limit - 1]["id"] if more else None, "total": total}
        return httpx.Response(200, json=page)

    def _order(self, kind: str, told: Mapping[str, Any]) -> httpx.Response:
        reference = str(told["reference"])
        if reference in self.orders:
            raise Refusal(409, "DUPLICATE_REFERENCE", "an order of this reference is there")
        entries: list[dict[str, Any]] = []
        wait, state = PROCESSING, "RECEIVED"
        match kind:
            case "transfer" | "retirement":
                self._require_holdings(told)
                if kind == "transfer" and told["kind"] == "transfer":
                    wait, state = ACCEPTING, "WAITING"
            case "acceptance":
                if told["transfer"] not in {row["id"] for row in self.lists["movements"] if row["state"] == "OPEN"}:
                    raise Refusal(422, "NO_SUCH_TRANSFER", "no such transfer is waiting")
            case "cash":
                int(told["amount"])
            case "offers":
                wait, state = timedelta(0), "DONE"
                entries = [
                    {"offer": one["offer"], "code": "BELOW_LOT" if int(one["units"]) % 10 else None}
                    for one in told["offers"]
                ]
                self.effects[reference] += any(one["code"] is None for one in entries)
            case _:
                raise Refusal(404, "NOT_HERE", kind)
        number = f"O-{len(self.orders) + 1}"
        self.orders[reference] = BookedOrder(kind, told, number, self._clock() + wait, state, entries=entries)
        return httpx.Response(201, json=_shown(reference, self.orders[reference]))

    def _require_holdings(self, told: Mapping[str, Any]) -> None:
        there = {row["id"]: row for row in self.lists["holdings"]}
        for one in told["holdings"]:
            if one["id"] not in there:
                raise Refusal(422, "NO_SUCH_HOLDING", f"no holding {one['id']}")
            if int(one["units"]) > there[one["id"]]["units"]:
                raise Refusal(422, "NOT_ENOUGH", f"{one['id']} has {there[one['id']]['units']} units")
            if int(one["units"]) < there[one["id"]]["units"]:
                raise Refusal(422, "NOT_WHOLE", "a holding moves as a whole")

    def _carry_out(self, reference: str, order: BookedOrder) -> None:
        order.state = "DONE"
        if order.kind in {"transfer", "retirement"}:
            gone = {one["id"] for one in order.told["holdings"]}
            kind = "retirement" if order.kind == "retirement" else str(order.told["kind"])
            for row in [row for row in self.lists["holdings"] if row["id"] in gone]:
                self.lists["holdings"].remove(row)
                self.lists["movements"].append(
                    movement(self._next("movements", "M"), row, kind, reference, self._now_text())
                )
        elif order.kind == "acceptance":
            (row,) = (row for row in self.lists["movements"] if row["id"] == order.told["transfer"])
            row["state"] = "FINAL" if order.told["accept"] else "REFUSED"
        elif order.kind == "cash" and not self._pay(reference, order):
            return
        self.effects[reference] += 1

    def _pay(self, reference: str, order: BookedOrder) -> bool:
        amount, out = int(order.told["amount"]), order.told["kind"] == "pay_out"
        (balance,) = (row for row in self.lists["balances"] if row["currency"] == order.told["currency"])
        if out and amount > balance["available"]:
            order.state, order.code = "REFUSED", "NOT_ENOUGH"
            return False
        for part in ("booked", "available"):
            balance[part] += -amount if out else amount
        self.lists["bookings"].append(
            {
                "id": self._next("bookings", "K"),
                "account": balance["account"],
                "currency": balance["currency"],
                "amount": amount,
                "way": "out" if out else "in",
                "kind": order.told["kind"],
                "state": "FINAL",
                "reference": reference,
                "at": self._now_text(),
            }
        )
        return True

    def _is_retired(self, reference: str) -> bool:
        order = self.orders.get(reference)
        return order is not None and (order.kind, order.state) == ("retirement", "DONE")

    def _next(self, name: str, letter: str) -> str:
        return f"{letter}-{900 + len(self.lists[name])}"

    def _now_text(self) -> str:
        return self._clock().astimezone(HONG_KONG).strftime(HONG_KONG_TIME)


def _shown(reference: str, order: BookedOrder) -> dict[str, Any]:
    shown = {"reference": reference, "number": order.number, "state": order.state, "code": order.code}
    return {**shown, "entries": json.loads(json.dumps(order.entries))}


def _instant(row: Mapping[str, Any]) -> datetime:
    text = str(row["at"])
    if text.endswith("Z"):
        return datetime.fromisoformat(text)
    return datetime.strptime(text, HONG_KONG_TIME).replace(tzinfo=HONG_KONG)
