"""What is sent with a command, and what its answer says: pure, the market's words on one side and ours on the other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from adapters.cbl.states import RETIREMENT, TRANSFER, WITHDRAWAL, state_of, together
from adapters.cbl.witness import Verdict, Witness, absent
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.model.commands import CommandState, Lot, Retirement, RetirementPurpose, Transfer

OWNER: Final = "beneficialOwnerName"
REASON: Final = "retirementReason"
DETAILS: Final = "retirementReasonDetails"
REASONS: Final[Mapping[RetirementPurpose, str]] = {
    RetirementPurpose.VOLUNTARY: "VOLUNTARY",
    RetirementPurpose.OFFSET: "COMPLIANCE",
}
FREE_OF_PAYMENT: Final = {"currency": "USD", "amount": 0}
"""The price of a transfer whose cash moves elsewhere."""
TAKEN: Final = "200"
"""The native state of a command that the market took without a word for it."""

_INTEGER: Final = re.compile(r"[1-9][0-9]{0,17}")
_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def deposit_body(order: Transfer) -> dict[str, Any]:
    """A deposit; ``counter_account`` is the market on the venue."""
    lots = [{"taxLotId": _identifier(lot.holding), "quantity": lot.quantity} for lot in order.lots]
    return {"market": order.counter_account, "deposits": lots}


def withdrawal_body(order: Transfer) -> dict[str, Any]:
    """A withdrawal; its lots are deposits."""
    return {"withdrawals": [{"depositIdentifier": lot.holding, "quantity": lot.quantity} for lot in order.lots]}


def transfers_body(order: Transfer, noted: Witness, day: date) -> dict[str, Any]:
    """A transfer: one entry an instrument, each under our id."""
    transfers = [
        {
            "externalTransferIdentifier": order.command_id,
            "ein": ein,
            "unitPrice": FREE_OF_PAYMENT,
            "transferData": {"transferDataType": "TAX_LOTS", "taxLots": _tax_lots(lots)},
        }
        for ein, lots in _by_instrument(order.lots, noted).items()
    ]
    return {
        "dryRun": False,
        "counterpartyRegistryName": order.counter_account,
        "settlementDate": day.isoformat(),
        "transfers": transfers,
    }


def answer_body(transfer: str, price: str | None) -> bytes:
    """The acceptance of a transfer at a price, or its rejection where there is none.

    The price is the market's own text, so that no digit of it is lost.
    """
    name = json.dumps(transfer)
    listed = name if price is None else f'{{"transferIdentifier":{name},"price":{price}}}'
    return f'{{"dryRun":false,"transfers":[{listed}]}}'.encode()


def retirement_body(order: Retirement, noted: Witness, *, deposited: bool) -> dict[str, Any]:
    """A retirement: one entry an instrument, each under our id. Of deposits the market chooses the lots itself."""
    entries = []
    for ein, lots in _by_instrument(order.lots, noted).items():
        entry: dict[str, Any] = {"ein": ein, "quantity": sum(lot.quantity for lot in lots)}
        if not deposited:
            entry["quantityPerTaxLot"] = _tax_lots(lots)
        entries.append(entry | {"externalIdentifier": order.command_id})
    attributes = {OWNER: order.beneficiary, REASON: REASONS[order.purpose]}
    attributes |= {} if order.remarks is None else {DETAILS: order.remarks}
    return {"dryRun": False, "retirements": entries, "attributes": order.attributes | attributes}


def deposited(order: Transfer, answer: Json) -> Verdict:
    """What the answer to a deposit says: ``[{depositIdentifier}]``, one a lot. Raises Undecodable for another."""
    ids = [_text(members(one, "a deposit"), "depositIdentifier") for one in elements(answer, "the answer")]
    if len(set(ids)) != len(order.lots):
        raise Undecodable(f"the answer names {len(set(ids))} deposits, expected one for each of {len(order.lots)} lots")
    return Verdict(CommandState.ACCEPTED, TAKEN, ",".join(ids))


def withdrawn(order: Transfer, answer: Json) -> Verdict:
    """What the answer to a withdrawal says: ``[{depositIdentifier, status}]``, of each deposit that was ordered.

    Raises Undecodable for another.
    """
    told = [members(one, "a withdrawal") for one in elements(answer, "the answer")]
    ids = [_text(one, "depositIdentifier") for one in told]
    ordered = {lot.holding for lot in order.lots}
    if set(ids) != ordered:
        raise Undecodable(f"the answer is about {', '.join(ids) or 'nothing'}, expected {', '.join(sorted(ordered))}")
    states = [state_of(WITHDRAWAL, one.get("status"), "the state of a withdrawal") for one in told]
    return Verdict(together(states), _words(told), ",".join(ids))


def transferred(answer: Json) -> Verdict:
    """What the answer to a transfer says: ``{transfers[], batchIdentifier}``. Raises Undecodable for another."""
    told = members(answer, "the answer")
    _some([_text(members(one, "a transfer"), "transferIdentifier") for one in elements(told.get("transfers"), "them")])
    return Verdict(CommandState.AWAITING_ACCEPTANCE, TAKEN, _text(told, "batchIdentifier"))


def retired(order: Retirement, answer: Json) -> Verdict:
    """What the answer to a retirement says: whole retirements, or their ids alone. Raises Undecodable for another."""
    told = members(answer, "the answer")
    if "retirements" in told:
        listed = _some([members(one, "a retirement") for one in elements(told["retirements"], "the retirements")])
        verdict = _of_parts(order, listed, RETIREMENT, "the state of a retirement")
        if verdict.state is CommandState.UNDECIDED:
            raise Undecodable("the answer names fewer units than were ordered")
        return verdict
    _some(elements(told.get("retirementIdentifiers"), "the retirements' ids"))
    return Verdict(CommandState.ACCEPTED, TAKEN, _text(told, "batchIdentifier"))


def transfer_verdict(order: Transfer, noted: Witness | None, found: Sequence[Json], now: datetime) -> Verdict:
    """What a complete read of transfers says of one. Raises Undecodable when they are not what they should be."""
    ours = [one for one in _all(found) if one.get("externalTransferIdentifier") == order.command_id]
    return _of_parts(order, ours, TRANSFER, "the state of a transfer") if ours else Verdict(absent(noted, now))


def retirement_verdict(order: Retirement, noted: Witness | None, answer: Json, now: datetime) -> Verdict:
    """What a search by our id says of a retirement. Raises Undecodable when it is not what it should be."""
    found = elements(members(answer, "the answer").get("retirements"), "the retirements")
    ours = [one for one in _all(found) if one.get("externalIdentifier") == order.command_id]
    return _of_parts(order, ours, RETIREMENT, "the state of a retirement") if ours else Verdict(absent(noted, now))


def program_of(transfer: Mapping[str, Json]) -> str:
    """The programme of a transfer's instrument. Raises Undecodable when there is none."""
    return _text(members(transfer.get("instrument"), "its instrument"), "program")


