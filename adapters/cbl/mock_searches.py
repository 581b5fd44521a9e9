"""The stand-in's searches: criteria read strictly, what they find, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from adapters.cbl.book import PROGRAMS, Book
from adapters.cbl.book_entries import Deposit, Instrument, Listing, Retirement, TaxLot, Trade, Transfer
from adapters.cbl.mock_wire import Refused, instant_or_none, text_or_none, texts, whole

TYPES: Final = ("INCOMING", "OUTGOING")
STATUSES: Final = ("PENDING", "ACCEPTED", "SETTLED", "CANCELLED", "REJECTED")
REGISTRY_STATUSES: Final = ("PENDING", "SUBMITTED", "COMPLETED", "FAILED")


def positions(book: Book, account: str, criteria: Mapping[str, Any]) -> list[tuple[Instrument, list[TaxLot]]]:
    """Positions of an account, oldest instrument first. Raises Refused."""
    programs = _known(criteria, "programs", PROGRAMS, "INVALID_PROGRAM")
    name, number = text_or_none(criteria, "resourceName"), text_or_none(criteria, "registryAssignedId")
    upns, (first, last) = texts(criteria, "upns"), _vintages(criteria)
    return [
        (one, lots)
        for one, lots in book.positions(account)
        if (programs is None or one.project.program in programs)
        and name in {None, one.project.name}
        and number in {None, one.project.number}
        and (upns is None or one.project.upn in upns)
        and first <= one.year <= last
    ]


def deposits(book: Book, account: str) -> list[Deposit]:
    """Every deposit of an account, the oldest first, those that ended too."""
    return [one for one in book.deposits.values() if one.lot.account == account]


def transfers(book: Book, criteria: Mapping[str, Any]) -> list[Transfer]:
    """Transfers of our account, what changed last comes last. Raises Refused."""
    kind = text_or_none(criteria, "type")
    if kind not in {None, *TYPES}:
        raise Refused("INVALID_TRANSFER_TYPE", f"no transfer type {kind}")
    statuses = _known(criteria, "statuses", STATUSES, "INVALID_TRANSFER_STATUS")
    registry = _known(criteria, "registryStatuses", REGISTRY_STATUSES, "INVALID_REGISTRY_TRANSFER_STATUS")
    programs = _known(criteria, "programs", PROGRAMS, "INVALID_PROGRAM")
    name, counterparty = text_or_none(criteria, "transferIdentifier"), text_or_none(criteria, "counterpartyName")
    first, last = _window(criteria, "INVALID_DATE_RANGE")
    found = [
        one
        for one in book.transfers.values()
        if kind in {None, "OUTGOING" if one.outgoing else "INCOMING"}
        and name in {None, one.identifier}
        and counterparty in {None, one.counterparty}
        and (statuses is None or one.status in statuses)
        and (registry is None or one.registry_status in registry)
        and (programs is None or one.instrument.project.program in programs)
        and _within(one.updated, first, last)
    ]
    return sorted(found, key=lambda one: (one.updated, one.identifier))


def retirements(book: Book, account: str, criteria: Mapping[str, Any]) -> list[Retirement]:
    """Retirements of an account, what changed last comes last. Raises Refused."""
    program, external = text_or_none(criteria, "program"), text_or_none(criteria, "externalIdentifier")
    if program not in {None, *PROGRAMS}:
        raise Refused("INVALID_PROGRAM", f"no programme {program}")
    first, last = _window(criteria, "INVALID_DATES")
    found = [
        one
        for one in book.retirements.values()
        if one.account == account
        and program in {None, one.instrument.project.program}
        and external in {None, one.external}
        and _within(one.updated, first, last)
    ]
    return sorted(found, key=lambda one: (one.updated, one.identifier))


def listings(book: Book) -> list[Listing]:
    """The book: market by market, the best price first, so that a better one comes in between."""
    return sorted(
        book.listings.values(),
        key=lambda one: (one.market, one.side, one.price if one.side == "SELL" else -one.price, one.original),
    )


def trades(book: Book, account: str, criteria: Mapping[str, Any]) -> list[Trade]:
    """Trades of an account, oldest first. Raises Refused."""
    since = instant_or_none(criteria, "executedFrom")
    found = [
        one for one in book.trades.values() if account in {one.buyer, one.seller} and _within(one.executed, since, None)
    ]
    return sorted(found, key=lambda one: (one.executed, one.identifier))


def _known(criteria: Mapping[str, Any], key: str, known: Iterable[str], code: str) -> list[str] | None:
    asked = texts(criteria, key)
    strange = [one for one in asked or () if one not in known]
    if strange:
        raise Refused(code, f"{key}: no {', '.join(strange)}")
    return asked


def _window(criteria: Mapping[str, Any], code: str) -> tuple[datetime | None, datetime | None]:
    first, last = (instant_or_none(criteria, f"lastUpdatedDate{end}") for end in ("From", "To"))
    if first is not None and last is not None and last < first:
        raise Refused(code, "the window ends before it begins")
    return first, last


def _within(at: datetime, first: datetime | None, last: datetime | None) -> bool:
    return (first is None or at >= first) and (last is None or at <= last)


def _vintages(criteria: Mapping[str, Any]) -> tuple[int, int]:
    period = criteria.get("vintagePeriod") or {}
    if not isinstance(period, dict):
        raise Refused("INVALID_VINTAGE_PERIOD", "vintagePeriod must be an object")
    years = [whole(period[end], "year") if isinstance(period.get(end), dict) else None for end in ("start", "end")]
    first, last = years[0] or 0, years[1] or 9999
    if last < first:
        raise Refused("INVALID_VINTAGE_PERIOD", "the period ends before it begins")
    return first, last
