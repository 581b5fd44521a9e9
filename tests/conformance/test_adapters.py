"""Every linked market passes what its capabilities call for, and its folder records the tier that it reaches."""

from __future__ import annotations

from typing import Final

import pytest

from gateway.kit.conformance import Tier, recorded_tier, run
from gateway.markets.registry import installed

REACHED: Final = {
    "cbl": Tier.GOLD,
    "ccer": Tier.GOLD,
    "cix": Tier.GOLD,
    "hkbank": Tier.GOLD,
    "hkvenue": Tier.GOLD,
    "hubei": Tier.SILVER,
    "phcer": Tier.SILVER,
    "verra": Tier.GOLD,
}
"""Where nothing is commanded and nothing pushed, silver is the highest."""


def test_every_linked_market_is_tried() -> None:
    assert installed().keys() == REACHED.keys()


@pytest.mark.parametrize("name", sorted(REACHED))
async def test_an_adapter_keeps_its_tier(name: str) -> None:
    manifest = installed()[name]
    report = await run(manifest)
    assert {one.id: one.message for one in report.failed} == {}
    assert report.tier is REACHED[name]
    assert recorded_tier(manifest) is report.tier, f"record it: carbon-gateway conformance {name} --record"
