"""``sync``: the catalogues of linked markets, pulled page by page; what changed is told as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import ACTOR, Exit, JsonOption, execute, exit_code
from gateway.cli.output import Column, Output, counted, error_document, keyed
from gateway.cli.progress import FeedProgress
from gateway.model.errors import GatewayError

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.catalogue.queries import Answer
    from gateway.catalogue.reports import Synced
    from gateway.markets.linked import LinkedMarket
    from gateway.settings import Settings
    from gateway.store.database import Database

CHANGES_SHOWN: Final = 20

FEED_COLUMNS: Final = (
    keyed("Feed", "feed"),
    keyed("Stated", "stated_rows", "number"),
    keyed("Read", "rows", "number"),
    keyed("Accepted", "accepted", "number"),
    keyed("Quarantined", "quarantined", "number"),
    keyed("Units stated", "stated_quantity", "number"),
    keyed("Units accepted", "quantity", "number"),
    keyed("Complete", "complete"),
)


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull of a market, and the first of its changes as events."""

    synced: Synced
    programme: str
    changes: Answer

    def document(self) -> dict[str, Any]:
        """The pull as one JSON object."""
        return self.synced.summary() | {
            "changes": {"rows": change_rows(self.programme, self.changes.rows), "total": self.changes.total}
        }


def sync(
    context: typer.Context,
    markets: Annotated[
        list[str] | None, typer.Argument(help="The markets to read; without one, all that publish a catalogue.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the catalogues of linked markets, page by page, and tell what changed.

    Exit code 1 when a catalogue could not be read completely, 3 when a market cannot be reached; the other markets
    are read all the same.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        code, told = Exit.DONE, []
        async with running(settings) as gateway:
            for name in _wanted(gateway, markets):
                try:
                    pulled = await _pulled(gateway, output, name)
                except GatewayError as error:
                    output.note(f"error: {error}")
                    told.append({"market": name, "error": error_document(error)})
                    code = max(code, exit_code(error))
                else:
                    told.append(pulled.document())
                    tell(output, pulled)
                    code = max(code, Exit.DONE if is_complete(pulled.synced) else Exit.WRONG)
        output.document({"markets": told})
        return code

    execute(context, as_json=as_json, work=work)


async def pull(database: Database, market: LinkedMarket, output: Output) -> Pulled:
    """Pulls one market with its progress shown."""
    from gateway.catalogue import queries
    from gateway.catalogue.sync import sync as sync_market

    with FeedProgress(output) as progress:
        synced = await sync_market(database, market, actor=ACTOR, progress=progress)
    async with database.transaction() as connection:
        changes = await queries.changes(connection, pull_number=synced.pull, limit=CHANGES_SHOWN)
    return Pulled(synced, market.manifest.programme, changes)


def tell(output: Output, pulled: Pulled) -> None:
    """Tells a person what a pull read and changed."""
    synced = pulled.synced
    summary = synced.summary()
    output.table(FEED_COLUMNS, summary["feeds"], f"{synced.market}: pull {synced.pull}, {synced.status.value}")
    for feed in summary["feeds"]:
        for fault in feed["faults"]:
            output.say(f"{feed['feed']} is incomplete: {fault}")
        if feed["drift"]:
            output.say(f"{feed['feed']}: columns that nobody mapped: {', '.join(feed['drift'])} (carbon-gateway drift)")
        if feed["missing"]:
            output.say(
                f"{feed['feed']}: columns that did not come: {', '.join(feed['missing'])} (carbon-gateway drift)"
            )
    output.say(
        f"{synced.market}: {_figures(synced)}" if synced.changed_anything else f"{synced.market}: nothing changed"
    )
    for row in change_rows(pulled.programme, pulled.changes.rows):
        output.say(f"  {row['sentence']}")
    if pulled.changes.total > len(pulled.changes.rows):
        more = pulled.changes.total - len(pulled.changes.rows)
        output.say(f"  and {more:,} more: carbon-gateway changes --pull {synced.pull}")
    _tell_quarantine(output, synced.market, summary["feeds"])


def change_rows(programme: str, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Change events, each with the sentence that people say."""
    from gateway.catalogue.queries import sentence

    return [{"sentence": sentence(programme, event), **event} for event in events]


def is_complete(synced: Synced) -> bool:
    """Whether every feed was read whole."""
    return all(feed.complete for feed in synced.feeds)


def _wanted(gateway: Application, markets: list[str] | None) -> list[str]:
    if markets:
        return [gateway.manifest(name).name for name in dict.fromkeys(markets)]
    return [name for name, manifest in gateway.manifests.items() if "ReadsCatalogue" in manifest.capabilities()]


async def _pulled(gateway: Application, output: Output, name: str) -> Pulled:
    async with gateway.link(name) as market:
        gateway.require_addresses(name)
        return await pull(gateway.database, market, output)


def _figures(synced: Synced) -> str:
    """What changed, in figures: ``300 projects added; 2 blocks changed, 1 gone``."""
    plural = {"project": "projects", "batch": "batches", "block": "blocks"}
    parts = []
    for kind, applied in synced.applied.items():
        counts = [
            (applied.added, "added"),
            (applied.changed, "changed"),
            (applied.gone, "gone"),
            (applied.stale, "older than what is known"),
        ]
        words = [f"{count:,} {what}" for count, what in counts if count]
        if words:
            parts.append(f"{plural[kind.value]}: {', '.join(words)}")
    if synced.placeholders:
        parts.append(f"{counted(synced.placeholders, 'project')} known by their units alone")
    if synced.quarantined_new:
        parts.append(f"{counted(synced.quarantined_new, 'row')} new in quarantine")
    return "; ".join(parts)


def _tell_quarantine(output: Output, market: str, feeds: Sequence[dict[str, Any]]) -> None:
    rows = [
        {"feed": feed["feed"], "defect": code, "rows": count}
        for feed in feeds
        for code, count in feed["defects"].items()
    ]
    if rows:
        columns: tuple[Column, ...] = (
            keyed("Feed", "feed"),
            keyed("Defect", "defect"),
            keyed("Rows", "rows", "number"),
        )
        output.table(columns, rows)
    if any(feed["quarantined"] for feed in feeds):
        output.say(f"rows wait in quarantine: carbon-gateway quarantine --market {market}")
