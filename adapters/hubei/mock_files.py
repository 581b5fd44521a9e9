"""How the stand-in writes a day's records as files, and how it spoils one on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape

from adapters.hubei.client import sm3
from adapters.hubei.dayend import RECORDS, SHAPE, WUHAN, FileKind
from adapters.hubei.mock_book import Row

DECLARATION: Final = '<?xml version="1.0" encoding="GB18030"?>\n'
SENDER: Final = "ZTD"


class Defect(StrEnum):
    """What can be wrong with a file."""

    WRONG_COUNT = "wrong_count"
    """The header states one record more than there are."""
    WRONG_TOTAL = "wrong_total"
    """The header's sum is one tonne off."""
    WRONG_DIGEST = "wrong_digest"
    """The trailer's digest is of other bytes."""
    REFUSED_RECORD = "refused_record"
    """The first record has a quantity that the schema refuses."""
    CUT_OFF = "cut_off"
    """The file ends within its body."""
    DOCUMENT_TYPE = "document_type"
    """The file declares a document type."""
    WRONG_BATCH = "wrong_batch"
    """The header has another batch number than the index."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What the envelope of a file says besides its totals."""

    kind: FileKind
    day: date
    batch: str
    message: str
    receiver: str
    written_at: datetime


def total(kind: FileKind, rows: Sequence[Row]) -> int:
    """The sum of the quantities of some records."""
    return sum(int(row[RECORDS[kind].quantity]) for row in rows)


def write(letter: Letter, rows: Sequence[Row], defect: Defect | None = None) -> bytes:
    """A file with its header, its records and its digest; spoilt where a defect is named."""
    element = RECORDS[letter.kind].element
    quantity = RECORDS[letter.kind].quantity
    written = list(rows)
    if defect is Defect.REFUSED_RECORD and written:
        written[0] = written[0] | {quantity: f"{written[0][quantity]}吨"}
    header = {
        "版本": "1.0",
        "发送方": SENDER,
        "接收方": letter.receiver,
        "业务日期": f"{letter.day:%Y%m%d}",
        "场次": "01",
        "批次号": letter.batch + ("X" if defect is Defect.WRONG_BATCH else ""),
        "文件类型": letter.kind.value,
        "记录数": str(len(rows) + (defect is Defect.WRONG_COUNT)),
        "总数量": str(total(letter.kind, rows) + (defect is Defect.WRONG_TOTAL)),
        "报文编号": letter.message,
        "时间戳": f"{letter.written_at.astimezone(WUHAN):%Y%m%d%H%M%S}",
    }
    doctype = "<!DOCTYPE 日终文件>\n" if defect is Defect.DOCUMENT_TYPE else ""
    records = "\n".join(_element(element, row) for row in written)
    text = (
        f"{DECLARATION}{doctype}<日终文件>\n{_element(SHAPE.header, header)}\n"
        f"<{SHAPE.body}>\n{records}\n</{SHAPE.body}>\n"
    )
    content = text.encode("gb18030")
    if defect is Defect.CUT_OFF:
        return content[: len(content) * 2 // 3]
    digest = sm3(content + (b" " if defect is Defect.WRONG_DIGEST else b""))
    trailer = _element(SHAPE.trailer, {"摘要算法": "SM3", SHAPE.digest: digest})
    return content + f"{trailer}\n</日终文件>\n".encode("gb18030")


def _element(name: str, fields: Row) -> str:
    return f"<{name}>" + "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items()) + f"</{name}>"
