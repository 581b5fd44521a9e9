"""What one serial number is: where its numbers are counted, which units it names, and what else it says."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from gateway.model.serials.ranges import SerialRange

# An epoch starts with a small letter and a scope has none, so no two spaces share a key.
_SPACE_PARTS = MappingProxyType(
    {
        "registry": re.compile(r"[a-z][a-z0-9-]*", re.ASCII),
        "epoch": re.compile(r"(?:[a-z][a-z0-9-]*)?", re.ASCII),
        "scope": re.compile(r"[A-Z0-9-]*", re.ASCII),
    }
)


class RefusalCode(StrEnum):
    """Why a text is not a serial number. The values are stable: they are stored and reported."""

    UNREADABLE = "SERIAL_UNREADABLE"
    """The text does not have the shape of the registry's serials."""
    BACKWARDS = "SERIAL_BACKWARDS"
    """The first unit number is above the last."""
    DATE = "SERIAL_DATE"
    """The vintage names a day that no calendar has, or ends before it starts."""
    PARTS_DISAGREE = "SERIAL_PARTS_DISAGREE"
    """The two ends of a range are whole serials that differ in more than their number."""


@dataclass(frozen=True, slots=True)
class SerialRefused:
    """A text that is no serial number: a stable code, and a reason for the person who must mend it."""

    code: RefusalCode
    reason: str


class SerialError(ValueError):
    """A text that had to be a serial number is none.

    Args:
        refused: the code and the reason; also at ``.code`` and ``.reason``.
    """

    def __init__(self, refused: SerialRefused) -> None:
        self.code = refused.code
        self.reason = refused.reason
        super().__init__(f"{refused.code}: {refused.reason}")


@dataclass(frozen=True, slots=True)
class NumberingSpace:
    """Where unit numbers are unique: two ranges may be compared only inside one space.

    A registry that restarts its count does so per ``scope`` (Gold Standard: per batch) or, once, by
    renumbering, which begins another ``epoch`` (Verra: ``vcu``, then ``vcs-vcu``).

    Args:
        registry: small letters, for example ``gold-standard``.
        epoch: small letters, or empty when the registry has had one.
        scope: capitals and digits as in the serial, or empty when the count never restarts.

    Raises ValueError when a part has other characters.
    """

    registry: str
    epoch: str = ""
    scope: str = ""

    def __post_init__(self) -> None:
        for name, pattern in _SPACE_PARTS.items():
            value: str = getattr(self, name)
            if not pattern.fullmatch(value):
                raise ValueError(f"found {value!a} as the {name} of a numbering space; expected {pattern.pattern}")

    @property
    def key(self) -> str:
        """Stable text that identifies the space, for example ``verra:vcs-vcu`` or ``gold-standard:30256``."""
        return f"{self.registry}:{'/'.join(part for part in (self.epoch, self.scope) if part)}"


@dataclass(frozen=True, slots=True)
class SerialFacts:
    """What a serial says beside its range. None: this registry's serials do not say it.

    It is what was written at issuance and is never checked against anything: country codes, for one, are
    frozen there and may be wrong (Verra has Indonesian projects under ``CH``).

    Args:
        batch: the issuance, as the registry numbers it.
        project: the project's number without the registry's prefix.
        country: two letters.
        vintage_start: first day of the vintage.
        vintage_end: last day of the vintage, included.
        vintage_year: the year, from registries whose serials name no days. It is a name, not the calendar
            year: ACR's 2025 may cover December 2024 to June 2025.
        unit_kind: the registry's code for the kind of unit (CAR ``ROC``, CDM ``5``, Plan Vivo ``fPVC``).
        project_type: the registry's code for the type of project (Verra: the sectoral scope).
        flag: Verra's last digit: ``1`` when the units carry, or once carried, a label.
    """

    batch: str | None = None
    project: str | None = None
    country: str | None = None
    vintage_start: date | None = None
    vintage_end: date | None = None
    vintage_year: int | None = None
    unit_kind: str | None = None
    project_type: str | None = None
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """A serial's text around its two numbers; with the numbers put back it is the text as received.

    ``width`` is how many digits a number has, zeros in front; 0 where it is written as it is.
    """

    before: str
    between: str
    after: str
    width: int = 0

    def around(self, units: SerialRange) -> str:
        """The text for a range of units."""
        first, last = (str(number).zfill(self.width) for number in (units.first, units.last))
        return f"{self.before}{first}{self.between}{last}{self.after}"


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial number that was read: the units ``range`` of ``space``, and what the text says of them."""

    space: NumberingSpace
    range: SerialRange
    wording: Wording
    facts: SerialFacts

    @property
    def text(self) -> str:
        """The text as received. Parsing it gives this serial again, and formatting a parsed text is identity."""
        return self.wording.around(self.range)

    def with_range(self, units: SerialRange) -> Serial:
        """The serial, as the registry would print it, of other units of the same batch.

        Needed when a block is split or its parts come together. That the units belong to the batch is the
        caller's to know: the text cannot tell.
        """
        return replace(self, range=units)
