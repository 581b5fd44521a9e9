"""The portal of the PHCER register (广东省碳普惠核证减排量登记簿系统) in its own words: a login, and exports in parts.

No interface of it is published, and its human login asks for a captcha, which nobody automates. The machine login, the
export's parameters and its headers are a simulated shape of our own; the README tells what is known.

An export is made once and sent in parts, each a whole file with headings. Whoever has no session gets the login page
instead, at status 200 or by a redirect: neither is ever taken for a file. Every part states its digest (SM3) and its
rows, so that one that was cut off is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import polars as pl
from cryptography.hazmat.primitives import hashes
from pydantic import SecretStr

from adapters.phcer.config import PhcerConfig
from gateway.kit.clock import Clock
from gateway.kit.contract import RejectedRow
from gateway.kit.decoding import Json, Undecodable, decode_json, members, whole_number
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, Unavailable
from gateway.kit.files import ROW_NUMBER, Batch, open_content
from gateway.kit.tokens import Token, TokenKeeper
from gateway.kit.transport import Response, Transport
from gateway.model.errors import UnusableFile

SCOPE: Final = "phcer"
ZONE: Final = ZoneInfo("Asia/Shanghai")
COOKIE: Final = "PHCERSESSION"
SESSION_MARGIN: Final = timedelta(minutes=1)
PARTS_LIMIT: Final = 100_000
LOGIN_MARK: Final = "用户登录"
"""The title of the login page."""
LOGGED_IN: Final = "登录成功".encode()
"""What a login is answered with, in UTF-8; a refused one is answered in JSON."""

DENIED: Final = frozenset({"1001", "1002", "1003", "1004"})
"""用户名或密码错误 wrong name or password; 需要验证码 captcha wanted; 账户已锁定 locked; 无权限 not allowed."""
PASSING: Final = frozenset({"2004", "9001"})
"""导出文件已过期 the export has expired; 系统繁忙 the system is busy."""

_SESSION: Final = re.compile(
    rf"(?:^|[\s,;]){COOKIE}=([A-Za-z0-9]{{16,128}});(?:[^,]*;)? *Max-Age=([0-9]{{1,5}})(?:;|$)"
)
_BATCH: Final = re.compile(r"[A-Z0-9-]{1,40}")
_PART: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
_REDIRECTS: Final = frozenset({"301", "302", "303", "307", "308"})


@dataclass(frozen=True, slots=True)
class Summary:
    """What the register says an export would have: rows, and tonnes where the list has quantities."""

    rows: int
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an export.

    Attributes:
        batch: the export's number (导出批次号), under which its other parts are fetched.
        number: which part, from 1, and ``parts`` of how many.
        made_at: when the register made the export.
        rows: the part's rows, every cell as text.
        rejected: rows with another number of cells than there are headings.
        content: the file as received.
    """

    batch: str
    number: int
    parts: int
    made_at: datetime
    rows: pl.DataFrame
    rejected: tuple[RejectedRow, ...]
    content: bytes
    media_type: str
    origin: str


