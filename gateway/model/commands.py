"""Commands to a market, and what the market says became of one.

A command's id is ours: made and stored before anything is sent, sent as our reference wherever the market keeps one,
and never used for anything else. After sending, a command is confirmed, rejected with evidence, or in doubt; in doubt
is resolved by asking about the same order, never by sending it again.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.model.money import Currency
from gateway.model.records.base import Instant, Units

REFERENCE_LIMIT: Final = 32
"""The shortest reference field of a linked market decides how long an id of ours may be."""

RATE_SCALE: Final = 8
"""Decimal places of every exchange rate."""

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]
"""Ours; fits every market's reference field unchanged."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Lot(_Value):
    """Units that a command is about.

    Attributes:
        holding: the market's own id of the holding, lot or position (its row's native key).
        serial: the serial text of the units, where the market has serials.
        quantity: how many units of it.
    """

    holding: Text
    serial: Text | None = None
    quantity: Units


class Order(_Value):
    """What every command has.

    Attributes:
        command_id: ours, stored before sending.
        account: our account at the market.
        witness: what ``witness`` of a market without ids said before sending; None elsewhere.
    """

    command_id: CommandId
    account: Text
    witness: str | None = None


class TransferKind(StrEnum):
    """``EARMARK`` and ``RELEASE`` are a venue's deposit and withdrawal of registry units."""

    TRANSFER = "transfer"
    EARMARK = "earmark"
    RELEASE = "release"


class Transfer(Order):
    """Units leave ``account`` for ``counter_account``, or are earmarked at (released from) a venue.

    ``business_date`` is the day on which it is to happen, where the market asks for one.
    """

    kind: TransferKind = TransferKind.TRANSFER
    counter_account: Text
    lots: Annotated[tuple[Lot, ...], Field(min_length=1, max_length=1000)]
    business_date: dt.date | None = None


class Acceptance(Order):
    """Our answer to a transfer that somebody else began. ``transfer`` is the market's own id of it."""

    transfer: Text
    accept: bool


class RetirementPurpose(StrEnum):
    """Why units are retired. ``OFFSET`` is use against an obligation (抵销); ``VOLUNTARY`` is 自愿注销."""

    VOLUNTARY = "voluntary"
    OFFSET = "offset"


class Retirement(Order):
    """Units leave circulation for a beneficiary; nothing undoes it.

    ``attributes`` are what the market's own rules ask for beyond that, by its own names.
    """

    lots: Annotated[tuple[Lot, ...], Field(min_length=1, max_length=1000)]
    purpose: RetirementPurpose
    beneficiary: Text
    remarks: Text | None = None
    attributes: dict[str, str] = Field(default_factory=dict)


class CashOrderKind(StrEnum):
    """What a settlement bank is told to do."""

    PAY_IN = "pay_in"
    PAY_OUT = "pay_out"
    HOLD = "hold"
    COMMIT = "commit"
    RELEASE = "release"
    CONVERT = "convert"
    REMIT = "remit"


class CashOrder(Order):
    """Cash is paid in or out, held, committed, released, converted or remitted.

    Attributes:
        amount: minor units of ``currency``.
        counter_account: who gets committed, paid-out or remitted cash.
        hold: the command id of the hold that is committed or released.
        expires_at: when a hold ends by itself.
        into: the currency to convert or remit into.
        rate: units of ``into`` for one of ``currency``, in ``10 ** -RATE_SCALE``; the bank refuses another one.
    """

    kind: CashOrderKind
    amount: Units
    currency: Currency
    counter_account: Text | None = None
    hold: CommandId | None = None
    expires_at: Instant | None = None
    into: Currency | None = None
    rate: Annotated[int, Field(ge=1)] | None = None


class OfferAction(StrEnum):
    """What becomes of an offer at the venue."""

    PUT = "put"
    HALT = "halt"
    WITHDRAW = "withdraw"


class OfferEntry(_Value):
    """One offer of a publication. ``PUT`` and ``HALT`` say the whole offer; ``WITHDRAW`` only its id counts.

    ``revision`` grows with each change of an offer: an older one never replaces a newer one at the venue.
    """

    offer_id: CommandId
    revision: Annotated[int, Field(ge=1)]
    action: OfferAction
    class_id: Text
    name: Text
    name_native: Text | None
    programme: Text
    project_id: Text
    vintage_start: dt.date
    vintage_end: dt.date
    unit_kind: Text
    labels: tuple[str, ...]
    firm: bool
    quantity: Annotated[int, Field(ge=0)]
    lot: Units
    price: Annotated[int, Field(ge=1)] | None
    currency: Currency | None
    reason: Text | None


class Publication(Order):
    """Offers to put up, change or take down at the home venue, all in one call; each is answered for itself."""

    offers: Annotated[tuple[OfferEntry, ...], Field(min_length=1, max_length=1000)]


class CommandState(StrEnum):
    """What a market says of a command.

    ``ACCEPTED``: it has it and works on it. ``AWAITING_ACCEPTANCE``: it waits for the other side. ``NOT_FOUND``: it
    never got it, and would know. ``UNDECIDED``: it cannot tell yet; ask again.
    """

    ACCEPTED = "accepted"
    AWAITING_ACCEPTANCE = "awaiting_acceptance"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    UNDECIDED = "undecided"


class CommandStatus(_Value):
    """What a market says became of a command.

    Attributes:
        command_id: ours.
        state: see :class:`CommandState`.
        native_state: the market's own word; None where it never got the command.
        reference: the market's own id of it.
        code: the market's code for a rejection, and ``message`` its words.
        lots: the units that moved, where the market says which: they may be others than were ordered.
        as_of: when the market is known to have said this.
    """

    command_id: CommandId
    state: CommandState
    native_state: str | None = None
    reference: str | None = None
    code: str | None = None
    message: str | None = None
    lots: tuple[Lot, ...] = ()
    as_of: Instant


class EntryStatus(_Value):
    """What the venue says became of one offer of a publication."""

    offer_id: CommandId
    revision: int
    accepted: bool
    code: str | None = None
    message: str | None = None


class PublicationStatus(_Value):
    """What the venue says became of a publication: of the whole, and of each offer in it."""

    status: CommandStatus
    entries: tuple[EntryStatus, ...]
