"""Xpansiv's CBL, the spot exchange, reached through Xpansiv Connect's REST API. Its FIX side is not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.cbl.adapter import MARKET, CblAdapter
from adapters.cbl.client import SCOPE
from adapters.cbl.config import CblConfig
from adapters.cbl.witness import PROCESSING_LIMIT
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.cbl.mock import CblMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> CblMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.cbl.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.cbl.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Xpansiv CBL",
    role=MarketRole.VENUE,
    programme="CBL",
    # Settlement dates are days of this zone; every time that the market writes carries its own offset.
    zone="America/New_York",
    config_model=CblConfig,
    adapter_class=CblAdapter,
    mappings="mappings.cbl",
    # No limit is published, and a 429 does not say how long to wait.
    rate_limits=(RateLimit(scope=SCOPE, requests=10, seconds=1),),
    # No operation takes a key of ours; transfers and retirements carry our id, and would be done twice under it.
    idempotency=Idempotency.NONE,
    calendar="cbl",
    processing_limit=PROCESSING_LIMIT,
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "listings": "The order book is read at an address of our own: the market tells it over FIX. Its words "
        "(balance, original, order reference, AON) are those of the market's data dictionary.",
        "trades": "Our trades are read at an address of our own, likewise; its words are those of settle.",
        "certificate": "The proof of a retirement, at an address of our own.",
        "states": "The words of deposit, withdrawal, transfer and retirement states: the contract names their lists "
        "and does not publish what is in them. So it is with certification, market and credit type codes.",
        "rules": "The shape of the registry rules and the names of their attributes: the contract leaves it open.",
        "paging": "That pages count from 0, the order of rows, and the largest page.",
        "deposits": "That deposits which ended are still shown, and that units leave a deposit only when a trade is "
        "settled. The proof of a command does not rest on either.",
        "timing": "How long things take, the settlement holidays and how far ahead one may settle.",
        "messages": "The words beside the market's error codes.",
        "book": "Every participant, position, order and trade.",
    },
)
