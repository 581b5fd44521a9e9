"""C: an order happens once, or not at all and with the market's reason."""

from __future__ import annotations

from typing import Final

from gateway.kit.conformance.check import ORDERS, Check, Group, NotCalledFor, check, require
from gateway.kit.conformance.line import Exchange, Way
from gateway.kit.conformance.ordering import (
    IN_HAND,
    Case,
    asked,
    cases,
    outcome,
    refused_cases,
    sent,
    status_of,
)
from gateway.kit.conformance.subject import Subject
from gateway.kit.contract import Document, RetirementRules
from gateway.kit.errors import AdapterError, OutcomeUnknown, Rejected
from gateway.kit.manifest import Idempotency
from gateway.model.commands import CommandState, CommandStatus, PublicationStatus, Retirement

RETIRES: Final = frozenset({"Retires"})


@check(
    "C010",
    "An order that the market carries out has its effect once, and is confirmed.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def confirmed_once(subject: Subject) -> None:
    """Each of the rehearsal's orders, on a new rehearsal."""
    async for case in cases(subject, all_orders=True):
        order = await case.prepared()
        first = status_of(await sent(case.adapter, order))
        require(first.state in IN_HAND, f"{case.title}: sent, and its state is {first.state}")
        found = await case.settled(order)
        require(case.effects() == 1, f"{case.title}: the book shows it {case.effects()} times")
        require(found.state is CommandState.CONFIRMED, f"{case.title}: it happened, and its state is {found.state}")


@check(
    "C020",
    "An order that the market refuses is rejected with the market's code, and has no effect.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def refused_with_code(subject: Subject) -> None:
    """At once, or in its status; a publication may refuse each offer for itself."""
    async for case in refused_cases(subject):
        order = await case.prepared()
        found = await outcome(case, order)
        codes = _codes(found)
        if not isinstance(found, AdapterError) and not codes:
            codes = _codes(await case.settled(order))
        require(case.code in codes, f"{case.title}: {found!r:.300}, expected it rejected with {case.code}")
        case.trial.rehearsal.settle()
        require(not case.effects(), f"{case.title}: refused, and the book shows it {case.effects()} times")


@check("C030", "An order sent twice by mistake has its effect once.", called_by=ORDERS, group=Group.COMMANDS)
async def sent_twice(subject: Subject) -> None:
    """The second sending says that it is in hand, or that nobody can tell; never that it was refused."""
    _require_ids(subject)
    async for case in cases(subject):
        await sent(case.adapter, case.order)
        second = await outcome(case, case.order)
        if not isinstance(second, OutcomeUnknown):
            fine = not isinstance(second, AdapterError) and status_of(second).state in IN_HAND
            require(fine, f"{case.title}, sent again: {second!r:.300}, and the first is there")
        found = await case.settled(case.order)
        require(case.effects() == 1, f"{case.title}, sent twice: the book shows it {case.effects()} times")
        require(found.state is CommandState.CONFIRMED, f"{case.title}, sent twice: its state is {found.state}")


@check("C040", "The market is told our id, unchanged, each time.", called_by=ORDERS, group=Group.COMMANDS)
async def same_id(subject: Subject) -> None:
    """Without it nobody could ask what became of an order."""
    _require_ids(subject)
    async for case in cases(subject):
        for time in ("first", "second"):
            begin = len(case.trial.line.exchanges)
            await outcome(case, case.order)
            told = any(case.order.command_id in _text(one) for one in case.trial.line.commands(begin))
            require(told, f"{case.title}: its id is in no command of the {time} time")


@check(
    "C050",
    "What changes the market leaves as a command, and what only asks as a read.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def right_door(subject: Subject) -> None:
    """Reads are tried again; a command must not be."""
    async for case in cases(subject):
        line = case.trial.line
        order = await case.prepared()
        require(not line.commands(), f"{case.title}: a command was sent before the order was")
        await sent(case.adapter, order)
        require(line.commands(), f"{case.title}: nothing was sent as a command")
        begin = len(line.exchanges)
        await asked(case.adapter, order)
        stray = [one.path for one in line.exchanges[begin:] if one.way is not Way.READ]
        require(not stray, f"{case.title}: its status was asked by a command, {stray}")


@check(
    "C060",
    "A status is of our order, with the market's own word, at an instant that has been.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def told_status(subject: Subject) -> None:
    """A person who has to decide needs them."""
    async for case in cases(subject):
        order = await case.prepared()
        named = subject.manifest.idempotency is not Idempotency.NONE
        for found in (status_of(await sent(case.adapter, order)), await case.settled(order)):
            _require_told(case, found, named=named)


@check("C070", "An order that the market never got is not found.", called_by=ORDERS, group=Group.COMMANDS)
async def never_sent(subject: Subject) -> None:
    """Or the market cannot tell yet; after its processing limit it can."""
    async for case in cases(subject):
        order = await case.prepared()
        found = await asked(case.adapter, order)
        known = {CommandState.NOT_FOUND, CommandState.UNDECIDED}
        require(found.state in known, f"{case.title} was never sent, and its state is {found.state}")
        last = await case.last_word(order)
        require(last.state is CommandState.NOT_FOUND, f"{case.title} was never sent, and stays {last.state}")


@check(
    "C080",
    "A confirmed retirement has a certificate, and the market's rules are ones that can be kept.",
    called_by=RETIRES,
    group=Group.COMMANDS,
)
async def certificates(subject: Subject) -> None:
    """Of one that never was there is none."""
    async for case in cases(subject):
        if not isinstance(case.order, Retirement):
            continue
        rules: RetirementRules = case.adapter.retirement_rules()
        fits = rules.beneficiary_limit >= len(case.order.beneficiary) and case.order.purpose in rules.purposes
        require(fits, f"{case.title} is carried out, and is against the rules {rules}")
        order = await case.prepared()
        require(not await _certified(case), f"{case.title} was never sent, and there is a certificate of it")
        await sent(case.adapter, order)
        await case.settled(order)
        require(await _certified(case), f"{case.title} is confirmed, and has no certificate")


async def _certified(case: Case) -> bool:
    try:
        found: Document = await case.adapter.certificate(case.order)
    except AdapterError:
        return False
    return bool(found.content)


def _codes(found: CommandStatus | PublicationStatus | AdapterError) -> set[str | None]:
    """With which codes an order, or offers of it, were refused."""
    if isinstance(found, AdapterError):
        return {found.code} if isinstance(found, Rejected) else set()
    status = status_of(found)
    entries = found.entries if isinstance(found, PublicationStatus) else ()
    own = {status.code} if status.state is CommandState.REJECTED else set()
    return own | {one.code for one in entries if not one.accepted}


def _require_ids(subject: Subject) -> None:
    if subject.manifest.idempotency is Idempotency.NONE:
        raise NotCalledFor("the market keeps no id of ours")


def _require_told(case: Case, found: CommandStatus, *, named: bool) -> None:
    """A market that keeps no id of ours has no word for what became of an order: its book says it."""
    require(found.command_id == case.order.command_id, f"{case.title}: a status of {found.command_id}")
    require(found.native_state or not named, f"{case.title}: {found.state} without the market's word")
    require(found.as_of <= case.trial.clock(), f"{case.title}: as_of {found.as_of} is after {case.trial.clock()}")


def _text(exchange: Exchange) -> str:
    headers = " ".join(exchange.request.headers.values())
    return f"{exchange.request.url} {headers} {exchange.request.content.decode('utf-8', 'replace')}"


CHECKS: tuple[Check, ...] = (
    confirmed_once,
    refused_with_code,
    sent_twice,
    same_id,
    right_door,
    told_status,
    never_sent,
    certificates,
)
