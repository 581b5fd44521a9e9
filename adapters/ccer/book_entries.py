"""What the stand-in's book is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from adapters.ccer.words import Business, Code, State, Tab


class Place(StrEnum):
    """Where units lie: in the registry account, in the trading account, or in the trading system."""

    REGISTRY = "登记账户"
    TRADING_ACCOUNT = "交易账户"
    PLATFORM = "交易平台"


class Condition(StrEnum):
    """What units are."""

    FREE = "正常"
    IN_FLIGHT = "在途"
    FROZEN = "冻结"


class Way(StrEnum):
    """Which way units went (划转方向)."""

    IN = "转入"
    OUT = "转出"
    WITHIN = "内部划转"
    NONE = "状态变更"


class Role(StrEnum):
    """What an operator may do."""

    MAKER = "登记系统发起代表"
    CHECKER = "登记系统确认代表"


class RefusedHere(Exception):
    """The registry says no.

    Args:
        code: why.
        detail: what of it, for a person; empty where the code says all.
    """

    def __init__(self, code: Code, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Project:
    """A project as the public side shows it."""

    apply_id: str
    name: str
    owner: str
    kind: str
    kind_name: str
    methodology: str
    methodology_name: str
    province: str
    yearly: int


@dataclass(slots=True)
class Opening:
    """An item of a public list. ``apply_status`` is null on all but the items in notice."""

    tab: Tab
    project: Project
    secondary_id: str | None
    status_name: str
    notice: tuple[date, date]
    apply_status: str | None = None
    certified: int | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """What can be traded: a project's issued reductions of one year of generation."""

    project: Project
    year: int
    ccer_id: str

    @property
    def code(self) -> str:
        """The product's code, synthetic as the serials are."""
        return f"CCER-{self.project.apply_id}-{self.year}"

    def serial(self, first: int, last: int) -> str:
        """The synthetic serial of a run of its units."""
        return f"{self.code}-{first:012}-{last:012}"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why units or an account are frozen, and who ordered it."""

    reason: str
    authority: str


@dataclass(slots=True)
class Account:
    """An entity's account; ``trading_number`` is its account at the trading system."""

    number: str
    name: str
    trading_number: str
    frozen: Hold | None = None


@dataclass(slots=True)
class Block:
    """A run of units in one place and condition; the registry divides a block where they differ."""

    block_id: str
    account: str
    product: Product
    first: int
    last: int
    place: Place = Place.REGISTRY
    condition: Condition = Condition.FREE
    hold: Hold | None = None

    @property
    def units(self) -> int:
        """How many units it has."""
        return self.last - self.first + 1

    @property
    def serial(self) -> str:
        """Its serial."""
        return self.product.serial(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Operator:
    """A person at the registry's screen."""

    name: str
    role: Role
    account: str


@dataclass(frozen=True, slots=True)
class AskedLot:
    """Units that an instruction names: a block, how many of it, and which ones where it says."""

    block_id: str
    units: int
    serial: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a maker asks for."""

    reference: str
    business: Business
    account: str
    counter: str | None
    lots: tuple[AskedLot, ...]
    day: date | None = None
    beneficiary: str | None = None
    uscc: str | None = None
    remark: str | None = None


@dataclass(slots=True)
class Instruction:
    """What became of it. ``lots`` are the ids of the blocks that were set aside for it."""

    number: str
    asked: Asked
    maker: str
    submitted_at: datetime
    lapses_at: datetime
    lots: tuple[str, ...]
    serials: tuple[tuple[str, str, int], ...]
    state: State = State.AWAITS_CONFIRMATION
    checker: str | None = None
    confirmed_at: datetime | None = None
    due_at: datetime | None = None
    code: Code | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One line of an account's movements (流水)."""

    flow_id: str
    number: str
    reference: str | None
    business: Business
    way: Way
    account: str
    counter: str | None
    product: Product
    first: int
    last: int
    at: datetime
    beneficiary: str | None = None
    reason: str | None = None
    authority: str | None = None

    @property
    def units(self) -> int:
        """How many units moved."""
        return self.last - self.first + 1


@dataclass(slots=True)
class Shelf:
    """Everything that the book holds, each in the order in which it is shown."""

    projects: list[Project] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    instructions: dict[str, Instruction] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    numbered: dict[str, int] = field(default_factory=dict)
