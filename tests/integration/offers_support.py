"""A gateway between a registry, a venue and the home venue, for tests of offers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from adapters.verra.mock import build
from gateway.catalogue.sync import sync
from gateway.kit.mock import MockClock
from gateway.markets.linked import LinkedMarket
from gateway.markets.registry import installed
from gateway.offers.candidates import Markets
from gateway.offers.operation import InStep, Step, keep_in_step
from gateway.offers.plan import Availability
from gateway.offers.policy import Policy
from gateway.store.database import Database
from gateway.testing.linking import STARTS_AT, LinkedStandIn, LinkMarket


def quiet(market: str, feed: str, done: int, total: int) -> None:
    """No progress."""


@dataclass(slots=True)
class Exchange:
    """A gateway between a registry, a venue and the home venue."""

    database: Database
    verra: LinkedStandIn
    cix: LinkedStandIn
    home: LinkedStandIn
    numbers: Any = field(default_factory=lambda: count(1))

    async def read(self, *markets: LinkedStandIn) -> None:
        for one in markets or (self.verra, self.cix, self.home):
            await sync(self.database, one.market, actor="test", progress=quiet)

    async def publish(self, market: LinkedMarket | None = None, availability: Availability | None = None) -> InStep:
        home = market or self.home.market
        accounts = {one.market.name: one.market.account for one in (self.verra, self.cix)}
        return await keep_in_step(
            Step(
                self.database,
                Markets(installed(), accounts),
                home,
                Policy.of_package(home.manifest.mappings),
                actor="test",
                now=self.home.clock,
                new_id=lambda: f"PB-{next(self.numbers)}",
                sleep=self.sleep,
                availability=availability,
            )
        )

    async def sleep(self, seconds: float) -> None:
        self.home.clock.advance(dt.timedelta(seconds=seconds))

    def at_venue(self) -> dict[str, Any]:
        offers: dict[str, Any] = self.home.mock.book.offers
        return offers


async def linked_exchange(database: Database, link_market: LinkMarket) -> Exchange:
    """The three markets, read once."""
    clock = MockClock(STARTS_AT)
    verra = await link_market("verra", mock=build(7, clock, projects=60, blocks=300), clock=clock)
    made = Exchange(database, verra, await link_market("cix", clock=clock), await link_market("hkvenue", clock=clock))
    await made.read()
    return made
