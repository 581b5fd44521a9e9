"""``demo``: all linked markets on one machine, each with its stand-in. Nothing to set up, no host is called.

Everything is read side by side, what may be offered is put up at the home venue, an offer is restricted and lifted, a
unit is put on hold behind our back, and one market goes down and comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.cli.demo_acts import hold_behind_our_back, outage, restrict_and_lift
from gateway.cli.execution import Exit, JsonOption, execute
from gateway.cli.offering import (
    decision_row,
    published_document,
    show_listings,
    show_offers,
    told_venue,
)
from gateway.cli.output import Output, shown
from gateway.cli.quarantine import QUARANTINE_COLUMNS, waiting
from gateway.cli.stand_ins import BookClock, StandIns
from gateway.cli.synchronisation import Pulls, change_rows, pull_all, pulled_document, show_pulls
from gateway.model.errors import GatewayError

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.offers.operation import InStep
    from gateway.settings import Settings

SEED: Final = 1
BOOK_INSTANT: Final = datetime(2026, 7, 15, 3, tzinfo=UTC)
"""The books are written as of this instant: the same every time, so that a second run finds nothing changed."""
ROWS_SHOWN: Final = 14
REASONS_SHOWN: Final = 14


@dataclass(slots=True)
class Told:
    """What the demonstration did, for its JSON document, and whether all of it went as it should."""

    document: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def require(self, holds: bool, what: str) -> None:
        """Notes what did not go as it should."""
        if not holds:
            self.failures.append(what)


def demo(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the gateway at work: stand-ins of all markets, linked, read, offered, restricted, and one of them down."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import now, running

        own = settings.model_copy(
            update={"database_url": None, "data_directory": settings.data_directory / "demo", "markets": {}}
        )
        if settings.database_url is not None:
            output.note("the demonstration leaves CARBON_GATEWAY_DATABASE_URL alone and uses a database of its own")
        output.note(f"the demonstration's data are in {own.data_directory}")
        began, told = time.perf_counter(), Told({"data_directory": own.data_directory})
        clock = BookClock(BOOK_INSTANT, now)
        async with running(own) as gateway, StandIns(gateway.manifests, SEED, clock) as stand_ins:
            output.note(f"stand-ins of {', '.join(stand_ins.mocks)} answer on ports of this machine")
            await _run(gateway, stand_ins, output, told)
        told.document |= {"seconds": round(time.perf_counter() - began, 3), "failures": told.failures}
        output.document(told.document)
        for failure in told.failures:
            output.note(f"error: {failure}")
        output.heading(f"done in {told.document['seconds']:.1f} s")
        return Exit.WRONG if told.failures else Exit.DONE

    execute(context, as_json=as_json, work=work)


async def _run(gateway: Application, stand_ins: StandIns, output: Output, told: Told) -> None:
    pulls = await pull_all(gateway, list(stand_ins.mocks), output, stand_ins.settings)
    _tell_pulls(gateway, output, pulls, told, "Linked markets, read side by side")
    told.require(not any(isinstance(one, GatewayError) for one in pulls.values()), "a market could not be read")
    await _tell_quarantine(gateway, output, told)
    home = gateway.home_venue()
    assert home is not None  # all adapters of this program are installed together
    step = await told_venue(gateway, stand_ins.settings[home.name])
    _tell_offers(output, step, told)
    entry = await restrict_and_lift(gateway, stand_ins, output, told.require, step)
    told.document["restricted"] = entry and entry.model_dump(mode="json")
    told.document["held"] = await hold_behind_our_back(gateway, stand_ins, output, told.require)
    told.document["outage"] = await outage(gateway, stand_ins, output, told.require)


def _tell_pulls(gateway: Application, output: Output, pulls: Pulls, told: Told, title: str) -> None:
    output.heading(title)
    show_pulls(gateway, output, pulls)
    told.document["pulls"] = [pulled_document(name, one) for name, one in pulls.items()]
    for one in pulls.values():
        if isinstance(one, GatewayError):
            output.note(f"error: {one}")
        else:
            for row in change_rows(one.programme, one.changes.rows):
                output.say(f"  {row['sentence']}")


async def _tell_quarantine(gateway: Application, output: Output, told: Told) -> None:
    async with gateway.database.transaction() as connection:
        found = await waiting(connection, None, ROWS_SHOWN)
    told.document["quarantine"] = {"rows": found.rows, "total": found.total}
    output.heading("In quarantine, and why")
    output.table(QUARANTINE_COLUMNS, found.rows)
    output.say(shown(len(found.rows), found.total, "rows in quarantine"))


def _tell_offers(output: Output, step: InStep, told: Told) -> None:
    decisions = [decision_row(one) for one in step.decided.decisions]
    told.document["listings"] = {"rows": decisions, "total": len(decisions)}
    told.document["offers"] = published_document(step)
    told.require(bool(step.entries), "nothing could be offered")
    told.require(not (step.published.refused or step.published.rejected), "the home venue refused an offer")
    output.heading("Unified listings: our units, and what venues list")
    show_listings(output, _some_of_each(decisions, lambda row: (row["market"], row["seen_as"])), len(decisions))
    output.heading(f"Why, and why not, under admission policy {step.decided.version.version}")
    refused = [one for one in decisions if one["verdict"] == "refused"]
    for row in _some_of_each(refused, lambda row: row["market"])[:REASONS_SHOWN]:
        name = f" {row['project_name']}" if row["project_name"] else ""
        words = "; ".join(rule["words"] for rule in row["rules"] if not rule["admitted"])
        output.say(f"  - {row['market']} {row['class_id']}{name}: {words}")
    output.heading("Offers at the home venue")
    rows = [one.model_dump(mode="json") for one in step.entries.values()]
    show_offers(output, _some_of_each(rows, lambda row: (not row["firm"], row["name_native"] is None)), len(rows))
    told_now = {one.offer_id for one in step.published.accepted}
    output.say(f"{len(told_now):,} of them were told the venue now, the others it had")


def _some_of_each(rows: Sequence[dict[str, Any]], kind: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """A few rows of each kind, in the order of the kinds, so that every kind is seen."""
    kinds = sorted({kind(row) for row in rows})
    each = max(1, ROWS_SHOWN // max(1, len(kinds)))
    return [row for one in kinds for row in [row for row in rows if kind(row) == one][:each]]
