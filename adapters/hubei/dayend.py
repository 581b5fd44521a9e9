"""The day-end files (日终文件) of the allowance registry in Wuhan: XML in GB18030, one kind of record each.

The fields' names are the market's own words where they are known; the files' shape and the digest's are ours, as the
adapter's README says.
"""

from __future__ import annotations

import importlib.resources
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import BinaryIO, Final

import polars as pl

from gateway.kit.contract import RejectedRow
from gateway.kit.files.table import ROW_NUMBER
from gateway.kit.xml import Limits, Records, RecordStream, Schema, Shape
from gateway.model.errors import UnusableFile

WUHAN: Final = timezone(timedelta(hours=8))
"""The mainland's one zone; it has had no summer time since 1991."""


class FileKind(StrEnum):
    """What a file's records are (文件类型)."""

    HOLDINGS = "CY"
    """持有: what each account holds of each product."""
    TRADES = "CJ"
    """成交: the day's trades."""
    MOVEMENTS = "HZ"
    """划转: what changed on each account."""
    FREEZES = "DJ"
    """冻结: freezes and their ends."""


SHAPE: Final = Shape(
    encoding="GB18030",
    header="文件头",
    body="文件体",
    trailer="文件尾",
    stated_records="记录数",
    stated_quantity="总数量",
    digest="摘要",
)
RECORDS: Final[Mapping[FileKind, Records]] = MappingProxyType(
    {
        FileKind.HOLDINGS: Records("持有记录", quantity="持有数量"),
        FileKind.TRADES: Records("成交记录", quantity="成交数量"),
        FileKind.MOVEMENTS: Records("划转记录", quantity="划转数量"),
        FileKind.FREEZES: Records("冻结记录", quantity="冻结数量"),
    }
)
HAPPENED: Final[Mapping[FileKind, str]] = MappingProxyType(
    {FileKind.TRADES: "成交时间", FileKind.MOVEMENTS: "发生时间", FileKind.FREEZES: "发生时间"}
)
"""The field that says when a record's event happened, as ``20260714103000`` in Wuhan."""


@cache
def schema() -> Schema:
    """The schema of all day-end files, ``mappings/hubei/dayend.xsd``."""
    source = importlib.resources.files("mappings.hubei") / "dayend.xsd"
    return Schema(source.read_bytes(), "dayend.xsd")


@dataclass(frozen=True, slots=True)
class DayEndFile:
    """One file, read to its end: its envelope is whole and its totals and digest are right.

    Attributes:
        header: the header's fields by their names.
        written_at: when the market wrote it (时间戳), in UTC.
        rows: the accepted records, one String column per field.
        rejected: the records that the schema refuses.
    """

    header: Mapping[str, str]
    written_at: datetime
    rows: pl.DataFrame
    rejected: tuple[RejectedRow, ...]


def open_day_end(file: BinaryIO, kind: FileKind, limits: Limits | None = None) -> RecordStream:
    """A day-end file as a stream of batches. Raises UnusableFile when it is none, or of another kind."""
    stream = RecordStream(file, SHAPE, RECORDS[kind], schema(), limits=limits or Limits())
    if stream.header["文件类型"] != kind:
        raise UnusableFile(found=f"a file of the kind {stream.header['文件类型']}", expected=f"one of {kind.value}")
    return stream


def read_day_end(content: bytes, kind: FileKind) -> DayEndFile:
    """A day-end file of usual size, whole. Raises UnusableFile when anything of it is wrong but single records."""
    stream = open_day_end(io.BytesIO(content), kind)
    batches = list(stream.batches())
    rows = pl.concat([batch.frame for batch in batches]).drop(ROW_NUMBER)
    rejected = tuple(one for batch in batches for one in batch.rejected)
    return DayEndFile(stream.header, _instant(stream.header["时间戳"]), rows, rejected)


def _instant(stamp: str) -> datetime:
    try:
        return datetime.strptime(f"{stamp}+0800", "%Y%m%d%H%M%S%z").astimezone(UTC)
    except ValueError as error:
        raise UnusableFile(found=f"the time {stamp!r} in <时间戳>", expected="a time as 20260714160000") from error
