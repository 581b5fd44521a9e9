"""What a check is: an id, one property, the capabilities that call for it, and a function that tries it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.kit.contract import CAPABILITIES, COMMANDS

if TYPE_CHECKING:
    from gateway.kit.conformance.subject import Subject

EVERY: Final = frozenset(one.__name__ for one in CAPABILITIES)
READS: Final = frozenset({"ReadsCatalogue", "ReadsHoldings", "ReadsListings", "ReadsMovements", "ReadsTrades"})
SINCE: Final = frozenset({"ReadsMovements", "ReadsTrades"})
"""The capabilities whose feeds begin at an instant."""

HOLDS: Final = frozenset({"ReadsHoldings"})
ORDERS: Final = COMMANDS
WEBHOOKS: Final = frozenset({"SendsWebhooks"})


class Failed(Exception):
    """An adapter has not the property. The message names the path and the value that show it."""


class NotCalledFor(Exception):
    """Nothing of this adapter can be tried by the check; the message says why."""


class Group(StrEnum):
    """What a check is about; the tier hangs on it."""

    READING = "reading"
    PAGING = "paging"
    CANCELLATION = "cancellation"
    CONCURRENCY = "concurrency"
    RECONCILIATION = "reconciliation"
    COMMANDS = "commands"
    WEBHOOKS = "webhooks"


Trying: TypeAlias = "Callable[[Subject], Awaitable[None]]"
"""Returns when the property holds; raises Failed when it does not and NotCalledFor when it cannot be tried."""


@dataclass(frozen=True, slots=True)
class Check:
    """One property that every adapter of some kind must have.

    Attributes:
        id: a letter and digits with gaps; never used again for another property.
        title: the property, in one sentence.
        group: what it is about.
        called_by: any of these capabilities calls for it.
        run: tries it.
    """

    id: str
    title: str
    group: Group
    called_by: frozenset[str]
    run: Trying


def check(
    id_: str, title: str, *, called_by: frozenset[str] = EVERY, group: Group = Group.READING
) -> Callable[[Trying], Check]:
    """Makes a check of the function below it."""
    return lambda run: Check(id_, title, group, called_by, run)


def require(holds: object, message: str) -> None:
    """Raises Failed with the message unless the property holds."""
    if not holds:
        raise Failed(message)
