"""A feed's first page with one value that says something else: on the wire where it is JSON, and in its table.

On the wire shows what the adapter makes of it before its mapping sees it; in the table shows the mapping alone, which
is all that can be shown of a market that sends no JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from gateway.kit.conformance.check import Failed
from gateway.kit.conformance.line import Exchange, Line, Tamper
from gateway.kit.conformance.reading import Stream, mapped
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.conformance.tampers import is_json_body, replaced_value, rewritten
from gateway.kit.contract import Page
from gateway.kit.errors import ContractBreach
from gateway.kit.mapping.document import CodesRule, ConstantRule, FlagRule, PresenceRule, Rule, TextsRule
from gateway.kit.mapping.engine import ROW, Mapped
from gateway.model.records import required
from gateway.model.vocabulary import FieldClass

NULL: Final = b"null"


@dataclass(frozen=True, slots=True)
class Clean:
    """A feed's first page as it is.

    Attributes:
        stream: the feed.
        page: the page.
        made: its records.
        trial: what it was read from, and can be read from again.
        exchanges: what was asked for it.
    """

    stream: Stream
    page: Page
    made: Mapped
    trial: Trial
    exchanges: tuple[Exchange, ...]

    def json_exchanges(self) -> list[Exchange]:
        """Those whose answers are JSON, where the page itself is; a list of files is not what they hold."""
        if not is_json_body(self.page.document.content):
            return []
        return [one for one in self.exchanges if one.response is not None and is_json_body(one.response.content)]

    def row_of(self, source: str) -> int | None:
        """The first accepted row with a value in this column."""
        if source not in self.page.rows.columns:
            return None
        accepted = [number - 1 for number in self.made.rows.get_column(ROW).to_list()]
        return next((row for row in accepted if self.page.rows[source][row] is not None), None)


@dataclass(frozen=True, slots=True)
class Edited:
    """A page that says something else.

    Attributes:
        place: where it was changed, for messages.
        rows: its rows; None where the adapter refused the page.
        changed: the rows that say something else than the clean page.
    """

    place: str
    rows: pl.DataFrame | None
    changed: tuple[int, ...]


async def clean(subject: Subject, stream: Stream) -> Clean:
    """A feed's first page, read once for all checks; the book that it is of is only read."""

    async def read() -> Clean:
        trial = subject.trial()
        page = await _read(stream, trial, None)
        return Clean(stream, page, mapped(subject, stream, page.rows), trial, tuple(trial.line.exchanges))

    return await subject.kept_later(f"clean {stream.title}", read)


def sources(
    subject: Subject, stream: Stream, classes: frozenset[FieldClass], kinds: tuple[type, ...]
) -> list[tuple[str, Any]]:
    """The record's fields of some classes that rules of some kinds read, with their rules."""
    rules: dict[str, Rule] = subject.mapping(stream.feed.mapping).document.fields
    return [
        (name, rule)
        for name, rule in rules.items()
        if not isinstance(rule, ConstantRule) and rule.field_class in classes and isinstance(rule, kinds)
    ]


def required_sources(subject: Subject, stream: Stream) -> list[tuple[str, Any]]:
    """The fields that a record must have, with the rules that read them, but those to which nothing is a value.

    Lists may be empty, a presence is a question whose answer may be no, and a flag may have a default.
    """
    document = subject.mapping(stream.feed.mapping).document
    needed = required(document.record)
    return [
        (name, rule)
        for name, rule in document.fields.items()
        if name in needed
        and not isinstance(rule, ConstantRule | CodesRule | TextsRule | PresenceRule)
        and not (isinstance(rule, FlagRule) and rule.absent is not None)
        and not rule.optional
    ]


