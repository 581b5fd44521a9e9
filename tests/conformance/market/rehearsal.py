"""How the conformance kit tries the adapter of Harbour."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Final

from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Refused, Rehearsal
from gateway.model.commands import (
    Acceptance,
    CashOrder,
    CashOrderKind,
    Lot,
    OfferAction,
    OfferEntry,
    Order,
    Publication,
    Retirement,
    RetirementPurpose,
    Transfer,
    TransferKind,
)
from gateway.model.money import Currency
from tests.conformance.market.book import ACCOUNT, block, booking, holding, listing, movement, trade
from tests.conformance.market.client import signature
from tests.conformance.market.config import HarbourConfig
from tests.conformance.market.mock import HarbourMock

URL: Final = "https://harbour.test"


def rehearse(_seed: int, clock: MockClock) -> Rehearsal:
    """A new market, whatever the seed."""
    mock = HarbourMock(1, clock)
    config = HarbourConfig()
    secrets = tuple(one.get_secret_value() for one in (config.secret, config.webhook_secret))

    def settle() -> None:
        clock.advance(timedelta(minutes=11))
        mock.work()

    def effects(order: Order) -> int:
        mock.work()
        return mock.effects[order.command_id]

    def webhook() -> tuple[dict[str, str], bytes]:
        body = json.dumps({"kind": "trade", "rows": [trade(1)]}).encode()
        event, sent = "E-1", str(int(clock().timestamp()))
        signed = signature(config.webhook_secret, event, sent, body)
        return {"harbour-event": event, "harbour-time": sent, "harbour-signature": signed}, body

    return Rehearsal(
        mock=mock,
        settings={"url": URL, "client": config.client, "secret": secrets[0], "webhook_secret": secrets[1]},
        secrets=secrets,
        small_pages={"page_size": 1},
        settle=settle,
        insert=lambda: _insert(mock),
        effects=effects,
        transfers=(
            _transfer("T-1", 1, 50, TransferKind.TRANSFER),
            _transfer("T-2", 2, 100, TransferKind.EARMARK),
        ),
        acceptances=(Acceptance(command_id="A-1", account=ACCOUNT, transfer="M-3", accept=True),),
        retirements=(_retirement("R-1", 3, 150),),
        cash=(_cash("C-1", CashOrderKind.PAY_IN, 700), _cash("C-2", CashOrderKind.PAY_OUT, 500)),
        publications=(_publication("O-1", 40),),
        refused=(
            Refused(_transfer("T-9", 1, 60, TransferKind.TRANSFER), "NOT_ENOUGH"),
            Refused(_retirement("R-9", 7, 1), "NO_SUCH_HOLDING"),
            Refused(Acceptance(command_id="A-9", account=ACCOUNT, transfer="M-1", accept=True), "NO_SUCH_TRANSFER"),
            Refused(_cash("C-9", CashOrderKind.PAY_OUT, 600_000), "NOT_ENOUGH"),
            Refused(_publication("O-9", 45), "BELOW_LOT"),
        ),
        webhook=webhook,
    )


def _insert(mock: HarbourMock) -> None:
    """One more row in each list that can grow, in the middle of it."""
    mock.lists["blocks"].append(block(4, 9001, 10))
    mock.lists["holdings"].append(holding(4, 90_001, 10))
    mock.lists["listings"].append(listing(4))
    mock.lists["movements"].append(movement("M-25", holding(8, 95_001, 10), "transfer", None, "2026-07-14 09:30:00"))
    mock.lists["bookings"].append(booking(2) | {"id": "K-25"})
    mock.lists["trades"].append(trade(2) | {"id": "T-25"})


def _transfer(key: str, number: int, units: int, kind: TransferKind) -> Transfer:
    lots = (Lot(holding=f"H-{number}", quantity=units),)
    return Transfer(command_id=key, account=ACCOUNT, kind=kind, counter_account="HBR-0007", lots=lots)


def _retirement(key: str, number: int, units: int) -> Retirement:
    lots = (Lot(holding=f"H-{number}", quantity=units),)
    return Retirement(
        command_id=key,
        account=ACCOUNT,
        lots=lots,
        purpose=RetirementPurpose.VOLUNTARY,
        beneficiary="Nobody in Particular",
    )


def _cash(key: str, kind: CashOrderKind, amount: int) -> CashOrder:
    return CashOrder(command_id=key, account=ACCOUNT, kind=kind, amount=amount, currency=Currency.HKD)


def _publication(key: str, units: int) -> Publication:
    offer = OfferEntry(
        offer_id="F-1",
        revision=1,
        action=OfferAction.PUT,
        class_id="VCS-9001-2022",
        name="Nanyan Bay Mangroves 2022",
        name_native=None,
        programme="VCS",
        project_id="9001",
        vintage_start=date(2022, 1, 1),
        vintage_end=date(2022, 12, 31),
        unit_kind="VCU",
        labels=(),
        firm=True,
        quantity=units,
        lot=10,
        price=8_125_000,
        currency=Currency.USD,
        reason=None,
    )
    return Publication(command_id=key, account=ACCOUNT, offers=(offer,))
