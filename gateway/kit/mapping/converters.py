"""The closed list of converters: a column of text in, a typed column out, and a defect code where a text was refused.

Each is an anchored pattern that must match and then a cast that cannot lose. Columns that repeat themselves (dates,
states, labels) are converted once per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from gateway.kit.decoding import Undecodable, decode_json
from gateway.kit.mapping.document import (
    CodeList,
    CodeRule,
    CodesRule,
    DateRule,
    FlagRule,
    InstantRule,
    PresenceRule,
    ScaledRule,
    SerialRule,
    SourceRule,
    TextRule,
    TextsRule,
    WholeUnitsRule,
    YearsRule,
    folded,
)
from gateway.model.serials import GRAMMARS
from gateway.model.serials.columnar import parse_column

UNREADABLE: Final = "UNREADABLE"
UNKNOWN: Final = "UNKNOWN"

WHOLE: Final = r"^(?:[1-9][0-9]{0,2}(?:,[0-9]{3}){1,5}|0|[1-9][0-9]{0,17})(?:\.0{1,9})?$"
"""No leading zero: ``0,123`` is a decimal comma, not a hundred and twenty-three."""
ISO: Final = (
    r"^(?:19|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?Z?)?$"
)
DAY_MONTH_YEAR: Final = r"^[0-9]{2}/[0-9]{2}/(?:19|2[01])[0-9]{2}$"
EXCEL_SERIAL: Final = r"^[1-9][0-9]{4}$"
EXCEL_EPOCH_DAYS: Final = -25569
"""Days from 1970-01-01 to Excel's day 0, 1899-12-30: right for every day after its imagined 29 February 1900."""
COMPACT: Final = r"^(?:19|2[01])[0-9]{6}$"
HAN: Final = r"^((?:19|2[01])[0-9]{2})年([0-9]{1,2})月([0-9]{1,2})日$"
SLASHED: Final = r"^((?:19|2[01])[0-9]{2})/([0-9]{1,2})/([0-9]{1,2})$"
TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
ISO_INSTANT: Final = rf"^(?:19|2[01])[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}[T ]{TIME}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})$"
ISO_LOCAL: Final = rf"^(?:19|2[01])[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}[T ]{TIME}$"
COMPACT_LOCAL: Final = r"^(?:19|2[01])[0-9]{6}(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]$"
EPOCH_MILLISECONDS: Final = r"^[1-9][0-9]{11,12}$"
DECIMAL: Final = r"^(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|0|[1-9][0-9]*)(?:\.[0-9]+)?$"
DECIMAL_DIGITS: Final = 18
YEARS: Final = r"^(?P<first>(?:19|2[01])[0-9]{2})(?: {0,3}- {0,3}(?P<last>(?:19|2[01])[0-9]{2}))?$"

DISTINCT_WORTH: Final = 4
"""A column is converted by its distinct texts when each occurs at least this often on average."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted column.

    Attributes:
        values: the typed values; null where the source was empty or refused.
        refused: a defect's ending (``UNREADABLE``, ``UNKNOWN``, a serial's code) where a text was refused, else null.
        facts: further columns that the source says (a serial's batch, a span's first year).
    """

    values: pl.Series
    refused: pl.Series
    facts: dict[str, pl.Series] = field(default_factory=dict)


Conversion = Callable[[pl.Series], pl.DataFrame]
"""Cleaned text in; out a frame with ``values``, ``refused`` and one column a fact."""


def by_distinct(texts: pl.Series, convert: Conversion) -> Converted:
    """Converts a column as received, each distinct text once where that is worth it."""
    distinct = texts.unique()
    if distinct.len() * DISTINCT_WORTH > texts.len():
        return _converted(convert(cleaned(texts)))
    converted = convert(cleaned(distinct)).with_columns(distinct.alias("_text"))
    wide = (
        texts.alias("_text").to_frame().join(converted, on="_text", how="left", nulls_equal=True, maintain_order="left")
    )
    return _converted(wide.drop("_text"))


def _converted(frame: pl.DataFrame) -> Converted:
    facts = {name: frame.get_column(name) for name in frame.columns if name not in {"values", "refused"}}
    return Converted(frame.get_column("values"), frame.get_column("refused"), facts)


