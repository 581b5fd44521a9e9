"""The manifest: all that the core knows of an adapter before it binds it.

Found through the entry-point group ``carbon_gateway.adapters``. There is no registration at import and no scanning of
folders; a third party ships a market as a package of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from gateway.kit.capabilities import capabilities
from gateway.kit.clock import Clock
from gateway.kit.contract import COMMANDS, CONTRACT_VERSION
from gateway.kit.transport import RateLimit, Transport
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    # It brings a web server along, which only those need who serve a mock.
    from gateway.kit.mock import Mock, MockClock
    from gateway.kit.rehearsal import Rehearsal

MockFactory: TypeAlias = "Callable[[int, Clock], Mock]"
"""Builds a market's stateful stand-in from a seed and a clock."""

RehearsalFactory: TypeAlias = "Callable[[int, MockClock], Rehearsal]"
"""Builds a small stand-in from a seed and a clock, and what the conformance kit needs to try an adapter on it."""

AdapterFactory: TypeAlias = Callable[[BaseModel, Transport, Clock], object]


class Idempotency(StrEnum):
    """How a market treats a command that comes twice.

    ``NATIVE``: it knows our key and answers again as before. ``BY_REFERENCE``: it refuses the second, and can be asked
    by our reference. ``NONE``: it keeps no id of ours and would do it twice; before a command its adapter bears
    witness, and doubt is resolved by a complete read. ``NO_COMMANDS``: nothing is commanded there.
    """

    NATIVE = "native"
    BY_REFERENCE = "by_reference"
    NONE = "none"
    NO_COMMANDS = "no_commands"


class MarketRole(StrEnum):
    """What a market is to us."""

    REGISTRY = "registry"
    VENUE = "venue"
    HOME_VENUE = "home_venue"
    BANK = "bank"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an adapter says of itself.

    Attributes:
        name: the market's name in our program; also the name of its settings and of its mock.
        title: the market's own name, as people know it.
        title_native: the same in its own script, where that is not Latin.
        role: what it is to us.
        programme: the crediting programme whose units it registers, in short (``VCS``); for a venue that trades many,
            and for a bank, its own short name.
        zone: the IANA zone in which the market writes a time without one.
        config_model: its settings; secrets are ``SecretStr``.
        adapter_class: built with (config, transport, clock).
        mappings: the package that holds its mapping documents.
        rate_limits: one per scope that the market meters.
        calendar: the calendar in ``gateway.kit.calendars`` that it keeps.
        account_setting: the name of the setting that holds our account there; empty where we have none.
        processing_limit: how long after sending a command may still take its effect, as the market states it.
        mock_factory: builds its stand-in.
        rehearse: builds what the conformance kit tries the adapter on.
        simulated: what of its shape is our own invention, each with a sentence; empty where all is documented.
    """

    name: str
    title: str
    role: MarketRole
    programme: str
    zone: str
    config_model: type[BaseModel]
    adapter_class: type
    mappings: str
    rate_limits: tuple[RateLimit, ...]
    idempotency: Idempotency
    calendar: str
    mock_factory: MockFactory
    rehearse: RehearsalFactory
    title_native: str | None = None
    account_setting: str = "account"
    processing_limit: timedelta = timedelta(minutes=15)
    simulated: Mapping[str, str] = field(default_factory=dict)
    contract_version: int = CONTRACT_VERSION

    def capabilities(self) -> frozenset[str]:
        """The capabilities of its class; raises ConfigurationError when one is half there."""
        return capabilities(self.adapter_class)

    def verify(self) -> None:
        """Raises ConfigurationError when the core cannot load this adapter."""
        if self.contract_version != CONTRACT_VERSION:
            raise ConfigurationError(
                f"adapter {self.name} is written for contract {self.contract_version}; this program has "
                f"contract {CONTRACT_VERSION}"
            )
        offered = self.capabilities()
        if not offered:
            raise ConfigurationError(f"adapter {self.name} offers no capability at all")
        if bool(offered & COMMANDS) is (self.idempotency is Idempotency.NO_COMMANDS):
            raise ConfigurationError(
                f"adapter {self.name}: its idempotency is {self.idempotency.value} and its commands are "
                f"{', '.join(sorted(offered & COMMANDS)) or 'none'}; expected no_commands exactly where there are none"
            )
        if ("BearsWitness" in offered) is not (self.idempotency is Idempotency.NONE):
            raise ConfigurationError(
                f"adapter {self.name}: its idempotency is {self.idempotency.value}; BearsWitness is expected exactly "
                "where a market keeps no ids of ours"
            )
