"""What the conformance kit needs of an adapter to try it on its stand-in.

An adapter's ``rehearsal.py`` builds one of these from a seed and a clock, new for every check: a small stand-in, the
settings that lead to it, orders that it carries out and orders that it refuses, and a look into its book from behind,
which the adapter itself never has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from gateway.kit.mock import Mock
from gateway.model.commands import Acceptance, CashOrder, Order, Publication, Retirement, Transfer

STARTS_AT: Final = datetime(2026, 7, 15, 3, 0, tzinfo=UTC)
"""Where a rehearsal's clock stands at first: a Wednesday, 11:00 in Hong Kong, when every linked market is open."""


OrderT = TypeVar("OrderT", bound=Order)


@dataclass(frozen=True, slots=True)
class Refused(Generic[OrderT]):
    """An order that the market refuses, and the code with which it does."""

    order: OrderT
    code: str


def nothing() -> None:
    """Leaves the book as it is."""


def none(_order: Order) -> int:
    """No effect of any order."""
    return 0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A small stand-in and how to try an adapter on it.

    Attributes:
        mock: the stand-in; a few rows in each feed, at least three, so that pages can be turned.
        settings: values of the market's config model that lead to it; every secret among them is one of ``secrets``.
        secrets: texts that must never be seen in a log, an error or a ``repr``.
        small_pages: settings that, laid over ``settings``, make every page one row; empty where no feed has pages.
        since: from when on movements and trades are read.
        settle: moves the market's time until whatever is under way is final.
        insert: makes one more record appear, in the middle of what is being paged where the market does that.
        effects: how often an order took effect in the market's book, whatever the adapter believes.
        transfers, retirements, acceptances, cash, publications: orders that the stand-in carries out, each on its own.
        refused: orders that it refuses.
        webhook: a signed webhook as the market sends it: headers and body.
    """

    mock: Mock
    settings: Mapping[str, Any]
    secrets: tuple[str, ...]
    small_pages: Mapping[str, Any] = field(default_factory=dict)
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    settle: Callable[[], None] = nothing
    insert: Callable[[], None] = nothing
    effects: Callable[[Order], int] = none
    transfers: tuple[Transfer, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    retirements: tuple[Retirement, ...] = ()
    cash: tuple[CashOrder, ...] = ()
    publications: tuple[Publication, ...] = ()
    refused: tuple[Refused[Any], ...] = ()
    webhook: Callable[[], tuple[dict[str, str], bytes]] | None = None
