"""The stand-in's book: accounts, positions, deposits, transfers, retirements, orders and trades, moved on by its clock.

A test or a demonstration changes it from behind by its plain methods. What a caller may do through the API is in
``book_venue`` and ``book_registry``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.cbl.book_entries import Act, Deposit, Instrument, Listing, Retirement, TaxLot, Trade, Transfer
from gateway.kit.clock import Clock

ACCOUNT: Final = "5C0D11A7"
ACCOUNT_NAME: Final = "HKCV Omnibus"
EXCHANGES: Final = frozenset({"CBL", "RVCMC"})
VENUE: Final = "CBL"
MARKETS: Final = {"GEO": "CBL GEO", "N-GEO": "CBL N-GEO", "C-GEO": "CBL C-GEO", "SIP": "CBL Project Specific"}
"""The venue's markets by the code that a deposit names."""
PROGRAMS: Final = ("ACR", "CAR", "GS", "M_RETS", "NAR", "VCS")
EASTERN: Final = ZoneInfo("America/New_York")

DEPOSIT_TAKES: Final = timedelta(minutes=1)
WITHDRAWAL_TAKES: Final = timedelta(minutes=1)
RETIREMENT_TAKES: Final = timedelta(minutes=10)
REGISTRY_TAKES: Final = timedelta(minutes=5)
COUNTERPARTY_TAKES: Final = timedelta(minutes=10)

HOLIDAYS: Final = frozenset(
    {
        *(date(2026, *day) for day in ((1, 1), (1, 19), (2, 16), (5, 25), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25))),
        *(date(2027, *day) for day in ((1, 1), (1, 18), (2, 15), (5, 31), (6, 18), (7, 5), (9, 6), (11, 25), (12, 24))),
    }
)
"""Weekdays on which nothing settles, in Eastern time."""


