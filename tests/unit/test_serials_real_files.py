"""The serials of the files that registries really published, where those files are at hand."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.model.serials import Serial, SerialRange, SerialRefused, grammar_of, parse, read
from tests.unit.test_serials_columnar import check_agreement

# (registry, serial, quantity, project or None where the row does not say)
Row = tuple[str, str, int, str | None]


@pytest.fixture(scope="module")
def data() -> Path:
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the registries' real files are not beside this repository (../shared/data)")
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def whole(text: str) -> int:
    return int(text.replace(",", "").removesuffix(".0"))


def verra(data: Path) -> Iterator[Row]:
    for path in (*sorted((data / "verra").glob("vcus_*.csv")), data / "samples" / "verra" / "transactions.csv"):
        for row in table(path):
            yield "verra", row["Serial Number"], whole(row["Quantity Issued"]), row["ID"]


def gold_standard(data: Path) -> Iterator[Row]:
    for path in (data / "samples" / "gold-standard").glob("*.csv"):
        for row in table(path):
            if "Serial Number" in row:
                yield "gold-standard", row["Serial Number"], whole(row["Quantity"]), row["GSID"]
    for credit in json.loads((data / "captured" / "gs-credits.json").read_bytes()):
        yield "gold-standard", credit["serial_number"], credit["number_of_credits"], None


def american(data: Path) -> Iterator[Row]:
    for name in ("retirements", "cancellations"):
        for row in table(data / "samples" / "american-carbon-registry" / f"{name}.csv"):
            project = row["Project ID"].removeprefix("ACR").lstrip("0")
            yield "acr", row["Credit Serial Numbers"], whole(row["Quantity of Credits"]), project
        for row in table(data / "samples" / "climate-action-reserve" / f"{name}.csv"):
            quantity = whole(row["Quantity of Offset Credits"])
            yield "car", row["Offset Credit Serial Numbers"], quantity, row["Project ID"].removeprefix("CAR")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from objects(item)


def captured(data: Path) -> Iterator[Row]:
    for path in sorted((data / "captured").glob("acr-*.json")):
        for found in objects(json.loads(path.read_bytes())):
            serial = found.get("holdingSerialNumber")
            if serial:
                yield "acr", serial, found["holdingQuantity"], found["projectReferenceId"][3:].lstrip("0")
    for path in sorted((data / "captured").glob("planvivo-*.json")):
        for found in objects(json.loads(path.read_bytes())):
            if found.get("serialNo"):
                yield "plan-vivo", found["serialNo"], int(found["holdingQuantity"]), str(found["projectId"])


@pytest.mark.parametrize(("rows", "at_least"), [(verra, 1023), (gold_standard, 205), (american, 300), (captured, 30)])
def test_every_published_serial_parses_and_counts_its_quantity(rows: Any, at_least: int, data: Path) -> None:
    published = list(rows(data))
    assert len(published) >= at_least
    for registry, text, quantity, project in published:
        serial = read(grammar_of(registry), text)
        assert isinstance(serial, Serial), (text, serial)
        assert serial.range.count == quantity, text
        # A CER keeps the UN's project number, not Gold Standard's.
        if project is not None and (registry, serial.space.registry) != ("gold-standard", "cdm"):
            assert serial.facts.project == project, text
    for registry in {row[0] for row in published}:
        check_agreement(registry, [text for name, text, *_ in published if name == registry])


def test_serials_inside_pages_parse(data: Path) -> None:
    patterns = {"car": r"CAR-(?:[0-9]|ROC)-[^<\",]+ to [0-9]+", "plan-vivo": r"PV-[A-Za-z]+-[A-Z]{2}-[^<\"\s]+"}
    for registry, pattern in patterns.items():
        pages = (data / "captured").glob(f"{registry.replace('-', '')}*.html")
        found = {text for page in pages for text in re.findall(pattern, page.read_text("utf-8", errors="replace"))}
        assert found
        refused = {text: read(grammar_of(registry), text) for text in found}
        assert not {text: why for text, why in refused.items() if isinstance(why, SerialRefused)}


def test_no_unit_of_the_verra_files_is_in_two_rows_of_one_file(data: Path) -> None:
    for path in (data / "verra").glob("vcus_*.csv"):
        books: dict[str, list[SerialRange]] = {}
        for row in table(path):
            serial = parse("verra", row["Serial Number"])
            books.setdefault(serial.space.key, []).append(serial.range)
        for book in books.values():
            ordered = sorted(book)
            assert not [pair for pair in pairwise(ordered) if pair[0].overlaps(pair[1])]
