"""The trading and settlement rules of 2023 (绿交文 2023, no. 76) as data, and what follows from them.

The document is ``mappings/ccer/rules.yaml``. Prices are whole numbers of ``10 ** -PRICE_SCALE`` yuan a tonne, hours are
minutes of the clock in the document's zone. Everything here is a pure function of the document and its arguments.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError, model_validator

from gateway.kit.calendars import Calendar
from gateway.kit.mapping.document import DOCUMENT_LIMIT, FAULTS_LIMIT
from gateway.kit.mapping.strict_yaml import read_yaml
from gateway.model.errors import ConfigurationError
from gateway.model.money import Currency
from gateway.model.records import PRICE_SCALE

DOCUMENT: Final = importlib.resources.files("mappings.ccer") / "rules.yaml"

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,6}))?", re.ASCII)
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def _price(value: object) -> object:
    """``0.01`` as a whole number of ``10 ** -PRICE_SCALE``."""
    found = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"found {value!r}; expected a decimal of at most {PRICE_SCALE} places, as in 0.01")
    return int(found[1] + (found[2] or "").ljust(PRICE_SCALE, "0"))


def _whole(value: object) -> object:
    """A number of the document, where every word is text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    raise ValueError(f"found {value!r}; expected a whole number")


def _span(value: object) -> object:
    """``09:30-11:30`` as minutes since midnight."""
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"found {value!r}; expected a span of the clock, as in 09:30-11:30")
    hours = [int(part) for part in found.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def _day(value: object) -> object:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Span = Annotated[tuple[int, int], BeforeValidator(_span)]
Why = Annotated[str, Field(min_length=3)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Stated(_Part):
    """A whole number, and the article that says it."""

    value: Whole
    why: Why


class StatedPrice(_Part):
    """A price, and the article that says it."""

    value: Annotated[int, BeforeValidator(_price), Field(ge=1)]
    why: Why


class Method(_Part):
    """A way of trading.

    Attributes:
        code: the market's code (10, 20, 21).
        name: ours.
        native: the market's word.
        band_percent: how far a price may lie from the reference price; None where no rule says.
        open: whether it is in use yet.
        why: the articles.
    """

    code: str = Field(pattern=r"^[0-9]{2}$")
    name: str = Field(pattern=r"^[a-z]+$")
    native: str
    band_percent: Annotated[int | None, BeforeValidator(_whole), Field(ge=1, le=99)] = None
    open: StrictBool
    why: Why


class Business(StrEnum):
    """What has hours of its own. ``REGISTRY_TO_VENUE``: moves of units from the registry into the trading system."""

    TRADING = "trading"
    REGISTRY_TO_VENUE = "registry_to_venue"
    REGISTRY = "registry"


class Hours(_Part):
    """When a kind of business is done; ``assumed`` marks hours that nobody published."""

    business: Annotated[Business, BeforeValidator(Business)]
    native: str
    spans: tuple[Span, ...] = Field(min_length=1, strict=False)
    assumed: StrictBool
    why: Why

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = [bound for span in self.spans for bound in span]
        if bounds != sorted(set(bounds)):
            raise ValueError("the spans of a day must stand in order and not overlap")
        return self


class Side(StrEnum):
    """Who confirms a settlement."""

    VENUE = "venue"
    REGISTRY = "registry"


class Settlement(_Part):
    """How a trade is settled: each for itself, units against cash, and final only when every side confirmed."""

    native: str
    trade_by_trade: StrictBool
    delivery_versus_payment: StrictBool
    same_day: StrictBool
    final_when_confirmed_by: tuple[Annotated[Side, BeforeValidator(Side)], ...] = Field(min_length=1, strict=False)
    proceeds_usable_same_day: StrictBool
    why: Why

    def final(self, confirmed: Iterable[Side]) -> bool:
        """Whether a settlement is final that these sides have confirmed."""
        return set(self.final_when_confirmed_by) <= set(confirmed)


class Rules(_Part):
    """The whole document."""

    rules: str = Field(pattern=r"^ccer\.rules$")
    describes: str
    source: str
    since: Annotated[dt.date, BeforeValidator(_day)]
    zone: str
    calendar: str
    currency: Annotated[Currency, BeforeValidator(Currency)]
    price_step: StatedPrice
    least_quantity: Stated
    holding_days: Stated
    first_listing_days: Stated
    methods: tuple[Method, ...] = Field(min_length=1, strict=False)
    hours: tuple[Hours, ...] = Field(min_length=1, strict=False)
    settlement: Settlement

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for named in ([one.code for one in self.methods], [one.business for one in self.hours]):
            if len(set(named)) != len(named):
                raise ValueError(f"found {', '.join(named)}; expected each once")
        absent = [one.value for one in Business if one not in {hours.business for hours in self.hours}]
        if absent:
            raise ValueError(f"the hours of {', '.join(absent)} are not said")
        return self

    def method(self, code: str) -> Method:
        """The way of trading with a code; raises ValueError where the rules know none."""
        for one in self.methods:
            if one.code == code:
                return one
        raise ValueError(f"found the trade method {code!r}; expected one of {', '.join(o.code for o in self.methods)}")

    def hours_of(self, business: Business) -> Hours:
        """The hours of a kind of business."""
        return next(one for one in self.hours if one.business is business)

    def limits(self, reference: int, method: str) -> tuple[int, int] | None:
        """The lowest and the highest price around a reference price, both on the step; None where no band is known."""
        percent = self.method(method).band_percent
        if percent is None:
            return None
        step = self.price_step.value
        lowest = -(-reference * (100 - percent) // (100 * step)) * step
        return lowest, reference * (100 + percent) // (100 * step) * step

    def reference_price(self, listed: Iterable[tuple[int, int]], previous: int) -> int:
        """The reference price after a day: the average of its listed trades, weighted, rounded half up to a step.

        Args:
            listed: price and quantity of each listed trade of the day (article 17: block trades do not count).
            previous: the reference price of that day, which stays where nothing was traded.
        """
        trades = list(listed)
        quantity = sum(units for _, units in trades)
        if quantity == 0:
            return previous
        step = self.price_step.value
        value = sum(price * units for price, units in trades)
        return (2 * value + quantity * step) // (2 * quantity * step) * step

    def opposite_from(self, day: dt.date, calendar: Calendar) -> dt.date:
        """The first day on which a product bought on ``day`` may be sold, or one sold may be bought (article 29)."""
        return calendar.add_open_days(day, self.holding_days.value)


@cache
def load() -> Rules:
    """The rules, read once. Raises ConfigurationError naming the place that is wrong."""
    return read(DOCUMENT.read_bytes())


def read(content: bytes) -> Rules:
    """The rules out of a document's bytes. Raises ConfigurationError naming the place that is wrong."""
    if len(content) > DOCUMENT_LIMIT:
        raise ConfigurationError(f"the rules of ccer: {len(content)} bytes, expected {DOCUMENT_LIMIT} at most")
    try:
        return Rules.model_validate(read_yaml(content))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the rules of ccer: {error}") from error
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}" for one in error.errors()[:FAULTS_LIMIT]
        )
        raise ConfigurationError(f"the rules of ccer: {places}") from error
