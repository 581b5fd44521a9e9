"""How far a long read has come: bars on a terminal, a line for each feed elsewhere. Always on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gateway.cli.output import Output, clean


class FeedProgress:
    """Shows the feeds of markets while they are read page by page.

    Args:
        output: whose standard error it writes to.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars = _bars(output) if output.errors.is_terminal else None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._told: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        """Starts the bars."""
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the bars as they are and gives the terminal back."""
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, market: str, feed: str, done: int, total: int) -> None:
        """``done`` of ``total`` rows of a feed are read."""
        key = (market, feed)
        if self._bars is not None:
            if key not in self._tasks:
                self._tasks[key] = self._bars.add_task(clean(f"{market} {feed}"), total=total, said="")
            self._bars.update(self._tasks[key], completed=done, total=total, said=f"{done:,} of {total:,} rows")
        elif done >= total and key not in self._told:
            self._told.add(key)
            self._output.note(f"{market} {feed}: read {done:,} of {total:,} rows")


class FileProgress:
    """Shows how many rows of a file were read; says nothing where there is no terminal."""

    def __init__(self, output: Output, file: str) -> None:
        self._bars = _bars(output, transient=True)
        self._shown = output.errors.is_terminal
        self._task = self._bars.add_task(clean(file), total=None, said="")

    def __enter__(self) -> Self:
        """Starts the line."""
        if self._shown:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the line away."""
        if self._shown:
            self._bars.stop()

    def __call__(self, rows: int) -> None:
        """So many rows are read."""
        self._bars.update(self._task, said=f"{rows:,} rows")


def _bars(output: Output, *, transient: bool = False) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        TimeElapsedColumn(),
        console=output.errors,
        transient=transient,
    )
