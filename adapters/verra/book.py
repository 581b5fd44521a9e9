"""The stand-in's book: what the registry holds, and what can happen to it.

Serial blocks are consistent: the range of every batch is exactly the union of its holdings, retirements and
cancellations, without overlap, and the two numbering epochs count on their own. A row that is shown wrongly (see
``Defect``) is wrong in what it shows; the book behind it stays true. A change touches the rows it concerns, and no
others: their ``esUpdatedOn`` moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from adapters.verra.book_words import STATUS_OF, Country, Scope
from gateway.kit.mock import Clock

_NANOSECONDS = 1_000_000_000
UNLISTED_STATE = ("Under Legal Review", "LEGAL_REVIEW")
UNLISTED_PROJECT_STATUS = ("Paused by Committee", "PAUSED_BY_COMMITTEE")


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
    """A range of one batch that is held, retired or cancelled. ``acted`` is when it was retired or cancelled."""

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
        return UNLISTED_STATE if self.defect is Defect.UNKNOWN_STATE else ("Active", "ACTIVE")


class Book:
    """All records of the registry, and what can be done to them.

    Args:
        clock: when changes happen.
        next_entity: the id that the next new record gets.
    """

    def __init__(self, clock: Clock, *, next_entity: int) -> None:
        self.projects: dict[int, Project] = {}
        self.batches: dict[int, Batch] = {}
        self.holdings: dict[int, Block] = {}
        self.retirements: dict[int, Block] = {}
        self.cancellations: dict[int, Block] = {}
        self.accounts: dict[str, Account] = {}
        self.planted: list[Planted] = []
        self._clock = clock
        self._next_entity = next_entity

    def blocks(self) -> Iterator[Block]:
        """Every block there is: held, retired, cancelled."""
        yield from self.holdings.values()
        yield from self.retirements.values()
        yield from self.cancellations.values()

    def new_entity(self) -> int:
        """An entity id that was never used."""
        self._next_entity += 1
        return self._next_entity - 1

    def account(self, name: str) -> Account:
        """The account of this name; it is opened at its first use."""
        return self.accounts.setdefault(name, Account(name, 1_000 + len(self.accounts)))

    def put(self, block: Block) -> None:
        """Files a block under its kind."""
        self._shelf(block.kind)[block.entity_id] = block

    def retire(
        self,
        holding_id: int,
        *,
        units: tuple[int, int] | None = None,
        beneficiary: str | None = None,
        reason: str | None = None,
        details: str | None = None,
    ) -> Block:
        """Retires a holding, or the inclusive range ``units`` of it, and returns the retirement.

        Raises KeyError when there is no such holding, ValueError when the range is not inside it.
        """
        ended = self._end(holding_id, units, BlockKind.RETIREMENT)
        ended.beneficiary, ended.reason, ended.details = beneficiary, reason, details
        return ended

    def cancel(self, holding_id: int, *, units: tuple[int, int] | None = None, reason: str | None = None) -> Block:
        """Cancels a holding or a part of it, and returns the cancellation. Raises as ``retire`` does."""
        ended = self._end(holding_id, units, BlockKind.CANCELLATION)
        ended.reason = reason
        return ended

    def transfer(self, holding_id: int, to: str, *, units: tuple[int, int] | None = None) -> Block:
        """Moves a holding or a part of it to the account named ``to``, and returns what is held there now.

        A whole holding keeps its row; a part becomes a new one. Raises as ``retire`` does.
        """
        moved = self._take(holding_id, units)
        moved.account = self.account(to)
        self.put(moved)
        return moved

    def issue(
        self, project_number: int, quantity: int, *, vintage: tuple[date, date], account: str | None = None
    ) -> Batch:
        """Issues units of a project to an account (the proponent's without one) and returns the batch.

        The batch takes the next number of the present epoch, and the units the numbers after the last.
        Raises KeyError when there is no such project, ValueError when nothing would be issued.
        """
        if quantity < 1:
            raise ValueError(f"found a quantity of {quantity}; an issuance has one unit or more")
        project, now = self.projects[project_number], self._clock.now()
        present = [batch for batch in self.batches.values() if batch.serial_middle.startswith(PRESENT_EPOCH)]
        first = 1 + max((batch.last for batch in present), default=0)
        batch = Batch(
            entity_id=self.new_entity(),
            modified=now,
            updated=now,
            nanoseconds=0,
            number=1 + max((batch.number for batch in present), default=FIRST_PRESENT_BATCH - 1),
            first=first,
            last=first + quantity - 1,
            project=project,
            vintage_start=vintage[0],
            vintage_end=vintage[1],
            issued=now,
            account=project.proponent if account is None else self.account(account),
            serial_middle=serial_middle(PRESENT_EPOCH, project, "VER", project.country.letters, scoped=True),
            serial_end=serial_end(vintage),
            labels=(),
        )
        batch.touch(now)
        self.batches[batch.entity_id] = batch
        held = self._block_of(batch, BlockKind.HOLDING)
        held.touch(now)
        self.put(held)
        return batch

    def set_project_status(self, project_number: int, word: str) -> None:
        """Gives a project another status. Raises KeyError for an unknown project, ValueError for an unknown word."""
        if word not in STATUS_OF:
            raise ValueError(f"found the project status {word!r}; expected one of {', '.join(STATUS_OF)}")
        project = self.projects[project_number]
        project.status = word
        project.touch(self._clock.now())

    def add_label(self, holding_id: int, label: str) -> None:
        """Adds a label to a holding, whose serial is flagged from then on. Raises KeyError when there is none."""
        holding = self.holdings[holding_id]
        if label not in holding.labels:
            holding.labels = (*holding.labels, label)
        holding.flagged = True
        holding.touch(self._clock.now())

    def plant(self, defect: Defect, entity_id: int) -> Planted:
        """Makes the row of a record show something wrong, and notes it in ``planted``.

        Raises KeyError when no record of the fitting feeds has this id: a project for an unknown project status, a
        holding for an unknown state, any block for the others.
        """
        feed, record = self._find(defect, entity_id)
        record.defect = defect
        record.touch(self._clock.now())
        planted = Planted(defect, feed, entity_id, REASONS_OF_DEFECTS[defect])
        self.planted.append(planted)
        return planted

    def _find(self, defect: Defect, entity_id: int) -> tuple[str, Project | Block]:
        if defect is Defect.UNKNOWN_PROJECT_STATUS:
            for project in self.projects.values():
                if project.entity_id == entity_id:
                    return "project", project
        else:
            kinds = (BlockKind.HOLDING,) if defect is Defect.UNKNOWN_STATE else tuple(BlockKind)
            for kind in kinds:
                if entity_id in self._shelf(kind):
                    return kind.value, self._shelf(kind)[entity_id]
        raise KeyError(f"no row {entity_id} in a feed that can show {defect.value}")

    def _end(self, holding_id: int, units: tuple[int, int] | None, kind: BlockKind) -> Block:
        now = self._clock.now()
        ended = replace(self._take(holding_id, units), entity_id=self.new_entity(), kind=kind, acted=now)
        ended.touch(now)
        self.put(ended)
        return ended

    def _take(self, holding_id: int, units: tuple[int, int] | None) -> Block:
        """Takes a range out of a holding; what is left of it stays held, in one row or two."""
        holding = self.holdings[holding_id]
        first, last = units or (holding.first, holding.last)
        if not holding.first <= first <= last <= holding.last:
            raise ValueError(
                f"found the range {first}-{last}; expected one inside {holding.first}-{holding.last} "
                f"of holding {holding_id}"
            )
        now = self._clock.now()
        left = [(holding.first, first - 1), (last + 1, holding.last)]
        left = [(start, end) for start, end in left if start <= end]
        del self.holdings[holding_id]
        for position, (start, end) in enumerate(left):
            kept_id = holding_id if position == 0 else self.new_entity()
            kept = replace(holding, entity_id=kept_id, first=start, last=end)
            kept.touch(now)
            self.put(kept)
        taken = replace(holding, entity_id=self.new_entity() if left else holding_id, first=first, last=last)
        taken.touch(now)
        return taken

    def _block_of(self, batch: Batch, kind: BlockKind) -> Block:
        return Block(
            entity_id=self.new_entity(),
            modified=batch.modified,
            updated=batch.updated,
            nanoseconds=batch.nanoseconds,
            batch=batch,
            first=batch.first,
            last=batch.last,
            kind=kind,
            account=batch.account,
            labels=batch.labels,
            flagged=bool(batch.labels),
        )

    def _shelf(self, kind: BlockKind) -> dict[int, Block]:
        return {
            BlockKind.HOLDING: self.holdings,
            BlockKind.RETIREMENT: self.retirements,
            BlockKind.CANCELLATION: self.cancellations,
        }[kind]


PRESENT_EPOCH = "VCS-VCU"
FORMER_EPOCH = "VCU"
FIRST_PRESENT_BATCH = 8_173
LAST_FORMER_BATCH = 8_161

REASONS_OF_DEFECTS = {
    Defect.UNKNOWN_STATE: f"the state {UNLISTED_STATE[0]!r} is on no list: nobody knows whether the units can move",
    Defect.UNREADABLE_SERIAL: "the serial number breaks off: nobody knows which units these are",
    Defect.QUANTITY_MISMATCH: "the quantity is one more than the serial range: one of the two is wrong",
    Defect.UNKNOWN_PROJECT_STATUS: f"the status {UNLISTED_PROJECT_STATUS[0]!r} is on no list",
    Defect.MISSING_SERIAL: "the row has no serial number: nobody knows which units these are",
}


def serial_middle(epoch: str, project: Project, origin: str, letters: str, *, scoped: bool) -> str:
    """The part of a serial number between the range and the vintage, ending in a hyphen."""
    scope = f"{project.scopes[0].number}-" if scoped else ""
    return f"{epoch}-{project.body_code:03d}-{origin}-{letters}-{scope}{project.number}-"


def serial_end(vintage: tuple[date, date], separator: str = "-") -> str:
    """The vintage of a serial number, as ``DDMMYYYY-DDMMYYYY``."""
    return separator.join(f"{day.day:02d}{day.month:02d}{day.year:04d}" for day in vintage)
