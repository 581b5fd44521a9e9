"""What a participant may do that ends in a registry's own books: retire, and withdraw for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from adapters.cbl.book import PROGRAMS, RETIREMENT_TAKES, Book
from adapters.cbl.book_entries import Act, Instrument, Retirement, TaxLot, Transfer
from adapters.cbl.book_venue import active, release
from adapters.cbl.mock_wire import Refused, error, flag, objects, text, text_or_none, whole

OWNER_LIMIT: Final = 100
DETAILS_LIMIT: Final = 500
REASONS: Final = ("VOLUNTARY", "COMPLIANCE")
SUB_ACCOUNTS: Final = ("43134", "32141")
RETIRING: Final = ("ACR", "CAR", "GS", "VCS")
STRATEGIES: Final = ("FIFO", "LIFO")

ATTRIBUTES: Final[tuple[dict[str, Any], ...]] = (
    {"name": "beneficialOwnerName", "type": "STRING", "required": True, "maxLength": OWNER_LIMIT},
    {"name": "retirementReason", "type": "STRING", "required": True, "values": list(REASONS)},
    {"name": "retirementReasonDetails", "type": "STRING", "required": False, "maxLength": DETAILS_LIMIT},
    {"name": "subAccount", "type": "STRING", "required": False, "values": list(SUB_ACCOUNTS)},
)
"""What a registry wants to know of a retirement. The shape is ours."""

Part = tuple[TaxLot, int]
Selection = Callable[[Book, str, Instrument, Mapping[str, Any]], list[Part]]


class Defective(Exception):
    """One requested retirement cannot be made: its inner error."""

    def __init__(self, code: str, message: str, field: str = "quantity", value: object = "") -> None:
        self.inner = error(code, message, field=field, value=str(value))
        super().__init__(code)


def require_program(program: str, known: Sequence[str] = PROGRAMS) -> None:
    """Raises Refused for a programme that is none."""
    if program not in known:
        raise Refused("INVALID_PROGRAM", f"no programme {program}")


def retire(
    book: Book, account: str, program: str, body: Mapping[str, Any], *, deposited: bool
) -> tuple[str, list[Retirement]]:
    """Retires units of an account, all or none: its batch and the retirements. A dry run has none. Raises Refused."""
    require_program(program, RETIRING)
    dry = flag(body, "dryRun", needed=deposited)
    entries, attributes = _entries(body, "retirements"), _attributes(body)
    chosen = _all_chosen(book, account, program, entries, _deposited if deposited else _free)
    batch = f"B{book.number()}"
    if dry:
        return batch, []
    made = [
        _retirement(book, account, batch, one, parts, attributes) for one, parts in zip(entries, chosen, strict=True)
    ]
    parts = tuple((one.instrument.ein, one.quantity) for one in made)
    book.acts.append(Act("retire", parts, made[0].external))
    for parts_of_one in chosen:
        for lot, quantity in parts_of_one:
            _take(book, lot, quantity, deposited=deposited)
    return batch, made


def export(book: Book, account: str, program: str, body: Mapping[str, Any]) -> tuple[str, list[Transfer]]:
    """Takes units from the venue out of Connect, to the account's own registry account. Raises Refused."""
    require_program(program)
    dry = flag(body, "dryRun")
    entries = _entries(body, "exports")
    inner: list[dict[str, str]] = []
    chosen: list[tuple[Instrument, list[Part], str | None]] = []
    for one in entries:
        try:
            instrument = _instrument(book, program, one, [other.get("ein") for other in entries])
            parts = _deposited(book, account, instrument, one)
            chosen.append((instrument, parts, text_or_none(one, "externalIdentifier")))
        except Defective as defective:
            inner.append(defective.inner)
    if inner:
        raise Refused("INVALID_EXPORTS", "the exports cannot be made", errors=inner)
    batch, now = f"B{book.number()}", book.clock()
    if dry:
        return batch, []
    made = []
    for instrument, parts, external in chosen:
        for lot, quantity in parts:
            _take(book, lot, quantity, deposited=True)
        quantity = sum(quantity for _, quantity in parts)
        made.append(
            book.add_transfer(
                Transfer(
                    identifier=f"T{book.number()}",
                    batch=batch,
                    outgoing=True,
                    counterparty=f"{program} registry",
                    instrument=instrument,
                    parts=parts,
                    quantity=quantity,
                    price=0,
                    external=external,
                    status="ACCEPTED",
                    registry_status="SUBMITTED",
                    created=now,
                    updated=now,
                    settlement_day=book.today(),
                    settled=None,
                    due=now + RETIREMENT_TAKES,
                )
            )
        )
    book.acts.append(Act("export", tuple((one.instrument.ein, one.quantity) for one in made), made[0].external))
    return batch, made


