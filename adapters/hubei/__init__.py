"""The allowance registry in Wuhan (中碳登), known by its day-end files. It registers allowances; it does no CCER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.hubei.adapter import HubeiAdapter
from adapters.hubei.client import MARKET, SCOPE
from adapters.hubei.config import HubeiConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.hubei.mock import HubeiMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> HubeiMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.hubei.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.hubei.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="China Carbon Emission Registration and Clearing (Wuhan), allowances",
    title_native="中碳登 碳排放配额",
    role=MarketRole.REGISTRY,
    programme="CEA",
    zone="Asia/Shanghai",
    config_model=HubeiConfig,
    adapter_class=HubeiAdapter,
    mappings="mappings.hubei",
    rate_limits=(RateLimit(scope=SCOPE, requests=20, seconds=1),),
    # Read only: units move there by the venue in Shanghai and by the entities themselves.
    idempotency=Idempotency.NO_COMMANDS,
    calendar="hubei",
    account_setting="",
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "files": "The day-end files (envelope, kinds, which fields a record has, sizes) and their schema are ours; the "
        "names of most fields are words that the Chinese registries and venues use.",
        "digest": "The trailer's SM3 digest over the bytes before it is ours, after the habit of the trade. There is "
        "no signature.",
        "drop": "The index of published files, their names, the access token and the error bodies are ours. Known is "
        "only that the day's data go over two lines that back each other up, after the close at 15:00.",
        "codes": "Account numbers, enterprise numbers, batch and message numbers are ours; the trade method codes 10, "
        "20 and 21 and the product names CEA and CEA21 to CEA25 are the venue's.",
        "hour": "That a day is published at 16:00 in Wuhan is ours.",
    },
)
