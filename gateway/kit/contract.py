"""What an adapter is: one small Protocol per capability, and the values that pass through them.

An adapter holds no cursor, opens no client, reads no environment and asks no clock; all is passed in. Which
capabilities it has is derived from the signatures of its class (``gateway.kit.capabilities``), never declared.

Everything that is read has one shape: the feeds there are, what the market itself states of a feed, and a page of it
from a cursor on. A feed names the mapping document that reads its rows, and the document names the record that they
become. ``since`` is where a window begins: what happened at that instant or later is read; the core overlaps windows,
so a row may come twice.

A command is sent once. It returns what the market answered, or raises an AdapterError: ``NotSent``, ``Rejected`` and
``AccessDenied`` mean that nothing happened, ``OutcomeUnknown`` that only the market can say. Its status is asked with
the same order; a status is a read, and is retried as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import polars as pl

from gateway.model.commands import (
    Acceptance,
    CashOrder,
    CommandStatus,
    Publication,
    PublicationStatus,
    Retirement,
    Transfer,
)

CONTRACT_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class Document:
    """One raw document of a market (a page, a file, an event) as it was received.

    ``origin`` says where it came from in words (``POST …/holdings/publicReportPageSearch start=400``).
    """

    content: bytes
    media_type: str
    origin: str


@dataclass(frozen=True, slots=True)
class StatedTotal:
    """What a market itself says a feed holds: rows, and units (minor units of cash) where it sums them.

    Of a list that comes in one piece and states nothing, the rows that it has now are what the market says.
    """

    rows: int
    quantity: int | None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A record that is no row: the market's own schema refuses it. It is quarantined with its text.

    Attributes:
        position: its place in the document, from 1.
        text: the record as received.
        reason: why, with the path in it.
    """

    position: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a feed.

    Attributes:
        document: the raw page.
        rows: its rows as text, one String column per path.
        next_cursor: opaque; passed back for the next page; None at the end.
        as_of: when the market is known to have said this.
        rejected: records that could not become rows.
    """

    document: Document
    rows: pl.DataFrame
    next_cursor: str | None
    as_of: datetime
    rejected: tuple[RejectedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """A list that a market publishes, and the mapping document that reads it."""

    name: str
    mapping: str


@dataclass(frozen=True, slots=True)
class RetirementRules:
    """What a market asks of a retirement: the limits of the beneficiary's name and which attributes it wants.

    Attributes:
        beneficiary_limit: how many characters the beneficiary's name may have.
        purposes: the purposes that the market knows, by our words.
        attributes: the names of further attributes, each with whether it must be there.
    """

    beneficiary_limit: int
    purposes: tuple[str, ...]
    attributes: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Notification:
    """A webhook of a market whose signature was found good.

    Attributes:
        event_id: the market's id of the event; a repeated one is the same event.
        event_type: the market's word for what happened.
        sent_at: when the market signed it.
        document: the bytes as received.
        feed: the feed whose mapping reads its rows; None where it only says that something changed.
        rows: its rows as text.
    """

    event_id: str
    event_type: str
    sent_at: datetime
    document: Document
    feed: Feed | None
    rows: pl.DataFrame


class ReadsCatalogue(Protocol):
    """Reads what a market publishes of its projects, issuances and units."""

    def catalogue_feeds(self) -> Sequence[Feed]:
        """The feeds, in the order in which they must be read."""

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """What the market itself says that this feed holds at this moment."""

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """One page of a feed; the first one where ``cursor`` is None."""


class ReadsHoldings(Protocol):
    """Reads what our accounts hold at the market: units, earmarks, cash."""

    def holding_feeds(self) -> Sequence[Feed]:
        """The feeds; their records are holdings or cash balances."""

    async def holdings_total(self, feed: str) -> StatedTotal:
        """What the market itself says that this feed holds at this moment."""

    async def read_holdings(self, feed: str, cursor: str | None) -> Page:
        """One page of a feed; the first one where ``cursor`` is None."""


class ReadsListings(Protocol):
    """Reads what a venue lists."""

    def listing_feeds(self) -> Sequence[Feed]:
        """The feeds; their records are listings."""

    async def listings_total(self, feed: str) -> StatedTotal:
        """What the market itself says that this feed holds at this moment."""

    async def read_listings(self, feed: str, cursor: str | None) -> Page:
        """One page of a feed; the first one where ``cursor`` is None."""


class ReadsMovements(Protocol):
    """Reads what moved on our accounts."""

    def movement_feeds(self) -> Sequence[Feed]:
        """The feeds; their records are movements or cash movements."""

    async def movements_total(self, feed: str, since: datetime) -> StatedTotal:
        """What the market itself says that this feed holds since then."""

    async def read_movements(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page of what moved since then, oldest first."""


