"""Several markets in one ``sync``: one table, and one adapter's mistake is that market's alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Final

import httpx
import pytest
import stamina

from adapters.cix.adapter import CixAdapter
from adapters.cix.mock import build as build_cix
from gateway.app import now
from gateway.cli.mocks import addresses_at
from gateway.kit.contract import Page
from gateway.markets.registry import installed
from tests.integration.conftest import CommandLine, ServedVerra, call, served

Settings = dict[str, str | None]
MISTAKE: Final = "a field that everybody has"


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nobody is there to be spared: a read that failed is not tried again."""
    with stamina.set_testing(testing=True, attempts=1):
        yield


@pytest.fixture
def settings(environment: Settings, fresh_database_url: str, verra_mock: ServedVerra) -> Iterator[Settings]:
    """Those of a registry with a wrong row of each kind, and of a marketplace beside it."""
    with served(build_cix(1, now, offered=6, positions=5)) as url:
        addresses = addresses_at(installed()["cix"], url).items()
        cix: Settings = {f"CARBON_GATEWAY_MARKETS__CIX__{key.upper()}": value for key, value in addresses}
        yield environment | {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url} | verra_mock.environment() | cix


@pytest.fixture
def both(settings: Settings) -> CommandLine:
    return partial(call, settings)


def row_of(market: str, shown: str) -> list[str]:
    (row,) = [line.split() for line in shown.splitlines() if line.startswith(f" {market} ")]
    return row


def test_several_markets_are_one_table_and_only_what_is_wrong_of_a_feed_is_told(
    both: CommandLine, verra_mock: ServedVerra
) -> None:
    book = verra_mock.mock.book

    first = both("sync")
    again = both("sync")
    alone = both("sync", "cix")

    assert (first.code, again.code, alone.code) == (0, 0, 0)
    assert "Own name 本名" in first.out
    quarantined = str(len(book.planted))
    assert row_of("verra", first.out)[-4:] == ["0", "0", quarantined, "complete"]
    assert int(row_of("verra", first.out)[-5].replace(",", "")) > len(book.holdings)
    assert row_of("verra", again.out)[-5:] == ["0", "0", "0", quarantined, "complete"]
    assert row_of("cix", again.out)[-5:] == ["0", "0", "0", "0", "complete"]
    assert "Stated" not in first.out
    assert "STATE_UNKNOWN" in first.out
    assert "rows wait in quarantine: carbon-gateway quarantine --market verra" in first.out
    assert "--market cix" not in first.out
    assert "cix: pull 5, complete" in alone.out
    assert "Stated" in alone.out
    assert all(len(line) <= 100 for line in (first.out + alone.out).splitlines() if line.startswith(" "))


def test_an_incomplete_feed_of_several_markets_is_told_by_its_market(
    settings: Settings, verra_mock: ServedVerra
) -> None:
    class Broken:
        def handle(self, request: httpx.Request) -> httpx.Response:
            if "/holdings/" in request.url.path:
                return httpx.Response(200, html="<html>Maintenance</html>")
            return verra_mock.mock.handle(request)

    with served(Broken()) as url:
        broken = ServedVerra(verra_mock.mock, verra_mock.clock, url).environment()
        answered = call(settings | broken, "sync")

    assert answered.code == 1
    assert row_of("verra", answered.out)[-1] == "incomplete"
    assert row_of("cix", answered.out)[-1] == "complete"
    assert "verra holdings is incomplete: " in answered.out
    assert "verra projects is incomplete" not in answered.out


def test_an_adapters_mistake_is_that_markets_failure_and_the_others_are_read(
    both: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistaken(self: CixAdapter, feed: str, cursor: str | None) -> Page:
        raise KeyError(MISTAKE)

    monkeypatch.setattr(CixAdapter, "read_listings", mistaken)

    answered = both("sync", "--json")
    person = both("sync")

    assert answered.code == person.code == 1
    lost, read = json.loads(answered.out)["markets"]
    assert (lost["market"], lost["error"]["type"]) == ("cix", "GatewayError")
    assert lost["error"]["message"] == f"cix: the adapter broke off with KeyError: '{MISTAKE}'"
    assert (read["market"], read["status"]) == ("verra", "complete")
    (logged,) = [json.loads(line) for line in answered.err.splitlines() if line.startswith("{")]
    assert (logged["level"], logged["event"], logged["market"]) == ("error", "market failed", "cix")
    assert "Traceback" in logged["exception"]
    assert "in mistaken" in logged["exception"]
    assert person.err.count("error: cix: the adapter broke off") == 1
    assert row_of("cix", person.out)[-1] == "failed"
    assert row_of("verra", person.out)[-1] == "complete"


def test_a_market_that_is_not_there_has_a_row_that_says_so(settings: Settings) -> None:
    gone = {name: "http://127.0.0.1:1" for name in settings if name.startswith("CARBON_GATEWAY_MARKETS__CIX__")}

    answered = call(settings | gone, "sync")

    assert answered.code == 3
    assert row_of("cix", answered.out)[-2:] == ["not", "reached"]
    assert row_of("verra", answered.out)[-1] == "complete"
