"""What the conformance kit needs to try the CIX adapter on its stand-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from adapters.cix.book import Book
from adapters.cix.book_entries import Offered, Vintage
from adapters.cix.config import CixConfig
from adapters.cix.mock import CixMock, build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import Acceptance, Lot, Order, Transfer, TransferKind

_SETTLED_AFTER: Final = timedelta(minutes=12)
_REGISTRY_ACCOUNT: Final = "Verra account 1001"


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small venue, where we have five positions and two notifications wait for our answer."""
    mock = build(seed, clock, offered=6, positions=5)
    book, settings = mock.book, CixConfig()
    waiting = [deal.id for deal in book.deals.values() if deal.state.value == "AWAITING_ACCEPTANCE"]

    def settle() -> None:
        clock.advance(_SETTLED_AFTER)
        book.catch_up()

    def insert() -> None:
        _insert(book)

    return Rehearsal(
        mock=mock,
        settings={"api_key": settings.api_key.get_secret_value(), "webhook_key": _secret(settings)},
        secrets=(settings.api_key.get_secret_value(), _secret(settings)),
        small_pages={"page_size": 1},
        settle=settle,
        insert=insert,
        effects=lambda order: _effects(book, order),
        transfers=(_deposit("r1"), _withdrawal("r2", next(iter(book.positions)), 100)),
        acceptances=(
            Acceptance(command_id="a1", account=book.account, transfer=waiting[0], accept=True),
            Acceptance(command_id="a2", account=book.account, transfer=waiting[1], accept=False),
        ),
        refused=(
            Refused(_withdrawal("x1", "POS-999999", 1), "POSITION_UNKNOWN"),
            Refused(_withdrawal("x2", next(iter(book.positions)), 10_000_000), "INSUFFICIENT_AVAILABLE"),
            Refused(
                Acceptance(command_id="x3", account=book.account, transfer="CTN-999999", accept=True), "CTN_UNKNOWN"
            ),
        ),
        webhook=lambda: _webhook(mock),
    )


def _secret(settings: CixConfig) -> str:
    return settings.webhook_key.get_secret_value()


def _deposit(command_id: str) -> Transfer:
    return Transfer(
        command_id=command_id,
        account=CixConfig().account,
        kind=TransferKind.EARMARK,
        counter_account=_REGISTRY_ACCOUNT,
        lots=(Lot(holding="REG-0001", quantity=1_000),),
    )


def _withdrawal(command_id: str, position: str, quantity: int) -> Transfer:
    return Transfer(
        command_id=command_id,
        account=CixConfig().account,
        kind=TransferKind.RELEASE,
        counter_account=_REGISTRY_ACCOUNT,
        lots=(Lot(holding=position, quantity=quantity),),
    )


def _effects(book: Book, order: Order) -> int:
    """How often the book shows an order: movements of a transfer, answers to a notification."""
    book.catch_up()
    command = book.commands.get(order.command_id)
    if command is None or command.code is not None:
        return 0
    if isinstance(order, Transfer):
        moved = sum(one.client_order_id == order.command_id for one in book.movements.values())
        return moved // len(order.lots)
    return 1


def _insert(book: Book) -> None:
    """A row that sorts before all others where pages are turned, and one at the end of the statement."""
    first = next(iter(book.offered.values()))
    vintage = Vintage(first.vintage.start, first.vintage.end)
    book.offered["MKT-000000"] = Offered(
        id="MKT-000000",
        project=first.project,
        vintage=vintage,
        quantity=10,
        cents=500,
        labels=(),
        listed_at=book.clock(),
        valid_until=book.clock() + timedelta(days=30),
    )
    position = next(iter(book.positions.values()))
    book.add_position(position.project, vintage, 10, None)


def _webhook(mock: CixMock) -> tuple[dict[str, str], bytes]:
    book = mock.book
    project = next(iter(book.projects))
    vintage = next(iter(book.positions.values())).vintage
    book.notify(buyer=book.member, seller="TALUN", project=project, vintage=vintage, quantity=200, cents=640)
    return mock.deliveries()[-1]
