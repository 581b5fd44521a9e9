"""What the stand-in makes of a command: read strictly, kept under the client's order id, carried out later.

The same id with the same request is answered as before, whatever has happened since; with another request it is a
conflict, and nothing is done. A command that is refused for what it asks is kept as refused, so that its id can be
asked about; one that cannot be read is not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final

from adapters.cix.book import ARRIVAL_LIMIT, CONFIRMATION, PROCESSING, Book
from adapters.cix.book_entries import SINGAPORE, Command, DealState, Movement, OrderedLot, Progress
from adapters.cix.book_rows import command_row

LOTS_LIMIT: Final = 1_000
TEXT_LIMIT: Final = 200

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_QUANTITY: Final = re.compile(r"[1-9][0-9]{0,11}")


class Problem(Exception):
    """Why a request is refused: status, the venue's code, its words, and the field that is wrong."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        super().__init__(f"{code}: {message}")


def conflict(client_order_id: str) -> Problem:
    """The same id came with another request."""
    return Problem(409, "CLIENT_ORDER_ID_CONFLICT", f"{client_order_id} was used for another request", "clientOrderId")


Fields = Mapping[str, Callable[[str, Any], Any]]


def read_body(content: bytes, fields: Fields) -> dict[str, Any]:
    """The members of a request, each read by its rule; the same names, no more and no fewer.

    Raises Problem naming the member that is wrong.
    """
    try:
        body = json.loads(content, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "MALFORMED_BODY", str(error)) from error
    if not isinstance(body, dict):
        raise Problem(400, "MALFORMED_BODY", "the body is no object")
    return _read(body, fields, "")


def _read(body: Mapping[str, Any], fields: Fields, prefix: str) -> dict[str, Any]:
    for name in body:
        if name not in fields:
            raise Problem(422, "FIELD_UNKNOWN", f"{prefix}{name} is no field of this request", f"{prefix}{name}")
    for name in fields:
        if name not in body:
            raise Problem(422, "FIELD_MISSING", f"{prefix}{name} is required", f"{prefix}{name}")
    return {name: rule(f"{prefix}{name}", body[name]) for name, rule in fields.items()}


def _invalid(name: str, expected: str) -> Problem:
    return Problem(422, "FIELD_INVALID", f"{name} must be {expected}", name)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LIMIT:
        raise _invalid(name, f"a text of 1 to {TEXT_LIMIT} characters")
    return value


def _optional_text(name: str, value: Any) -> str | None:
    return None if value is None else _text(name, value)


def _id(name: str, value: Any) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise _invalid(name, "1 to 32 letters, digits and hyphens")
    return value


def _one_of(*words: str) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise _invalid(name, f"one of {', '.join(words)}")
        return value

    return read


def _day(name: str, value: Any) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(_text(name, value))
    except ValueError as error:
        raise _invalid(name, "a day as YYYY-MM-DD") from error


