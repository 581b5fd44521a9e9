"""Harbour, a made-up market: registry, venue and bank in one, with every capability that a market can have.

It is linked with nothing. The conformance kit is tried on it, and its broken copies prove that each check can fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.client import MARKET, SCOPE
from tests.conformance.market.config import HarbourConfig

if TYPE_CHECKING:
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal
    from tests.conformance.market.mock import HarbourMock


def _mock(seed: int, clock: Clock) -> HarbourMock:
    # The stand-in and its book are only needed where it is used.
    from tests.conformance.market.mock import HarbourMock

    return HarbourMock(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from tests.conformance.market.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Harbour Carbon Market",
    title_native="海港碳市場",
    role=MarketRole.VENUE,
    programme="HBR",
    zone="Asia/Hong_Kong",
    config_model=HarbourConfig,
    adapter_class=HarbourAdapter,
    mappings="tests.conformance.market.mappings",
    rate_limits=(RateLimit(scope=SCOPE, requests=50, seconds=1),),
    idempotency=Idempotency.BY_REFERENCE,
    calendar="hkvenue",
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={"everything": "The whole market is made up."},
)
