"""The manifest: all that the core knows of an adapter before it binds it.

Found through the entry-point group ``carbon_gateway.adapters``. There is no registration at import and no scanning of
folders; a third party ships a market as a package of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from gateway.kit.clock import Clock
from gateway.kit.contract import CONTRACT_VERSION, capabilities
from gateway.kit.transport import RateLimit, Transport
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    # It brings a web server along, which only those need who serve a mock.
    from gateway.kit.mock import Mock

MockFactory: TypeAlias = "Callable[[int, Clock], Mock]"
"""Builds a market's stateful stand-in from a seed and a clock."""

AdapterFactory: TypeAlias = Callable[[BaseModel, Transport, Clock], object]


class Idempotency(StrEnum):
    """How a market treats a repeated command."""

    NATIVE = "native"
    BY_REFERENCE = "by_reference"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an adapter says of itself.

    Attributes:
        name: the market's name in our program; also the name of its settings and of its mock.
        title: the market's own name, as people know it.
        programme: the crediting programme whose units it registers, in short (``VCS``).
        zone: the IANA zone in which the market writes a time without one.
        config_model: its settings; secrets are ``SecretStr``.
        adapter_class: built with (config, transport, clock).
        mappings: the package that holds its mapping documents.
        rate_limits: one per scope that the market meters.
        mock_factory: builds its stand-in.
        simulated: what of its shape is our own invention, each with a sentence; empty where all is documented.
    """

    name: str
    title: str
    programme: str
    zone: str
    config_model: type[BaseModel]
    adapter_class: type
    mappings: str
    rate_limits: tuple[RateLimit, ...]
    idempotency: Idempotency
    mock_factory: MockFactory
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
        if not self.capabilities():
            raise ConfigurationError(f"adapter {self.name} offers no capability at all")
