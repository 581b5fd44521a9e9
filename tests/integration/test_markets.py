from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from adapters.verra import MANIFEST
from gateway.kit.contract import Feed, Page, StatedTotal
from gateway.kit.manifest import Idempotency, Manifest
from gateway.kit.mock import MockClock
from gateway.markets import registry
from gateway.markets.linked import link
from gateway.markets.registry import ENTRY_POINT_GROUP, installed
from gateway.model.errors import CapabilityMissing, ConfigurationError
from tests.integration.catalogue_support import NOW


class Adapter:
    """What every adapter here is made of."""

    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        self.config = config


class Nothing(Adapter):
    pass


class Half(Adapter):
    def catalogue_feeds(self) -> Sequence[Feed]:
        return []


class OtherWords(Half):
    async def catalogue_total(self, name: str) -> StatedTotal:
        raise NotImplementedError

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        raise NotImplementedError


class NoCoroutine(Half):
    def catalogue_total(self, feed: str) -> StatedTotal:
        raise NotImplementedError

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        raise NotImplementedError


class OnlyFiles(Adapter):
    def export_mappings(self) -> Sequence[str]:
        return ("vcus",)


def manifest(adapter: type, **changes: Any) -> Manifest:
    """A manifest of a market where nothing is commanded."""
    readable = replace(MANIFEST, name="other", adapter_class=adapter, idempotency=Idempotency.NO_COMMANDS)
    return replace(readable, **changes)


HALF = manifest(Half)
NOTHING = manifest(Nothing)
OTHER_WORDS = manifest(OtherWords)
NO_COROUTINE = manifest(NoCoroutine)
LATER_CONTRACT = manifest(OnlyFiles, contract_version=99)
COMMANDED = manifest(OnlyFiles, idempotency=Idempotency.BY_REFERENCE)
UNCOMMANDED = manifest(MANIFEST.adapter_class)
WITHOUT_WITNESS = manifest(MANIFEST.adapter_class, idempotency=Idempotency.NONE)
WRONG_NAME = replace(manifest(OnlyFiles), name="Other/Market")
GOOD = manifest(OnlyFiles)
HERE = "tests.integration.test_markets"


def found(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> Callable[[], dict[str, Manifest]]:
    listed = [EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in points]

    def entry_points(*, group: str) -> list[EntryPoint]:
        return [point for point in listed if point.group == group]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    return installed


def test_the_adapters_that_are_installed_are_found() -> None:
    assert installed()["verra"] is MANIFEST


def test_one_of_a_third_party_is_found_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    both = found(monkeypatch, ("verra", "adapters.verra:MANIFEST"), ("other", f"{HERE}:GOOD"))()
    assert list(both) == ["other", "verra"]
    assert both["other"].capabilities() == {"ParsesExports"}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            f"{HERE}:HALF",
            "Half has half of the capability ReadsCatalogue: catalogue_total is missing; read_catalogue is",
        ),
        (f"{HERE}:OTHER_WORDS", r"catalogue_total takes \(self, name\), expected \(self, feed\)"),
        (f"{HERE}:NO_COROUTINE", "catalogue_total should be a coroutine"),
        (f"{HERE}:NOTHING", "adapter other offers no capability at all"),
        (
            f"{HERE}:LATER_CONTRACT",
            "adapter other is written for contract 99; this program has contract 2",
        ),
        (f"{HERE}:COMMANDED", "its idempotency is by_reference and its commands are none; expected no_commands"),
        (f"{HERE}:UNCOMMANDED", "is no_commands and its commands are AcceptsTransfers, Retires, Transfers; expected"),
        (f"{HERE}:WITHOUT_WITNESS", "its idempotency is none; BearsWitness is expected exactly where"),
        (f"{HERE}:WRONG_NAME", "calls the market 'Other/Market'; expected small letters"),
        ("adapters.verra:MANIFEST", "adapter other: its manifest calls it verra; expected one name"),
        (f"{HERE}:Half", "is type, expected a gateway.kit.manifest.Manifest"),
        (f"{HERE}:absent", r"adapter other .*:absent\) cannot be loaded: AttributeError"),
        ("no.such.package:MANIFEST", r"cannot be loaded: ModuleNotFoundError\(.No module named 'no'"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        found(monkeypatch, ("other", value))()


def test_two_adapters_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="two installed adapters are called other; remove one"):
        found(monkeypatch, ("other", f"{HERE}:GOOD"), ("other", f"{HERE}:HALF"))()


async def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="settings of market verra: colour: Extra inputs are not permitted"):
        async with link(MANIFEST, {"colour": "red"}, MockClock(NOW)):
            pass
    with pytest.raises(ConfigurationError, match=r"settings of market verra: reports_url: .*; window: "):
        async with link(MANIFEST, {"reports_url": "nonsense", "window": 0}, MockClock(NOW)):
            pass


async def test_a_mapping_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"adapter other: its mapping package no\.such is not there"):
        async with link(replace(GOOD, mappings="no.such"), {}, MockClock(NOW)):
            pass


async def test_what_an_adapter_does_not_offer_is_not_asked_of_it() -> None:
    async with link(GOOD, {}, MockClock(NOW)) as market:
        assert market.parses_exports().export_mappings() == ("vcus",)
        with pytest.raises(CapabilityMissing, match="other does not offer ReadsCatalogue; it offers ParsesExports"):
            market.reads_catalogue()


async def test_a_mapping_is_compiled_once_and_a_wrong_name_is_told() -> None:
    async with link(MANIFEST, {}, MockClock(NOW)) as market:
        assert market.mapping("vcus") is market.mapping("vcus")
        with pytest.raises(ConfigurationError, match=r"mapping document .*absent.yaml: cannot be read"):
            market.mapping("absent")
