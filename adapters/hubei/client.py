"""The day-end drop in its own words: two lines, an index of what was published, and the files.

The index and the way to a file are our simulated shape. The market is read over one line; where that fails, over the
other, which has the same files.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby, pairwise
from typing import Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from adapters.hubei.config import HubeiConfig
from adapters.hubei.dayend import DayEndFile, FileKind, read_day_end
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number
from gateway.kit.errors import ContractBreach, NotSent, RateLimited, Unavailable
from gateway.kit.transport import Response, Transport
from gateway.model.errors import UnusableFile

MARKET: Final = "hubei"
SCOPE: Final = "hubei"
DAYS_LIMIT: Final = 1_000
FILES_LIMIT: Final = 10_000
"""Days in one index, and files of one day, at most."""

FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}\.xml")


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file as the index lists it.

    Attributes:
        name: its name on the line.
        kind: what its records are.
        batch: its batch number (批次号); a file sent again has the same.
        message: its message number (报文编号); a file sent again has another.
        part: which part of the day's records of this kind it is, from 1.
        records: how many records it has.
        quantity: the sum of their quantities.
        digest: SM3 over the whole file, in small hexadecimal digits.
        earlier: the same batch as it was sent before, oldest first.
    """

    name: str
    kind: FileKind
    batch: str
    message: str
    part: int
    records: int
    quantity: int
    digest: str
    earlier: tuple[BatchFile, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedDay:
    """What was published of one business day: its files by kind and part, each batch once."""

    day: date
    files: tuple[BatchFile, ...]

    def of(self, kind: FileKind) -> tuple[BatchFile, ...]:
        """The day's files of a kind, in the order of their parts; at least one."""
        return tuple(one for one in self.files if one.kind is kind)


@dataclass(frozen=True, slots=True)
class Published:
    """What was published from a business day on: the days, oldest first, and the index as it was received."""

    days: tuple[PublishedDay, ...]
    body: bytes


class HubeiClient:
    """Asks the day-end drop.

    Args:
        config: where it is and who we are.
        transport: the line to it.
    """

    def __init__(self, config: HubeiConfig, transport: Transport) -> None:
        self._config = config
        self._transport = transport
        self._lines = [line for line in (config.line_a, config.line_b) if line is not None]
        self._headers = {
            "accept": "application/json, application/xml",
            "x-receiver": config.receiver,
            "x-access-token": config.access_token.get_secret_value(),
        }

    async def published(self, since: date | None) -> Published:
        """The published business days from one on, oldest first; the latest one alone where ``since`` is None.

        Raises ContractBreach for an index that is none, or lacks a kind of file or a part of one: an empty file is
        sent too, so what is absent is missing.
        """
        operation = f"day-end index from {since or 'the latest day'}"
        start = "" if since is None else f"&from={since:%Y%m%d}"
        answer = await self._ask(f"dayend/index?records={self._config.records_a_file}{start}", operation)
        try:
            days = _published_days(answer.body)
        except Undecodable as error:
            raise self.breach(str(error), operation) from error
        if not days and since is None:
            raise self.breach("found no day at all, expected the latest one", operation)
        if days and since is not None and days[0].day < since:
            raise self.breach(f"asked for days from {since} on, found {days[0].day}", operation)
        return Published(days, answer.body)

    async def file(self, day: date, listed: BatchFile) -> tuple[DayEndFile, bytes]:
        """A file, read and checked against its own envelope and against the index; and its bytes.

        A batch that was sent again has the records that it had before. What was sent before and cannot be used is no
        batch, and often why one is sent again. Raises ContractBreach when anything but single records is wrong.
        """
        operation = f"day-end file {listed.name}"
        try:
            read, content = await self._file(day, listed, operation)
        except UnusableFile as error:
            raise self.breach(str(error), operation) from error
        for one in listed.earlier:
            try:
                before, _ = await self._file(day, one, operation)
            except UnusableFile:
                continue
            if not before.rows.equals(read.rows) or before.rejected != read.rejected:
                found = f"found the batch {listed.batch} sent again with other records than {one.name} has"
                raise self.breach(found, operation)
        return read, content

    async def _file(self, day: date, listed: BatchFile, operation: str) -> tuple[DayEndFile, bytes]:
        answer = await self._ask(f"dayend/{day:%Y%m%d}/{listed.name}", operation)
        return await asyncio.to_thread(_checked, answer.body, day, listed, self._config.receiver), answer.body

    async def _ask(self, path: str, operation: str) -> Response:
        """Asks one line, and the other one where that does not answer. The line that answered is asked first next."""
        try:
            return await self._read(self._lines[0], path, operation)
        except RateLimited:
            raise
        except (NotSent, Unavailable) as error:
            if len(self._lines) == 1:
                raise
            try:
                answer = await self._read(self._lines[1], path, operation)
            except (NotSent, Unavailable) as other:
                raise Unavailable(
                    f"neither line answers: {error}; {other}", market=MARKET, operation=operation
                ) from other
        self._lines.reverse()
        return answer

    async def _read(self, line: str, path: str, operation: str) -> Response:
        return await self._transport.read(
            "GET", f"{line}/{path}", operation=operation, headers=self._headers, scope=SCOPE
        )

    @staticmethod
    def breach(message: str, operation: str) -> ContractBreach:
        """A breach of the market's contract."""
        return ContractBreach(message, market=MARKET, operation=operation)


def _checked(content: bytes, day: date, listed: BatchFile, receiver: str) -> DayEndFile:
    """A file's content, read. Raises UnusableFile unless it is ours and the file that the index lists."""
    digest = sm3(content)
    if digest != listed.digest:
        raise UnusableFile(
            found=f"a file with the SM3 digest {digest}", expected=f"{listed.digest}, as the index lists"
        )
    read = read_day_end(content, listed.kind)
    said = {
        "接收方": receiver,
        "业务日期": f"{day:%Y%m%d}",
        "批次号": listed.batch,
        "报文编号": listed.message,
        "记录数": str(listed.records),
        "总数量": str(listed.quantity),
    }
    for name, expected in said.items():
        if read.header[name] != expected:
            raise UnusableFile(
                found=f"{read.header[name]!r} in <{name}>",
                expected=f"{expected!r}, as we and the index say",
                where=listed.name,
            )
    return read


def sm3(content: bytes) -> str:
    """The SM3 digest (GB/T 32905) of some bytes, in small hexadecimal digits."""
    digest = Hash(SM3())
    digest.update(content)
    return digest.finalize().hex()


def _published_days(body: bytes) -> tuple[PublishedDay, ...]:
    listed = elements(members(decode_json(body), "the index").get("days"), "the member 'days'")
    if len(listed) > DAYS_LIMIT:
        raise Undecodable(f"found {len(listed)} days, expected {DAYS_LIMIT} at most")
    days = tuple(_published_day(one) for one in listed)
    if any(earlier.day >= later.day for earlier, later in pairwise(days)):
        raise Undecodable("found days out of order or twice, expected each once and the oldest first")
    return days


def _published_day(value: Json) -> PublishedDay:
    listed = members(value, "a day of the index")
    text = _text(listed, "businessDate")
    try:
        day = datetime.strptime(f"{text}+0800", "%Y%m%d%z").date()
    except ValueError as error:
        raise Undecodable(f"businessDate is {text!r}, expected a day as 20260714") from error
    found = elements(listed.get("files"), f"the files of {text}")
    if len(found) > FILES_LIMIT:
        raise Undecodable(f"found {len(found)} files of {text}, expected {FILES_LIMIT} at most")
    return PublishedDay(day, _each_batch_once([_batch_file(one) for one in found], text))


def _each_batch_once(files: Sequence[BatchFile], day: str) -> tuple[BatchFile, ...]:
    """The files by kind and part. Of a batch that was sent again the last one is read, which must say the same."""
    last: dict[str, BatchFile] = {}
    for one in files:
        before = last.get(one.batch)
        if before is not None and _said(before) != _said(one):
            raise Undecodable(
                f"the batch {one.batch} was sent twice and differs: found {_said(one)}, before {_said(before)}"
            )
        last[one.batch] = replace(one, earlier=() if before is None else (*before.earlier, replace(before, earlier=())))
    kinds = list(FileKind)
    ordered = sorted(last.values(), key=lambda one: (kinds.index(one.kind), one.part))
    parts = {kind: [one.part for one in some] for kind, some in groupby(ordered, key=lambda one: one.kind)}
    for kind in FileKind:
        if kind not in parts:
            raise Undecodable(f"found no file of the kind {kind.value} for {day}; an empty one is sent too")
        if parts[kind] != list(range(1, len(parts[kind]) + 1)):
            raise Undecodable(f"found the parts {parts[kind]} of the kind {kind.value} for {day}, expected each once")
    return tuple(ordered)


def _said(one: BatchFile) -> tuple[str, int, int, int]:
    return one.kind.value, one.part, one.records, one.quantity


def _batch_file(value: Json) -> BatchFile:
    listed = members(value, "a file of the index")
    kind = _text(listed, "fileType")
    if kind not in set(FileKind):
        raise Undecodable(f"fileType is {kind!r}, expected one of {', '.join(FileKind)}")
    name = _text(listed, "fileName")
    if FILE_NAME.fullmatch(name) is None:
        raise Undecodable(f"fileName is {name!r}, expected letters, digits, '_' and '-', and .xml")
    return BatchFile(
        name=name,
        kind=FileKind(kind),
        batch=_text(listed, "batchNo"),
        message=_text(listed, "messageNo"),
        part=whole_number(listed.get("part"), f"part of {name}"),
        records=whole_number(listed.get("records"), f"records of {name}"),
        quantity=whole_number(listed.get("quantity"), f"quantity of {name}"),
        digest=_text(listed, "sm3").lower(),
    )


def _text(listed: dict[str, Json], name: str) -> str:
    value = listed.get(name)
    if not isinstance(value, str) or not value:
        raise Undecodable(f"{name} of the index is {value!r}, expected a text")
    return value
