"""What a participant may do with bilateral transfers: begin, cancel, accept, reject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from adapters.cbl.book import COUNTERPARTY_TAKES, EASTERN, REGISTRY_TAKES, Book, settles_on
from adapters.cbl.book_entries import Act, Instrument, TaxLot, Transfer
from adapters.cbl.book_retirements import STRATEGIES, require_program
from adapters.cbl.mock_wire import ITEMS_LIMIT, Refused, cents, day, error, flag, objects, text, text_or_none, whole

WINDOW_DAYS: Final = 30
BATCHED: Final = "M_RETS"
"""The registry whose transfers are only cancelled or answered as whole batches."""

Part = tuple[TaxLot, int]


def create(book: Book, account: str, program: str, body: Mapping[str, Any]) -> tuple[str, list[Transfer]]:
    """Begins transfers, all or none: their batch and they; a dry run has none. Raises Refused."""
    require_program(program)
    dry = flag(body, "dryRun")
    counterparty, settlement = text(body, "counterpartyRegistryName"), day(body, "settlementDate")
    entries = objects(body, "transfers")
    if not entries:
        raise Refused("EMPTY_REQUEST", "no transfer was asked for")
    if counterparty not in {name for one, name in book.accounts.items() if one != account}:
        raise Refused("INVALID_COUNTERPARTY_NAME", f"the registry knows no {counterparty}")
    _require_day(book, settlement)
    inner: list[dict[str, str]] = []
    chosen: list[tuple[Instrument, list[Part], int, str | None]] = []
    for one in entries:
        named = [other.get("ein") for other in entries]
        found = _chosen(book, account, program, one, named)
        if isinstance(found, dict):
            inner.append(found)
        else:
            chosen.append(found)
    if inner:
        raise Refused("INVALID_TRANSFERS", "the transfers cannot be made", errors=inner)
    batch, now = f"B{book.number()}", book.clock()
    if dry:
        return batch, []
    made = []
    for instrument, parts, price, external in chosen:
        for lot, quantity in parts:
            lot.available -= quantity
            lot.unsettled += quantity
        made.append(
            book.add_transfer(
                Transfer(
                    identifier=f"T{book.number()}",
                    batch=batch,
                    outgoing=True,
                    counterparty=counterparty,
                    instrument=instrument,
                    parts=parts,
                    quantity=sum(quantity for _, quantity in parts),
                    price=price,
                    external=external,
                    status="PENDING",
                    registry_status="PENDING",
                    created=now,
                    updated=now,
                    settlement_day=settlement,
                    settled=None,
                    due=now + COUNTERPARTY_TAKES,
                )
            )
        )
    book.acts.append(Act("transfer", tuple((one.instrument.ein, one.quantity) for one in made), made[0].external))
    return batch, made


def accept(book: Book, account: str, program: str, body: Mapping[str, Any]) -> None:
    """Accepts incoming transfers, all or none. Raises Refused."""
    entries = objects(body, "transfers")
    dry, found = _answered(book, program, body, [text(one, "transferIdentifier") for one in entries])
    inner = [
        error("INVALID_PRICE", f"the transfer {one.identifier} is at another price")
        for one, entry in zip(found, entries, strict=True)
        if _price(entry.get("price")) != one.price
    ]
    if inner:
        raise Refused("INVALID_TRANSFERS", "the transfers cannot be accepted", errors=inner)
    if any(one.settlement_day < book.today() for one in found):
        raise Refused("SETTLEMENT_DATE_IN_PAST", "the settlement date is past")
    if dry:
        return
    for one in found:
        name = f"Transfer {book.today()}"
        lot = book.establish(
            one.instrument, one.quantity, account, name, unsettled=True, price=one.price, previous=one.counterparty
        )
        one.parts = [(lot, one.quantity)]
        one.status, one.registry_status, one.updated = "ACCEPTED", "SUBMITTED", book.clock()
        one.due = book.clock() + REGISTRY_TAKES
        book.acts.append(Act("accept", ((one.identifier, one.quantity),)))


def reject(book: Book, program: str, body: Mapping[str, Any]) -> None:
    """Rejects incoming transfers, all or none. Raises Refused."""
    dry, found = _answered(book, program, body, _names(body))
    for one in () if dry else found:
        book.end_transfer(one, "REJECTED")
        book.acts.append(Act("reject", ((one.identifier, one.quantity),)))


def cancel(book: Book, program: str, body: Mapping[str, Any]) -> None:
    """Cancels transfers of ours, by their names or as a batch. Raises Refused."""
    require_program(program)
    dry, batch = flag(body, "dryRun"), text_or_none(body, "batchIdentifier")
    if (batch is None) is (body.get("transfers") is None):
        raise Refused("TRANSFERS_OR_BATCH", "name transfers, or a batch")
    if program == BATCHED and batch is None:
        raise Refused("BATCH_REQUIRED_M_RETS", "M-RETS cancels whole batches")
    names = _names(body) if batch is None else [one.identifier for one in book.transfers.values() if one.batch == batch]
    if batch is not None and not names:
        raise Refused("INVALID_BATCH", f"no batch {batch}")
    found = _pending(book, program, names, outgoing=True)
    for one in () if dry else found:
        book.end_transfer(one, "CANCELLED")
        book.acts.append(Act("cancel", ((one.identifier, one.quantity),)))


def _answered(book: Book, program: str, body: Mapping[str, Any], names: list[str]) -> tuple[bool, list[Transfer]]:
    require_program(program)
    dry = flag(body, "dryRun")
    if not names:
        raise Refused("EMPTY_REQUEST", "no transfer was named")
    batches = {book.transfers[name].batch for name in names if name in book.transfers}
    if program == BATCHED and not {one.identifier for one in book.transfers.values() if one.batch in batches} <= set(
        names
    ):
        raise Refused("INCOMPLETE_M_RETS_BATCH", "M-RETS answers whole batches")
    return dry, _pending(book, program, names, outgoing=False)


def _pending(book: Book, program: str, names: Sequence[str], *, outgoing: bool) -> list[Transfer]:
    inner: list[dict[str, str]] = []
    found: list[Transfer] = []
    for name in names:
        one = book.transfers.get(name)
        if list(names).count(name) > 1:
            inner.append(error("DUPLICATE_TRANSFER", f"the transfer {name} is named twice"))
        elif one is None or one.outgoing is not outgoing:
            inner.append(error("INVALID_TRANSFER", f"no such transfer {name}"))
        elif one.instrument.project.program != program:
            inner.append(error("INVALID_TRANSFER_PROGRAM", f"the transfer {name} is of another programme"))
        elif one.status != "PENDING":
            inner.append(error("INVALID_TRANSFER_STATUS", f"the transfer {name} is {one.status}"))
        elif one.registry_status != "PENDING":
            inner.append(error("INVALID_TRANSFER_REGISTRY_STATUS", f"the registry has {name} {one.registry_status}"))
        else:
            found.append(one)
    if inner:
        raise Refused("INVALID_TRANSFERS", "the transfers are not what they should be", errors=inner)
    return found


def _chosen(
    book: Book, account: str, program: str, entry: Mapping[str, Any], named: Sequence[object]
) -> tuple[Instrument, list[Part], int, str | None] | dict[str, str]:
    """What an entry wants moved, or its inner error."""
    ein, external = text(entry, "ein"), text_or_none(entry, "externalTransferIdentifier")
    found = book.instruments.get(ein)
    if found is None or found.project.program != program:
        return error("INVALID_EIN", f"no instrument {ein} of {program}")
    if named.count(ein) > 1:
        return error("DUPLICATE_EIN", f"the instrument {ein} is named twice")
    if found.quarantined:
        return error("QUARANTINED_POSITION", f"the position {ein} is quarantined")
    try:
        price = _price(entry.get("unitPrice"))
    except Refused as refused:
        return error("INVALID_PRICE", str(refused))
    data = entry.get("transferData")
    if not isinstance(data, dict) or data.get("transferDataType") not in {"TAX_LOTS", "STRATEGY"}:
        return error("INVALID_TRANSFER_DATA", "transferDataType must be TAX_LOTS or STRATEGY")
    lots = {lot.id: lot for lot in book.lots.values() if lot.account == account and lot.instrument is found}
    parts = _by_strategy(lots, data) if data["transferDataType"] == "STRATEGY" else _by_lot(lots, data)
    return parts if isinstance(parts, dict) else (found, parts, price, external)


def _by_lot(lots: Mapping[int, TaxLot], data: Mapping[str, Any]) -> list[Part] | dict[str, str]:
    asked = [(whole(one, "taxLotId"), whole(one, "quantity")) for one in objects(data, "taxLots")]
    if not asked or any(quantity < 1 for _, quantity in asked):
        return error("INVALID_QUANTITY", "each tax lot needs a quantity of 1 or more")
    if len({name for name, _ in asked}) != len(asked):
        return error("DUPLICATE_TAX_LOT", "a tax lot is named twice")
    if any(name not in lots for name, _ in asked):
        return error("INVALID_TAX_LOT", "a tax lot that is not of this position")
    if any(lots[name].available < quantity for name, quantity in asked):
        return error("UNAVAILABLE_QUANTITY", "a tax lot has not so much that is free")
    return [(lots[name], quantity) for name, quantity in asked]


def _by_strategy(lots: Mapping[int, TaxLot], data: Mapping[str, Any]) -> list[Part] | dict[str, str]:
    quantity, strategy = whole(data, "quantity"), data.get("taxLotSelectionStrategy")
    if strategy not in STRATEGIES:
        return error("INVALID_TAX_LOT_SELECTION_STRATEGY", f"expected one of {', '.join(STRATEGIES)}")
    if quantity < 1:
        return error("INVALID_QUANTITY", "the quantity must be 1 or more")
    if sum(lot.available for lot in lots.values()) < quantity:
        return error("UNAVAILABLE_QUANTITY", f"less than {quantity} is free")
    parts, left = [], quantity
    for name in sorted(lots, reverse=strategy == "LIFO"):
        part = min(left, lots[name].available)
        if part:
            parts.append((lots[name], part))
        left -= part
    return parts


def _names(body: Mapping[str, Any]) -> list[str]:
    names = body.get("transfers")
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise Refused("INVALID_REQUEST", "transfers must be a list of texts")
    if len(names) > ITEMS_LIMIT:
        raise Refused("REQUEST_TOO_LARGE", f"transfers has {len(names)} entries, expected {ITEMS_LIMIT} at most")
    return names


def _price(value: object) -> int:
    """The cents of a price object; without one, nothing."""
    if value is None:
        return 0
    if not isinstance(value, dict) or value.get("currency") != "USD":
        raise Refused("INVALID_REQUEST", "a price needs its currency USD and its amount")
    return cents(value.get("amount"))


def _require_day(book: Book, settlement: Any) -> None:
    today = book.clock().astimezone(EASTERN).date()
    if settlement < today:
        raise Refused("SETTLEMENT_DATE_IN_PAST", f"{settlement} is past: in New York it is {today}")
    if not settles_on(settlement):
        raise Refused("SETTLEMENT_DATE_HOLIDAY", f"nothing settles on {settlement}")
    if settlement > today + timedelta(days=WINDOW_DAYS):
        raise Refused("SETTLEMENT_DATE_OUTSIDE_TRADING_WINDOW", f"{settlement} is more than {WINDOW_DAYS} days ahead")
