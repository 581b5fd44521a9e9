"""``demo``: the whole way of the catalogue on one machine, with a stand-in of the Verra registry. Nothing to set up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.cli.catalogue import CLASS_COLUMNS, PROJECT_COLUMNS, show
from gateway.cli.execution import Exit, JsonOption, execute
from gateway.cli.markets import MARKET_COLUMNS, market_rows
from gateway.cli.mocks import serving
from gateway.cli.output import Output
from gateway.cli.quarantine import QUARANTINE_COLUMNS, waiting
from gateway.cli.synchronisation import Pulled, is_complete, pull, tell

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.catalogue.queries import Answer
    from gateway.settings import Settings

MARKET: Final = "verra"
SEED: Final = 1
BOOK_INSTANT: Final = datetime(2026, 7, 1, 8, tzinfo=UTC)
"""The stand-in's clock stands still: the same book every time, so that a second run finds nothing changed."""
ROWS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the demonstration shows of the catalogue after the pull."""

    markets: list[dict[str, Any]]
    projects: Answer
    classes: Answer
    quarantine: Answer


def demo(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the gateway at work: a stand-in of the Verra registry, read into a database of its own."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        own = settings.model_copy(
            update={"database_url": None, "data_directory": settings.data_directory / "demo", "markets": {}}
        )
        if settings.database_url is not None:
            output.note("the demonstration leaves CARBON_GATEWAY_DATABASE_URL alone and uses a database of its own")
        output.note(f"the demonstration's data are in {own.data_directory}")
        began = time.perf_counter()
        async with running(own) as gateway:
            pulled, found = await _run(gateway, output)
        seconds = round(time.perf_counter() - began, 3)
        output.document(_document(own, pulled, found, seconds))
        _tell(output, pulled, found, seconds)
        return Exit.DONE if is_complete(pulled.synced) else Exit.WRONG

    execute(context, as_json=as_json, work=work)


async def _run(gateway: Application, output: Output) -> tuple[Pulled, _Shown]:
    from gateway.catalogue import queries

    async with serving(gateway.manifest(MARKET), SEED, lambda: BOOK_INSTANT) as served:
        output.note(f"a stand-in of {MARKET} answers at {served.url}")
        async with gateway.link(MARKET, served.settings) as market:
            pulled = await pull(gateway.database, market, output)
    async with gateway.database.transaction() as connection:
        return pulled, _Shown(
            markets=await market_rows(gateway, connection),
            projects=await queries.projects(
                connection, market=MARKET, state=None, country=None, text=None, limit=ROWS_SHOWN
            ),
            classes=await queries.classes(connection, queries.BlockFilter(market=MARKET), ROWS_SHOWN),
            quarantine=await waiting(connection, MARKET, ROWS_SHOWN),
        )


def _document(settings: Settings, pulled: Pulled, found: _Shown, seconds: float) -> dict[str, Any]:
    lists = {"projects": found.projects, "classes": found.classes, "quarantine": found.quarantine}
    return {
        "data_directory": settings.data_directory,
        "seconds": seconds,
        "pull": pulled.document(),
        "markets": {"rows": found.markets, "total": len(found.markets)},
    } | {name: {"rows": one.rows, "total": one.total} for name, one in lists.items()}


def _tell(output: Output, pulled: Pulled, found: _Shown, seconds: float) -> None:
    tell(output, pulled)
    output.heading("Markets")
    output.table(MARKET_COLUMNS, found.markets)
    output.heading("Projects")
    show(output, found.projects, PROJECT_COLUMNS, "projects")
    output.heading("Credit classes, the largest active first")
    show(output, found.classes, CLASS_COLUMNS, "credit classes")
    output.heading("In quarantine, and why")
    show(output, found.quarantine, QUARANTINE_COLUMNS, "rows in quarantine")
    again = "" if pulled.synced.changed_anything else "; nothing changed since the last run"
    output.heading(f"done in {seconds:.1f} s{again}")
