"""Climate Impact X (CIX), Singapore: its exchange, its marketplace and CIX Clear, in a simulated shape."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.cix.adapter import MARKET, CixAdapter
from adapters.cix.client import SCOPE
from adapters.cix.config import CixConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.cix.mock import CixMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> CixMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.cix.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.cix.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Climate Impact X",
    role=MarketRole.VENUE,
    programme="CIX",
    zone="Asia/Singapore",
    config_model=CixConfig,
    adapter_class=CixAdapter,
    mappings="mappings.cix",
    # None is published.
    rate_limits=(RateLimit(scope=SCOPE, requests=20, seconds=1),),
    idempotency=Idempotency.NATIVE,
    calendar="cix",
    processing_limit=timedelta(minutes=15),
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "interface": "CIX publishes no interface: every path, header, body, cursor and error code is ours.",
        "instruments": "CNX, CCX, the classes LG, DG, LV and DV, the four-year windows, the lot of 1,000 credits and "
        "that the windows 2016-2019 and 2020-2023 were proposed to end on 2025-07-17 are facts; that they ended then, "
        "the codes of single contracts, which class has which assessment code, and the other windows are ours.",
        "notices": "That deliverable lists change by market notice with immediate effect is a fact; the notices' "
        "numbers and what they say are ours.",
        "clear": "That a Clear Transaction Notification is sent in one of two ways, accepted and then confirmed, and "
        "that late settlement is charged for, are facts; the names of both ways, the states, the times and the charge "
        "are ours.",
        "webhooks": "That CIX pushes anything is ours; what is pushed is signed as Standard Webhooks 1.0.0 says.",
        "client-order-ids": "That a command sent twice under one id is answered again as before is ours.",
        "suspension": "That a membership can be suspended at any time is a fact; that market data are denied then, our "
        "own records stay readable and commands are refused is ours.",
        "book": "Projects, members, prices, positions and trades are invented.",
    },
)
