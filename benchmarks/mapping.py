"""Mapping a VCU export, serials parsed and checked: beside offsets-db-data on the same rows, and merely reading."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.exports import write_export
from benchmarks.report import Figure, rate, show, timed
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping

ROWS: Final = 200_000
RUNS: Final = 5
PEERS: Final = Path(__file__).parent / "peers"
ENVIRONMENT: Final = Path(__file__).parent.parent / ".venv-peers"


def peer_python() -> Path:
    """The interpreter of the peers' own environment, made from its lock when it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / ".ready").exists():
        print("installing offsets-db-data into an environment of its own", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*install, "-r", str(PEERS / "requirements.lock")], check=True)
        (ENVIRONMENT / ".ready").touch()
    return python


def run(folder: Path) -> list[Figure]:
    """Measures and prints; the peer and the limit are run before and after ours, and the better half counts."""
    path = folder / "vcus-200k.csv"
    origin = write_export(path, ROWS)
    python = peer_python()
    mapping = Mapping("vcus", Library.of_package("mappings.verra"))
    table = pl.read_csv(path, infer_schema=False)
    assert mapping.apply(table).rows.height == ROWS

    def peer() -> list[float]:
        done = subprocess.run(
            [str(python), str(PEERS / "offsets.py"), str(path), "3"], check=True, capture_output=True, text=True
        )
        seconds: list[float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
        return seconds

    peers, reading = peer(), timed(lambda: pl.read_csv(path, infer_schema=False), RUNS)
    ours = timed(lambda: mapping.apply(table), RUNS)
    reading += timed(lambda: pl.read_csv(path, infer_schema=False), RUNS)
    peers += peer()
    mapped, limit, other = rate(ROWS, ours), rate(ROWS, reading), rate(ROWS, peers)
    figures = [
        Figure(
            "mapping 200,000 rows",
            f"{mapped:,.0f} rows/s",
            f"offsets-db-data {other:,.0f} rows/s: {mapped / other:.1f}x",
            "4x",
            mapped >= 4 * other,
        ),
        Figure(
            "the same",
            f"{mapped:,.0f} rows/s",
            f"polars reading {limit:,.0f} rows/s: {mapped / limit:.2f} of it",
            "a third of it",
            mapped >= limit / 3,
        ),
    ]
    show(f"Mapping ({origin}, multiplied)", figures)
    return figures
