r"""What a serial grammar is, and the reading of one text by it.

A grammar is one or more forms, and a form is a row of pieces that join to one regular expression. The same
expression serves ``re`` here and the Rust engine of polars in ``gateway.model.serials.columnar``, so a piece
keeps to what both treat alike: ``[0-9]`` and never ``\d``, bounded repetition, no lookaround, no
back-reference. The pieces serve a third purpose: the longest run of them that still matches a refused text
tells a person where it went wrong.

A form's named groups are facts of :class:`~gateway.model.serials.serial.SerialFacts`, or one of

- ``first``, ``last``: the unit numbers, without leading zero unless the form has a width;
- ``registry``, ``epoch``: in place of the form's own, in small letters;
- ``again_<group>``: a repetition that must equal ``<group>`` (no engine without back-references can);
- any other name: a part of the scope.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from gateway.model.serials.ranges import SerialRange
from gateway.model.serials.serial import (
    NumberingSpace,
    RefusalCode,
    Serial,
    SerialFacts,
    SerialRefused,
    Wording,
)

#: Begins the name of a group that must repeat another.
AGAIN: Final = "again_"
#: Facts that a form gives as plain text.
TEXT_FACTS: Final = ("batch", "project", "country", "unit_kind", "project_type", "flag")
_EXCERPT = 24
_QUOTED = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """One step of a form: a pattern, and what a person is told is expected there."""

    pattern: str
    expected: str


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of serial.

    Args:
        pieces: in order; each prefix of them must be a regular expression by itself.
        registry: the registry part of the space, unless a group ``registry`` tells it.
        epoch: the epoch, unless a group ``epoch`` tells it or the caller does; empty where there is one.
        scope: the groups whose values restart the count, in order.
        width: how many digits a unit number is written with, zeros in front; 0 where it is written as it is.
    """

    pieces: tuple[Piece, ...]
    registry: str
    epoch: str = ""
    scope: tuple[str, ...] = ()
    width: int = 0
    pattern: str = field(init=False, repr=False)
    matcher: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pattern = "".join(piece.pattern for piece in self.pieces)
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "matcher", re.compile(pattern, re.ASCII))

    @property
    def groups(self) -> frozenset[str]:
        """The names of the groups."""
        return frozenset(self.matcher.groupindex)

    @property
    def repeated(self) -> tuple[str, ...]:
        """The groups that the text must give twice alike."""
        return tuple(sorted(name.removeprefix(AGAIN) for name in self.groups if name.startswith(AGAIN)))


@dataclass(frozen=True, slots=True)
class Grammar:
    """The serials of one registry.

    Args:
        name: the registry.
        forms: shapes that exclude one another.
        given_epochs: epochs that the text cannot tell and a caller may; for other grammars, none.
    """

    name: str
    forms: tuple[Form, ...]
    given_epochs: frozenset[str] = frozenset()

    def check_epoch(self, epoch: str | None) -> None:
        """Raises ValueError when a caller names an epoch that this registry's text tells, or has not had."""
        if epoch is not None and epoch not in self.given_epochs:
            expected = " or ".join(sorted(self.given_epochs)) or "none: the serial itself tells it"
            raise ValueError(f"found the epoch {epoch!a} for serials of {self.name}; expected {expected}")


def read(grammar: Grammar, text: str, *, epoch: str | None = None) -> Serial | SerialRefused:
    """Reads one text; total over all strings. Surrounding space is not forgiven.

    Raises ValueError when ``epoch`` is none of the grammar's.
    """
    grammar.check_epoch(epoch)
    for form in grammar.forms:
        match = form.matcher.fullmatch(text)
        if match is not None:
            return _read_match(form, match, epoch)
    return SerialRefused(RefusalCode.UNREADABLE, _explain(grammar, text))


