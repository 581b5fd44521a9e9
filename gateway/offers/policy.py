"""The admission policy: versioned, dated data beside the home venue's mapping documents.

Two files, ``admission/policy.yaml`` and ``admission/deliverables.yaml``. Each holds versions with the day from which
they hold; the one that holds on a day is the last that began by then. What they say is a decision of the venue's, so it
is data and not code, and a decision names the version it was made under.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import re
from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import Annotated, Final, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    model_validator,
)

from gateway.kit.mapping.document import DOCUMENT_LIMIT, FAULTS_LIMIT
from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.model.commands import RATE_SCALE
from gateway.model.errors import ConfigurationError
from gateway.model.money import Currency
from gateway.model.records import PRICE_SCALE
from gateway.model.vocabulary import ProjectState, UnitState

FOLDER: Final = "admission"
DECIMAL: Final = re.compile(r"(?P<whole>[0-9]{1,9})(?:\.(?P<places>[0-9]+))?")


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value


def _day(value: object) -> object:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def _scaled(scale: int) -> Callable[[object], object]:
    """Reads a decimal text as a whole number of ``10 ** -scale``; what would be rounded is refused."""

    def read(value: object) -> object:
        found = DECIMAL.fullmatch(value) if isinstance(value, str) else None
        if found is None or len(found["places"] or "") > scale:
            return value
        return int(found["whole"] + (found["places"] or "").ljust(scale, "0"))

    return read


Number = Annotated[int, BeforeValidator(_number), Field(ge=0)]
Day = Annotated[dt.date, BeforeValidator(_day)]
PriceText = Annotated[int, BeforeValidator(_scaled(PRICE_SCALE)), Field(ge=1)]
RateText = Annotated[int, BeforeValidator(_scaled(RATE_SCALE)), Field(ge=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Programme(_Part):
    """A crediting programme that the venue accepts, and its conditions.

    ``labels_any_of``: a unit needs one of these; none are needed where it is empty. ``cross_border``: whether units of
    the programme may be traded across the border at all; ``cross_border_why`` is told where they may not.
    """

    programme: StrictStr
    name: StrictStr
    name_native: StrictStr | None = None
    unit_kinds: tuple[StrictStr, ...] = Field(min_length=1)
    earliest_vintage: Number
    labels_any_of: tuple[StrictStr, ...] = ()
    cross_border: StrictBool = True
    cross_border_why: StrictStr | None = None

    @model_validator(mode="after")
    def _refusal_has_its_reason(self) -> Self:
        if not self.cross_border and self.cross_border_why is None:
            raise ValueError("expected cross_border_why where cross_border is false")
        return self


class AskingPrice(_Part):
    """At what our own units are offered while no participant quotes them: of a programme, or of one project of it."""

    programme: StrictStr
    project_id: StrictStr | None = None
    price: PriceText
    currency: Currency


class ReferenceRate(_Part):
    """How a price seen in one currency is shown in another: units of ``into`` for one of ``seen_in``."""

    seen_in: Currency
    into: Currency
    rate: RateText
    source: StrictStr


class PolicyVersion(_Part):
    """What holds from a day on.

    Attributes:
        programmes: the accepted ones; any other is refused.
        unit_states: the states in which units may be offered.
        project_states: the states that a project may be in.
        excluded_labels: labels that keep a unit out.
        registry_inventory: what becomes of units that a registry shows and nobody has put up for sale.
        venue_positions: what becomes of our units that are earmarked at another venue.
        snapshot_hours: how old a complete snapshot may be for a firm offer.
        listing_hours: how old a complete reading of a venue's listings may be for an indicative one.
        lot: the smallest quantity, and the step.
        quoted_in: the currencies that the venue quotes.
        price_step: the step of its prices; a converted price is rounded to it, half a step up.
        asking_prices: the first that fits a class is its price.
        reference_rates: for prices seen in other currencies.
    """

    version: StrictStr
    effective_from: Day
    source: StrictStr
    programmes: tuple[Programme, ...] = Field(min_length=1)
    unit_states: tuple[UnitState, ...]
    project_states: tuple[ProjectState, ...]
    excluded_labels: tuple[StrictStr, ...] = ()
    registry_inventory: Literal["indicative", "refuse"]
    venue_positions: Literal["indicative", "firm"]
    snapshot_hours: Number
    listing_hours: Number
    lot: Annotated[int, BeforeValidator(_number), Field(ge=1)]
    quoted_in: tuple[Currency, ...] = Field(min_length=1)
    price_step: PriceText
    asking_prices: tuple[AskingPrice, ...] = ()
    reference_rates: tuple[ReferenceRate, ...] = ()

    def asking(self, programme: str | None, project_id: str | None) -> AskingPrice | None:
        """The price at which our own units of a project are offered; None where nobody has said one."""
        fitting = (one for one in self.asking_prices if one.programme == programme)
        return next((one for one in fitting if one.project_id in {None, project_id}), None)

    def quoted(self, price: int, currency: str) -> tuple[int, Currency] | None:
        """A price as the venue quotes it, in its steps.

        None where it quotes neither the currency nor one that there is a rate to, and for less than half a step.
        """
        one = 10**RATE_SCALE
        rates = [(Currency(currency), one)] if currency in self.quoted_in else []
        rates += [(other.into, other.rate) for other in self.reference_rates if other.seen_in == currency]
        for into, rate in rates:
            steps = one * self.price_step
            rounded = (2 * price * rate + steps) // (2 * steps) * self.price_step
            if into in self.quoted_in and rounded:
                return rounded, into
        return None

    def programme(self, name: str | None) -> Programme | None:
        """An accepted programme by its short name."""
        return next((one for one in self.programmes if one.programme == name), None)


class DeliverableList(_Part):
    """The projects that may be delivered into a venue's standardised contract from a day on, and who said so."""

    market: StrictStr
    instrument: StrictStr
    effective_from: Day
    notice: StrictStr
    projects: tuple[StrictStr, ...]


