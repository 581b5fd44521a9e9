"""One grammar, two engines: whatever the text, both read the same or refuse with the same code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.serials import GRAMMARS, Serial, SerialRefused, grammar_of, read
from gateway.model.serials.columnar import parse_column
from tests.unit.test_serials_grammars import EXAMPLES, NEAR_MISSES

SCHEMA = {
    "space": pl.String,
    "first": pl.Int64,
    "last": pl.Int64,
    "count": pl.Int64,
    "batch": pl.String,
    "project": pl.String,
    "country": pl.String,
    "vintage_start": pl.Date,
    "vintage_end": pl.Date,
    "vintage_year": pl.Int32,
    "unit_kind": pl.String,
    "project_type": pl.String,
    "flag": pl.String,
    "refused": pl.String,
}
NOTHING: dict[str, Any] = dict.fromkeys(SCHEMA)
REGISTRIES = sorted(GRAMMARS)


def columnar(registry: str, texts: Sequence[str | None], epoch: str | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    parsed = parse_column(grammar_of(registry), pl.col("text"), epoch=epoch)
    return frame.select(parsed.alias("serial")).unnest("serial")


def row(found: Serial | SerialRefused) -> dict[str, Any]:
    if isinstance(found, SerialRefused):
        return NOTHING | {"refused": found.code.value}
    facts = {name: getattr(found.facts, name) for name in SCHEMA if hasattr(found.facts, name)}
    return (
        NOTHING
        | facts
        | {
            "space": found.space.key,
            "first": found.range.first,
            "last": found.range.last,
            "count": found.range.count,
        }
    )


def check_agreement(registry: str, texts: Sequence[str]) -> None:
    single = [read(grammar_of(registry), text) for text in texts]
    assert columnar(registry, texts).to_dicts() == [row(found) for found in single]
    for text, found in zip(texts, single, strict=True):
        if isinstance(found, Serial):
            assert found.text == text
        else:
            assert found.reason.isprintable()
            assert len(found.reason) < 300


# Characters that a serial holds, and those that eyes, keyboards and clipboards put in their place.
_CHARACTERS = st.sampled_from(list("0129-_ ABCDEGIORSTUVPo.l\n\r\t\0\u00a0\u2010\u2013\u200b\u0663\uff10\U0001d7ce"))
_INSERTS = st.one_of(
    _CHARACTERS,
    st.text(max_size=4),
    st.sampled_from(["9" * 17, "9" * 18, "9" * 19, "9" * 400, "0", "00", " to ", " - ", "VCS-", "-14", "29021900"]),
)


@st.composite
def mutated(draw: st.DrawFn, registry: str) -> str:
    """A real serial of the registry after up to three slips."""
    text = draw(st.sampled_from([example for name, example, *_ in EXAMPLES if name == registry]))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 3)))
        text = text[:start] + draw(_INSERTS) + text[end:]
    return text


def shaped(registry: str) -> st.SearchStrategy[str]:
    """Texts that a form of the registry matches, their dates and ranges mostly impossible."""
    return st.one_of([st.from_regex(form.matcher, fullmatch=True) for form in grammar_of(registry).forms])


@pytest.mark.parametrize("registry", REGISTRIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_text_does_anything_but_parse_or_be_refused(registry: str, data: st.DataObject) -> None:
    texts = st.one_of(st.text(), mutated(registry), mutated(registry), shaped(registry))
    check_agreement(registry, data.draw(st.lists(texts, min_size=1, max_size=20)))


@pytest.mark.parametrize("registry", REGISTRIES)
def test_the_tables_read_alike_in_both(registry: str) -> None:
    check_agreement(registry, [text for _, text, *_ in (*EXAMPLES, *NEAR_MISSES)])


# Days that exist, days that do not, and the edges of February in leap years and centuries.
_DAYS = st.one_of(
    st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(lambda day: f"{day:%d%m%Y}"),
    st.builds("{:02}{:02}{}".format, st.integers(0, 99), st.integers(0, 99), st.integers(1900, 2199)),
    st.sampled_from(["29022000", "29021900", "29022100", "29022024", "31042024", "00012024", "01002024"]),
)


@given(st.lists(st.tuples(_DAYS, _DAYS), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_day_of_a_vintage_is_judged_alike(vintages: list[tuple[str, str]]) -> None:
    check_agreement("verra", [f"1-2-3-VCU-001-APX-CN-1-530-{start}-{end}-0" for start, end in vintages])
    check_agreement("plan-vivo", [f"PV-rPVC-MZ-1-{start}-{end}-2-3-SPG" for start, end in vintages])


def test_surrogates_are_refused_one_by_one() -> None:
    # They cannot be in a column, which holds UTF-8.
    for registry in REGISTRIES:
        assert isinstance(read(grammar_of(registry), "\ud800-1"), SerialRefused)


def test_the_columns_are_always_the_same() -> None:
    for registry in REGISTRIES:
        assert columnar(registry, []).schema == pl.Schema(SCHEMA)
        assert columnar(registry, ["?"]).schema == pl.Schema(SCHEMA)


def test_no_serial_is_no_refusal() -> None:
    for registry in REGISTRIES:
        assert columnar(registry, [None, ""]).to_dicts() == [NOTHING, NOTHING | {"refused": "SERIAL_UNREADABLE"}]


def test_the_epoch_that_the_text_does_not_tell() -> None:
    text = "ACR-US-1187-2025-2-1 to 16820"
    found = columnar("acr", [text, "x"], epoch="greentrace")
    single = read(grammar_of("acr"), text, epoch="greentrace")
    assert isinstance(single, Serial)
    assert found["space"].to_list() == [single.space.key, None] == ["acr:greentrace/US-1187-2025-2", None]
    with pytest.raises(ValueError, match="found the epoch 'vcu' for serials of verra"):
        columnar("verra", [], epoch="vcu")


def test_works_lazily_and_beside_other_columns() -> None:
    texts = [text for registry, text, *_ in EXAMPLES if registry == "verra"]
    frame = pl.LazyFrame({"text": texts, "row": range(len(texts))})
    parsed = frame.with_columns(parse_column(grammar_of("verra"), pl.col("text")).alias("serial")).unnest("serial")
    assert parsed.collect().select(list(SCHEMA)).to_dicts() == columnar("verra", texts).to_dicts()


def test_patterns_keep_to_what_both_engines_read_alike() -> None:
    for grammar in GRAMMARS.values():
        for form in grammar.forms:
            assert not re.search(r"\\[dwsbDWSBAZ0-9]|\(\?[=!<](?!P)|\(\?P=|\*|\+|\.", form.pattern), form.pattern
            assert {"first", "last"} <= form.groups
