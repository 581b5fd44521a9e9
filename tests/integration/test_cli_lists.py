"""Questions to a catalogue that was read once for the whole module; nothing here changes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pytest

from adapters.verra.book import Book
from adapters.verra.book_entries import Block, BlockKind, Defect
from gateway.markets.registry import installed
from tests.integration.conftest import Answered, CommandLine, call, made_database, served_verra

UNREADABLE = {Defect.UNREADABLE_SERIAL, Defect.MISSING_SERIAL, Defect.QUANTITY_MISMATCH, Defect.UNKNOWN_STATE}
ALL = ("--limit", "10000", "--json")


@dataclass(frozen=True, slots=True)
class Read:
    """A catalogue, and the book that it was read from."""

    book: Book
    command_line: CommandLine

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        answered = self.command_line(*arguments, *ALL)
        assert answered.code == 0, answered.err
        found = json.loads(answered.out)
        assert len(found["rows"]) == found["total"]
        rows: list[dict[str, Any]] = found["rows"]
        return rows

    def serials(self, *arguments: str) -> list[str]:
        return sorted(row["serial"] for row in self.rows("blocks", *arguments))


@pytest.fixture(scope="module")
def read(database_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    with made_database(database_url, template) as url, served_verra() as verra:
        settings: dict[str, str | None] = {
            "CARBON_GATEWAY_DATABASE_URL": url,
            "CARBON_GATEWAY_DATA_DIRECTORY": str(tmp_path_factory.mktemp("data")),
        }
        synced = call(settings | verra.environment(), "sync")
        assert synced.code == 0, synced.err
        yield Read(verra.mock.book, partial(call, settings))


def document(answered: Answered) -> Any:
    return json.loads(answered.out)


def serials(blocks: list[Block]) -> list[str]:
    return sorted(str(block.shown_serial) for block in blocks)


def good(read: Read) -> list[Block]:
    return [block for block in read.book.blocks() if block.defect not in UNREADABLE]


def test_blocks_by_project(read: Read) -> None:
    number = good(read)[0].batch.project.number
    wanted = [block for block in good(read) if block.batch.project.number == number]

    assert read.serials("--project", str(number)) == serials(wanted)


@pytest.mark.parametrize(
    ("state", "kind"),
    [("active", BlockKind.HOLDING), ("retired", BlockKind.RETIREMENT), ("cancelled", BlockKind.CANCELLATION)],
)
def test_blocks_by_state(read: Read, state: str, kind: BlockKind) -> None:
    wanted = [block for block in good(read) if block.kind is kind]

    assert wanted
    assert read.serials("--state", state, "--market", "verra") == serials(wanted)


def test_blocks_by_vintage_are_those_whose_period_touches_the_year(read: Read) -> None:
    year = good(read)[0].batch.vintage_start.year
    wanted = [block for block in good(read) if block.batch.vintage_start.year <= year <= block.batch.vintage_end.year]

    assert read.serials("--vintage", str(year)) == serials(wanted)


def test_blocks_by_country_in_the_registrys_word_and_in_iso(read: Read) -> None:
    country = good(read)[0].batch.project.country
    wanted = [block for block in good(read) if block.batch.project.country.name == country.name]

    assert read.serials("--country", country.name.upper()) == serials(wanted)
    (code,) = {row["country"] for row in read.rows("blocks", "--country", country.name)}
    assert read.serials("--country", code.lower()) == serials(wanted)


def test_blocks_by_label_and_by_class_are_those_that_show_it(read: Read) -> None:
    every = read.rows("blocks")
    labelled = next(row for row in every if row["labels"])
    label = labelled["labels"][0]

    assert read.serials("--label", label.lower()) == sorted(row["serial"] for row in every if label in row["labels"])
    assert read.serials("--class", labelled["class_id"]) == sorted(
        row["serial"] for row in every if row["class_id"] == labelled["class_id"]
    )


def test_a_blocks_json_has_plain_values(read: Read) -> None:
    block = good(read)[0]
    (row,) = [one for one in read.rows("blocks") if one["serial"] == block.shown_serial]

    assert (row["quantity"], type(row["quantity"])) == (block.quantity, int)
    assert row["first"] == block.first
    assert date.fromisoformat(row["vintage_start"]) == block.batch.vintage_start


def test_a_cut_list_says_how_much_of_it_is_shown(read: Read) -> None:
    total = len(good(read))

    answered = read.command_line("blocks", "--limit", "2")

    assert f"showing 2 of {total:,} blocks" in answered.out
    assert document(read.command_line("blocks", "--limit", "2", "--json"))["total"] == total
    assert all(len(line) <= 100 for line in answered.out.splitlines())
    assert "\x1b" not in answered.out


def test_an_empty_list_says_so(read: Read) -> None:
    answered = read.command_line("blocks", "--project", "none")

    assert (answered.code, answered.out) == (0, "no blocks\n")


def test_classes_sum_the_units_of_their_blocks(read: Read) -> None:
    rows = read.rows("classes")

    active = sum(one.quantity for one in good(read) if one.kind is BlockKind.HOLDING and not one.buffer)
    buffer = sum(one.quantity for one in good(read) if one.kind is BlockKind.HOLDING and one.buffer)
    ended = sum(one.quantity for one in good(read) if one.kind is not BlockKind.HOLDING)
    assert [sum(row[name] for row in rows) for name in ("active", "buffer", "ended")] == [active, buffer, ended]
    assert [row["active"] for row in rows] == sorted((row["active"] for row in rows), reverse=True)


def test_projects_by_state_country_and_text(read: Read) -> None:
    project = next(one for one in read.book.projects.values() if one.status == "Registered" and one.defect is None)

    found = read.rows(
        "projects", "--text", project.name[3:], "--state", "registered", "--country", project.country.name
    )

    assert str(project.number) in {row["project_id"] for row in found}
    assert {row["state"] for row in found} == {"registered"}
    assert read.rows("projects", "--text", "100% of nothing_") == []


def test_markets_shows_what_is_known(read: Read) -> None:
    rows = {one["market"]: one for one in document(read.command_line("markets", "--json"))["rows"]}
    row = rows.pop("verra")

    assert row["programme"] == "VCS"
    assert row["capabilities"] == [
        "AcceptsTransfers",
        "ParsesExports",
        "ReadsCatalogue",
        "ReadsHoldings",
        "ReadsMovements",
        "Retires",
        "Transfers",
    ]
    assert list(rows) == [name for name in installed() if name != "verra"]
    assert {(one["last_pull"], one["projects"], one["active_units"]) for one in rows.values()} == {(None, 0, 0)}
    assert (row["projects"], row["blocks"], row["quarantined"]) == (60, len(good(read)), 5)
    assert row["last_pull"]["status"] == "complete"
    assert row["last_pull"]["finished_at"].endswith("Z")


def test_the_quarantine_keeps_the_row_and_says_why(read: Read) -> None:
    rows = read.rows("quarantine", "list")

    codes = sorted(reason["code"] for row in rows for reason in row["reasons"])
    assert codes == ["QUANTITY_MISMATCH", "SERIAL_MISSING", "SERIAL_UNREADABLE", "STATE_UNKNOWN", "STATE_UNKNOWN"]
    planted = {str(one.entity_id) for one in read.book.planted}
    assert {row["record_key"] for row in rows} == planted
    assert all(isinstance(row["raw"], dict) for row in rows)
    answered = read.command_line("quarantine", "--market", "verra")
    assert "Under Legal Review" in answered.out
    assert "showing 5 of 5 rows in quarantine" in answered.out


def test_options_before_the_word_list_are_not_swallowed(read: Read) -> None:
    answered = read.command_line("quarantine", "--json", "list")

    assert answered.code == 2
    assert answered.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("blocks", "--state", "nonsense"),
        ("blocks", "--market", "vera"),
        ("classes", "--market", "vera"),
        ("projects", "--market", "vera"),
        ("changes", "--market", "vera"),
        ("changes", "--pull", "999"),
        ("quarantine", "--market", "vera"),
        ("quarantine", "replay", "vera"),
        ("drift", "--market", "vera"),
        ("sync", "vera"),
    ],
)
def test_a_wrong_word_ends_with_2_and_names_the_right_ones(read: Read, arguments: tuple[str, ...]) -> None:
    answered = read.command_line(*arguments, "--json")

    assert answered.code == 2
    assert document(answered)["error"]["type"] == "ConfigurationError"
    expected = {
        "nonsense": "retired_or_cancelled",
        "vera": f"there are {', '.join(installed())}",
        "999": "no pull 999",
    }[arguments[-1]]
    assert expected in answered.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("blocks", "--limit", "0"),
        ("blocks", "--limit", "10001"),
        ("blocks", "--vintage", "last"),
        ("projects", "--colour", "green"),
        ("ingest", "verra"),
    ],
)
def test_a_wrong_call_ends_with_2_and_prints_nothing(read: Read, arguments: tuple[str, ...]) -> None:
    answered = read.command_line(*arguments)

    assert (answered.code, answered.out) == (2, "")
    assert answered.err
