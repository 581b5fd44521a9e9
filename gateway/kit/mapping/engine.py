"""A compiled mapping: a table of strings in; a typed table, a table of defects and the drift out.

The same for an event, a page of 400 and a file of a million. A record with a defect in a field of any class but
``descriptive`` is quarantined: it is in no table but the defects', with its row number, and the caller keeps its raw
row. Nothing is dropped: rows in = rows accepted + rows quarantined.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import polars as pl

from gateway.kit.mapping.converters import Converted, convert
from gateway.kit.mapping.document import (
    Agreement,
    CodeList,
    CodeRule,
    CodesRule,
    ConstantRule,
    Library,
    MappingDocument,
    Rule,
    SerialRule,
)
from gateway.model.errors import ConfigurationError
from gateway.model.records import columns, required
from gateway.model.serials import GRAMMARS
from gateway.model.serials.columnar import parse_column
from gateway.model.vocabulary import FieldClass

ROW: Final = "_row"
SOURCE: Final = "_gateway_source"
POSITION: Final = "_gateway_position"
OURS: Final = frozenset({ROW, SOURCE, POSITION})
"""Columns that the gateway adds to a table: a row's number in it, its document, and its place there."""

FOUND_LIMIT: Final = 200
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

    Raises ConfigurationError when the document names a field, code list or grammar that does not exist, or leaves a
    required field out.
    """

    def __init__(self, name: str, library: Library) -> None:
        self.document, digest = library.document(name)
        self._codes: dict[str, CodeList] = {}
        digests = [digest]
        for rule in (*self.document.fields.values(), *self.document.facts.values()):
            if isinstance(rule, CodeRule | CodesRule) and rule.codes not in self._codes:
                self._codes[rule.codes], list_digest = library.codes(rule.codes)
                digests.append(list_digest)
        self.digest: str = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        self._check()

    @property
    def name(self) -> str:
        """The document's own name, such as ``verra.vcus``."""
        return self.document.mapping

    def recognises(self, headings: tuple[str, ...]) -> bool:
        """Whether a file with these headings is of the document's kind."""
        return bool(self.document.recognise) and set(self.document.recognise) <= set(headings)

    def missing_columns(self, headings: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that a file of this kind must have and this one has not."""
        return tuple(path for path in self._expected_paths() if path not in headings)

    def apply(self, table: pl.DataFrame) -> Mapped:
        """Maps a table of String columns; ``_row`` numbers its rows and is made where it is absent."""
        if ROW not in table.columns:
            table = table.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
        converted = {name: self._convert(rule, table) for name, rule in self._rules().items()}
        fields, facts = self._resolve(converted, table)
        defects = pl.concat(
            [
                *(self._refusals(name, converted[name], table) for name in converted),
                *self._gaps(fields, converted, table),
                *(self._disagreements(one, fields, facts, table) for one in self.document.agree),
            ]
        ).sort(ROW, maintain_order=True)
        bad = defects.filter("quarantined").get_column(ROW).unique()
        rows = pl.DataFrame([table.get_column(ROW), self._native_key(table), *fields.values()])
        if bad.len():
            rows = rows.filter(~pl.col(ROW).is_in(bad.implode()))
        known = self.document.paths() | OURS
        quantity = fields.get("quantity", pl.Series([], dtype=pl.Int64))
        return Mapped(
            rows,
            defects,
            unknown=tuple(name for name in table.columns if name not in known),
            missing=self.missing_columns(tuple(table.columns)),
            units=int(quantity.sum()),
            units_unreadable=quantity.null_count(),
        )

    def _rules(self) -> dict[str, Rule]:
        return {**self.document.fields, **self.document.facts}

    def _expected_paths(self) -> list[str]:
        rules = [rule for rule in self._rules().values() if not isinstance(rule, ConstantRule)]
        return list(dict.fromkeys(rule.source for rule in rules if not rule.optional))

    def _convert(self, rule: Rule, table: pl.DataFrame) -> Converted:
        nothing = pl.Series("refused", [None], pl.String).new_from_index(0, table.height)
        if isinstance(rule, ConstantRule):
            return Converted(pl.Series("values", [rule.value]).new_from_index(0, table.height), nothing)
        if rule.source not in table.columns:
            texts = pl.Series(rule.source, [None], pl.String).new_from_index(0, table.height)
        else:
            texts = table.get_column(rule.source)
        if isinstance(rule, SerialRule):
            return _serial(rule, texts.str.strip_chars().replace("", None))
        codes = self._codes[rule.codes] if isinstance(rule, CodeRule | CodesRule) else None
        return convert(rule, texts, codes)

    def _resolve(
        self, converted: dict[str, Converted], table: pl.DataFrame
    ) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
        """The record's columns, and every fact under ``rule.fact``."""
        facts = {
            f"{name}.{fact}": series for name, one in converted.items() for fact, series in one.facts.items()
        } | {name: one.values for name, one in converted.items()}
        given = {
            target: facts[f"{name}.{fact}"]
            for name, rule in self.document.fields.items()
            if isinstance(rule, SerialRule)
            for target, fact in rule.gives.items()
        }
        fields = {}
        for name, kind in columns(self.document.record).items():
            if name == "quantity_unit":
                unit = self.document.quantity_unit
                series = pl.Series([str(unit) if unit else None]).new_from_index(0, table.height)
            elif name in given:
                series = given[name]
            elif name in converted:
                series = converted[name].values
            else:
                series = pl.Series([None], dtype=kind).new_from_index(0, table.height)
            fields[name] = series.cast(kind).alias(name)
        return fields, facts

    def _native_key(self, table: pl.DataFrame) -> pl.Series:
        path = self.document.native_key
        if path is not None and path in table.columns:
            return table.get_column(path).alias("native_key")
        return pl.Series("native_key", [None], pl.String).new_from_index(0, table.height)

    def _refusals(self, name: str, one: Converted, table: pl.DataFrame) -> pl.DataFrame:
        if one.refused.null_count() == table.height:
            return pl.DataFrame(schema=DEFECT_COLUMNS)
        rule = self._rules()[name]
        assert not isinstance(rule, ConstantRule)
        own = isinstance(rule, SerialRule)
        code = pl.col("refused") if own else pl.format("{}_{}", pl.lit(name.upper()), "refused")
        return (
            pl.DataFrame([table.get_column(ROW), one.refused.alias("refused"), table.get_column(rule.source).alias("found")])
            .filter(pl.col("refused").is_not_null())
            .select(
                ROW,
                code=code,
                field=pl.lit(name),
                found=pl.col("found").str.slice(0, FOUND_LIMIT),
                quarantined=pl.lit(rule.field_class is not FieldClass.DESCRIPTIVE),
            )
        )

    def _gaps(
        self, fields: dict[str, pl.Series], converted: dict[str, Converted], table: pl.DataFrame
    ) -> list[pl.DataFrame]:
        """A defect for each required field that is empty although nothing in its source was refused."""
        found = []
        giver = {
            target: name
            for name, rule in self.document.fields.items()
            if isinstance(rule, SerialRule)
            for target in rule.gives
        }
        for name in sorted(required(self.document.record)):
            series = fields[name]
            source = converted.get(giver.get(name, name))
            if series.null_count() == 0 or name in giver:
                continue
            empty = pl.DataFrame([table.get_column(ROW), series.is_null().alias("empty")])
            if source is not None:
                empty = empty.with_columns(empty=pl.col("empty") & source.refused.is_null())
            found.append(
                empty.filter("empty").select(
                    ROW,
                    code=pl.lit(f"{name.upper()}_MISSING"),
                    field=pl.lit(name),
                    found=pl.lit(None, pl.String),
                    quarantined=pl.lit(value=True),
                )
            )
        return found

    @staticmethod
    def _disagreements(
        one: Agreement, fields: dict[str, pl.Series], facts: dict[str, pl.Series], table: pl.DataFrame
    ) -> pl.DataFrame:
        left, right = (fields[name] if name in fields else facts[name] for name in one.fields)
        differs = (left != right).fill_null(value=False)
        if not differs.any():
            return pl.DataFrame(schema=DEFECT_COLUMNS)
        return (
            pl.DataFrame([table.get_column(ROW), left.alias("left"), right.alias("right"), differs.alias("differs")])
            .filter("differs")
            .select(
                ROW,
                code=pl.lit(one.code),
                field=pl.lit(one.fields[0]),
                found=pl.format("{} is {}, {} is {}", pl.lit(one.fields[0]), "left", pl.lit(one.fields[1]), "right"),
                quarantined=pl.lit(one.otherwise == "quarantine"),
            )
        )

    def _check(self) -> None:
        document = self.document
        known = columns(document.record)
        given = {target for rule in document.fields.values() if isinstance(rule, SerialRule) for target in rule.gives}
        faults = [f"{name} is no field of a {document.record}" for name in (*document.fields, *given) if name not in known]
        faults += [f"{name} is given by a serial and mapped too" for name in given & document.fields.keys()]
        filled = document.fields.keys() | given | ({"quantity_unit"} if document.quantity_unit else set())
        faults += [f"the required field {name} is not mapped" for name in sorted(required(document.record) - filled)]
        for name, rule in self._rules().items():
            if isinstance(rule, SerialRule) and rule.grammar not in GRAMMARS:
                faults.append(f"{name} names the grammar {rule.grammar}; there are {', '.join(sorted(GRAMMARS))}")
            elif name in required(document.record) and rule.field_class is FieldClass.DESCRIPTIVE:
                faults.append(f"the required field {name} cannot be descriptive")
        if faults:
            raise ConfigurationError(f"mapping {document.mapping}: " + "; ".join(faults))


def _serial(rule: SerialRule, texts: pl.Series) -> Converted:
    expression = parse_column(GRAMMARS[rule.grammar], pl.col("text")).alias("serial")
    parsed = texts.alias("text").to_frame().select(expression).unnest("serial")
    facts = {name: parsed.get_column(name) for name in parsed.columns if name != "refused"}
    facts["first_year"] = facts["vintage_start"].dt.year()
    facts["last_year"] = facts["vintage_end"].dt.year()
    return Converted(texts, parsed.get_column("refused"), facts)