class ReadsTrades(Protocol):
    """Reads the trades that concern us."""

    def trade_feeds(self) -> Sequence[Feed]:
        """The feeds; their records are trades."""

    async def trades_total(self, feed: str, since: datetime) -> StatedTotal:
        """What the market itself says that this feed holds since then."""

    async def read_trades(self, feed: str, since: datetime, cursor: str | None) -> Page:
        """One page of what was traded since then, oldest first."""


class ParsesExports(Protocol):
    """Reads the files that a person downloads from the market's own site."""

    def export_mappings(self) -> Sequence[str]:
        """The mapping documents of the files it can read; each says by which headings it knows its file."""


class PublishesOffers(Protocol):
    """Puts our offers up at a venue."""

    async def publish(self, order: Publication) -> PublicationStatus:
        """Sends a publication; an older revision than the venue has changes nothing there."""

    async def publication_status(self, order: Publication) -> PublicationStatus:
        """What became of a publication."""


class Transfers(Protocol):
    """Moves units: between accounts of a registry, or in and out of a venue's keeping."""

    async def transfer(self, order: Transfer) -> CommandStatus:
        """Sends a transfer."""

    async def transfer_status(self, order: Transfer) -> CommandStatus:
        """What became of a transfer."""


class AcceptsTransfers(Protocol):
    """Answers transfers that others begin, where the market's transfers have two phases."""

    async def accept(self, order: Acceptance) -> CommandStatus:
        """Accepts or rejects an incoming transfer."""

    async def acceptance_status(self, order: Acceptance) -> CommandStatus:
        """What became of our answer."""


class Retires(Protocol):
    """Retires units for a beneficiary."""

    def retirement_rules(self) -> RetirementRules:
        """What the market asks of a retirement."""

    async def retire(self, order: Retirement) -> CommandStatus:
        """Sends a retirement. Nothing undoes it."""

    async def retirement_status(self, order: Retirement) -> CommandStatus:
        """What became of a retirement."""

    async def certificate(self, order: Retirement) -> Document:
        """The market's proof of a confirmed retirement."""


class MovesCash(Protocol):
    """Moves cash at a settlement bank."""

    async def move_cash(self, order: CashOrder) -> CommandStatus:
        """Sends a cash order."""

    async def cash_status(self, order: CashOrder) -> CommandStatus:
        """What became of a cash order."""


class BearsWitness(Protocol):
    """Notes what a market shows before a command is sent, where the market keeps no ids of ours.

    The note is stored with the command before it leaves, and given back in ``order.witness``: with it, a complete
    read after the market's processing limit tells whether the command had its effect.
    """

    async def witness(self, order: Transfer | Retirement) -> str:
        """What the market shows now of the units that the order is about."""


class SendsWebhooks(Protocol):
    """Receives what the market pushes."""

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Reads a webhook. Raises WebhookRefused, of one kind and without detail, when it is not to be believed."""


CAPABILITIES: Final[tuple[type, ...]] = (
    ReadsCatalogue,
    ParsesExports,
    ReadsHoldings,
    ReadsMovements,
    ReadsListings,
    ReadsTrades,
    PublishesOffers,
    Transfers,
    AcceptsTransfers,
    Retires,
    MovesCash,
    BearsWitness,
    SendsWebhooks,
)
"""Every capability, in the order in which people read them."""

COMMANDS: Final = frozenset({"PublishesOffers", "Transfers", "AcceptsTransfers", "Retires", "MovesCash"})
"""The capabilities that change something at a market."""