def cleaned(texts: pl.Series) -> pl.Series:
    """A source column as converters read it: without outer white space, null where nothing is left."""
    stripped = texts.str.strip_chars().alias("text").to_frame()
    return stripped.select(pl.when(pl.col("text").str.len_bytes() > 0).then("text")).to_series()


def convert(rule: SourceRule, texts: pl.Series, codes: CodeList | None) -> Converted:
    """Converts one column of texts as received; ``codes`` is the code list that the rule names."""
    match rule:
        case SerialRule():
            return _serial(cleaned(texts), rule)
        case WholeUnitsRule() | ScaledRule() | InstantRule():
            return _converted(_of_many_values(rule, cleaned(texts)))
        case TextRule():
            return _text(texts, rule.pattern)
        case DateRule(styles=styles):
            return by_distinct(texts, lambda text: _date(text, styles))
        case _:
            return by_distinct(texts, _of_few_words(rule, codes))


def _of_many_values(rule: WholeUnitsRule | ScaledRule | InstantRule, texts: pl.Series) -> pl.DataFrame:
    """Columns that seldom repeat themselves."""
    match rule:
        case WholeUnitsRule(zero=zero):
            return _whole_units(texts, zero=zero)
        case ScaledRule(scale=scale):
            return _scaled(texts, scale)
        case InstantRule(styles=styles, zone=zone):
            return _instant(texts, styles, zone)


def _of_few_words(
    rule: YearsRule | TextsRule | CodeRule | CodesRule | PresenceRule | FlagRule, codes: CodeList | None
) -> Conversion:
    match rule:
        case TextsRule(separator=separator):
            return lambda text: _texts(text, separator)
        case YearsRule():
            return _years
        case PresenceRule():
            return lambda text: _presence(text, rule)
        case FlagRule(absent=absent):
            return lambda text: _flag(text, absent)
        case CodeRule():
            return lambda text: _code(text, _given(codes))
        case CodesRule(separator=separator):
            return lambda text: _codes(text, _given(codes), separator)


def _given(codes: CodeList | None) -> CodeList:
    assert codes is not None
    return codes


def _select(texts: pl.Series, values: pl.Expr, fine: pl.Expr, **facts: pl.Expr) -> pl.DataFrame:
    """Values where they are fine; elsewhere null, and refused where there was a text at all."""
    text = pl.col("text")
    return (
        texts.alias("text")
        .to_frame()
        .select(
            values=pl.when(fine).then(values),
            refused=pl.when(text.is_not_null() & ~fine.fill_null(value=False)).then(pl.lit(UNREADABLE)),
            **{name: pl.when(fine).then(fact) for name, fact in facts.items()},
        )
    )


def _text(texts: pl.Series, pattern: str | None) -> Converted:
    if pattern is None:
        return Converted(cleaned(texts), pl.Series([None], dtype=pl.String).new_from_index(0, texts.len()))
    fine = pl.col("text").str.contains(f"^(?:{pattern})$")
    return by_distinct(texts, lambda text: _select(text, pl.col("text"), fine))


def _whole_units(texts: pl.Series, *, zero: bool) -> pl.DataFrame:
    text = pl.col("text")
    plain = text.str.replace_all(",", "", literal=True)
    if texts.str.contains(".", literal=True).any():
        plain = plain.str.replace(r"\.0+$", "")
    number = plain.cast(pl.Int64, strict=False)
    return _select(texts, number, text.str.contains(WHOLE) & (number >= (0 if zero else 1)))


