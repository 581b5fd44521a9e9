"""The Hong Kong Settlement Bank (香港結算銀行): an invented bank that keeps the participants' prefunded cash."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.hkbank.adapter import MARKET, HkBankAdapter
from adapters.hkbank.client import SCOPE
from adapters.hkbank.config import HkBankConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.hkbank.mock import HkBankMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> HkBankMock:
    # The stand-in and its books are only needed where it is used.
    from adapters.hkbank.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.hkbank.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Hong Kong Settlement Bank",
    title_native="香港結算銀行",
    role=MarketRole.BANK,
    programme="HKBANK",
    zone="Asia/Hong_Kong",
    config_model=HkBankConfig,
    adapter_class=HkBankAdapter,
    mappings="mappings.hkbank",
    rate_limits=(RateLimit(scope=SCOPE, requests=20, seconds=1),),
    idempotency=Idempotency.NATIVE,
    calendar="hkvenue",
    # An order names one of many accounts; no setting does.
    account_setting="",
    processing_limit=timedelta(minutes=30),
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "bank": "The bank is invented, with its name, its accounts and everything it does.",
        "api": "Its API is ours: addresses, signatures, idempotency keys, orders, lists, codes of errors.",
        "hours": "Cut-offs, dealing hours and the window for remittances are taken from the gateway's own currency "
        "calendars, whose hours are assumed.",
        "remittance": "Purpose codes, the daily limit and that CNH becomes CNY one for one are our simplification of "
        "renminbi remittance.",
        "rates": "The rates of exchange are made up.",
    },
)
