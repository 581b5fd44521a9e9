"""The Verra registry (Verified Carbon Standard), on the S&P Platts platform."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters._platts.client import SCOPE
from adapters.verra.account_side import MARKET
from adapters.verra.accounts_client import ACCOUNTS_SCOPE
from adapters.verra.adapter import VerraAdapter
from adapters.verra.config import VerraConfig
from gateway.kit.clock import Clock
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.kit.transport import RateLimit

if TYPE_CHECKING:
    from adapters.verra.mock import VerraMock
    from gateway.kit.mock import MockClock
    from gateway.kit.rehearsal import Rehearsal


def _mock(seed: int, clock: Clock) -> VerraMock:
    # The stand-in and its book are only needed where it is used.
    from adapters.verra.mock import build

    return build(seed, clock)


def _rehearse(seed: int, clock: MockClock) -> Rehearsal:
    from adapters.verra.rehearsal import rehearse

    return rehearse(seed, clock)


MANIFEST: Final = Manifest(
    name=MARKET,
    title="Verra Registry (VCS)",
    role=MarketRole.REGISTRY,
    programme="VCS",
    # The platform writes every time without a zone; no capture shows which it means, and days are read as UTC's.
    zone="UTC",
    config_model=VerraConfig,
    adapter_class=VerraAdapter,
    mappings="mappings.verra",
    # No limit is published. The platform is shared, so is this: Plan Vivo's requests count too.
    rate_limits=(
        RateLimit(scope=SCOPE, requests=100, seconds=1),
        RateLimit(scope=ACCOUNTS_SCOPE, requests=20, seconds=1),
    ),
    # A reference is taken once; asked by it, the registry says what became of the command.
    idempotency=Idempotency.BY_REFERENCE,
    calendar="verra",
    # A command that is held up on its way is let in as long as its token lives, which is half an hour.
    processing_limit=timedelta(minutes=30),
    mock_factory=_mock,
    rehearse=_rehearse,
    simulated={
        "accounts": "The whole account side: no document of the platform's account API is public. Its address, its "
        "token, its lists of holdings and movements, transfers that the receiver accepts, retirements, certificates, "
        "codes of errors, and that units move some minutes after they were asked for.",
        "environment": "The wrapper around the addresses in the stand-in's environment.config.json is ours; the "
        "adapter does not read it.",
        "reverse": "The site sorts other fields in the reverse order; that entityId can be is shown by no capture. The "
        "adapter checks it on every page.",
        "errors": "The stand-in's answers to a malformed body, an unknown path or an unknown method are ours; its "
        "generic 500 is the platform's.",
        "zone": "The zone of the platform's times, written without one, is taken to be UTC.",
        "book": "What happens in the stand-in's book (issue, transfer, retire, cancel, label) is ours; the rows that "
        "show it have the platform's keys.",
    },
)
