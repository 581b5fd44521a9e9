"""The mapping engine: what is accepted, what is quarantined and why, what is only noted, and that nothing is lost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kit.mapping import engine
from gateway.kit.mapping.engine import OURS, POSITION, ROW, SOURCE, Mapped, Mapping
from gateway.model.records import columns, required, vocabulary
from gateway.model.vocabulary import RecordKind
from tests.unit.mapping_documents import (
    GIVES,
    LABELS,
    SERIAL,
    WORDS,
    block_document,
    compiled,
    library,
    row,
    table,
    text_rule,
    with_field,
)


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    return compiled(tmp_path)


def codes_of(mapped: Mapped) -> list[tuple[int, str, str | None, bool]]:
    return list(mapped.defects.select(ROW, "code", "found", "quarantined").iter_rows())


def only(mapped: Mapped) -> dict[str, Any]:
    assert mapped.rows.height == 1
    return mapped.rows.row(0, named=True)


def test_a_good_row_is_a_record_with_all_columns(mapping: Mapping) -> None:
    mapped = mapping.apply(
        table(row(labels="CCB-Gold; 13: Climate Action", buffer="true", ended="2024-05-06T01:02:03.4"))
    )
    assert codes_of(mapped) == []
    assert mapped.rows.schema == {ROW: pl.Int64, "native_key": pl.String, **columns(RecordKind.BLOCK)}
    assert only(mapped) == dict.fromkeys(mapped.rows.columns) | {
        ROW: 1,
        "native_key": "7",
        "serial": SERIAL,
        "space": "verra:vcs-vcu",
        "first": 1,
        "last": 425,
        "batch_id": "20000",
        "quantity": 425,
        "quantity_unit": "tCO2e",
        "project_id": "1340",
        "unit_kind": "VCU",
        "vintage_start": dt.date(2020, 1, 1),
        "vintage_end": dt.date(2020, 12, 31),
        "labels": ["CCB-GOLD", "SDG-13"],
        "country": "NO",
        "country_native": "Norway",
        "state": "active",
        "state_native": "Active",
        "buffer": True,
        "ended_on": dt.date(2024, 5, 6),
    }
    assert (mapped.units, mapped.units_unreadable, mapped.unknown, mapped.missing) == (425, 0, (), ())


@pytest.mark.parametrize(
    ("changes", "code", "found"),
    [
        ({"status": "Under Legal Review"}, "STATE_UNKNOWN", "Under Legal Review"),
        ({"labels": "CCB-Gold; Mystery"}, "LABELS_UNKNOWN", "CCB-Gold; Mystery"),
        ({"serial": "20000-1-"}, "SERIAL_UNREADABLE", "20000-1-"),
        ({"serial": SERIAL.replace("1-425", "425-1")}, "SERIAL_BACKWARDS", SERIAL.replace("1-425", "425-1")),
        ({"serial": SERIAL.replace("31122020", "31112020")}, "SERIAL_DATE", SERIAL.replace("31122020", "31112020")),
        ({"units": "6.726.799"}, "QUANTITY_UNREADABLE", "6.726.799"),
        ({"units": "426"}, "COUNT_DIFFERS", "quantity is 426, serial.count is 425"),
        ({"project": "VCS1340"}, "PROJECT_ID_UNREADABLE", "VCS1340"),
        ({"buffer": "maybe"}, "BUFFER_UNREADABLE", "maybe"),
        ({"years": "MMXX"}, "YEARS_UNREADABLE", "MMXX"),
        ({"serial": None}, "SERIAL_MISSING", None),
        ({"units": ""}, "QUANTITY_MISSING", None),
        ({"project": "  "}, "PROJECT_ID_MISSING", None),
        ({"status": None}, "STATE_MISSING", None),
    ],
)
def test_what_is_not_read_quarantines_the_record(
    mapping: Mapping, changes: dict[str, str | None], code: str, found: str | None
) -> None:
    mapped = mapping.apply(table(row(id="1"), row(**changes), row(id="3")))
    assert codes_of(mapped) == [(2, code, found, True)]
    assert mapped.quarantined().to_list() == [2]
    assert mapped.rows.get_column(ROW).to_list() == [1, 3]


def test_a_descriptive_field_that_is_not_read_is_empty_and_noted(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(ended="31/12/2024")))
    assert codes_of(mapped) == [(1, "ENDED_ON_UNREADABLE", "31/12/2024", False)]
    assert only(mapped)["ended_on"] is None
    assert mapped.quarantined().to_list() == []


def test_a_list_that_leaves_other_words_empty_says_nothing(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(place="Worldwide")))
    assert codes_of(mapped) == []
    assert (only(mapped)["country"], only(mapped)["country_native"]) == (None, "Worldwide")


def test_an_agreement_may_only_note(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(years="2019")))
    assert codes_of(mapped) == [(1, "YEAR_DIFFERS", "years.first_year is 2019, serial.first_year is 2020", False)]
    assert mapped.rows.height == 1


def test_an_agreement_says_nothing_of_what_is_empty_or_refused(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(years=None), row(units="x", serial="y")))
    assert [(number, code) for number, code, *_ in codes_of(mapped)] == [
        (2, "SERIAL_UNREADABLE"),
        (2, "QUANTITY_UNREADABLE"),
    ]


def test_every_reason_of_a_row_is_told_and_the_row_counted_once(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(status="?", units="-1", ended="?"), row()))
    assert [(number, code) for number, code, *_ in codes_of(mapped)] == [
        (1, "QUANTITY_UNREADABLE"),
        (1, "STATE_UNKNOWN"),
        (1, "ENDED_ON_UNREADABLE"),
    ]
    assert mapped.quarantined().to_list() == [1]


def test_what_was_found_is_kept_short(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row(status="é" * 5_000)))
    assert codes_of(mapped)[0][2] == "é" * engine.FOUND_LIMIT


@pytest.mark.parametrize(
    ("record", "codes"),
    [
        ({"units": "426"}, ["QUANTITY_MISMATCH"]),
        ({"units": "0"}, ["QUANTITY_BELOW_ONE", "QUANTITY_MISMATCH"]),
        ({"start": "2021-01-01"}, ["VINTAGE_BACKWARDS"]),
    ],
)
def test_a_record_that_contradicts_itself_is_quarantined_whatever_the_document_forgot(
    tmp_path: Path, record: dict[str, str], codes: list[str]
) -> None:
    gives = {target: fact for target, fact in GIVES.items() if not target.startswith("vintage")}
    fields = block_document()["fields"]
    day = {"convert": "date", "styles": ["iso"], "class": "identity"}
    document = block_document(
        agree=[],
        fields=fields
        | {
            "serial": fields["serial"] | {"gives": gives},
            "quantity": fields["quantity"] | {"zero": True},
            "vintage_start": {"from": "start", **day},
            "vintage_end": {"from": "end", **day},
        },
    )
    good = row(start="2020-01-01", end="2020-12-31")
    mapped = compiled(tmp_path, document).apply(table(good, good | record))
    assert [(number, found, quarantined) for number, found, _, quarantined in codes_of(mapped)] == [
        (2, code, True) for code in codes
    ]
    assert mapped.rows.get_column(ROW).to_list() == [1]


def test_what_a_grammar_cannot_say_is_missing_and_not_a_hole_in_a_record(tmp_path: Path) -> None:
    # ACR's serials name a year and no days: a vintage taken from them is empty.
    fields = block_document()["fields"]
    document = block_document(fields=fields | {"serial": fields["serial"] | {"grammar": "acr"}})
    mapped = compiled(tmp_path, document).apply(
        table(row(serial="ACR-US-1187-2025-2-1 to 425"), row(serial=None), row(serial="x"))
    )
    assert [(number, code) for number, code, *_ in codes_of(mapped)] == [
        (1, "VINTAGE_END_MISSING"),
        (1, "VINTAGE_START_MISSING"),
        (2, "SERIAL_MISSING"),
        (3, "SERIAL_UNREADABLE"),
    ]


def test_units_are_summed_exactly_and_quarantined_rows_with_them(mapping: Mapping) -> None:
    most = "999999999999999999"
    mapped = mapping.apply(
        table(*(row(units=most) for _ in range(20)), row(units="5"), row(units="?"), row(units=None))
    )
    assert mapped.units == 20 * int(most) + 5
    assert mapped.units > 2**63
    assert mapped.units_unreadable == 2


def test_columns_that_nobody_mapped_and_columns_that_are_not_there_are_drift(mapping: Mapping) -> None:
    source = (
        table(row())
        .drop("status", "labels", "buffer", "years", "prose", "id")
        .with_columns(pl.lit("x").alias("novel"), pl.lit("y").alias("Serial"))
    )
    mapped = mapping.apply(source)
    assert mapped.unknown == ("novel", "Serial")
    assert mapped.missing == ("status", "id")
    assert codes_of(mapped) == [(1, "STATE_MISSING", None, True)]


def test_optional_columns_may_be_absent(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row()).drop("labels", "buffer", "years"))
    assert (mapped.missing, codes_of(mapped)) == ((), [])
    assert (only(mapped)["labels"], only(mapped)["buffer"]) == ([], False)


def test_files_are_recognised_by_their_headings(mapping: Mapping, tmp_path: Path) -> None:
    assert mapping.recognises(("x", "units", "serial"))
    assert not mapping.recognises(("serial",))
    assert not mapping.recognises(())
    assert not compiled(tmp_path, block_document(recognise=[])).recognises(("serial", "units"))
    assert mapping.missing_columns(("serial", "units", "id", "status", "ended", "place")) == ("project",)


def test_no_rows(mapping: Mapping) -> None:
    mapped = mapping.apply(table(row()).clear())
    assert (mapped.rows.height, mapped.defects.height, mapped.units, mapped.units_unreadable) == (0, 0, 0, 0)
    assert mapped.rows.schema == mapping.apply(table(row())).rows.schema
    assert mapped.missing == ()
    assert mapping.apply(table(row()).drop("status").clear()).missing == ("status",)


def test_a_page_without_rows_says_nothing_about_columns(mapping: Mapping) -> None:
    mapped = mapping.apply(pl.DataFrame())
    assert (mapped.rows.height, mapped.missing, mapped.unknown) == (0, (), ())
    assert mapped.defects.schema == mapping.apply(table(row())).defects.schema


def test_columns_of_nothing_but_nulls(mapping: Mapping) -> None:
    source = table(row())
    empty = pl.DataFrame({name: [None, None] for name in source.columns})
    assert set(empty.dtypes) == {pl.Null}
    mapped = mapping.apply(empty)
    assert [code for _, code, *_ in codes_of(mapped)] == [
        "PROJECT_ID_MISSING", "QUANTITY_MISSING", "SERIAL_MISSING", "STATE_MISSING",
    ] * 2  # fmt: skip
    assert mapped.quarantined().to_list() == [1, 2]


def test_only_text_is_mapped(mapping: Mapping) -> None:
    with pytest.raises(ValueError, match="the column units is Float64, expected text as received"):
        mapping.apply(table(row()).with_columns(pl.lit(425.0).alias("units")))


def test_row_numbers_of_the_caller_are_kept(mapping: Mapping) -> None:
    source = table(row(), row(units="?"), row()).with_columns(pl.Series(ROW, [90, 5, 70]))
    mapped = mapping.apply(source)
    assert mapped.rows.get_column(ROW).to_list() == [90, 70]
    assert mapped.quarantined().to_list() == [5]


@pytest.mark.parametrize("numbers", [[4, 4], [1, None], ["1", "2"], [1.0, 2.0]])
def test_row_numbers_that_cannot_tell_rows_apart_are_refused(mapping: Mapping, numbers: list[Any]) -> None:
    # One quarantined row would take its namesake with it.
    with pytest.raises(ValueError, match="expected a whole number for each row"):
        mapping.apply(table(row(), row(units="?")).with_columns(pl.Series(ROW, numbers)))


def test_columns_of_ours_are_no_drift(mapping: Mapping) -> None:
    ours = table(row()).with_columns(pl.lit(1).alias(SOURCE), pl.lit(2).alias(POSITION), pl.lit(3, pl.Int64).alias(ROW))
    assert mapping.apply(ours).unknown == ()
    assert set(OURS) == {SOURCE, POSITION, ROW}


def test_columns_named_like_what_is_made_are_only_sources(tmp_path: Path) -> None:
    # A market may call its columns as we call ours.
    names = ("values", "refused", "text", "_text", "found", "quantity", "native_key", "left", "first_year", "code")
    mapping = compiled(tmp_path, block_document(ignored=[{"paths": list(names), "why": "They only look like ours."}]))
    source = table(row(prose=None)).drop("prose").with_columns(pl.lit("x").alias(name) for name in names)
    mapped = mapping.apply(source)
    assert (codes_of(mapped), mapped.unknown) == ([], ())
    assert only(mapped)["quantity"] == 425


def test_an_empty_id_is_no_id(mapping: Mapping) -> None:
    # Two rows of one id are one row read twice; two rows without are not.
    mapped = mapping.apply(table(row(id=""), row(id="  "), row(id=" 7 ")))
    assert mapped.rows.get_column("native_key").to_list() == [None, None, "7"]


def test_a_table_in_threads_is_the_same_as_a_page(mapping: Mapping, monkeypatch: pytest.MonkeyPatch) -> None:
    source = table(*(row(id=str(number), units="425" if number % 7 else "?") for number in range(60)))
    alone = mapping.apply(source)
    monkeypatch.setattr(engine, "THREADED_ROWS", 1)
    together = mapping.apply(source)
    assert together.rows.equals(alone.rows)
    assert together.defects.equals(alone.defects)


_CELLS = {
    "serial": st.sampled_from([SERIAL, SERIAL.replace("425", "426"), "20000-1-", "", None, SERIAL + " ", "x" * 300]),
    "project": st.sampled_from(["1340", "1341", "VCS", None, " 1340 "]),
    "units": st.sampled_from(["425", "425.0", "426", "4,25", "0", None, "1e3", "999,999,999,999,999,999"]),
    "status": st.sampled_from(["Active", "on hold \u2013 SEE letter", "NO", "Mystery", "", None]),
    "buffer": st.sampled_from(["true", "false", "", "yes", None]),
    "ended": st.sampled_from(["2024-01-01", "2024-02-30", "", None]),
    "labels": st.sampled_from(["CCB-Gold", "CCB-Gold; Mystery", ";", "", None]),
    "years": st.sampled_from(["2020", "2019 - 2020", "MMXX", None]),
}


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    return compiled(tmp_path_factory.mktemp("documents"))


@given(rows=st.lists(st.fixed_dictionaries(_CELLS), max_size=12), alone=st.booleans())
@settings(max_examples=30, deadline=None)
def test_rows_in_are_rows_accepted_and_rows_quarantined(
    compiled_once: Mapping, rows: list[dict[str, str | None]], alone: bool
) -> None:
    mapping = compiled_once
    source = table(*(row(id=str(number), **cells) for number, cells in enumerate(rows))) if rows else pl.DataFrame()
    mapped = mapping.apply(source)
    accepted, refused = mapped.rows.get_column(ROW).to_list(), mapped.quarantined().to_list()
    assert sorted([*accepted, *refused]) == list(range(1, len(rows) + 1))
    assert accepted == sorted(accepted)
    for number, code, _, quarantined in codes_of(mapped):
        assert number in (refused if quarantined else accepted + refused)
        assert code
    for name in required(RecordKind.BLOCK):
        assert mapped.rows.get_column(name).null_count() == 0
    for name, words in vocabulary(RecordKind.BLOCK).items():
        assert set(mapped.rows.get_column(name)) <= words
    for start, row_of_one in enumerate(source.iter_slices(1) if alone else (), start=1):
        single = mapping.apply(row_of_one)
        assert single.rows.drop(ROW).equals(mapped.rows.filter(pl.col(ROW) == start).drop(ROW))


def test_the_digest_is_of_the_document_and_its_code_lists(tmp_path: Path) -> None:
    changed = {
        "document": {"blocks": block_document(describes="Other words.")},
        "list": {"blocks": block_document(), "words": WORDS | {"describes": "Other words."}},
        "unused": {"blocks": block_document(), "spare": LABELS | {"codes": "test.spare"}},
    }
    first = compiled(tmp_path).digest
    digests = {name: Mapping("blocks", library(tmp_path, documents)).digest for name, documents in changed.items()}
    assert len(first) == 64
    assert digests["document"] != first
    assert digests["list"] not in {first, digests["document"]}
    assert digests["unused"] == first == compiled(tmp_path).digest


def test_the_names_of_a_mapping(mapping: Mapping) -> None:
    assert mapping.name == "test.blocks"
    assert mapping.document.record is RecordKind.BLOCK


def test_a_project_has_no_units(tmp_path: Path) -> None:
    document = {
        "mapping": "test.projects",
        "describes": "Projects for tests.",
        "source": "Tests.",
        "record": "project",
        "fields": {
            "project_id": text_rule("id", "identity"),
            "state": {"convert": "constant", "value": "registered", "class": "state"},
        },
    }
    mapped = Mapping("projects", library(tmp_path, {"projects": document})).apply(table({"id": "1"}, {"id": ""}))
    assert (mapped.units, mapped.units_unreadable) == (0, 0)
    assert [code for _, code, *_ in codes_of(mapped)] == ["PROJECT_ID_MISSING"]


def test_the_field_of_a_document_can_be_left_out_only_where_it_may_be_empty(tmp_path: Path) -> None:
    mapped = compiled(tmp_path, with_field("country", None)).apply(table(row()))
    assert only(mapped)["country"] is None
    assert codes_of(mapped) == []
