"""Capabilities are what a class's signatures say, and half a capability is an error when it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.kit.capabilities import capabilities
from gateway.kit.contract import CAPABILITIES, CONTRACT_VERSION, Feed, Page, StatedTotal
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.model.commands import CashOrder, CommandStatus, Retirement, Transfer
from gateway.model.errors import ConfigurationError


class ReadsBoth:
    def catalogue_feeds(self) -> Sequence[Feed]:
        return []

    async def catalogue_total(self, feed: str) -> StatedTotal:
        raise NotImplementedError

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        raise NotImplementedError

    def export_mappings(self) -> Sequence[str]:
        return ()


class ReadsFiles:
    def export_mappings(self) -> Sequence[str]:
        return ()


class Inherits(ReadsBoth):
    async def helper(self) -> None:
        """Any other method is the adapter's own."""


class Neither:
    def feeds(self) -> None: ...


def changed(**methods: object) -> type:
    """A class with every method of the catalogue but those changed here; None takes one away."""
    kept = {name: vars(ReadsBoth)[name] for name in ("catalogue_feeds", "catalogue_total", "read_catalogue")}
    return type("Changed", (), {name: method for name, method in (kept | methods).items() if method is not None})


def manifest_of(adapter_class: type, **changes: Any) -> Manifest:
    manifest = Manifest(
        name="test",
        title="Test",
        role=MarketRole.REGISTRY,
        calendar="verra",
        programme="T",
        zone="UTC",
        config_model=BaseModel,
        adapter_class=adapter_class,
        mappings="mappings.test",
        rate_limits=(),
        idempotency=Idempotency.NO_COMMANDS,
        mock_factory=lambda _seed, _clock: pytest.fail("nobody asks"),
        rehearse=lambda _seed, _clock: pytest.fail("nobody asks"),
    )
    return replace(manifest, **changes)


@pytest.mark.parametrize(
    ("adapter_class", "expected"),
    [
        (ReadsBoth, {"ReadsCatalogue", "ParsesExports"}),
        (Inherits, {"ReadsCatalogue", "ParsesExports"}),
        (ReadsFiles, {"ParsesExports"}),
        (changed(), {"ReadsCatalogue"}),
        (Neither, set()),
    ],
)
def test_a_class_has_the_capabilities_that_its_methods_make(adapter_class: type, expected: set[str]) -> None:
    assert capabilities(adapter_class) == expected


def test_the_protocols_themselves_have_what_they_ask_for() -> None:
    for protocol in CAPABILITIES:
        assert protocol.__name__ in capabilities(protocol)


async def with_more_parameters(self: object, feed: str, cursor: str | None, limit: int) -> None: ...
async def with_other_names(self: object, feed: str, place: str | None) -> None: ...
async def with_keyword_only(self: object, feed: str, *, cursor: str | None) -> None: ...
async def with_anything(self: object, *args: object, **named: object) -> None: ...
def plain(self: object, feed: str, cursor: str | None) -> None: ...
async def feeds_as_coroutine(self: object) -> None: ...


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"read_catalogue": None}, "read_catalogue is missing"),
        ({"catalogue_feeds": None, "catalogue_total": None}, "catalogue_feeds is missing; catalogue_total is missing"),
        ({"read_catalogue": plain}, "read_catalogue should be a coroutine"),
        ({"catalogue_feeds": feeds_as_coroutine}, "catalogue_feeds should be a plain method"),
        (
            {"read_catalogue": with_more_parameters},
            r"read_catalogue takes \(self, feed, cursor, limit\), expected \(self, feed, cursor\)",
        ),
        ({"read_catalogue": with_other_names}, r"read_catalogue takes \(self, feed, place\)"),
        ({"read_catalogue": with_keyword_only}, r"read_catalogue takes \(self, feed, cursor\)"),
        ({"read_catalogue": with_anything}, r"read_catalogue takes \(self, args, named\)"),
        ({"read_catalogue": staticmethod(with_other_names)}, r"read_catalogue takes \(self, feed, place\)"),
        ({"read_catalogue": "a text"}, "read_catalogue is not a method"),
        ({"read_catalogue": plain, "catalogue_total": None}, "catalogue_total is missing; read_catalogue should be"),
    ],
)
def test_half_a_capability_is_an_error_that_names_every_fault(methods: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Changed has half of the capability ReadsCatalogue: {message}"):
        capabilities(changed(**methods))


def test_a_manifest_is_refused_for_another_contract_for_half_a_capability_and_for_none() -> None:
    manifest_of(ReadsBoth).verify()
    with pytest.raises(ConfigurationError, match=f"adapter test is written for contract {CONTRACT_VERSION + 1}"):
        manifest_of(ReadsBoth, contract_version=CONTRACT_VERSION + 1).verify()
    with pytest.raises(ConfigurationError, match="half of the capability"):
        manifest_of(changed(read_catalogue=None)).verify()
    with pytest.raises(ConfigurationError, match="adapter test offers no capability at all"):
        manifest_of(Neither).verify()


class Commands(ReadsBoth):
    async def move_cash(self, order: CashOrder) -> CommandStatus:
        raise AssertionError(order)

    async def cash_status(self, order: CashOrder) -> CommandStatus:
        raise AssertionError(order)


class Witnesses(Commands):
    async def witness(self, order: Transfer | Retirement) -> str:
        raise AssertionError(order)


def test_a_manifest_says_how_its_market_treats_a_repeated_command() -> None:
    manifest_of(Commands, idempotency=Idempotency.NATIVE).verify()
    manifest_of(Witnesses, idempotency=Idempotency.NONE).verify()
    with pytest.raises(ConfigurationError, match=r"idempotency is no_commands and its commands are MovesCash"):
        manifest_of(Commands).verify()
    with pytest.raises(ConfigurationError, match=r"idempotency is native and its commands are none"):
        manifest_of(ReadsBoth, idempotency=Idempotency.NATIVE).verify()
    with pytest.raises(ConfigurationError, match=r"idempotency is none; BearsWitness is expected"):
        manifest_of(Commands, idempotency=Idempotency.NONE).verify()
    with pytest.raises(ConfigurationError, match=r"idempotency is native; BearsWitness is expected"):
        manifest_of(Witnesses, idempotency=Idempotency.NATIVE).verify()
