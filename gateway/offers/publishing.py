"""Publishing: the home venue is told what changed, once, and asked when its answer was lost.

A publication is stored with its id before it leaves. Until it is known what became of it no other one leaves: an open
one is asked about first, with the same order. What the venue accepts is what it shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.kit.contract import PublishesOffers
from gateway.kit.errors import AccessDenied, NotSent, OutcomeUnknown, Rejected
from gateway.model.commands import CommandState, EntryStatus, OfferAction, OfferEntry, Publication, PublicationStatus
from gateway.offers.plan import Shown
from gateway.store import events
from gateway.store.database import Database
from gateway.store.tables.offers import offer, publication

ENTRIES_LIMIT: Final = 1000
"""Entries of one publication, as the venue's own limit."""


@dataclass(frozen=True, slots=True)
class Venue:
    """The home venue: its name, our account there, and its adapter."""

    market: str
    account: str
    adapter: PublishesOffers


@dataclass(slots=True)
class Published:
    """What was told the venue and what it answered.

    ``in_doubt`` is the id of a publication of which the venue cannot say yet what became; nothing more was sent.
    """

    accepted: list[OfferEntry] = field(default_factory=list)
    refused: list[tuple[OfferEntry, str | None, str | None]] = field(default_factory=list)
    in_doubt: str | None = None


Planned = Callable[[dict[str, Shown]], Sequence[OfferEntry]]
"""What to tell the venue, from what it shows."""


async def publish(
    database: Database, venue: Venue, planned: Planned, *, actor: str, new_id: Callable[[], str]
) -> Published:
    """Brings the venue's offers in step.

    Args:
        database: where offers and publications are kept.
        venue: the home venue.
        planned: decides what to tell it, once it is known what it shows.
        actor: who does it.
        new_id: makes the id of a publication.

    Raises an AdapterError when the venue refuses the whole, or cannot be reached; then nothing has changed there.
    """
    told = Published()
    async with database.session() as guard:
        # Two that publish at once wait for one another; the lock ends with the session.
        await guard.execute(text("SELECT pg_advisory_lock(hashtextextended('carbon-gateway publishing', 0))"))
        await guard.commit()
        await _publish(database, venue, planned, actor, new_id, told)
    return told


async def _publish(
    database: Database, venue: Venue, planned: Planned, actor: str, new_id: Callable[[], str], told: Published
) -> None:
    if not await _settle_open(database, venue, told):
        return
    async with database.transaction() as connection:
        entries = planned(await shown(connection))
    for start in range(0, len(entries), ENTRIES_LIMIT):
        batch = tuple(entries[start : start + ENTRIES_LIMIT])
        order = Publication(command_id=new_id(), account=venue.account, offers=batch)
        async with database.transaction() as connection:
            await connection.execute(
                insert(publication).values(
                    command_id=order.command_id,
                    market=venue.market,
                    actor=actor,
                    sent_order=order.model_dump(mode="json"),
                    state="persisted",
                )
            )
        if not await _send(database, venue, order, actor, told):
            return


async def shown(connection: AsyncConnection) -> dict[str, Shown]:
    """What the home venue shows of ours, by offer id."""
    rows = await connection.execute(
        select(
            offer.c.offer_id, offer.c.entry, offer.c.refused, publication.c.created_at, publication.c.finished_at
        ).join(publication, publication.c.command_id == offer.c.publication)
    )
    return {
        row.offer_id: Shown(
            _entry(row.entry),
            row.finished_at or row.created_at,
            _entry(row.refused["entry"]) if row.refused else None,
        )
        for row in rows
    }


