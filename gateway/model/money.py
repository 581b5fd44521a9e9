"""Money: whole minor units of a currency. Offshore and onshore renminbi are two currencies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MINOR_DIGITS: Final = 2
"""Decimal places of every currency the gateway settles in; a currency with others is not listed here."""


class Currency(StrEnum):
    """The currencies that are settled.

    ``CNH`` is renminbi held outside the mainland, ``CNY`` inside it: moving one to the other is a remittance with
    rules of its own, not an exchange.
    """

    HKD = "HKD"
    CNH = "CNH"
    CNY = "CNY"
    USD = "USD"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, fen) of a currency; never negative."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        if self.minor < 0:
            raise ValueError(f"found {self.minor} minor units of {self.currency}; expected zero or more")

    def __str__(self) -> str:
        """``HKD 12.34``."""
        whole, rest = divmod(self.minor, 10**MINOR_DIGITS)
        return f"{self.currency} {whole:,}.{rest:0{MINOR_DIGITS}d}"
