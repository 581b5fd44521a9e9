"""What every record has in common, and the rules that several kinds share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Units = Annotated[int, Field(ge=1)]
"""A quantity of units that is there."""

Balance = Annotated[int, Field(ge=0)]
"""A quantity of units that may be nothing."""

Price = Annotated[int, Field(ge=0)]
"""A price of one unit, in ``10 ** -PRICE_SCALE`` of the currency's major unit."""

PRICE_SCALE: Final = 6
"""Decimal places of every price: a price of 12.34 is 12_340_000."""

Instant = AwareDatetime
"""An instant; in tables it is UTC."""


class Record(BaseModel):
    """Base of every record: frozen, strict, and closed to fields nobody declared."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def require_range(first: int | None, last: int | None, quantity: int) -> None:
    """Raises ValueError unless a range is whole and counts as many units as the quantity says."""
    if (first is None) != (last is None):
        raise ValueError("a range has both its ends or neither")
    if first is not None and last is not None and last - first + 1 != quantity:
        raise ValueError(f"quantity {quantity} differs from the {last - first + 1} units of {first}..{last}")


def require_vintage(start: dt.date | None, end: dt.date | None) -> None:
    """Raises ValueError for a vintage that ends before it starts."""
    if start is not None and end is not None and end < start:
        raise ValueError(f"vintage ends {end} before it starts {start}")