def _read_match(form: Form, match: re.Match[str], epoch: str | None) -> Serial | SerialRefused:
    groups = match.groupdict()
    for name in form.repeated:
        if groups[name] != groups[AGAIN + name]:
            one, other = groups[name] or "none", groups[AGAIN + name] or "none"
            reason = f"the two serials differ in {name.replace('_', ' ')}: {one} and {other}"
            return SerialRefused(RefusalCode.PARTS_DISAGREE, reason)
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        reason = f"the first unit number, {first}, is above the last, {last}"
        return SerialRefused(RefusalCode.BACKWARDS, reason)
    vintage = _vintage(groups)
    if isinstance(vintage, SerialRefused):
        return vintage
    start, end = vintage
    year = groups.get("vintage_year")
    text = match.string
    return Serial(
        space=NumberingSpace(
            registry=groups.get("registry", form.registry).lower(),
            epoch=epoch or groups.get("epoch", form.epoch).lower(),
            scope="-".join(groups[name] for name in form.scope),
        ),
        range=SerialRange(first, last),
        wording=Wording(
            before=text[: match.start("first")],
            between=text[match.end("first") : match.start("last")],
            after=text[match.end("last") :],
            width=form.width,
        ),
        facts=SerialFacts(
            **{name: groups.get(name) for name in TEXT_FACTS},
            vintage_start=start,
            vintage_end=end,
            vintage_year=None if year is None else int(year),
        ),
    )


def _vintage(groups: Mapping[str, str | None]) -> tuple[date | None, date | None] | SerialRefused:
    days: list[date] = []
    for name in ("vintage_start", "vintage_end"):
        written = groups.get(name)
        if written is None:
            return None, None
        try:
            days.append(date(int(written[4:]), int(written[2:4]), int(written[:2])))
        except ValueError:
            side = name.removeprefix("vintage_")
            reason = f"the vintage's {side}, {written}, is no day of the calendar (read as day, month, year)"
            return SerialRefused(RefusalCode.DATE, reason)
    start, end = days
    if start > end:
        return SerialRefused(RefusalCode.DATE, f"the vintage ends on {end}, before it starts on {start}")
    return start, end


def _explain(grammar: Grammar, text: str) -> str:
    """Where the form that reads furthest stops reading, and what it expects there."""
    reached, expected = max((_reach(form, text) for form in grammar.forms), key=lambda found: found[0])
    if not text:
        return f"the text is empty; expected {expected}"
    if reached == len(text):
        return f"ends after {_excerpt(text[:reached], tail=True)} where {expected} is expected"
    rest = text[reached:]
    place = f"character {reached + 1} of {len(text)}"
    verb = "ends in" if len(rest) == 1 else "has"
    return f"{verb} {_excerpt(rest)}{_name_character(rest[0])} at {place} where {expected} is expected"


def _reach(form: Form, text: str) -> tuple[int, str]:
    """How many characters the longest run of pieces reads, and what should follow."""
    reached, prefix = 0, ""
    for index, piece in enumerate(form.pieces):
        prefix += piece.pattern
        match = re.match(prefix, text, re.ASCII)
        if match is None:
            return reached, _expected(form, index)
        reached = match.end()
    return reached, _expected(form, len(form.pieces))


def _expected(form: Form, index: int) -> str:
    expected = form.pieces[index].expected if index < len(form.pieces) else "the end of the serial"
    separates = expected.startswith("'") or index == len(form.pieces)
    # A separator alone does not tell which part ran on too long.
    return f"{expected} after {form.pieces[index - 1].expected}" if separates and index else expected


def _excerpt(text: str, *, tail: bool = False) -> str:
    """The beginning or the end of a text, quoted; less of it where its characters are written as long escapes."""
    kept = min(len(text), _EXCERPT)
    while len(ascii(text[:kept])) > _QUOTED or len(ascii(text[-kept:])) > _QUOTED:
        kept //= 2
    if kept == len(text):
        return ascii(text)
    return f"...{text[-kept:]!a}" if tail else f"{text[:kept]!a}..."


def _name_character(character: str) -> str:
    """Names what the eye takes for something else: a letter for a digit, a full-width digit, a line break."""
    if character in "OoIl":
        return f" (the letter {character})"
    if character.isascii() and character.isprintable() and character != " ":
        return ""
    return f" ({unicodedata.name(character, f'character U+{ord(character):04X}').lower()})"