def _date(texts: pl.Series, styles: tuple[str, ...]) -> pl.DataFrame:
    text = pl.col("text")
    readings = []
    if "iso" in styles:
        readings.append(_exactly(pl.when(text.str.contains(ISO)).then(text.str.slice(0, 10)), "%Y-%m-%d"))
    if "day_month_year" in styles:
        readings.append(_exactly(pl.when(text.str.contains(DAY_MONTH_YEAR)).then(text), "%d/%m/%Y"))
    if "excel_serial" in styles:
        days = pl.when(text.str.contains(EXCEL_SERIAL)).then(text).cast(pl.Int32) + EXCEL_EPOCH_DAYS
        readings.append(days.cast(pl.Date))
    if "compact" in styles:
        readings.append(_exactly(pl.when(text.str.contains(COMPACT)).then(text), "%Y%m%d"))
    readings += [_of_parts(text, pattern) for style, pattern in (("han", HAN), ("slashed", SLASHED)) if style in styles]
    value = pl.coalesce(readings)
    return _select(texts, value, value.is_not_null())


def _of_parts(text: pl.Expr, pattern: str) -> pl.Expr:
    """A date whose month and day may be written with one digit."""
    year, month, day = (text.str.extract(pattern, part).str.zfill(2) for part in (1, 2, 3))
    return _exactly(pl.format("{}-{}-{}", year, month, day), "%Y-%m-%d")


