"""The book as the files that a person downloads from the registry: the VCU export and the project list.

Headings and their order are those of real exports of 2023 to 2026. The VCU export has a row for each block, held ones
without a retirement date; retirements and cancellations are one there, and labels and goals are lists joined by
``; ``. A cell is quoted only where it must be.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from adapters.verra.book import Book
from adapters.verra.book_entries import Batch, Block, Project
from adapters.verra.book_words import STATUS_OF

UNIT_HEADINGS: Final = (
    "Issuance Date",
    "Sustainable Development Goals",
    "Vintage Start",
    "Vintage End",
    "ID",
    "Name",
    "Country/Area",
    "Project Type",
    "Methodology",
    "Total Vintage Quantity",
    "Quantity Issued",
    "Serial Number",
    "Additional Certifications",
    "Retirement/Cancellation Date",
    "Retirement Beneficiary",
    "Retirement Reason",
    "Retirement Details",
)
PROJECT_HEADINGS: Final = (
    "ID",
    "Name",
    "Proponent",
    "Project Type",
    "AFOLU Activities",
    "Methodology",
    "Status",
    "Country/Area",
    "Estimated Annual Emission Reductions",
    "Region",
    "Project Registration Date",
    "Crediting Period Start Date",
    "Crediting Period End Date",
)


class DateStyle(StrEnum):
    """How the dates of an export are written; it changed over the years."""

    ISO = "iso"
    """``2024-12-31``"""
    ISO_TIME = "iso_time"
    """``2024-12-31 00:00:00``, as a spreadsheet's date comes out"""
    DMY = "dmy"
    """``31/12/2024``"""


@dataclass(frozen=True, slots=True)
class Export:
    """The two files, as UTF-8 CSV with lines ended by CR LF."""

    units: bytes
    projects: bytes


def export_csv(book: Book, *, dates: DateStyle = DateStyle.ISO, thousands: bool = True) -> Export:
    """The book as the registry's two CSV files; ``thousands`` writes ``1,454,054`` for 1454054."""
    style = _Style(dates, thousands)
    totals: defaultdict[_Vintage, int] = defaultdict(int)
    for batch in book.batches.values():
        totals[_vintage_of(batch)] += batch.quantity
    blocks = sorted(book.blocks(), key=lambda block: (block.batch.issued, block.batch.number, block.first))
    units = (_unit_row(block, totals[_vintage_of(block.batch)], style) for block in blocks)
    projects = (_project_row(project, style) for project in book.projects.values())
    return Export(units=_csv(UNIT_HEADINGS, units), projects=_csv(PROJECT_HEADINGS, projects))


_Vintage = tuple[int, date, date]


@dataclass(frozen=True, slots=True)
class _Style:
    dates: DateStyle
    thousands: bool

    def day(self, day: date | None) -> str:
        if day is None:
            return ""
        if self.dates is DateStyle.DMY:
            return f"{day.day:02d}/{day.month:02d}/{day.year:04d}"
        return f"{day.year:04d}-{day.month:02d}-{day.day:02d}" + (
            " 00:00:00" if self.dates is DateStyle.ISO_TIME else ""
        )

    def number(self, number: int) -> str:
        return f"{number:,}" if self.thousands else str(number)


def _vintage_of(batch: Batch) -> _Vintage:
    return batch.project.number, batch.vintage_start, batch.vintage_end


def _unit_row(block: Block, total: int, style: _Style) -> Sequence[str]:
    batch, project = block.batch, block.batch.project
    return (
        style.day(batch.issued),
        project.goals or "",
        style.day(batch.vintage_start),
        style.day(batch.vintage_end),
        str(project.number),
        project.name,
        project.country.name,
        project.scope_names,
        _methodologies(project),
        style.number(total),
        style.number(block.stated_quantity),
        block.shown_serial or "",
        "; ".join(block.labels),
        style.day(block.acted),
        block.beneficiary or "",
        block.reason or "",
        block.details or "",
    )


def _project_row(project: Project, style: _Style) -> Sequence[str]:
    status = STATUS_OF.get(project.shown_status[0])
    return (
        str(project.number),
        project.name,
        project.proponent.name,
        project.scope_names,
        project.activities or "",
        _methodologies(project),
        status.exported if status else project.shown_status[0],
        project.country.name,
        style.number(project.annual),
        (project.country.region.name or "") if project.has_region else "",
        style.day(project.registered),
        style.day(project.credit_start),
        style.day(project.credit_end),
    )


def _methodologies(project: Project) -> str:
    return "; ".join(code for code, _version in project.methodologies)


def _csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue().encode()
