"""The stand-in's rows, as its answers show them: quantities as numbers, prices as text, times with an offset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapters.cix.book import LATE_CHARGE_CENTS, Book, serial_text
from adapters.cix.book_entries import (
    LOT,
    SINGAPORE,
    Command,
    Contract,
    Deal,
    DealState,
    Level,
    Movement,
    Notice,
    Offered,
    Position,
    Project,
    Vintage,
)

Row = dict[str, Any]


def instant(at: datetime) -> str:
    """As the venue writes an instant: ``2026-07-15T11:00:00+08:00``."""
    return at.astimezone(SINGAPORE).isoformat(timespec="milliseconds")


def money(cents: int) -> str:
    """``7.35``; the venue writes prices and amounts as text."""
    return f"{cents // 100}.{cents % 100:02d}"


def level_rows(book: Book, contract: Contract) -> list[Row]:
    """A contract's two rows, one a side, also where its book is empty."""
    state = contract.state(book.today())
    open_now = state == "LISTED"
    return [
        _level_row(contract, side, level if open_now else None, state)
        for side, level in (("BID", contract.bid), ("ASK", contract.ask))
    ]


def _level_row(contract: Contract, side: str, level: Level | None, state: str) -> Row:
    return {
        "levelId": f"{contract.code}/{side}",
        "side": side,
        "price": None if level is None else money(level.cents),
        "currency": "USD",
        "lots": 0 if level is None else level.lots,
        "credits": 0 if level is None else level.lots * LOT,
        "contract": {
            "code": contract.code,
            "product": contract.product,
            "name": contract.name,
            "class": contract.country_group,
            "assessmentCode": contract.assessment,
            "standard": contract.standard,
            "unitKind": "VCU" if contract.standard == "VCS" else "VER",
            "lotSize": LOT,
            "vintageFrom": contract.vintage.start.isoformat(),
            "vintageTo": contract.vintage.end.isoformat(),
            "status": state,
            "listedAt": f"{contract.listed_on.isoformat()}T00:00:00+08:00",
            "delistedAt": None
            if contract.delisted_on is None
            else f"{contract.delisted_on.isoformat()}T00:00:00+08:00",
            "deliverable": {
                "projects": list(contract.notice.projects),
                "notice": contract.notice.number,
                "effectiveFrom": instant(contract.notice.effective_from),
            },
        },
    }


def offered_row(book: Book, one: Offered) -> Row:
    """A single-project listing of the marketplace."""
    return {
        "listingId": one.id,
        "type": "REQUEST_FOR_QUOTE" if one.cents is None else "FIXED_PRICE",
        "state": one.state(book.clock()),
        "project": {**_project(one.project), "country": one.project.country, "methodology": one.project.methodology},
        **_vintage(one.vintage),
        "unitKind": one.project.unit_kind,
        "quantity": one.quantity,
        "minimumQuantity": 1,
        "price": None if one.cents is None else money(one.cents),
        "currency": "USD",
        "labels": "; ".join(one.labels),
        "ratings": {"bezero": "BBB", "calyx": None},
        "listedAt": instant(one.listed_at),
        "validUntil": instant(one.valid_until),
    }


def position_row(one: Position) -> Row:
    """Units that the venue keeps for us."""
    return {
        "positionId": one.id,
        "accountId": one.account,
        "accountName": "HKCV Omnibus",
        "project": _project(one.project),
        "registry": one.project.registry,
        "unitKind": one.project.unit_kind,
        **_vintage(one.vintage),
        "quantity": one.quantity,
        "available": one.available,
        "reserved": one.reserved,
        "leaving": one.leaving,
        "frozen": one.frozen,
        "freezeReason": one.freeze_reason,
        "state": "HELD" if one.frozen < one.quantity else "FROZEN",
        "serialText": serial_text(one.serial),
    }


def movement_row(one: Movement) -> Row:
    """One line of our statement."""
    return {
        "movementId": one.id,
        "accountId": one.account,
        "type": one.kind,
        "direction": one.direction,
        "state": one.progress.value,
        "quantity": one.quantity,
        "projectStandard": None if one.project is None else one.project.standard,
        "projectNumber": None if one.project is None else one.project.number,
        "unitKind": None if one.project is None else one.project.unit_kind,
        "vintageFrom": None if one.vintage is None else one.vintage.start.isoformat(),
        "vintageTo": None if one.vintage is None else one.vintage.end.isoformat(),
        "serialText": one.serial,
        "positionId": one.position,
        "counterAccount": one.counter_account,
        "clientOrderId": one.client_order_id,
        "reason": one.reason,
        "createdAt": instant(one.created_at),
        "updatedAt": instant(one.updated_at),
        "businessDate": one.updated_at.astimezone(SINGAPORE).date().isoformat(),
    }


def trade_row(one: Deal) -> Row:
    """A trade of the exchange or the marketplace; which project is delivered into a contract shows at settlement."""
    delivered = one.method != "EXCHANGE" or one.state is DealState.SETTLED
    told = _deal(one) if delivered else {**_deal(one), "projectStandard": None, "projectNumber": None}
    return {"tradeId": one.id, "platform": one.method, "listingId": one.listing, **told}


def ctn_row(one: Deal) -> Row:
    """A Clear Transaction Notification; what is pushed has the same members."""
    return {
        "ctnId": one.id,
        "method": one.method.removeprefix("CTN_"),
        **_deal(one),
        "lateSettlement": {
            "days": one.charge_cents // LATE_CHARGE_CENTS,
            "charge": money(one.charge_cents),
            "currency": "USD",
        },
        "reference": one.reference,
    }


def notice_row(one: Notice) -> Row:
    """A market notice about deliverable projects."""
    return {
        "notice": one.number,
        "contract": one.contract,
        "projects": list(one.projects),
        "effectiveFrom": instant(one.effective_from),
        "text": one.text,
    }


def command_row(one: Command) -> Row:
    """A command as its answers, at once and later, show it."""
    moved = one.moved or one.lots
    return {
        "clientOrderId": one.client_order_id,
        "reference": one.reference,
        "state": one.progress.value,
        "code": one.code,
        "message": one.message,
        "lots": [{"holding": lot.holding, "serial": lot.serial, "quantity": lot.quantity} for lot in moved],
        "receivedAt": instant(one.made_at),
    }


def _deal(one: Deal) -> Row:
    return {
        "instrument": one.instrument,
        "buyer": one.buyer,
        "seller": one.seller,
        "quantity": one.quantity,
        "price": money(one.cents),
        "amount": money(one.cents * one.quantity),
        "currency": "USD",
        "projectStandard": None if one.project is None else one.project.standard,
        "projectNumber": None if one.project is None else one.project.number,
        "vintageFrom": None if one.vintage is None else one.vintage.start.isoformat(),
        "vintageTo": None if one.vintage is None else one.vintage.end.isoformat(),
        "state": one.state.value,
        "tradedAt": instant(one.made_at),
        "updatedAt": instant(one.updated_at),
        "businessDate": one.made_at.astimezone(SINGAPORE).date().isoformat(),
        "settlementDate": one.settlement_on.isoformat(),
    }


def _project(one: Project) -> Row:
    return {"id": one.id, "standard": one.standard, "number": one.number, "name": one.name}


def _vintage(one: Vintage) -> Row:
    return {"vintageFrom": one.start.isoformat(), "vintageTo": one.end.isoformat()}
