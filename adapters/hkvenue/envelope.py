"""The venue's envelope: ``{code, message, data[], totalSize, timestamp, nextCursor, exception[]}``.

Success is the code ``"0"``. An exception of the message means that all of it was rejected, one of a record that only
that record was. Pages end with the cursor ``"0"``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number

SUCCESS: Final = "0"
LAST_CURSOR: Final = "0"


class NotSuccessful(Undecodable):
    """An envelope with another code than success where success was due."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"found the code {code} ({message}), expected {SUCCESS}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A successful answer.

    Attributes:
        document: the whole of it.
        rows: how many records it has in ``data``.
        total: how many the venue says there are.
        next_cursor: for the next page; None at the end.
    """

    document: dict[str, Json]
    rows: int
    total: int
    next_cursor: str | None


def read_envelope(document: Json) -> Envelope:
    """Reads an answer. Raises NotSuccessful for another code than success, Undecodable for another shape."""
    envelope = members(document, "the answer")
    code = text(envelope, "code")
    if code != SUCCESS:
        raise NotSuccessful(code, text(envelope, "message"))
    cursor = text(envelope, "nextCursor")
    return Envelope(
        document=envelope,
        rows=len(elements(envelope.get("data"), "data")),
        total=whole_number(envelope.get("totalSize"), "totalSize"),
        next_cursor=None if cursor == LAST_CURSOR else cursor,
    )


def only_row(envelope: Envelope, what: str) -> dict[str, Json]:
    """The one record of an answer that has one. Raises Undecodable for another number of them."""
    listed = elements(envelope.document.get("data"), "data")
    if len(listed) != 1:
        raise Undecodable(f"found {len(listed)} records in data, expected one {what}")
    return members(listed[0], f"the {what}")


def text(record: dict[str, Json], key: str) -> str:
    """A text of a record; raises Undecodable when it is missing, empty or something else."""
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise Undecodable(f"{key} is {value!r:.80}, expected a text")
    return value


def text_or_none(record: dict[str, Json], key: str) -> str | None:
    """The same where it may be missing or null."""
    return None if record.get(key) is None else text(record, key)
