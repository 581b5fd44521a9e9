"""What an adapter is: one small Protocol per capability, and the values that pass through them.

An adapter holds no cursor, opens no client, reads no environment and asks no clock; all is passed in. Which
capabilities it has is derived from the signatures of its class (:func:`capabilities`), never declared: a name with
other parameters, or a plain function where a coroutine is due, is an error when the adapter is loaded, not a surprise
when it is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from gateway.model.errors import ConfigurationError

CONTRACT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Document:
    """One raw document of a market (a page, a file, an event) as it was received.

    ``origin`` says where it came from in words (``POST …/holdings/publicReportPageSearch start=400``).
    """

    content: bytes
    media_type: str
    origin: str


@dataclass(frozen=True, slots=True)
class StatedTotal:
    """What a market itself says a feed holds: rows, and units where it sums them."""

    rows: int
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a feed.

    Attributes:
        document: the raw page.
        rows: its rows as text, one String column per path.
        next_cursor: opaque; passed back for the next page; None at the end.
        as_of: when the market is known to have said this.
    """

    document: Document
    rows: pl.DataFrame
    next_cursor: str | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """A list that a market publishes, and the mapping document that reads it."""

    name: str
    mapping: str


class ReadsCatalogue(Protocol):
    """Reads what a market publishes of its projects, issuances and units."""

    def catalogue_feeds(self) -> Sequence[Feed]:
        """The feeds, in the order in which they must be read."""

    async def catalogue_total(self, feed: str) -> StatedTotal:
        """What the market itself says that this feed holds at this moment."""

    async def read_catalogue(self, feed: str, cursor: str | None) -> Page:
        """One page of a feed; the first one where ``cursor`` is None."""


class ParsesExports(Protocol):
    """Reads the files that a person downloads from the market's own site."""

    def export_mappings(self) -> Sequence[str]:
        """The mapping documents of the files it can read; each says by which headings it knows its file."""


CAPABILITIES: Final[Mapping[str, type]] = MappingProxyType(
    {"ReadsCatalogue": ReadsCatalogue, "ParsesExports": ParsesExports}
)


def capabilities(adapter_class: type) -> frozenset[str]:
    """The names of the capabilities that a class has, by its signatures.

    Raises ConfigurationError when it has some of a capability's methods and not all, or one with other parameters,
    or a plain one where a coroutine is due.
    """
    return frozenset(name for name, protocol in CAPABILITIES.items() if _offers(adapter_class, name, protocol))


def _offers(adapter_class: type, name: str, protocol: type) -> bool:
    wanted = {key: value for key, value in vars(protocol).items() if inspect.isfunction(value) and key[0] != "_"}
    found = {key: getattr(adapter_class, key) for key in wanted if hasattr(adapter_class, key)}
    if not found:
        return False
    faults = [f"{key} is missing" for key in wanted if key not in found]
    for key, method in found.items():
        if not callable(method):
            faults.append(f"{key} is not a method")
            continue
        faults += _differences(key, wanted[key], method)
    if faults:
        raise ConfigurationError(
            f"{adapter_class.__module__}.{adapter_class.__qualname__} has half of the capability {name}: "
            + "; ".join(faults)
        )
    return True


def _differences(key: str, wanted: object, found: object) -> list[str]:
    assert callable(wanted)
    assert callable(found)
    faults = []
    if inspect.iscoroutinefunction(wanted) != inspect.iscoroutinefunction(found):
        kind = "a coroutine" if inspect.iscoroutinefunction(wanted) else "a plain method"
        faults.append(f"{key} should be {kind}")
    expected = [(p.name, p.kind) for p in inspect.signature(wanted).parameters.values()]
    actual = [(p.name, p.kind) for p in inspect.signature(found).parameters.values()]
    if expected != actual:
        taken, wanted_names = (", ".join(name for name, _ in one) for one in (actual, expected))
        faults.append(f"{key} takes ({taken}), expected ({wanted_names})")
    return faults
