"""The stand-in's book: what happens at the venue. It asks its clock and nothing else.

Tests and demonstrations change it from behind by its methods; requests change it by :mod:`adapters.cix.mock_commands`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from adapters.cix.book_entries import (
    SINGAPORE,
    Command,
    Contract,
    Deal,
    DealState,
    Event,
    Movement,
    Notice,
    Offered,
    OrderedLot,
    Position,
    Progress,
    Project,
    RegistryUnits,
    Vintage,
)
from gateway.kit.clock import Clock
from gateway.model.serials import Serial

PROCESSING: Final = timedelta(minutes=3)
"""How long a deposit or a withdrawal takes."""
ARRIVAL_LIMIT: Final = timedelta(minutes=10)
"""How long the venue waits for deposited units before it gives the deposit up."""
ANSWER_LIMIT: Final = timedelta(hours=24)
"""How long a notification waits for its acceptance."""
CONFIRMATION: Final = timedelta(minutes=2)
SETTLES_AT: Final = time(17)
LATE_CHARGE_CENTS: Final = 15_000
"""What each late day costs."""
EVENTS_KEPT: Final = 1_000


@dataclass(slots=True)
class Book:
    """Everything that the venue knows.

    Attributes:
        clock: its time.
        member: our member code there, and ``account`` our account.
        arrivals: units at registries that it recognises when they are deposited.
        commands: what it was told, by the client's order id.
        events: what it has to tell, oldest first; whoever delivers them takes them out.
    """

    clock: Clock
    member: str
    account: str
    projects: dict[str, Project] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    offered: dict[str, Offered] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    arrivals: dict[str, RegistryUnits] = field(default_factory=dict)
    movements: dict[str, Movement] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, prefix: str) -> str:
        """The next id of a kind, in an order that texts keep too: ``POS-000012``."""
        self.numbers[prefix] = self.numbers.get(prefix, 0) + 1
        return f"{prefix}-{self.numbers[prefix]:06d}"

    def today(self) -> date:
        """The day in Singapore."""
        return self.clock().astimezone(SINGAPORE).date()

    # What the venue and its other members do.

    def publish_notice(self, contract: str, projects: Iterable[str]) -> Notice:
        """Replaces a contract's deliverable projects, with immediate effect."""
        now = self.clock()
        number = f"MN {self.today().year}/{len(self.notices) + 1:02d}"
        listed = tuple(projects)
        text = f"With immediate effect the deliverable projects of {contract} are {', '.join(listed) or 'none'}."
        notice = Notice(number, contract, listed, now, text)
        self.notices.append(notice)
        self.contracts[contract].notice = notice
        self.tell("notice.published")
        return notice

    def suspend(self) -> None:
        """Suspends our membership."""
        self.suspended.add(self.member)
        self.tell("member.suspended")

    def reinstate(self) -> None:
        """Ends the suspension."""
        self.suspended.discard(self.member)
        self.tell("member.reinstated")

    def halt(self, contract: str, *, halted: bool = True) -> None:
        """Halts or resumes a contract."""
        self.contracts[contract].halted = halted

    def retire_contract(self, contract: str, on: date | None = None) -> None:
        """Delists a contract from a day on; today where none is named."""
        self.contracts[contract].delisted_on = on or self.today()

    def withdraw_listing(self, listing: str) -> None:
        """Takes a marketplace listing down."""
        self.offered[listing].withdrawn = True

    def lose_label(self, listing: str, label: str) -> None:
        """Takes a label off a marketplace listing."""
        one = self.offered[listing]
        one.labels = tuple(other for other in one.labels if other != label)

    def freeze(self, position: str, quantity: int, reason: str) -> None:
        """Freezes units of a position; 0 ends the freeze. Raises ValueError for more than are there to be frozen."""
        one = self.positions[position]
        there = one.quantity - one.reserved - one.leaving
        if quantity > there:
            raise ValueError(f"found {quantity} to freeze, only {there} of {position} are not on their way out or sold")
        one.frozen, one.freeze_reason = quantity, reason if quantity else None

    def expect(self, units: RegistryUnits) -> None:
        """Makes units recognisable when somebody deposits them."""
        self.arrivals[units.holding] = units

    def notify(
        self,
        *,
        buyer: str,
        seller: str,
        project: str,
        vintage: Vintage,
        quantity: int,
        cents: int,
        position: str | None = None,
    ) -> Deal:
        """Another member notifies CIX Clear of a trade with us, and asks us to accept it.

        Where we sell, ``position`` names the units.
        """
        now = self.clock()
        deal = Deal(
            id=self.number("CTN"),
            method="CTN_UNILATERAL",
            instrument=project,
            listing=None,
            buyer=buyer,
            seller=seller,
            quantity=quantity,
            cents=cents,
            project=self.projects[project],
            vintage=vintage,
            state=DealState.AWAITING_ACCEPTANCE,
            made_at=now,
            updated_at=now,
            settlement_on=_settlement_day(self.today()),
            position=position,
            due_at=now + ANSWER_LIMIT,
        )
        self.deals[deal.id] = deal
        self.tell("ctn.submitted", deal.id)
        return deal

    def execute(self, contract: str, lots: int, *, cents: int, project: str, counterparty: str) -> Deal:
        """We buy on the exchange; the units of ``project`` are delivered at settlement."""
        now, kind = self.clock(), self.contracts[contract]
        deal = Deal(
            id=self.number("TRD"),
            method="EXCHANGE",
            instrument=contract,
            listing=None,
            buyer=self.member,
            seller=counterparty,
            quantity=lots * 1_000,
            cents=cents,
            project=self.projects[project],
            vintage=kind.vintage,
            state=DealState.EXECUTED,
            made_at=now,
            updated_at=now,
            settlement_on=_settlement_day(self.today()),
        )
        deal.due_at = _settles(deal.settlement_on)
        self.deals[deal.id] = deal
        return deal

    def hold_up(self, deal: str, *, held_up: bool = True) -> None:
        """Makes a deal miss its settlement day, or ends that; each late day is charged for."""
        self.deals[deal].held_up = held_up

    def tell(self, kind: str, ctn: str | None = None) -> None:
        """Notes an event for the members."""
        self.events.append(Event(self.number("evt"), kind, self.clock(), ctn))

    # What time does.

    def catch_up(self) -> None:
        """Lets everything happen that is due by now; asked again at the same instant, it does nothing."""
        now = self.clock()
        for command in self.commands.values():
            if command.progress is Progress.PROCESSING and command.due_at is not None and command.due_at <= now:
                self._finish(command)
        for deal in self.deals.values():
            while deal.due_at is not None and deal.due_at <= now:
                self._advance(deal, deal.due_at)

    def _finish(self, command: Command) -> None:
        if command.direction == "DEPOSIT":
            self._take_in(command)
        else:
            self._let_go(command)
        at = command.due_at or self.clock()
        for movement in (self.movements[one] for one in command.movements):
            movement.progress, movement.reason, movement.updated_at = command.progress, command.code, at
        self.tell("transfer.completed" if command.code is None else "transfer.rejected")

    def _take_in(self, command: Command) -> None:
        arrived = [self.arrivals.get(lot.holding) for lot in command.lots]
        names = [lot.holding for lot in command.lots]
        for lot, units in zip(command.lots, arrived, strict=True):
            if units is None or units.quantity != lot.quantity or names.count(lot.holding) > 1:
                self._refuse(command, "UNITS_NOT_RECEIVED", f"{lot.holding} did not arrive as announced")
                return
            if units.project.id not in self.projects:
                self._refuse(command, "PROJECT_NOT_ACCEPTED", f"{units.project.id} is not traded here")
                return
        moved = []
        for lot, number in zip(command.lots, command.movements, strict=True):
            units = self.arrivals.pop(lot.holding)
            position = self.add_position(units.project, units.vintage, units.quantity, units.serial)
            moved.append(OrderedLot(position.id, serial_text(units.serial), units.quantity))
            movement = self.movements[number]
            movement.position, movement.serial = position.id, serial_text(units.serial)
            movement.project, movement.vintage = units.project, units.vintage
        command.progress, command.moved = Progress.COMPLETED, tuple(moved)

    def _let_go(self, command: Command) -> None:
        moved = []
        for lot, number in zip(command.lots, command.movements, strict=True):
            position = self.positions[lot.holding]
            position.leaving -= lot.quantity
            taken = serial_text(position.take(lot.quantity))
            moved.append(OrderedLot(lot.holding, taken, lot.quantity))
            self.movements[number].serial = taken
            self._drop_if_empty(position)
        command.progress, command.moved = Progress.COMPLETED, tuple(moved)

    @staticmethod
    def _refuse(command: Command, code: str, message: str) -> None:
        command.progress, command.code, command.message = Progress.REJECTED, code, message

    def _advance(self, deal: Deal, at: datetime) -> None:
        deal.updated_at = at
        if deal.state is DealState.AWAITING_ACCEPTANCE:
            self._end(deal, DealState.LAPSED)
        elif deal.state is DealState.ACCEPTED:
            deal.state, deal.due_at = DealState.CONFIRMED, max(_settles(deal.settlement_on), at)
            self._answered(deal, Progress.COMPLETED)
        elif deal.held_up:
            deal.state, deal.due_at = DealState.LATE, at + timedelta(days=1)
            deal.charge_cents += LATE_CHARGE_CENTS
        else:
            self._end(deal, DealState.SETTLED)
            self._deliver(deal, at)
        if deal.is_ctn:
            self.tell(f"ctn.{deal.state.value.lower()}", deal.id)

    @staticmethod
    def _end(deal: Deal, state: DealState) -> None:
        deal.state, deal.due_at = state, None

    def _answered(self, deal: Deal, progress: Progress) -> None:
        for command in self.commands.values():
            if command.ctn == deal.id and command.progress is Progress.PROCESSING:
                command.progress = progress

    def _deliver(self, deal: Deal, at: datetime) -> None:
        if deal.project is None or deal.vintage is None:
            return
        if deal.buyer == self.member:
            self.add_position(deal.project, deal.vintage, deal.quantity, None)
            self.add_movement("DELIVERY", "IN", deal, at, None)
        elif deal.position is not None:
            position = self.positions[deal.position]
            position.reserved -= deal.quantity
            self.add_movement("DELIVERY", "OUT", deal, at, serial_text(position.take(deal.quantity)))
            self._drop_if_empty(position)

    def _drop_if_empty(self, position: Position) -> None:
        if position.quantity == 0:
            del self.positions[position.id]

    # What it is made of.

    def add_position(self, project: Project, vintage: Vintage, quantity: int, serial: Serial | None) -> Position:
        """Units come into the venue's keeping for us; those without serials join a position of their like."""
        if serial is None:
            for one in self.positions.values():
                if one.serial is None and (one.project, one.vintage) == (project, vintage):
                    one.quantity += quantity
                    return one
        position = Position(self.number("POS"), self.account, project, vintage, quantity, serial)
        self.positions[position.id] = position
        return position

    def add_movement(self, kind: str, direction: str, deal: Deal, at: datetime, serial: str | None) -> Movement:
        """A line of the statement for a settled deal."""
        other = deal.seller if direction == "IN" else deal.buyer
        movement = Movement(
            id=self.number("MOV"),
            account=self.account,
            kind=kind,
            direction=direction,
            progress=Progress.COMPLETED,
            quantity=deal.quantity,
            project=deal.project,
            vintage=deal.vintage,
            serial=serial,
            position=deal.position,
            counter_account=other,
            client_order_id=None,
            reason=deal.id,
            created_at=at,
            updated_at=at,
        )
        self.movements[movement.id] = movement
        return movement


def serial_text(serial: Serial | None) -> str | None:
    """The text of a serial, where there is one."""
    return None if serial is None else serial.text


def _settlement_day(day: date) -> date:
    """Two weekdays later."""
    left = 2
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def _settles(day: date) -> datetime:
    return datetime.combine(day, SETTLES_AT, SINGAPORE)