def _instant(texts: pl.Series, styles: tuple[str, ...], zone: str | None) -> pl.DataFrame:
    text = pl.col("text")
    readings = []
    if "iso" in styles:
        written = pl.when(text.str.contains(ISO_INSTANT)).then(
            text.str.replace(" ", "T", literal=True)
            .str.replace(r"Z$", "+00:00")
            .str.replace(r"([+-][0-9]{2})([0-9]{2})$", "${1}:${2}")
            .str.replace(r"T([0-9]{2}:[0-9]{2})([+-])", "T${1}:00${2}")
        )
        sound = _sound_offset(written) & _real_day(text.str.slice(0, 10), "%Y-%m-%d")
        read = pl.when(sound).then(written).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us")
        readings.append(read.dt.convert_time_zone("UTC"))
    if "iso_local" in styles:
        local = pl.when(text.str.contains(ISO_LOCAL) & _real_day(text.str.slice(0, 10), "%Y-%m-%d")).then(
            text.str.replace(" ", "T", literal=True).str.replace(r"T([0-9]{2}:[0-9]{2})$", "T${1}:00")
        )
        readings.append(_in_zone(local.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"), zone))
    if "compact_local" in styles:
        local = pl.when(text.str.contains(COMPACT_LOCAL) & _real_day(text.str.slice(0, 8), "%Y%m%d")).then(text)
        readings.append(_in_zone(local.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us"), zone))
    if "epoch_milliseconds" in styles:
        count = pl.when(text.str.contains(EPOCH_MILLISECONDS)).then(text).cast(pl.Int64, strict=False)
        readings.append(pl.from_epoch(count, "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    value = pl.coalesce(readings)
    return _select(texts, value, value.is_not_null())


def _real_day(text: pl.Expr, style: str) -> pl.Expr:
    return text.str.to_date(style, strict=False).dt.to_string(style) == text


def _sound_offset(written: pl.Expr) -> pl.Expr:
    """No place on earth is further from UTC than fourteen hours."""
    hours = written.str.extract(r"[+-]([0-9]{2}):[0-9]{2}$", 1).cast(pl.Int32, strict=False)
    minutes = written.str.extract(r"[+-][0-9]{2}:([0-9]{2})$", 1).cast(pl.Int32, strict=False)
    return (minutes < 60) & (hours * 60 + minutes <= 14 * 60)


def _in_zone(local: pl.Expr, zone: str | None) -> pl.Expr:
    assert zone is not None
    return local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC")


def _scaled(texts: pl.Series, scale: int) -> pl.DataFrame:
    """By text, because a cast to Decimal rounds silently."""
    text = pl.col("text")
    plain = text.str.replace_all(",", "", literal=True)
    whole = plain.str.extract(r"^([0-9]+)", 1)
    places = plain.str.extract(r"\.([0-9]+)$", 1).fill_null("").str.strip_chars_end("0")
    number = pl.concat_str(whole, places.str.pad_end(scale, "0")).cast(pl.Int64, strict=False)
    fits = (places.str.len_bytes() <= scale) & (whole.str.len_bytes() + scale <= DECIMAL_DIGITS)
    return _select(texts, number, text.str.contains(DECIMAL) & fits & number.is_not_null())


def _texts(texts: pl.Series, separator: str | None) -> pl.DataFrame:
    values: list[list[str] | None] = []
    refused: list[str | None] = []
    for text in texts:
        words = [] if text is None else _split(text, separator)
        values.append(words)
        refused.append(UNREADABLE if words is None else None)
    return pl.DataFrame([pl.Series("values", values, pl.List(pl.String)), pl.Series("refused", refused, pl.String)])


def _split(text: str, separator: str | None) -> list[str] | None:
    """The texts in one, empty ones left out; None for what is no JSON array of texts."""
    if separator is not None:
        return [word for word in (part.strip() for part in text.split(separator)) if word]
    try:
        found = decode_json(text.encode())
    except Undecodable:
        return None
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        return None
    return [str(word) for word in found]


def _exactly(text: pl.Expr, style: str) -> pl.Expr:
    """Reads a date and keeps it only when writing it again gives the same text: nothing was rounded or completed."""
    day = text.str.to_date(style, strict=False)
    return pl.when(day.dt.to_string(style) == text).then(day)


def _years(texts: pl.Series) -> pl.DataFrame:
    parts = pl.col("text").str.extract_groups(YEARS)
    first = parts.struct.field("first").cast(pl.Int32, strict=False)
    last = pl.coalesce(parts.struct.field("last").cast(pl.Int32, strict=False), first)
    fine = first.is_not_null() & (first <= last)
    days = {"first_day": pl.date(first, 1, 1), "last_day": pl.date(last, 12, 31)}
    return _select(texts, pl.col("text"), fine, first_year=first, last_year=last, **days)


def _presence(texts: pl.Series, rule: PresenceRule) -> pl.DataFrame:
    text = pl.col("text")
    words = pl.when(text.is_not_null()).then(pl.lit(rule.present)).otherwise(pl.lit(rule.absent))
    return texts.alias("text").to_frame().select(values=words, refused=pl.lit(None, pl.String))


def _flag(texts: pl.Series, absent: bool | None) -> pl.DataFrame:
    text = pl.col("text")
    word = text.str.to_lowercase()
    read = pl.when(word.is_in(["true", "false"])).then(word == "true")
    values = read if absent is None else pl.when(text.is_null()).then(pl.lit(absent)).otherwise(read)
    refused = pl.when(text.is_not_null() & read.is_null()).then(pl.lit(UNREADABLE))
    return texts.alias("text").to_frame().select(values=values, refused=refused)


def _code(texts: pl.Series, codes: CodeList) -> pl.DataFrame:
    means, strict = codes.meanings(), codes.anything_else == "quarantine"
    found = [None if text is None else means.get(folded(text)) for text in texts]
    refused = [
        UNKNOWN if strict and text is not None and word is None else None
        for text, word in zip(texts, found, strict=True)
    ]
    return pl.DataFrame([pl.Series("values", found, pl.String), pl.Series("refused", refused, pl.String)])


def _codes(texts: pl.Series, codes: CodeList, separator: str) -> pl.DataFrame:
    means, strict = codes.meanings(), codes.anything_else == "quarantine"
    values: list[list[str] | None] = []
    refused: list[str | None] = []
    for text in texts:
        words = [] if text is None else [word for word in map(folded, text.split(separator)) if word]
        known = {means[word] for word in words if word in means}
        unknown = strict and any(word not in means for word in words)
        values.append(None if unknown else sorted(known))
        refused.append(UNKNOWN if unknown else None)
    return pl.DataFrame([pl.Series("values", values, pl.List(pl.String)), pl.Series("refused", refused, pl.String)])


def _serial(texts: pl.Series, rule: SerialRule) -> Converted:
    expression = parse_column(GRAMMARS[rule.grammar], pl.col("text")).alias("serial")
    parsed = texts.alias("text").to_frame().select(expression).unnest("serial")
    facts = {name: parsed.get_column(name) for name in parsed.columns if name != "refused"}
    facts["first_year"] = facts["vintage_start"].dt.year()
    facts["last_year"] = facts["vintage_end"].dt.year()
    return Converted(texts, parsed.get_column("refused"), facts)
