"""A stand-in of the day end in Wuhan: a book, a clock that decides which days are published, and two lines.

``build(seed, clock)`` gives one. What happens in its book is done through ``HubeiMock.book``; what is wrong on purpose
is planted with ``HubeiMock.plant``, and a batch is sent again with ``HubeiMock.send_again``.
"""

from __future__ import annotations

import json
import random
import re
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import httpx

from adapters.hubei.client import sm3
from adapters.hubei.config import RECORDS_A_FILE, HubeiConfig
from adapters.hubei.dayend import WUHAN, FileKind
from adapters.hubei.mock_book import PUBLISHED_AT, Book, DayEnd
from adapters.hubei.mock_files import Defect, Letter, total, write
from adapters.hubei.mock_words import COURTS, PRODUCTS, Entity, entity
from gateway.kit.calendars import load
from gateway.kit.clock import Clock

LINES: Final = ("a", "b")
DAYS_LIMIT: Final = 1_000
CACHED: Final = 512
"""How many written files are kept, so that an index need not write them again."""
_PATH: Final = re.compile(r"/line-([ab])/dayend/(?:index|([0-9]{8})/(ZTD_[0-9]{8}_[A-Z]{2}_[0-9]+_[0-9]+_[0-9]+\.xml))")


class HubeiMock:
    """The day-end drop.

    Args:
        book: the register behind it.
        clock: the time in Wuhan.
        receiver: the only receiver it knows.
        token: that receiver's access token.

    Attributes:
        lines_down: the lines (``a``, ``b``) that nobody can reach at present.
    """

    def __init__(self, book: Book, clock: Clock, *, receiver: str, token: str) -> None:
        self.book = book
        self.lines_down: set[str] = set()
        self._clock = clock
        self._receiver = receiver
        self._token = token
        self._defects: dict[tuple[date, FileKind], Defect] = {}
        self._written: dict[tuple[date, FileKind, int, int, int], tuple[Letter, bytes]] = {}
        self._sent_again: dict[tuple[date, FileKind], int] = {}

    def plant(self, day: date, kind: FileKind, defect: Defect) -> None:
        """Spoils the first file of a kind of one business day."""
        self._defects[day, kind] = defect
        self._written.clear()

    def send_again(self, day: date, kind: FileKind) -> None:
        """Sends every batch of a kind of one business day once more: the same batch numbers, a new message each."""
        self._sent_again[day, kind] = self._sent_again.get((day, kind), 0) + 1

    def published(self) -> list[DayEnd]:
        """The business days whose files are there, oldest first."""
        now = self._clock()
        self.book.close_until(now)
        return [one for one in self.book.closed if published_at(one.day) <= now]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the drop would."""
        found = _PATH.fullmatch(request.url.path)
        if found is None:
            return _refused(404, "DE404", "路径不存在")
        if found[1] in self.lines_down:
            raise httpx.ConnectError(f"line {found[1]} is down", request=request)
        if request.method != "GET":
            return _refused(405, "DE405", "仅支持查询")
        if (request.headers.get("x-receiver"), request.headers.get("x-access-token")) != (self._receiver, self._token):
            return _refused(401, "DE401", "接收方未授权")
        if found[3] is None:
            return self._index(request.url.params)
        return self._file(found[2], found[3])

    def _index(self, asked: httpx.QueryParams) -> httpx.Response:
        size, start = asked.get("records", str(RECORDS_A_FILE)), asked.get("from")
        if not size.isascii() or not size.isdigit() or not 1 <= int(size[:9]) <= RECORDS_A_FILE:
            return _refused(400, "DE400", f"records 应为 1 至 {RECORDS_A_FILE}")
        days = self.published()
        if start is None:
            days = days[-1:]
        elif re.fullmatch(r"[0-9]{8}", start, re.ASCII) is None:
            return _refused(400, "DE400", "from 应为八位日期")
        else:
            days = [one for one in days if f"{one.day:%Y%m%d}" >= start]
        if start is None and not days:
            return _refused(404, "DE404", "日终文件尚未发布")
        if len(days) > DAYS_LIMIT:
            return _refused(400, "DE400", f"from 之后应不超过 {DAYS_LIMIT} 个业务日")
        listed = [{"businessDate": f"{one.day:%Y%m%d}", "files": self._listed(one, int(size))} for one in days]
        return _answered({"days": listed})

    def _listed(self, end: DayEnd, size: int) -> list[dict[str, Any]]:
        files = []
        for kind in FileKind:
            parts = max(-(-len(end.records[kind]) // size), 1)
            for again in range(self._sent_again.get((end.day, kind), 0) + 1):
                for part in range(1, parts + 1):
                    letter, content = self._content(end, kind, size, part, again)
                    rows = end.records[kind][(part - 1) * size : part * size]
                    files.append(
                        {
                            "fileName": f"ZTD_{end.day:%Y%m%d}_{kind.value}_{size}_{part:05d}_{again:02d}.xml",
                            "fileType": kind.value,
                            "batchNo": letter.batch,
                            "messageNo": letter.message,
                            "part": part,
                            "records": len(rows),
                            "quantity": total(kind, rows),
                            "bytes": len(content),
                            "sm3": sm3(content),
                        }
                    )
        return files

    def _file(self, folder: str, name: str) -> httpx.Response:
        _, day, kind, size, part, again = name.removesuffix(".xml").split("_")
        end = next((one for one in self.published() if f"{one.day:%Y%m%d}" == day == folder), None)
        if end is None:
            return _refused(404, "DE404", "日终文件尚未发布")
        known = kind in set(FileKind) and 1 <= int(size[:9]) <= RECORDS_A_FILE
        if known:
            sent, records = self._sent_again.get((end.day, FileKind(kind)), 0), len(end.records[FileKind(kind)])
            known = int(again) <= sent and 1 <= int(part) <= max(-(-records // int(size)), 1)
        if not known:
            return _refused(404, "DE404", "文件不存在")
        _, content = self._content(end, FileKind(kind), int(size), int(part), int(again))
        return httpx.Response(200, content=content, headers={"content-type": "application/xml; charset=GB18030"})

    def _content(self, end: DayEnd, kind: FileKind, size: int, part: int, again: int) -> tuple[Letter, bytes]:
        key = (end.day, kind, size, part, again)
        if key not in self._written:
            if len(self._written) >= CACHED:
                self._written.clear()
            batch = f"{end.day:%Y%m%d}{kind.value}{size}-{part:05d}"
            letter = Letter(
                kind=kind,
                day=end.day,
                batch=batch,
                message=f"{batch}-{again:02d}",
                receiver=self._receiver,
                written_at=published_at(end.day) + timedelta(minutes=again),
            )
            defect = self._defects.get((end.day, kind)) if part == 1 else None
            self._written[key] = letter, write(letter, end.records[kind][(part - 1) * size : part * size], defect)
        return self._written[key]


def published_at(day: date) -> datetime:
    """When a business day's files are there."""
    return datetime.combine(day, PUBLISHED_AT)


