"""The stand-in bank's books: what each account holds in each currency, and every booking that made it so.

Amounts are whole minor units. What is held is still the account's, and not at its disposal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from gateway.kit.clock import Clock
from gateway.model.money import Currency


class Direction(StrEnum):
    """Which way a booking goes, in the bank's words; a ``MEMO`` moves nothing."""

    CREDIT = "CR"
    DEBIT = "DR"
    MEMO = "MEMO"


class BankRefusal(Exception):
    """The bank says no; no cash has moved.

    Args:
        code: its code.
        message: its words.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


@dataclass(slots=True)
class Balance:
    """What an account has in one currency. ``number`` is its place among all that were opened."""

    number: int
    account: str
    holder: str
    currency: Currency
    available: int = 0
    held: int = 0

    @property
    def booked(self) -> int:
        """All that is the account's."""
        return self.available + self.held


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking; ``reference`` is what whoever ordered it called it."""

    number: int
    account: str
    currency: Currency
    amount: int
    direction: Direction
    kind: str
    booked_at: datetime
    value_date: date
    counter: str | None = None
    reference: str | None = None
    remarks: str | None = None


@dataclass(slots=True)
class Ledger:
    """The books of one bank.

    Args:
        clock: when bookings are made.
    """

    clock: Clock
    balances: dict[tuple[str, Currency], Balance] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    blocked: dict[str, str] = field(default_factory=dict)

    def open(self, account: str, holder: str, currency: Currency) -> Balance:
        """Opens an account in a currency, with nothing in it."""
        balance = Balance(len(self.balances) + 1, account, holder, currency)
        self.balances[account, currency] = balance
        return balance

    def has(self, account: str) -> bool:
        """Whether there is such an account in any currency."""
        return any(name == account for name, _ in self.balances)

    def find(self, account: str, currency: Currency, *, code: str = "UNKNOWN_ACCOUNT") -> Balance:
        """The balance of an account in a currency. Raises BankRefusal under ``code`` when there is none."""
        balance = self.balances.get((account, currency))
        if balance is None:
            raise BankRefusal(code, f"There is no account {account} in {currency}.")
        return balance

    def credit(self, balance: Balance, amount: int) -> None:
        """Adds to what is available."""
        balance.available += amount

    def debit(self, balance: Balance, amount: int) -> None:
        """Takes from what is available. Raises BankRefusal when it is less."""
        if balance.available < amount:
            raise BankRefusal(
                "INSUFFICIENT_FUNDS", f"The account {balance.account} has not so much {balance.currency}."
            )
        balance.available -= amount

    def hold(self, balance: Balance, amount: int) -> None:
        """Moves from available to held. Raises BankRefusal when less is available."""
        self.debit(balance, amount)
        balance.held += amount

    def release(self, balance: Balance, amount: int) -> None:
        """Moves from held to available."""
        self.take_held(balance, amount)
        balance.available += amount

    def take_held(self, balance: Balance, amount: int) -> None:
        """Takes from what is held."""
        assert balance.held >= amount, "more is taken than was held"
        balance.held -= amount

    def enter(
        self,
        balance: Balance,
        amount: int,
        direction: Direction,
        kind: str,
        *,
        value_date: date,
        at: datetime | None = None,
        counter: str | None = None,
        reference: str | None = None,
        remarks: str | None = None,
    ) -> None:
        """Writes a booking down; the balance is changed by the other methods."""
        self.entries.append(
            Entry(
                number=len(self.entries) + 1,
                account=balance.account,
                currency=balance.currency,
                amount=amount,
                direction=direction,
                kind=kind,
                booked_at=at or self.clock(),
                value_date=value_date,
                counter=counter,
                reference=reference,
                remarks=remarks,
            )
        )
