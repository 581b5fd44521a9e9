"""The Hubei adapter on its stand-in: days, files, lines, totals, and files that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import polars as pl
import pytest

from adapters.hubei import MANIFEST
from adapters.hubei.adapter import HubeiAdapter
from adapters.hubei.client import sm3
from adapters.hubei.config import HubeiConfig
from adapters.hubei.dayend import WUHAN, FileKind
from adapters.hubei.mock import HubeiMock, build
from adapters.hubei.mock_files import Defect, write
from adapters.hubei.rehearsal import rehearse
from gateway.kit import transport as transport_module
from gateway.kit.contract import Page, StatedTotal
from gateway.kit.errors import AccessDenied, ContractBreach, NotSent, RateLimited, Unavailable
from gateway.kit.mock import MockClock, in_process
from gateway.kit.rehearsal import STARTS_AT
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

LATEST = date(2026, 7, 14)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "WAIT_INITIAL", timedelta(microseconds=1))
    monkeypatch.setattr(transport_module, "WAIT_MAX", timedelta(microseconds=1))


class Wrapped:
    """A stand-in whose answers, and whose requests, a test looks at and changes."""

    def __init__(self, mock: HubeiMock) -> None:
        self.mock = mock
        self.asked: list[str] = []
        self.change: Callable[[httpx.Request, httpx.Response], httpx.Response] = lambda _, answer: answer

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.url.path}")
        return self.change(request, self.mock.handle(request))


class Linked:
    def __init__(self, adapter: HubeiAdapter, mock: HubeiMock, clock: MockClock, wrapped: Wrapped) -> None:
        self.adapter, self.mock, self.clock, self.wrapped = adapter, mock, clock, wrapped


@asynccontextmanager
async def linked(records: int = 20_000, entities: int = 12, days: int = 5, **settings: Any) -> AsyncIterator[Linked]:
    clock = MockClock(STARTS_AT)
    mock = build(7, clock, entities=entities, days=days)
    wrapped = Wrapped(mock)
    config = HubeiConfig(records_a_file=records, **settings)
    async with Transport("hubei", httpx.AsyncClient(transport=in_process(wrapped))) as transport:
        yield Linked(HubeiAdapter(config, transport, clock), mock, clock, wrapped)


async def all_pages(read: Callable[[str | None], Awaitable[Page]]) -> list[Page]:
    pages, cursor = [await read(None)], None
    while (cursor := pages[-1].next_cursor) is not None:
        assert len(pages) < 500
        pages.append(await read(cursor))
    return pages


def table(pages: list[Page]) -> pl.DataFrame:
    return pl.concat([page.rows for page in pages])


def test_the_manifest_holds_together() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {"ReadsHoldings", "ReadsMovements", "ReadsTrades"}
    assert MANIFEST.programme == "CEA"


async def test_holdings_are_those_of_the_latest_day_in_files_of_the_size_asked_for() -> None:
    async with linked(records=7) as market:
        total = await market.adapter.holdings_total("holdings")
        pages = await all_pages(lambda cursor: market.adapter.read_holdings("holdings", cursor))
        rows = table(pages)
        latest = market.mock.published()[-1].records[FileKind.HOLDINGS]
        assert latest == tuple(rows.fill_null("").to_dicts())
        assert {page.rows.height for page in pages[:-1]} == {7}
        assert total == StatedTotal(rows.height, int(rows.get_column("持有数量").cast(pl.Int64).sum()))
        assert {page.as_of for page in pages} == {datetime(2026, 7, 14, 8, 0, tzinfo=UTC)}
        assert pages[0].document.content.startswith(b'<?xml version="1.0" encoding="GB18030"?>')


async def test_a_cursor_stays_with_its_day_while_the_next_one_is_published() -> None:
    async with linked(records=7) as market:
        first = await market.adapter.read_holdings("holdings", None)
        holder = next(iter(market.mock.book.entities.values()))
        market.mock.book.allocate(holder, "CEA25", 9, market.clock())
        before = market.mock.published()[-1].records[FileKind.HOLDINGS]
        market.clock.move_to(market.mock.book.next_published)
        rest = await all_pages(lambda cursor: market.adapter.read_holdings("holdings", cursor or first.next_cursor))
        assert tuple(table([first, *rest]).fill_null("").to_dicts()) == before
        assert (await market.adapter.read_holdings("holdings", None)).as_of == datetime(2026, 7, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("feed", ["movements", "freezes"])
@pytest.mark.parametrize("records", [1, 3, 20_000])
async def test_movements_come_day_by_day_and_file_by_file(feed: str, records: int) -> None:
    kind = {"movements": FileKind.MOVEMENTS, "freezes": FileKind.FREEZES}[feed]
    async with linked(records=records, entities=3, days=3) as market:
        pages = await all_pages(lambda cursor: market.adapter.read_movements(feed, LONG_AGO, cursor))
        happened = [row for day in market.mock.published() for row in day.records[kind]]
        assert table(pages).fill_null("").to_dicts() == happened
        total = await market.adapter.movements_total(feed, LONG_AGO)
        assert total.rows == len(happened)


@pytest.mark.parametrize("minutes", range(-90, 1_600, 190))
async def test_what_happened_before_an_instant_is_neither_read_nor_counted(minutes: int) -> None:
    since = datetime(2026, 7, 13, 9, 0, tzinfo=WUHAN) + timedelta(minutes=minutes)
    async with linked(records=3, entities=4, days=4) as market:
        book = market.mock.book
        holder = next(iter(book.entities.values()))
        # After the day's files were written: it belongs to the next day's.
        market.clock.move_to(datetime(2026, 7, 15, 16, 30, tzinfo=WUHAN))
        market.mock.published()
        book.allocate(holder, "CEA25", 3, market.clock())
        market.clock.move_to(book.next_published)
        for kind, name, total, read in (
            (FileKind.TRADES, "trades", market.adapter.trades_total, market.adapter.read_trades),
            (FileKind.MOVEMENTS, "movements", market.adapter.movements_total, market.adapter.read_movements),
        ):
            when, units = ("成交时间", "成交数量") if kind is FileKind.TRADES else ("发生时间", "划转数量")
            wanted = [
                row
                for day in market.mock.published()
                for row in day.records[kind]
                if row[when] >= f"{since.astimezone(WUHAN):%Y%m%d%H%M%S}"
            ]
            pages = await all_pages(partial(read, name, since))
            assert table(pages).fill_null("").to_dicts() == wanted
            assert await total(name, since) == StatedTotal(len(wanted), sum(int(row[units]) for row in wanted))


async def test_an_instant_in_the_file_after_its_days_is_found() -> None:
    async with linked(entities=3, days=2) as market:
        book = market.mock.book
        late = datetime(2026, 7, 15, 16, 30, tzinfo=WUHAN)
        market.clock.move_to(late)
        market.mock.published()
        book.allocate(next(iter(book.entities.values())), "CEA25", 3, late)
        market.clock.move_to(book.next_published)
        for since, rows in ((late, 1), (late + timedelta(seconds=1), 0)):
            pages = await all_pages(partial(market.adapter.read_movements, "movements", since))
            assert table(pages).height == rows
            assert (await market.adapter.movements_total("movements", since)).rows == rows


async def test_nothing_published_since_is_one_page_without_rows() -> None:
    async with linked(days=2) as market:
        page = await market.adapter.read_trades("trades", STARTS_AT, None)
        assert (page.rows.height, page.next_cursor, page.as_of) == (0, None, STARTS_AT)
        assert "成交编号" in page.rows.columns
        assert json.loads(page.document.content) == {"days": []}
        assert await market.adapter.trades_total("trades", STARTS_AT) == StatedTotal(0, 0)


async def test_the_other_line_is_asked_where_one_is_down() -> None:
    async with linked() as market:
        market.mock.lines_down.add("a")
        total = await market.adapter.holdings_total("holdings")
        asked = len(market.wrapped.asked)
        assert await market.adapter.holdings_total("holdings") == total
        # The line that answered is asked first from then on.
        assert market.wrapped.asked[asked:] == ["/line-b/dayend/index"]
        market.mock.lines_down = {"b"}
        assert await market.adapter.holdings_total("holdings") == total
        market.mock.lines_down = {"a", "b"}
        with pytest.raises(Unavailable, match=r"neither line answers: .*line-a.*; .*line-b"):
            await market.adapter.holdings_total("holdings")


async def test_a_line_that_answers_with_errors_is_left_too_but_not_one_that_slows_us_down() -> None:
    async with linked() as market:
        market.wrapped.change = lambda request, answer: httpx.Response(503) if "line-a" in request.url.path else answer
        assert (await market.adapter.holdings_total("holdings")).rows
        market.wrapped.change = lambda _, __: httpx.Response(429, headers={"retry-after": "99"})
        with pytest.raises(RateLimited):
            await market.adapter.holdings_total("holdings")


async def test_a_wrong_token_is_told_with_the_markets_code_and_without_the_token() -> None:
    async with linked(access_token="wrong-token") as market:
        with pytest.raises(AccessDenied, match="DE401") as denied:
            await market.adapter.holdings_total("holdings")
        assert "wrong-token" not in str(denied.value)


async def test_a_batch_that_is_sent_again_counts_once() -> None:
    async with linked(records=5, days=2) as market:
        total = await market.adapter.holdings_total("holdings")
        before = table(await all_pages(lambda cursor: market.adapter.read_holdings("holdings", cursor)))
        market.mock.send_again(LATEST, FileKind.HOLDINGS)
        market.mock.send_again(LATEST, FileKind.HOLDINGS)
        assert await market.adapter.holdings_total("holdings") == total
        pages = await all_pages(lambda cursor: market.adapter.read_holdings("holdings", cursor))
        assert table(pages).equals(before)
        # The last one sent is read.
        assert pages[0].as_of == datetime(2026, 7, 14, 8, 2, tzinfo=UTC)


def replaced(market: Linked, name: str, content: bytes) -> None:
    """The file of this name has other bytes, and the index says so."""

    def change(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if request.url.path.endswith(name):
            return httpx.Response(200, content=content)
        if not request.url.path.endswith("index"):
            return answer
        index = json.loads(answer.content)
        for one in index["days"][0]["files"]:
            one["sm3"] = sm3(content) if one["fileName"] == name else one["sm3"]
        return httpx.Response(200, content=json.dumps(index).encode())

    market.wrapped.change = change


HOLDINGS_FILE = "ZTD_20260714_CY_20000_00001_00.xml"


async def test_a_batch_that_is_sent_again_with_other_records_is_a_breach() -> None:
    """Number, sum and batch number are the same: only the records tell."""
    async with linked(days=2) as market:
        market.mock.send_again(LATEST, FileKind.HOLDINGS)
        end = market.mock.published()[-1]
        letter, _ = market.mock._content(end, FileKind.HOLDINGS, 20_000, 1, 0)
        first, *rest = end.records[FileKind.HOLDINGS]
        replaced(market, HOLDINGS_FILE, write(letter, [first | {"登记账户": "D99999999999"}, *rest]))
        with pytest.raises(ContractBreach, match="sent again with other records"):
            await market.adapter.read_holdings("holdings", None)


async def test_what_was_spoilt_is_why_a_batch_is_sent_again() -> None:
    async with linked(days=2) as market:
        before = await market.adapter.read_holdings("holdings", None)
        market.mock.send_again(LATEST, FileKind.HOLDINGS)
        replaced(market, HOLDINGS_FILE, b"<html>")
        assert (await market.adapter.read_holdings("holdings", None)).rows.equals(before.rows)


async def test_a_file_for_somebody_else_is_a_breach() -> None:
    async with linked(days=2) as market:
        end = market.mock.published()[-1]
        letter, _ = market.mock._content(end, FileKind.HOLDINGS, 20_000, 1, 0)
        replaced(market, HOLDINGS_FILE, write(replace(letter, receiver="OTHER"), end.records[FileKind.HOLDINGS]))
        with pytest.raises(ContractBreach, match="接收方"):
            await market.adapter.read_holdings("holdings", None)


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        (Defect.WRONG_COUNT, "记录数"),
        (Defect.WRONG_TOTAL, "总数量"),
        (Defect.WRONG_DIGEST, "SM3 digest"),
        (Defect.CUT_OFF, "cut off|broken"),
        (Defect.DOCUMENT_TYPE, "document type"),
        (Defect.WRONG_BATCH, "批次号"),
    ],
)
async def test_a_spoilt_file_is_a_breach(defect: Defect, words: str) -> None:
    async with linked() as market:
        market.mock.plant(LATEST, FileKind.HOLDINGS, defect)
        with pytest.raises(ContractBreach, match=words):
            await market.adapter.read_holdings("holdings", None)


async def test_a_refused_record_is_handed_on_with_its_text() -> None:
    async with linked() as market:
        total = await market.adapter.holdings_total("holdings")
        market.mock.plant(LATEST, FileKind.HOLDINGS, Defect.REFUSED_RECORD)
        page = await market.adapter.read_holdings("holdings", None)
        assert page.rows.height + len(page.rejected) == total.rows
        assert page.rejected[0].reason.startswith("/持有记录/持有数量: ")
        assert "_row" not in page.rows.columns


def altered(change: Callable[[dict[str, Any]], object]) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    """An index that was changed on its way."""

    def alter(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith("index"):
            return answer
        index = json.loads(answer.content)
        change(index)
        return httpx.Response(200, content=json.dumps(index).encode())

    return alter


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda index: index.clear(), "'days' is missing"),
        (lambda index: index["days"].clear(), "found no day at all"),
        (lambda index: index["days"].append(index["days"][0]), "out of order or twice"),
        (lambda index: index["days"][0].update(businessDate="2026-07-14"), "businessDate"),
        (lambda index: index["days"][0].update(files="none"), "expected an array"),
        (lambda index: index["days"][0]["files"].pop(), "no file of the kind DJ"),
        (lambda index: index["days"][0]["files"].pop(0), "parts"),
        (lambda index: index["days"][0]["files"][0].update(fileType="QQ"), "fileType is 'QQ'"),
        (lambda index: index["days"][0]["files"][0].update(fileName="../../x.xml"), "fileName"),
        (lambda index: index["days"][0]["files"][0].update(records=-1), "records"),
        (lambda index: index["days"][0]["files"][0].pop("quantity"), "quantity"),
        (lambda index: index["days"][0]["files"][0].update(sm3=None), "sm3"),
        (lambda index: index["days"][0]["files"].append(index["days"][0]["files"][0] | {"records": 1}), "sent twice"),
    ],
)
async def test_an_index_that_is_none_is_a_breach(change: Callable[[dict[str, Any]], object], words: str) -> None:
    async with linked(records=10) as market:
        market.wrapped.change = altered(change)
        with pytest.raises(ContractBreach, match=words):
            await market.adapter.holdings_total("holdings")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("sm3", "0" * 64, "SM3 digest"),
        ("records", 1, "记录数"),
        ("quantity", 1, "总数量"),
        ("messageNo", "M", "报文编号"),
    ],
)
async def test_a_file_that_is_not_the_one_listed_is_a_breach(field: str, value: object, words: str) -> None:
    async with linked() as market:
        market.wrapped.change = altered(lambda index: index["days"][0]["files"][0].update({field: value}))
        with pytest.raises(ContractBreach, match=words):
            await market.adapter.read_holdings("holdings", None)


@pytest.mark.parametrize("cursor", ["", "x", "20260714", "20260714.x", "20261399.0", "20260714.0\n"])
async def test_a_cursor_that_is_none_is_a_mistake_of_ours(cursor: str) -> None:
    async with linked(days=2) as market:
        with pytest.raises(ConfigurationError, match="found"):
            await market.adapter.read_holdings("holdings", cursor)


@pytest.mark.parametrize("cursor", ["20260714.99", "20260712.0", "20260720.0"])
async def test_a_page_that_is_gone_is_a_breach(cursor: str) -> None:
    async with linked(days=2) as market:
        with pytest.raises(ContractBreach, match="found"):
            await market.adapter.read_holdings("holdings", cursor)


async def test_days_that_were_not_asked_for_are_a_breach() -> None:
    async with linked(days=3) as market:
        index = market.wrapped.mock.handle(
            httpx.Request(
                "GET",
                "https://hubei.example/line-a/dayend/index?from=20260101",
                headers={"x-receiver": "HKGW", "x-access-token": HubeiConfig().access_token.get_secret_value()},
            )
        )
        market.wrapped.change = lambda *_: httpx.Response(200, content=index.content)
        with pytest.raises(ContractBreach, match="asked for days from 2026-07-14 on, found 2026-07-10"):
            await market.adapter.movements_total("movements", datetime(2026, 7, 14, tzinfo=UTC))


async def test_without_a_second_line_the_first_ones_fault_is_told() -> None:
    async with linked(line_b=None) as market:
        market.mock.lines_down.add("a")
        with pytest.raises(NotSent, match="line-a"):
            await market.adapter.holdings_total("holdings")


async def test_a_feed_that_there_is_not_is_told() -> None:
    async with linked(days=1) as market:
        with pytest.raises(CapabilityMissing, match="no feed 'trades'"):
            await market.adapter.holdings_total("trades")
        with pytest.raises(CapabilityMissing):
            await market.adapter.read_movements("holdings", LONG_AGO, None)


async def test_the_rehearsal_shows_rows_in_every_feed_and_one_more_when_asked() -> None:
    clock = MockClock(STARTS_AT)
    rehearsal = rehearse(1, clock)
    config = HubeiConfig(**{**rehearsal.settings, **rehearsal.small_pages})
    async with Transport("hubei", httpx.AsyncClient(transport=in_process(rehearsal.mock))) as transport:
        adapter = HubeiAdapter(config, transport, clock)
        holdings = await all_pages(lambda cursor: adapter.read_holdings("holdings", cursor))
        movements = await adapter.movements_total("movements", rehearsal.since)
        assert {page.rows.height for page in holdings} == {1}
        assert len(holdings) >= 3
        assert min(movements.rows, (await adapter.trades_total("trades", rehearsal.since)).rows) >= 3
        assert (await adapter.movements_total("freezes", rehearsal.since)).rows >= 3
        rehearsal.insert()
        assert (await adapter.movements_total("movements", rehearsal.since)).rows == movements.rows + 1
        rehearsal.settle()
        assert (await adapter.movements_total("movements", rehearsal.since)).rows == movements.rows + 1
