"""Giving an adapter orders as the core does: all kinds alike, each with the status that answers for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from types import MappingProxyType
from typing import Any, Final

from gateway.kit.conformance.check import Failed, NotCalledFor
from gateway.kit.conformance.line import Exchange, Tamper, Way
from gateway.kit.conformance.subject import Subject, Trial
from gateway.kit.conformance.tampers import Hits
from gateway.kit.errors import AdapterError
from gateway.kit.rehearsal import Rehearsal
from gateway.model.commands import (
    Acceptance,
    CashOrder,
    CommandState,
    CommandStatus,
    Order,
    Publication,
    PublicationStatus,
    Retirement,
    Transfer,
)

CAPABILITY: Final[Mapping[type[Order], str]] = MappingProxyType(
    {
        Transfer: "Transfers",
        Acceptance: "AcceptsTransfers",
        Retirement: "Retires",
        CashOrder: "MovesCash",
        Publication: "PublishesOffers",
    }
)
"""The capability that each kind of order calls for."""

_METHODS: Final = MappingProxyType(
    {
        "Transfers": ("transfer", "transfer_status"),
        "AcceptsTransfers": ("accept", "acceptance_status"),
        "Retires": ("retire", "retirement_status"),
        "MovesCash": ("move_cash", "cash_status"),
        "PublishesOffers": ("publish", "publication_status"),
    }
)
IN_HAND: Final = frozenset({CommandState.ACCEPTED, CommandState.AWAITING_ACCEPTANCE, CommandState.CONFIRMED})
"""States in which a market has a command."""

BEYOND: Final = timedelta(minutes=1)
"""How long after a market's processing limit its last word is asked for."""


@dataclass(frozen=True, slots=True)
class Case:
    """One order on a new rehearsal, with an adapter of its own.

    Attributes:
        trial: the rehearsal.
        adapter: newly bound.
        order: to be sent.
        code: with which the market refuses it; None where it carries it out.
    """

    trial: Trial
    adapter: Any
    order: Order
    code: str | None

    @property
    def title(self) -> str:
        """The order in messages."""
        kind = getattr(self.order, "kind", None)
        return f"{type(self.order).__name__} {'' if kind is None else f'({kind.value}) '}{self.order.command_id}"

    async def prepared(self) -> Order:
        """The order with what the adapter bears witness to, as the core stores it before sending."""
        if isinstance(self.order, Transfer | Retirement) and hasattr(self.adapter, "witness"):
            return self.order.model_copy(update={"witness": await self.adapter.witness(self.order)})
        return self.order

    def effects(self) -> int:
        """How often the market's book shows the order."""
        return self.trial.rehearsal.effects(self.order)

    async def settled(self, order: Order) -> CommandStatus:
        """The order's status after all that was under way is final."""
        self.trial.rehearsal.settle()
        return await asked(self.adapter, order)

    async def last_word(self, order: Order) -> CommandStatus:
        """The order's status once the market's processing limit is over, where it could not tell before."""
        found = await self.settled(order)
        if found.state is CommandState.UNDECIDED:
            self.trial.clock.advance(self.trial.manifest.processing_limit + BEYOND)
            found = await asked(self.adapter, order)
        return found


async def sent(adapter: Any, order: Order) -> CommandStatus | PublicationStatus:
    """Sends an order."""
    method = getattr(adapter, _METHODS[CAPABILITY[type(order)]][0])
    answer: CommandStatus | PublicationStatus = await method(order)
    return answer


async def looked_up(adapter: Any, order: Order) -> CommandStatus | PublicationStatus:
    """Asks what became of an order."""
    method = getattr(adapter, _METHODS[CAPABILITY[type(order)]][1])
    answer: CommandStatus | PublicationStatus = await method(order)
    return answer


async def asked(adapter: Any, order: Order) -> CommandStatus:
    """What became of the whole of an order."""
    return status_of(await looked_up(adapter, order))


def status_of(answer: CommandStatus | PublicationStatus) -> CommandStatus:
    """The status of the whole."""
    return answer.status if isinstance(answer, PublicationStatus) else answer


def good_orders(rehearsal: Rehearsal, offered: frozenset[str]) -> list[Order]:
    """The orders of a rehearsal that its market carries out."""
    orders: tuple[Order, ...] = (
        *rehearsal.transfers,
        *rehearsal.acceptances,
        *rehearsal.retirements,
        *rehearsal.cash,
        *rehearsal.publications,
    )
    return [order for order in orders if CAPABILITY[type(order)] in offered]


def one_of_each(orders: list[Order]) -> list[Order]:
    """One order of each kind of command, and of each kind of transfer and cash order."""
    return list({(type(order), getattr(order, "kind", None)): order for order in reversed(orders)}.values())[::-1]


async def cases(subject: Subject, *, all_orders: bool = False) -> AsyncIterator[Case]:
    """Orders that the market carries out, each on a new rehearsal; raises NotCalledFor where there is none."""
    found = good_orders(subject.trial().rehearsal, subject.manifest.capabilities())
    for order in found if all_orders else one_of_each(found):
        async with case_of(subject, order) as case:
            yield case
    if not found:
        raise NotCalledFor("the rehearsal has no order that is carried out")


async def refused_cases(subject: Subject) -> AsyncIterator[Case]:
    """Orders that the market refuses, each on a new rehearsal; raises NotCalledFor where there is none."""
    offered = subject.manifest.capabilities()
    found = [one for one in subject.trial().rehearsal.refused if CAPABILITY[type(one.order)] in offered]
    for one in found:
        async with case_of(subject, one.order, one.code) as case:
            yield case
    if not found:
        raise NotCalledFor("the rehearsal has no order that is refused")


@dataclass(frozen=True, slots=True)
class Hit:
    """An order on a line that goes wrong at one of its commands.

    Attributes:
        case: the order.
        before: how many of its commands went well before.
        after: how many would have followed.
    """

    case: Case
    before: int
    after: int


async def hit_cases(subject: Subject, *tampers: Callable[[Hits], Tamper]) -> AsyncIterator[Hit]:
    """Each order once for each of its requests that are commands, with the line tampered at that one in each way."""
    async for counted in cases(subject):
        await sent(counted.adapter, await counted.prepared())
        commands = len(counted.trial.line.commands())
        for place, tamper in product(range(commands), tampers):
            async with case_of(subject, counted.order) as case:
                case.trial.line.tamper = tamper(nth_command(case.trial, place))
                yield Hit(case, place, commands - place - 1)


def nth_command(trial: Trial, place: int) -> Hits:
    """The command of this place among those on a line."""

    def hits(exchange: Exchange) -> bool:
        return exchange.way is Way.COMMAND and len(trial.line.commands()) == place + 1

    return hits


async def outcome(case: Case, order: Order) -> CommandStatus | PublicationStatus | AdapterError:
    """What sending an order comes to; raises Failed for an error that no adapter may raise."""
    try:
        return await sent(case.adapter, order)
    except AdapterError as error:
        return error
    except Exception as error:
        raise Failed(f"{case.title}: {error!r}, expected an AdapterError") from error


@asynccontextmanager
async def case_of(subject: Subject, order: Order, code: str | None = None) -> AsyncIterator[Case]:
    """An order on a new rehearsal."""
    trial = subject.trial()
    async with trial.adapter() as adapter:
        yield Case(trial, adapter, order, code)
