"""The venue's book: offers and how publications change them, trades, positions, and what happens from behind.

A test or a demonstration changes it by its methods: trades are made, settled and cancelled, positions frozen, members
suspended, the venue closed for severe weather. Each change that the venue would push is an event in ``outbox``;
``effects`` counts how often each request id took effect: more than once would be wrong.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from adapters.hkvenue.book_entries import (
    CreditLine,
    Entry,
    Event,
    Offer,
    Outcome,
    Participant,
    Position,
    Publication,
    Refused,
    Trade,
    Unread,
)
from adapters.hkvenue.mock_rows import HONG_KONG, Row, local_time, trade_row
from gateway.kit.calendars import load
from gateway.kit.clock import Clock
from gateway.model.money import MINOR_DIGITS
from gateway.model.records import PRICE_SCALE

AT_ONCE: Final = 100
"""A publication of more records than this is finished later."""

FINISHED_AFTER: Final = timedelta(seconds=5)
OUTBOX_LIMIT: Final = 10_000
_HUNDREDTH: Final = 10**PRICE_SCALE // 10**MINOR_DIGITS


class Book:
    """What the venue knows of our company.

    Args:
        clock: the venue's time.
        account: our omnibus account there.
        account_name: what it is called.
        participants: the members.
    """

    def __init__(self, clock: Clock, *, account: str, account_name: str, participants: Iterable[Participant]) -> None:
        self._clock = clock
        self._calendar = load("hkvenue")
        self._changes = 0
        self._events = 0
        self.accounts = {account: account_name}
        self.participants = {one.participant_id: one for one in participants}
        self.suspended: set[str] = set()
        self.closure: str | None = None
        self.offers: dict[str, Offer] = {}
        self._withdrawn_unseen: dict[str, int] = {}
        self.trades: dict[str, Trade] = {}
        self.positions: dict[str, Position] = {}
        self.publications: dict[str, Publication] = {}
        self.effects: Counter[str] = Counter()
        self.outbox: deque[Event] = deque(maxlen=OUTBOX_LIMIT)

    # Publications

    def receive(self, request_id: str, account: str, entries: tuple[Entry | Unread, ...]) -> Publication:
        """Takes a message whose form is good. A large one is finished later. Raises Refused for an unknown account."""
        if account not in self.accounts:
            raise Refused("405101", f"Account {account} does not belong to the company")
        publication = self._keep(request_id, account, "PROCESSING")
        publication.entries = entries
        if len(entries) > AT_ONCE:
            publication.due = self._clock() + FINISHED_AFTER
        else:
            self._finish(publication)
        return publication

    def refuse(self, request_id: str, refused: Refused) -> None:
        """Keeps that a message was rejected as a whole."""
        publication = self._keep(request_id, None, "REJECTED")
        publication.code, publication.message = refused.code, refused.message

    def finish_due(self) -> None:
        """Finishes the large publications whose time has come."""
        for publication in self.publications.values():
            if publication.due is not None and publication.due <= self._clock():
                self._finish(publication)

    def _keep(self, request_id: str, account: str | None, status: str) -> Publication:
        reference = f"PUB{len(self.publications) + 1:08d}"
        publication = Publication(request_id, reference, account, status)
        self.publications[request_id] = publication
        return publication

    def _finish(self, publication: Publication) -> None:
        publication.due = None
        publication.outcomes = tuple(self._outcome(one, publication) for one in publication.entries)
        rejected = [one for one in publication.outcomes if one.code is not None]
        if len(rejected) == len(publication.outcomes):
            publication.status = "REJECTED"
            publication.code, publication.message = rejected[0].code, rejected[0].message
            return
        publication.status = "PARTIAL" if rejected else "COMPLETED"
        self.effects[publication.request_id] += 1

    def _outcome(self, entry: Entry | Unread, publication: Publication) -> Outcome:
        if isinstance(entry, Unread):
            return Outcome(entry.offer_id, entry.revision, entry.code, entry.message)
        try:
            self._apply(entry, publication)
        except Refused as refused:
            return Outcome(entry.offer_id, entry.revision, refused.code, refused.message)
        return Outcome(entry.offer_id, entry.revision)

    def _apply(self, entry: Entry, publication: Publication) -> None:
        known = self.offers.get(entry.offer_id)
        if known is not None and entry.revision <= known.revision:
            if entry == known.entry:
                return
            if entry.revision == known.revision:
                raise Refused("405922", f"Revision {entry.revision} was published with other content")
            raise Refused("405921", f"Revision {entry.revision} is older than {known.revision}")
        if entry.terms is None:
            self._withdraw(entry, known, publication)
            return
        if entry.revision <= self._withdrawn_unseen.get(entry.offer_id, 0):
            raise Refused("405921", f"Revision {entry.revision} is older than the offer's withdrawal")
        now = self._clock()
        assert publication.account is not None
        self.offers[entry.offer_id] = Offer(
            offer_id=entry.offer_id,
            account=publication.account,
            revision=entry.revision,
            status="HALTED" if entry.action == "HALT" else "OPEN",
            terms=entry.terms,
            remaining=entry.terms.quantity,
            remarks=entry.remarks,
            entry=entry,
            published_at=now if known is None else known.published_at,
            updated_at=now,
            request_id=publication.request_id,
        )

    def _withdraw(self, entry: Entry, known: Offer | None, publication: Publication) -> None:
        if known is None:
            # Its publication may be under way still, and must not put it up behind its withdrawal.
            before = self._withdrawn_unseen.get(entry.offer_id, 0)
            self._withdrawn_unseen[entry.offer_id] = max(before, entry.revision)
            raise Refused("405923", f"Offer {entry.offer_id} was never published")
        self.offers[entry.offer_id] = replace(
            known,
            revision=entry.revision,
            status="WITHDRAWN",
            remarks=entry.remarks,
            entry=entry,
            updated_at=self._clock(),
            request_id=publication.request_id,
        )

    # Trading

    def trade(self, offer_id: str, buyer: str, quantity: int) -> Trade:
        """A member takes from a firm offer. Raises Refused with the venue's code when it may not."""
        self.finish_due()
        self._require_open()
        offer = self.offers.get(offer_id)
        if offer is None or offer.status == "WITHDRAWN":
            raise Refused("406001", f"Offer {offer_id} is not there")
        if offer.status != "OPEN":
            raise Refused("406002", f"Offer {offer_id} is halted")
        if buyer not in self.participants or buyer in self.suspended:
            raise Refused("406003", f"Member {buyer} is unknown or suspended")
        terms = offer.terms
        if not terms.firm or terms.price is None or terms.currency is None:
            raise Refused("406004", f"Offer {offer_id} is indicative")
        if not 0 < quantity <= offer.remaining or quantity % terms.lot:
            raise Refused("406005", f"{quantity} is not a whole number of lots of {terms.lot} within {offer.remaining}")
        now = self._clock()
        trade = Trade(
            trade_id=f"T{len(self.trades) + 1:08d}",
            offer_id=offer_id,
            line=terms.line,
            buyer=buyer,
            seller=offer.account,
            status="EXECUTED",
            quantity=quantity,
            price=terms.price,
            amount=whole_price(terms.price, quantity),
            currency=terms.currency,
            traded_at=now,
            business_date=now.astimezone(HONG_KONG).date(),
            updated_at=now,
            sequence=self.next_change(),
        )
        offer.remaining -= quantity
        offer.updated_at = now
        self.trades[trade.trade_id] = trade
        self._push_trade("trade.executed", trade)
        return trade

    def settle_trade(self, trade_id: str) -> Trade:
        """The venue books the units to the buyer. Raises Refused when there is no such executed trade."""
        trade = self._change_trade(trade_id, "SETTLED")
        self.add_position(trade.buyer, trade.line, trade.quantity)
        self._push_trade("trade.settled", trade)
        return trade

    def cancel_trade(self, trade_id: str) -> Trade:
        """The venue undoes a trade that is not settled; the offer does not grow again by it."""
        trade = self._change_trade(trade_id, "CANCELLED")
        self._push_trade("trade.cancelled", trade)
        return trade

    def close(self, reason: str) -> None:
        """Closes trading, whatever the hours (severe weather, 惡劣天氣); offers and reports stay where they are."""
        self.closure = reason
        self._push("venue.closed", [{"reason": reason}])

    def reopen(self) -> None:
        """Trading keeps its hours again."""
        self.closure = None
        self._push("venue.reopened", [{"reason": None}])

    def _require_open(self) -> None:
        if self.closure is not None:
            raise Refused("408001", f"The venue is closed: {self.closure}")
        if not self._calendar.is_open_at(self._clock()):
            raise Refused("408002", "The venue is outside its trading hours")

    def _change_trade(self, trade_id: str, status: str) -> Trade:
        trade = self.trades.get(trade_id)
        if trade is None or trade.status != "EXECUTED":
            raise Refused("406006", f"Trade {trade_id} is not there or is final")
        trade.status = status
        trade.updated_at = self._clock()
        trade.sequence = self.next_change()
        return trade

    # Positions and members

    def add_position(self, participant: str, line: CreditLine, quantity: int) -> Position:
        """Books units to a member, beside what it owns of their class."""
        member = self.participants[participant]
        position_id = f"{member.account}:{line.class_id}"
        now = self._clock()
        known = self.positions.get(position_id)
        if known is None:
            known = Position(position_id, member, line, 0, 0, "ACTIVE", now)
            self.positions[position_id] = known
        known.quantity += quantity
        if known.status == "FROZEN":
            known.frozen = known.quantity
        known.updated_at = now
        return known

    def freeze(self, position_id: str, reason: str) -> None:
        """Freezes what a member owns of a class."""
        self._set_frozen(position_id, "FROZEN", reason)

    def unfreeze(self, position_id: str) -> None:
        """Ends that."""
        self._set_frozen(position_id, "ACTIVE", None)

    def suspend(self, participant: str) -> None:
        """A member may not trade any more."""
        self.suspended.add(participant)

    def _set_frozen(self, position_id: str, status: str, reason: str | None) -> None:
        position = self.positions[position_id]
        position.status, position.remarks, position.updated_at = status, reason, self._clock()
        position.frozen = position.quantity if status == "FROZEN" else 0

    # Events

    def _push_trade(self, event_type: str, trade: Trade) -> None:
        self._push(event_type, [trade_row(trade)])

    def _push(self, event_type: str, rows: list[Row]) -> None:
        self._events += 1
        body = {"type": event_type, "timestamp": local_time(self._clock()), "data": rows}
        content = json.dumps(body, ensure_ascii=False).encode()
        self.outbox.append(Event(f"evt-{self._events:08d}", event_type, content))

    def next_change(self) -> int:
        """The number of the next change of a trade."""
        self._changes += 1
        return self._changes


def whole_price(price: int, quantity: int) -> int:
    """The price of a quantity in hundredths of the currency, half a hundredth rounded up."""
    return (price * quantity + _HUNDREDTH // 2) // _HUNDREDTH
