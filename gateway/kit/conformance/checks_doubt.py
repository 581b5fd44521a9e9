"""G: silence is not an answer: each row of the transport's table for commands, and what becomes of a doubt."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import httpx

from gateway.kit.conformance.check import ORDERS, Check, Group, NotCalledFor, check, require
from gateway.kit.conformance.line import Tamper, Way
from gateway.kit.conformance.ordering import (
    Case,
    asked,
    case_of,
    cases,
    hit_cases,
    looked_up,
    nth_command,
    outcome,
    refused_cases,
    sent,
    status_of,
)
from gateway.kit.conformance.subject import Subject
from gateway.kit.conformance.tampers import HTML, Hits, dropped, instead, lost_answer, rewritten
from gateway.kit.errors import AccessDenied, AdapterError, ContractBreach, NotSent, OutcomeUnknown, Unavailable
from gateway.model.commands import CommandState, CommandStatus, Order, PublicationStatus

CANNOT_CONNECT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
BROKEN_OFF: Final = (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)
STRANGE_WORD: Final = b"SOMETHING_QUITE_NEW"
UNLISTED: Final = b'{"code": "SOMETHING_QUITE_NEW", "error": "SOMETHING_QUITE_NEW", "message": "no"}'
UNTOUCHED: Final = frozenset({CommandState.NOT_FOUND, CommandState.REJECTED})
"""States that say that nothing happened."""

Make: TypeAlias = Callable[[Hits], Tamper]


@check("G010", "A command to a market out of reach: NotSent.", called_by=ORDERS, group=Group.COMMANDS)
async def cannot_connect(subject: Subject) -> None:
    """Nothing left, nothing happened."""
    await _each_row(subject, [partial(dropped, error=error) for error in CANNOT_CONNECT], NotSent)


@check("G020", "A command that breaks off: OutcomeUnknown; not sent again.", called_by=ORDERS, group=Group.COMMANDS)
async def broken_off(subject: Subject) -> None:
    """Whether it arrived is not known."""
    await _each_row(subject, [partial(dropped, error=error) for error in BROKEN_OFF], OutcomeUnknown)


@check("G030", "500, 502, 503 to a command: OutcomeUnknown; not sent again.", called_by=ORDERS, group=Group.COMMANDS)
async def server_errors(subject: Subject) -> None:
    """A proxy's error page says nothing of what is behind it."""
    await _each_row(subject, [_status(500, b"oops"), _status(502), _status(503)], OutcomeUnknown)


@check("G040", "404, 408, 409, 425, 429 to a command: OutcomeUnknown.", called_by=ORDERS, group=Group.COMMANDS)
async def perhaps_done(subject: Subject) -> None:
    """Each may mean that it, or an earlier copy of it, has happened."""
    await _each_row(subject, [_status(one) for one in (404, 408, 409, 425, 429)], OutcomeUnknown)


@check("G050", "401 and 403 to a command: AccessDenied.", called_by=ORDERS, group=Group.COMMANDS)
async def denied(subject: Subject) -> None:
    """Nothing happened, and trying again would lock us out."""
    await _each_row(subject, [_status(401), _status(403)], AccessDenied)


@check("G060", "400, 422 to a command, without a known code: OutcomeUnknown.", called_by=ORDERS, group=Group.COMMANDS)
async def unreadable_refusal(subject: Subject) -> None:
    """A refusal is one by the market's own code, on the adapter's list."""
    rows = [_status(400), _status(422), _status(400, UNLISTED), _status(422, b"")]
    await _each_row(subject, rows, OutcomeUnknown)


@check("G070", "A redirect to a command: OutcomeUnknown; not followed.", called_by=ORDERS, group=Group.COMMANDS)
async def redirects(subject: Subject) -> None:
    """Following it would send the command twice."""
    elsewhere = {"location": "https://elsewhere.example/"}
    rows: list[Make] = [partial(instead, status=one, body=b"", headers=elsewhere) for one in (302, 307)]
    await _each_row(subject, rows, OutcomeUnknown)


