"""``sync``: the catalogues of linked markets, pulled page by page; what changed is told as sentences."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import ACTOR, Exit, JsonOption, execute, exit_code
from gateway.cli.offering import tell_home_venue
from gateway.cli.output import Column, Output, counted, error_document, keyed
from gateway.cli.progress import FeedProgress
from gateway.model.errors import ConfigurationError, GatewayError

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.catalogue.feed_pull import Progress
    from gateway.catalogue.queries import Answer
    from gateway.catalogue.reports import Synced
    from gateway.markets.linked import LinkedMarket
    from gateway.settings import Settings
    from gateway.store.database import Database

CHANGES_SHOWN: Final = 20
SAID_SHOWN: Final = 300
"""Characters of what a broken adapter said; the log has all of it."""

PLURAL: Final = {
    "project": "projects",
    "batch": "batches",
    "block": "blocks",
    "holding": "holdings",
    "listing": "listings",
    "cash_balance": "cash balances",
}

PULL_COLUMNS: Final = (
    keyed("Market", "market", "short"),
    keyed("Name", "title", "folded", 30),
    keyed("Own name 本名", "title_native", "folded", 18),
    keyed("Rows", "rows", "number"),
    keyed("New", "added", "number"),
    keyed("Changed", "changed", "number"),
    keyed("Gone", "gone", "number"),
    keyed("Quarantined", "quarantined", "number"),
    keyed("Read", "status", "short"),
)
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
        list[str] | None, typer.Argument(help="The markets to read; without one, all that are configured.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read linked markets side by side, tell what changed, and bring the home venue's offers in step.

    Exit code 1 when a feed could not be read completely or an offer was refused, 3 when a market cannot be reached; the
    other markets are read all the same.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        async with running(settings) as gateway:
            names = wanted(gateway, markets)
            pulls = await pull_all(gateway, names, output)
            code = _tell_all(gateway, output, pulls)
            step, told = await tell_home_venue(gateway, output)
        output.document({"markets": [pulled_document(name, one) for name, one in pulls.items()], "offers": told})
        return max(code, step)

    execute(context, as_json=as_json, work=work)


Pulls = Mapping[str, "Pulled | GatewayError"]
"""What came of each market, by its name: the pull, or why there was none."""


async def pull_all(
    gateway: Application,
    names: Sequence[str],
    output: Output,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    watch: Progress | None = None,
) -> Pulls:
    """Pulls markets side by side, each within its own limits; one that fails does not stop the others.

    Args:
        gateway: the running gateway.
        names: the markets.
        output: where progress is shown.
        settings: of each market, over those of the environment; without them every address must be configured.
        watch: is told how far the feeds have come, as the progress is.

    An error that is none of ours, an adapter's mistake, is that market's failure; where it happened is logged.
    """
    import structlog

    async def one(name: str, progress: Progress) -> Pulled | GatewayError:
        try:
            async with gateway.link(name, settings and settings[name]) as market:
                if settings is None:
                    gateway.require_addresses(name)
                return await pull(gateway.database, market, progress)
        except GatewayError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever one adapter does wrong, the other markets are read
            structlog.get_logger().error("market failed", market=name, exc_info=True)
            said = (str(error).splitlines() or ["no words"])[0]
            return GatewayError(f"{name}: the adapter broke off with {type(error).__name__}: {said:.{SAID_SHOWN}}")

    with FeedProgress(output) as shown:

        def progress(market: str, feed: str, done: int, total: int) -> None:
            shown(market, feed, done, total)
            if watch is not None:
                watch(market, feed, done, total)

        async with asyncio.TaskGroup() as group:
            under_way = {name: group.create_task(one(name, progress)) for name in names}
    return {name: task.result() for name, task in under_way.items()}


def pulled_document(name: str, one: Pulled | GatewayError) -> dict[str, Any]:
    """What came of a market as one JSON object."""
    return {"market": name, "error": error_document(one)} if isinstance(one, GatewayError) else one.document()


def _tell_all(gateway: Application, output: Output, pulls: Pulls) -> Exit:
    """Of one market its feeds; of several one table, and of a feed only what is not as it should be."""
    code, several = Exit.DONE, len(pulls) > 1
    if several:
        show_pulls(gateway, output, pulls)
    for one in pulls.values():
        if isinstance(one, GatewayError):
            output.note(f"error: {one}")
            code = max(code, exit_code(one))
        else:
            if not several:
                _show_feeds(output, one.synced)
            _tell_changes(output, one)
            code = max(code, Exit.DONE if is_complete(one.synced) else Exit.WRONG)
    return code


def show_pulls(gateway: Application, output: Output, pulls: Pulls) -> None:
    """Shows a person what came of each market, a row each."""
    output.table(PULL_COLUMNS, [pull_row(gateway, name, one) for name, one in pulls.items()], dense=True)


def pull_row(gateway: Application, name: str, one: Pulled | GatewayError) -> dict[str, Any]:
    """A pull as a row of the markets' table."""
    manifest = gateway.manifests[name]
    row = {"market": name, "title": manifest.title, "title_native": manifest.title_native}
    if isinstance(one, GatewayError):
        return row | {"status": _FAILED.get(exit_code(one), "failed")}
    feeds, applied = one.synced.feeds, one.synced.applied.values()
    return row | {
        "rows": sum(feed.rows for feed in feeds),
        "added": sum(kind.added for kind in applied),
        "changed": sum(kind.changed for kind in applied),
        "gone": sum(kind.gone for kind in applied),
        "quarantined": sum(feed.quarantined for feed in feeds),
        "status": one.synced.status.value,
    }


