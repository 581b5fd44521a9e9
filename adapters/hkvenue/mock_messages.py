"""What a publication may say: the stand-in's checks of a message and of each record in it."""

from __future__ import annotations

import re
from typing import Any, Final

from adapters.hkvenue.book_entries import CreditLine, Entry, Refused, Terms, Unread
from adapters.hkvenue.mock_wire import optional_text, required_date, required_number, required_text
from gateway.model.records import PRICE_SCALE

RECORDS_LIMIT: Final = 1000
CURRENCIES: Final = ("HKD", "RMB")
_OFFER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_PRICE: Final = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,6}))?")


def records_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a message. Raises Refused, and with it the whole message is rejected.

    405901 or 405902 when there is no list of objects, 405904 when they are not 1 to 1000, 405905 when two are of one
    offer.
    """
    records = message.get("offers")
    if records is None:
        raise Refused("405901", "offers is mandatory")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise Refused("405902", "offers is not a valid list")
    if not 1 <= len(records) <= RECORDS_LIMIT:
        raise Refused("405904", f"Number of records must be between 1 and {RECORDS_LIMIT}")
    ids = [one.get("offerId") for one in records if isinstance(one.get("offerId"), str)]
    if len(set(ids)) != len(ids):
        raise Refused("405905", "Duplicate offerId in the message")
    return records


def read_record(record: dict[str, Any]) -> Entry | Unread:
    """One record of a message; a fault in it is an exception of this record alone."""
    offer_id, revision = record.get("offerId"), record.get("revision")
    try:
        return _entry(record)
    except Refused as refused:
        return Unread(
            offer_id if isinstance(offer_id, str) else None,
            revision if isinstance(revision, int) and not isinstance(revision, bool) else None,
            refused.code,
            refused.message,
        )


def _entry(record: dict[str, Any]) -> Entry:
    offer_id = required_text(record, "offerId")
    if _OFFER_ID.fullmatch(offer_id) is None:
        raise Refused("405902", "offerId is not a valid id")
    action = required_text(record, "action")
    if action not in {"PUT", "HALT", "WITHDRAW"}:
        raise Refused("405913", f"Unknown action {action}")
    return Entry(
        offer_id=offer_id,
        revision=required_number(record, "revision", 1),
        action=action,
        terms=None if action == "WITHDRAW" else _terms(record),
        remarks=optional_text(record, "remarks"),
    )


def _terms(record: dict[str, Any]) -> Terms:
    quote = required_text(record, "quoteType")
    if quote not in {"FIRM", "INDICATIVE"}:
        raise Refused("405913", f"Unknown quoteType {quote}")
    line = CreditLine(
        class_id=required_text(record, "classId"),
        name=required_text(record, "offerName"),
        name_native=optional_text(record, "offerNameChi"),
        programme=required_text(record, "programme"),
        project_id=required_text(record, "projectId"),
        vintage_start=required_date(record, "vintageStart"),
        vintage_end=required_date(record, "vintageEnd"),
        unit_kind=required_text(record, "unitKind"),
        labels=_labels(record.get("labels")),
    )
    if line.vintage_end < line.vintage_start:
        raise Refused("405902", "vintageEnd is before vintageStart")
    price, currency = _price(record.get("price")), optional_text(record, "currency")
    if currency is not None and currency not in CURRENCIES:
        raise Refused("405914", f"Currency {currency} is not quoted; expected {' or '.join(CURRENCIES)}")
    if quote == "FIRM" and (price is None or currency is None):
        raise Refused("405916", "A firm quote needs price and currency")
    return Terms(
        line=line,
        firm=quote == "FIRM",
        quantity=required_number(record, "quantity", 0),
        lot=required_number(record, "lotSize", 1),
        price=price,
        currency=currency,
    )


def _labels(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused("405902", "labels is not a valid list")
    return tuple(value)


def _price(value: object) -> int | None:
    if value is None:
        return None
    found = _PRICE.fullmatch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if found is None:
        raise Refused("405902", "price is not a valid price")
    return int(found[1]) * 10**PRICE_SCALE + int((found[2] or "").ljust(PRICE_SCALE, "0"))
