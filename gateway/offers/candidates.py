"""Reading candidates from what the markets say: our holdings, the venues' listings, the registries' inventory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import sightings, snapshots
from gateway.kit.manifest import Manifest, MarketRole
from gateway.model.credits import CreditClass
from gateway.model.vocabulary import RecordKind, UnitState
from gateway.offers.candidate import Candidate, Origin

CANDIDATES_LIMIT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Markets:
    """The linked markets, and the number of our account at each; empty where we have none."""

    manifests: Mapping[str, Manifest]
    accounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """The candidates, and each market whose snapshot of our holdings proves nothing now, with why."""

    candidates: list[Candidate]
    unproven: Mapping[str, str]


async def seen(connection: AsyncConnection, markets: Markets, *, inventory: int) -> Seen:
    """What could be offered now, as the markets were last known.

    Args:
        connection: in a transaction.
        markets: the linked ones; the home venue's own listings are no candidates.
        inventory: how many classes of the registries' public inventory are read at most.

    Raises TooMany when there is more than can be decided on.
    """
    elsewhere = {name: one for name, one in markets.manifests.items() if one.role is not MarketRole.HOME_VENUE}
    registries: dict[str, str] = {}
    for name, one in elsewhere.items():
        if one.role is MarketRole.REGISTRY:
            # Of two that keep one programme the first is asked about its projects, so that no row is doubled.
            registries.setdefault(one.programme, name)
    asked = sightings.Asked({name: markets.accounts.get(name, "") for name in elsewhere}, registries)
    known = {
        (name, kind): await snapshots.last(connection, name, kind)
        for name in elsewhere
        for kind in (RecordKind.HOLDING, RecordKind.LISTING, RecordKind.BLOCK)
    }
    found = [_holding(row, elsewhere, known) for row in await sightings.holdings(connection, asked, CANDIDATES_LIMIT)]
    found += [_listing(row, elsewhere, known) for row in await sightings.listings(connection, asked, CANDIDATES_LIMIT)]
    if inventory:
        found += [_inventory(row, elsewhere, known) for row in await sightings.inventory(connection, asked, inventory)]
    unproven = {
        name: f"the last snapshot of {name} is not complete"
        for (name, kind), one in known.items()
        if kind is RecordKind.HOLDING and one is not None and not one.newest
    }
    for name in await sightings.unreadable_accounts(connection, asked):
        unproven.setdefault(name, f"a row of our holdings at {name} cannot be read")
    return Seen(found, unproven)


Known = Mapping[tuple[str, RecordKind], snapshots.LastWhole | None]


def _holding(row: RowMapping, manifests: Mapping[str, Manifest], known: Known) -> Candidate:
    manifest = manifests[row["market"]]
    usable = row["free"] if row["state"] == UnitState.ACTIVE else 0
    return Candidate(
        origin=Origin.HOLDING,
        market=manifest.name,
        at_venue=manifest.role is MarketRole.VENUE,
        reference=row["account"],
        class_id=row["class_id"],
        programme=row["programme"] or manifest.programme,
        instrument=row["instrument"],
        deliverable=None,
        state=row["state"],
        state_native=row["state_native"],
        quantity=row["quantity"],
        available=max(usable, 0),
        **_described(row, known, manifest.name, RecordKind.HOLDING),
    )


def _listing(row: RowMapping, manifests: Mapping[str, Manifest], known: Known) -> Candidate:
    manifest = manifests[row["market"]]
    described = _described(row, known, manifest.name, RecordKind.LISTING)
    return Candidate(
        origin=Origin.LISTING,
        market=manifest.name,
        at_venue=True,
        reference=row["record_key"],
        class_id=_listed_class(row) or f"{manifest.programme} {row['instrument']}",
        programme=row["programme"],
        instrument=row["instrument"],
        deliverable=None if row["deliverable_projects"] is None else tuple(row["deliverable_projects"]),
        state=row["state"],
        state_native=row["state_native"],
        quantity=row["quantity"],
        available=row["quantity"],
        **described
        | {
            "price": row["price"],
            "currency": row["currency"],
            "valid_from": row["valid_from"],
            "valid_until": row["valid_until"],
        },
    )


def _inventory(row: RowMapping, manifests: Mapping[str, Manifest], known: Known) -> Candidate:
    manifest = manifests[row["market"]]
    return Candidate(
        origin=Origin.INVENTORY,
        market=manifest.name,
        at_venue=False,
        reference=row["class_id"],
        class_id=row["class_id"],
        programme=manifest.programme,
        instrument=None,
        deliverable=None,
        state=UnitState.ACTIVE,
        state_native=None,
        quantity=row["quantity"],
        available=0,
        **_described(row, known, manifest.name, RecordKind.BLOCK),
    )


def _described(row: RowMapping, known: Known, market: str, kind: RecordKind) -> dict[str, Any]:
    last = known[market, kind]
    return {
        "project_id": row["project_id"],
        "project_name": row["project_title"],
        "project_state": row["project_state"],
        "unit_kind": row["unit_kind"],
        "vintage_start": row["vintage_start"],
        "vintage_end": row["vintage_end"],
        "labels": None if row["labels"] is None else tuple(sorted(row["labels"])),
        "price": None,
        "currency": None,
        "unreadable": row["unreadable"],
        "valid_from": None,
        "valid_until": None,
        "seen_at": last.as_of if last else None,
    }


def _listed_class(row: RowMapping) -> str | None:
    """The credit class of what is listed; None where the venue does not say enough of it to name one."""
    parts = (row["programme"], row["project_id"], row["vintage_start"], row["vintage_end"], row["unit_kind"])
    if any(part is None for part in parts):
        return None
    return CreditClass(*parts, labels=frozenset(row["labels"] or ())).class_id