class Book:
    """Everything there is.

    Args:
        clock: the market's time.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.accounts: dict[str, str] = {ACCOUNT: ACCOUNT_NAME}
        self.instruments: dict[str, Instrument] = {}
        self.lots: dict[int, TaxLot] = {}
        self.deposits: dict[str, Deposit] = {}
        self.transfers: dict[str, Transfer] = {}
        self.retirements: dict[str, Retirement] = {}
        self.listings: dict[str, Listing] = {}
        self.trades: dict[str, Trade] = {}
        self.settlements: set[str] = set()
        self.acts: list[Act] = []
        self.refusing_registry = False
        self._number = 500_000

    def number(self) -> int:
        """A number that was never given before."""
        self._number += 1
        return self._number

    def today(self) -> date:
        """The day in Eastern time."""
        return self.clock().astimezone(EASTERN).date()

    def advance(self) -> None:
        """Finishes what is due by now, the oldest first."""
        now = self.clock()
        while due := sorted(self._due(now), key=lambda one: one[0]):
            due[0][1]()

    def positions(self, account: str) -> Iterator[tuple[Instrument, list[TaxLot]]]:
        """The positions of an account, oldest instrument first; a lot of which nothing is left is in none."""
        for instrument in sorted(self.instruments.values(), key=lambda one: one.id):
            lots = [
                lot
                for lot in self.lots.values()
                if lot.account == account and lot.instrument is instrument and lot.held
            ]
            if lots:
                yield instrument, sorted(lots, key=lambda one: one.id)

    def issue(self, instrument: Instrument, quantity: int, account: str = ACCOUNT, price: int = 0) -> TaxLot:
        """Units come into an account."""
        self.instruments[instrument.ein] = instrument
        return self.establish(instrument, quantity, account, f"Issuance {self.today()}", price=price)

    def establish(
        self,
        instrument: Instrument,
        quantity: int,
        account: str,
        name: str,
        *,
        unsettled: bool = False,
        price: int = 0,
        previous: str | None = None,
    ) -> TaxLot:
        """A new tax lot, free or on its way in."""
        lot = TaxLot(
            id=self.number(),
            account=account,
            instrument=instrument,
            name=name,
            established=self.clock(),
            began=quantity,
            available=0 if unsettled else quantity,
            encumbered=0,
            unsettled=quantity if unsettled else 0,
            price=price,
            previous=previous,
        )
        self.lots[lot.id] = lot
        return lot

    def quarantine(self, ein: str, *, on: bool = True) -> None:
        """Connect stops, or allows again, whatever is done with the positions of an instrument."""
        self.instruments[ein].quarantined = on

    def lose_certification(self, ein: str, code: str) -> None:
        """An instrument loses a certification."""
        one = self.instruments[ein]
        one.issuance_certifications = tuple(held for held in one.issuance_certifications if held[0] != code)
        one.project_certifications = tuple(held for held in one.project_certifications if held[0] != code)

    def suspend(self, market: str, *, on: bool = True) -> None:
        """A market stops, or goes on."""
        words = ("OPEN", "SUSPENDED") if on else ("SUSPENDED", "OPEN")
        for listing in self.listings.values():
            if listing.market == market and listing.status == words[0]:
                listing.status = words[1]

    def amend(self, original: str, *, price: int | None = None, balance: int | None = None) -> Listing:
        """An order is amended, and gets a new reference."""
        listing = self.listings[original]
        listing.price = listing.price if price is None else price
        listing.balance = listing.balance if balance is None else balance
        listing.reference = f"OR{self.number()}"
        return listing

    def add_listing(
        self,
        name: str,
        market: str,
        quantity: int,
        price: int,
        *,
        side: str = "SELL",
        kind: str = "LIMIT",
        instrument: Instrument | None = None,
        program: str | None = None,
        vintage: str | None = None,
        certifications: tuple[str, ...] = (),
    ) -> Listing:
        """Somebody enters an order."""
        reference = f"OR{self.number()}"
        listing = Listing(
            original=reference,
            reference=reference,
            market=market,
            product=name.replace(" ", "-"),
            name=name,
            side=side,
            kind=kind,
            quantity=quantity,
            balance=quantity,
            lot=1,
            price=price,
            status="OPEN",
            entered=self.clock(),
            until=None,
            instrument=instrument,
            program=program,
            vintage=vintage,
            certifications=certifications,
        )
        self.listings[reference] = listing
        return listing

    def add_trade(self, product: str, seller: str, buyer: str, quantity: int, price: int) -> Trade:
        """A trade is made, and waits for its settlement."""
        identifier = f"TR{self.number()}"
        trade = Trade(
            identifier=identifier,
            product=product,
            order=None,
            buyer=buyer,
            seller=seller,
            quantity=quantity,
            price=price,
            currency="USD",
            status="EXECUTED",
            executed=self.clock(),
            settled=None,
            instrument=None,
        )
        self.trades[identifier] = trade
        return trade

    def offer_transfer(self, instrument: Instrument, quantity: int, counterparty: str, price: int = 0) -> Transfer:
        """A counterparty begins a transfer to us, which waits for our answer."""
        return self.add_transfer(
            Transfer(
                identifier=f"T{self.number()}",
                batch=f"B{self.number()}",
                outgoing=False,
                counterparty=counterparty,
                instrument=instrument,
                parts=[],
                quantity=quantity,
                price=price,
                external=None,
                status="PENDING",
                registry_status="PENDING",
                created=self.clock(),
                updated=self.clock(),
                settlement_day=next_settlement_day(self.today()),
                settled=None,
                due=None,
            )
        )

    def counterparty_answers(self, identifier: str, *, accept: bool) -> None:
        """The other side answers a transfer of ours."""
        one = self.transfers[identifier]
        if one.status != "PENDING" or not one.outgoing:
            raise ValueError(f"transfer {identifier} is {one.status} and waits for no counterparty")
        if accept:
            self._accepted(one)
        else:
            self.end_transfer(one, "REJECTED")

    def add_transfer(self, one: Transfer) -> Transfer:
        """A transfer enters the book."""
        self.transfers[one.identifier] = one
        return one

    def end_transfer(self, one: Transfer, status: str) -> None:
        """A transfer ends without moving anything; what was on its way out is free again."""
        for lot, quantity in one.parts:
            lot.unsettled -= quantity
            if one.outgoing:
                lot.available += quantity
        one.status, one.registry_status, one.updated, one.due = status, "FAILED", self.clock(), None

    def _due(self, now: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        for deposit in self.deposits.values():
            if deposit.due is not None and deposit.due <= now:
                yield deposit.due, lambda one=deposit: self._finish_deposit(one)  # type: ignore[misc]
        for transfer in self.transfers.values():
            if transfer.due is not None and transfer.due <= now:
                step = self._accepted if transfer.status == "PENDING" else self._settled
                yield transfer.due, lambda one=transfer, step=step: step(one)  # type: ignore[misc]
        for retirement in self.retirements.values():
            if retirement.due is not None and retirement.due <= now:
                yield retirement.due, lambda one=retirement: self._finish_retirement(one)  # type: ignore[misc]

    @staticmethod
    def _finish_deposit(one: Deposit) -> None:
        one.due = None
        if one.available:
            one.status = "ACTIVE"
        else:
            one.status = "SETTLED" if one.settled == one.quantity else "WITHDRAWN"

    def _accepted(self, one: Transfer) -> None:
        at = one.due or self.clock()
        one.status, one.registry_status, one.updated, one.due = "ACCEPTED", "SUBMITTED", at, at + REGISTRY_TAKES

    def _settled(self, one: Transfer) -> None:
        at = one.due or self.clock()
        for lot, quantity in one.parts:
            lot.unsettled -= quantity
            if not one.outgoing:
                lot.available += quantity
        one.status, one.registry_status, one.updated, one.settled, one.due = "SETTLED", "COMPLETED", at, at, None

    def _finish_retirement(self, one: Retirement) -> None:
        for lot, quantity in one.parts:
            lot.unsettled -= quantity
            if self.refusing_registry:
                lot.available += quantity
        one.updated = one.due or self.clock()
        one.status = "FAILED" if self.refusing_registry else "COMPLETED"
        one.registry_id = None if self.refusing_registry else f"R{self.number()}"
        one.due = None


def next_settlement_day(day: date) -> date:
    """The day itself or the next one on which something settles."""
    while not settles_on(day):
        day += timedelta(days=1)
    return day


def settles_on(day: date) -> bool:
    """Whether anything settles on a day."""
    return day.weekday() < 5 and day not in HOLIDAYS


def midnight(day: date) -> datetime:
    """The first instant of a day, in UTC."""
    return datetime.combine(day, time(), UTC)