class _Policies(_Part):
    policy: StrictStr
    describes: StrictStr
    versions: tuple[PolicyVersion, ...] = Field(min_length=1)


class _Deliverables(_Part):
    deliverables: StrictStr
    describes: StrictStr
    lists: tuple[DeliverableList, ...]


Document = TypeVar("Document", _Policies, _Deliverables)


class Policy:
    """The admission policy of a home venue.

    Args:
        versions: of the policy, in any order.
        lists: of deliverable projects, in any order.
    """

    def __init__(self, versions: tuple[PolicyVersion, ...], lists: tuple[DeliverableList, ...]) -> None:
        self._versions = sorted(versions, key=lambda one: one.effective_from)
        self._lists = sorted(lists, key=lambda one: one.effective_from)

    @classmethod
    def of_package(cls, package: str) -> Policy:
        """The policy beside the mapping documents of a package. Raises ConfigurationError naming what is wrong."""
        folder = importlib.resources.files(package) / FOLDER
        policies = _read(_Policies, folder / "policy.yaml")
        return cls(policies.versions, _read(_Deliverables, folder / "deliverables.yaml").lists)

    def on(self, day: dt.date) -> PolicyVersion:
        """The version that holds on a day. Raises ConfigurationError for a day before the first."""
        held = [one for one in self._versions if one.effective_from <= day]
        if not held:
            raise ConfigurationError(
                f"no admission policy holds on {day}; the first begins on {self._versions[0].effective_from}"
            )
        return held[-1]

    def deliverable(self, market: str, instrument: str, day: dt.date) -> DeliverableList | None:
        """The projects that may be delivered into a contract on a day; None where no list is known."""
        held = [
            one
            for one in self._lists
            if (one.market, one.instrument) == (market, instrument) and one.effective_from <= day
        ]
        return held[-1] if held else None


def _read(kind: type[Document], path: Traversable) -> Document:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"admission policy {path}: cannot be read ({error.strerror})") from error
    if len(content) > DOCUMENT_LIMIT:
        raise ConfigurationError(f"admission policy {path}: {len(content)} bytes, expected {DOCUMENT_LIMIT} at most")
    try:
        return kind.model_validate(read_yaml(content))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"admission policy {path}: {error}") from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}" for one in error.errors()[:FAULTS_LIMIT]
        )
        raise ConfigurationError(f"admission policy {path}: {places}") from error