def price_of(transfer: Mapping[str, Json]) -> str:
    """The unit price of a transfer as JSON, digit by digit. Raises Undecodable when there is none."""
    price = members(transfer.get("unitPrice"), "its unit price")
    currency, amount = _text(price, "currency"), _text(price, "amount")
    if not _CURRENCY.fullmatch(currency) or not _AMOUNT.fullmatch(amount):
        raise Undecodable(f"its unit price is {amount} {currency}, expected an amount in a currency")
    return f'{{"currency":"{currency}","amount":{amount}}}'


def _of_parts(
    order: Transfer | Retirement, parts: Sequence[Mapping[str, Json]], words: Mapping[str, CommandState], what: str
) -> Verdict:
    """What the parts under our id say together: undecided where not all of the ordered units are among them.

    Raises Undecodable when more units than were ordered have moved or may: the market takes one id twice.
    """
    ordered = sum(lot.quantity for lot in order.lots)
    told = [
        (one, state_of(words, one.get("status"), what), whole_number(one.get("quantity"), "quantity")) for one in parts
    ]
    going = [one for one in told if one[1] is not CommandState.REJECTED]
    units, refused = sum(one[2] for one in going), sum(one[2] for one in told if one not in going)
    if units > ordered:
        raise Undecodable(
            f"found {units} units in {len(going)} parts under the id {order.command_id}, ordered {ordered}"
        )
    if units + refused < ordered:
        return Verdict(CommandState.UNDECIDED, _words(parts))
    counted = going if units == ordered else told
    state = together([one[1] for one in counted])
    batches = dict.fromkeys(_text(one[0], "batchIdentifier") for one in counted)
    moved = () if state is CommandState.REJECTED else counted
    lots = tuple(lot for one in moved for lot in _lots(one[0].get("transferTaxLots")))
    return Verdict(state, _words([one[0] for one in counted]), ",".join(batches), lots)


def _lots(value: Json) -> list[Lot]:
    listed = [] if value is None else [members(one, "a tax lot moved") for one in elements(value, "transferTaxLots")]
    return [
        Lot(
            holding=_text(members(one.get("taxLot"), "its tax lot"), "id"),
            quantity=whole_number(one.get("quantity"), "quantity"),
        )
        for one in listed
    ]


def _by_instrument(lots: Sequence[Lot], noted: Witness) -> dict[str, list[Lot]]:
    """Lots by the number of their instrument.

    One that the market did not show goes under its own name, so that the market itself refuses it.
    """
    grouped: dict[str, list[Lot]] = {}
    for lot in lots:
        seen = noted.lots.get(lot.holding)
        grouped.setdefault(lot.holding if seen is None else seen.ein, []).append(lot)
    return grouped


def _tax_lots(lots: Sequence[Lot]) -> list[dict[str, Any]]:
    return [{"taxLotId": _identifier(lot.holding), "quantity": lot.quantity} for lot in lots]


def _identifier(text: str) -> int | str:
    """A tax lot's id as the number that it is; anything else as it is, for the market to refuse."""
    return int(text) if _INTEGER.fullmatch(text) else text


def _all(found: Sequence[Json]) -> list[dict[str, Json]]:
    return [members(one, "an element of the search") for one in found]


def _some(found: list[Any]) -> list[Any]:
    if not found:
        raise Undecodable("the answer names nothing that was done")
    return found


def _words(parts: Sequence[Mapping[str, Json]]) -> str:
    return ", ".join(sorted({str(one.get("status")) for one in parts}))


def _text(told: Mapping[str, Json], key: str) -> str:
    found = told.get(key)
    if not isinstance(found, str) or not found:
        raise Undecodable(f"found no text under {key}")
    return found
