"""What the venue's book is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A class of credits as the venue knows it: what is offered, traded and held."""

    class_id: str
    name: str
    name_native: str | None
    programme: str
    project_id: str
    vintage_start: date
    vintage_end: date
    unit_kind: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Participant:
    """A member of the venue; ``account`` is its sub-account under the omnibus account."""

    participant_id: str
    name: str
    account: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a publication says of an offer.

    ``price`` is in millionths of the currency's major unit, ``currency`` the venue's word (``HKD``, ``RMB``).
    """

    line: CreditLine
    firm: bool
    quantity: int
    lot: int
    price: int | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a publication, read. ``terms`` is None for a withdrawal."""

    offer_id: str
    revision: int
    action: str
    terms: Terms | None
    remarks: str | None


@dataclass(frozen=True, slots=True)
class Unread:
    """One record of a publication that could not be read, and the venue's code for that."""

    offer_id: str | None
    revision: int | None
    code: str
    message: str


@dataclass(slots=True)
class Offer:
    """An offer at the venue. ``remaining`` is what trades have left of its quantity."""

    offer_id: str
    account: str
    revision: int
    status: str
    terms: Terms
    remaining: int
    remarks: str | None
    entry: Entry
    published_at: datetime
    updated_at: datetime
    request_id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record of a publication; ``code`` is None where it was accepted."""

    offer_id: str | None
    revision: int | None
    code: str | None = None
    message: str | None = None


@dataclass(slots=True)
class Publication:
    """A message under one request id. ``due`` is when a large one is finished; None when it is."""

    request_id: str
    reference: str
    account: str | None
    status: str
    due: datetime | None = None
    code: str | None = None
    message: str | None = None
    entries: tuple[Entry | Unread, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(slots=True)
class Trade:
    """A trade against an offer; ``sequence`` grows with each change, and orders the list of trades.

    ``price`` is in millionths of the major unit, ``amount`` in hundredths.
    """

    trade_id: str
    offer_id: str
    line: CreditLine
    buyer: str
    seller: str
    status: str
    quantity: int
    price: int
    amount: int
    currency: str
    traded_at: datetime
    business_date: date
    updated_at: datetime
    sequence: int


@dataclass(slots=True)
class Position:
    """What a participant owns of a class. ``frozen`` is not available to it."""

    position_id: str
    participant: Participant
    line: CreditLine
    quantity: int
    frozen: int
    status: str
    updated_at: datetime
    remarks: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook that the venue would send: its id, its type and its body."""

    event_id: str
    event_type: str
    body: bytes = field(repr=False)


class Refused(Exception):
    """The venue does not do what it was asked; ``code`` is its own."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code} {message}")
