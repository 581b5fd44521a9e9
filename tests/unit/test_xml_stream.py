"""The kit's reader of XML files: records in batches, refused ones explained, totals and digest checked."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.kit.xml import Batch, Limits, Records, RecordStream, Schema
from gateway.model.errors import ConfigurationError, UnusableFile
from tests.unit import xml_samples as samples
from tests.unit.xml_samples import opened, read, record, written

TEXTS = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Co", "Cn"), exclude_characters="\x85\u2028\u2029"),
    min_size=1,
    max_size=12,
)


class Dripping(io.RawIOBase):
    """A file that gives a few bytes at a time, whatever is asked."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(self._size, size) if size >= 0 else self._size)


def test_records_become_columns_with_their_places_in_the_file() -> None:
    stream = opened(written([record("a", 3, "甲"), record("b", 4), record("c", 5, "")], count=3, total=12))
    (batch,) = stream.batches()
    assert stream.header == {"笔数": "3", "总数": "12"}
    assert len(stream.trailer["摘要"]) == 64
    assert batch.frame.columns == ["_row", "号", "量", "注"]
    assert batch.frame.rows() == [(1, "a", "3", "甲"), (2, "b", "4", None), (3, "c", "5", None)]
    assert batch.rejected == ()


def test_an_empty_file_is_one_batch_without_rows() -> None:
    for body in ("", "\n  \n"):
        (batch,) = read(written(body, count=0, total=0))
        assert batch.frame.height == 0
        assert batch.frame.columns == ["_row", "号", "量", "注"]


def test_a_closed_body_element_is_an_empty_body() -> None:
    content = written("", count=0, total=0, encoding="UTF-8")
    digest = read_digest(content.replace("<体></体>".encode(), "<体/>".encode()))
    short = written("", count=0, total=0, encoding="UTF-8", digest=digest)
    (batch,) = read(short.replace("<体></体>".encode(), "<体/>".encode()), "UTF-8")
    assert batch.frame.height == 0


def read_digest(content: bytes) -> str:
    """The digest that a file should have had, from the error that says so."""
    with pytest.raises(UnusableFile) as refused:
        read(content, "UTF-8")
    return refused.value.found.split()[3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.integers(0, 10**15), st.none() | TEXTS), max_size=8),
    st.integers(1, 40),
    st.integers(1, 4),
)
def test_what_is_read_does_not_depend_on_how_the_bytes_come(
    rows: list[tuple[str, int, str | None]], size: int, batch: int
) -> None:
    content = written([record(*row) for row in rows], count=len(rows), total=sum(row[1] for row in rows))
    limits = Limits(read_bytes=size, batch_records=batch)
    file = cast("BinaryIO", Dripping(content, size))
    found = [row[1:] for one in read(file, limits=limits) for row in one.frame.rows()]
    assert found == [(number, str(quantity), note) for number, quantity, note in rows]
    root = etree.fromstring(content.replace(b"GB18030", b"UTF-8", 1).decode("gb18030").encode())
    assert [one.findtext("号") for one in root.iter("笔")] == [row[0] for row in found]


def test_records_that_the_schema_refuses_stop_no_other_one() -> None:
    body = [
        record("a", 1),
        record("b", "-2"),
        record("c", 3),
        "<笔><量>4</量></笔>",
        "<别><号>e</号></别>",
        record("f", 6),
    ]
    (batch,) = read(written(body, count=6, total=20))
    assert batch.frame.rows() == [(1, "a", "1", None), (3, "c", "3", None), (6, "f", "6", None)]
    assert [one.position for one in batch.rejected] == [2, 4, 5]
    assert batch.rejected[0].text == record("b", "-2")
    assert batch.rejected[0].reason == "/笔/量: value must be non negative"
    assert "号" in batch.rejected[1].reason
    assert batch.rejected[2].reason == "/体: found the element 别, expected 笔"


def test_a_file_of_another_kind_of_record_has_no_rows() -> None:
    (batch,) = read(written(["<别><号>e</号></别>"] * 3, count=3, total=0))
    assert batch.frame.height == 0
    assert [one.position for one in batch.rejected] == [1, 2, 3]


def test_a_file_with_too_many_refused_records_is_of_another_schema() -> None:
    content = written([record("a", "x")] * 5, count=5, total=0)
    assert len(read(content, limits=Limits(rejected=5))[0].rejected) == 5
    with pytest.raises(UnusableFile, match=r"more than 4 records.* that the schema refuses"):
        read(content, limits=Limits(rejected=4))


