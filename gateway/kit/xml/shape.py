"""What is said of a market's XML files before one is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is accepted. What is over a limit is refused, naming the limit.

    How deep elements may lie in one another is libxml2's own limit, 256.

    Attributes:
        bytes: size of the file.
        run_bytes: from one tag's beginning to the next one's: a tag with its attributes and the text behind it. This
            and the next two are of the text in UTF-8.
        record_bytes: of one record, where it is longer than what is read at a time.
        envelope_bytes: before the body's beginning, and from its end on.
        records: records of the file.
        rejected: records that the schema may refuse; a file with more of them is of another schema.
        rejected_bytes: of their text together.
        read_bytes: how much is read and parsed at a time.
        batch_records: records in a batch, at least, but for the last one.
    """

    bytes: int = 4 << 30
    run_bytes: int = 65_536
    record_bytes: int = 65_536
    envelope_bytes: int = 65_536
    records: int = 10_000_000
    rejected: int = 1_000
    rejected_bytes: int = 2 << 20
    read_bytes: int = 512 << 10
    batch_records: int = 20_000


@dataclass(frozen=True, slots=True)
class Shape:
    """The envelope that all files of a market share. All names are of elements, without a namespace.

    The digest is SM3 (GB/T 32905) over the bytes as sent: from the first byte of the file to the last one before the
    trailer's start tag, the XML declaration and all white space included.

    Attributes:
        encoding: the only encoding that is accepted, as files declare it.
        header, body, trailer: the children of the root, in this order.
        stated_records: the header's child with the number of records.
        stated_quantity: the header's child with the sum of their quantities.
        digest: the trailer's child with the digest as hexadecimal digits.
    """

    encoding: Literal["UTF-8", "GB18030"]
    header: str
    body: str
    trailer: str
    stated_records: str
    stated_quantity: str
    digest: str


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one kind of file.

    Attributes:
        element: the name of a record.
        quantity: the child that the header's total sums, a whole number.
    """

    element: str
    quantity: str
