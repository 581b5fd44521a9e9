"""The Hong Kong Carbon Venue (香港碳交易平台), the home venue: invented, in the style of HKEX's open APIs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.hkvenue.adapter import HkVenueAdapter
from adapters.hkvenue.client import MARKET, SCOPE
from adapters.hkvenue.config import HkVenueConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.hkvenue.mock import HkVenueMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> HkVenueMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.hkvenue.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.hkvenue.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Hong Kong Carbon Venue (HKCV)",
    title_native="香港碳交易平台",
    role=MarketRole.HOME_VENUE,
    programme="HKCV",
    zone="Asia/Hong_Kong",
    config_model=HkVenueConfig,
    adapter_class=HkVenueAdapter,
    mappings="mappings.hkvenue",
    rate_limits=(RateLimit(scope=SCOPE, requests=480, seconds=60),),
    idempotency=Idempotency.BY_REFERENCE,
    calendar="hkvenue",
    mock_factory=_mock,
    rehearse=_rehearse,
    # A message older than a minute is refused, and the largest is finished within seconds.
    processing_limit=timedelta(minutes=2),
    simulated={
        "venue": "The venue itself is invented. Its protocol follows what HKEX publishes of its FINI Open API.",
        "paths": "Paths, fields and states of offers, trades, positions and publications are ours.",
        "signature": "What a request's signature is over, and that it is made with the machine's key, is ours.",
        "timestamp": "That a message may be a minute old, and is written in milliseconds, is ours.",
        "token": "Which of the two assertions is the grant and which authenticates the client is ours.",
        "codes": "411002, 411004, 411008 and 405904 are the template's codes; every other code is ours.",
        "statuses": "Which HTTP status an exception comes with is ours, and that a 429 has no Retry-After.",
        "publication": "That publications are kept by request id, and large ones finished later, is ours.",
        "webhooks": "Webhooks follow Standard Webhooks 1.0.0; their types and bodies are ours.",
        "hours": "The trading hours are those of HKEX's securities market; the closure for severe weather is a switch.",
    },
)
