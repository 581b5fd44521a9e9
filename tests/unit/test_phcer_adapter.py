"""The PHCER adapter against its stand-in: files to records, sessions that end, files that are none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import stamina
from cryptography.hazmat.primitives import hashes
from pydantic import ValidationError

from adapters.phcer import MANIFEST
from adapters.phcer.adapter import PhcerAdapter
from adapters.phcer.config import PhcerConfig
from adapters.phcer.mock import PhcerMock, build
from adapters.phcer.mock_exports import EXPORTS, as_csv, as_workbook, table
from adapters.phcer.rehearsal import rehearse
from gateway.kit.contract import Page
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, Unavailable
from gateway.kit.files import open_table
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapped, Mapping
from gateway.kit.mock import Mock, MockClock, in_process, serve
from gateway.kit.transport import Transport
from gateway.model.errors import CapabilityMissing, ConfigurationError

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
LIBRARY = Library.of_package(MANIFEST.mappings)
FEEDS = ("projects", "issuances", "holders", "movements")
Read = Callable[[str | None], Awaitable[Page]]
Change = Callable[[httpx.Response], httpx.Response]


@dataclass
class Line:
    """The stand-in, and what is done to its answers on the way; logins pass unless asked for."""

    mock: Mock
    after: Change
    logins: bool = False
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = self.mock.handle(request)
        return self.after(response) if self.logins == request.url.path.endswith("login") else response


@pytest.fixture
def clock() -> MockClock:
    return MockClock(NOW)


@pytest.fixture
def mock(clock: MockClock) -> PhcerMock:
    return build(5, clock, projects=6, holders=8)


@pytest.fixture(autouse=True)
def _one_attempt() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@asynccontextmanager
async def adapter_of(mounted: Any, clock: MockClock, **settings: Any) -> AsyncIterator[PhcerAdapter]:
    async with Transport("phcer", httpx.AsyncClient(transport=in_process(mounted))) as transport:
        yield PhcerAdapter(PhcerConfig(**settings), transport, clock)


def reader(adapter: PhcerAdapter, feed: str) -> Read:
    if feed == "movements":
        return lambda cursor: adapter.read_movements(feed, SINCE, cursor)
    if feed == "holders":
        return lambda cursor: adapter.read_holdings(feed, cursor)
    return lambda cursor: adapter.read_catalogue(feed, cursor)


async def total_of(adapter: PhcerAdapter, feed: str) -> tuple[int, int | None]:
    if feed == "movements":
        total = await adapter.movements_total(feed, SINCE)
    elif feed == "holders":
        total = await adapter.holdings_total(feed)
    else:
        total = await adapter.catalogue_total(feed)
    return total.rows, total.quantity


async def pages_of(read: Read) -> list[Page]:
    pages = [await read(None)]
    while pages[-1].next_cursor is not None:
        assert len(pages) < 200
        pages.append(await read(pages[-1].next_cursor))
    return pages


async def mapped(feed: str, read: Read) -> Mapped:
    return Mapping(feed, LIBRARY).apply(pl.concat([page.rows for page in await pages_of(read)]))


def sm3(content: bytes) -> str:
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize().hex()


def with_file(change: Callable[[bytes], bytes], **headers: str) -> Change:
    """The same file changed, with the digest of what it has become, and other headers."""

    def made(response: httpx.Response) -> httpx.Response:
        content = change(response.content)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(200, headers={**response.headers, "x-export-sm3": sm3(content), **said}, content=content)

    return made


def test_the_manifest_can_be_loaded_and_offers_what_the_adapter_has() -> None:
    MANIFEST.verify()
    assert MANIFEST.capabilities() == {"ReadsCatalogue", "ReadsHoldings", "ReadsMovements", "ParsesExports"}
    assert MANIFEST.title_native == "广东省碳普惠核证减排量登记簿系统"
    assert all(sentence.endswith(".") for sentence in MANIFEST.simulated.values())


def test_importing_the_adapter_does_not_build_or_import_its_stand_in() -> None:
    code = (
        "import sys, adapters.phcer; print([one for one in sys.modules if one.startswith(('adapters.', 'openpyxl'))])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "mock" not in said.stdout
    assert "register" not in said.stdout


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_every_feed_is_mapped_whole_and_adds_up(mock: PhcerMock, clock: MockClock, form: str) -> None:
    async with adapter_of(mock, clock, export_format=form) as adapter:
        feeds = [*adapter.catalogue_feeds(), *adapter.holding_feeds(), *adapter.movement_feeds()]
        assert tuple(feed.name for feed in feeds) == FEEDS
        for feed in FEEDS:
            found = await mapped(feed, reader(adapter, feed))
            assert found.defects.is_empty(), found.defects
            assert (found.unknown, found.missing) == ((), ())
            rows, quantity = await total_of(adapter, feed)
            assert found.rows.height == rows >= 3
            assert found.units == (quantity or 0)


@pytest.mark.parametrize("feed", FEEDS)
async def test_both_kinds_of_file_say_the_same(mock: PhcerMock, clock: MockClock, feed: str) -> None:
    async with adapter_of(mock, clock) as plain, adapter_of(mock, clock, export_format="xlsx") as book:
        first, second = [await mapped(feed, reader(one, feed)) for one in (plain, book)]
    assert first.rows.equals(second.rows)


@pytest.mark.parametrize("feed", FEEDS)
async def test_parts_of_any_size_read_the_same_rows(mock: PhcerMock, clock: MockClock, feed: str) -> None:
    async with adapter_of(mock, clock) as adapter:
        whole = await mapped(feed, reader(adapter, feed))
    for size in (1, 3):
        async with adapter_of(mock, clock, page_size=size) as adapter:
            pages = await pages_of(reader(adapter, feed))
            assert max(page.rows.height for page in pages) == size
            assert len({page.next_cursor for page in pages}) == len(pages)
            assert Mapping(feed, LIBRARY).apply(pl.concat([page.rows for page in pages])).rows.equals(whole.rows)


async def test_an_export_is_of_one_instant_whatever_happens_meanwhile(mock: PhcerMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock, page_size=2) as adapter:
        first = await adapter.read_holdings("holders", None)
        rows, _ = await total_of(adapter, "holders")
        clock.advance(timedelta(minutes=5))
        mock.register.create(next(iter(mock.register.projects)), "2024", 100, mock.register.account)
        pages = [first]
        while (cursor := pages[-1].next_cursor) is not None:
            pages.append(await adapter.read_holdings("holders", cursor))
        assert sum(page.rows.height for page in pages) == rows
        assert {page.as_of for page in pages} == {NOW}
        assert (await total_of(adapter, "holders"))[0] == rows + 1


async def test_a_batch_has_no_range_and_its_number_for_a_serial(mock: PhcerMock, clock: MockClock) -> None:
    batch = mock.register.create("GDPH-2020-0001", "2022-2023", 1_234, mock.register.account)
    async with adapter_of(mock, clock) as adapter:
        rows = (await mapped("issuances", reader(adapter, "issuances"))).rows
    [row] = rows.filter(pl.col("native_key") == batch.number).to_dicts()
    assert (row["serial"], row["space"], row["first"], row["last"]) == (batch.number, "phcer:", None, None)
    assert (row["vintage_start"], row["vintage_end"]) == (date(2022, 1, 1), date(2023, 12, 31))
    assert (row["quantity"], row["unit_kind"], row["state"], row["labels"]) == (1_234, "PHCER", "issued", [])


async def test_balances_have_their_parts_and_their_holders(mock: PhcerMock, clock: MockClock) -> None:
    register = mock.register
    batch = register.create("GDPH-2020-0001", "2024", 500, register.account)
    register.freeze(batch.number, register.account, 60, "司法冻结", "示例机关")
    register.cancel(batch.number, register.account, 40, "自愿注销")
    async with adapter_of(mock, clock) as adapter:
        rows = (await mapped("holders", reader(adapter, "holders"))).rows
        [row] = rows.filter(pl.col("batch_id") == batch.number).to_dicts()
        clock.advance(timedelta(minutes=10))
        moved = (await mapped("movements", lambda at: adapter.read_movements("movements", NOW, at))).rows
    assert (row["quantity"], row["available"], row["frozen"], row["in_transit"]) == (500, 400, 60, 40)
    assert (row["hold_reason_native"], row["hold_authority"]) == ("司法冻结", "示例机关")
    assert (row["holder"], row["state"], row["state_native"]) == ("HKCV Omnibus 综合账户", "active", "部分冻结")
    assert rows.get_column("holder").str.starts_with("小额持有人").any()
    told = moved.select("kind_native", "kind", "direction", "state", "reason_native", "quantity").rows()
    assert told == [
        ("创建", "issuance", "in", "final", None, 500),
        ("冻结", "freeze", "none", "final", "司法冻结", 60),
        ("注销", "cancellation", "out", "final", "自愿注销", 40),
    ]
    assert moved.get_column("occurred_at").to_list() == [NOW, NOW, NOW + timedelta(minutes=10)]
    assert moved.get_column("business_date").unique().to_list() == [date(2026, 7, 15)]


async def test_a_late_evening_is_another_day_in_guangdong(mock: PhcerMock, clock: MockClock) -> None:
    clock.move_to(datetime(2026, 7, 15, 16, 30, tzinfo=UTC))
    mock.register.create("GDPH-2020-0001", "2024", 500, mock.register.account)
    async with adapter_of(mock, clock) as adapter:
        [row] = (await mapped("movements", lambda at: adapter.read_movements("movements", clock(), at))).rows.to_dicts()
    assert (row["occurred_at"], row["business_date"]) == (clock(), date(2026, 7, 16))


async def test_an_empty_export_is_an_empty_page(mock: PhcerMock, clock: MockClock) -> None:
    for form in ("csv", "xlsx"):
        async with adapter_of(mock, clock, export_format=form) as adapter:
            later = NOW + timedelta(days=1)
            page = await adapter.read_movements("movements", later, None)
            assert (page.rows.height, page.next_cursor, page.rejected) == (0, None, ())
            assert "业务流水号" in page.rows.columns
            assert (await adapter.movements_total("movements", later)).rows == 0


@pytest.mark.parametrize("kind", ["projects", "issuances"])
def test_a_downloaded_file_is_known_by_its_headings(mock: PhcerMock, tmp_path: Path, kind: str) -> None:
    export, mapping = EXPORTS[kind], Mapping(kind, LIBRARY)
    others = [Mapping(name, LIBRARY) for name in FEEDS if name != kind]
    cells = table(export, mock.register, export.entries(mock.register))
    read = []
    for name, content in (("a.csv", as_csv(cells)), ("b.xlsx", as_workbook(cells, export.title))):
        path = tmp_path / name
        path.write_bytes(content)
        with open_table(path) as opened:
            assert mapping.recognises(opened.headings)
            assert not any(other.recognises(opened.headings) for other in others)
            assert mapping.missing_columns(opened.headings) == ()
            read.append(mapping.apply(pl.concat([batch.frame for batch in opened.batches()])))
    assert read[0].rows.equals(read[1].rows)
    assert (read[0].rows.height, read[0].defects.height) == (len(cells) - 1, 0)


async def test_the_files_of_the_catalogue_are_the_ones_that_are_parsed(mock: PhcerMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        assert adapter.export_mappings() == ("projects", "issuances")


async def test_one_login_serves_until_shortly_before_its_end(mock: PhcerMock, clock: MockClock) -> None:
    line = Line(mock, lambda response: response)
    async with adapter_of(line, clock) as adapter:
        for minutes in (0, 10, 8, 2):
            clock.advance(timedelta(minutes=minutes))
            await total_of(adapter, "holders")
    logins = [place for place, one in enumerate(line.asked) if one.url.path.endswith("/machine/login")]
    assert logins == [0, 4]


@pytest.mark.parametrize(
    ("redirects", "kind", "words"),
    [(False, Unavailable, "the session has ended"), (True, ContractBreach, "302")],
)
async def test_a_session_that_ends_in_the_middle_is_no_file_and_is_renewed(
    mock: PhcerMock, clock: MockClock, redirects: bool, kind: type[AdapterError], words: str
) -> None:
    mock.redirects = redirects
    async with adapter_of(mock, clock, page_size=3) as adapter:
        first = await adapter.read_holdings("holders", None)
        mock.end_sessions()
        with pytest.raises(kind, match=words):
            await adapter.read_holdings("holders", first.next_cursor)
        second = await adapter.read_holdings("holders", first.next_cursor)
    assert second.rows.height == 3
    assert set(first.rows.get_column("持有编号")).isdisjoint(second.rows.get_column("持有编号"))


async def test_an_export_that_expired_is_begun_anew(mock: PhcerMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock, page_size=3) as adapter:
        first = await adapter.read_holdings("holders", None)
        clock.advance(timedelta(minutes=30))
        with pytest.raises(Unavailable) as caught:
            await adapter.read_holdings("holders", first.next_cursor)
        assert caught.value.code == "2004"
        assert (await adapter.read_holdings("holders", None)).rows.equals(first.rows)


async def test_wrong_credentials_are_told_once_and_never_shown(mock: PhcerMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock, password="some-other-text") as adapter:
        for expected in ("1001", "1001", "1001", "1001", "1001", "1003"):
            with pytest.raises(AccessDenied) as caught:
                await total_of(adapter, "holders")
            assert caught.value.code == expected
            assert "some-other-text" not in str(caught.value)
    assert "some-other-text" not in repr(PhcerConfig(password="some-other-text"))


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (lambda _: httpx.Response(200, text="<html><title>Welcome</title></html>"), ContractBreach),
        (lambda _: httpx.Response(200, json={"code": "1002", "msg": "需要验证码"}), AccessDenied),
        (lambda _: httpx.Response(200, json={"code": "9001", "msg": "系统繁忙"}), Unavailable),
        (lambda _: httpx.Response(200, json={"code": "5555", "msg": "?"}), ContractBreach),
        (lambda _: httpx.Response(200, json={"code": "0"}), ContractBreach),
        (lambda one: httpx.Response(200, headers=one.headers, json={"code": "0"}), ContractBreach),
        (lambda one: httpx.Response(200, headers=one.headers, content=one.content[:-1]), ContractBreach),
        (lambda one: httpx.Response(200, content=one.content), ContractBreach),
        (
            lambda one: httpx.Response(200, headers={"set-cookie": "A=b; Max-Age=9"}, content=one.content),
            ContractBreach,
        ),
        (lambda _: httpx.Response(200, json=[]), ContractBreach),
        (lambda _: httpx.Response(503), Unavailable),
    ],
)
async def test_what_a_login_may_be_answered_with(
    mock: PhcerMock, clock: MockClock, after: Change, kind: type[AdapterError]
) -> None:
    async with adapter_of(Line(mock, after, logins=True), clock) as adapter:
        with pytest.raises(kind):
            await total_of(adapter, "holders")


HEADINGS = ",".join(EXPORTS["holders"].columns)


@pytest.mark.parametrize(
    "after",
    [
        lambda _: httpx.Response(200, text="<html><title>Oops</title></html>"),
        lambda _: httpx.Response(200, json={"code": "0"}),
        lambda _: httpx.Response(200, json={"code": "3001", "msg": "请求的资源不存在"}),
        lambda _: httpx.Response(200, content=b""),
        lambda one: httpx.Response(200, headers=one.headers, content=one.content[:-1]),
        lambda one: httpx.Response(200, headers=one.headers, content=one.content + b"\r\n"),
        with_file(lambda content: content, x_export_rows="9999"),
        with_file(lambda content: content, x_export_rows="two"),
        with_file(lambda content: content, x_export_part="2/9"),
        with_file(lambda content: content, x_export_part="1/0"),
        with_file(lambda content: content, x_export_part="first"),
        with_file(lambda content: content, x_export_batch="a b"),
        with_file(lambda content: content, x_export_time="15/07/2026"),
        with_file(lambda content: b"\n".join(content.splitlines()[:2])),
        with_file(lambda _: b"", x_export_rows="0"),
        with_file(lambda _: b"\xff\xff\xff", x_export_rows="0"),
        with_file(lambda _: b"%PDF-1.7", x_export_rows="0"),
        with_file(lambda _: b"PK\x03\x04 no workbook", x_export_rows="0"),
    ],
)
async def test_what_is_no_whole_file_is_a_breach(mock: PhcerMock, clock: MockClock, after: Change) -> None:
    async with adapter_of(Line(mock, after), clock) as adapter:
        with pytest.raises(ContractBreach):
            await adapter.read_holdings("holders", None)


async def test_a_file_that_was_cut_off_is_noticed(mock: PhcerMock, clock: MockClock) -> None:
    for form in ("csv", "xlsx"):
        mock.cut = 1
        async with adapter_of(mock, clock, export_format=form) as adapter:
            with pytest.raises(ContractBreach, match="cut off or changed"):
                await adapter.read_holdings("holders", None)
            assert (await adapter.read_holdings("holders", None)).rows.height > 3


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x_export_batch": "DC20260101-000001"}, "of export DC20260101-000001"),
        # It would be the last part, and the reading would look complete.
        ({"x_export_part": "2/2"}, "a part of 2 of export"),
        ({"x_export_part": "3/9"}, "expected part 2"),
    ],
)
async def test_a_part_of_another_export_is_a_breach(
    mock: PhcerMock, clock: MockClock, headers: dict[str, str], words: str
) -> None:
    other = with_file(lambda content: content, **headers)
    async with adapter_of(mock, clock, page_size=3) as adapter:
        first = await adapter.read_holdings("holders", None)
    async with adapter_of(Line(mock, other), clock, page_size=3) as adapter:
        with pytest.raises(ContractBreach, match=words):
            await adapter.read_holdings("holders", first.next_cursor)


async def test_a_row_of_another_length_is_rejected_with_its_text(mock: PhcerMock, clock: MockClock) -> None:
    def break_one(content: bytes) -> bytes:
        lines = content.splitlines()
        return b"\r\n".join([*lines[:2], lines[2] + b",1", *lines[3:]]) + b"\r\n"

    async with adapter_of(Line(mock, with_file(break_one)), clock) as adapter:
        page = await adapter.read_holdings("holders", None)
    [row] = page.rejected
    assert (row.position, row.reason) == (2, "15 cells, expected 14")
    assert row.text.endswith(",1")


async def test_an_unknown_word_quarantines_its_row(mock: PhcerMock, clock: MockClock) -> None:
    def change(content: bytes) -> bytes:
        return content.replace("正常".encode("gb18030"), "质押".encode("gb18030"), 1)

    async with adapter_of(Line(mock, with_file(change)), clock) as adapter:
        found = await mapped("holders", reader(adapter, "holders"))
    assert found.defects.get_column("code").to_list() == ["STATE_UNKNOWN"]


@pytest.mark.parametrize(
    "after",
    [lambda _: httpx.Response(200, json={"code": "0", "rows": -1}), lambda _: httpx.Response(200, content=b"{")],
)
async def test_a_summary_that_cannot_be_read_is_a_breach(mock: PhcerMock, clock: MockClock, after: Change) -> None:
    async with adapter_of(Line(mock, after), clock) as adapter:
        with pytest.raises(ContractBreach):
            await total_of(adapter, "holders")


async def test_a_portal_that_is_down_is_unavailable(mock: PhcerMock, clock: MockClock) -> None:
    mock.down = True
    async with adapter_of(mock, clock) as adapter:
        with pytest.raises(Unavailable):
            await adapter.read_holdings("holders", None)


async def test_what_the_core_must_not_ask(mock: PhcerMock, clock: MockClock) -> None:
    async with adapter_of(mock, clock) as adapter:
        with pytest.raises(CapabilityMissing, match="holders"):
            await adapter.read_holdings("projects", None)
        with pytest.raises(ConfigurationError, match="cursor"):
            await adapter.read_holdings("holders", "../etc")
    for wrong in ({"page_size": 0}, {"page_size": 5001}, {"export_format": "pdf"}, {"url": "phcer"}, {"other": 1}):
        with pytest.raises(ValidationError):
            PhcerConfig(**wrong)


async def test_it_works_over_a_socket_too(mock: PhcerMock, clock: MockClock) -> None:
    async with serve(mock) as base, Transport("phcer", httpx.AsyncClient()) as transport:
        adapter = PhcerAdapter(PhcerConfig(url=f"{base}/portal"), transport, clock)
        page = await adapter.read_holdings("holders", None)
    assert page.document.media_type == "text/csv"
    assert page.document.content.decode("gb18030").startswith(HEADINGS)
    assert page.document.origin.startswith("GET export/holders?format=csv")


async def test_the_rehearsal_has_rows_to_turn_and_adds_some(clock: MockClock) -> None:
    one = rehearse(7, clock)
    async with adapter_of(one.mock, clock, **one.settings, **one.small_pages) as adapter:
        before = [await total_of(adapter, feed) for feed in FEEDS]
        assert min(rows for rows, _ in before) >= 3
        one.insert()
        one.settle()
        assert [rows for rows, _ in [await total_of(adapter, feed) for feed in FEEDS]] == [
            rows + 1 for rows, _ in before
        ]
        for feed in FEEDS:
            assert (await mapped(feed, reader(adapter, feed))).defects.is_empty()
