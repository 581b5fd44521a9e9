"""The book in the fields of the venue's answers. All of them are our own shape."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.hkvenue.book_entries import CreditLine, Offer, Outcome, Position, Publication, Trade
from adapters.hkvenue.publication import decimal
from gateway.model.money import MINOR_DIGITS
from gateway.model.records import PRICE_SCALE

HONG_KONG: Final = ZoneInfo("Asia/Hong_Kong")

Row = dict[str, object]


def local_time(instant: datetime) -> str:
    """An instant as the venue writes it: ``2026-07-15T11:00:00.000+08:00``."""
    return instant.astimezone(HONG_KONG).isoformat(timespec="milliseconds")


def offer_row(offer: Offer) -> Row:
    """One of our offers."""
    terms = offer.terms
    return {
        "offerId": offer.offer_id,
        "revision": offer.revision,
        "accountId": offer.account,
        "offerStatus": offer.status,
        "quoteType": "FIRM" if terms.firm else "INDICATIVE",
        "offerName": terms.line.name,
        "offerNameChi": terms.line.name_native,
        **_line(terms.line),
        "labels": list(terms.line.labels),
        "quantity": offer.remaining,
        "lotSize": terms.lot,
        "price": None if terms.price is None else decimal(terms.price, PRICE_SCALE),
        "currency": terms.currency,
        "remarks": offer.remarks,
        "requestId": offer.request_id,
        "publishedTime": local_time(offer.published_at),
        "updatedTime": local_time(offer.updated_at),
    }


def trade_row(trade: Trade) -> Row:
    """One trade, the same in the list and in a webhook."""
    return {
        "tradeId": trade.trade_id,
        "offerId": trade.offer_id,
        "tradeStatus": trade.status,
        "tradeType": "FIRM_OFFER",
        "buyerId": trade.buyer,
        "sellerId": trade.seller,
        **_line(trade.line),
        "quantity": trade.quantity,
        "price": decimal(trade.price, PRICE_SCALE),
        "amount": decimal(trade.amount, MINOR_DIGITS),
        "currency": trade.currency,
        "tradeTime": local_time(trade.traded_at),
        "businessDate": trade.business_date.isoformat(),
        "settlementDate": trade.business_date.isoformat(),
        "updatedTime": local_time(trade.updated_at),
    }


def position_row(position: Position) -> Row:
    """What one participant owns of one class."""
    return {
        "positionId": position.position_id,
        "participantId": position.participant.participant_id,
        "participantName": position.participant.name,
        "subAccountId": position.participant.account,
        "positionStatus": position.status,
        "offerName": position.line.name,
        **_line(position.line),
        "labels": list(position.line.labels),
        "totalQuantity": position.quantity,
        "availableQuantity": position.quantity - position.frozen,
        "frozenQuantity": position.frozen,
        "remarks": position.remarks,
        "updatedTime": local_time(position.updated_at),
    }


def publication_row(publication: Publication) -> Row:
    """What became of a message: of the whole, and of each record in it."""
    return {
        "requestId": publication.request_id,
        "referenceNo": publication.reference,
        "publicationStatus": publication.status,
        "errorCode": publication.code,
        "errorMessage": publication.message,
        "records": [_outcome_row(one) for one in publication.outcomes],
    }


def _outcome_row(outcome: Outcome) -> Row:
    raised = [] if outcome.code is None else [{"recordErrorCode": outcome.code, "recordErrorMsg": outcome.message}]
    return {
        "offerId": outcome.offer_id,
        "revision": outcome.revision,
        "recordStatus": "REJECTED" if raised else "ACCEPTED",
        "exception": raised,
    }


def _line(line: CreditLine) -> Row:
    return {
        "classId": line.class_id,
        "programme": line.programme,
        "projectId": line.project_id,
        "vintageStart": line.vintage_start.isoformat(),
        "vintageEnd": line.vintage_end.isoformat(),
        "unitKind": line.unit_kind,
    }
