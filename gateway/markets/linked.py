"""A linked market: its adapter bound to its settings, its line out and its mapping documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from gateway.kit.clock import Clock
from gateway.kit.conformance.report import Tier
from gateway.kit.conformance.tier import ALLOWED, recorded_tier
from gateway.kit.contract import (
    ParsesExports,
    PublishesOffers,
    ReadsCatalogue,
    ReadsHoldings,
    ReadsListings,
    ReadsTrades,
)
from gateway.kit.manifest import AdapterFactory, Manifest
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping as FieldMapping
from gateway.kit.transport import Pacer, Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError


@dataclass(frozen=True, slots=True)
class LinkedMarket:
    """A market that the gateway speaks to.

    Attributes:
        manifest: what its adapter says of itself.
        adapter: the bound adapter.
        account: our account there; empty where we have none.
        library: its mapping documents, read when they are first asked for.
        tier: what its adapter was last found fit for.
    """

    manifest: Manifest
    adapter: object
    account: str
    library: Library
    tier: Tier
    compiled: dict[str, FieldMapping] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The market's name in our program."""
        return self.manifest.name

    def mapping(self, name: str) -> FieldMapping:
        """One of its mapping documents, compiled. Raises ConfigurationError when it does not hold together."""
        if name not in self.compiled:
            self.compiled[name] = FieldMapping(name, self.library)
        return self.compiled[name]

    def capabilities(self) -> frozenset[str]:
        """What its adapter offers and its tier allows."""
        return self.manifest.capabilities() & ALLOWED[self.tier]

    def withheld(self) -> frozenset[str]:
        """What its adapter offers and its tier does not allow."""
        return self.manifest.capabilities() - ALLOWED[self.tier]

    def reads_catalogue(self) -> ReadsCatalogue:
        """The adapter as a reader of its catalogue. Raises CapabilityMissing when it is none."""
        return cast("ReadsCatalogue", self._offering("ReadsCatalogue"))

    def parses_exports(self) -> ParsesExports:
        """The adapter as a reader of downloaded files. Raises CapabilityMissing when it is none."""
        return cast("ParsesExports", self._offering("ParsesExports"))

    def reads_holdings(self) -> ReadsHoldings:
        """The adapter as a reader of our holdings there. Raises CapabilityMissing when it is none."""
        return cast("ReadsHoldings", self._offering("ReadsHoldings"))

    def reads_listings(self) -> ReadsListings:
        """The adapter as a reader of what the venue lists. Raises CapabilityMissing when it is none."""
        return cast("ReadsListings", self._offering("ReadsListings"))

    def reads_trades(self) -> ReadsTrades:
        """The adapter as a reader of trades. Raises CapabilityMissing when it is none."""
        return cast("ReadsTrades", self._offering("ReadsTrades"))

    def publishes_offers(self) -> PublishesOffers:
        """The adapter as a publisher of our offers. Raises CapabilityMissing when it is none."""
        return cast("PublishesOffers", self._offering("PublishesOffers"))

    def _offering(self, capability: str) -> object:
        if capability in self.withheld():
            raise CapabilityMissing(
                f"the adapter of {self.name} offers {capability}, but is recorded as {self.tier.value}: call "
                f"'carbon-gateway conformance {self.name}' to try it again"
            )
        offered = self.capabilities()
        if capability not in offered:
            raise CapabilityMissing(
                f"the adapter of {self.name} does not offer {capability}; it offers {', '.join(sorted(offered))}"
            )
        return self.adapter


def addresses(manifest: Manifest) -> dict[str, str]:
    """The settings that say where a market is, each with its default.

    A name that only looks like an address is none: its host has neither a dot nor a port (the audience of a token,
    ``https://xpansiv/platform``).
    """
    defaults = {name: field.default for name, field in manifest.config_model.model_fields.items()}
    return {name: value for name, value in defaults.items() if isinstance(value, str) and _is_address(value)}


def _is_address(text: str) -> bool:
    parts = urlsplit(text) if "://" in text else None
    return parts is not None and ("." in parts.netloc or ":" in parts.netloc or parts.netloc == "localhost")


@asynccontextmanager
async def link(
    manifest: Manifest,
    settings: Mapping[str, Any],
    clock: Clock,
    mount: httpx.AsyncBaseTransport | None = None,
    *,
    tier: Tier | None = None,
) -> AsyncIterator[LinkedMarket]:
    """Binds a market's adapter for as long as the context lasts; opens no connection yet.

    Args:
        manifest: what its adapter says of itself.
        settings: the values of the market's config model.
        clock: gives the instant.
        mount: an in-process stand-in; None for real sockets.
        tier: what its adapter may be used for; None: what is recorded of it.

    Raises ConfigurationError naming the setting that is wrong.
    """
    try:
        config = manifest.config_model.model_validate(dict(settings))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(f"settings of market {manifest.name}: {places}") from error
    try:
        library = Library.of_package(manifest.mappings)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"adapter {manifest.name}: its mapping package {manifest.mappings} is not there ({error})"
        ) from error
    pacers = {limit.scope: Pacer(limit) for limit in manifest.rate_limits}
    client = httpx.AsyncClient(transport=mount, trust_env=False)
    factory = cast("AdapterFactory", manifest.adapter_class)
    async with Transport(manifest.name, client, pacers) as transport:
        account = str(getattr(config, manifest.account_setting, ""))
        yield LinkedMarket(
            manifest, factory(config, transport, clock), account, library, tier or recorded_tier(manifest)
        )
