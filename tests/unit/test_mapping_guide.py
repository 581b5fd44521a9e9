"""The guide to mapping documents says what the program does: its converters, its examples, its classes and codes."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

import pytest

from gateway.kit.mapping.document import ConstantRule, Library, SourceRule
from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.model.records import contradictions
from gateway.model.serials import RefusalCode
from gateway.model.vocabulary import FieldClass, RecordKind
from tests.unit.mapping_documents import block_document, converted, outcomes

GUIDE = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL))
VERRA = Library.of_package("mappings.verra")
RULES: dict[str, tuple[dict[str, Any], str | None]] = {
    "text": ({"pattern": "[0-9]{1,9}"}, None),
    "whole_units": ({}, None),
    "date": ({"styles": ["iso", "day_month_year", "excel_serial", "compact", "han", "slashed"]}, None),
    "instant": (
        {"styles": ["iso", "iso_local", "compact_local", "epoch_milliseconds"], "zone": "Asia/Shanghai"},
        None,
    ),
    "scaled": ({"scale": "2"}, None),
    "texts": ({}, None),
    "years": ({}, None),
    "code": ({"codes": "project-status"}, "project-status"),
    "codes": ({"codes": "labels", "separator": ";"}, "labels"),
    "presence": ({"present": "retired_or_cancelled", "absent": "active"}, None),
    "flag": ({}, None),
    "serial": ({"grammar": "verra"}, None),
}


def converters() -> set[str]:
    rules = [*typing.get_args(SourceRule), ConstantRule]
    return {word for rule in rules for word in typing.get_args(rule.model_fields["convert"].annotation)}


def examples(section: str, word: str) -> list[str]:
    return [
        text
        for line in re.findall(rf"^{word}: (.*)$", section, re.MULTILINE)
        for text in re.findall(r"`([^`]+)`", line)
    ]


def test_the_guide_has_the_converters_that_there_are() -> None:
    assert set(SECTIONS) == converters()
    assert set(RULES) == converters() - {"constant"}


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_examples_are_read_and_refused(name: str) -> None:
    more, listed = RULES[name]
    codes = VERRA.codes(listed)[0].model_dump() if listed else None
    read, refused = examples(SECTIONS[name], "Reads"), examples(SECTIONS[name], "Refuses")
    assert read
    assert refused or name == "presence"
    rule = {"convert": name, **more}
    defects = {"UNREADABLE", "UNKNOWN", *RefusalCode}
    assert [text for text, got in zip(read, outcomes_of(rule, read, codes), strict=True) if got in defects] == []
    assert [
        text for text, got in zip(refused, outcomes_of(rule, refused, codes), strict=True) if got not in defects
    ] == []


def outcomes_of(rule: dict[str, Any], texts: list[str], codes: dict[str, Any] | None) -> list[str]:
    if rule["convert"] == "serial":
        return [defect or "" for defect in converted(rule, *texts).refused]
    return [str(got) for got in outcomes(rule, *texts, codes=codes)]


def test_the_guide_names_every_class_and_every_code() -> None:
    for one in FieldClass:
        assert f"| `{one}` |" in GUIDE
    for code in (*RefusalCode, *(one.code for one in contradictions(RecordKind.BLOCK))):
        assert f"`{code}`" in GUIDE


def test_its_yaml_is_of_our_documents() -> None:
    blocks = [read_yaml(text.encode()) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]
    assert len(blocks) == 4
    document, codes, agree, ignored = blocks
    vcus = VERRA.document("vcus")[0]
    assert document["fields"] == {
        name: vcus.fields[name].model_dump(mode="json", by_alias=True, exclude_unset=True)
        for name in document["fields"]
    }
    assert document["recognise"] == list(vcus.recognise)
    listed = {row.native: row for row in VERRA.codes("unit-status")[0].rows}
    assert all(row == listed[row["native"]].model_dump(exclude_unset=True) for row in codes["rows"])
    assert {**agree["agree"][0], "fields": tuple(agree["agree"][0]["fields"])}.items() >= {
        "fields": vcus.agree[0].fields,
        "code": vcus.agree[0].code,
        "otherwise": vcus.agree[0].otherwise,
    }.items()
    assert ignored["ignored"][0]["paths"][0] in vcus.paths()
    assert set(document) <= set(block_document())
