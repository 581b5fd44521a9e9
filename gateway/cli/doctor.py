"""``doctor``: whether this installation can work, line by line, each with what to do where it cannot."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, execute, settings_of
from gateway.cli.output import Output, keyed
from gateway.model.errors import ConfigurationError, GatewayError

if TYPE_CHECKING:
    from gateway.kit.contract import Feed
    from gateway.kit.manifest import Manifest
    from gateway.markets.linked import LinkedMarket
    from gateway.settings import Settings

OLDEST_PYTHON: Final = (3, 11)
MEGABYTE: Final = 1_000_000
SPACE_WANTED: Final = 2_000 * MEGABYTE
"""Bytes: PostgreSQL keeps up to 1 GB of log beside its data."""
SPACE_NEEDED: Final = 200 * MEGABYTE
"""Bytes: a new cluster takes about 50 MB."""


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and what to do where it is not as it should be."""

    check: str
    level: Level
    found: str
    advice: str = ""


FINDING_COLUMNS: Final = (
    keyed("Check", "check", "folded"),
    keyed("Level", "level"),
    keyed("Found", "found", "folded"),
    keyed("What to do", "advice", "folded"),
)


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check this installation: Python, settings, disk, database, adapters and mapping documents.

    The embedded PostgreSQL is started for it, and made where there is none. Exit code 1 when a check fails.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        findings = [finding async for finding in examine(settings)]
        return _tell(output, findings)

    try:
        settings_of(context)
    except ConfigurationError as error:
        # Without settings there is nothing else to look at.
        wrong = Finding("settings", Level.FAIL, str(error), "mend the variable")
        raise typer.Exit(_tell(Output(as_json=as_json), [_python(), wrong])) from error
    execute(context, as_json=as_json, work=work)


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Makes every check; none raises."""
    yield _python()
    yield _settings(settings)
    yield _space(settings)
    async for finding in _database(settings):
        yield finding
    from gateway.markets.registry import installed

    try:
        manifests = installed()
    except ConfigurationError as error:
        yield Finding("adapters", Level.FAIL, str(error), "mend or uninstall the package that ships it")
        return
    yield _adapters(manifests)
    for manifest in manifests.values():
        yield await _market(manifest, settings)
    yield _calendars()


def _tell(output: Output, findings: list[Finding]) -> Exit:
    failed = sum(1 for one in findings if one.level is Level.FAIL)
    rows = [asdict(one) for one in findings]
    output.document({"rows": rows, "total": len(rows), "failed": failed})
    output.table(FINDING_COLUMNS, rows)
    output.say(f"{failed} of {len(rows)} checks failed" if failed else f"all {len(rows)} checks passed")
    return Exit.WRONG if failed else Exit.DONE


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("Python", Level.FAIL, found, f"install Python {oldest} or later")
    return Finding("Python", Level.OK, found)


def _settings(settings: Settings) -> Finding:
    """What is set; of a market only the names, since any value may be a secret."""
    own = "a database of your own" if settings.database_url else "the embedded PostgreSQL"
    markets = [f"{name} ({', '.join(sorted(values))})" for name, values in sorted(settings.markets.items())]
    said = f"{own}; data directory {settings.data_directory}; log level {settings.log_level}"
    return Finding("settings", Level.OK, said + (f"; markets: {'; '.join(markets)}" if markets else ""))


def _space(settings: Settings) -> Finding:
    directory = settings.data_directory.absolute()
    existing = next(folder for folder in (directory, *directory.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    found = f"{free // MEGABYTE:,} MB free at {existing}"
    if free >= SPACE_WANTED:
        return Finding("disk space", Level.OK, found)
    advice = "free some, or choose another place with CARBON_GATEWAY_DATA_DIRECTORY"
    return Finding("disk space", Level.WARN if free >= SPACE_NEEDED else Level.FAIL, found, advice)


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    """Reaches the database, which starts the embedded one, and looks at its schema without changing it."""
    from sqlalchemy import text

    from gateway.app import running
    from gateway.cli.database import address_of
    from gateway.store import schema

    reached = False
    try:
        async with running(settings, prepared=False) as gateway:
            async with gateway.database.transaction() as connection:
                version = await connection.scalar(text("SHOW server_version"))
            reached = True
            yield Finding("database", Level.OK, f"PostgreSQL {version} at {address_of(gateway.database)}")
            found = await schema.status(gateway.database)
            if found.current:
                yield Finding("schema", Level.OK, f"at {found.revision}, the newest")
            elif settings.database_url is None:
                yield Finding("schema", Level.OK, f"{found.pending} behind; the next command brings it up to date")
            else:
                advice = "call carbon-gateway db upgrade"
                yield Finding("schema", Level.FAIL, f"at {found.revision or 'nothing'}, {found.pending} behind", advice)
    except GatewayError as error:
        advice = (
            "check CARBON_GATEWAY_DATABASE_URL and that the server runs"
            if settings.database_url
            else "see what was found"
        )
        yield Finding("schema" if reached else "database", Level.FAIL, str(error), advice)


def _adapters(manifests: Mapping[str, Manifest]) -> Finding:
    if not manifests:
        advice = "install a package with an entry point in the group carbon_gateway.adapters"
        return Finding("adapters", Level.FAIL, "none", advice)
    offered = [f"{name} ({', '.join(sorted(manifest.capabilities()))})" for name, manifest in manifests.items()]
    return Finding("adapters", Level.OK, "; ".join(offered))


def _calendars() -> Finding:
    """Warns well before the data of a calendar end."""
    from gateway.app import now
    from gateway.kit.calendars import horizon_warnings, load, names

    found = [load(name) for name in names()]
    warnings = [words for one in found for words in horizon_warnings(one, now().astimezone(one.zone).date())]
    if warnings:
        return Finding("calendars", Level.WARN, "; ".join(warnings), "extend them: docs/calendars.md")
    return Finding("calendars", Level.OK, f"{len(found)} calendars, to {min(one.last_day for one in found)} at least")


async def _market(manifest: Manifest, settings: Settings) -> Finding:
    """Binds an adapter with its settings and compiles every mapping document that it names; reaches for nothing."""
    from gateway.app import now
    from gateway.cli.quarantine import mapping_names
    from gateway.markets.linked import link

    check = f"market {manifest.name}"
    try:
        async with link(manifest, settings.markets.get(manifest.name, {}), now) as market:
            names = dict.fromkeys([*mapping_names(market), *_of_what_happens(market)])
            for name in names:
                market.mapping(name)
    except GatewayError as error:
        return Finding(check, Level.FAIL, str(error), "mend the setting or the mapping document that is named")
    return Finding(check, Level.OK, f"settings hold; {len(names)} mapping documents compile ({', '.join(names)})")


def _of_what_happens(market: LinkedMarket) -> list[str]:
    """The mapping documents of movements and trades, of which the catalogue keeps nothing."""
    offered: Any = market.adapter
    feeds: list[Feed] = []
    if "ReadsMovements" in market.capabilities():
        feeds += offered.movement_feeds()
    if "ReadsTrades" in market.capabilities():
        feeds += offered.trade_feeds()
    return [feed.mapping for feed in feeds]
