"""A compiled mapping: a table of strings in; a typed table, a table of defects and the drift out.

The same for an event, a page of 400 and a file of a million. A record with a defect in a field of any class but
``descriptive`` is quarantined: it is in no table but the defects', with its row number, and the caller keeps its raw
row. Nothing is dropped: rows in = rows accepted + rows quarantined.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import polars as pl

from gateway.kit.mapping.checks import faults
from gateway.kit.mapping.converters import Converted, cleaned, convert
from gateway.kit.mapping.document import (
    Agreement,
    CodeList,
    CodeRule,
    CodesRule,
    ConstantRule,
    Library,
    Rule,
    SerialRule,
)
from gateway.model.errors import ConfigurationError
from gateway.model.records import columns, contradictions, measure, required
from gateway.model.vocabulary import FieldClass

ROW: Final = "_row"
SOURCE: Final = "_gateway_source"
POSITION: Final = "_gateway_position"
OURS: Final = frozenset({ROW, SOURCE, POSITION})
"""Columns that the gateway adds to a table: a row's number in it, its document, and its place there."""

FOUND_LIMIT: Final = 200
THREADED_ROWS: Final = 20_000
"""From here on a table's columns are converted side by side: for a page, starting threads costs more than it gains."""
DEFECT_COLUMNS: Final = {
    ROW: pl.Int64(),
    "code": pl.String(),
    "field": pl.String(),
    "found": pl.String(),
    "quarantined": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping made of a table.

    Attributes:
        rows: the accepted records: ``_row``, ``native_key`` and the record's columns.
        defects: one row a defect: ``_row``, ``code``, ``field``, ``found``, ``quarantined`` (False: only noted).
        unknown: source columns that the document does not know.
        missing: columns that the document knows, does not call optional, and that the source does not have.
        units: the sum of every quantity that could be read, quarantined rows included; what a market's own total is
            compared with.
        units_unreadable: how many rows have no readable quantity.
    """

    rows: pl.DataFrame
    defects: pl.DataFrame
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    units: int
    units_unreadable: int

    def quarantined(self) -> pl.Series:
        """The row numbers of the records that were not accepted, each once, in order."""
        return self.defects.filter("quarantined").get_column(ROW).unique().sort()


class Mapping:
    """A mapping document with its code lists, checked and ready.

    Args:
        name: the document's file name in the library.
        library: where it and its code lists are.

    Raises ConfigurationError when the document does not hold together: see :mod:`gateway.kit.mapping.checks`.
    """

    def __init__(self, name: str, library: Library) -> None:
        self.document, digest = library.document(name)
        self._codes: dict[str, CodeList] = {}
        digests = [digest]
        for rule in self.document.rules().values():
            if isinstance(rule, CodeRule | CodesRule) and rule.codes not in self._codes:
                self._codes[rule.codes], list_digest = library.codes(rule.codes)
                digests.append(list_digest)
        self.digest: str = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        found = faults(self.document, self._codes)
        if found:
            raise ConfigurationError(f"mapping document {name}.yaml: " + "; ".join(found))
        self._columns = columns(self.document.record)
        self._given = self.document.given()

    @property
    def name(self) -> str:
        """The document's own name, such as ``verra.vcus``."""
        return self.document.mapping

    def recognises(self, headings: tuple[str, ...]) -> bool:
        """Whether a file with these headings is of the document's kind."""
        return bool(self.document.recognise) and set(self.document.recognise) <= set(headings)

    def missing_columns(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that a file of this kind must have and this one has not."""
        rules = [rule for rule in self.document.rules().values() if not isinstance(rule, ConstantRule)]
        paths = [rule.source for rule in rules if not rule.optional]
        if self.document.native_key:
            paths.append(self.document.native_key)
        return tuple(path for path in dict.fromkeys(paths) if path not in headings)

    def apply(self, table: pl.DataFrame) -> Mapped:
        """Maps a table of String columns; ``_row`` (Int64) numbers its rows and is made where it is absent.

        Raises ValueError for a table that is no such table: other types, or two rows of one number.
        """
        table = _numbered(table.rechunk())  # the library panics where refused values lie in several chunks
        converted = self._converted(table)
        fields = self._fields(converted, table.height)
        facts = {f"{name}.{fact}": series for name, one in converted.items() for fact, series in one.facts.items()}
        facts |= {name: converted[name].values for name in self.document.facts}
        defects = [
            *(self._refusals(name, one, table) for name, one in converted.items()),
            *self._gaps(fields, converted, table),
            *(_disagreements(one, fields | facts, table) for one in self.document.agree),
        ]
        rows = pl.DataFrame([table.get_column(ROW), self._native_key(table), *fields.values()])
        rows = _without(rows, pl.concat(defects))
        impossible = self._contradictions(rows)
        rows = _without(rows, impossible)
        told = tuple(name for name in table.columns if name not in OURS)
        quantity = fields.get(measure(self.document.record) or "", pl.Series([], dtype=pl.Int64))
        return Mapped(
            rows,
            pl.concat([*defects, impossible]).sort(ROW, maintain_order=True),
            unknown=tuple(name for name in told if name not in self.document.paths()),
            missing=self.missing_columns(told) if told else (),
            units=int(quantity.cast(pl.Int128).sum()),
            units_unreadable=quantity.null_count(),
        )

    def _converted(self, table: pl.DataFrame) -> dict[str, Converted]:
        """Every rule's column."""

        def convert_one(rule: Rule) -> Converted:
            if isinstance(rule, ConstantRule):
                constant = pl.Series([rule.value]).new_from_index(0, table.height)
                return Converted(constant, _nothing(pl.String(), table.height))
            codes = self._codes[rule.codes] if isinstance(rule, CodeRule | CodesRule) else None
            return convert(rule, _texts(table, rule.source), codes)

        rules = self.document.rules()
        if table.height < THREADED_ROWS:
            return {name: convert_one(rule) for name, rule in rules.items()}
        with ThreadPoolExecutor(max_workers=pl.thread_pool_size()) as pool:
            return dict(zip(rules, pool.map(convert_one, rules.values()), strict=True))

    def _fields(self, converted: dict[str, Converted], height: int) -> dict[str, pl.Series]:
        """The record's columns, in its order; empty where the document does not fill one."""
        fields = {}
        for name, dtype in self._columns.items():
            if name == "quantity_unit":
                unit = self.document.quantity_unit
                series = pl.Series([unit and unit.value], dtype=dtype).new_from_index(0, height)
            elif name in self._given:
                field, fact = self._given[name]
                series = converted[field].facts[fact]
            elif name in self.document.fields:
                series = converted[name].values
            else:
                series = _nothing(dtype, height)
            fields[name] = series.alias(name)
        return fields

    def _native_key(self, table: pl.DataFrame) -> pl.Series:
        path = self.document.native_key
        keys = cleaned(_texts(table, path)) if path else _nothing(pl.String(), table.height)
        return keys.alias("native_key")

    def _refusals(self, name: str, one: Converted, table: pl.DataFrame) -> pl.DataFrame:
        rule = self.document.rules()[name]
        if isinstance(rule, ConstantRule) or one.refused.null_count() == table.height:
            return pl.DataFrame(schema=DEFECT_COLUMNS)
        own = isinstance(rule, SerialRule)
        code = pl.col("refused") if own else pl.format("{}_{}", pl.lit(name.upper()), "refused")
        noted = rule.field_class is FieldClass.DESCRIPTIVE
        columns_needed = [
            table.get_column(ROW),
            one.refused.alias("refused"),
            table.get_column(rule.source).alias("found"),
        ]
        refused = pl.DataFrame(columns_needed).filter(pl.col("refused").is_not_null())
        return _defects(refused, code, name, pl.col("found"), quarantined=not noted)

    def _gaps(
        self, fields: dict[str, pl.Series], converted: dict[str, Converted], table: pl.DataFrame
    ) -> list[pl.DataFrame]:
        """A defect for each required field that is empty although nothing in its source was refused."""
        found = []
        for name in sorted(required(self.document.record) - {"quantity_unit"}):
            if fields[name].null_count() == 0:
                continue
            giver = self._given[name][0] if name in self._given else name
            source = converted[giver]
            empty = fields[name].is_null() & source.refused.is_null()
            if name in self._given and giver in required(self.document.record):
                # A serial that is not there is one defect, not one for each field that it would have given.
                empty &= source.values.is_not_null()
            rows = table.select(ROW).filter(empty)
            found.append(_defects(rows, pl.lit(f"{name.upper()}_MISSING"), name, pl.lit(None), quarantined=True))
        return found

    def _contradictions(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What no record may say, for rows that nothing else was wrong with."""
        found = [
            _defects(rows.filter(one.present), pl.lit(one.code), one.field, one.found, quarantined=True)
            for one in contradictions(self.document.record)
        ]
        return pl.concat([pl.DataFrame(schema=DEFECT_COLUMNS), *found])


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    if ROW not in table.columns:
        return table.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
    numbers = table.get_column(ROW)
    if numbers.dtype != pl.Int64 or numbers.null_count() or numbers.n_unique() != table.height:
        raise ValueError(f"the column {ROW} is {numbers.dtype} or repeats itself, expected a whole number for each row")
    return table


def _texts(table: pl.DataFrame, source: str) -> pl.Series:
    if source not in table.columns:
        return _nothing(pl.String(), table.height)
    texts = table.get_column(source)
    if texts.dtype == pl.Null:
        return _nothing(pl.String(), table.height)
    if texts.dtype != pl.String:
        raise ValueError(f"the column {source} is {texts.dtype}, expected text as received")
    return texts


def _nothing(dtype: pl.DataType, height: int) -> pl.Series:
    return pl.Series([None], dtype=dtype).new_from_index(0, height)


def _without(rows: pl.DataFrame, defects: pl.DataFrame) -> pl.DataFrame:
    bad = defects.filter("quarantined").get_column(ROW).unique()
    return rows.filter(~pl.col(ROW).is_in(bad.implode())) if bad.len() else rows


def _disagreements(one: Agreement, values: dict[str, pl.Series], table: pl.DataFrame) -> pl.DataFrame:
    names = one.fields
    left, right = (values[name] for name in names)
    differs = (left != right).fill_null(value=False)
    rows = pl.DataFrame([table.get_column(ROW), left.alias("left"), right.alias("right")]).filter(differs)
    words = pl.format("{} is {}, {} is {}", pl.lit(names[0]), "left", pl.lit(names[1]), "right")
    return _defects(rows, pl.lit(one.code), names[0], words, quarantined=one.otherwise == "quarantine")


def _defects(rows: pl.DataFrame, code: pl.Expr, field: str, found: pl.Expr, *, quarantined: bool) -> pl.DataFrame:
    return rows.select(
        ROW,
        code=code,
        field=pl.lit(field),
        found=found.cast(pl.String).str.slice(0, FOUND_LIMIT),
        quarantined=pl.lit(quarantined),
    )