def _entries(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = objects(body, key)
    if not entries:
        raise Refused("EMPTY_REQUEST", f"{key} is empty")
    for one in entries:
        text_or_none(one, "externalIdentifier")
    return entries


def _attributes(body: Mapping[str, Any]) -> dict[str, str]:
    attributes = body.get("attributes", {})
    if not isinstance(attributes, dict):
        raise Refused("INVALID_REQUEST", "attributes must be an object")
    if inner := _attribute_errors(attributes):
        raise Refused("INVALID_ATTRIBUTES", "the attributes are not what the registry wants", attributeErrors=inner)
    return attributes


def _all_chosen(
    book: Book, account: str, program: str, entries: Sequence[Mapping[str, Any]], select: Selection
) -> list[list[Part]]:
    """The units of each entry. What is wrong is told in a list of lists, one for each entry."""
    chosen: list[list[Part]] = []
    nested: list[list[dict[str, str]]] = []
    for one in entries:
        try:
            instrument = _instrument(book, program, one, [other.get("ein") for other in entries])
            chosen.append(select(book, account, instrument, one))
            nested.append([])
        except Defective as defective:
            nested.append([defective.inner])
    if any(nested):
        raise Refused("INVALID_RETIREMENTS", "the retirements cannot be made", retirementErrors=nested)
    return chosen


def _attribute_errors(attributes: Mapping[str, Any]) -> list[dict[str, str]]:
    known = {str(one["name"]): one for one in ATTRIBUTES}
    found = [
        error("UNEXPECTED_FIELD", "the registry does not know it", field=name, value=str(value))
        for name, value in attributes.items()
        if name not in known
    ]
    for name, rule in known.items():
        value = attributes.get(name)
        if value is None:
            if rule["required"]:
                found.append(error("REQUIRED_FIELD", "the registry needs it", field=name))
            continue
        code = "INVALID_SUB_ACCOUNT" if name == "subAccount" else "INVALID_VALUE"
        code = "INVALID_BENEFICIAL_OWNER_NAME" if name == "beneficialOwnerName" else code
        if not isinstance(value, str):
            found.append(error("INVALID_TYPE", "it is no text", field=name, value=str(value)))
        elif not value.strip() or len(value) > rule.get("maxLength", len(value)):
            found.append(error(code, "it is empty or too long", field=name, value=value[:OWNER_LIMIT]))
        elif value not in rule.get("values", [value]):
            found.append(error(code, "it is none of its values", field=name, value=value))
    return found


def _instrument(book: Book, program: str, entry: Mapping[str, Any], named: Sequence[object]) -> Instrument:
    ein, quantity = text(entry, "ein"), whole(entry, "quantity")
    found = book.instruments.get(ein)
    if found is None or found.project.program != program:
        raise Defective("INVALID_EIN", f"no instrument {ein} of {program}", "ein", ein)
    if named.count(ein) > 1:
        raise Defective("DUPLICATE_EIN", f"the instrument {ein} is named twice", "ein", ein)
    if quantity == 0:
        raise Defective("ZERO_QUANTITY", "the quantity is zero", value=quantity)
    if quantity < 0:
        raise Defective("INVALID_VALUE", "the quantity is negative", value=quantity)
    if found.quarantined:
        raise Defective("QUARANTINED_POSITION", f"the position {ein} is quarantined", "ein", ein)
    if any(one.status == "PENDING" and one.instrument is found for one in book.retirements.values()):
        raise Defective("EIN_CURRENTLY_LOCKED", f"another retirement of {ein} is under way", "ein", ein)
    return found


def _deposited(book: Book, account: str, instrument: Instrument, entry: Mapping[str, Any]) -> list[Part]:
    left = whole(entry, "quantity")
    usable = active(book, account, ein=instrument.ein)
    if sum(one.available for one in usable) < left:
        raise Defective("INSUFFICIENT_QUANTITY", f"less than {left} is on deposit", value=left)
    parts = []
    for one in usable:
        part = min(left, one.available)
        if part:
            parts.append((one.lot, part))
        left -= part
    return parts


def _free(book: Book, account: str, instrument: Instrument, entry: Mapping[str, Any]) -> list[Part]:
    quantity = whole(entry, "quantity")
    lots = {lot.id: lot for lot in book.lots.values() if lot.account == account and lot.instrument is instrument}
    if "quantityPerTaxLot" not in entry:
        return _by_strategy(list(lots.values()), quantity, entry)
    if "taxLotSelectionStrategy" in entry:
        raise Defective("UNEXPECTED_QUANTITY_PER_TAX_LOT", "lots or a strategy, not both", "quantityPerTaxLot")
    named = [(whole(one, "taxLotId"), whole(one, "quantity")) for one in objects(entry, "quantityPerTaxLot")]
    if len({name for name, _ in named}) != len(named):
        raise Defective("DUPLICATE_TAX_LOTS", "a tax lot is named twice", "quantityPerTaxLot")
    if any(part < 1 for _, part in named):
        raise Defective("ZERO_QUANTITY_TAX_LOTS", "a tax lot with nothing of it", "quantityPerTaxLot")
    if any(name not in lots for name, _ in named):
        raise Defective("INVALID_TAX_LOT_ALLOCATION", "a tax lot that is not of this position", "quantityPerTaxLot")
    if sum(part for _, part in named) != quantity:
        raise Defective("INVALID_QUANTITY_SUM", "the tax lots do not add up to the quantity", value=quantity)
    if any(lots[name].available < part for name, part in named):
        raise Defective("INSUFFICIENT_QUANTITY", "a tax lot has not so much that is free", value=quantity)
    return [(lots[name], part) for name, part in named]


def _by_strategy(lots: list[TaxLot], quantity: int, entry: Mapping[str, Any]) -> list[Part]:
    strategy = entry.get("taxLotSelectionStrategy", "FIFO")
    if strategy not in STRATEGIES:
        message = f"expected one of {', '.join(STRATEGIES)}"
        raise Defective("INVALID_TAX_LOT_ALLOCATION_STRATEGY", message, "taxLotSelectionStrategy", strategy)
    if sum(lot.available for lot in lots) < quantity:
        raise Defective("INSUFFICIENT_QUANTITY", f"less than {quantity} is free", value=quantity)
    parts, left = [], quantity
    for lot in sorted(lots, key=lambda one: one.id, reverse=strategy == "LIFO"):
        part = min(left, lot.available)
        if part:
            parts.append((lot, part))
        left -= part
    return parts


def _take(book: Book, lot: TaxLot, quantity: int, *, deposited: bool) -> None:
    """Units are on their way out: not free and not on the venue any more."""
    lot.unsettled += quantity
    if not deposited:
        lot.available -= quantity
        return
    left = quantity
    for one in active(book, lot.account, ein=lot.instrument.ein):
        if one.lot is lot:
            part = min(left, one.available)
            release(one, part)
            if one.due is None and not one.available:
                one.status = "WITHDRAWN"
            left -= part


def _retirement(
    book: Book, account: str, batch: str, entry: Mapping[str, Any], parts: list[Part], attributes: Mapping[str, str]
) -> Retirement:
    now = book.clock()
    one = Retirement(
        identifier=f"RT{book.number()}",
        batch=batch,
        external=text_or_none(entry, "externalIdentifier"),
        account=account,
        instrument=parts[0][0].instrument,
        parts=parts,
        attributes=dict(attributes),
        status="PENDING",
        created=now,
        updated=now,
        registry_id=None,
        due=now + RETIREMENT_TAKES,
    )
    book.retirements[one.identifier] = one
    return one