_FAILED: Final = {Exit.UNREACHABLE: "not reached", Exit.MISUSED: "not set up"}


async def pull(database: Database, market: LinkedMarket, progress: Progress) -> Pulled:
    """Pulls one market."""
    from gateway.catalogue import queries
    from gateway.catalogue.sync import sync as sync_market

    synced = await sync_market(database, market, actor=ACTOR, progress=progress)
    async with database.transaction() as connection:
        changes = await queries.changes(connection, pull_number=synced.pull, limit=CHANGES_SHOWN)
    return Pulled(synced, market.manifest.programme, changes)


def _show_feeds(output: Output, synced: Synced) -> None:
    title = f"{synced.market}: pull {synced.pull}, {synced.status.value}"
    output.table(FEED_COLUMNS, synced.summary()["feeds"], title)


def _tell_changes(output: Output, pulled: Pulled) -> None:
    """Tells a person what a pull changed, and what of its feeds is not as it should be."""
    synced = pulled.synced
    summary = synced.summary()
    for feed in summary["feeds"]:
        name = f"{synced.market} {feed['feed']}"
        for fault in feed["faults"]:
            output.say(f"{name} is incomplete: {fault}")
        if feed["drift"]:
            output.say(f"{name}: columns that nobody mapped: {', '.join(feed['drift'])} (carbon-gateway drift)")
        if feed["missing"]:
            output.say(f"{name}: columns that did not come: {', '.join(feed['missing'])} (carbon-gateway drift)")
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


def wanted(gateway: Application, markets: Sequence[str] | None) -> list[str]:
    """The markets to read: those named, else all with feeds that anything is configured of.

    Raises ConfigurationError for a name that no market has, and where none is configured at all.
    """
    from gateway.catalogue.feeds import FOLLOWED

    if markets:
        return [gateway.manifest(name).name for name in dict.fromkeys(markets)]
    readable = [name for name, manifest in gateway.manifests.items() if manifest.capabilities() & FOLLOWED]
    given = [name for name in readable if gateway.settings.markets.get(name)]
    if not given:
        raise ConfigurationError(
            f"no market is configured; there are {', '.join(readable)}. Call 'carbon-gateway sync MARKET' to see what "
            "one needs, or 'carbon-gateway mocks' for stand-ins of all, and set what it prints"
        )
    return given


def _figures(synced: Synced) -> str:
    """What changed, in figures: ``300 projects added; 2 blocks changed, 1 gone``."""
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
            parts.append(f"{PLURAL[kind.value]}: {', '.join(words)}")
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
