"""What a registry publishes: project, batch (an issuance) and block.

Names follow CAD Trust v2 for project, issuance and unit, and the Carbon Data Open Protocol for block and label.
"""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import model_validator

from gateway.model.records.base import Record, Units, require_range, require_vintage
from gateway.model.vocabulary import ProjectState, QuantityUnit, UnitState


class Project(Record):
    """A mitigation project as its registry lists it."""

    project_id: str
    name: str | None
    state: ProjectState
    state_native: str | None
    proponent: str | None
    country: str | None
    country_native: str | None
    region_native: str | None
    sectors_native: str | None
    activities_native: str | None
    methodologies_native: str | None
    estimated_annual_units: int | None
    registered_on: dt.date | None
    crediting_start: dt.date | None
    crediting_end: dt.date | None


class _Serialised(Record):
    """What a batch and a block have in common: a serial range of a project's units of one vintage."""

    serial: str
    space: str
    first: int | None
    last: int | None
    quantity: Units
    quantity_unit: QuantityUnit
    project_id: str
    batch_id: str | None
    unit_kind: str
    vintage_start: dt.date
    vintage_end: dt.date
    issued_on: dt.date | None
    labels: tuple[str, ...]
    labels_native: str | None
    country: str | None
    country_native: str | None
    methodologies_native: str | None
    project_name: str | None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        require_range(self.first, self.last, self.quantity)
        require_vintage(self.vintage_start, self.vintage_end)
        return self


class Batch(_Serialised):
    """One issuance: the range that a registry issued at once, whatever became of its units since."""

    state: UnitState
    state_native: str | None


class Block(_Serialised):
    """A run of consecutive units of one project and vintage, in one state, as a registry shows it.

    ``buffer`` marks units in a programme's risk pool: they exist, and nobody may sell them.
    """

    state: UnitState
    state_native: str | None
    buffer: bool
    ended_on: dt.date | None
    holder: str | None
    beneficiary: str | None
    reason_native: str | None
    remarks: str | None