@pytest.mark.parametrize(("count", "total"), [(3, 3), (1, 3), (2, 4), (2, 2)])
def test_totals_that_differ_from_the_records_make_the_file_unusable(count: int, total: int) -> None:
    assert read(written([record("a", 1), record("b", 2)], count=2, total=3))
    with pytest.raises(UnusableFile, match="of the header states"):
        read(written([record("a", 1), record("b", 2)], count=count, total=total))


def test_a_refused_record_counts_with_what_can_be_read_of_it() -> None:
    bad = "<笔><量>2</量></笔>"
    assert read(written([record("a", 1), bad], count=2, total=3))
    with pytest.raises(UnusableFile, match="sum to 3"):
        read(written([record("a", 1), bad], count=2, total=4))
    unreadable = record("b", "zwei")
    assert read(written([record("a", 5), unreadable], count=2, total=7))
    with pytest.raises(UnusableFile, match="sum to 5"):
        read(written([record("a", 5), unreadable], count=2, total=4))


def test_the_digest_is_over_the_bytes_before_the_trailer() -> None:
    content = written([record("a", 1)], count=1, total=1)
    assert read(content)
    with pytest.raises(UnusableFile, match="SM3 digest"):
        read(written([record("a", 1)], count=1, total=1, digest="0" * 64))
    # One blank more between two elements is the same document, and other bytes.
    at = content.index("<体>".encode("gb18030"))
    with pytest.raises(UnusableFile, match="SM3 digest"):
        read(content[:at] + b" " + content[at:])
    # What follows the trailer's beginning is not digested.
    assert read(content.replace("</尾>".encode("gb18030"), "</尾>\n\n".encode("gb18030")))


def test_nothing_of_a_small_file_is_given_out_before_it_is_checked() -> None:
    stream = opened(written([record("a", 1)], count=1, total=1, digest="0" * 64))
    given_out: list[Batch] = []
    with pytest.raises(UnusableFile):
        given_out.extend(stream.batches())
    assert given_out == []


def test_batches_can_be_consumed_once() -> None:
    stream = opened(written([record("a", 1)], count=1, total=1))
    assert list(stream.batches())
    with pytest.raises(RuntimeError, match="once"):
        next(iter(stream.batches()))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(records=2, read_bytes=16), "more than 2 records"),
        (Limits(bytes=2_000, read_bytes=16), "more than 2,000 bytes"),
        (Limits(record_bytes=1_000, read_bytes=16), "more than 1,000 bytes without the end of a 笔"),
        (Limits(run_bytes=1_000, read_bytes=16), "more than 1,000 bytes from one tag to the next"),
        (Limits(envelope_bytes=30, read_bytes=16), "no <体> in 30 bytes"),
        (Limits(rejected_bytes=20, read_bytes=16), "20 bytes of them"),
    ],
)
def test_what_is_over_a_limit_is_refused(limits: Limits, words: str) -> None:
    body = [record("a", 1), record("b", "x"), record("c" * 2_500, 1)]
    content = written(body, count=3, total=3)
    assert read(content)
    with pytest.raises(UnusableFile, match=words):
        read(content, limits=limits)


def test_an_error_says_where() -> None:
    body = [record(str(number), 1) for number in range(100)] + ["<笔><号>x</笔>"]
    with pytest.raises(UnusableFile, match="broken XML in the body") as refused:
        read(written(body, count=6, total=5), limits=Limits(read_bytes=64))
    # Behind the declaration and the header, each record stands on a line of its own; the last three came together.
    assert refused.value.where == "line 103, after record 98"


def test_a_very_large_record_is_explained_too() -> None:
    (batch,) = read(written([record("a", 1), f"<笔>{'<x/>' * 600}</笔>"], count=2, total=1))
    assert "'x': This element is not expected" in batch.rejected[0].reason


@pytest.mark.parametrize("record_type", ["nowhere", "头尾"])
def test_a_schema_without_the_record_is_a_mistake_of_ours(record_type: str) -> None:
    with pytest.raises(ConfigurationError, match="no element"):
        RecordStream(io.BytesIO(b""), samples.shape(), Records(record_type, "量"), samples.SCHEMA)


def test_a_record_that_is_not_flat_is_a_mistake_of_ours() -> None:
    with pytest.raises(ConfigurationError, match="no sequence of single elements"):
        samples.SCHEMA.columns("文件")
    with pytest.raises(ConfigurationError, match=r"schema broken\.xsd"):
        Schema(b"<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element/></xs:schema>", "broken.xsd")