async def edited(one: Clean, source: str, cell: str | None, token: bytes | None = None) -> list[Edited]:
    """The page with one value changed, each way in which it can be; empty where no row has one.

    Args:
        one: the page as it is.
        source: the column, or path.
        cell: what the value becomes as text.
        token: what it becomes in JSON, where that is no plain text or number.
    """
    row = one.row_of(source)
    if row is None:
        return []
    texts = one.page.rows.get_column(source).to_list()
    texts[row] = cell
    found = [Edited("in its table", one.page.rows.with_columns(pl.Series(source, texts, pl.String)), (row,))]
    tamper = _on_the_wire(one, source, one.page.rows[source][row], cell, token)
    if tamper is not None:
        found.append(await on_the_wire(one, tamper, source))
    return found


async def on_the_wire(one: Clean, tamper: Tamper, source: str | None) -> Edited:
    """The page read again over a tampered line.

    Raises Failed when the adapter raises anything but a ContractBreach, or leaves out a row.
    """
    place = "on the wire"
    try:
        page = await _read(one.stream, one.trial, tamper)
    except ContractBreach:
        return Edited(place, None, ())
    except Exception as error:
        raise Failed(
            f"{one.stream.title}, {source} changed {place}: {error!r}, expected a page or ContractBreach"
        ) from error
    if page.rows.height + len(page.rejected) != one.page.rows.height + len(one.page.rejected):
        raise Failed(f"{one.stream.title}, {source} changed {place}: {page.rows.height} rows of {one.page.rows.height}")
    if source is None or source not in page.rows.columns:
        return Edited(place, page.rows, tuple(range(page.rows.height)))
    before, after = one.page.rows.get_column(source).to_list(), page.rows.get_column(source).to_list()
    changed = tuple(row for row, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    if not changed:
        raise Failed(f"{one.stream.title}: {source} was changed {place}, and the adapter shows it as before")
    return Edited(place, page.rows, changed)


@dataclass(frozen=True, slots=True)
class Claim:
    """That an edited page's changed rows are kept out of the records.

    Attributes:
        name: the field.
        said: what its source says now, for messages.
        page: the page.
    """

    name: str
    said: str
    page: Edited


def require_quarantined(subject: Subject, stream: Stream, claims: list[Claim]) -> int:
    """Raises Failed for the first claim that does not hold, and says how many there were.

    A page that was refused as a whole keeps its claim. The changed rows of all others are read as one table.
    """
    told = [(claim, claim.page.rows[list(claim.page.changed)]) for claim in claims if claim.page.rows is not None]
    if told:
        rows = pl.concat([rows for _, rows in told], how="diagonal", rechunk=True)
        waiting = set(mapped(subject, stream, rows).quarantined().to_list())
        number = 0
        for claim, own in told:
            if not all(number + row in waiting for row in range(1, own.height + 1)):
                where = f"{stream.title}: {claim.name} said {claim.said!r} {claim.page.place}"
                raise Failed(f"{where}, and its record was accepted")
            number += own.height
    return len(claims)


def key_of(source: str) -> str:
    """The last step of a path: the member's key on the wire."""
    return source.rpartition(".")[2]


def same_place(one: Clean, line: Line) -> int:
    """How far the numbers of a line's next exchanges are from those of the clean page."""
    return len(line.exchanges) - one.exchanges[0].number


async def _read(stream: Stream, trial: Trial, tamper: Tamper | None) -> Page:
    trial.line.tamper = tamper
    try:
        async with trial.adapter() as adapter:
            return await stream.page(adapter, trial.rehearsal.since, None)
    finally:
        trial.line.tamper = None


def _on_the_wire(one: Clean, source: str, shown: str, cell: str | None, token: bytes | None) -> Tamper | None:
    key = key_of(source)

    def change(value: bytes) -> bytes:
        if token is not None:
            return token
        quoted = value.startswith(b'"') or not _is_number(cell)
        return json.dumps(cell).encode() if quoted else str(cell).encode()

    def replace(body: bytes) -> bytes:
        return replaced_value(body, key, shown, change)

    bodies = {exchange.number: exchange.response.content for exchange in one.json_exchanges() if exchange.response}
    distance = same_place(one, one.trial.line)
    places = {number + distance for number, body in bodies.items() if replace(body) != body}
    return rewritten(lambda exchange: exchange.number in places, replace) if places else None


def _is_number(text: str | None) -> bool:
    return text is not None and text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit()
