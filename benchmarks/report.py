"""How a figure is printed: what was measured, beside what, against which goal."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure. ``met`` is None where there is no goal."""

    name: str
    value: str
    beside: str
    goal: str
    met: bool | None


def timed(call: Callable[[], object], runs: int) -> list[float]:
    """The seconds of each run, after one that is not counted."""
    call()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def rate(rows: int, seconds: Sequence[float]) -> float:
    """Rows a second at the median run."""
    return rows / statistics.median(seconds)


def show(title: str, figures: Sequence[Figure]) -> None:
    """Prints a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in ("measured", "figure", "beside", "goal", ""):
        table.add_column(heading)
    for one in figures:
        verdict = "" if one.met is None else "met" if one.met else "MISSED"
        table.add_row(one.name, one.value, one.beside, one.goal, verdict)
    Console(width=120).print(table)
