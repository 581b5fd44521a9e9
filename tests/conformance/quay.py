"""Quay: the made-up market as one that keeps no ids of ours, so that doubt is resolved by what it shows.

It only takes transfers of whole holdings. Before one is sent its adapter notes when that was; a holding that is still
there after the market's processing limit was never moved.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import httpx

from gateway.kit.clock import Clock
from gateway.kit.contract import Feed, Page, StatedTotal
from gateway.kit.decoding import decode_json
from gateway.kit.errors import OutcomeUnknown
from gateway.kit.manifest import Idempotency
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal
from gateway.kit.transport import Transport
from gateway.model.commands import CommandState, CommandStatus, Order, Retirement, Transfer
from tests.conformance.market import MANIFEST
from tests.conformance.market.adapter import STATES, HarbourAdapter
from tests.conformance.market.config import HarbourConfig
from tests.conformance.market.mock import HarbourMock
from tests.conformance.market.rehearsal import rehearse as rehearse_harbour


class QuayMock:
    """The market behind a door that gives every order a number of its own, and forgets ours."""

    def __init__(self, market: HarbourMock) -> None:
        self.market = market
        self._numbers = itertools.count(1)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        if not request.url.path.startswith("/orders"):
            return self.market.handle(request)
        told: Any = decode_json(request.content)
        body = json.dumps({**told, "reference": f"N-{next(self._numbers)}"})
        return self.market.handle(
            httpx.Request(
                request.method, request.url, headers={"authorization": request.headers["authorization"]}, content=body
            )
        )


class QuayAdapter:
    """Reads holdings and moves them. See ``HarbourAdapter`` for its parameters."""

    def __init__(self, config: HarbourConfig, transport: Transport, clock: Clock) -> None:
        self._harbour = HarbourAdapter(config, transport, clock)
        self._clock = clock

    def holding_feeds(self) -> Sequence[Feed]:
        """Units only."""
        return [Feed("holdings", mapping="holdings")]

    async def holdings_total(self, feed: str) -> StatedTotal:
        """As Harbour's."""
        return await self._harbour.holdings_total(feed)

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """As Harbour's."""
        return await self._harbour.read_holdings(feed, cursor)

    async def witness(self, order: Transfer | Retirement) -> str:
        """When it was noted; that the holding is there is what the status looks at."""
        await self._held(order)
        return self._clock().isoformat()

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Sends it; the answer is of the market's own number."""
        told: Any = await self._harbour._client.order(
            "transfer",
            {
                "account": order.account,
                "kind": order.kind.value,
                "to": order.counter_account,
                "holdings": [{"id": lot.holding, "units": lot.quantity} for lot in order.lots],
            },
        )
        word = told.get("state") if isinstance(told, dict) else None
        if not isinstance(word, str) or word not in STATES:
            raise OutcomeUnknown(f"found the state {word!r}", market="quay", operation="transfer")
        return self._status(order, STATES[word], word)

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """By a complete read: gone is moved, still there after the limit is not."""
        if not await self._held(order):
            return self._status(order, CommandState.CONFIRMED, None)
        assert order.witness is not None
        over = self._clock() > datetime.fromisoformat(order.witness) + QUAY.processing_limit
        return self._status(order, CommandState.NOT_FOUND if over else CommandState.UNDECIDED, None)

    async def _held(self, order: Transfer | Retirement) -> bool:
        held: set[str] = set()
        cursor: str | None = None
        while True:
            page = await self.read_holdings("holdings", cursor)
            held |= set(page.rows.get_column("id").to_list())
            cursor = page.next_cursor
            if cursor is None:
                return {lot.holding for lot in order.lots} <= held

    def _status(self, order: Order, state: CommandState, word: str | None) -> CommandStatus:
        return CommandStatus(command_id=order.command_id, state=state, native_state=word, as_of=self._clock())


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """Harbour's, with orders that are transfers."""
    rehearsal = rehearse_harbour(seed, clock)
    mock = rehearsal.mock
    assert isinstance(mock, HarbourMock)

    def effects(order: Order) -> int:
        assert isinstance(order, Transfer)
        mock.work()
        moved = {lot.holding for lot in order.lots}
        told = [one.told["holdings"] for one in mock.orders.values() if one.state == "DONE"]
        return sum(1 for holdings in told if {one["id"] for one in holdings} == moved)

    return replace(rehearsal, mock=QuayMock(mock), effects=effects, refused=rehearsal.refused[:1], webhook=None)


QUAY: Final = replace(
    MANIFEST,
    name="harbour",
    adapter_class=QuayAdapter,
    idempotency=Idempotency.NONE,
    rehearse=rehearse,
    mock_factory=lambda seed, clock: QuayMock(HarbourMock(seed, clock)),
)
