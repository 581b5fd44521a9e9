"""What a market says of our accounts: what they hold, and what moved.

Observed, never booked: what we hold is the ledger's to say. Names follow the UK ETS registry for account and holding,
and ISO 20022 (semt.002) for the parts of a balance.
"""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import model_validator

from gateway.model.records.base import Balance, Instant, Record, Units, require_range, require_vintage
from gateway.model.vocabulary import Direction, MovementKind, MovementState, QuantityUnit, UnitState


class Holding(Record):
    """What one account holds of one class or block.

    Where the market has serial numbers a row is a block; where it has none (or shows none here) ``serial``, ``space``,
    ``first`` and ``last`` are empty and the row is a balance. ``available``, ``earmarked`` (at a venue), ``pledged``,
    ``frozen`` and ``in_transit`` are the parts that the market tells apart, together never more than ``quantity``; an
    empty one is a part that it does not tell. ``programme`` is there where a venue keeps units of several.
    """

    account: str
    instrument: str | None
    programme: str | None
    serial: str | None
    space: str | None
    first: int | None
    last: int | None
    quantity: Balance
    quantity_unit: QuantityUnit
    available: Balance | None
    earmarked: Balance | None
    pledged: Balance | None
    frozen: Balance | None
    in_transit: Balance | None
    project_id: str
    batch_id: str | None
    unit_kind: str
    vintage_start: dt.date
    vintage_end: dt.date
    labels: tuple[str, ...] | None
    labels_native: str | None
    state: UnitState
    state_native: str | None
    holder: str | None
    hold_reason_native: str | None
    hold_authority: str | None
    project_name: str | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        require_range(self.first, self.last, self.quantity)
        require_vintage(self.vintage_start, self.vintage_end)
        parts = (self.available, self.earmarked, self.pledged, self.frozen, self.in_transit)
        if sum(part or 0 for part in parts) > self.quantity:
            raise ValueError(f"the parts of a holding sum to more than its quantity {self.quantity}")
        return self


class Movement(Record):
    """One change of an account of ours, as its market recorded it.

    ``reference`` is the reference that the originator gave, which is our command id where we were that;
    ``counter_account`` the other side; ``authority`` who ordered a freeze.
    """

    account: str
    counter_account: str | None
    kind: MovementKind
    kind_native: str | None
    direction: Direction
    state: MovementState
    state_native: str | None
    instrument: str | None
    serial: str | None
    space: str | None
    first: int | None
    last: int | None
    quantity: Units
    quantity_unit: QuantityUnit
    programme: str | None
    project_id: str | None
    unit_kind: str | None
    vintage_start: dt.date | None
    vintage_end: dt.date | None
    reference: str | None
    beneficiary: str | None
    reason_native: str | None
    authority: str | None
    occurred_at: Instant
    business_date: dt.date | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        require_range(self.first, self.last, self.quantity)
        require_vintage(self.vintage_start, self.vintage_end)
        return self
