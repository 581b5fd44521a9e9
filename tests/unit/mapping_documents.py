"""Small mapping documents for tests, written as somebody would write them: to a folder, and read from there."""

from __future__ import annotations

import json
from collections.abc import Mapping as Pairs
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from gateway.kit.mapping.converters import Converted, convert
from gateway.kit.mapping.document import CodeList, Library, Rule
from gateway.kit.mapping.engine import Mapping

WORDS: dict[str, Any] = {
    "codes": "test.words",
    "describes": "Words for tests.",
    "source": "Tests.",
    "anything_else": "quarantine",
    "rows": [
        {"native": "Active", "means": "active"},
        {"native": "On Hold - see letter", "means": "on_hold"},
        {"native": "NO", "means": "retired"},
    ],
}
LABELS: dict[str, Any] = {
    **WORDS,
    "codes": "test.labels",
    "rows": [
        {"native": "CORSIA - Pilot Phase, 2021-2023 Eligible", "means": "CORSIA-PILOT-ELIGIBLE"},
        {"native": "CCB-Gold", "means": "CCB-GOLD"},
        {"native": "CCBS-Gold", "means": "CCB-GOLD"},
        {"native": "13: Climate Action", "means": "SDG-13"},
    ],
}
PLACES: dict[str, Any] = {
    **WORDS,
    "codes": "test.places",
    "anything_else": "leave_empty",
    "rows": [{"native": "Norway", "means": "NO"}],
}
LISTS = {"words": WORDS, "labels": LABELS, "places": PLACES}
GIVES = {
    "space": "space",
    "first": "first",
    "last": "last",
    "batch_id": "batch",
    "vintage_start": "vintage_start",
    "vintage_end": "vintage_end",
}
SERIAL = "20000-1-425-VCS-VCU-1507-VER-ET-14-1340-01012020-31122020-1"


def text_rule(path: str, kind: str = "descriptive", **more: Any) -> dict[str, Any]:
    return {"from": path, "convert": "text", "class": kind, **more}


def block_document(**changes: Any) -> dict[str, Any]:
    """A document for blocks, with a note and a quarantine among its agreements; ``changes`` replace its members."""
    document: dict[str, Any] = {
        "mapping": "test.blocks",
        "describes": "Blocks for tests.",
        "source": "Tests.",
        "record": "block",
        "rows": "rows[]",
        "recognise": ["serial", "units"],
        "native_key": "id",
        "quantity_unit": "tCO2e",
        "fields": {
            "serial": {"from": "serial", "convert": "serial", "grammar": "verra", "class": "identity", "gives": GIVES},
            "project_id": text_rule("project", "identity", pattern="[0-9]{1,9}"),
            "quantity": {"from": "units", "convert": "whole_units", "class": "quantity"},
            "unit_kind": {"convert": "constant", "value": "VCU", "class": "identity"},
            "state": {"from": "status", "convert": "code", "codes": "words", "class": "state"},
            "state_native": text_rule("status"),
            "buffer": {"from": "buffer", "convert": "flag", "absent": False, "class": "state", "optional": True},
            "ended_on": {"from": "ended", "convert": "date", "styles": ["iso"], "class": "descriptive"},
            "labels": {
                "from": "labels",
                "convert": "codes",
                "codes": "labels",
                "separator": ";",
                "class": "entitlement",
                "optional": True,
            },
            "country": {"from": "place", "convert": "code", "codes": "places", "class": "descriptive"},
            "country_native": text_rule("place"),
        },
        "facts": {"years": {"from": "years", "convert": "years", "class": "identity", "optional": True}},
        "agree": [
            {
                "fields": ["quantity", "serial.count"],
                "code": "COUNT_DIFFERS",
                "otherwise": "quarantine",
                "why": "A block has as many units as its serial counts.",
            },
            {
                "fields": ["years.first_year", "serial.first_year"],
                "code": "YEAR_DIFFERS",
                "otherwise": "note",
                "why": "The column is only a year.",
            },
        ],
        "ignored": [{"paths": ["prose"], "why": "Prose for the public page."}],
    }
    return document | changes


def with_field(name: str, rule: Pairs[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """The document for blocks with one field another, or without it."""
    document = block_document(**changes)
    fields = {other: one for other, one in document["fields"].items() if other != name}
    return document | {"fields": fields if rule is None else {**fields, name: dict(rule)}}


def row(**changes: str | None) -> dict[str, str | None]:
    """A row that the document for blocks accepts, but for ``changes``."""
    accepted: dict[str, str | None] = {
        "id": "7",
        "serial": SERIAL,
        "project": "1340",
        "units": "425.0",
        "status": "Active",
        "buffer": None,
        "ended": None,
        "labels": None,
        "place": "Norway",
        "years": "2020",
        "prose": "Anything",
    }
    return accepted | changes


def table(*rows: Pairs[str, str | None]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for one in rows for name in one))
    return pl.DataFrame({name: pl.Series([one.get(name) for one in rows], dtype=pl.String) for name in names})


def library(folder: Path, documents: Pairs[str, Any]) -> Library:
    """A library of these documents (JSON is YAML too; a str or bytes is written as it is) beside the usual lists."""
    for name, content in {**LISTS, **documents}.items():
        path = folder / f"{name}.yaml"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return Library(folder, None)


def compiled(folder: Path, document: Pairs[str, Any] | None = None) -> Mapping:
    return Mapping("blocks", library(folder, {"blocks": dict(document or block_document())}))


def converted(rule: Pairs[str, Any], *texts: str | None, codes: Pairs[str, Any] | None = None) -> Converted:
    """A column converted by a rule as it stands in a document."""
    read: Any = TypeAdapter(Rule).validate_python({"from": "path", "class": "identity"} | dict(rule))
    listed = CodeList.model_validate(codes) if codes else None
    return convert(read, pl.Series("path", texts, dtype=pl.String), listed)


def outcomes(rule: Pairs[str, Any], *texts: str | None, codes: Pairs[str, Any] | None = None) -> list[Any]:
    """The value of each text, or its defect where it was refused."""
    made = converted(rule, *texts, codes=codes)
    assert not any(value is not None and defect for value, defect in zip(made.values, made.refused, strict=True))
    return [
        defect or (value.to_list() if isinstance(value, pl.Series) else value)
        for value, defect in zip(made.values, made.refused, strict=True)
    ]
