from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from adapters.verra import MANIFEST
from adapters.verra.book import Book
from adapters.verra.book_build import build_book
from adapters.verra.book_entries import Block, Defect
from adapters.verra.book_export import DateStyle, export_csv
from gateway.kit.mock import MockClock
from gateway.markets.registry import installed
from tests.integration.conftest import Answered, CommandLine

UNREADABLE = {Defect.UNREADABLE_SERIAL, Defect.MISSING_SERIAL, Defect.QUANTITY_MISMATCH}


@pytest.fixture(scope="module")
def book() -> Book:
    return build_book(11, MockClock(datetime(2026, 7, 1, tzinfo=UTC)), projects=60, blocks=300, defective=True)


@pytest.fixture
def units(book: Book, tmp_path: Path) -> Path:
    path = tmp_path / "vcus.csv"
    path.write_bytes(export_csv(book).units)
    return path


def readable(book: Book) -> list[Block]:
    return [block for block in book.blocks() if block.defect not in UNREADABLE]


def document(answered: Answered) -> Any:
    return json.loads(answered.out)


def expected_of_units(book: Book, file: Path) -> dict[str, Any]:
    good = readable(book)
    rows = len(list(book.blocks()))
    return {
        "market": "verra",
        "kind": "vcus",
        "file": str(file),
        "rows": rows,
        "accepted": len(good),
        "quarantined": rows - len(good),
        "quantity": sum(block.quantity for block in good),
        "projects": len({block.batch.project.number for block in good}),
        "blocks": len(good),
        "overlaps": 0,
        "defects": {"QUANTITY_MISMATCH": 1, "SERIAL_MISSING": 1, "SERIAL_UNREADABLE": 1},
        "drift": [],
    }


def catalogue_is_empty(command_line: CommandLine) -> bool:
    lists = [document(command_line(name, "--json"))["total"] for name in ("projects", "blocks", "quarantine", "drift")]
    markets = document(command_line("markets", "--json"))["rows"]
    return lists == [0, 0, 0, 0] and {market["last_pull"] for market in markets} == {None}


def workbook(path: Path, content: bytes, dates: str | None) -> None:
    """The CSV as a workbook; with ``dates`` days and numbers are typed cells, as Excel saves them."""
    with xlsxwriter.Workbook(str(path)) as made:
        sheet = made.add_worksheet("VCUs")
        style = made.add_format({"num_format": dates or "General"})
        rows = csv.reader(io.StringIO(content.decode()))
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if dates and row and column in {0, 2, 3, 13} and cell:
                    sheet.write_datetime(row, column, datetime.strptime(cell, "%Y-%m-%d"), style)  # noqa: DTZ007  # a cell's day has no zone
                elif dates and row and column in {4, 9, 10}:
                    sheet.write_number(row, column, int(cell))
                else:
                    sheet.write_string(row, column, cell)


@pytest.mark.parametrize(
    ("dates", "thousands"), [(DateStyle.ISO, True), (DateStyle.ISO_TIME, False), (DateStyle.DMY, True)]
)
def test_the_unit_export_in_every_style_gives_exactly_the_books_figures(
    book: Book, command_line: CommandLine, tmp_path: Path, dates: DateStyle, thousands: bool
) -> None:
    file = tmp_path / "vcus.csv"
    file.write_bytes(export_csv(book, dates=dates, thousands=thousands).units)

    answered = command_line("ingest", "verra", file, "--json")

    assert answered.code == 0
    found = document(answered)
    assert isinstance(found.pop("seconds"), float)
    assert found == expected_of_units(book, file)
    days = {
        block.shown_serial: (block.batch.issued.date().isoformat(), block.batch.vintage_start.isoformat())
        for block in readable(book)
    }
    rows = document(command_line("blocks", "--json", "--limit", "10000"))["rows"]
    assert {row["serial"]: (row["issued_on"], row["vintage_start"]) for row in rows} == days


