"""The register of Guangdong's PHCER (广东省碳普惠核证减排量), read through its exports, in a simulated shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.phcer.adapter import MARKET, PhcerAdapter
from adapters.phcer.client import SCOPE
from adapters.phcer.config import PhcerConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.phcer.mock import PhcerMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> PhcerMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.phcer.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.phcer.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Guangdong PHCER register",
    title_native="广东省碳普惠核证减排量登记簿系统",
    role=MarketRole.REGISTRY,
    programme="PHCER",
    zone="Asia/Shanghai",
    config_model=PhcerConfig,
    adapter_class=PhcerAdapter,
    mappings="mappings.phcer",
    # None is published; a portal made for people.
    rate_limits=(RateLimit(scope=SCOPE, requests=4, seconds=1),),
    idempotency=Idempotency.NO_COMMANDS,
    calendar="phcer",
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "login": "The portal's login for people asks for a captcha; a login for machines, its form, its session cookie "
        "and its codes are ours.",
        "exports": "That the register exports lists is taken for granted; the addresses, the parts, the headers with "
        "digest and totals, and the making of one export for all its parts are ours.",
        "headings": "The words of the headings are those of Chinese registries and of the register's rules: 创建, "
        "分配, 变更, 注销. Which list has which column is ours.",
        "numbers": "No numbers of projects, batches, accounts or methodologies were found; all of them are ours. There "
        "are no serial ranges: a batch's number stands in their place.",
        "units": "Quantities are tonnes of CO2e, as the register issues them. Points that people collect in kilograms "
        "are another thing and are not read.",
        "holders": "That our login sees every account that our institution opened, and no other, is ours.",
        "book": "Projects, owners, holders and what happens in the register are invented.",
    },
)
