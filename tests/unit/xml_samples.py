"""A small market's XML files for the tests of the kit's reader: its schema, its shape, and a writer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO, Literal
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.hashes import SM3, Hash

from gateway.kit.xml import Batch, Limits, Records, RecordStream, Schema, Shape

SOURCE = """<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="文件"><xs:complexType><xs:sequence>
    <xs:element ref="头"/><xs:element ref="体"/><xs:element ref="尾"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="头"><xs:complexType><xs:sequence>
    <xs:element name="笔数" type="数"/><xs:element name="总数" type="数"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="体"><xs:complexType><xs:choice>
    <xs:element ref="笔" minOccurs="0" maxOccurs="unbounded"/>
    <xs:element ref="别" minOccurs="0" maxOccurs="unbounded"/>
  </xs:choice></xs:complexType></xs:element>
  <xs:element name="尾"><xs:complexType><xs:sequence>
    <xs:element name="摘要" type="xs:string"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="笔"><xs:complexType><xs:sequence>
    <xs:element name="号" type="xs:string"/><xs:element name="量" type="数"/>
    <xs:element name="注" type="xs:string" minOccurs="0"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="别"><xs:complexType><xs:sequence>
    <xs:element name="号" type="xs:string"/>
  </xs:sequence></xs:complexType></xs:element>
  <xs:simpleType name="数"><xs:restriction base="xs:nonNegativeInteger">
    <xs:totalDigits value="18"/>
  </xs:restriction></xs:simpleType>
</xs:schema>
"""
SCHEMA = Schema(SOURCE.encode(), "sample.xsd")
RECORDS = Records("笔", quantity="量")
Encoding = Literal["UTF-8", "GB18030"]


def shape(encoding: Encoding = "GB18030") -> Shape:
    return Shape(encoding, "头", "体", "尾", stated_records="笔数", stated_quantity="总数", digest="摘要")


def record(number: str, quantity: object, note: str | None = None) -> str:
    told = "" if note is None else f"<注>{escape(note)}</注>"
    return f"<笔><号>{escape(number)}</号><量>{quantity}</量>{told}</笔>"


def written(
    body: str | Sequence[str],
    *,
    count: int,
    total: int,
    encoding: Encoding = "GB18030",
    declared: str | None = None,
    prolog: str = "",
    root: str = "<文件>",
    digest: str | None = None,
    end: str = "</文件>\n",
) -> bytes:
    """A whole file around a body, its digest right unless another is given."""
    text = body if isinstance(body, str) else "\n".join(body)
    before = (
        f'<?xml version="1.0" encoding="{declared or encoding}"?>\n{prolog}{root}<头><笔数>{count}</笔数>'
        f"<总数>{total}</总数></头>\n<体>{text}</体>"
    ).encode(encoding)
    if digest is None:
        hashed = Hash(SM3())
        hashed.update(before)
        digest = hashed.finalize().hex()
    return before + f"<尾><摘要>{digest}</摘要></尾>{end}".encode(encoding)


def opened(content: bytes | BinaryIO, encoding: Encoding = "GB18030", limits: Limits | None = None) -> RecordStream:
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    return RecordStream(file, shape(encoding), RECORDS, SCHEMA, limits=limits or Limits())


def read(content: bytes | BinaryIO, encoding: Encoding = "GB18030", limits: Limits | None = None) -> list[Batch]:
    return list(opened(content, encoding, limits).batches())