async def _send(database: Database, venue: Venue, order: Publication, actor: str, told: Published) -> bool:
    """Sends a stored publication; whether the next one may leave."""
    try:
        answer = await venue.adapter.publish(order)
    except (NotSent, Rejected, AccessDenied) as error:
        async with database.transaction() as connection:
            await _close(connection, order, "rejected", {"error": str(error), "code": error.code})
        raise
    except OutcomeUnknown as error:
        async with database.transaction() as connection:
            await _mark_in_doubt(connection, order, {"error": str(error)})
        return await _settle_open(database, venue, told)
    return await _take(database, venue, order, answer, actor, told)


async def _settle_open(database: Database, venue: Venue, told: Published) -> bool:
    """Asks about a publication of which the end is not known; whether there is none any more."""
    async with database.transaction() as connection:
        row = (
            await connection.execute(
                select(publication.c.sent_order, publication.c.actor).where(
                    publication.c.market == venue.market, publication.c.finished_at.is_(None)
                )
            )
        ).one_or_none()
    if row is None:
        return True
    order = Publication.model_validate_json(_json(row.sent_order))
    answer = await venue.adapter.publication_status(order)
    return await _take(database, venue, order, answer, row.actor, told)


async def _take(
    database: Database, venue: Venue, order: Publication, answer: PublicationStatus, actor: str, told: Published
) -> bool:
    """Keeps the venue's answer; whether it is its last word."""
    said = answer.model_dump(mode="json")
    async with database.transaction() as connection:
        match answer.status.state:
            case CommandState.CONFIRMED | CommandState.REJECTED | CommandState.NOT_FOUND:
                by_id = {one.offer_id: one for one in order.offers}
                for one in answer.entries:
                    await _keep(connection, venue, order, by_id[one.offer_id], one, actor, told)
                confirmed = answer.status.state is CommandState.CONFIRMED
                await _close(connection, order, "confirmed" if confirmed else "rejected", said)
                return True
            case _:
                await _mark_in_doubt(connection, order, said)
                told.in_doubt = order.command_id
                return False


async def _keep(
    connection: AsyncConnection,
    venue: Venue,
    order: Publication,
    entry: OfferEntry,
    answer: EntryStatus,
    actor: str,
    told: Published,
) -> None:
    written = entry.model_dump(mode="json")
    if answer.accepted:
        told.accepted.append(entry)
        row = _row(entry, order) | {"refused": None}
        kept = insert_or(offer).values(row)
        await connection.execute(
            kept.on_conflict_do_update(index_elements=["offer_id"], set_=row, where=offer.c.revision < entry.revision)
        )
    else:
        told.refused.append((entry, answer.code, answer.message))
        refused = {"entry": written, "code": answer.code, "message": answer.message}
        never = entry.model_copy(update={"action": OfferAction.WITHDRAW, "quantity": 0})
        kept = insert_or(offer).values(_row(never, order) | {"refused": refused})
        await connection.execute(kept.on_conflict_do_update(index_elements=["offer_id"], set_={"refused": refused}))
    await events.append(
        connection,
        kind=f"offer.{_VERBS[entry.action] if answer.accepted else 'refused'}",
        subject=f"{venue.market}/offer/{entry.offer_id}",
        actor=actor,
        data={"publication": order.command_id, "entry": written, "code": answer.code, "message": answer.message},
    )


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


async def _close(connection: AsyncConnection, order: Publication, state: str, answer: dict[str, Any]) -> None:
    await connection.execute(
        update(publication)
        .where(publication.c.command_id == order.command_id)
        .values(state=state, finished_at=func.clock_timestamp(), answer=answer)
    )


async def _mark_in_doubt(connection: AsyncConnection, order: Publication, answer: dict[str, Any]) -> None:
    await connection.execute(
        update(publication).where(publication.c.command_id == order.command_id).values(state="in_doubt", answer=answer)
    )


def _json(document: dict[str, Any]) -> bytes:
    """Strict models read dates and words from JSON text, not from what a database made of it."""
    return json.dumps(document).encode()


def _entry(document: dict[str, Any]) -> OfferEntry:
    return OfferEntry.model_validate_json(_json(document))
