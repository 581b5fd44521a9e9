"""What a participant and the venue's operator may do with deposits: place, withdraw, settle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.cbl.book import DEPOSIT_TAKES, EXCHANGES, MARKETS, VENUE, WITHDRAWAL_TAKES, Book
from adapters.cbl.book_entries import Act, Deposit, TaxLot, Trade
from adapters.cbl.mock_wire import Refused, cents, error, objects, text, whole

CURRENCIES: Final = frozenset({"USD", "AUD", "EUR"})
USABLE: Final = frozenset({"ACTIVE", "WITHDRAWING"})
"""States of a deposit of which something may be left."""


def require_exchange(exchange: str) -> None:
    """Raises Refused for an exchange that is none."""
    if exchange not in EXCHANGES:
        raise Refused("INVALID_EXCHANGE", f"no exchange {exchange}")


def require_account(account: str | None, book: Book) -> None:
    """Raises Refused for an account that is none."""
    if account is not None and account not in book.accounts:
        raise Refused("INVALID_ACCOUNT", f"no account {account}")


def require_venue(venue: str) -> None:
    """Raises Refused for a venue that is none."""
    if venue != VENUE:
        raise Refused("INVALID_EXECUTION_VENUE", f"no execution venue {venue}")


def deposit(book: Book, account: str, body: Mapping[str, Any]) -> list[Deposit]:
    """Places deposits, all or none. Raises Refused."""
    market = text(body, "market")
    if market not in MARKETS:
        raise Refused("INVALID_MARKET", f"no market {market}")
    asked = [(whole(one, "taxLotId"), whole(one, "quantity"), one) for one in objects(body, "deposits")]
    priorities = [whole(one, "priority") if "priority" in one else 0 for _, _, one in asked]
    if not asked or any(quantity < 1 for _, quantity, _ in asked):
        raise Refused("INVALID_REQUEST", "deposits must each have a quantity of 1 or more")
    inner: list[dict[str, str]] = []
    lots: list[TaxLot] = []
    for name, quantity, _ in asked:
        lot = book.lots.get(name)
        if lot is None or lot.account != account:
            inner.append(error("TAX_LOT_NOT_FOUND", f"no tax lot {name}"))
        elif lot in lots:
            inner.append(error("DUPLICATE_TAX_LOT", f"the tax lot {name} is named twice"))
        elif lot.available < quantity or lot.instrument.quarantined:
            inner.append(error("NOT_ENOUGH_QUANTITY", f"the tax lot {name} has not {quantity} to deposit"))
        if lot is not None:
            lots.append(lot)
    if inner:
        raise Refused("INVALID_DEPOSITS", "the deposits cannot be placed", errors=inner)
    quantities = [quantity for _, quantity, _ in asked]
    book.acts.append(Act("deposit", tuple((str(lot.id), one) for lot, one in zip(lots, quantities, strict=True))))
    placed = zip(lots, quantities, priorities, strict=True)
    return [_place(book, lot, market, quantity, priority) for lot, quantity, priority in placed]


def withdraw(book: Book, account: str, body: Mapping[str, Any]) -> list[Deposit]:
    """Takes units back from the venue, all or none. Raises Refused."""
    asked = [(text(one, "depositIdentifier"), whole(one, "quantity")) for one in objects(body, "withdrawals")]
    if not asked or any(quantity < 1 for _, quantity in asked):
        raise Refused("INVALID_REQUEST", "withdrawals must each have a quantity of 1 or more")
    found: list[Deposit] = []
    for name, _ in asked:
        one = book.deposits.get(name)
        if one is None or one.lot.account != account:
            raise Refused("DEPOSIT_NOT_FOUND", f"no deposit {name}")
        found.append(one)
    wanted: dict[str, int] = {}
    for name, quantity in asked:
        wanted[name] = wanted.get(name, 0) + quantity
    short = [one for one in found if one.status not in USABLE or one.available < wanted[one.identifier]]
    if short:
        inner = [error("NOT_ENOUGH_QUANTITY", f"the deposit {one.identifier} has not so much left") for one in short]
        raise Refused("INVALID_WITHDRAWALS", "the deposits cannot be withdrawn", errors=inner)
    book.acts.append(Act("withdraw", tuple(asked)))
    for name, quantity in wanted.items():
        one = book.deposits[name]
        release(one, quantity)
        one.lot.available += quantity
        one.status, one.due = "WITHDRAWING", book.clock() + WITHDRAWAL_TAKES
    return found


def release(one: Deposit, quantity: int) -> None:
    """Units of a deposit are not on the venue any more; where they go is the caller's."""
    one.available -= quantity
    one.lot.encumbered -= quantity


def active(book: Book, account: str, ein: str | None = None, market: str | None = None) -> list[Deposit]:
    """The deposits of an account that can be used, in the order in which they are."""
    usable = [
        one
        for one in book.deposits.values()
        if one.status in USABLE
        and one.lot.account == account
        and ein in {None, one.lot.instrument.ein}
        and market in {None, one.market}
    ]
    return sorted(usable, key=lambda one: (one.priority, one.identifier))


def settle(book: Book, body: Mapping[str, Any]) -> None:
    """Settles a trade out of the seller's deposits: an act of the venue's operator. Raises Refused."""
    trade, product = text(body, "tradeIdentifier"), text(body, "productCode", least=3)
    seller, buyer = text(body, "sellerIdentifier", least=8), text(body, "buyerIdentifier", least=8)
    quantity, price, currency = whole(body, "quantity"), cents(body.get("price")), text(body, "currency", least=3)
    if quantity < 1 or currency not in CURRENCIES:
        raise Refused("INVALID_REQUEST", "the quantity must be positive and the currency one that is settled")
    if trade in book.settlements:
        raise Refused("DUPLICATED_REQUEST", f"the trade {trade} was settled before")
    if not {seller, buyer} <= book.accounts.keys():
        raise Refused("ACCOUNT_NOT_FOUND", "no such seller or buyer")
    usable = active(book, seller, market=product)
    if not usable:
        raise Refused("DEPOSIT_NOT_FOUND", f"{seller} has no deposit for {product}")
    if sum(one.available for one in usable) < quantity:
        raise Refused("NOT_ENOUGH_QUANTITY", f"{seller} has not {quantity} on deposit for {product}")
    book.settlements.add(trade)
    left, name = quantity, f"Settlement {book.today()}"
    for one in usable:
        part = min(left, one.available)
        if part:
            release(one, part)
            one.settled += part
            if one.due is None:
                one.status = "ACTIVE" if one.available else "SETTLED"
            book.establish(one.lot.instrument, part, buyer, name, price=price, previous=book.accounts[seller])
        left -= part
    known = book.trades.get(trade)
    now = book.clock()
    if known is None:
        instrument = usable[0].lot.instrument if product == "SIP" else None
        known = Trade(trade, product, None, buyer, seller, quantity, price, currency, "SETTLED", now, now, instrument)
        book.trades[trade] = known
    known.status, known.settled = "SETTLED", now


def _place(book: Book, lot: TaxLot, market: str, quantity: int, priority: int) -> Deposit:
    lot.available -= quantity
    lot.encumbered += quantity
    one = Deposit(
        identifier=f"D{book.number()}",
        lot=lot,
        venue=VENUE,
        market=market,
        quantity=quantity,
        available=quantity,
        settled=0,
        priority=priority,
        status="PENDING",
        due=book.clock() + DEPOSIT_TAKES,
    )
    book.deposits[one.identifier] = one
    return one
