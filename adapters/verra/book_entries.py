"""The records of the stand-in's book, and what each shows of itself.

A record with a defect is true inside and wrong in what it shows: ``quantity`` and ``serial`` speak of the book,
``stated_quantity`` and the ``shown_`` properties of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from adapters.verra.book_words import STATUS_OF, Country, Scope

PRESENT_EPOCH: Final = "VCS-VCU"
FORMER_EPOCH: Final = "VCU"
FIRST_PRESENT_BATCH: Final = 8_173
LAST_FORMER_BATCH: Final = 8_161

OMNIBUS_NAME: Final = "HKCV Omnibus"
OMNIBUS_NUMBER: Final = 90_420
"""The account in which the home venue holds for its participants (綜合賬戶)."""

UNLISTED_STATE: Final = ("Under Legal Review", "LEGAL_REVIEW")
UNLISTED_PROJECT_STATUS: Final = ("Paused by Committee", "PAUSED_BY_COMMITTEE")

_NANOSECONDS = 1_000_000_000


class BlockKind(StrEnum):
    """Where a block is: also the name of the feed that shows it."""

    HOLDING = "holdings"
    RETIREMENT = "retirements"
    CANCELLATION = "cancellations"


class Defect(StrEnum):
    """What can be wrong with a row that the registry shows."""

    UNKNOWN_STATE = "unknown_state"
    """A holding in a state that no list knows."""
    UNREADABLE_SERIAL = "unreadable_serial"
    """A block whose serial number breaks off after its first number."""
    QUANTITY_MISMATCH = "quantity_mismatch"
    """A block whose quantity is one more than its serial range."""
    UNKNOWN_PROJECT_STATUS = "unknown_project_status"
    """A project with a status word that the vocabulary does not have (yet)."""
    MISSING_SERIAL = "missing_serial"
    """A block whose row lacks the key of the serial number."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A defect that the book contains on purpose.

    Args:
        defect: what is wrong.
        feed: the feed whose row shows it.
        entity_id: that row.
        reason: why a reader must not take the row as it is.
    """

    defect: Defect
    feed: str
    entity_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account holder: the name that the registry shows, and its number."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why units may not move: the reason, and who ordered it where somebody did."""

    reason: str
    authority: str | None = None


@dataclass(slots=True)
class Entry:
    """What every record of the index has.

    Args:
        entity_id: the row's id within its feed.
        modified: when the registry last changed the record.
        updated: when the index last took the record over, to the second.
        nanoseconds: the rest of ``updated``.
        revision: grows with every touch.
        defect: what the row shows wrongly.
    """

    entity_id: int
    modified: datetime
    updated: datetime
    nanoseconds: int
    revision: int = field(default=0, kw_only=True)
    defect: Defect | None = field(default=None, kw_only=True)

    def touch(self, now: datetime) -> None:
        """Marks the record as changed at this instant."""
        self.modified = now.replace(microsecond=0)
        self.updated = self.modified
        self.revision += 1
        self.nanoseconds = (self.entity_id * 7_919 + self.revision * 104_729) % _NANOSECONDS


@dataclass(slots=True)
class Project(Entry):
    """A project. ``annual`` is the estimate in tCO2e a year; ``body_code`` is the number in its serials."""

    number: int
    name: str
    proponent: Account
    status: str
    country: Country
    province: str
    scopes: tuple[Scope, ...]
    methodologies: tuple[tuple[str, str], ...]
    activities: str | None
    annual: int
    body_code: int
    goals: str | None
    submitted: date
    credit_start: date
    credit_end: date
    registered: date | None
    has_region: bool

    @property
    def stated_quantity(self) -> int:
        """A project has no quantity."""
        return 0

    @property
    def scope_names(self) -> str:
        """Its sectoral scopes in words."""
        return "; ".join([scope.name for scope in self.scopes])

    @property
    def shown_status(self) -> tuple[str, str]:
        """The status word and code of its row."""
        if self.defect is Defect.UNKNOWN_PROJECT_STATUS:
            return UNLISTED_PROJECT_STATUS
        return self.status, STATUS_OF[self.status].code


