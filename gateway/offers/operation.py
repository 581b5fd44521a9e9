"""Keeping the home venue's offers in step with what is so: read, decide, plan, publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import sightings, snapshots
from gateway.controls import restrictions
from gateway.kit.manifest import Manifest
from gateway.model.commands import OfferEntry
from gateway.model.vocabulary import RecordKind
from gateway.offers.admission import Circumstances, Decision, decide
from gateway.offers.candidates import seen
from gateway.offers.plan import Availability, Shown, VenueList, available, changes, wanted
from gateway.offers.policy import Policy, PolicyVersion
from gateway.offers.publishing import Published, Venue, publish
from gateway.store.database import Database

INVENTORY_LIMIT: Final = 10_000
"""How many classes of the registries' inventory are candidates at most."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Every candidate with its decision, and the version of the policy that decided."""

    version: PolicyVersion
    decisions: list[Decision]

    def reasons(self, class_id: str) -> str:
        """Why a class is not offered, in words."""
        words = [
            verdict.words
            for one in self.decisions
            if one.candidate.class_id == class_id
            for verdict in one.verdicts
            if not verdict.admitted
        ]
        return "; ".join(dict.fromkeys(words)) or "no linked market shows it any more"


async def decided(
    connection: AsyncConnection,
    manifests: Mapping[str, Manifest],
    policy: Policy,
    now: datetime,
    *,
    home: Manifest,
    inventory: int = 0,
) -> Decided:
    """Decides on every candidate as the markets were last known.

    Args:
        connection: in a transaction.
        manifests: of the linked markets.
        policy: of the home venue.
        now: the instant; the policy's day is the home venue's.
        home: the home venue's manifest.
        inventory: how many classes of the registries' inventory are looked at, where the policy refuses them all.

    Raises ConfigurationError when no policy holds on the day.
    """
    today = now.astimezone(ZoneInfo(home.zone)).date()
    version = policy.on(today)
    limit = INVENTORY_LIMIT if version.registry_inventory == "indicative" else inventory
    found = await seen(connection, manifests, inventory=limit)
    circumstances = Circumstances(
        policy, version, await restrictions.in_force(connection), now, today, found.incomplete
    )
    return Decided(version, decide(found.candidates, circumstances))


@dataclass(frozen=True, slots=True)
class InStep:
    """What was decided, what the venue ought to show, and what it was told."""

    decided: Decided
    entries: dict[str, OfferEntry]
    published: Published


async def keep_in_step(
    database: Database,
    manifests: Mapping[str, Manifest],
    policy: Policy,
    venue: Venue,
    *,
    now: datetime,
    actor: str,
    new_id: Callable[[], str],
    availability: Availability | None = None,
) -> InStep:
    """Tells the home venue what changed since it was last told; a second time nothing.

    ``availability`` says what is free of a class; without one the complete snapshots do.

    Raises what :func:`decided` and :func:`publish` raise.
    """
    async with database.transaction() as connection:
        made = await decided(connection, manifests, policy, now, home=manifests[venue.market])
        venue_list = await _venue_list(connection, venue.market)
    entries = wanted(made.decisions, availability or available(made.decisions), made.version)

    def planned(shown: dict[str, Shown]) -> list[OfferEntry]:
        return changes(entries, shown, made.reasons, venue_list)

    return InStep(made, entries, await publish(database, venue, planned, actor=actor, new_id=new_id))


async def _venue_list(connection: AsyncConnection, market: str) -> VenueList | None:
    """The home venue's own list of our offers, where the last look at it was whole."""
    last = await snapshots.last(connection, market, RecordKind.LISTING)
    if last is None or not last.newest:
        return None
    return VenueList(await sightings.listed_keys(connection, market), last.began_at)
