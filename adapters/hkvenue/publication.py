"""Publications in the venue's words: what is sent, and what its answer says.

The envelope of an answer, and codes of single records, follow the venue's template (FINI); the fields of an offer are
our own shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType
from typing import Final

from adapters.hkvenue.envelope import text, text_or_none
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.model.commands import (
    CommandState,
    CommandStatus,
    EntryStatus,
    OfferAction,
    OfferEntry,
    Publication,
    PublicationStatus,
)
from gateway.model.money import Currency
from gateway.model.records import PRICE_SCALE

OFFSHORE: Final = "RMB"
"""The venue's word for the renminbi that it quotes in: offshore, ours CNH."""

STATES: Final = MappingProxyType(
    {
        "PROCESSING": CommandState.ACCEPTED,
        "COMPLETED": CommandState.CONFIRMED,
        "PARTIAL": CommandState.CONFIRMED,
        "REJECTED": CommandState.REJECTED,
    }
)
"""``PARTIAL`` is final too: each offer is answered for itself."""

_ANSWERS: Final = MappingProxyType(
    {"COMPLETED": frozenset({True}), "PARTIAL": frozenset({True, False}), "REJECTED": frozenset({False})}
)
"""Of which answers to single offers a state is made. One that is under way has none yet."""

_ACCEPTED: Final = MappingProxyType({"ACCEPTED": True, "REJECTED": False})


def message(order: Publication) -> bytes:
    """The body of a publication."""
    records = {"accountId": order.account, "offers": [_record(entry) for entry in order.offers]}
    return json.dumps(records, ensure_ascii=False).encode()


def read_publication(found: dict[str, Json], order: Publication, as_of: datetime) -> PublicationStatus:
    """What the venue's record of a publication says became of it.

    Raises Undecodable when the answer has another shape, an unknown state, or other offers than were sent.
    """
    if text(found, "requestId") != order.command_id:
        raise Undecodable(f"found the publication {text(found, 'requestId')!r:.80}, expected {order.command_id!r}")
    native = text(found, "publicationStatus")
    if native not in STATES:
        raise Undecodable(f"found the publication state {native!r:.80}, expected one of {', '.join(STATES)}")
    status = CommandStatus(
        command_id=order.command_id,
        state=STATES[native],
        native_state=native,
        reference=text(found, "referenceNo"),
        code=text_or_none(found, "errorCode"),
        message=text_or_none(found, "errorMessage"),
        as_of=as_of,
    )
    entries = tuple(_entries(found.get("records"), order))
    if entries or native in {"COMPLETED", "PARTIAL"}:
        _require_all(entries, order)
    answers = frozenset(entry.accepted for entry in entries)
    if answers and answers != _ANSWERS.get(native):
        raise Undecodable(f"found the publication {native} with {len(entries)} answers that do not amount to that")
    return PublicationStatus(status=status, entries=entries)


def _record(entry: OfferEntry) -> dict[str, object]:
    head: dict[str, object] = {
        "offerId": entry.offer_id,
        "revision": entry.revision,
        "action": entry.action.value.upper(),
    }
    if entry.action is OfferAction.WITHDRAW:
        return {**head, "remarks": entry.reason}
    return {
        **head,
        "classId": entry.class_id,
        "offerName": entry.name,
        "offerNameChi": entry.name_native,
        "programme": entry.programme,
        "projectId": entry.project_id,
        "vintageStart": entry.vintage_start.isoformat(),
        "vintageEnd": entry.vintage_end.isoformat(),
        "unitKind": entry.unit_kind,
        "labels": list(entry.labels),
        "quoteType": "FIRM" if entry.firm else "INDICATIVE",
        "quantity": entry.quantity,
        "lotSize": entry.lot,
        "price": None if entry.price is None else decimal(entry.price, PRICE_SCALE),
        "currency": _currency(entry.currency),
        "remarks": entry.reason,
    }


def _currency(currency: Currency | None) -> str | None:
    """The venue's word. What it does not quote in keeps ours, and is refused there."""
    if currency is None:
        return None
    return OFFSHORE if currency is Currency.CNH else currency.value


def decimal(scaled: int, scale: int) -> str:
    """``12.34`` of 12340000 at scale 6: no more digits than it needs, no fewer than two."""
    whole, rest = divmod(scaled, 10**scale)
    digits = f"{rest:0{scale}d}"
    return f"{whole}.{digits[:2]}{digits[2:].rstrip('0')}"


def _entries(value: Json, order: Publication) -> Iterator[EntryStatus]:
    sent = {entry.offer_id: entry.revision for entry in order.offers}
    for one in elements(value, "records"):
        record = members(one, "a record")
        offer, revision = text(record, "offerId"), whole_number(record.get("revision"), "revision")
        if sent.get(offer) != revision:
            raise Undecodable(f"found the offer {offer!r:.80} in revision {revision}, which was not sent")
        native = text(record, "recordStatus")
        if native not in _ACCEPTED:
            raise Undecodable(f"found the record state {native!r:.80}, expected one of {', '.join(_ACCEPTED)}")
        raised = [members(each, "an exception") for each in elements(record.get("exception"), "exception")]
        if bool(raised) is _ACCEPTED[native]:
            raise Undecodable(f"found the offer {offer} {native} with {len(raised)} exceptions")
        yield EntryStatus(
            offer_id=offer,
            revision=revision,
            accepted=_ACCEPTED[native],
            code=text(raised[0], "recordErrorCode") if raised else None,
            message="; ".join(text(each, "recordErrorMsg") for each in raised) or None,
        )


def _require_all(entries: tuple[EntryStatus, ...], order: Publication) -> None:
    answered, sent = [entry.offer_id for entry in entries], [entry.offer_id for entry in order.offers]
    if sorted(answered) != sorted(sent):
        raise Undecodable(f"found answers for {len(answered)} offers, expected one for each of the {len(sent)} sent")
