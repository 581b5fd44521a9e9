"""What the stand-in's book holds. Money is in whole cents; every instant is UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Project:
    """A project, as one registry knows it. ``upn`` is its number over all registries."""

    id: int
    upn: str
    name: str
    program: str
    number: str
    status: str
    country: str
    country_name: str
    kind: str
    methodology: str


@dataclass(slots=True)
class Instrument:
    """What an EIN stands for: one issuance of a project.

    Attributes:
        issuance_certifications: code and the vintage years that it is for.
        project_certifications: code, first and last day; None is open.
        quarantined: Connect lets nothing be done with its positions.
    """

    id: int
    ein: str
    project: Project
    credit_type: str
    year: int
    start: date
    end: date
    serial: str
    market: str
    issuance_certifications: tuple[tuple[str, tuple[int, ...]], ...] = ()
    project_certifications: tuple[tuple[str, date | None, date | None], ...] = ()
    quarantined: bool = False
    kind: str = "CARBON"

    @property
    def description(self) -> str:
        """As Connect describes it: where, when, what."""
        return f"{self.project.program} {self.project.number} {self.project.country} {self.year} {self.project.kind}"


@dataclass(slots=True)
class TaxLot:
    """Units that came to an account at once. ``began`` is what it was established with."""

    id: int
    account: str
    instrument: Instrument
    name: str
    established: datetime
    began: int
    available: int
    encumbered: int
    unsettled: int
    price: int
    previous: str | None

    @property
    def held(self) -> int:
        """All of it."""
        return self.available + self.encumbered + self.unsettled


@dataclass(slots=True)
class Deposit:
    """A tax lot's units on an execution venue, for one of its markets."""

    identifier: str
    lot: TaxLot
    venue: str
    market: str
    quantity: int
    available: int
    settled: int
    priority: int
    status: str
    due: datetime | None


@dataclass(slots=True)
class Transfer:
    """A bilateral transfer, seen from our account."""

    identifier: str
    batch: str
    outgoing: bool
    counterparty: str
    instrument: Instrument
    parts: list[tuple[TaxLot, int]]
    quantity: int
    price: int
    external: str | None
    status: str
    registry_status: str
    created: datetime
    updated: datetime
    settlement_day: date
    settled: datetime | None
    due: datetime | None


@dataclass(slots=True)
class Retirement:
    """Units on their way out of circulation."""

    identifier: str
    batch: str
    external: str | None
    account: str
    instrument: Instrument
    parts: list[tuple[TaxLot, int]]
    attributes: dict[str, str]
    status: str
    created: datetime
    updated: datetime
    registry_id: str | None
    due: datetime | None

    @property
    def quantity(self) -> int:
        """All of it."""
        return sum(quantity for _, quantity in self.parts)


@dataclass(slots=True)
class Listing:
    """An order in the exchange's book. ``reference`` changes with every amendment, ``original`` never.

    A standardised product names no project, but what is to be certified of the units; one with a project names its
    instrument.
    """

    original: str
    reference: str
    market: str
    product: str
    name: str
    side: str
    kind: str
    quantity: int
    balance: int
    lot: int
    price: int
    status: str
    entered: datetime
    until: datetime | None
    instrument: Instrument | None
    program: str | None
    vintage: str | None
    certifications: tuple[str, ...]


@dataclass(slots=True)
class Trade:
    """A trade on the exchange."""

    identifier: str
    product: str
    order: str | None
    buyer: str
    seller: str
    quantity: int
    price: int
    currency: str
    status: str
    executed: datetime
    settled: datetime | None
    instrument: Instrument | None


@dataclass(frozen=True, slots=True)
class Act:
    """A command that took effect, as a test counts them: what was done, to which ids, how many units of each."""

    kind: str
    parts: tuple[tuple[str, int], ...]
    reference: str | None = None