@dataclass(slots=True)
class Batch(Entry):
    """One issuance: a range of numbers of one project, one vintage and one date."""

    number: int
    first: int
    last: int
    project: Project
    vintage_start: date
    vintage_end: date
    issued: datetime
    account: Account
    serial_middle: str
    serial_end: str
    labels: tuple[str, ...]

    @property
    def quantity(self) -> int:
        """Units issued."""
        return self.last - self.first + 1

    @property
    def stated_quantity(self) -> int:
        """What its row says."""
        return self.quantity

    @property
    def vintage(self) -> str:
        """The vintage as the platform writes it: a year, or two."""
        first, last = self.vintage_start.year, self.vintage_end.year
        return str(first) if first == last else f"{first} - {last}"

    @property
    def shown_serial(self) -> str:
        """The serial number of the whole batch."""
        return self.serial(self.first, self.last, flagged=bool(self.labels))

    def serial(self, first: int, last: int, *, flagged: bool) -> str:
        """The serial number of a part of the batch; the flag says that it carries or carried a label."""
        return f"{self.number}-{first}-{last}-{self.serial_middle}{self.serial_end}-{int(flagged)}"


@dataclass(slots=True)
class Block(Entry):
    """A range of one batch that is held, retired or cancelled.

    ``acted`` is when it was retired or cancelled. While it is held, ``hold`` stops it, and ``locked`` names the
    operation that it waits for.
    """

    batch: Batch
    first: int
    last: int
    kind: BlockKind
    account: Account
    labels: tuple[str, ...]
    flagged: bool
    buffer: bool = False
    acted: datetime | None = None
    beneficiary: str | None = None
    reason: str | None = None
    details: str | None = None
    hold: Hold | None = None
    locked: str | None = None

    @property
    def quantity(self) -> int:
        """Units in the block."""
        return self.last - self.first + 1

    @property
    def stated_quantity(self) -> int:
        """What its row says, which a defect can make wrong."""
        return self.quantity + (1 if self.defect is Defect.QUANTITY_MISMATCH else 0)

    @property
    def shown_serial(self) -> str | None:
        """The serial number of its row; ``None`` when the row has no such key."""
        if self.defect is Defect.MISSING_SERIAL:
            return None
        if self.defect is Defect.UNREADABLE_SERIAL:
            return f"{self.batch.number}-{self.first}-"
        return self.batch.serial(self.first, self.last, flagged=self.flagged)

    @property
    def shown_state(self) -> tuple[str, str]:
        """The state word and code of a holding's row."""
        if self.defect is Defect.UNKNOWN_STATE:
            return UNLISTED_STATE
        return ("Active", "ACTIVE") if self.hold is None else ("On Hold", "ON_HOLD")


class ChangeKind(StrEnum):
    """What happened to units in an account, in the word of the account's statement."""

    ISSUED = "Issuance"
    TRANSFERRED = "Transfer"
    RETIRED = "Retirement"
    CANCELLED = "Cancellation"
    HELD = "Hold"
    LIFTED = "Hold Released"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a block; the history of the accounts.

    Args:
        sequence: its place among everything that happened.
        kind: what happened.
        at: when.
        block: the block as it was then.
        account: whose units it concerned; of a transfer, whose they were before.
        target: of a transfer, whose they are now.
        operation: the registry's number of the operation that did it, and a line number; None where nobody asked.
        reference: what the account's holder called that operation.
    """

    sequence: int
    kind: ChangeKind
    at: datetime
    block: Block
    account: Account
    target: Account | None = None
    operation: str | None = None
    reference: str | None = None


def serial_middle(epoch: str, project: Project, origin: str, letters: str, *, scoped: bool) -> str:
    """The part of a serial number between the range and the vintage, ending in a hyphen."""
    scope = f"{project.scopes[0].number}-" if scoped else ""
    return f"{epoch}-{project.body_code:03d}-{origin}-{letters}-{scope}{project.number}-"


def serial_end(vintage: tuple[date, date], separator: str = "-") -> str:
    """The vintage of a serial number, as ``DDMMYYYY-DDMMYYYY``."""
    return separator.join(f"{day.day:02d}{day.month:02d}{day.year:04d}" for day in vintage)


REASONS_OF_DEFECTS: Final[Mapping[Defect, str]] = {
    Defect.UNKNOWN_STATE: f"the state {UNLISTED_STATE[0]!r} is on no list: nobody knows whether the units can move",
    Defect.UNREADABLE_SERIAL: "the serial number breaks off: nobody knows which units these are",
    Defect.QUANTITY_MISMATCH: "the quantity is one more than the serial range: one of the two is wrong",
    Defect.UNKNOWN_PROJECT_STATUS: f"the status {UNLISTED_PROJECT_STATUS[0]!r} is on no list",
    Defect.MISSING_SERIAL: "the row has no serial number: nobody knows which units these are",
}
