"""What must hold of a mapping document before it maps anything: found when it is loaded, told to who wrote it.

The columns that each rule gives are not looked up in a table: the rule is tried on one text, so that what is checked
is what will happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import polars as pl

from gateway.kit.mapping.converters import Converted, convert
from gateway.kit.mapping.document import (
    CodeList,
    CodeRule,
    CodesRule,
    ConstantRule,
    MappingDocument,
    PresenceRule,
    Rule,
    SerialRule,
    TextRule,
    YearsRule,
)
from gateway.model.records import columns, required, vocabulary
from gateway.model.serials import GRAMMARS
from gateway.model.vocabulary import FieldClass

PROBE = "probe"


def faults(document: MappingDocument, codes: Mapping[str, CodeList]) -> list[str]:
    """Everything that is wrong with a document, in words; empty when it can be used."""
    found = [*_field_faults(document), *_rule_faults(document), *_path_faults(document)]
    if found:
        return found
    tried: dict[str, Converted] = {}
    for name, rule in document.rules().items():
        try:
            if isinstance(rule, TextRule) and rule.pattern:
                # Alone too: ``a)|(b`` is a pattern only between the parentheses that anchor it, and undoes them.
                pl.Series([PROBE]).str.contains(rule.pattern)
            tried[name] = probe(rule, codes)
        except pl.exceptions.ComputeError as error:
            found.append(f"{name}: its pattern cannot be read ({' '.join(str(error).split())[:200]})")
    if found:
        return found
    found = [*_gift_faults(document, tried)]
    return found or [
        *_column_faults(document, tried),
        *_word_faults(document, codes),
        *_agreement_faults(document, tried),
    ]


def probe(rule: Rule, codes: Mapping[str, CodeList]) -> Converted:
    """What a rule makes of one text; its columns have the types that they will have."""
    if isinstance(rule, ConstantRule):
        return Converted(pl.Series([rule.value]), pl.Series([None], dtype=pl.String))
    listed = codes[rule.codes] if isinstance(rule, CodeRule | CodesRule) else None
    return convert(rule, pl.Series([PROBE]), listed)


def _field_faults(document: MappingDocument) -> Iterator[str]:
    known, needed = columns(document.record), required(document.record)
    given = [target for rule in _givers(document).values() for target in rule.gives]
    for name in (*document.fields, *given):
        if name not in known:
            yield f"{name} is no field of a {document.record}; its fields are {', '.join(known)}"
        elif name == "quantity_unit":
            yield "quantity_unit is said once for the whole document, not as a field"
    for name, count in Counter([*document.fields, *given]).items():
        if count > 1:
            yield f"{name} is filled twice: mapped, and given by a serial"
    for name in document.facts.keys() & document.fields.keys():
        yield f"{name} is a field and a fact; a fact needs a name of its own"
    filled = {*document.fields, *given} | ({"quantity_unit"} if document.quantity_unit else set())
    for name in sorted(needed - filled):
        yield f"the required field {name} is not mapped"
    if document.quantity_unit and "quantity_unit" not in known:
        yield f"a {document.record} has no quantity, so it has no quantity_unit"


def _rule_faults(document: MappingDocument) -> Iterator[str]:
    needed = required(document.record)
    for name, rule in document.rules().items():
        if name in needed and name in document.fields and rule.field_class is FieldClass.DESCRIPTIVE:
            yield f"the required field {name} cannot be descriptive"
        if isinstance(rule, SerialRule) and rule.grammar not in GRAMMARS:
            yield f"{name} names the grammar {rule.grammar}; there are {', '.join(sorted(GRAMMARS))}"
        if isinstance(rule, SerialRule) and rule.gives and name in document.facts:
            yield f"the fact {name} is a serial that gives fields; only a field can"


def _path_faults(document: MappingDocument) -> Iterator[str]:
    read = {rule.source for rule in document.rules().values() if not isinstance(rule, ConstantRule)}
    read |= {document.native_key} if document.native_key else set()
    ignored = Counter(path for one in document.ignored for path in one.paths)
    for path, count in ignored.items():
        if path in read:
            yield f"the path {path} is read and listed as ignored"
        if count > 1:
            yield f"the path {path} is listed as ignored twice"


def _gift_faults(document: MappingDocument, tried: Mapping[str, Converted]) -> Iterator[str]:
    for name, rule in _givers(document).items():
        for target, fact in rule.gives.items():
            if fact not in tried[name].facts:
                yield f"{target} is given by {name}.{fact}; a serial says {', '.join(sorted(tried[name].facts))}"


def _column_faults(document: MappingDocument, tried: Mapping[str, Converted]) -> Iterator[str]:
    known = columns(document.record)
    made = {name: (tried[name].values.dtype, f"converter {rule.convert}") for name, rule in document.fields.items()}
    for name, rule in _givers(document).items():
        made |= {target: (tried[name].facts[fact].dtype, f"fact {fact}") for target, fact in rule.gives.items()}
    for name, (dtype, maker) in made.items():
        if dtype != known[name]:
            yield f"the {maker} gives {_kind(dtype)}, and {name} is {_kind(known[name])}"


def _word_faults(document: MappingDocument, codes: Mapping[str, CodeList]) -> Iterator[str]:
    """A field with a closed vocabulary is filled by rules that can only say its words."""
    closed = vocabulary(document.record)
    for name, rule in document.rules().items():
        listed = codes[rule.codes] if isinstance(rule, CodeRule | CodesRule) else None
        if listed and listed.anything_else == "leave_empty" and rule.field_class is not FieldClass.DESCRIPTIVE:
            yield f"{name} is not descriptive, so its code list {listed.codes} cannot leave other words empty"
        if name not in closed or name not in document.fields:
            continue
        match rule:
            case CodeRule():
                said = {row.means for row in codes[rule.codes].rows}
            case PresenceRule():
                said = {rule.present, rule.absent}
            case ConstantRule():
                said = {str(rule.value)}
            case _:
                yield f"{name} takes only the words {', '.join(sorted(closed[name]))}; {rule.convert} gives any"
                continue
        for word in sorted(said - closed[name]):
            yield f"{word!r} is no {name} of a {document.record}; there are {', '.join(sorted(closed[name]))}"


def _agreement_faults(document: MappingDocument, tried: Mapping[str, Converted]) -> Iterator[str]:
    filled = document.fields.keys() | {target for rule in _givers(document).values() for target in rule.gives}
    known = {name: dtype for name, dtype in columns(document.record).items() if name in filled}
    facts = {f"{name}.{fact}": series.dtype for name, one in tried.items() for fact, series in one.facts.items()}
    facts |= {name: tried[name].values.dtype for name in document.facts}
    for one in document.agree:
        types = [known.get(name, facts.get(name)) for name in one.fields]
        for name, dtype in zip(one.fields, types, strict=True):
            if dtype is None:
                known_facts = ", ".join(sorted(facts))
                yield f"{one.code} compares {name}, no field of this document and no fact; facts are {known_facts}"
            elif isinstance(dtype, pl.List):
                yield f"{one.code} compares {name}, which is a list"
        if None not in types and types[0] != types[1]:
            left, right = (f"{name} ({_kind(dtype)})" for name, dtype in zip(one.fields, types, strict=True))
            yield f"{one.code} compares {left} with {right}"


def _givers(document: MappingDocument) -> dict[str, SerialRule | YearsRule]:
    """The rules that fill other fields too."""
    return {name: rule for name, rule in document.rules().items() if isinstance(rule, SerialRule | YearsRule)}


def _kind(dtype: pl.DataType | None) -> str:
    words = {
        pl.String: "text",
        pl.Int64: "a whole number",
        pl.Int32: "a year",
        pl.Date: "a day",
        pl.Boolean: "a flag",
        pl.Datetime: "an instant",
    }
    return words.get(type(dtype), "a list of words")  # type: ignore[arg-type]
