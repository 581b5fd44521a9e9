"""D: a value is what the market wrote, or its record waits in quarantine; nothing in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import polars as pl

from gateway.kit.conformance.check import READS, Check, NotCalledFor, check, require
from gateway.kit.conformance.editing import (
    NULL,
    Claim,
    Clean,
    Edited,
    clean,
    edited,
    key_of,
    on_the_wire,
    require_quarantined,
    required_sources,
    same_place,
    sources,
)
from gateway.kit.conformance.reading import contents, difference, everything, mapped, subject_streams, table, whole
from gateway.kit.conformance.subject import Subject
from gateway.kit.conformance.tampers import added_key, renamed_key, rewritten
from gateway.kit.conformance.zones import local_zone
from gateway.kit.mapping.document import CodeRule, CodesRule, InstantRule, ScaledRule, TextRule, WholeUnitsRule
from gateway.kit.mapping.engine import ROW
from gateway.model.vocabulary import FieldClass

TWENTY_DIGITS: Final = "12345678901234567891"
BEYOND_A_FLOAT: Final = "90071992547409931"
"""Two to the power of 53, times ten, and one: no float is this number."""

UNKNOWN_WORD: Final = "Paused by the Committee"
UNLISTED: Final = "unlistedByAnybody"
QUANTITY: Final = frozenset({FieldClass.QUANTITY})
NAIVE: Final = "2026-07-15T10:00:00"
CONVERTED: Final = datetime(2026, 7, 15, 2, tzinfo=UTC)
NOTHINGS: Final = (("null", None, NULL), ("empty", "", b'""'))
AN_OBJECT: Final = ("an object", '{"a": "b"}', b'{"a": "b"}')
DECIDING: Final = frozenset({FieldClass.IDENTITY, FieldClass.QUANTITY, FieldClass.STATE, FieldClass.ENTITLEMENT})
"""The classes of fields on which something hangs."""


async def _each(
    subject: Subject,
    classes: frozenset[FieldClass],
    kinds: tuple[type, ...],
    claims: Callable[..., Awaitable[list[Claim]]],
) -> None:
    """Makes claims of every field of these classes and rules; raises NotCalledFor where no row has one."""
    tried = 0
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        made = [await claims(one, name, rule) for name, rule in sources(subject, stream, classes, kinds)]
        tried += require_quarantined(subject, stream, [claim for some in made for claim in some])
    if not tried:
        raise NotCalledFor("no field of any feed can show it")


async def _claims(one: Clean, name: str, source: str, text: str) -> list[Claim]:
    return [Claim(name, text, page) for page in await edited(one, source, text)]


@check("D010", "A number of many digits stays itself.", called_by=READS)
async def long_numbers(subject: Subject) -> None:
    """Twenty digits fit no record, and more than a float holds may."""

    async def claims(one: Clean, name: str, rule: WholeUnitsRule | ScaledRule) -> list[Claim]:
        for digits in (TWENTY_DIGITS, BEYOND_A_FLOAT):
            for page in await edited(one, rule.source, digits):
                found = [] if page.rows is None else [page.rows[rule.source][row] for row in page.changed]
                require(
                    all(text == digits for text in found),
                    f"{one.stream.title}: {name} said {digits} {page.place}, and the adapter shows {found}",
                )
        return await _claims(one, name, rule.source, TWENTY_DIGITS)

    await _each(subject, QUANTITY, (WholeUnitsRule, ScaledRule), claims)


@check("D020", "A quantity with a fraction is refused, never rounded.", called_by=READS)
async def fractions(subject: Subject) -> None:
    """A price has as many places as its scale, and not one more."""

    async def claims(one: Clean, name: str, rule: WholeUnitsRule | ScaledRule) -> list[Claim]:
        text = "1.5" if isinstance(rule, WholeUnitsRule) else f"1.{'1' * (rule.scale + 1)}"
        return await _claims(one, name, rule.source, text)

    await _each(subject, QUANTITY, (WholeUnitsRule, ScaledRule), claims)


@check("D030", "A block has as many units as its serial counts.", called_by=READS)
async def block_length(subject: Subject) -> None:
    """One unit more, and the record contradicts itself."""

    async def claims(one: Clean, name: str, rule: WholeUnitsRule) -> list[Claim]:
        row = one.row_of(rule.source)
        if row is None or name != "quantity" or "first" not in one.made.rows.columns:
            return []
        record = one.made.rows.filter(pl.col(ROW) == row + 1).to_dicts()[0]
        if record["first"] is None:
            return []
        text = str(record["quantity"] + 1)
        return await _claims(one, name, rule.source, text)

    await _each(subject, QUANTITY, (WholeUnitsRule,), claims)


@check("D040", "A word that no code list has is quarantined where something hangs on it.", called_by=READS)
async def unknown_words(subject: Subject) -> None:
    """A state is never guessed."""

    async def claims(one: Clean, name: str, rule: CodeRule | CodesRule) -> list[Claim]:
        return await _claims(one, name, rule.source, UNKNOWN_WORD)

    await _each(subject, DECIDING, (CodeRule, CodesRule), claims)


@check("D050", "A path that nobody listed is told as drift.", called_by=READS)
async def unlisted_paths(subject: Subject) -> None:
    """Nothing that a market adds disappears without a trace."""
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        pages = [Edited("in its table", one.page.rows.with_columns(pl.lit("x").alias(UNLISTED)), ())]
        if one.json_exchanges():
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
        everywhere = tuple(range(one.page.rows.height))
        claims = []
        for name, rule in required_sources(subject, stream):
            if one.row_of(rule.source) is None:
                continue
            pages = [Edited("in its table", one.page.rows.drop(rule.source), everywhere)]
            if one.json_exchanges() and "." not in rule.source:
                pages.append(await _rewritten(one, partial(renamed_key, key=rule.source, name=f"{rule.source}V2")))
            claims += [Claim(name, "nothing at all", page) for page in pages]
        require_quarantined(subject, stream, claims)


@check(
    "D070",
    "A value that is null, empty or of another type is quarantined or refused, and breaks nothing.",
    called_by=READS,
)
async def wrong_types(subject: Subject) -> None:
    """Where something hangs on it; a text may be any text."""
    for stream in await subject_streams(subject):
        one = await clean(subject, stream)
        claims = []
        for name, rule in required_sources(subject, stream):
            for said, cell, token in NOTHINGS if isinstance(rule, TextRule) else (*NOTHINGS, AN_OBJECT):
                claims += [Claim(name, said, page) for page in await edited(one, rule.source, cell, token)]
        require_quarantined(subject, stream, claims)


@check(
    "D080",
    "An instant without a zone is refused where the market writes zones, and offsets are converted.",
    called_by=READS,
)
async def instants(subject: Subject) -> None:
    """Ten o'clock in Hong Kong is two o'clock in UTC."""

    async def claims(one: Clean, name: str, rule: InstantRule) -> list[Claim]:
        if rule.styles != ("iso",):
            return []
        for page in await edited(one, rule.source, f"{NAIVE}+08:00"):
            if page.rows is not None:
                found = mapped(subject, one.stream, page.rows[list(page.changed)]).rows.get_column(name).to_list()
                fine = all(instant == CONVERTED for instant in found)
                require(fine, f"{one.stream.title}: {name} said {NAIVE}+08:00 {page.place}, read {found}")
        return await _claims(one, name, rule.source, NAIVE)

    await _each(subject, DECIDING, (InstantRule,), claims)


@check("D090", "What is read does not depend on the zone of the machine.", called_by=READS)
async def machine_zone(subject: Subject) -> None:
    """Eight hours to either side of UTC."""
    expected = (await everything(subject)).contents
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


async def _rewritten(one: Clean, change: Callable[[bytes], bytes]) -> Edited:
    distance = same_place(one, one.trial.line)
    places = {exchange.number + distance for exchange in one.json_exchanges()}
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
