"""The stand-in's exports: which list has which columns, and the files that they become.

CSV is GB18030 with days as Chinese write them and thousands parted; a journal number ends with a tab, so that a
spreadsheet takes it for text. In a workbook days and times are cells of their own kind.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import openpyxl

from adapters.phcer.mock_register import SHANGHAI, Balance, Batch, Line, Project, Register

ENCODING: Final = "gb18030"
CSV: Final = f"text/csv; charset={ENCODING.upper()}"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int | date | datetime | None


@dataclass(frozen=True, slots=True)
class Export:
    """A list that can be exported.

    Attributes:
        title: what the portal calls it; the name of the file and of the sheet.
        columns: each heading, and what stands under it.
        entries: what it lists, in its order.
        quantity: what of an entry is summed; None for a list without quantities.
        changed: when an entry last changed; None for a list of what is there now.
    """

    title: str
    columns: Mapping[str, Callable[[Register, Any], Cell]]
    entries: Callable[[Register], Sequence[Any]]
    quantity: Callable[[Any], int] | None
    changed: Callable[[Any], datetime] | None = None


_PROJECTS: Final[Mapping[str, Callable[[Register, Project], Cell]]] = {
    "项目编号": lambda _, one: one.number,
    "项目名称": lambda _, one: one.name,
    "项目业主": lambda _, one: one.owner,
    "项目类型": lambda _, one: one.kind,
    "方法学编号": lambda _, one: one.methodology,
    "所在地市": lambda _, one: one.city,
    "项目状态": lambda _, one: one.state,
    "备案日期": lambda _, one: one.filed_on,
    "计入期开始日期": lambda _, one: one.period and one.period[0],
    "计入期结束日期": lambda _, one: one.period and one.period[1],
    "预计年减排量": lambda _, one: one.yearly,
}
_ISSUANCES: Final[Mapping[str, Callable[[Register, Batch], Cell]]] = {
    "登记批次号": lambda _, one: one.number,
    "项目编号": lambda _, one: one.project.number,
    "项目名称": lambda _, one: one.project.name,
    "方法学编号": lambda _, one: one.project.methodology,
    "产生年度": lambda _, one: one.years,
    "登记数量": lambda _, one: one.quantity,
    "登记日期": lambda _, one: one.registered_on,
    "批次状态": lambda register, one: register.batch_state(one),
    "附加标识": lambda _, one: one.labels,
}
_HOLDERS: Final[Mapping[str, Callable[[Register, Balance], Cell]]] = {
    "持有编号": lambda _, one: one.number,
    "账户编号": lambda _, one: one.account.number,
    "账户名称": lambda _, one: one.account.name,
    "登记批次号": lambda _, one: one.batch.number,
    "项目编号": lambda _, one: one.batch.project.number,
    "项目名称": lambda _, one: one.batch.project.name,
    "产生年度": lambda _, one: one.batch.years,
    "持有数量": lambda _, one: one.quantity,
    "可用数量": lambda _, one: one.available,
    "冻结数量": lambda _, one: one.frozen,
    "在途数量": lambda _, one: one.moving,
    "持有状态": lambda _, one: _holding_state(one),
    "冻结原因": lambda _, one: one.reason,
    "冻结机关": lambda _, one: one.authority,
}
_MOVEMENTS: Final[Mapping[str, Callable[[Register, Line], Cell]]] = {
    "业务流水号": lambda _, one: f"{one.number}\t",
    "业务类型": lambda _, one: one.act.value,
    "账户编号": lambda _, one: one.account.number,
    "对方账户": lambda _, one: one.other.number if one.other else None,
    "变动方向": lambda _, one: one.way.value,
    "登记批次号": lambda _, one: one.batch.number,
    "项目编号": lambda _, one: one.batch.project.number,
    "产生年度": lambda _, one: one.batch.years,
    "变动数量": lambda _, one: one.quantity,
    "业务状态": lambda _, one: one.progress.value,
    "业务事由": lambda _, one: one.reason,
    "办理机关": lambda _, one: one.authority,
    "办理时间": lambda _, one: one.at,
    "业务日期": lambda _, one: one.at.astimezone(SHANGHAI).date(),
}


def _at(line: Line) -> datetime:
    return line.at


EXPORTS: Final[Mapping[str, Export]] = {
    "projects": Export("项目清单", _PROJECTS, lambda register: list(register.projects.values()), None),
    "issuances": Export(
        "减排量登记清单", _ISSUANCES, lambda register: list(register.batches.values()), lambda one: int(one.quantity)
    ),
    "holders": Export(
        "持有清单", _HOLDERS, lambda register: list(register.balances.values()), lambda one: int(one.quantity)
    ),
    "movements": Export(
        "业务流水",
        _MOVEMENTS,
        lambda register: sorted(register.lines, key=lambda one: (one.at, one.number)),
        lambda one: int(one.quantity),
        _at,
    ),
}


def table(export: Export, register: Register, entries: Sequence[Any]) -> list[list[Cell]]:
    """The cells of some entries, headings first."""
    rows = [[cell(register, one) for cell in export.columns.values()] for one in entries]
    return [list(export.columns), *rows]


def as_csv(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A CSV file in GB18030."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
    return text.getvalue().encode(ENCODING)


def as_workbook(rows: Sequence[Sequence[Cell]], title: str) -> bytes:
    """An XLSX workbook of one sheet; times lose their zone, as cells have none."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append([_local(cell) if isinstance(cell, datetime) else cell for cell in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case datetime():
            return _local(cell).strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return f"{cell.year}年{cell.month}月{cell.day}日"
        case int():
            return f"{cell:,}"
        case _:
            return cell


def _local(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0)


def _holding_state(one: Balance) -> str:
    if one.frozen == 0:
        return "正常"
    return "部分冻结" if one.frozen < one.quantity else "冻结"
