"""A market linked to its stand-in, reached under the market's own addresses through respx: no socket is opened.

Any ``httpx`` client in the process reaches the stand-in, not only ours; a request to any other host is refused.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import httpx
import respx
import stamina

from gateway.kit.conformance.report import Tier
from gateway.kit.faults import FaultPlan, FaultyMock, with_faults
from gateway.kit.manifest import Manifest
from gateway.kit.mock import Mock, MockClock, answered
from gateway.markets.linked import LinkedMarket, addresses, link
from gateway.markets.registry import installed
from gateway.model.errors import ConfigurationError

STARTS_AT: Final = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
"""A Wednesday, 11:00 in Hong Kong, when every linked market is open."""

ATTEMPTS_LIMIT: Final = 10


@dataclass(frozen=True, slots=True)
class LinkedStandIn:
    """A market and the stand-in behind it.

    Attributes:
        market: the linked market, as the gateway itself has it, whatever tier is recorded of it: a stand-in is where an
            adapter is written. ``market.adapter`` is its adapter.
        mock: the stand-in; its book may be changed from behind.
        clock: the time of both; a test moves it.
        network: the faulty network between them; None where no faults were asked for.
        addresses: the settings that lead there.
    """

    market: LinkedMarket
    mock: Any
    clock: MockClock
    network: FaultyMock | None
    addresses: Mapping[str, str]


class LinkMarket(Protocol):
    """Links a market with its stand-in until the test ends."""

    async def __call__(
        self,
        name: str,
        *,
        seed: int = 1,
        settings: Mapping[str, Any] | None = None,
        faults: FaultPlan | None = None,
        mock: Mock | None = None,
        clock: MockClock | None = None,
    ) -> LinkedStandIn:
        """Links a market.

        Args:
            name: the market's name, as ``carbon-gateway markets`` lists it.
            seed: decides what is in its book.
            settings: of the market, over the defaults, which the stand-in accepts.
            faults: what goes wrong on the way.
            mock: a stand-in of your own making instead; then give its clock too.
            clock: the time of both.

        Raises ConfigurationError for a market that is not installed, for a wrong setting, and where a stand-in answers
        under the same host already: a second one of a market needs addresses of its own.
        """
        ...


@asynccontextmanager
async def standing_in() -> AsyncIterator[LinkMarket]:
    """Mounts stand-ins for as long as the context lasts; what :func:`link_market` gives."""
    async with AsyncExitStack() as stack:
        router = stack.enter_context(respx.mock(assert_all_called=False, assert_all_mocked=True))
        # Reads are tried again as often as ever, without a wait between.
        stack.enter_context(stamina.set_testing(testing=True, attempts=ATTEMPTS_LIMIT, cap=True))
        taken: dict[str, str] = {}

        async def link_market(
            name: str,
            *,
            seed: int = 1,
            settings: Mapping[str, Any] | None = None,
            faults: FaultPlan | None = None,
            mock: Mock | None = None,
            clock: MockClock | None = None,
        ) -> LinkedStandIn:
            manifest = _manifest(name)
            time = clock or MockClock(STARTS_AT)
            behind = mock or manifest.mock_factory(seed, time)
            network = with_faults(behind, faults) if faults else None
            market = await stack.enter_async_context(link(manifest, settings or {}, time, tier=Tier.GOLD))
            found = _addresses(manifest, settings or {})
            hosts = dict.fromkeys((httpx.URL(address).netloc.decode() for address in found.values()), name)
            if both := sorted(hosts.keys() & taken.keys()):
                raise ConfigurationError(
                    f"the stand-in of {taken[both[0]]} answers under {both[0]} already; give {name} other addresses in "
                    f"its settings ({', '.join(found)})"
                )
            taken.update(hosts)
            _mount(router, network or behind, hosts)
            return LinkedStandIn(market, behind, time, network, found)

        yield link_market


def _manifest(name: str) -> Manifest:
    manifests = installed()
    if name not in manifests:
        raise ConfigurationError(f"no market is called {name!r}; there are {', '.join(sorted(manifests))}")
    return manifests[name]


def _addresses(manifest: Manifest, settings: Mapping[str, Any]) -> dict[str, str]:
    found = {name: settings.get(name, default) for name, default in addresses(manifest).items()}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _mount(router: respx.MockRouter, mock: Mock, hosts: Iterable[str]) -> None:
    """Answers whatever goes to these hosts."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answered(mock, request)

    for host in hosts:
        router.route(url__regex=rf"^https?://{re.escape(host)}(?:[/?#]|$)").mock(side_effect=answer)
