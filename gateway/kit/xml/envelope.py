"""What a file's envelope says of its records, and whether it is so."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from lxml import etree

from gateway.kit.xml.schema import Schema
from gateway.kit.xml.shape import Shape
from gateway.model.errors import UnusableFile


class Totals:
    """The sum of the quantities that were read."""

    def __init__(self) -> None:
        self.quantity = 0
        self.unreadable = 0

    def add(self, quantities: pl.Series) -> None:
        """Adds the quantities of accepted records."""
        numbers = quantities.str.to_integer(strict=False)
        self.quantity += int(numbers.cast(pl.Int128).sum())
        self.unreadable += numbers.null_count()

    def add_rejected(self, quantity: str | None) -> None:
        """Adds the quantity of a record that the schema refuses, where it is readable."""
        text = (quantity or "").strip()
        if text.isascii() and text.isdigit() and len(text) <= 18:
            self.quantity += int(text)
        else:
            self.unreadable += 1


def part(envelope: etree._Element, name: str, schema: Schema) -> dict[str, str]:
    """The fields of the header or the trailer. Raises ``UnusableFile`` when it is absent or not as it must be."""
    element = envelope.find(name)
    if element is None:
        raise UnusableFile(found=f"no <{name}> in <{envelope.tag!s}>", expected=f"<{name}>")
    if not schema.accepts(element):
        raise UnusableFile(
            found=f"a <{name}> that the schema refuses ({schema.explain(element)})", expected=f"<{name}>"
        )
    return {str(child.tag): (child.text or "").strip() for child in element}


def check_digest(shape: Shape, trailer: Mapping[str, str], found: str) -> None:
    """Raises ``UnusableFile`` unless the trailer states the digest of the bytes before it."""
    stated = trailer.get(shape.digest, "").lower()
    if stated != found:
        raise UnusableFile(
            found=f"the SM3 digest {found} over the bytes before <{shape.trailer}>",
            expected=f"{stated or 'none'}, as <{shape.digest}> states",
        )


def check_totals(shape: Shape, header: Mapping[str, str], totals: Totals, records: int) -> None:
    """Raises ``UnusableFile`` unless the records are as many, and sum to as much, as the header states.

    Where a record that the schema refused has no readable quantity, the sum can prove nothing unless it is already
    more than was stated.
    """
    stated = _number(header, shape.stated_records)
    if stated != records:
        raise UnusableFile(
            found=f"{records:,} records", expected=f"{stated:,}, as <{shape.stated_records}> of the header states"
        )
    stated = _number(header, shape.stated_quantity)
    wrong = totals.quantity > stated if totals.unreadable else totals.quantity != stated
    if wrong:
        raise UnusableFile(
            found=f"quantities that sum to {totals.quantity:,}",
            expected=f"{stated:,}, as <{shape.stated_quantity}> of the header states",
        )


def _number(header: Mapping[str, str], name: str) -> int:
    text = header.get(name, "")
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    raise UnusableFile(found=f"{text[:40]!r} in <{name}> of the header", expected="a whole number")
