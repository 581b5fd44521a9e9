"""What the conformance kit tries the adapter on: a small venue, publications it carries out and some it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from adapters.hkvenue.book import AT_ONCE, FINISHED_AFTER
from adapters.hkvenue.book_build import ACCOUNT, lines
from adapters.hkvenue.book_entries import CreditLine, Entry, Terms
from adapters.hkvenue.config import HkVenueConfig
from adapters.hkvenue.mock import HkVenueMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import OfferAction, OfferEntry, Order, Publication
from gateway.model.money import Currency
from gateway.model.records import PRICE_SCALE


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A venue with four offers, four trades and some positions.

    The publications put up offers in both currencies, change and withdraw what is there, and put up so many at once
    that the venue finishes them later.
    """
    mock = build(seed, clock, participants=2, trades=3)
    _offer(mock, "A")
    numbers = count(1)
    mock.book.trade("A-0001", "P0001", 100)
    mock.book.outbox.clear()

    def webhook() -> tuple[dict[str, str], bytes]:
        mock.book.trade("A-0001", "P0001", 100)
        return mock.signed(mock.book.outbox.pop())

    def insert() -> None:
        number = next(numbers)
        _put(mock, f"insert-{number}", f"A-0001-{number}", lines()[0])
        mock.book.add_position("P0001", _renamed(lines()[0], number), 100)
        mock.book.trade("A-0002", "P0002", 100)

    def settle() -> None:
        clock.advance(FINISHED_AFTER + timedelta(seconds=1))
        mock.book.finish_due()

    config = HkVenueConfig()
    secrets = {name: getattr(config, name).get_secret_value() for name in ("agent_key", "machine_key", "webhook_keys")}
    return Rehearsal(
        mock=mock,
        settings={"login_url": config.login_url, "api_url": config.api_url, **secrets},
        secrets=tuple(secrets.values()),
        small_pages={"page_size": 1},
        since=clock() - timedelta(days=60),
        settle=settle,
        insert=insert,
        effects=lambda order: _effects(mock, order),
        publications=tuple(_publications()),
        refused=(
            Refused(_publication("RF-1", [_entry("R-1")]).model_copy(update={"account": "OA9999"}), "405101"),
            Refused(_publication("RF-2", [_entry("R-2"), _entry("R-2", revision=2)]), "405905"),
            Refused(_publication("RF-3", [_entry("R-3", currency=Currency.USD)]), "405914"),
        ),
        webhook=webhook,
    )


def _publications() -> Iterator[Publication]:
    yield _publication("PB-1", [_entry("B-1"), _entry("B-2", currency=Currency.CNH), _entry("B-3", firm=False)])
    yield _publication("PB-2", [_entry("A-0003", revision=2, action=OfferAction.HALT)])
    yield _publication("PB-3", [_entry("A-0004", revision=2, action=OfferAction.WITHDRAW), _entry("B-4")])
    yield _publication("PB-4", [_entry(f"C-{number}") for number in range(AT_ONCE + 1)])


def _effects(mock: HkVenueMock, order: Order) -> int:
    mock.book.finish_due()
    return mock.book.effects[order.command_id]


def _publication(command_id: str, entries: list[OfferEntry]) -> Publication:
    return Publication(command_id=command_id, account=ACCOUNT, offers=tuple(entries))


def _entry(
    offer_id: str,
    *,
    revision: int = 1,
    action: OfferAction = OfferAction.PUT,
    currency: Currency = Currency.HKD,
    firm: bool = True,
) -> OfferEntry:
    line = lines()[0]
    return OfferEntry(
        offer_id=offer_id,
        revision=revision,
        action=action,
        class_id=line.class_id,
        name=line.name,
        name_native=line.name_native,
        programme=line.programme,
        project_id=line.project_id,
        vintage_start=line.vintage_start,
        vintage_end=line.vintage_end,
        unit_kind=line.unit_kind,
        labels=line.labels,
        firm=firm,
        quantity=5_000,
        lot=100,
        price=38_500_000,
        currency=currency,
        reason=None,
    )


def _offer(mock: HkVenueMock, prefix: str) -> None:
    for number, line in enumerate(lines()[:4], start=1):
        _put(mock, f"opening-{number}", f"{prefix}-{number:04d}", line)


def _put(mock: HkVenueMock, request_id: str, offer_id: str, line: CreditLine) -> None:
    terms = Terms(line=line, firm=True, quantity=100_000, lot=100, price=40 * 10**PRICE_SCALE, currency="HKD")
    mock.book.receive(request_id, ACCOUNT, (Entry(offer_id, 1, "PUT", terms, None),))


def _renamed(line: CreditLine, number: int) -> CreditLine:
    return CreditLine(
        f"{line.class_id}-{number}",
        line.name,
        line.name_native,
        line.programme,
        line.project_id,
        line.vintage_start,
        line.vintage_end,
        line.unit_kind,
        line.labels,
    )
