"""What a venue says: what it lists and what was traded."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import model_validator

from gateway.model.money import Currency
from gateway.model.records.base import Balance, Instant, Price, Record, Units, require_range, require_vintage
from gateway.model.vocabulary import Firmness, ListingState, QuantityUnit, Side, TradeState


class Listing(Record):
    """What a market offers or asks for: an order in its book, an instrument, a position for sale.

    A standardised contract names no project: ``deliverable_projects`` are those that may be delivered into it.
    ``quantity`` is what is left of it; ``lot`` the smallest step. ``serial`` is only there where certain units are
    listed, ``revision`` where the venue counts the changes of a listing.
    """

    instrument: str
    instrument_name: str | None
    side: Side
    firmness: Firmness
    state: ListingState
    state_native: str | None
    quantity: Balance
    quantity_unit: QuantityUnit
    lot: Units | None
    price: Price | None
    currency: Currency | None
    programme: str | None
    project_id: str | None
    project_name: str | None
    unit_kind: str | None
    vintage_start: dt.date | None
    vintage_end: dt.date | None
    labels: tuple[str, ...] | None
    labels_native: str | None
    country: str | None
    country_native: str | None
    methodologies_native: str | None
    deliverable_projects: tuple[str, ...] | None
    serial: str | None
    space: str | None
    first: int | None
    last: int | None
    account: str | None
    revision: Balance | None
    valid_from: Instant | None
    valid_until: Instant | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        require_range(self.first, self.last, self.quantity)
        require_vintage(self.vintage_start, self.vintage_end)
        return self


class Trade(Record):
    """A trade as its venue recorded it. ``amount`` is the whole price in minor units of ``currency``."""

    instrument: str
    listing: str | None
    buyer: str
    seller: str
    state: TradeState
    state_native: str | None
    method_native: str | None
    quantity: Units
    quantity_unit: QuantityUnit
    price: Price
    amount: Balance
    currency: Currency
    programme: str | None
    project_id: str | None
    vintage_start: dt.date | None
    vintage_end: dt.date | None
    reference: str | None
    traded_at: Instant
    business_date: dt.date | None
    settlement_date: dt.date | None
