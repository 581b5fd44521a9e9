"""``mocks``: the stand-ins of markets, served on real ports for whoever writes a client of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer

from gateway.cli.execution import Exit, JsonOption, execute
from gateway.cli.output import Output
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.kit.clock import Clock
    from gateway.kit.faults import FaultPlan
    from gateway.kit.manifest import Manifest
    from gateway.settings import Settings

LAST_PORT: Final = 65_535
FAULTS_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Served:
    """A stand-in that answers, and the settings of its market that lead there."""

    market: str
    url: str
    settings: dict[str, str]

    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        return {
            f"CARBON_GATEWAY_MARKETS__{self.market.upper()}__{name.upper()}": value
            for name, value in self.settings.items()
        }


def mocks(
    context: typer.Context,
    markets: Annotated[list[str] | None, typer.Argument(help="The markets to stand in for; without one, all.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(min=0, max=LAST_PORT, help="The first market's port, the next one has the next; 0: free ones."),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is in their books.")] = 1,
    faults: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="Put a bad network before them: lost replies, delays, errors, drift."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve stand-ins of markets until interrupted, and print the settings that lead to them."""

    async def work(output: Output, _settings: Settings) -> Exit:
        from gateway.app import now
        from gateway.markets.registry import installed

        manifests = installed()
        unknown = sorted(set(markets or ()) - manifests.keys())
        if unknown:
            raise ConfigurationError(f"no market is called {', '.join(unknown)}; there are {', '.join(manifests)}")
        names = list(dict.fromkeys(markets or manifests))
        async with AsyncExitStack() as stack:
            served = [
                await stack.enter_async_context(
                    serving(manifests[name], seed, now, host=host, port=port + position if port else 0, faults=faults)
                )
                for position, name in enumerate(names)
            ]
            _tell(output, served)
            await asyncio.Event().wait()
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


@asynccontextmanager
async def serving(
    manifest: Manifest,
    seed: int,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: int | None = None,
) -> AsyncIterator[Served]:
    """A market's stand-in on a TCP port, with ``faults`` behind a bad network decided by that seed.

    Raises ConfigurationError when the port cannot be had.
    """
    from gateway.kit.faults import with_faults
    from gateway.kit.mock import serve

    mock = await asyncio.to_thread(manifest.mock_factory, seed, clock)
    if faults is not None:
        mock = with_faults(mock, bad_network(faults))
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(serve(mock, host=host, port=port))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"cannot serve the stand-in of {manifest.name} at {host}:{port}: {error}"
            ) from error
        yield Served(manifest.name, url, addresses_at(manifest, url))


def bad_network(seed: int) -> FaultPlan:
    """One request in five goes wrong, each fault as often as the others; a delayed answer outlasts every reader."""
    from gateway.kit.faults import Fault, FaultPlan

    return FaultPlan(seed, rates={fault: FAULTS_SHARE / len(Fault) for fault in Fault})


def addresses_at(manifest: Manifest, url: str) -> dict[str, str]:
    """The addresses among a market's settings, moved to another host: a stand-in answers on the market's own paths."""
    from gateway.markets.linked import addresses

    return {name: url + urlsplit(value).path for name, value in addresses(manifest).items()}


def _tell(output: Output, served: list[Served]) -> None:
    output.document(
        {"markets": [{"market": one.market, "url": one.url, "environment": one.environment()} for one in served]}
    )
    for one in served:
        output.say(f"# {one.market} at {one.url}")
        for name, value in one.environment().items():
            output.say(f"export {name}={value}")
    output.note("serving until interrupted (Ctrl-C)")
