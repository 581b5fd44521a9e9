"""A stand-in of the PHCER register's portal: a login, and exports in parts, in a shape of our own.

``build(seed, clock)`` gives one. What is registered is in ``PhcerMock.register``, and a test or a demonstration changes
it there; what goes wrong at the portal is switched on at the mock itself.
"""

from __future__ import annotations

import json
import random
import string
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
from cryptography.hazmat.primitives import hashes

from adapters.phcer.config import PART_LIMIT, PhcerConfig
from adapters.phcer.mock_exports import CSV, ENCODING, EXPORTS, XLSX, Cell, Export, as_csv, as_workbook, table
from adapters.phcer.mock_register import SHANGHAI, Register
from adapters.phcer.mock_register_build import build_register
from gateway.kit.clock import Clock

BASE: Final = "/portal"
COOKIE: Final = "PHCERSESSION"
SESSION: Final = timedelta(minutes=20)
KEPT: Final = timedelta(minutes=30)
"""How long the parts of an export can be fetched."""
EXPORTS_KEPT: Final = 100
FAILURES_LIMIT: Final = 5
"""So many wrong passwords lock an operator."""
FORM_LIMIT: Final = 4_096
EMPTY: Final = (
    "<!DOCTYPE html><html><head><meta charset='GB18030'><title>{title}</title></head><body>{text}</body></html>"
)
LOGIN_PAGE: Final = EMPTY.format(title="用户登录", text="<form>用户名 密码 验证码 <img src='/portal/captcha'></form>")
DOWN_PAGE: Final = EMPTY.format(title="系统维护", text="系统维护中")


class Refused(Exception):
    """What the portal answers in JSON instead, at status 200: its code and its words."""

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words
        super().__init__(f"{code} {words}")


class LoggedOut(Exception):
    """The request has no session."""


