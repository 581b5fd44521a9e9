"""D: a value is what the market wrote, or its record waits in quarantine; nothing in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import polars as pl

from gateway.kit.conformance.check import READS, Check, Failed, NotCalledFor, check, require
from gateway.kit.conformance.editing import (
    NULL,
    Clean,
    Edited,
    clean,
    edited,
    key_of,
    on_the_wire,
    quarantined,
    required_sources,
    same_place,
    sources,
)
from gateway.kit.conformance.reading import Stream, contents, difference, mapped, subject_streams, table, whole
from gateway.kit.conformance.subject import Subject
from gateway.kit.conformance.tampers import added_key, is_json, renamed_key, rewritten
from gateway.kit.conformance.zones import local_zone
from gateway.kit.mapping.document import CodeRule, CodesRule, InstantRule, ScaledRule, WholeUnitsRule
from gateway.kit.mapping.engine import ROW
from gateway.model.vocabulary import FieldClass

TWENTY_DIGITS: Final = "12345678901234567891"
BEYOND_A_FLOAT: Final = "90071992547409931"
"""Two to the power of 53, times ten, and one: no float is this number."""

UNKNOWN_WORD: Final = "Paused by the Committee"
UNLISTED: Final = "unlistedByAnybody"
QUANTITY: Final = frozenset({FieldClass.QUANTITY})
DECIDING: Final = frozenset({FieldClass.IDENTITY, FieldClass.QUANTITY, FieldClass.STATE, FieldClass.ENTITLEMENT})
"""The classes of fields on which something hangs."""


async def _each(
    subject: Subject, classes: frozenset[FieldClass], kinds: tuple[type, ...], try_one: Callable[..., Awaitable[int]]
) -> None:
    """Tries every field of these classes and rules; raises NotCalledFor where no row has one."""
    tried = 0
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        for name, rule in sources(subject, stream, classes, kinds):
            tried += await try_one(one, name, rule)
    if not tried:
        raise NotCalledFor("no field of any feed can show it")


def _require_quarantined(subject: Subject, one: Clean, name: str, said: str, found: list[Edited]) -> int:
    for page in found:
        kept_out = quarantined(subject, one.stream, page)
        require(kept_out, f"{one.stream.title}: {name} said {said!r} {page.place}, and its record was accepted")
    return len(found)


@check("D010", "A number of many digits stays itself.", called_by=READS)
async def long_numbers(subject: Subject) -> None:
    """Twenty digits fit no record, and more than a float holds may."""

    async def try_one(one: Clean, name: str, rule: WholeUnitsRule | ScaledRule) -> int:
        for digits in (TWENTY_DIGITS, BEYOND_A_FLOAT):
            for page in await edited(one, rule.source, digits):
                found = [] if page.rows is None else [page.rows[rule.source][row] for row in page.changed]
                require(
                    all(text == digits for text in found),
                    f"{one.stream.title}: {name} said {digits} {page.place}, and the adapter shows {found}",
                )
        return _require_quarantined(subject, one, name, TWENTY_DIGITS, await edited(one, rule.source, TWENTY_DIGITS))

    await _each(subject, QUANTITY, (WholeUnitsRule, ScaledRule), try_one)


@check("D020", "A quantity with a fraction is refused, never rounded.", called_by=READS)
async def fractions(subject: Subject) -> None:
    """A price has as many places as its scale, and not one more."""

    async def try_one(one: Clean, name: str, rule: WholeUnitsRule | ScaledRule) -> int:
        text = "1.5" if isinstance(rule, WholeUnitsRule) else f"1.{'1' * (rule.scale + 1)}"
        return _require_quarantined(subject, one, name, text, await edited(one, rule.source, text))

    await _each(subject, QUANTITY, (WholeUnitsRule, ScaledRule), try_one)


@check("D030", "A block has as many units as its serial counts.", called_by=READS)
async def block_length(subject: Subject) -> None:
    """One unit more, and the record contradicts itself."""

    async def try_one(one: Clean, name: str, rule: WholeUnitsRule) -> int:
        row = one.row_of(rule.source)
        if row is None or name != "quantity" or "first" not in one.made.rows.columns:
            return 0
        record = one.made.rows.filter(pl.col(ROW) == row + 1).to_dicts()[0]
        if record["first"] is None:
            return 0
        text = str(record["quantity"] + 1)
        return _require_quarantined(subject, one, name, text, await edited(one, rule.source, text))

    await _each(subject, QUANTITY, (WholeUnitsRule,), try_one)


@check("D040", "A word that no code list has is quarantined where something hangs on it.", called_by=READS)
async def unknown_words(subject: Subject) -> None:
    """A state is never guessed."""

    async def try_one(one: Clean, name: str, rule: CodeRule | CodesRule) -> int:
        return _require_quarantined(subject, one, name, UNKNOWN_WORD, await edited(one, rule.source, UNKNOWN_WORD))

    await _each(subject, DECIDING, (CodeRule, CodesRule), try_one)


@check("D050", "A path that nobody listed is told as drift.", called_by=READS)
async def unlisted_paths(subject: Subject) -> None:
    """Nothing that a market adds disappears without a trace."""
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        pages = [Edited("in its table", one.page.rows.with_columns(pl.lit("x").alias(UNLISTED)), ())]
        if _has_json(one):
            pages.append(await _rewritten(one, lambda body: added_key(body, UNLISTED)))
        for page in pages:
            if page.rows is not None:
                unknown = mapped(subject, stream, page.rows).unknown
                told = any(key_of(path) == UNLISTED for path in unknown)
                require(told, f"{stream.title}: {UNLISTED} was added {page.place}, drift is {list(unknown)}")


@check("D060", "A record without a path that it must have is quarantined.", called_by=READS)
async def missing_paths(subject: Subject) -> None:
    """Of each field that a record cannot be without."""
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        for name, rule in required_sources(subject, stream):
            if one.row_of(rule.source) is None:
                continue
            everywhere = tuple(range(one.page.rows.height))
            pages = [Edited("in its table", one.page.rows.drop(rule.source), everywhere)]
            if _has_json(one) and "." not in rule.source:
                wire = await _rewritten(one, lambda body, key=rule.source: renamed_key(body, key, f"{key}V2"))  # type: ignore[misc]
                pages.append(wire)
            _require_quarantined(subject, one, name, "nothing at all", pages)


@check("D070", "A value that is null, empty or of another type is quarantined or refused, and breaks nothing.", called_by=READS)
async def wrong_types(subject: Subject) -> None:
    """Where something hangs on it."""
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        for name, rule in required_sources(subject, stream):
            for said, cell, token in (
                ("null", None, NULL),
                ("empty", "", b'""'),
                ("an object", '{"a": "b"}', b'{"a": "b"}'),
            ):
                found = await edited(one, rule.source, cell, token)
                if said == "an object" and not isinstance(rule, CodeRule | WholeUnitsRule | ScaledRule | InstantRule):
                    continue
                _require_quarantined(subject, one, name, said, found)


@check("D080", "An instant without a zone is refused where the market writes zones, and offsets are converted.", called_by=READS)
async def instants(subject: Subject) -> None:
    """Ten o'clock in Hong Kong is two o'clock in UTC."""

    async def try_one(one: Clean, name: str, rule: InstantRule) -> int:
        row = one.row_of(rule.source)
        if rule.styles != ("iso",) or row is None:
            return 0
        naive = "2026-07-15T10:00:00"
        tried = _require_quarantined(subject, one, name, naive, await edited(one, rule.source, naive))
        for page in await edited(one, rule.source, f"{naive}+08:00"):
            if page.rows is None:
                continue
            made = mapped(subject, one.stream, page.rows).rows.filter(pl.col(ROW).is_in([n + 1 for n in page.changed]))
            for found in made.get_column(name).to_list():
                expected = datetime(2026, 7, 15, 2, tzinfo=UTC)
                require(found == expected, f"{one.stream.title}: {name} said {naive}+08:00 {page.place}, read {found}")
        return tried

    await _each(subject, DECIDING | {FieldClass.DESCRIPTIVE}, (InstantRule,), try_one)


@check("D090", "What is read does not depend on the zone of the machine.", called_by=READS)
async def machine_zone(subject: Subject) -> None:
    """Eight hours to either side of UTC."""
    expected = await contents(subject, subject.trial())
    for zone in ("UTC-8", "UTC+8"):
        with local_zone(zone):
            found = await contents(subject, subject.trial())
        for title, content in found.items():
            said = difference(expected[title], content)
            require(said is None, f"{title}, on a machine in {zone} (as POSIX writes it): {said}")


@check("D100", "A page's instant is aware and not in the future.", called_by=READS)
async def as_of(subject: Subject) -> None:
    """It is when the market is known to have said so."""
    trial = subject.trial()
    async with trial.adapter() as adapter:
        for stream in await subject_streams(subject):
            page = await stream.page(adapter, trial.rehearsal.since, None)
            require(page.as_of.utcoffset() is not None, f"{stream.title}: as_of {page.as_of} has no zone")
            require(page.as_of <= trial.clock(), f"{stream.title}: as_of {page.as_of} is after {trial.clock()}")


@check("D110", "Of what the stand-in sends, every path is known and records come of every feed.", called_by=READS)
async def no_drift(subject: Subject) -> None:
    """A path is mapped, or ignored with a reason."""
    trial = subject.trial()
    async with trial.adapter() as adapter:
        for stream in await subject_streams(subject):
            made = mapped(subject, stream, table(await whole(stream, adapter, trial.rehearsal.since)))
            require(not made.unknown, f"{stream.title}: the paths {', '.join(made.unknown)} are not listed")
            require(not made.missing, f"{stream.title}: the paths {', '.join(made.missing)} are not sent")
            require(made.rows.height, f"{stream.title}: no row is accepted, {made.defects.height} defects")


def _has_json(one: Clean) -> bool:
    return any(is_json(exchange.response) for exchange in one.exchanges)


async def _rewritten(one: Clean, change: Callable[[bytes], bytes]) -> Edited:
    distance = same_place(one, one.trial.line)
    places = {exchange.number + distance for exchange in one.exchanges if is_json(exchange.response)}
    return await on_the_wire(one, rewritten(lambda exchange: exchange.number in places, change), None)


CHECKS: tuple[Check, ...] = (
    long_numbers,
    fractions,
    block_length,
    unknown_words,
    unlisted_paths,
    missing_paths,
    wrong_types,
    instants,
    machine_zone,
    as_of,
    no_drift,
)
