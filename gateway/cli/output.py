"""What the program says: tables and sentences for people on standard output, or one JSON document there.

Progress, notes and errors go to standard error. Text of a market is never trusted: control characters, which could
drive the terminal, and marks that reverse the direction of writing are shown as their numbers, and nothing in it is
read as markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.model.errors import GatewayError, UnusableFile

PLAIN_WIDTH: Final = 100
"""Columns of a table that goes to a file or a pipe."""

_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 controls, DEL, Unicode's line ends and direction marks (UAX 9), and halves of a character."""

Kind = Literal["text", "folded", "stacked", "short", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table for people.

    Attributes:
        heading: what stands above it.
        value: takes the cell's value from a row.
        kind: what gives way where a table is too wide: text is cut short, folded text goes on in the next line, stacked
            values stand each in lines of their own, short words and numbers (which stand right) stay whole.
        widest: how many characters it takes at most, where that is less than it could fill.
    """

    heading: str
    value: Callable[[Mapping[str, Any]], object]
    kind: Kind = "text"
    widest: int | None = None


def keyed(heading: str, key: str, kind: Kind = "text", widest: int | None = None) -> Column:
    """A column that shows one key of a row as it is; empty where the row does not have it."""
    return Column(heading, lambda row: row.get(key), kind, widest)


class Output:
    """The two streams of one command.

    Args:
        as_json: a program is reading: sentences and tables are left out, and :meth:`document` prints.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.errors = _console(stderr=True)
        self._people = _console(stderr=False)

    def document(self, value: object) -> None:
        """Prints the command's one JSON document, where a program is reading."""
        if self.as_json:
            print(json.dumps(value, indent=2, default=_json_value), flush=True)

    def say(self, sentence: str) -> None:
        """A sentence to a person."""
        if not self.as_json:
            self._people.print(Text(clean(sentence)), soft_wrap=True)

    def table(
        self,
        columns: Sequence[Column],
        rows: Iterable[Mapping[str, Any]],
        title: str | None = None,
        *,
        dense: bool = False,
    ) -> None:
        """A table to a person; a dense one, of many columns, has less space between them."""
        if self.as_json:
            return
        table = Table(
            box=SIMPLE_HEAD,
            title=title and Text(clean(title)),
            title_justify="left",
            title_style="bold",
            pad_edge=False,
            collapse_padding=dense,
        )
        for column in columns:
            table.add_column(
                column.heading,
                justify="right" if column.kind == "number" else "left",
                no_wrap=column.kind in {"short", "number"},
                max_width=column.widest,
            )
        for row in rows:
            table.add_row(*(_cell(column, row) for column in columns))
        self._people.print(table)

    def heading(self, text: str) -> None:
        """What stands above a table, after an empty line."""
        if not self.as_json:
            self._people.print()
            self._people.print(Text(clean(text), style="bold"))

    def note(self, sentence: str) -> None:
        """A line on standard error, whoever is reading."""
        self.errors.print(Text(clean(sentence)), soft_wrap=True)

    def fail(self, error: GatewayError) -> None:
        """Says what went wrong: a line on standard error, and the JSON document where a program is reading."""
        self.document({"error": error_document(error)})
        lines = str(error).splitlines() or [type(error).__name__]
        self.note(f"error: {lines[0]}")
        for line in lines[1:]:
            self.note(f"  {line}")


def error_document(error: GatewayError) -> dict[str, Any]:
    """An error as a JSON object; one of a file also says what was found, expected, and where."""
    document: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, UnusableFile):
        document |= {"found": error.found, "expected": error.expected, "where": error.where}
    return document


def clean(text: str) -> str:
    r"""Text that a terminal only shows: a control character becomes its number, as in ``\x1b``."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def said(value: object) -> str:
    """A value as a table shows it: units with thousands separators, instants in UTC, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}Z"
    if isinstance(value, list | tuple):
        return ", ".join(said(one) for one in value)
    return clean(str(value))


def shown(count: int, total: int, things: str) -> str:
    """How much of a list is shown: ``showing 50 of 20,467 blocks``."""
    if total == 0:
        return f"no {things}"
    return f"showing {count:,} of {total:,} {things}"


def counted(count: int, thing: str) -> str:
    """A number of things: ``1 project``, ``2,000 projects``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _cell(column: Column, row: Mapping[str, Any]) -> Text:
    cut = column.kind == "text"
    value = column.value(row)
    if column.kind == "stacked" and isinstance(value, list | tuple):
        return Text("\n".join(said(line) for line in value if line is not None), overflow="fold")
    return Text(said(value), no_wrap=cut, overflow="ellipsis" if cut else "fold")


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PLAIN_WIDTH)
    return console


def _json_value(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
