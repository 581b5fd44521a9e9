"""Publishing: the home venue is told what changed, once, and asked when its answer was lost.

A publication is stored with its id before it leaves. One whose end is not known is asked about with the same order;
until the venue could not get it any more, "not found" is no end. It does not stand in the way of the next: every entry
has a revision above all that the venue has or may yet get, and an older revision never replaces a newer one there.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.kit.contract import PublishesOffers
from gateway.kit.errors import AccessDenied, NotSent, OutcomeUnknown, Rejected
from gateway.model.commands import CommandState, EntryStatus, OfferAction, OfferEntry, Publication, PublicationStatus
from gateway.offers.plan import Shown
from gateway.store import events
from gateway.store.database import Database
from gateway.store.tables.offers import offer, publication

ENTRIES_LIMIT: Final = 100
"""Entries of one publication: so many a venue answers at once."""

WAITS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the questions about a publication that the venue still works on."""

ENDS: Final = (CommandState.CONFIRMED, CommandState.REJECTED)


@dataclass(frozen=True, slots=True)
class Venue:
    """The home venue: its name, our account there, its adapter, and how late it may still take what was sent."""

    market: str
    account: str
    adapter: PublishesOffers
    processing_limit: timedelta


@dataclass(slots=True)
class Published:
    """What was told the venue and what it answered.

    Attributes:
        accepted: entries that it took.
        refused: entries that it refused, each with its code and words.
        rejected: publications that it refused as a whole: its code and words.
        in_doubt: the id of a publication of which the end is not known yet.
    """

    accepted: list[OfferEntry] = field(default_factory=list)
    refused: list[tuple[OfferEntry, str | None, str | None]] = field(default_factory=list)
    rejected: list[tuple[str | None, str | None]] = field(default_factory=list)
    in_doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Publisher:
    """Tells one venue, and keeps what it answers.

    Attributes:
        database: where offers and publications are kept.
        venue: the home venue.
        actor: who does it.
        new_id: makes the id of a publication.
        sleep: waits so many seconds.
    """

    database: Database
    venue: Venue
    actor: str
    new_id: Callable[[], str]
    sleep: Callable[[float], Awaitable[None]]
    told: Published = field(default_factory=Published)

    async def send(self, entries: Sequence[OfferEntry]) -> None:
        """Sends entries, so many at a time.

        Raises NotSent, Rejected or AccessDenied where the venue has not taken a publication: nothing of it happened.
        """
        for start in range(0, len(entries), ENTRIES_LIMIT):
            batch = tuple(entries[start : start + ENTRIES_LIMIT])
            order = Publication(command_id=self.new_id(), account=self.venue.account, offers=batch)
            async with self.database.transaction() as connection:
                await self._persist(connection, order)
            await self._send_one(order)

    async def resolve_open(self) -> None:
        """Asks about every publication of which the end is not known."""
        self.told.in_doubt = None
        async with self.database.transaction() as connection:
            rows = (
                await connection.execute(
                    select(publication.c.sent_order, publication.c.created_at, func.clock_timestamp().label("now"))
                    .where(publication.c.market == self.venue.market, publication.c.finished_at.is_(None))
                    .order_by(publication.c.created_at)
                )
            ).all()
        for row in rows:
            order = Publication.model_validate_json(json.dumps(row.sent_order))
            answer = await self.venue.adapter.publication_status(order)
            await self._take(order, answer, late=row.now - row.created_at > self.venue.processing_limit)

    async def _send_one(self, order: Publication) -> None:
        try:
            answer = await self.venue.adapter.publish(order)
        except (NotSent, Rejected, AccessDenied) as error:
            async with self.database.transaction() as connection:
                await self._close(connection, order, "rejected", {"error": str(error), "code": error.code})
            raise
        except OutcomeUnknown as error:
            async with self.database.transaction() as connection:
                await self._leave_open(connection, order, "in_doubt", {"error": str(error)})
            answer = await self.venue.adapter.publication_status(order)
        for wait in WAITS:
            if answer.status.state in ENDS or answer.status.state is CommandState.NOT_FOUND:
                break  # what it does not have may still arrive; asking again at once tells nothing more
            await self.sleep(wait)
            answer = await self.venue.adapter.publication_status(order)
        await self._take(order, answer, late=False)

    async def _take(self, order: Publication, answer: PublicationStatus, *, late: bool) -> None:
        """Keeps the venue's answer; ``late``: what it does not have now it will not get any more."""
        said, state = answer.model_dump(mode="json"), answer.status.state
        async with self.database.transaction() as connection:
            if state in ENDS or (state is CommandState.NOT_FOUND and late):
                by_id = {one.offer_id: one for one in order.offers}
                for one in answer.entries:
                    await self._keep(connection, order, by_id[one.offer_id], one)
                if state is CommandState.REJECTED and not answer.entries:
                    self.told.rejected.append((answer.status.code, answer.status.message))
                closed = "confirmed" if state is CommandState.CONFIRMED else "rejected"
                await self._close(connection, order, closed, said)
            else:
                self.told.in_doubt = order.command_id
                working = state in {CommandState.ACCEPTED, CommandState.AWAITING_ACCEPTANCE}
                await self._leave_open(connection, order, "accepted" if working else "in_doubt", said)

    async def _persist(self, connection: AsyncConnection, order: Publication) -> None:
        await connection.execute(
            insert(publication).values(
                command_id=order.command_id,
                market=self.venue.market,
                actor=self.actor,
                sent_order=order.model_dump(mode="json"),
                state="persisted",
            )
        )
        await self._tell(connection, order, "persisted", {"entries": len(order.offers)})

    async def _keep(
        self, connection: AsyncConnection, order: Publication, entry: OfferEntry, answer: EntryStatus
    ) -> None:
        written = entry.model_dump(mode="json")
        if answer.accepted:
            self.told.accepted.append(entry)
            row = _row(entry, order) | {"refused": None}
            kept = insert_or(offer).values(row)
            newer = offer.c.revision < entry.revision
            await connection.execute(kept.on_conflict_do_update(index_elements=["offer_id"], set_=row, where=newer))
        else:
            self.told.refused.append((entry, answer.code, answer.message))
            refused = {"entry": written, "code": answer.code, "message": answer.message}
            never = entry.model_copy(update={"action": OfferAction.WITHDRAW, "quantity": 0})
            kept = insert_or(offer).values(_row(never, order) | {"refused": refused})
            await connection.execute(kept.on_conflict_do_update(index_elements=["offer_id"], set_={"refused": refused}))
        await events.append(
            connection,
            kind=f"offer.{_VERBS[entry.action] if answer.accepted else 'refused'}",
            subject=f"{self.venue.market}/offer/{entry.offer_id}",
            actor=self.actor,
            data={"publication": order.command_id, "entry": written, "code": answer.code, "message": answer.message},
        )

    async def _close(self, connection: AsyncConnection, order: Publication, state: str, answer: dict[str, Any]) -> None:
        await connection.execute(
            update(publication)
            .where(publication.c.command_id == order.command_id)
            .values(state=state, finished_at=func.clock_timestamp(), answer=answer)
        )
        await self._tell(connection, order, state, {"answer": answer})

    async def _leave_open(
        self, connection: AsyncConnection, order: Publication, state: str, answer: dict[str, Any]
    ) -> None:
        changed = await connection.execute(
            update(publication)
            .where(publication.c.command_id == order.command_id, publication.c.state != state)
            .values(state=state, answer=answer)
        )
        if changed.rowcount:
            await self._tell(connection, order, state, {"answer": answer})

    async def _tell(self, connection: AsyncConnection, order: Publication, verb: str, data: dict[str, Any]) -> None:
        subject = f"{self.venue.market}/publication/{order.command_id}"
        await events.append(connection, kind=f"publication.{verb}", subject=subject, actor=self.actor, data=data)