@pytest.mark.parametrize("dates", [None, "dd/mm/yyyy"])
def test_the_unit_export_as_a_workbook_gives_the_same_figures(
    book: Book, command_line: CommandLine, tmp_path: Path, dates: str | None
) -> None:
    file = tmp_path / "vcus.xlsx"
    workbook(file, export_csv(book, thousands=dates is None).units, dates)

    answered = command_line("ingest", "verra", file, "--json")

    assert answered.code == 0
    found = document(answered)
    found.pop("seconds")
    assert found == expected_of_units(book, file)
    ended = {block.shown_serial: block.acted.date().isoformat() if block.acted else None for block in readable(book)}
    rows = document(command_line("blocks", "--json", "--limit", "10000"))["rows"]
    assert {row["serial"]: row["ended_on"] for row in rows} == ended


def test_the_project_list_has_no_quantity(book: Book, command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "allprojects.csv"
    file.write_bytes(export_csv(book).projects)

    found = document(command_line("ingest", "verra", file, "--json"))

    assert found["kind"] == "project-list"
    assert found["quantity"] is None
    assert (found["rows"], found["accepted"], found["quarantined"]) == (60, 59, 1)
    assert (found["projects"], found["blocks"]) == (59, 0)
    assert found["defects"] == {"STATE_UNKNOWN": 1}


def test_a_person_is_told_what_changed_and_the_second_time_that_nothing_did(
    units: Path, command_line: CommandLine
) -> None:
    first = command_line("ingest", "verra", units)
    before = document(command_line("blocks", "--json"))
    second = command_line("ingest", "verra", units)

    assert first.code == second.code == 0
    assert "added" in first.out
    assert "nothing changed" not in first.out
    assert "QUANTITY_MISMATCH" in first.out
    assert "3 quarantined" in first.out
    assert "carbon-gateway quarantine" in first.out
    assert "\x1b" not in first.out + first.err
    assert "nothing changed" in second.out
    assert "added" not in second.out
    assert document(command_line("blocks", "--json")) == before
    assert document(command_line("quarantine", "--json"))["total"] == 3


def test_overlapping_blocks_are_counted_and_end_well(book: Book, command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "vcus.csv"
    lines = export_csv(book).units.decode().splitlines()
    block = next(one for one in readable(book) if one.quantity > 1)
    (line,) = [one for one in lines if block.shown_serial and block.shown_serial in one]
    shorter = line.replace(str(block.shown_serial), block.batch.serial(block.first, block.first, flagged=block.flagged))
    (cells,) = csv.reader([shorter])
    cells[10] = "1"
    row = io.StringIO()
    csv.writer(row).writerow(cells)
    file.write_text("\n".join([*lines, row.getvalue().strip(), ""]), encoding="utf-8")

    answered = command_line("ingest", "verra", file, "--json")

    assert answered.code == 0
    assert document(answered)["overlaps"] == 1


def test_a_column_nobody_mapped_is_drift(units: Path, command_line: CommandLine) -> None:
    rows = list(csv.reader(io.StringIO(units.read_text(encoding="utf-8"))))
    with units.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([*row, "Star Rating" if number == 0 else "5"] for number, row in enumerate(rows))

    answered = command_line("ingest", "verra", units, "--json")

    assert (answered.code, document(answered)["drift"]) == (0, ["Star Rating"])
    (drifted,) = document(command_line("drift", "--market", "verra", "--json"))["rows"]
    assert (drifted["path"], drifted["kind"]) == ("Star Rating", "unknown")
    assert "Star Rating" in command_line("drift").out


def wrong_files(units: bytes, projects: bytes) -> Iterator[tuple[str, bytes]]:
    yield "empty.csv", b""
    yield "page.csv", b"<!DOCTYPE html><html><body>Please log in</body></html>"
    yield "answer.csv", b'{"entities": []}'
    yield "report.csv", b"%PDF-1.7 ..."
    yield "other.csv", b"Date,Amount\r\n2026-01-01,5\r\n"
    yield "semicolons.csv", projects.replace(b",", b";")
    yield "cut.csv", units[: len(units) // 2] + b'"open'
    yield "utf16.csv", units.decode().encode("utf-16")
    yield "latin.csv", units + "Projét,é".encode("latin-1")
    yield "no-quantity.csv", b"\r\n".join(line.replace(b"Quantity Issued", b"Amount") for line in units.splitlines())
    yield "broken.xlsx", b"PK\x03\x04" + bytes(100)


def test_a_wrong_file_is_refused_whole(book: Book, command_line: CommandLine, tmp_path: Path) -> None:
    made = export_csv(book)
    refused = {}
    for name, content in wrong_files(made.units, made.projects):
        file = tmp_path / name
        file.write_bytes(content)
        answered = command_line("ingest", "verra", file, "--json")
        assert answered.code == 2, (name, answered)
        error = document(answered)["error"]
        refused[name] = (answered.code, error["type"], sorted(error))
        assert error["found"]
        assert error["expected"]
        assert answered.err.startswith("error: found ")

    members = ["expected", "found", "message", "type", "where"]
    assert refused == dict.fromkeys(refused, (2, "UnusableFile", members))
    assert len(refused) == 11
    assert catalogue_is_empty(command_line)


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_what_is_no_file_is_refused(command_line: CommandLine, tmp_path: Path, name: str) -> None:
    answered = command_line("ingest", "verra", tmp_path / name)

    assert answered.code == 2
    assert answered.out == ""
    assert "expected a CSV file" in answered.err


def test_rejected_rows_are_mended_and_ingested_again(book: Book, units: Path, command_line: CommandLine) -> None:
    rejects = units.with_name("rejects.csv")
    command_line("ingest", "verra", units, "--reject-file", rejects)
    true_rows = {block.entity_id: block for block in book.blocks() if block.defect in UNREADABLE}
    rows = read(rejects)
    again = units.with_name("again.csv")
    assert len(rows) == 3
    for row in rows:
        (block,) = [one for one in true_rows.values() if matches(row, one)]
        row["Serial Number"] = block.batch.serial(block.first, block.last, flagged=block.flagged)
        row["Quantity Issued"] = str(block.quantity)
    right = rows[0]["Quantity Issued"]
    rows[0]["Quantity Issued"] = "9"  # the first one is mended wrongly
    write(rejects, rows)
    half = document(command_line("ingest", "verra", rejects, "--reject-file", again, "--json"))
    assert (half["accepted"], half["quarantined"]) == (2, 1)
    (left,) = document(command_line("quarantine", "--json"))["rows"]
    assert left["raw"]["Quantity Issued"] == "9"
    rows[0] = read(again)[0] | {"Quantity Issued": right}
    write(again, rows[:1])
    mended = document(command_line("ingest", "verra", again, "--json"))

    assert (mended["rows"], mended["accepted"], mended["quarantined"], mended["drift"]) == (1, 1, 0, [])
    assert document(command_line("blocks", "--json"))["total"] == len(list(book.blocks()))
    assert document(command_line("quarantine", "--json"))["total"] == 0


def test_a_reject_file_that_was_not_mended_leaves_the_quarantine_as_it_was(
    units: Path, command_line: CommandLine
) -> None:
    rejects = units.with_name("rejects.csv")
    command_line("ingest", "verra", units, "--reject-file", rejects)
    before = document(command_line("quarantine", "--json"))

    again = document(command_line("ingest", "verra", rejects, "--reject-file", units.with_name("again.csv"), "--json"))

    assert (again["accepted"], again["quarantined"]) == (0, 3)
    after = document(command_line("quarantine", "--json"))
    assert [row["record_key"] for row in after["rows"]] == [row["record_key"] for row in before["rows"]]
    assert [row["raw"] for row in after["rows"]] == [row["raw"] for row in before["rows"]]


def test_a_file_that_comes_again_does_not_undo_what_was_mended(
    book: Book, units: Path, command_line: CommandLine
) -> None:
    rejects = units.with_name("rejects.csv")
    command_line("ingest", "verra", units, "--reject-file", rejects)
    rows = read(rejects)
    for row in rows:
        (block,) = [one for one in book.blocks() if one.defect in UNREADABLE and matches(row, one)]
        row["Serial Number"] = block.batch.serial(block.first, block.last, flagged=block.flagged)
        row["Quantity Issued"] = str(block.quantity)
    write(rejects, rows)
    command_line("ingest", "verra", rejects)
    before = document(command_line("quarantine", "--json"))["total"]

    again = command_line("ingest", "verra", units)

    assert "nothing changed" in again.out
    assert (before, document(command_line("quarantine", "--json"))["total"]) == (0, 0)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def matches(row: dict[str, str], block: Block) -> bool:
    """Whether a rejected row shows this block; what is wrong in it is not looked at."""
    return (
        row["ID"] == str(block.batch.project.number)
        and row["Issuance Date"] == block.batch.issued.date().isoformat()
        and (row["Serial Number"] or "").startswith((block.shown_serial or "")[:8])
        and int(row["Quantity Issued"].replace(",", "")) == block.stated_quantity
    )


def test_the_reject_file_is_never_the_file_that_is_read(units: Path, command_line: CommandLine) -> None:
    before = units.read_bytes()

    answered = command_line("ingest", "verra", units, "--reject-file", units.parent / "." / units.name)

    assert answered.code == 2
    assert units.read_bytes() == before


def test_a_reject_file_that_cannot_be_written_stores_nothing(units: Path, command_line: CommandLine) -> None:
    answered = command_line("ingest", "verra", units, "--reject-file", units.parent / "absent" / "rejects.csv")

    assert answered.code == 2
    assert "cannot write the reject file" in answered.err
    assert catalogue_is_empty(command_line)


def test_an_older_file_does_not_overwrite_what_is_known(book: Book, units: Path, command_line: CommandLine) -> None:
    command_line("ingest", "verra", units, "--as-of", "2026-06-02T00:00:00Z")
    older = units.with_name("older.csv")
    older.write_bytes(units.read_bytes().replace(b" Project", b" Scheme"))

    answered = command_line("ingest", "verra", older, "--as-of", "2026-06-01T00:00:00+08:00")

    assert answered.code == 0
    assert "older than what is known" in answered.out
    assert "Scheme" not in command_line("blocks", "--json", "--limit", "10000").out


@pytest.mark.parametrize("instant", ["2026-07-01", "yesterday", "2999-01-01T00:00:00Z"])
def test_an_instant_without_a_zone_or_to_come_is_refused(units: Path, command_line: CommandLine, instant: str) -> None:
    answered = command_line("ingest", "verra", units, "--as-of", instant)

    assert answered.code == 2
    assert instant in answered.err


def test_an_unknown_market_names_those_there_are(units: Path, command_line: CommandLine) -> None:
    answered = command_line("ingest", "vera", units, "--json")

    assert answered.code == 2
    assert document(answered)["error"]["type"] == "ConfigurationError"
    assert f"there are {', '.join(installed())}\n" in answered.err


def test_a_mended_code_list_lets_quarantined_rows_in(
    book: Book, command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "allprojects.csv"
    file.write_bytes(export_csv(book).projects)
    assert document(command_line("ingest", "verra", file, "--json"))["quarantined"] == 1
    unmended = document(command_line("quarantine", "replay", "--json"))["markets"]

    shutil.copytree(Path(__file__).parents[2] / "mappings", tmp_path / "mended_mappings")
    words = tmp_path / "mended_mappings" / "verra" / "project-status.yaml"
    words.write_text(words.read_text("utf-8") + "  - {native: Paused by Committee, means: on_hold}\n", "utf-8")
    manifests = {"verra": replace(MANIFEST, mappings="mended_mappings.verra")}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("gateway.app.installed", lambda: manifests)
    replayed = command_line("quarantine", "replay", "verra")
    again = document(command_line("quarantine", "replay", "verra", "--json"))["markets"]

    assert {one["market"]: (one["tried"], one["accepted"]) for one in unmended} == dict.fromkeys(
        installed(), (0, 0)
    ) | {"verra": (1, 0)}
    assert replayed.out == "verra: 1 row tried, 1 accepted, 0 still in quarantine\n"
    assert [(one["tried"], one["accepted"]) for one in again] == [(0, 0)]
    listed = document(command_line("projects", "--state", "on_hold", "--text", paused_project(book), "--json"))
    assert [row["state_native"] for row in listed["rows"]] == ["Paused by Committee"]
    assert document(command_line("quarantine", "--json"))["total"] == 0


def paused_project(book: Book) -> str:
    (project,) = [one for one in book.projects.values() if one.defect is not None]
    return str(project.number)
