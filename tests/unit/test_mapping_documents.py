"""Mapping documents: what a broken one is told, that ours hold together, and that they know every path there is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from jsonschema import Draft202012Validator

from adapters._platts.mock import Feed
from adapters.verra.book_entries import Defect
from adapters.verra.book_export import DateStyle, export_csv
from adapters.verra.mock import build, feeds
from gateway.kit.decoding import decode_json
from gateway.kit.mapping import document as module
from gateway.kit.mapping import schema
from gateway.kit.mapping.document import Library, MappingDocument
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.mock import MockClock
from gateway.model.errors import ConfigurationError
from tests.unit.mapping_documents import GIVES, WORDS, block_document, compiled, library, text_rule, with_field

MAPPINGS = Path(str(files("mappings")))
VERRA = Library.of_package("mappings.verra")
NOW = datetime(2026, 8, 15, 9, 0, tzinfo=UTC)
FEEDS = ("projects", "issuances", "holdings", "retirements", "cancellations")
CAPTURED = ("projects", "issuances", "holdings")


def content(path: Path) -> Any:
    return read_yaml(path.read_bytes())


# Beside them lie rules and policies, which their own readers hold to their own models.
YAMLS = sorted(path for path in MAPPINGS.rglob("*.yaml") if content(path).keys() & {"mapping", "codes"})


def mapping_paths() -> list[Path]:
    return [path for path in YAMLS if "mapping" in content(path)]


# The schemas, and every document of ours.


@pytest.mark.parametrize("name", sorted(schema.FILES))
def test_the_committed_schema_is_the_models(name: str) -> None:
    Draft202012Validator.check_schema(schema.schema(schema.FILES[name]))
    said = "run: python -m gateway.kit.mapping.schema mappings"
    assert (MAPPINGS / name).read_text(encoding="utf-8") == schema.written(schema.FILES[name]), said


def test_the_schemas_can_be_written(tmp_path: Path) -> None:
    schema.write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(schema.FILES)


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_every_document_is_of_its_schema(path: Path) -> None:
    said = content(path)
    kind = "schema.json" if "mapping" in said else "codes-schema.json"
    Draft202012Validator(json.loads((MAPPINGS / kind).read_bytes())).validate(said)


@pytest.mark.parametrize(
    "change", [{"colour": "green"}, {"record": "unit"}, {"rows": "entities"}, {"mapping": "blocks"}]
)
def test_the_schema_refuses_what_the_models_refuse(change: dict[str, str], tmp_path: Path) -> None:
    validator = Draft202012Validator(schema.schema(MappingDocument))
    assert validator.is_valid(block_document())
    assert not validator.is_valid(block_document(**change))
    with pytest.raises(ConfigurationError):
        compiled(tmp_path, block_document(**change))


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_every_document_can_be_used_and_bears_the_name_of_its_file(path: Path) -> None:
    ours = Library.of_package(f"mappings.{path.parent.name}")
    if path in mapping_paths():
        mapping = Mapping(path.stem, ours)
        assert mapping.name == f"{path.parent.name}.{path.stem}"
        assert len(mapping.digest) == 64
    else:
        assert ours.codes(path.stem)[0].codes == f"{path.parent.name}.{path.stem}"


def test_every_code_list_is_used() -> None:
    used = {
        f"{path.parent.name}.{rule['codes']}".replace(f"{path.parent.name}.common/", "common.")
        for path in mapping_paths()
        for rule in content(path)["fields"].values()
        if "codes" in rule
    }
    assert used == {content(path)["codes"] for path in YAMLS if "codes" in content(path)}


def test_country_codes_are_codes_and_norway_is_one() -> None:
    rows = VERRA.codes("common/countries")[0].rows
    assert {row.native for row in rows if row.means == "NO"} == {"Norway"}
    assert all(len(row.means) == 2 and row.means.isupper() for row in rows)


# A document that is broken is told what is wrong, and where.


def told(folder: Path, blocks: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Mapping("blocks", library(folder, {"blocks": blocks}))
    assert "blocks.yaml" in str(caught.value)
    return str(caught.value)


TEXT = text_rule("name")
SERIAL = block_document()["fields"]["serial"]
STATE = block_document()["fields"]["state"]
AGREE = block_document()["agree"][0]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (with_field("holder", TEXT | {"convert": "number"}), "fields.holder: Input tag 'number' found using 'convert'"),
        (with_field("holder", {"from": "name", "class": "descriptive"}), "fields.holder: Unable to extract tag"),
        (with_field("holder", {"from": "name", "convert": "text"}), "fields.holder.text.class: Field required"),
        (with_field("holder", {"convert": "text", "class": "descriptive"}), "fields.holder.text.from: Field required"),
        (with_field("holder", TEXT | {"class": "important"}), "fields.holder.text.class: Input should be 'identity'"),
        (
            with_field("holder", TEXT | {"optional": "NO"}),
            "fields.holder.text.optional: Input should be a valid boolean",
        ),
        (with_field("holder", TEXT | {"optional": "yes"}), "holder.text.optional: Input should be a valid boolean"),
        (with_field("holder", TEXT | {"zero": True}), "fields.holder.text.zero: Extra inputs are not permitted"),
        (
            with_field("holder", {"source": "name", "convert": "text", "class": "state"}),
            "holder.text.source: Extra inputs",
        ),
        (with_field("owner", TEXT), "owner is no field of a block; its fields are serial, space, first"),
        (with_field("quantity", None), "the required field quantity is not mapped"),
        (block_document(quantity_unit=None), "the required field quantity_unit is not mapped"),
        (with_field("quantity_unit", TEXT), "quantity_unit is said once for the whole document"),
        (with_field("project_id", text_rule("project")), "the required field project_id cannot be descriptive"),
        (with_field("holder", text_rule("name", pattern="[0-9")), "holder: its pattern cannot be read"),
        (with_field("holder", text_rule("name", pattern="a)|(b")), "holder: its pattern cannot be read"),
        (with_field("serial", SERIAL | {"grammar": "vera"}), "serial names the grammar vera; there are acr, car, c"),
        (
            with_field("serial", SERIAL | {"gives": GIVES | {"holder": "owner"}}),
            "holder is given by serial.owner; a serial",
        ),
        (with_field("serial", SERIAL | {"gives": GIVES | {"owner": "batch"}}), "owner is no field of a block"),
        (with_field("serial", SERIAL | {"gives": GIVES | {"project_id": "project"}}), "project_id is filled twice"),
        (
            with_field("serial", SERIAL | {"gives": GIVES | {"first": "batch"}}),
            "fact batch gives text, and first is a whole",
        ),
        (with_field("ended_on", TEXT), "the converter text gives text, and ended_on is a day"),
        (
            with_field("buffer", {"convert": "constant", "value": "NO", "class": "state"}),
            "gives text, and buffer is a flag",
        ),
        (with_field("labels", text_rule("labels", "entitlement")), "gives text, and labels is a list of words"),
        (with_field("state", text_rule("status", "state")), "state takes only the words active, cancelled, issued"),
        (
            with_field("state", {"convert": "constant", "value": "alive", "class": "state"}),
            "'alive' is no state of a block",
        ),
        (
            with_field(
                "state", {"from": "x", "convert": "presence", "present": "dead", "absent": "active", "class": "state"}
            ),
            "'dead' is no state of a block",
        ),
        (with_field("state", STATE | {"codes": "labels"}), "'CCB-GOLD' is no state of a block"),
        (with_field("holder", STATE | {"codes": "places"}), "holder is not descriptive, so its code list test.places"),
        (block_document(facts={"state": text_rule("status", "state")}), "state is a field and a fact"),
        (
            block_document(facts={"other": SERIAL}, agree=[]),
            "the fact other is a serial that gives fields; only a field can",
        ),
        (block_document(agree=[AGREE | {"fields": ["quantity", "serial.counts"]}]), "compares serial.counts, no field"),
        (block_document(agree=[AGREE | {"fields": ["holder", "serial.batch"]}]), "compares holder, no field"),
        (
            block_document(agree=[AGREE | {"fields": ["quantity", "serial.batch"]}]),
            r"quantity (a whole number) with serial",
        ),
        (block_document(agree=[AGREE | {"fields": ["labels", "labels"]}]), "compares labels, which is a list"),
        (block_document(agree=[AGREE | {"code": "count"}]), "agree.0.code: String should match pattern"),
        (
            block_document(ignored=[{"paths": ["units"], "why": "It is of no use."}]),
            "the path units is read and listed as",
        ),
        (block_document(ignored=[{"paths": ["id"], "why": "It is of no use."}]), "the path id is read and listed as"),
        (
            block_document(ignored=[{"paths": ["x", "x"], "why": "It is of no use."}]),
            "the path x is listed as ignored twice",
        ),
        (block_document(ignored=[{"paths": ["x"], "why": "Useless"}]), "ignored.0.why: String should have at least 10"),
        (
            block_document(mapping="test.holdings"),
            "it calls itself 'test.holdings', expected a name that ends in '.blocks'",
        ),
        (block_document(colour="green"), "colour: Extra inputs are not permitted"),
        (block_document(record="unit"), "record: Input should be 'project', 'batch', 'block', 'holding'"),
        (block_document(rows="entities"), "rows: String should match pattern"),
        ("- a\n- b\n", "the document: Input should be a valid dictionary"),
        ("", "the document: Input should be a valid dictionary"),
        (
            "mapping: a.b\nmapping: a.c\n",
            'the key mapping stands twice in one place  in "<byte string>", line 1, column 1',
        ),
        ("fields:\n  a: {b: 1,\n  c: ]\n", 'in "<byte string>", line 3'),
        ("a: &x 1\nb: *x\n", "found the alias *x, expected its words written out  in"),
        ("a: &x [*x]\n", "found the alias *x"),
        ("? [a, b]\n: 1\n", "found unhashable key"),
        ("!!python/name:os.system", "could not determine a constructor for the tag"),
        ("[" * 100_000, "found more than 20 levels inside one another"),
        (b"\xff\xfe\x00", "blocks.yaml: "),
        (b"describes: \xe9\n", "blocks.yaml: "),
        ("x" * (module.DOCUMENT_LIMIT + 1), "1048577 bytes, expected 1048576 at most"),
    ],
)
def test_a_broken_document_is_told_what_is_wrong_and_where(tmp_path: Path, document: Any, said: str) -> None:
    assert said in told(tmp_path, document)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    fields = block_document()["fields"] | {"owner": TEXT, "colour": TEXT}
    said = told(tmp_path, block_document(fields=fields, quantity_unit=None))
    assert all(one in said for one in ("owner is no field", "colour is no field", "quantity_unit is not mapped"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"blocks\.yaml: cannot be read \(No such file or directory\)"):
        Mapping("blocks", Library(tmp_path, None))
    with pytest.raises(ConfigurationError, match=r"words\.yaml: cannot be read"):
        Mapping("blocks", _without_lists(tmp_path))


def _without_lists(folder: Path) -> Library:
    ours = library(folder, {"blocks": block_document()})
    (folder / "words.yaml").unlink()
    return ours


def test_a_common_list_needs_a_common_folder(tmp_path: Path) -> None:
    document = with_field("state", STATE | {"codes": "common/words"})
    with pytest.raises(ConfigurationError, match="code list common/words: this mapping package has no common folder"):
        compiled(tmp_path, document)


def test_a_common_list_is_read_from_beside(tmp_path: Path) -> None:
    for folder in ("market", "common"):
        (tmp_path / folder).mkdir()
    library(tmp_path / "common", {})
    library(tmp_path / "market", {"blocks": with_field("state", STATE | {"codes": "common/words"})})
    Mapping("blocks", Library(tmp_path / "market", tmp_path / "common"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"anything_else": "guess"}, "anything_else: Input should be 'quarantine' or 'leave_empty'"),
        ({"anything_else": None}, "anything_else: Input should be"),
        ({"rows": []}, "rows: Tuple should have at least 1 item"),
        ({"rows": [{"native": "", "means": "active"}]}, "rows.0.native: String should have at least 1 character"),
        ({"rows": [{"native": "Active", "means": ""}]}, "rows.0.means: String should match pattern"),
        ({"rows": [{"native": "W+", "means": "W+"}]}, "rows.0.means: String should match pattern"),
        ({"rows": [{"native": "Active", "mean": "active"}]}, "rows.0.means: Field required"),
        (
            {"rows": [{"native": "On-Hold", "means": "on_hold"}, {"native": "ON\u2013HOLD", "means": "active"}]},
            "the words 'On-Hold' and 'ON\u2013HOLD' are the same word to a code list",
        ),
        ({"codes": "test.states"}, "it calls itself 'test.states', expected a name that ends in '.words'"),
    ],
)
def test_a_broken_code_list_is_told_what_is_wrong_and_where(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Mapping("blocks", library(tmp_path, {"blocks": block_document(), "words": WORDS | change}))
    assert "words.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_words_stay_words(tmp_path: Path) -> None:
    said = read_yaml(b"[NO, no, yes, on, OFF, 1, 0x10, 1.5, 2024-01-01, 1e3, 12:30, true, false, null, ~, True, n]")
    assert said == [
        *("NO", "no", "yes", "on", "OFF", "1", "0x10", "1.5", "2024-01-01", "1e3", "12:30"),
        *(True, False, None, None, "True", "n"),
    ]
    rows = (
        "codes: test.words\ndescribes: x\nsource: x\nanything_else: quarantine\nrows:\n- {native: NO, means: on_hold}\n"
    )
    ours = library(tmp_path, {"blocks": block_document(), "words": rows})
    assert ours.codes("words")[0].meanings() == {"no": "on_hold"}


# What the registry's stand-in sends is known to our documents: each path mapped or ignored, and none listed in vain.


@cache
def stand_in() -> tuple[Feed[Any], ...]:
    return feeds(build(7, MockClock(NOW), projects=40, blocks=400).book)


def page_of(feed: Feed[Any]) -> pl.DataFrame:
    rows = b",".join(feed.form.filled(feed.row(record)) for record in feed.records())
    return tabulate(decode_json(b'{"entities":[' + rows + b"]}"), "entities[]")


@pytest.mark.parametrize(("name", "feed"), list(zip(FEEDS, range(5), strict=True)))
def test_each_path_of_a_feed_is_mapped_or_ignored_and_no_other_is(name: str, feed: int) -> None:
    mapping, page = Mapping(name, VERRA), page_of(stand_in()[feed])
    mapped = mapping.apply(page)
    assert (mapped.unknown, mapped.missing) == ((), ())
    assert mapping.document.paths() - set(page.columns) == set()
    assert mapped.rows.height + mapped.quarantined().len() == page.height
    assert mapped.rows.height > 0.9 * page.height


def test_what_is_wrong_in_the_stand_in_on_purpose_is_quarantined_and_nothing_else() -> None:
    book = build(7, MockClock(NOW), projects=40, blocks=400).book
    found = {
        (feed.name, key)
        for name, feed in zip(FEEDS, feeds(book), strict=True)
        for key in _quarantined_ids(Mapping(name, VERRA), page_of(feed))
    }
    assert found == {(planted.feed, str(planted.entity_id)) for planted in book.planted}
    assert len(found) == len(Defect)


def _quarantined_ids(mapping: Mapping, page: pl.DataFrame) -> list[str]:
    rows = mapping.apply(page).quarantined()
    return page.get_column("entityId").gather(rows - 1).to_list()


@pytest.mark.parametrize("dates", list(DateStyle))
@pytest.mark.parametrize("thousands", [True, False])
def test_each_column_of_the_exports_is_mapped_or_ignored_and_no_other_is(dates: DateStyle, *, thousands: bool) -> None:
    book = build(7, MockClock(NOW), projects=40, blocks=400, defective=False).book
    export = export_csv(book, dates=dates, thousands=thousands)
    for name, written in (("vcus", export.units), ("project-list", export.projects)):
        mapping = Mapping(name, VERRA)
        headings = next(csv.reader(io.StringIO(written.decode())))
        assert mapping.recognises(tuple(headings))
        assert mapping.document.paths() - set(headings) == set()
        mapped = mapping.apply(pl.read_csv(written, infer_schema=False))
        assert (mapped.unknown, mapped.missing) == ((), ())
        assert mapped.quarantined().to_list() == []
        assert mapped.defects.filter(pl.col("code") != "VINTAGE_DIFFERS").height == 0
    units = Mapping("vcus", VERRA).apply(pl.read_csv(export.units, infer_schema=False))
    assert units.units == sum(block.quantity for block in book.blocks())


def test_a_file_is_recognised_by_one_document_alone() -> None:
    mappings = [Mapping(path.stem, Library.of_package(f"mappings.{path.parent.name}")) for path in mapping_paths()]
    for mapping in mappings:
        if mapping.document.recognise:
            headings = tuple(mapping.document.paths())
            assert [other.name for other in mappings if other.recognises(headings)] == [mapping.name]


# Real files, where they are at hand.


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the registries' real files are not beside this repository (../shared/data)")
    return folder


@pytest.mark.parametrize(
    ("name", "file", "rows", "units"),
    [
        ("vcus", "verra/vcus_au_2024-12.csv", 731, 704_252),
        ("vcus", "verra/vcus_sg_2024-12.csv", 92, 272_119),
        ("vcus", "samples/verra/transactions.csv", 200, 4_029_227),
        ("project-list", "verra/allprojects_2023-11.csv", 3_867, 0),
        ("project-list", "samples/verra/projects.csv", 50, 0),
    ],
)
def test_every_row_of_the_real_exports_is_accepted(data: Path, name: str, file: str, rows: int, units: int) -> None:
    mapping = Mapping(name, VERRA)
    mapped = mapping.apply(pl.read_csv(data / file, infer_schema=False))
    assert (mapped.rows.height, mapped.units, mapped.units_unreadable) == (rows, units, 0)
    assert mapped.quarantined().to_list() == []
    assert mapped.missing == ()
    assert [name for name in mapped.unknown if not name.startswith("Unnamed: ")] == []


def captured_pages(data: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in CAPTURED:
        yield name, tabulate(decode_json((data / "captured" / f"planvivo-{name}.json").read_bytes()), "entities[]")


def test_the_paths_of_a_sister_registry_on_the_same_platform_are_known(data: Path) -> None:
    for name, page in captured_pages(data):
        mapping = Mapping(name, VERRA)
        mapped: Mapped = mapping.apply(page)
        assert (mapped.unknown, mapped.missing) == ((), ()), name
        assert mapping.document.paths() - set(page.columns) == set(), name
        assert mapped.rows.height + mapped.quarantined().len() == page.height
        # Its serials are of another grammar: no unit of it is taken for one of Verra's.
        if name != "projects":
            assert mapped.rows.height == 0
            assert mapped.units > 0
