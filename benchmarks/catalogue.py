"""The catalogue: a file of 200,000 rows end to end, the memory of one of 1,000,000, an unchanged market."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.exports import write_export
from benchmarks.report import Figure, show
from gateway.store import schema
from gateway.store.database import Database
from gateway.store.embedded import EmbeddedServer, ServerAddress, inspect

ROWS: Final = 200_000
MANY_ROWS: Final = 1_000_000
PROJECTS: Final = 5_000
BLOCKS: Final = 20_000


def run(folder: Path) -> list[Figure]:
    """Measures and prints, on an embedded PostgreSQL of its own."""
    with _postgresql(folder / "postgresql") as address:
        small, large = folder / "vcus-200k.csv", folder / "vcus-1m.csv"
        origin = write_export(small, ROWS)
        write_export(large, MANY_ROWS)
        first = _ingest_in_a_process(address.url, small, ROWS)
        again = _ingest_in_a_process(address.url, small, ROWS, fresh=False)
        big = _ingest_in_a_process(address.url, large, MANY_ROWS)
        asyncio.run(_reset(address.url))
        synced = asyncio.run(_sync(address.url))
    figures = [
        Figure(
            "ingest of 200,000 rows into PostgreSQL",
            f"{ROWS / first['seconds']:,.0f} rows/s",
            f"the same file again {ROWS / again['seconds']:,.0f} rows/s",
            "40,000 rows/s",
            ROWS / first["seconds"] >= 40_000,
        ),
        Figure(
            "ingest of 1,000,000 rows",
            f"{big['peak_megabytes']:,.0f} MB at most",
            f"{MANY_ROWS / big['seconds']:,.0f} rows/s",
            "under 1,000 MB",
            big["peak_megabytes"] < 1_000,
        ),
        Figure(
            f"sync of an unchanged market, {PROJECTS:,} projects and {BLOCKS:,} blocks",
            f"{synced[1]:.2f} s",
            f"the first time {synced[0]:.2f} s",
            "under 3 s",
            synced[1] < 3,
        ),
    ]
    show(f"Catalogue ({origin}, multiplied; the stand-in on a real port)", figures)
    return figures


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[ServerAddress]:
    """An embedded server that has stopped when the context ends, so that its folder can be removed."""
    with EmbeddedServer(folder) as address:
        yield address
    for _ in range(300):
        if not inspect(folder).running:
            return
        time.sleep(0.1)


def _ingest_in_a_process(url: str, path: Path, rows: int, *, fresh: bool = True) -> dict[str, float]:
    if fresh:
        asyncio.run(_reset(url))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.catalogue", url, str(path)], check=True, capture_output=True, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert figures["accepted"] == rows, figures
    return figures


async def _reset(url: str) -> None:
    async with Database(url) as database:
        await schema.reset(database)


async def _ingest(url: str, path: Path) -> None:
    from gateway.catalogue.ingest import Ingestion
    from gateway.kit.mapping.document import Library
    from gateway.kit.mapping.engine import Mapping

    library = Library.of_package("mappings.verra")
    mappings = [Mapping("vcus", library), Mapping("project-list", library)]
    async with Database(url) as database:
        began = time.perf_counter()
        found = await Ingestion("verra", "VCS", mappings, path, actor="benchmark").run(database)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_megabytes": peak, "accepted": found.accepted}))


async def _sync(url: str) -> list[float]:
    from gateway.catalogue.sync import sync
    from gateway.markets.linked import link
    from gateway.markets.registry import installed

    seconds = []
    async with Database(url) as database, _stand_in() as address:
        platform = f"{address}/ci-raas-prod"
        settings = {
            "reports_url": f"{platform}/raas-report-api/es/public",
            "resources_url": f"{platform}/cms-resources",
        }
        for _ in range(4):
            async with link(installed()["verra"], settings, _now) as market:
                began = time.perf_counter()
                synced = await sync(database, market, actor="benchmark", progress=lambda *_: None)
                seconds.append(time.perf_counter() - began)
                assert synced.status == "complete", synced.summary()
    return [seconds[0], sorted(seconds[1:])[1]]


@contextlib.asynccontextmanager
async def _stand_in() -> AsyncIterator[str]:
    """The market in a process of its own, as a real one would be."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.catalogue", "--stand-in", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    try:
        yield address
    finally:
        process.terminate()
        await process.wait()


async def _serve_stand_in() -> None:
    from adapters.verra.mock import build
    from gateway.kit.mock import MockClock, serve

    clock = MockClock(datetime(2026, 11, 2, tzinfo=UTC))
    async with serve(build(1, clock, projects=PROJECTS, blocks=BLOCKS)) as address:
        print(address, flush=True)
        await asyncio.Event().wait()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    asyncio.run(_serve_stand_in() if sys.argv[1] == "--stand-in" else _ingest(sys.argv[1], Path(sys.argv[2])))
