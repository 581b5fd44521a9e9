"""What the stand-in's book is made of. Quantities are credits, prices are US cents a credit, instants are UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from gateway.model.serials import Serial, SerialRange

SINGAPORE = ZoneInfo("Asia/Singapore")
LOT = 1_000


@dataclass(frozen=True, slots=True)
class Project:
    """A project of another registry whose units are traded here; ``standard`` is ``VCS`` or ``GS``."""

    standard: str
    number: str
    name: str
    country: str
    methodology: str

    @property
    def id(self) -> str:
        """As the venue writes it: ``VCS-1748``."""
        return f"{self.standard}-{self.number}"

    @property
    def registry(self) -> str:
        """The registry that keeps its units."""
        return "Verra" if self.standard == "VCS" else "Gold Standard"

    @property
    def unit_kind(self) -> str:
        """What its units are called."""
        return "VCU" if self.standard == "VCS" else "VER"


@dataclass(frozen=True, slots=True)
class Vintage:
    """A vintage window, both days included."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Notice:
    """A market notice that names what may be delivered into a contract, from its instant on."""

    number: str
    contract: str
    projects: tuple[str, ...]
    effective_from: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Level:
    """The best price of one side of a contract's order book, and the lots at it."""

    cents: int
    lots: int


@dataclass(slots=True)
class Contract:
    """A standard contract: a vintage window, a list of projects, and lots of 1,000 credits."""

    code: str
    product: str
    name: str
    country_group: str | None
    assessment: str
    vintage: Vintage
    listed_on: date
    delisted_on: date | None
    notice: Notice
    halted: bool = False
    bid: Level | None = None
    ask: Level | None = None

    @property
    def standard(self) -> str:
        """Whose units are delivered into it: Nature X and the classes that end in V take Verra's alone."""
        return "GS" if (self.country_group or "").endswith("G") else "VCS"

    def state(self, today: date) -> str:
        """``LISTED``, ``HALTED``, ``RETIRED``, by the day in Singapore."""
        if self.delisted_on is not None and today >= self.delisted_on:
            return "RETIRED"
        return "HALTED" if self.halted else "LISTED"


@dataclass(slots=True)
class Offered:
    """A single-project listing of the marketplace; without a price it is a request for quotes."""

    id: str
    project: Project
    vintage: Vintage
    quantity: int
    cents: int | None
    labels: tuple[str, ...]
    listed_at: datetime
    valid_until: datetime
    withdrawn: bool = False

    def state(self, now: datetime) -> str:
        """``LIVE``, ``WITHDRAWN``, ``SOLD_OUT`` or ``EXPIRED``."""
        if self.withdrawn:
            return "WITHDRAWN"
        if self.quantity == 0:
            return "SOLD_OUT"
        return "EXPIRED" if now >= self.valid_until else "LIVE"


@dataclass(slots=True)
class Position:
    """Units of one project and vintage that the venue keeps for a member.

    ``reserved`` are committed to trades that are not settled, ``leaving`` to withdrawals under way. ``serial`` is there
    where the venue knows it.
    """

    id: str
    account: str
    project: Project
    vintage: Vintage
    quantity: int
    serial: Serial | None
    reserved: int = 0
    leaving: int = 0
    frozen: int = 0
    freeze_reason: str | None = None

    @property
    def available(self) -> int:
        """What may be sold or withdrawn."""
        return self.quantity - self.reserved - self.leaving - self.frozen

    def take(self, quantity: int) -> Serial | None:
        """Takes the first units out, and says which they were."""
        taken = None
        if self.serial is not None:
            first = self.serial.range.first
            taken = self.serial.with_range(SerialRange(first, first + quantity - 1))
            rest = SerialRange(first + quantity, self.serial.range.last) if quantity < self.quantity else None
            self.serial = None if rest is None else self.serial.with_range(rest)
        self.quantity -= quantity
        return taken


@dataclass(frozen=True, slots=True)
class RegistryUnits:
    """Units in a registry account of the member, which the venue will recognise when they arrive."""

    holding: str
    project: Project
    vintage: Vintage
    quantity: int
    serial: Serial | None


class Progress(StrEnum):
    """How far a command or a movement has come."""

    RECEIVED = "RECEIVED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class OrderedLot:
    """Units as a command names them."""

    holding: str
    serial: str | None
    quantity: int


@dataclass(slots=True)
class Command:
    """A transfer, or an answer to a notification, as the venue keeps it under the client's order id.

    ``asked`` is the request as it was compared, ``answer`` what was said to it at once.
    """

    client_order_id: str
    member: str
    reference: str
    account: str
    collection: str
    asked: str
    made_at: datetime
    lots: tuple[OrderedLot, ...] = ()
    direction: str | None = None
    registry_account: str | None = None
    ctn: str | None = None
    progress: Progress = Progress.RECEIVED
    due_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    moved: tuple[OrderedLot, ...] = ()
    answer: tuple[int, bytes] = (0, b"")
    movements: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Movement:
    """One line of an account's statement."""

    id: str
    account: str
    kind: str
    direction: str
    progress: Progress
    quantity: int
    project: Project | None
    vintage: Vintage | None
    serial: str | None
    position: str | None
    counter_account: str | None
    client_order_id: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


class DealState(StrEnum):
    """How far a trade has come; the first three, ``REJECTED`` and ``LAPSED`` only on CIX Clear."""

    AWAITING_ACCEPTANCE = "AWAITING_ACCEPTANCE"
    ACCEPTED = "ACCEPTED"
    CONFIRMED = "CONFIRMED"
    EXECUTED = "EXECUTED"
    LATE = "LATE"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"


@dataclass(slots=True)
class Deal:
    """A trade of the exchange or the marketplace, or a Clear Transaction Notification of one made elsewhere.

    ``method`` is ``EXCHANGE``, ``MARKETPLACE``, ``CTN_UNILATERAL`` (one side notifies, the other accepts) or
    ``CTN_BILATERAL`` (both notify, and the venue pairs them). ``position`` is the seller's, where that is us.
    ``charge_cents`` is what late settlement has cost so far.
    """

    id: str
    method: str
    instrument: str
    listing: str | None
    buyer: str
    seller: str
    quantity: int
    cents: int
    project: Project | None
    vintage: Vintage | None
    state: DealState
    made_at: datetime
    updated_at: datetime
    settlement_on: date
    reference: str | None = None
    position: str | None = None
    due_at: datetime | None = None
    held_up: bool = False
    charge_cents: int = 0

    @property
    def is_ctn(self) -> bool:
        """Whether it came by CIX Clear."""
        return self.method.startswith("CTN_")


@dataclass(frozen=True, slots=True)
class Event:
    """Something the venue tells its members of; ``ctn`` names the notification that it is about."""

    id: str
    type: str
    at: datetime
    ctn: str | None = None