async def shown(connection: AsyncConnection) -> dict[str, Shown]:
    """What the home venue accepted of us, by offer id."""
    rows = await connection.execute(select(offer.c.entry, offer.c.refused))
    found = [Shown(_entry(row.entry), _entry(row.refused["entry"]) if row.refused else None) for row in rows]
    return {one.entry.offer_id: one for one in found}


async def doubtful(connection: AsyncConnection, market: str) -> dict[str, int]:
    """The highest revision of each offer in a publication of which the end is not known."""
    rows = await connection.execute(
        select(publication.c.sent_order).where(publication.c.market == market, publication.c.finished_at.is_(None))
    )
    highest: dict[str, int] = {}
    for row in rows:
        for entry in Publication.model_validate_json(json.dumps(row.sent_order)).offers:
            highest[entry.offer_id] = max(entry.revision, highest.get(entry.offer_id, 0))
    return highest


_VERBS: Final = {OfferAction.PUT: "published", OfferAction.HALT: "halted", OfferAction.WITHDRAW: "withdrawn"}


def _row(entry: OfferEntry, order: Publication) -> dict[str, Any]:
    return {
        "offer_id": entry.offer_id,
        "class_id": entry.class_id,
        "revision": entry.revision,
        "action": entry.action.value,
        "firm": entry.firm,
        "quantity": entry.quantity,
        "entry": entry.model_dump(mode="json"),
        "publication": order.command_id,
    }


def _entry(document: dict[str, Any]) -> OfferEntry:
    # Strict models read dates and words from JSON text, not from what a database made of it.
    return OfferEntry.model_validate_json(json.dumps(document))