def _lots(name: str, value: Any) -> tuple[OrderedLot, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= LOTS_LIMIT:
        raise _invalid(name, f"a list of 1 to {LOTS_LIMIT} lots")
    lots = []
    for place, one in enumerate(value):
        if not isinstance(one, dict):
            raise _invalid(f"{name}[{place}]", "an object")
        lots.append(OrderedLot(**_read(one, _LOT, f"{name}[{place}].")))
    return tuple(lots)


def _quantity(name: str, value: Any) -> int:
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise _invalid(name, "a whole number of credits, 1 or more")
    return int(value)


_LOT: Final[Fields] = {"holding": _text, "serial": _optional_text, "quantity": _quantity}
_TRANSFER: Final[Fields] = {
    "clientOrderId": _id,
    "accountId": _text,
    "direction": _one_of("DEPOSIT", "WITHDRAWAL"),
    "registryAccount": _text,
    "valueDate": _day,
    "lots": _lots,
}
_ANSWER: Final[Fields] = {
    "clientOrderId": _id,
    "accountId": _text,
    "ctnId": _text,
    "decision": _one_of("ACCEPT", "REJECT"),
}


def take(book: Book, collection: str, content: bytes) -> tuple[int, bytes]:
    """Carries out one command, or says again what was said before; the status and the body of the answer.

    Raises Problem for a request that cannot be read and for an id that was used for another one.
    """
    said = read_body(content, _TRANSFER if collection == "transfers" else _ANSWER)
    asked = json.dumps([collection, {name: str(value) for name, value in said.items()}], sort_keys=True)
    known = book.commands.get(said["clientOrderId"])
    if known is not None:
        if known.asked != asked:
            raise conflict(known.client_order_id)
        return known.answer
    command = Command(
        client_order_id=said["clientOrderId"],
        member=book.member,
        reference=book.number("ORD"),
        account=said["accountId"],
        collection=collection,
        asked=asked,
        made_at=book.clock(),
    )
    try:
        _require_member(book, command)
        if collection == "transfers":
            _take_transfer(book, command, said)
        else:
            _take_answer(book, command, said)
    except Problem as problem:
        command.progress, command.code, command.message = Progress.REJECTED, problem.code, problem.message
        command.answer = problem.status, error_body(problem)
    else:
        command.answer = 202, json.dumps(command_row(command)).encode()
    book.commands[command.client_order_id] = command
    return command.answer


def error_body(problem: Problem) -> bytes:
    """The venue's error body."""
    error = {"code": problem.code, "message": problem.message, "field": problem.field}
    return json.dumps({"error": error}).encode()


def _require_member(book: Book, command: Command) -> None:
    if book.member in book.suspended:
        raise Problem(422, "MEMBER_SUSPENDED", f"the membership of {book.member} is suspended")
    if command.account != book.account:
        raise Problem(422, "ACCOUNT_UNKNOWN", f"{command.account} is no account of {book.member}", "accountId")


def _take_transfer(book: Book, command: Command, said: Mapping[str, Any]) -> None:
    command.lots, command.direction = said["lots"], said["direction"]
    command.registry_account = said["registryAccount"]
    value_date: date | None = said["valueDate"]
    if value_date is not None and value_date < book.today():
        raise Problem(422, "VALUE_DATE_PAST", f"{value_date} has gone by", "valueDate")
    begins_at = command.made_at
    if value_date is not None:
        begins_at = max(begins_at, datetime.combine(value_date, time(9), SINGAPORE))
    if command.direction == "WITHDRAWAL":
        _reserve(book, command)
        command.due_at = begins_at + PROCESSING
    else:
        known = all(lot.holding in book.arrivals for lot in command.lots)
        command.due_at = begins_at + (PROCESSING if known else ARRIVAL_LIMIT)
    command.progress = Progress.PROCESSING
    for lot in command.lots:
        command.movements.append(_begin_movement(book, command, lot).id)


def _reserve(book: Book, command: Command) -> None:
    wanted: dict[str, int] = {}
    for lot in command.lots:
        wanted[lot.holding] = wanted.get(lot.holding, 0) + lot.quantity
    for holding, quantity in wanted.items():
        position = book.positions.get(holding)
        if position is None:
            raise Problem(422, "POSITION_UNKNOWN", f"{holding} is no position of {command.account}", "lots")
        if position.available < quantity:
            message = f"{holding} has {position.available} available, {quantity} were asked for"
            raise Problem(422, "INSUFFICIENT_AVAILABLE", message, "lots")
    for holding, quantity in wanted.items():
        book.positions[holding].leaving += quantity


def _begin_movement(book: Book, command: Command, lot: OrderedLot) -> Movement:
    leaves = command.direction == "WITHDRAWAL"
    position = book.positions[lot.holding] if leaves else None
    movement = Movement(
        id=book.number("MOV"),
        account=command.account,
        kind=command.direction or "",
        direction="OUT" if leaves else "IN",
        progress=Progress.PROCESSING,
        quantity=lot.quantity,
        project=position.project if position else None,
        vintage=position.vintage if position else None,
        serial=lot.serial,
        position=position.id if position else None,
        counter_account=command.registry_account,
        client_order_id=command.client_order_id,
        reason=None,
        created_at=command.made_at,
        updated_at=command.made_at,
    )
    book.movements[movement.id] = movement
    return movement


def _take_answer(book: Book, command: Command, said: Mapping[str, Any]) -> None:
    command.ctn = said["ctnId"]
    deal = book.deals.get(said["ctnId"])
    if deal is None or not deal.is_ctn:
        raise Problem(422, "CTN_UNKNOWN", f"there is no notification {said['ctnId']}", "ctnId")
    if deal.state is not DealState.AWAITING_ACCEPTANCE or deal.method != "CTN_UNILATERAL":
        raise Problem(422, "CTN_NOT_AWAITING_YOU", f"{deal.id} is {deal.state.value}", "ctnId")
    now = command.made_at
    if said["decision"] == "REJECT":
        deal.state, deal.due_at, deal.updated_at = DealState.REJECTED, None, now
        command.progress = Progress.COMPLETED
        book.tell("ctn.rejected", deal.id)
        return
    position = book.positions.get(deal.position) if deal.position else None
    if position is not None:
        if position.available < deal.quantity:
            message = f"{position.id} has {position.available} available, {deal.quantity} are sold"
            raise Problem(422, "INSUFFICIENT_AVAILABLE", message, "ctnId")
        position.reserved += deal.quantity
    deal.state, deal.due_at, deal.updated_at = DealState.ACCEPTED, now + CONFIRMATION, now
    command.progress = Progress.PROCESSING
    book.tell("ctn.accepted", deal.id)