@dataclass(frozen=True, slots=True)
class _Made:
    """An export that was made: its rows are fixed, and its parts are cut from them."""

    kind: str
    number: str
    form: str
    size: int
    rows: Sequence[Sequence[Cell]]
    quantity: int | None
    made_at: datetime

    @property
    def parts(self) -> int:
        return max(1, -(-(len(self.rows) - 1) // self.size))


class PhcerMock:
    """The portal.

    Args:
        register: what is registered.
        username: who may log in.
        password: with what.
        seed: decides the names of sessions.

    Attributes:
        down: the portal only says that it is being maintained.
        redirects: whoever has no session is sent to the login page, and not given it.
        cut: how many of the next files are cut off in the middle.
    """

    def __init__(self, register: Register, *, username: str, password: str, seed: int) -> None:
        self.register = register
        self.down = False
        self.redirects = False
        self.cut = 0
        self._username = username
        self._password = password
        self._failures = 0
        self._sessions: dict[str, datetime] = {}
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._count = 0
        self._chance = random.Random(seed)  # noqa: S311 - a stand-in's session guards nothing

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the portal would."""
        if self.down:
            return _page(503, DOWN_PAGE)
        self.register.catch_up()
        try:
            return self._answer(request)
        except Refused as refused:
            return _json({"code": refused.code, "msg": refused.words})
        except LoggedOut:
            if self.redirects:
                return httpx.Response(302, headers={"location": f"{BASE}/login"})
            return _page(200, LOGIN_PAGE)

    def end_sessions(self) -> None:
        """Ends every session, as the portal does when it is restarted."""
        self._sessions.clear()

    def unlock(self) -> None:
        """Lets a locked operator try again."""
        self._failures = 0

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(BASE)
        if (request.method, path) == ("POST", "/machine/login"):
            return self._log_in(request)
        if (request.method, path) == ("GET", "/login"):
            return _page(200, LOGIN_PAGE)
        self._require_session(request)
        parts = path.removeprefix("/export/").split("/")
        if not path.startswith("/export/") or parts[0] not in EXPORTS or parts[1:] not in ([], ["summary"]):
            raise Refused("3001", f"请求的资源不存在: {path}")
        if request.method != "GET":
            raise Refused("3002", f"不支持的请求方式: {request.method}")
        params = dict(request.url.params)
        if parts[1:]:
            return self._summary(EXPORTS[parts[0]], params)
        if "batch" in params:
            return self._further(parts[0], params)
        return self._first(parts[0], params)

    def _log_in(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content[:FORM_LIMIT].decode("ascii", "replace"))
        if set(form) != {"username", "password"}:
            raise Refused("2001", "参数错误: 需要 username 和 password")
        if self._failures >= FAILURES_LIMIT:
            raise Refused("1003", "账户已锁定")
        if (form["username"], form["password"]) != ([self._username], [self._password]):
            self._failures += 1
            raise Refused("1001", "用户名或密码错误")
        self._failures = 0
        session = "".join(self._chance.choices(string.ascii_letters + string.digits, k=32))
        self._sessions[session] = self.register.clock() + SESSION
        lasts = int(SESSION.total_seconds())
        cookie = f"{COOKIE}={session}; Path={BASE}; Max-Age={lasts}; HttpOnly"
        headers = {"content-type": "text/plain; charset=UTF-8", "set-cookie": cookie}
        return httpx.Response(200, headers=headers, content="登录成功".encode())

    def _require_session(self, request: httpx.Request) -> None:
        given = dict(
            pair.strip().partition("=")[::2] for pair in request.headers.get("cookie", "").split(";") if "=" in pair
        ).get(COOKIE)
        ends_at = self._sessions.get(given or "")
        if ends_at is None or self.register.clock() >= ends_at:
            raise LoggedOut

    def _summary(self, export: Export, params: Mapping[str, str]) -> httpx.Response:
        _require_known(params, {"from"})
        entries = self._entries(export, params.get("from"))
        return _json({"code": "0", "msg": "成功", "rows": len(entries), "quantity": _sum(export, entries)})

    def _entries(self, export: Export, since: str | None) -> Sequence[Any]:
        entries = export.entries(self.register)
        if since is None:
            return entries
        if export.changed is None:
            raise Refused("2001", "参数错误: from")
        try:
            begin = datetime.strptime(since, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
        except ValueError as error:
            raise Refused("2001", "参数错误: from") from error
        return [one for one in entries if export.changed(one) >= begin]

    def _first(self, kind: str, params: Mapping[str, str]) -> httpx.Response:
        _require_known(params, {"from", "format", "size"})
        form, size = params.get("format", ""), params.get("size", "")
        if form not in {"csv", "xlsx"}:
            raise Refused("2001", "参数错误: format")
        if not (size.isascii() and size.isdigit() and 1 <= int(size[:6]) <= PART_LIMIT):
            raise Refused("2001", "参数错误: size")
        export = EXPORTS[kind]
        entries = self._entries(export, params.get("from"))
        self._count += 1
        now = self.register.clock()
        number = f"DC{now.astimezone(SHANGHAI):%Y%m%d}-{self._count:06d}"
        rows = table(export, self.register, entries)
        made = _Made(kind, number, form, int(size), rows, _sum(export, entries), now)
        self._made[number] = made
        while len(self._made) > EXPORTS_KEPT:
            self._made.popitem(last=False)
        return self._file(made, 1)

    def _further(self, kind: str, params: Mapping[str, str]) -> httpx.Response:
        _require_known(params, {"batch", "part"})
        made, part = self._made.get(params["batch"]), params.get("part", "")
        if made is None or self.register.clock() >= made.made_at + KEPT:
            raise Refused("2004", "导出文件已过期")
        if made.kind != kind or not (part.isascii() and part.isdigit() and 1 <= int(part[:6]) <= made.parts):
            raise Refused("2001", "参数错误: part")
        return self._file(made, int(part))

    def _file(self, made: _Made, part: int) -> httpx.Response:
        rows = made.rows[1:][(part - 1) * made.size : part * made.size]
        title = EXPORTS[made.kind].title
        shown = [made.rows[0], *rows]
        content = as_csv(shown) if made.form == "csv" else as_workbook(shown, title)
        digest = hashes.Hash(hashes.SM3())
        digest.update(content)
        headers = {
            "content-type": CSV if made.form == "csv" else XLSX,
            "content-disposition": f'attachment; filename="{made.number}-{part}.{made.form}"',
            "x-export-batch": made.number,
            "x-export-part": f"{part}/{made.parts}",
            "x-export-rows": str(len(rows)),
            "x-export-sm3": digest.finalize().hex(),
            "x-export-time": made.made_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
        }
        if self.cut:
            self.cut -= 1
            content = content[: len(content) // 2]
        return httpx.Response(200, headers=headers, content=content)


def build(seed: int, clock: Clock, *, projects: int = 12, holders: int = 240) -> PhcerMock:
    """A register made from a seed, behind a portal that knows the settings' own placeholders."""
    defaults = PhcerConfig()
    register = build_register(seed, clock, projects=projects, holders=holders)
    password = defaults.password.get_secret_value()
    return PhcerMock(register, username=defaults.username, password=password, seed=seed)


def _sum(export: Export, entries: Sequence[Any]) -> int | None:
    return None if export.quantity is None else sum(map(export.quantity, entries))


def _require_known(params: Mapping[str, str], known: set[str]) -> None:
    for name in params:
        if name not in known:
            raise Refused("2001", f"参数错误: {name}")


def _page(status: int, text: str) -> httpx.Response:
    return httpx.Response(
        status, headers={"content-type": f"text/html; charset={ENCODING.upper()}"}, content=text.encode(ENCODING)
    )


def _json(answer: Mapping[str, Any]) -> httpx.Response:
    content = json.dumps(answer, ensure_ascii=False).encode()
    return httpx.Response(200, headers={"content-type": "application/json"}, content=content)
