"""Large VCU exports to measure on: rows of an export multiplied, batches and ranges renumbered so that none collide."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROWS_A_BATCH: Final = 40
FIRST_BATCH: Final = 20_000
REAL_FILES: Final = (
    "samples/verra/transactions.csv",
    "verra/vcus_au_2024-12.csv",
    "verra/vcus_sg_2024-12.csv",
)
_SERIAL: Final = re.compile(r"[0-9]+-[0-9]+-[0-9]+-(?:VCS-)?(.*)", re.ASCII)


def rows_to_multiply() -> tuple[list[dict[str, str]], str]:
    """Rows of real exports where ``../shared/data`` lies beside the project, else of our stand-in's; and which."""
    data = Path(__file__).parent.parent.parent / "shared" / "data"
    if all((data / name).exists() for name in REAL_FILES):
        texts = [(data / name).read_text("utf-8-sig") for name in REAL_FILES]
        return [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))], "real exports"
    from adapters.verra.book_export import export_csv
    from adapters.verra.mock import build
    from gateway.kit.mock import MockClock

    book = build(1, MockClock(datetime(2026, 11, 2, tzinfo=UTC)), defective=False).book
    units = export_csv(book).units.decode("utf-8")
    return list(csv.DictReader(io.StringIO(units, newline=""))), "exports of the stand-in (no real ones here)"


def write_export(path: Path, rows: int) -> str:
    """Writes an export of so many rows; returns what it was multiplied from."""
    source, origin = rows_to_multiply()
    position = 1
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(source[0]))
        writer.writeheader()
        for number in range(rows):
            row = dict(source[number % len(source)])
            units = int(row["Quantity Issued"].replace(",", ""))
            found = _SERIAL.fullmatch(row["Serial Number"])
            assert found is not None, row["Serial Number"]
            batch = FIRST_BATCH + number // ROWS_A_BATCH
            row["Serial Number"] = f"{batch}-{position}-{position + units - 1}-VCS-{found[1]}"
            position += units
            writer.writerow(row)
    return origin