@check("G080", "An answer to a command that cannot be read: OutcomeUnknown.", called_by=ORDERS, group=Group.COMMANDS)
async def unreadable_answer(subject: Subject) -> None:
    """The market may have acted, and what it said is lost."""
    rows: list[Make] = [_status(200), _status(200, b"[]"), _status(200, b"{}"), _status(200, b'{"a": 1, "a": 2}')]
    rows.append(partial(rewritten, change=lambda body: body[: len(body) // 2] if body else HTML))
    await _each_row(subject, rows, OutcomeUnknown)


@check(
    "G090",
    "An unknown state leaves a command's outcome unknown, and breaks the contract in a status.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def strange_words(subject: Subject) -> None:
    """A state is never guessed."""
    tried = 0
    async for clean in cases(subject):
        order = await clean.prepared()
        answers = {
            Way.COMMAND: status_of(await sent(clean.adapter, order)),
            Way.READ: await asked(clean.adapter, order),
        }
        for way, expected in ((Way.COMMAND, OutcomeUnknown), (Way.READ, ContractBreach)):
            async with case_of(subject, clean.order) as case:
                tried += await _strange_word(case, way, answers[way].native_state or "", expected)
    if not tried:
        raise NotCalledFor("no answer has its state in it")


@check(
    "G100", "A lost answer is resolved: in hand, then confirmed, and done once.", called_by=ORDERS, group=Group.COMMANDS
)
async def lost_and_confirmed(subject: Subject) -> None:
    """Of several commands in one order, the last one; after an earlier one its status only has to be true."""
    async for hit in hit_cases(subject, lost_answer):
        case = hit.case
        order = await case.prepared()
        found = await outcome(case, order)
        require(isinstance(found, OutcomeUnknown), f"{case.title}: its answer was lost, and it is {found!r:.200}")
        case.trial.line.tamper = None
        early = await asked(case.adapter, order)
        require(early.state not in UNTOUCHED, f"{case.title}: the market has it, and its state is {early.state}")
        last = await _true_word(case, order)
        if not hit.after:
            done = case.effects() == 1 and last.state is CommandState.CONFIRMED
            require(
                done, f"{case.title}: its answer was lost; {last.state}, and the book shows it {case.effects()} times"
            )


@check("G110", "A lost command is resolved: not found, and not done.", called_by=ORDERS, group=Group.COMMANDS)
async def dropped_and_not_found(subject: Subject) -> None:
    """At once, or after the market's processing limit where it cannot tell before."""
    async for hit in hit_cases(subject, dropped):
        case = hit.case
        order = await case.prepared()
        await outcome(case, order)
        case.trial.line.tamper = None
        last = await _true_word(case, order)
        if not hit.before:
            gone = not case.effects() and last.state is CommandState.NOT_FOUND
            require(gone, f"{case.title}: it was lost; {last.state}, and the book shows it {case.effects()} times")


@check(
    "G120", "A refusal whose answer is lost is resolved: rejected or not found.", called_by=ORDERS, group=Group.COMMANDS
)
async def refused_and_lost(subject: Subject) -> None:
    """And nothing was done."""
    async for case in refused_cases(subject):
        order = await case.prepared()
        case.trial.line.tamper = lost_answer(nth_command(case.trial, 0))
        found = await outcome(case, order)
        require(isinstance(found, OutcomeUnknown), f"{case.title}: its answer was lost, and it is {found!r:.200}")
        case.trial.line.tamper = None
        last = await _true_word(case, order)
        whole = await looked_up(case.adapter, order)
        taken = any(one.accepted for one in whole.entries) if isinstance(whole, PublicationStatus) else True
        fine = last.state in UNTOUCHED or not taken
        require(fine, f"{case.title}: it was refused, and its state is {last.state}")
        require(not case.effects(), f"{case.title}: it was refused, and the book shows it {case.effects()} times")


@check(
    "G130",
    "A status that cannot be had is an error of a read, and never an answer.",
    called_by=ORDERS,
    group=Group.COMMANDS,
)
async def failed_status(subject: Subject) -> None:
    """Least of all "not found": a proxy's 404 would have an order sent twice."""
    rows: tuple[tuple[Make, type[AdapterError]], ...] = (
        (partial(dropped, error=httpx.ConnectError), NotSent),
        (dropped, Unavailable),
        (_status(500, b"oops"), Unavailable),
        (_status(403), AccessDenied),
        (_status(200), ContractBreach),
        (_status(404), ContractBreach),
    )
    async for case in cases(subject):
        order = await case.prepared()
        await sent(case.adapter, order)
        for tamper, expected in rows:
            begin = len(case.trial.line.exchanges)
            case.trial.line.tamper = tamper(lambda exchange, at=begin: exchange.number == at)  # type: ignore[misc]
            found = await _result(case, order)
            require(
                isinstance(found, expected), f"{case.title}, its status: {found!r:.300}, expected {expected.__name__}"
            )


async def _each_row(subject: Subject, rows: list[Make], kind: type[AdapterError]) -> None:
    """Sends each order on a line that goes wrong at its command; the same command may not follow, another one may.

    Where another command of it went before, something has happened already, and only the market can say what.
    """
    async for hit in hit_cases(subject, *rows):
        case, expected = hit.case, OutcomeUnknown if hit.before else kind
        found = await outcome(case, await case.prepared())
        require(isinstance(found, expected), f"{case.title}: {found!r:.300}, expected {expected.__name__}")
        commands = case.trial.line.commands()
        again = [one.path for one in commands[hit.before + 1 :] if one.path == commands[hit.before].path]
        require(not again, f"{case.title}: it failed, and was sent again: {again}")


async def _true_word(case: Case, order: Order) -> CommandStatus:
    """The last word on an order; raises Failed when the market's book says otherwise."""
    last = await case.last_word(order)
    effects = case.effects()
    require(effects <= 1, f"{case.title}: the book shows it {effects} times")
    true = effects == 1 if last.state is CommandState.CONFIRMED else not (effects and last.state in UNTOUCHED)
    entries = await looked_up(case.adapter, order)
    partly = isinstance(entries, PublicationStatus) and not any(one.accepted for one in entries.entries)
    require(true or partly, f"{case.title}: its state is {last.state}, and the book shows it {effects} times")
    return last


async def _strange_word(case: Case, way: Way, word: str, expected: type[AdapterError]) -> int:
    """Whether the state stood in an answer of that way; raises Failed when another one there is taken for an answer."""
    pattern = re.compile(rb'(:\s*)("?)' + re.escape(word.encode()) + rb"\2(?=\s*[,}\]])")
    changed = 0

    def change(body: bytes) -> bytes:
        nonlocal changed
        spoilt, count = pattern.subn(rb'\1"' + STRANGE_WORD + b'"', body)
        changed += count
        return spoilt

    order = await case.prepared()
    tamper = rewritten(lambda exchange: exchange.way is way, change)
    if way is Way.COMMAND:
        case.trial.line.tamper = tamper
        found: object = await outcome(case, order)
    else:
        await sent(case.adapter, order)
        case.trial.line.tamper = tamper
        found = await _result(case, order)
    if word and changed:
        require(
            isinstance(found, expected),
            f"{case.title}, in an unknown state: {found!r:.300}, expected {expected.__name__}",
        )
    return bool(word and changed)


async def _result(case: Case, order: Order) -> object:
    try:
        return await asked(case.adapter, order)
    except Exception as error:  # noqa: BLE001 - what is raised is what is looked at
        return error


def _status(status: int, body: bytes = HTML) -> Make:
    return partial(instead, status=status, body=body)


CHECKS: tuple[Check, ...] = (
    cannot_connect,
    broken_off,
    server_errors,
    perhaps_done,
    denied,
    unreadable_refusal,
    redirects,
    unreadable_answer,
    strange_words,
    lost_and_confirmed,
    dropped_and_not_found,
    refused_and_lost,
    failed_status,
)