class PhcerClient:
    """Logs in and fetches exports.

    Args:
        market: the market's name, for messages.
        config: where the portal is and who logs in.
        transport: the line to it.
        clock: gives the instant.
    """

    def __init__(self, market: str, config: PhcerConfig, transport: Transport, clock: Clock) -> None:
        self._market = market
        self._config = config
        self._transport = transport
        self._clock = clock
        self._session = TokenKeeper(self._log_in, clock, SESSION_MARGIN)

    async def summary(self, kind: str, since: datetime | None) -> Summary:
        """How large an export of ``kind`` would be now. Raises an AdapterError of a read."""
        operation = f"GET export/{kind}/summary"
        response = await self._get(f"export/{kind}/summary", _since(since), operation)
        try:
            answer = self._answer(response, operation)
            # Null where the list has no quantities; missing only where the portal has changed.
            quantity = answer.get("quantity", "")
            return Summary(
                rows=whole_number(answer.get("rows"), "rows"),
                quantity=None if quantity is None else whole_number(quantity, "quantity"),
            )
        except Undecodable as error:
            raise self._error(ContractBreach, str(error), operation) from error

    async def first_part(self, kind: str, since: datetime | None) -> Part:
        """Has an export made and fetches its first part. Raises an AdapterError of a read."""
        asked = {"format": self._config.export_format, "size": str(self._config.page_size), **_since(since)}
        return await self._part(kind, asked, 1)

    async def further_part(self, kind: str, batch: str, number: int, parts: int) -> Part:
        """A further part of an export that was made before, of so many. Raises an AdapterError of a read."""
        part = await self._part(kind, {"batch": batch, "part": str(number)}, number)
        if (part.batch, part.parts) != (batch, parts):
            found = f"found a part of {part.parts} of export {part.batch}, expected one of {parts} of {batch}"
            raise self._error(ContractBreach, found, part.origin)
        return part

    async def _part(self, kind: str, asked: Mapping[str, str], number: int) -> Part:
        operation = f"GET export/{kind}?{urlencode(asked)}"
        response = await self._get(f"export/{kind}", asked, operation)
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == "application/json":
            self._answer(response, operation)
            raise self._error(ContractBreach, "found an answer in JSON, expected a file", operation)
        try:
            return _read_part(response, media_type, operation, number, self._config.page_size)
        except (Undecodable, UnusableFile) as error:
            raise self._error(ContractBreach, str(error), operation) from error

    async def _get(self, path: str, asked: Mapping[str, str], operation: str) -> Response:
        session = await self._session.secret()
        question = f"?{urlencode(asked)}" if asked else ""
        try:
            response = await self._transport.read(
                "GET",
                f"{self._config.url}/{path}{question}",
                operation=operation,
                headers={"cookie": f"{COOKIE}={session}"},
                scope=SCOPE,
            )
        except ContractBreach as error:
            if error.code in _REDIRECTS:
                # Nothing is followed; should it have led to the login page, the next read logs in anew.
                self._session.forget(session)
            raise
        if response.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise self._page_instead(response.body, session, operation)
        return response

    def _page_instead(self, body: bytes, session: str, operation: str) -> AdapterError:
        """Why a web page came where a file was asked for."""
        if any(LOGIN_MARK.encode(encoding) in body for encoding in ("utf-8", "gb18030")):
            self._session.forget(session)
            return self._error(Unavailable, "the session has ended: found the login page", operation)
        return self._error(ContractBreach, f"found a web page: {body[:80]!r}", operation)

    async def _log_in(self) -> Token:
        operation = "POST machine/login"
        form = {"username": self._config.username, "password": self._config.password.get_secret_value()}
        response = await self._transport.read(
            "POST",
            f"{self._config.url}/machine/login",
            operation=operation,
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            scope=SCOPE,
        )
        if response.body != LOGGED_IN:
            self._answer(response, operation)
        session = _SESSION.search(response.headers.get("set-cookie", ""))
        if response.body != LOGGED_IN or session is None:
            raise self._error(ContractBreach, "found no session in the answer, expected one", operation)
        return Token(SecretStr(session[1]), self._clock() + timedelta(seconds=int(session[2])))

    def _answer(self, response: Response, operation: str) -> dict[str, Json]:
        """The members of a JSON answer whose code says that all is well."""
        try:
            answer = members(decode_json(response.body), "the answer")
        except Undecodable as error:
            raise self._error(ContractBreach, str(error), operation) from error
        code, words = answer.get("code"), answer.get("msg")
        if code == "0":
            return answer
        kind = AccessDenied if code in DENIED else Unavailable if code in PASSING else ContractBreach
        raise kind(
            f"the portal says {words!r}",
            market=self._market,
            operation=operation,
            code=code if isinstance(code, str) else None,
        )

    def _error(self, kind: type[AdapterError], message: str, operation: str) -> AdapterError:
        return kind(message, market=self._market, operation=operation)


def _since(since: datetime | None) -> dict[str, str]:
    """The portal's parameter for where a window begins: local time, whole seconds."""
    return {} if since is None else {"from": since.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")}


def _read_part(response: Response, media_type: str, operation: str, number: int, limit: int) -> Part:
    headers, body = response.headers, response.body
    named = _header(headers, "x-export-batch", _BATCH)[0]
    place = _header(headers, "x-export-part", _PART)
    found, parts = int(place[1]), int(place[2])
    if found != number or not found <= parts <= PARTS_LIMIT:
        raise Undecodable(f"found part {found} of {parts} of export {named}, expected part {number}")
    digest = hashes.Hash(hashes.SM3())
    digest.update(body)
    stated = headers.get("x-export-sm3", "").lower()
    if digest.finalize().hex() != stated:
        raise Undecodable(
            f"found {len(body)} bytes whose SM3 is not the stated {stated[:64]!r}: a file cut off or changed"
        )
    rows, rejected = _rows(body)
    count = whole_number(headers.get("x-export-rows"), "x-export-rows")
    if rows.height + len(rejected) != count or count > limit:
        raise Undecodable(
            f"found {rows.height + len(rejected)} rows, the part states {count}, expected {limit} at most"
        )
    return Part(named, found, parts, _made_at(headers), rows, rejected, body, media_type, operation)


def _rows(content: bytes) -> tuple[pl.DataFrame, tuple[RejectedRow, ...]]:
    with open_content(content) as table:
        batches: list[Batch] = list(table.batches())
        empty = pl.DataFrame(schema=dict.fromkeys(table.headings, pl.String))
    frame = pl.concat([empty, *(batch.frame.drop(ROW_NUMBER) for batch in batches)])
    ragged = [row for batch in batches for row in batch.ragged]
    return frame, tuple(RejectedRow(row.row, row.text, f"{row.found} cells, expected {row.expected}") for row in ragged)


def _header(headers: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> re.Match[str]:
    found = pattern.fullmatch(headers.get(name, ""))
    if found is None:
        raise Undecodable(f"the header {name} is {headers.get(name)!r}, expected {pattern.pattern}")
    return found


def _made_at(headers: Mapping[str, str]) -> datetime:
    stated = headers.get("x-export-time", "")
    try:
        local = datetime.strptime(stated, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    except ValueError as error:
        raise Undecodable(f"the header x-export-time is {stated!r}, expected a local time") from error
    return local.astimezone(UTC)
