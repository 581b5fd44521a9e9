"""What a bank says of our cash. Amounts are whole minor units of the currency."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import model_validator

from gateway.model.money import Currency
from gateway.model.records.base import Balance, Instant, Record, Units
from gateway.model.vocabulary import CashKind, Direction, MovementState


class CashBalance(Record):
    """What one cash account holds: ``booked`` is ``available`` and ``held`` together."""

    account: str
    currency: Currency
    booked: Balance
    available: Balance
    held: Balance
    holder: str | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.booked != self.available + self.held:
            raise ValueError(f"booked {self.booked} differs from available {self.available} and held {self.held}")
        return self


class CashMovement(Record):
    """One booking on a cash account; ``reference`` is our command id where we ordered it."""

    account: str
    counter_account: str | None
    currency: Currency
    amount: Units
    direction: Direction
    kind: CashKind
    kind_native: str | None
    state: MovementState
    reference: str | None
    remarks: str | None
    booked_at: Instant
    value_date: dt.date | None
