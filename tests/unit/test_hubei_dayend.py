"""The day-end files: what the stand-in writes is what the schema says and what is read again."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import polars as pl
import pytest
from lxml import etree

from adapters.hubei.dayend import RECORDS, FileKind, open_day_end, read_day_end, schema
from adapters.hubei.mock import build
from adapters.hubei.mock_book import DayEnd, Row
from adapters.hubei.mock_files import Defect, Letter, total, write
from adapters.hubei.mock_words import RARE
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping
from gateway.kit.mock import MockClock
from gateway.kit.xml import Limits
from gateway.model.errors import UnusableFile

NOW = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
FEEDS = {
    FileKind.HOLDINGS: "holdings",
    FileKind.TRADES: "trades",
    FileKind.MOVEMENTS: "movements",
    FileKind.FREEZES: "freezes",
}


def day_end() -> DayEnd:
    return build(3, MockClock(NOW), entities=15, days=2).published()[0]


def letter(kind: FileKind) -> Letter:
    return Letter(kind, date(2026, 7, 13), "B1", "M1", "HKGW", datetime(2026, 7, 13, 8, 0, tzinfo=UTC))


@pytest.mark.parametrize("kind", FileKind)
def test_what_is_written_is_read_again(kind: FileKind) -> None:
    rows = day_end().records[kind]
    read = read_day_end(write(letter(kind), rows), kind)
    assert len(rows) >= 2
    assert read.rows.columns == list(rows[0])
    assert read.rows.fill_null("").to_dicts() == list(rows)
    assert read.rejected == ()
    assert read.written_at == datetime(2026, 7, 13, 8, 0, tzinfo=UTC)
    assert read.header["批次号"] == "B1"
    assert read.header["总数量"] == str(total(kind, rows))


@pytest.mark.parametrize("kind", FileKind)
def test_every_record_is_mapped_and_every_field_is_known(kind: FileKind) -> None:
    mapping = Mapping(FEEDS[kind], Library.of_package("mappings.hubei"))
    rows = day_end().records[kind]
    mapped = mapping.apply(read_day_end(write(letter(kind), rows), kind).rows)
    assert mapped.defects.is_empty(), mapped.defects
    assert (mapped.unknown, mapped.missing) == ((), ())
    assert mapped.rows.height == len(rows)
    assert mapped.units == total(kind, rows)
    assert mapping.document.paths() == set(schema().columns(RECORDS[kind].element))


@pytest.mark.parametrize("kind", FileKind)
def test_an_empty_file_is_a_file(kind: FileKind) -> None:
    read = read_day_end(write(letter(kind), ()), kind)
    assert read.rows.height == 0
    assert read.rows.columns == list(schema().columns(RECORDS[kind].element))


def test_four_byte_characters_come_through_to_the_holding() -> None:
    rows = [row for row in day_end().records[FileKind.HOLDINGS] if any(one in row["企业名称"] for one in RARE)]
    assert {one for row in rows for one in row["企业名称"]} & set(RARE)
    content = write(letter(FileKind.HOLDINGS), rows)
    assert all(row["企业名称"].encode("gb18030") in content for row in rows)
    mapping = Mapping("holdings", Library.of_package("mappings.hubei"))
    mapped = mapping.apply(read_day_end(content, FileKind.HOLDINGS).rows)
    assert mapped.rows.get_column("holder").to_list() == [row["企业名称"] for row in rows]


def test_a_holding_keeps_its_parts_and_its_period() -> None:
    row: Row = next(row for row in day_end().records[FileKind.HOLDINGS] if row["标的物代码"] == "CEA")
    row = row | {"持有数量": "100", "可用数量": "50", "交易账户数量": "20", "冻结数量": "25", "在途数量": "5"}
    mapping = Mapping("holdings", Library.of_package("mappings.hubei"))
    (one,) = mapping.apply(pl.DataFrame([row])).rows.to_dicts()
    assert (one["quantity"], one["available"], one["earmarked"], one["frozen"], one["in_transit"]) == (
        100,
        50,
        20,
        25,
        5,
    )
    assert (one["vintage_start"], one["vintage_end"]) == (date(2019, 1, 1), date(2020, 12, 31))
    assert (one["account"], one["quantity_unit"], one["unit_kind"]) == (row["登记账户"], "tCO2e", "CEA")


def test_trades_and_movements_keep_money_instants_and_words() -> None:
    end = day_end()
    library = Library.of_package("mappings.hubei")
    row = end.records[FileKind.TRADES][0] | {"成交价格": "74.50", "成交数量": "1000", "成交金额": "74500.00"}
    row |= {"成交时间": "20260713100305", "清算日期": "20260713"}
    (trade,) = Mapping("trades", library).apply(pl.DataFrame([row])).rows.to_dicts()
    assert (trade["price"], trade["amount"], trade["currency"]) == (74_500_000, 7_450_000, "CNY")
    assert trade["traded_at"] == datetime(2026, 7, 13, 2, 3, 5, tzinfo=UTC)
    assert (trade["method_native"], trade["state"], trade["settlement_date"]) == ("10", "settled", date(2026, 7, 13))
    kinds = {"清缴履约": "surrender", "自愿注销": "retirement", "强制注销": "cancellation", "转入交易账户": "earmark"}
    base = end.records[FileKind.MOVEMENTS][0]
    moved = Mapping("movements", library).apply(pl.DataFrame([base | {"业务类型": kind} for kind in kinds])).rows
    assert moved.get_column("kind").to_list() == list(kinds.values())
    (frozen,) = Mapping("freezes", library).apply(pl.DataFrame([end.records[FileKind.FREEZES][0]])).rows.to_dicts()
    assert (frozen["kind"], frozen["kind_native"], frozen["direction"]) == ("freeze", "司法冻结", "none")
    assert frozen["authority"].startswith("虚构市")


def test_words_that_nobody_knows_wait_in_quarantine() -> None:
    row = day_end().records[FileKind.MOVEMENTS][0] | {"业务类型": "神秘业务"}
    mapped = Mapping("movements", Library.of_package("mappings.hubei")).apply(pl.DataFrame([row]))
    assert mapped.defects.get_column("code").to_list() == ["KIND_UNKNOWN"]


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        (Defect.WRONG_COUNT, "<记录数> of the header states"),
        (Defect.WRONG_TOTAL, "<总数量> of the header states"),
        (Defect.WRONG_DIGEST, "SM3 digest"),
        (Defect.CUT_OFF, "cut off|broken XML"),
        (Defect.DOCUMENT_TYPE, "a document type"),
    ],
)
@pytest.mark.parametrize("kind", FileKind)
def test_a_spoilt_file_is_refused(kind: FileKind, defect: Defect, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        read_day_end(write(letter(kind), day_end().records[kind], defect), kind)


@pytest.mark.parametrize("kind", FileKind)
def test_a_refused_record_is_explained_and_the_others_are_read(kind: FileKind) -> None:
    rows = day_end().records[kind]
    read = read_day_end(write(letter(kind), rows, Defect.REFUSED_RECORD), kind)
    assert read.rows.height == len(rows) - 1
    (rejected,) = read.rejected
    element, quantity = RECORDS[kind].element, RECORDS[kind].quantity
    assert rejected.position == 1
    assert rejected.reason.startswith(f"/{element}/{quantity}: ")
    assert f"<{quantity}>{rows[0][quantity]}吨</{quantity}>" in rejected.text


def test_a_file_of_another_kind_is_refused() -> None:
    content = write(letter(FileKind.TRADES), ())
    with pytest.raises(UnusableFile, match="a file of the kind CJ"):
        read_day_end(content, FileKind.HOLDINGS)


def test_batches_and_the_whole_file_say_the_same() -> None:
    rows = day_end().records[FileKind.HOLDINGS]
    content = write(letter(FileKind.HOLDINGS), rows)
    stream = open_day_end(io.BytesIO(content), FileKind.HOLDINGS, Limits(read_bytes=700, batch_records=7))
    batches = list(stream.batches())
    assert len(batches) > 3
    assert pl.concat([one.frame for one in batches]).drop("_row").equals(read_day_end(content, FileKind.HOLDINGS).rows)


@pytest.mark.parametrize("kind", FileKind)
def test_lxml_alone_reads_the_same_texts(kind: FileKind) -> None:
    rows = day_end().records[kind]
    content = write(letter(kind), rows)
    theirs = [
        {child.tag: child.text or "" for child in element}
        for _, element in etree.iterparse(io.BytesIO(content), tag=RECORDS[kind].element)
    ]
    assert theirs == read_day_end(content, kind).rows.fill_null("").to_dicts()
