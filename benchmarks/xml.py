"""Reading a Hubei day-end file: validated, its digest checked, in tables; beside lxml's own validating iterparse."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SM3, Hash
from lxml import etree

from adapters.hubei.dayend import RECORDS, SHAPE, FileKind, open_day_end, schema
from adapters.hubei.mock import build
from adapters.hubei.mock_files import Letter, write
from benchmarks.report import Figure, rate, show, timed
from gateway.kit.mock import MockClock

ROWS: Final = 100_000
LARGE: Final = 1_000_000
MEGABYTES: Final = 300
RUNS: Final = 3
SCHEMA: Final = Path(__file__).parent.parent / "mappings" / "hubei" / "dayend.xsd"
RECORD: Final = RECORDS[FileKind.HOLDINGS].element
READ_ONCE: Final = """
import sys
from pathlib import Path
from benchmarks.xml import ours
rows = ours(Path(sys.argv[1]))
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(rows, peak)
"""


def write_file(path: Path, rows: int) -> None:
    """Writes a file of so many holdings: those of the stand-in again and again, each under a number of its own."""
    now = datetime(2026, 7, 15, 3, tzinfo=UTC)
    end = build(1, MockClock(now), entities=300, days=2).published()[-1]
    source = end.records[FileKind.HOLDINGS]
    letter = Letter(FileKind.HOLDINGS, date(2026, 7, 14), "B", "M", "HKGW", now)
    whole = write(letter, source).decode("gb18030")
    head, rest = whole.split(f"<{SHAPE.body}>\n")
    records = rest.split(f"\n</{SHAPE.body}>")[0].split("\n")
    numbered = [record.split("</持有编号>", 1)[1] for record in records]
    quantities = [int(row["持有数量"]) for row in source]
    total = sum(quantities[number % len(source)] for number in range(rows))
    head = head.replace(f"<记录数>{len(source)}<", f"<记录数>{rows}<")
    head = head.replace(f"<总数量>{sum(quantities)}<", f"<总数量>{total}<")
    digest = Hash(SM3())
    with path.open("wb") as file:

        def put(text: str) -> None:
            content = text.encode("gb18030")
            digest.update(content)
            file.write(content)

        put(f"{head}<{SHAPE.body}>\n")
        for start in range(0, rows, 5_000):
            some = range(start, min(start + 5_000, rows))
            put(
                "".join(
                    f"<{RECORD}><持有编号>N{number}</持有编号>{numbered[number % len(source)]}\n" for number in some
                )
            )
        put(f"</{SHAPE.body}>\n")
        trailer = f"<{SHAPE.trailer}><摘要算法>SM3</摘要算法><摘要>{digest.finalize().hex()}</摘要></{SHAPE.trailer}>"
        file.write(f"{trailer}\n</日终文件>\n".encode("gb18030"))


def ours(path: Path) -> int:
    """The records of a file that reached a table."""
    with path.open("rb") as file:
        return sum(batch.frame.height for batch in open_day_end(file, FileKind.HOLDINGS).batches())


def bare(path: Path, compiled: etree.XMLSchema) -> int:
    """The same file through lxml alone, in its fastest and leanest form: validated, and thrown away."""
    rows = 0
    for _, element in etree.iterparse(str(path), events=("end",), tag=RECORD, schema=compiled):
        rows += 1
        element.clear()
    return rows


def run(folder: Path) -> list[Figure]:
    """Measures and prints; lxml is run before and after ours."""
    path, large = folder / "day-end-100k.xml", folder / "day-end-1m.xml"
    write_file(path, ROWS)
    compiled = etree.XMLSchema(etree.parse(str(SCHEMA)))
    assert schema().columns(RECORD)
    assert ours(path) == bare(path, compiled) == ROWS
    beside = timed(lambda: bare(path, compiled), RUNS)
    mine = timed(lambda: ours(path), RUNS)
    beside += timed(lambda: bare(path, compiled), RUNS)
    found, limit = rate(ROWS, mine), rate(ROWS, beside)
    write_file(large, LARGE)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONCE, str(large)], check=True, capture_output=True, text=True, cwd=SCHEMA.parents[2]
    )
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == LARGE
    size = large.stat().st_size >> 20
    large.unlink()
    figures = [
        Figure(
            "Hubei file, 100,000 holdings: validated, digested, in tables",
            f"{found:,.0f} records/s",
            f"lxml iterparse(schema=) {limit:,.0f} records/s: {found / limit:.2f} of it",
            "two thirds of it",
            found >= limit * 2 / 3,
        ),
        Figure(
            f"the same, 1,000,000 holdings ({size:,} MB): peak memory of the process",
            f"{kilobytes >> 10:,} MB",
            "the file's size",
            f"{MEGABYTES} MB",
            kilobytes >> 10 < MEGABYTES,
        ),
    ]
    show("XML", figures)
    return figures
