"""Keeping the home venue's offers in step with what is so: look, decide, protect, put up.

All of it under one lock: whoever waits for it decides anew on what then is so, so that nobody undoes what a person has
just restricted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.controls import restrictions
from gateway.kit.manifest import Manifest
from gateway.markets.linked import LinkedMarket
from gateway.model.commands import OfferEntry
from gateway.model.errors import ConfigurationError
from gateway.offers.admission import Circumstances, Decision, decide
from gateway.offers.candidates import Markets, seen
from gateway.offers.plan import Availability, Standing, additions, available, protective, wanted
from gateway.offers.policy import Policy, PolicyVersion
from gateway.offers.publishing import Published, Publisher, Venue, doubtful, shown
from gateway.offers.venue_book import VenueBook, read_book
from gateway.store.database import Database

INVENTORY_LIMIT: Final = 10_000
"""How many classes of the registries' inventory are candidates at most."""

PROTECTED_AT_MOST: Final = 2
"""How often what must not be traded is told the venue, where it was not heard."""

LOCK_WAIT: Final = "2min"
"""How long one who publishes waits for another."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Every candidate with its decision, and the version of the policy that decided."""

    version: PolicyVersion
    decisions: list[Decision]
    refusals: dict[str, str] = field(default_factory=dict)

    def reasons(self, class_id: str) -> str:
        """Why a class is not offered, in words."""
        return self.refusals.get(class_id) or "no linked market shows it any more"


async def decided(
    connection: AsyncConnection, markets: Markets, policy: Policy, now: datetime, *, home: Manifest, inventory: int = 0
) -> Decided:
    """Decides on every candidate as the markets were last known.

    Args:
        connection: in a transaction.
        markets: the linked ones.
        policy: of the home venue.
        now: the instant; the policy's day is the home venue's.
        home: the home venue's manifest.
        inventory: how many classes of the registries' inventory are looked at, where the policy refuses them all.

    Raises ConfigurationError when no policy holds on the day, TooMany when there is more than can be decided on.
    """
    today = now.astimezone(ZoneInfo(home.zone)).date()
    version = policy.on(today)
    limit = INVENTORY_LIMIT if version.registry_inventory == "indicative" else inventory
    found = await seen(connection, markets, inventory=limit)
    circumstances = Circumstances(policy, version, await restrictions.in_force(connection), now, today, found.unproven)
    decisions = await asyncio.to_thread(decide, found.candidates, circumstances)
    return Decided(version, decisions, _refusals(decisions))


def _refusals(decisions: list[Decision]) -> dict[str, str]:
    words: dict[str, dict[str, None]] = {}
    for one in decisions:
        refused = {verdict.words: None for verdict in one.verdicts if not verdict.admitted}
        if refused:
            words.setdefault(one.candidate.class_id, {}).update(refused)
    return {class_id: "; ".join(said) for class_id, said in words.items()}


@dataclass(frozen=True, slots=True)
class InStep:
    """What was decided, what the venue ought to show, and what it was told."""

    decided: Decided
    entries: dict[str, OfferEntry]
    published: Published


@dataclass(frozen=True, slots=True)
class Step:
    """What one bringing in step needs.

    Attributes:
        database: ours.
        markets: the linked ones.
        home: the home venue, linked.
        policy: its admission policy.
        actor: who does it.
        now: gives the instant.
        new_id: makes the id of a publication.
        sleep: waits so many seconds.
        availability: what is free of a class; without one the complete snapshots say, less what is sold.
    """

    database: Database
    markets: Markets
    home: LinkedMarket
    policy: Policy
    actor: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    availability: Availability | None = None


async def keep_in_step(step: Step) -> InStep:
    """Tells the home venue what changed since it was last told; a second time nothing.

    Raises an AdapterError when the venue cannot be reached or read whole, or refuses a publication; ConfigurationError
    when somebody else publishes and does not come to an end; and what :func:`decided` raises.
    """
    manifest = step.home.manifest
    venue = Venue(manifest.name, step.home.account, step.home.publishes_offers(), manifest.processing_limit)
    publisher = Publisher(step.database, venue, step.actor, step.new_id, step.sleep)
    async with _alone(step.database):
        await publisher.resolve_open()
        book = await read_book(step.home, step.now())
        made, entries, standing = await _planned(step, book)
        for _ in range(PROTECTED_AT_MOST):
            protection = protective(entries, standing, made.reasons)
            if not protection:
                break
            await publisher.send(protection)
            # What was sold until the halt is known only now. A halt that was lost on its way is sent again, above it.
            book = await read_book(step.home, step.now())
            made, entries, standing = await _planned(step, book)
        await publisher.send(additions(entries, standing))
        return InStep(made, entries, publisher.told)


async def _planned(step: Step, book: VenueBook) -> tuple[Decided, dict[str, OfferEntry], Standing]:
    manifest = step.home.manifest
    async with step.database.transaction() as connection:
        made = await decided(connection, step.markets, step.policy, step.now(), home=manifest)
        standing = Standing(await shown(connection), await doubtful(connection, manifest.name), book)
    availability = step.availability or available(made.decisions, book.unsettled)
    return made, wanted(made.decisions, availability, made.version), standing


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Two that publish at once wait for one another; the lock ends with the session."""
    async with database.session() as guard:
        await guard.execute(text(f"SET lock_timeout = '{LOCK_WAIT}'"))
        try:
            await guard.execute(text("SELECT pg_advisory_lock(hashtextextended('carbon-gateway publishing', 0))"))
        except sqlalchemy.exc.DBAPIError as error:
            if "lock timeout" not in str(error):
                raise
            raise ConfigurationError(
                f"somebody else has been publishing offers for more than {LOCK_WAIT}; nothing was told the venue"
            ) from error
        await guard.commit()
        yield
