"""The stand-in bank's desk: what becomes of cash orders. Everything here is simulated.

Rules of ours:

- holds, commitments, releases and conversions are booked at once; pay-ins, pay-outs and remittances take minutes;
- a pay-out ordered after its currency's cut-off is of the next business day: it is queued until that day begins;
- a hold ends by itself; what is left of it is free again;
- a conversion is made in the dealing hours of Hong Kong, at the bank's own rate and no other;
- renminbi goes over the border one for one, in the hours in which both sides work, for a declared purpose, up to a
  limit an account and day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from adapters.hkbank.config import Profile
from adapters.hkbank.mock_days import ZONES, is_open, value_day
from adapters.hkbank.mock_ledger import Balance, BankRefusal, Direction, Ledger
from gateway.kit.clock import Clock
from gateway.model.commands import RATE_SCALE
from gateway.model.money import Currency

PROCESSING: Final = timedelta(minutes=3)
ARRIVAL: Final = timedelta(minutes=5)
REMITTANCE: Final = timedelta(minutes=10)
HOLD_DEFAULT: Final = timedelta(days=1)
HOLD_LIMIT: Final = timedelta(days=5)
REMITTANCE_LIMIT: Final = 2_000_000_000
"""Fen that one account may remit in a day: 20 million yuan."""
RATE_SOURCE: Final = "Hong Kong Settlement Bank, dealing desk"
PURPOSES: Final = frozenset({"CGODDR", "COCADR", "CSTRDR"})
CURRENCIES: Final = {
    Profile.HONG_KONG: (Currency.HKD, Currency.CNH, Currency.USD),
    Profile.MAINLAND: (Currency.CNY,),
}
REMITTED: Final = {Currency.CNH: Currency.CNY, Currency.CNY: Currency.CNH}
RATES: Final = {
    (Currency.USD, Currency.HKD): 781_250_000,
    (Currency.HKD, Currency.USD): 12_780_000,
    (Currency.CNH, Currency.HKD): 108_900_000,
    (Currency.HKD, Currency.CNH): 91_650_000,
    (Currency.USD, Currency.CNH): 716_800_000,
    (Currency.CNH, Currency.USD): 13_940_000,
}


@dataclass(slots=True)
class BankOrder:
    """A cash order as the bank keeps it.

    ``remaining`` is what a hold still holds, ``due`` is when the order goes on by itself.
    """

    number: str
    reference: str
    kind: str
    account: str
    currency: Currency
    amount: int
    counter: str | None = None
    hold: str | None = None
    expires_at: datetime | None = None
    into: Currency | None = None
    rate: int | None = None
    purpose: str | None = None
    status: str = ""
    code: str | None = None
    message: str | None = None
    value_date: date | None = None
    due: datetime | None = None
    remaining: int = 0
    into_amount: int | None = None
    rate_time: datetime | None = None


@dataclass(slots=True)
class Quote:
    """A rate and since when the bank quotes it."""

    rate: int
    at: datetime


@dataclass(slots=True)
class Desk:
    """One bank's desk.

    Args:
        profile: which bank.
        ledger: its books.
        clock: its time.
        payers_pay: whether money that is expected arrives by itself, after ``ARRIVAL``.
        partner: the bank over the border.
    """

    profile: Profile
    ledger: Ledger
    clock: Clock
    payers_pay: bool = True
    partner: Desk | None = field(default=None, repr=False)
    orders: dict[str, BankOrder] = field(default_factory=dict)
    quotes: dict[tuple[Currency, Currency], Quote] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Quotes a rate for every pair of its currencies."""
        for pair, rate in RATES.items():
            if set(pair) <= set(CURRENCIES[self.profile]):
                self.quotes[pair] = Quote(rate, self.clock())

    def place(self, order: BankOrder) -> BankOrder:
        """Takes an order; one that the bank refuses is kept too, with its code. Raises BankRefusal then.

        A reference that the bank has already is refused as KEY_REUSED, and what stands under it stays as it is.
        """
        if order.reference in self.orders:
            raise BankRefusal("KEY_REUSED", f"The reference {order.reference} was used before.")
        order.number = f"{'HK' if self.profile is Profile.HONG_KONG else 'CN'}-{len(self.orders) + 1:08d}"
        try:
            self._require_known(order)
            self._act(order)
        except BankRefusal as refusal:
            order.status, order.code, order.message = "REFUSED", refusal.code, refusal.message
            self.orders[order.reference] = order
            raise
        self.orders[order.reference] = order
        return order

    def settle(self) -> None:
        """Does what is due by now, the earliest first."""
        while due := [
            (one.due, one.number, one)
            for one in self.orders.values()
            if one.due is not None and one.due <= self.clock()
        ]:
            self._advance(min(due)[2])

    def receive(
        self, account: str, currency: Currency, amount: int, *, payer: str, reference: str | None = None
    ) -> None:
        """Money comes in; a pay-in of this account that expects just this under this reference is done with it.

        Raises BankRefusal when there is no such account.
        """
        balance = self.ledger.find(account, currency)
        self.ledger.credit(balance, amount)
        self.enter(balance, amount, Direction.CREDIT, "PAY_IN", counter=payer, reference=reference)
        order = self.orders.get(reference or "")
        expected = order is not None and (order.status, order.account, order.currency, order.amount)
        if order is not None and expected == ("EXPECTED", account, currency, amount):
            order.status, order.due, order.value_date = "CREDITED", None, self.today()

    def send_back(self, reference: str, why: str) -> None:
        """A paid-out amount comes back from the receiver's bank, once.

        Raises KeyError when there is no such order, ValueError when it is no pay-out that is paid.
        """
        order = self.orders[reference]
        if (order.kind, order.status) != ("PAY_OUT", "PAID"):
            raise ValueError(
                f"found {reference}, a {order.kind} that is {order.status}; expected a PAY_OUT that is PAID"
            )
        balance = self.ledger.find(order.account, order.currency)
        self.ledger.credit(balance, order.amount)
        self.enter(balance, order.amount, Direction.CREDIT, order.kind, reference=reference, remarks=why)
        order.status, order.code, order.message = "RETURNED", "PAYMENT_RETURNED", why

    def charge(self, account: str, currency: Currency, amount: int, why: str) -> None:
        """Takes a fee. Raises BankRefusal when there is not so much."""
        balance = self.ledger.find(account, currency)
        self.ledger.debit(balance, amount)
        self.enter(balance, amount, Direction.DEBIT, "FEE", remarks=why)

    def quote(self, currency: Currency, into: Currency, rate: int) -> None:
        """Quotes another rate from now on, in ``10 ** -RATE_SCALE``."""
        self.quotes[currency, into] = Quote(rate, self.clock())

    def today(self) -> date:
        """The bank's own day."""
        return self.clock().astimezone(ZONES[self.profile]).date()

    def _require_known(self, order: BankOrder) -> None:
        if not self.ledger.has(order.account):
            raise BankRefusal("UNKNOWN_ACCOUNT", f"There is no account {order.account}.")
        if order.currency not in CURRENCIES[self.profile]:
            raise BankRefusal("CURRENCY_NOT_OFFERED", f"{order.currency} is not kept here.")
        if order.account in self.ledger.blocked:
            raise BankRefusal("ACCOUNT_BLOCKED", f"The account is blocked: {self.ledger.blocked[order.account]}.")

    def _act(self, order: BankOrder) -> None:
        acts: dict[str, Callable[[BankOrder, Balance], None]] = {
            "PAY_IN": self._expect,
            "PAY_OUT": self._pay_out,
            "HOLD": self._hold,
            "COMMIT": self._commit,
            "RELEASE": self._release,
            "CONVERT": self._convert,
            "REMIT": self._remit,
        }
        acts[order.kind](order, self.ledger.find(order.account, order.currency))

    def _expect(self, order: BankOrder, _balance: Balance) -> None:
        order.status = "EXPECTED"
        order.due = self.clock() + ARRIVAL if self.payers_pay else None

    def _pay_out(self, order: BankOrder, balance: Balance) -> None:
        if order.counter is None:
            raise BankRefusal("UNKNOWN_COUNTER_ACCOUNT", "A pay-out says to which account.")
        day, opens = value_day(order.currency, self.clock())
        self.ledger.hold(balance, order.amount)
        order.value_date, order.due = day, max(self.clock(), opens) + PROCESSING
        order.status = "QUEUED" if opens > self.clock() else "PROCESSING"

    def _hold(self, order: BankOrder, balance: Balance) -> None:
        now = self.clock()
        ends = order.expires_at or now + HOLD_DEFAULT
        if not now < ends <= now + HOLD_LIMIT:
            raise BankRefusal("INVALID_EXPIRY", f"A hold ends within {HOLD_LIMIT.days} days from now.")
        self.ledger.hold(balance, order.amount)
        self.enter(balance, order.amount, Direction.MEMO, "HOLD", reference=order.reference)
        order.status, order.expires_at, order.due, order.remaining = "HELD", ends, ends, order.amount

    def _commit(self, order: BankOrder, balance: Balance) -> None:
        receiver = self.ledger.find(order.counter or "", order.currency, code="UNKNOWN_COUNTER_ACCOUNT")
        hold = self._taken_from(order)
        self.ledger.take_held(balance, order.amount)
        self.ledger.credit(receiver, order.amount)
        for one, other, direction in ((balance, receiver, Direction.DEBIT), (receiver, balance, Direction.CREDIT)):
            self.enter(one, order.amount, direction, "COMMIT", counter=other.account, reference=order.reference)
        order.status, order.value_date = "COMMITTED", self.today()
        self._reduce(hold, order.amount, "COMMITTED")

    def _release(self, order: BankOrder, balance: Balance) -> None:
        hold = self._taken_from(order)
        self.ledger.release(balance, order.amount)
        self.enter(balance, order.amount, Direction.MEMO, "RELEASE", reference=order.reference)
        order.status = "RELEASED"
        self._reduce(hold, order.amount, "RELEASED")

    def _taken_from(self, order: BankOrder) -> BankOrder:
        """The hold that an order is about. Raises BankRefusal when it does not hold so much."""
        hold = self.orders.get(order.hold or "")
        same = hold is not None and (hold.account, hold.currency) == (order.account, order.currency)
        if hold is None or hold.kind != "HOLD" or not same or hold.status == "REFUSED":
            raise BankRefusal("UNKNOWN_HOLD", f"The account has no hold {order.hold} in {order.currency}.")
        if hold.status == "EXPIRED":
            raise BankRefusal("HOLD_EXPIRED", f"The hold {order.hold} has expired.")
        if hold.status != "HELD":
            raise BankRefusal("HOLD_ENDED", f"The hold {order.hold} is {hold.status}.")
        if hold.remaining < order.amount:
            raise BankRefusal("HOLD_INSUFFICIENT", f"The hold {order.hold} holds less.")
        return hold

    def _reduce(self, hold: BankOrder, amount: int, word: str) -> None:
        hold.remaining -= amount
        if hold.remaining == 0:
            hold.status, hold.due = word, None

    def _convert(self, order: BankOrder, balance: Balance) -> None:
        if order.into is not None and REMITTED.get(order.currency) == order.into:
            raise BankRefusal("REMITTANCE_NOT_CONVERSION", "CNH and CNY are remitted, not exchanged.")
        quoted = None if order.into is None else self.quotes.get((order.currency, order.into))
        if order.into is None or quoted is None:
            raise BankRefusal("CURRENCY_NOT_OFFERED", f"{order.currency} is not converted into {order.into}.")
        if not is_open(Currency.HKD, self.clock()):
            raise BankRefusal("DEALING_CLOSED", "The dealing desk is shut.")
        if order.rate != quoted.rate:
            raise BankRefusal("RATE_NOT_QUOTED", "The rate is not the one that the bank quotes now.")
        receiver = self.ledger.find(order.account, order.into)
        one = 10**RATE_SCALE
        # Rounded half up to a minor unit, as the bank does.
        made = (order.amount * quoted.rate + one // 2) // one
        if made < 1:
            raise BankRefusal("INVALID_REQUEST", "The amount comes to nothing.")
        self.ledger.debit(balance, order.amount)
        self.ledger.credit(receiver, made)
        self.enter(balance, order.amount, Direction.DEBIT, "CONVERT", counter=order.account, reference=order.reference)
        self.enter(receiver, made, Direction.CREDIT, "CONVERT", counter=order.account, reference=order.reference)
        order.status, order.into_amount, order.rate_time = "CONVERTED", made, quoted.at
        order.value_date = self.today()

    def _remit(self, order: BankOrder, balance: Balance) -> None:
        if order.into is None or REMITTED.get(order.currency) != order.into:
            raise BankRefusal("REMITTANCE_PAIR", "Renminbi is remitted from CNH to CNY, or back.")
        if order.purpose not in PURPOSES:
            raise BankRefusal("INVALID_PURPOSE", f"The purpose is {order.purpose}, expected one of the bank's list.")
        if not (is_open(Currency.CNH, self.clock()) and is_open(Currency.CNY, self.clock())):
            raise BankRefusal("REMITTANCE_WINDOW_CLOSED", "One side of the border does not work now.")
        if self.partner is None or (order.counter or "", order.into) not in self.partner.ledger.balances:
            raise BankRefusal("UNKNOWN_COUNTER_ACCOUNT", f"There is no account {order.counter} over the border.")
        today = self.today()
        sent = [
            one.amount
            for one in self.orders.values()
            if one.kind == "REMIT" and one.code is None and (one.account, one.value_date) == (order.account, today)
        ]
        if sum(sent) + order.amount > REMITTANCE_LIMIT:
            raise BankRefusal("REMITTANCE_LIMIT", "The account's limit for the day would be passed.")
        self.ledger.hold(balance, order.amount)
        order.status, order.value_date, order.due = "PROCESSING", today, self.clock() + REMITTANCE

    def _advance(self, order: BankOrder) -> None:
        """One step of an order that is due; it is always one further afterwards, so that settling ends."""
        balance = self.ledger.find(order.account, order.currency)
        order.due = None
        if order.kind == "PAY_IN":
            self.receive(order.account, order.currency, order.amount, payer="PAYER", reference=order.reference)
        elif order.kind == "HOLD":
            self.ledger.release(balance, order.remaining)
            self.enter(balance, order.remaining, Direction.MEMO, "RELEASE", remarks=f"expiry of {order.reference}")
            order.status, order.code, order.message = "EXPIRED", "HOLD_EXPIRED", "The hold ended by itself."
            order.remaining = 0
        else:
            self.ledger.take_held(balance, order.amount)
            self.enter(
                balance,
                order.amount,
                Direction.DEBIT,
                order.kind,
                value_date=order.value_date,
                counter=order.counter,
                reference=order.reference,
            )
            order.status = "PAID" if order.kind == "PAY_OUT" else "REMITTED"
            if order.kind == "REMIT":
                self._arrive(order)

    def _arrive(self, order: BankOrder) -> None:
        assert self.partner is not None
        assert order.into is not None
        other = self.partner.ledger.find(order.counter or "", order.into)
        self.partner.ledger.credit(other, order.amount)
        self.partner.enter(
            other, order.amount, Direction.CREDIT, "REMIT", counter=order.account, reference=order.reference
        )

    def enter(
        self,
        balance: Balance,
        amount: int,
        direction: Direction,
        kind: str,
        *,
        value_date: date | None = None,
        counter: str | None = None,
        reference: str | None = None,
        remarks: str | None = None,
    ) -> None:
        """Writes a booking down, of today where no value date is given."""
        day = value_date or self.today()
        self.ledger.enter(
            balance,
            amount,
            direction,
            kind,
            value_date=day,
            counter=counter,
            reference=reference,
            remarks=remarks,
        )