def build(seed: int, clock: Clock, *, entities: int = 40, days: int = 10) -> HubeiMock:
    """A drop with some days behind it.

    Args:
        seed: decides everything.
        clock: the time in Wuhan.
        entities: how many hold allowances.
        days: how many business days were published before now.
    """
    dice = random.Random(seed)  # noqa: S311 - a repeatable book, no secret
    calendar = load("hubei")
    today = clock().astimezone(WUHAN).date()
    past = [day for day in calendar.open_days if day < today][-days:]
    book = Book(calendar, past[0])
    holders = [entity(place, dice) for place in range(1, entities + 1)]
    _open_accounts(book, holders, dice, _on(past[0], 9, 40))
    for day in past:
        _one_day(book, holders, dice, day)
        book.close_until(published_at(day))
    settings = HubeiConfig()
    return HubeiMock(book, clock, receiver=settings.receiver, token=settings.access_token.get_secret_value())


def _open_accounts(book: Book, holders: list[Entity], dice: random.Random, at: datetime) -> None:
    for holder in holders:
        book.admit(holder)
        for product in dice.sample(sorted(PRODUCTS), 3):
            tonnes = dice.randrange(20_000, 900_000)
            book.allocate(holder, product, tonnes, at)
            book.to_venue(holder, product, tonnes // 2, at + timedelta(minutes=5))


def _one_day(book: Book, holders: list[Entity], dice: random.Random, day: date) -> None:
    """A few trades, a transfer, an end of units, and a freeze of which some is lifted."""
    for place in range(4):
        seller, buyer = dice.sample(holders, 2)
        product = next((one for one in PRODUCTS if book.balance(seller, one).trading > 10), None)
        if product is not None:
            tonnes = dice.randrange(1, book.balance(seller, product).trading // 4)
            book.trade(seller, buyer, product, tonnes, dice.randrange(6_000, 9_900), _on(day, 10, place))
    giver, taker = dice.sample(holders, 2)
    for product in PRODUCTS:
        held = book.balance(giver, product)
        if held.available >= 100:
            book.transfer(giver, taker, product, 10, _on(day, 13, 5))
            book.end(giver, product, 20, dice.choice(("清缴履约", "自愿注销")), _on(day, 13, 10))
            book.freeze(giver, product, 30, dice.choice(COURTS), "买卖合同纠纷", _on(day, 14, 0))
            book.unfreeze(giver, product, 5, _on(day, 14, 30))
            return


def _on(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute, tzinfo=WUHAN))


def _refused(status: int, code: str, words: str) -> httpx.Response:
    return _answered({"errorCode": code, "errorMessage": words}, status)


def _answered(value: dict[str, Any], status: int = 200) -> httpx.Response:
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return httpx.Response(status, content=content, headers={"content-type": "application/json; charset=utf-8"})
