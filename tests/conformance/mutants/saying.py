"""Broken in what they say of themselves, in their source, their secrets and their fixtures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from gateway.kit.conformance.fixtures import GOLDEN
from gateway.kit.contract import CONTRACT_VERSION, Feed, Page
from gateway.kit.errors import AdapterError, Unavailable
from gateway.kit.manifest import Idempotency
from gateway.kit.rehearsal import Rehearsal
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.client import MARKET
from tests.conformance.market.config import HarbourConfig
from tests.conformance.mutants.making import Mutant, broken


class HalfACapability:
    """It can transfer, and not say what became of it."""

    transfer = HarbourAdapter.transfer


class PlainInsteadOfAsync(HarbourAdapter):
    def retire(self, order: Any) -> Any:
        return order


class NoMapping(HarbourAdapter):
    def listing_feeds(self) -> Sequence[Feed]:
        return [Feed("listings", mapping="offers")]


class Unmetered:
    """A line that names no scope."""

    def __init__(self, line: Any) -> None:
        self._line = line

    async def read_json(self, *arguments: Any, scope: str | None = None, **options: Any) -> Any:
        return await self._line.read_json(*arguments, **options)


class CountsNothing(HarbourAdapter):
    def __init__(self, config: HarbourConfig, transport: Any, clock: Any) -> None:
        super().__init__(config, Unmetered(transport), clock)  # type: ignore[arg-type]


class KnowsNobody:
    def handle(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"code": "WHO"})


class LoudConfig(HarbourConfig):
    def __repr__(self) -> str:
        return f"HarbourConfig(secret={self.secret.get_secret_value()!r})"


class LogsTheSecret(HarbourAdapter):
    def __init__(self, config: HarbourConfig, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._said = config.secret.get_secret_value()

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        logging.getLogger("harbour").debug("signing in with %s", self._said)
        return await super().read_holdings(feed, cursor)


class TellsTheSecret(LogsTheSecret):
    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        try:
            return await HarbourAdapter.read_holdings(self, feed, cursor)
        except AdapterError as error:
            raise Unavailable(f"{error}, as {self._said}", market=MARKET, operation="list") from error


class AsksForMore(HarbourAdapter):
    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        return await super().read_trades(feed, since.replace(second=1), cursor)


def _without_refusals(rehearsal: Rehearsal) -> Rehearsal:
    return replace(rehearsal, refused=rehearsal.refused[:1])


def _without_orders(rehearsal: Rehearsal) -> Rehearsal:
    return replace(rehearsal, transfers=())


def _without_rows(rehearsal: Rehearsal) -> Rehearsal:
    del rehearsal.mock.lists["projects"][1:]  # type: ignore[attr-defined]
    return rehearsal


def _one_secret(rehearsal: Rehearsal) -> Rehearsal:
    return replace(rehearsal, secrets=rehearsal.secrets[:1])


def _emptied(folder: Path) -> None:
    path = folder / f"ReadsTrades-trades{GOLDEN}.json"
    path.write_text('{"pages": []}', encoding="utf-8")


def _with_a_secret(folder: Path) -> None:
    path = folder / "ReadsTrades-trades.json"
    path.write_text(path.read_text("utf-8").replace("token-2", "harbour-secret"), encoding="utf-8")


MUTANTS = (
    Mutant("another contract", ("M010",), manifest={"contract_version": CONTRACT_VERSION + 1}),
    broken("half a capability", "M020", adapter=HalfACapability),
    broken("sync instead of async", "M020", adapter=PlainInsteadOfAsync),
    Mutant("an unknown calendar", ("M030",), manifest={"calendar": "atlantis"}),
    Mutant("an unknown zone", ("M040",), manifest={"zone": "Asia/Atlantis"}),
    Mutant("assumes UTC", ("M040", "F020"), mappings={"movements.yaml": ("Asia/Hong_Kong", "UTC")}),
    broken("a feed that no mapping reads", "M050", adapter=NoMapping),
    Mutant("a broken mapping", ("M050",), mappings={"blocks.yaml": ("from: units", "form: units")}),
    Mutant("commands where there are none", ("M060",), manifest={"idempotency": Idempotency.NO_COMMANDS}),
    broken("counts no request", "M070", adapter=CountsNothing),
    Mutant("no order that is refused", ("M080",), rehearsal=_without_refusals),
    Mutant("no order at all", ("M080",), rehearsal=_without_orders),
    Mutant("a feed of one row", ("M080",), rehearsal=_without_rows),
    Mutant("a stand-in for nobody", ("M090",), manifest={"mock_factory": lambda seed, clock: KnowsNobody()}),
    Mutant("prints its secret", ("K010",), manifest={"config_model": LoudConfig}),
    Mutant("names half its secrets", ("K010",), rehearsal=_one_secret),
    broken("logs the secret", "K020", adapter=LogsTheSecret),
    broken("tells the secret in an error", "K030", adapter=TellsTheSecret),
    Mutant("imports the store", ("S010",), sources={"adapter.py": ("", "from gateway.store import database\n")}),
    Mutant("imports its neighbour", ("S010",), sources={"client.py": ("", "import tests.conformance.harbour\n")}),
    Mutant("asks the clock", ("S020",), sources={"adapter.py": ("self._clock())", "datetime.now(UTC))")}),
    Mutant("reads environ", ("S030",), sources={"client.py": ("", "import os\nURL = os.environ['HARBOUR_URL']\n")}),
    Mutant("opens a client", ("S040",), sources={"client.py": ("", "import httpx\nLINE = httpx.AsyncClient()\n")}),
    Mutant("calls float", ("S050",), sources={"adapter.py": ("str(order.amount)", "float(order.amount)")}),
    Mutant("decodes by itself", ("S060",), sources={"client.py": ("decode_json(", "json.loads(")}),
    Mutant("catches cancellation", ("S070",), sources={"client.py": ("except Undecodable", "except BaseException")}),
    Mutant("waits by itself", ("S070",), sources={"client.py": ("", "import stamina\n")}),
    Mutant("a feed without fixture", ("F010",), fixtures=lambda folder: (folder / "ReadsTrades-trades.json").unlink()),
    Mutant("an empty golden file", ("F010", "F020"), fixtures=_emptied),
    Mutant("another meaning of a word", ("F020",), mappings={"unit-states.yaml": ("means: active", "means: retired")}),
    broken("asks for something else", "F030", adapter=AsksForMore),
    Mutant("a fixture of nothing", ("F040",), fixtures=lambda folder: (folder / "ReadsBooks-books.json").touch()),
    Mutant("a recorded secret", ("F050",), fixtures=_with_a_secret),
)
