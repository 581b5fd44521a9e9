"""The national CCER registry (全国温室气体自愿减排注册登记系统), kept by the NCSC.

It registers certified emission reductions. Allowances are registered in Wuhan (``hubei``): that is another registry.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.ccer.adapter import CcerAdapter
from adapters.ccer.client import MARKET, SCOPE
from adapters.ccer.config import CcerConfig
from adapters.ccer.words import ZONE
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.ccer.mock import CcerMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> CcerMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.ccer.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    # The same.
    from adapters.ccer.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="China Certified Emission Reduction registry",
    title_native="全国温室气体自愿减排注册登记系统",
    role=MarketRole.REGISTRY,
    programme="CCER",
    zone=ZONE,
    config_model=CcerConfig,
    adapter_class=CcerAdapter,
    mappings="mappings.ccer",
    # No limit is published; a browser check answers who asks too fast.
    rate_limits=(RateLimit(scope=SCOPE, requests=10, seconds=1),),
    idempotency=Idempotency.BY_REFERENCE,
    calendar="ccer",
    # An instruction that nobody confirmed lapses at the close of the day it was submitted on.
    processing_limit=timedelta(hours=8),
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "account side": "Only names of services, the workflow and the two persons of an instruction are public; every "
        "path behind them, body, state and code is ours.",
        "sessions": "Logging in takes a password and a code by telephone, which no program does: each operator's "
        "session token is a setting, and how it is sent is ours.",
        "serials": "The registry publishes no serial and no product code; those of the statement are synthetic "
        "(CCER-<project>-<year>-<first>-<last>).",
        "reference": "That an instruction carries a 外部流水号 of ours, refuses a second one and can be asked for by "
        "it, and that an unconfirmed one lapses at the close of business, is ours.",
        "hours": "Moves into the trading system run from 9:30 to 15:00 as the manual says; 9:00 to 17:00 for other "
        "business is assumed.",
        "errors": "The stand-in's words for a body that cannot be read, an unknown path and a wrong method are ours.",
        "outbound": "Holding, moving or redeeming these reductions from abroad has no rules yet (Measures of 2023, "
        "article 29): commands are off unless switched on.",
    },
)
