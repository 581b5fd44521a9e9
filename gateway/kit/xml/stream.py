"""The records of an XML file, in batches, while it is read.

The body is cut behind the end of a record, half a megabyte at a time, and each piece is parsed and validated as a body
of its own. That is the same as validating the whole file: every cut lies between two records, and the envelope is
validated around an empty body. It keeps memory at one piece, and it is faster than a parser that is fed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Final, cast

import polars as pl
from lxml import etree

from gateway.kit.contract import RejectedRow
from gateway.kit.files.table import ROW_NUMBER
from gateway.kit.xml.envelope import Totals, check_digest, check_totals, part
from gateway.kit.xml.schema import Schema, finder, hardened_parser
from gateway.kit.xml.shape import Limits, Records, Shape
from gateway.kit.xml.text import CheckedText
from gateway.model.errors import UnusableFile

_DEFAULTS: Final = Limits()
_HAS_ATTRIBUTES: Final = finder("boolean(//@*)")
_NAMESPACE: Final = re.compile(rb"<[^<>]*\sxmlns[\s:=]")
"""Within a tag: a parser tells no attribute of it, and nothing at all where it declares none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of a file, in the file's order.

    Attributes:
        frame: the accepted ones: ``_row`` (Int64), the record's place in the file from 1, and one String column per
            child of a record; null where the child is absent or empty.
        rejected: those that the schema refuses.
    """

    frame: pl.DataFrame
    rejected: tuple[RejectedRow, ...]


class RecordStream:
    """An XML file that is being read. ``batches`` can be consumed once.

    Args:
        file: the file, at its start; it is not closed here.
        shape: the market's envelope.
        records: which records its body has.
        schema: what the envelope and the records must be.
        limits: how much of it is accepted.

    Attributes:
        header: the header's fields by their names, read and validated at once.
        trailer: the trailer's, once the batches were consumed; empty before.

    Raises ``UnusableFile`` when the file is not what it says.
    """

    def __init__(
        self, file: BinaryIO, shape: Shape, records: Records, schema: Schema, *, limits: Limits = _DEFAULTS
    ) -> None:
        self._shape = shape
        self._records = records
        self._schema = schema
        self._limits = limits
        self._columns = schema.columns(records.element)
        self._parser = hardened_parser()
        self._count = finder(f"count({records.element})")
        self._end = f"</{records.element}>".encode()
        self._open, self._close = f"<{shape.body}>".encode(), f"</{shape.body}>".encode()
        self._lines = 1
        self._seen = 0
        self._refused = 0
        self._refused_bytes = 0
        self._totals = Totals()
        self._begun = False
        self._text = CheckedText(file, shape, limits)
        self._pieces = self._text.pieces()
        self._before, self._rest = self._up_to_body()
        self._root = self._root_name()
        envelope = self._parsed(b"%b%b</%b>" % (self._before, self._close, self._root), "the header")
        self.header: Mapping[str, str] = MappingProxyType(part(envelope, shape.header, schema))
        self.trailer: Mapping[str, str] = MappingProxyType({})
        self._lines += self._before.count(b"\n")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that every batch's frame has beside ``_row``."""
        return self._columns

    def batches(self) -> Iterator[Batch]:
        """The records of the file; one batch without rows where it has none.

        Raises ``UnusableFile`` on coming to what makes the file unusable; before the last batch for totals or a digest
        that differ. What was given out until then is not to be used.
        """
        if self._begun:
            raise RuntimeError("the batches of a stream can be consumed once; open the file again")
        self._begun = True
        texts, rows, rejected = list[str | None](), list[int](), list[RejectedRow]()
        for body in self._bodies():
            before, refused = self._seen, self._read(body, texts)
            positions = {one.position for one in refused}
            numbers = range(before + 1, self._seen + 1)
            rows += [row for row in numbers if row not in positions] if positions else numbers
            rejected += refused
            if len(rows) + len(rejected) >= self._limits.batch_records:
                yield Batch(self._frame(texts, rows), tuple(rejected))
                texts, rows, rejected = [], [], []
        last = Batch(self._frame(texts, rows), tuple(rejected))
        self._finish()
        if rows or rejected or not self._seen:
            yield last

    def _up_to_body(self) -> tuple[bytes, bytes]:
        """The text up to and with the body's start tag, and what has been read behind it."""
        start = re.compile(rb"<%b\s*(/?)>" % re.escape(self._shape.body.encode()))
        text = b""
        for piece in self._pieces:
            text += piece
            found = start.search(text)
            if found is None and len(text) <= self._limits.envelope_bytes:
                continue
            if found is None or found.start() > self._limits.envelope_bytes:
                limit = self._limits.envelope_bytes
                raise UnusableFile(found=f"no <{self._shape.body}> in {limit:,} bytes", expected="the file's body")
            closed = self._close if found[1] else b""
            return text[: found.start()] + self._open, closed + text[found.end() :]
        raise UnusableFile(found=f"a file that ends before its <{self._shape.body}>", expected="a whole file")

    def _root_name(self) -> bytes:
        found = re.match(rb"\s*<([^\s<>/&=\"']+)\s*>", self._before)
        if found is None:
            raise UnusableFile(
                found=repr(self._before[:60].decode(errors="replace")), expected="a root element without attributes"
            )
        return found[1]

    def _bodies(self) -> Iterator[bytes]:
        """The body's text, cut between records; what has been read behind the body is kept."""
        end = re.compile(rb"</%b\s*>" % re.escape(self._shape.body.encode()))
        text = self._rest
        self._rest = b""
        while True:
            close = _search(end, self._close[:-1], text)
            if close >= 0:
                self._rest = text[close:]
                yield text[:close]
                return
            cut = text.rfind(self._end)
            if cut >= 0:
                cut += len(self._end)
                yield text[:cut]
                text = text[cut:]
            if len(text) > self._limits.record_bytes:
                limit = self._limits.record_bytes
                raise UnusableFile(
                    found=f"more than {limit:,} bytes without the end of a {self._records.element}",
                    expected=f"records of at most {limit:,}",
                    where=self._place(),
                )
            piece = next(self._pieces, None)
            if piece is None:
                raise UnusableFile(
                    found="a file cut off within its body", expected=f"</{self._shape.body}>", where=self._place()
                )
            text += piece

    def _finish(self) -> None:
        """Reads what follows the body; raises ``UnusableFile`` unless envelope, totals and digest are right."""
        rest = self._rest
        for piece in self._pieces:
            rest += piece
            if len(rest) > self._limits.envelope_bytes:
                limit = self._limits.envelope_bytes
                raise UnusableFile(found=f"more than {limit:,} bytes behind the body", expected="a trailer")
        envelope = self._parsed(self._before + rest, "the envelope")
        if not self._schema.accepts(envelope):
            raise UnusableFile(
                found=f"an envelope that the schema refuses ({self._schema.explain(envelope)})",
                expected=f"{self._shape.header}, {self._shape.body} and {self._shape.trailer}",
            )
        self.trailer = MappingProxyType(part(envelope, self._shape.trailer, self._schema))
        check_digest(self._shape, self.trailer, self._text.digest())
        check_totals(self._shape, self.header, self._totals, self._seen)

    def _read(self, text: bytes, texts: list[str | None]) -> list[RejectedRow]:
        """Adds the texts of a run of records, and returns those records that the schema refuses."""
        body = self._parsed(self._open + text + self._close, "the body")
        height = len(body)
        rejected = list[RejectedRow]()
        if not self._schema.accepts(body) or self._count(body) != height:
            rejected = self._sorted_out(body)
        texts += self._texts(body)
        self._seen += height
        if self._seen > self._limits.records:
            raise UnusableFile(found=f"more than {self._limits.records:,} records", expected="fewer")
        self._lines += text.count(b"\n")
        return rejected

    def _parsed(self, text: bytes, what: str) -> etree._Element:
        """A part of the file, parsed. Raises ``UnusableFile`` where it is no XML, has an attribute or a namespace."""
        try:
            root = etree.fromstring(text, self._parser)
        except etree.XMLSyntaxError as error:
            raise UnusableFile(
                found=f"broken XML in {what} ({error.msg})", expected="well-formed XML", where=self._place(error.lineno)
            ) from error
        if b"=" in text and _HAS_ATTRIBUTES(root):
            one = next(element for element in root.iter() if element.attrib)
            name = next(iter(one.attrib))
            raise UnusableFile(
                found=f"the attribute {name!r} of <{one.tag}> in {what}",
                expected="elements and text only",
                where=self._place(_line(one)),
            )
        if b"xmlns" in text and _NAMESPACE.search(text):
            raise UnusableFile(
                found=f"the declaration of a namespace in {what}",
                expected="elements and text only",
                where=self._place(),
            )
        return root

    def _sorted_out(self, body: etree._Element) -> list[RejectedRow]:
        """Takes the records that the schema refuses out of a body that it refuses."""
        rejected = []
        for position, element in enumerate(list(body), start=self._seen + 1):
            if element.tag == self._records.element and self._schema.accepts(element):
                continue
            text = etree.tostring(element, encoding="unicode", with_tail=False)
            if element.tag != self._records.element:
                reason = f"/{self._shape.body}: found the element {element.tag}, expected {self._records.element}"
            else:
                reason = self._schema.explain(element)
            rejected.append(RejectedRow(position, text, reason))
            self._refused += 1
            self._refused_bytes += len(text.encode())
            limits = self._limits
            if self._refused > limits.rejected or self._refused_bytes > limits.rejected_bytes:
                raise UnusableFile(
                    found=f"more than {limits.rejected:,} records, or {limits.rejected_bytes:,} bytes of them, that "
                    f"the schema refuses ({reason})",
                    expected=f"records of the kind {self._records.element}",
                    where=self._place(_line(element)),
                )
            self._totals.add_rejected(element.findtext(self._records.quantity))
            if element.tail and element.tail.strip():
                break
            body.remove(element)
        if not self._schema.accepts(body):
            raise UnusableFile(
                found=f"a body that the schema refuses ({self._schema.explain(body)})",
                expected=f"records of the kind {self._records.element}",
                where=self._place(),
            )
        return rejected

    def _texts(self, body: etree._Element) -> list[str | None]:
        """The records' texts, record by record. The schema has fixed the order in which children come."""
        texts = [child.text for record in body for child in record]
        if len(texts) == len(self._columns) * len(body):
            return texts
        rows = [{child.tag: child.text for child in record} for record in body]
        return [row.get(name) for row in rows for name in self._columns]

    def _frame(self, texts: list[str | None], rows: list[int]) -> pl.DataFrame:
        width = len(self._columns)
        columns = [pl.Series(name, texts[place::width], dtype=pl.String) for place, name in enumerate(self._columns)]
        frame = pl.DataFrame([pl.Series(ROW_NUMBER, rows, dtype=pl.Int64), *columns])
        self._totals.add(frame.get_column(self._records.quantity))
        return frame

    def _place(self, line: int | None = None) -> str:
        """A place in the file as a person looks for it; ``line`` counts within the part that was parsed last."""
        return f"line {self._lines + (line or 1) - 1:,}, after record {self._seen:,}"


def _line(element: etree._Element) -> int | None:
    return cast("int | None", element.sourceline)  # untyped in the stubs


def _search(pattern: re.Pattern[bytes], beginning: bytes, text: bytes) -> int:
    """Where the pattern is, or -1. Looking for its plain beginning first is much faster."""
    at = text.find(beginning)
    while at >= 0:
        if pattern.match(text, at):
            return at
        at = text.find(beginning, at + 1)
    return -1
