"""``quarantine`` and ``drift``: what could not be trusted, why, and what is tried again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.catalogue import DEFAULT_LIMIT, LimitOption, MarketOption, answer, require_market
from gateway.cli.execution import ACTOR, Exit, JsonOption, execute
from gateway.cli.output import Column, Output, clean, counted, keyed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.catalogue.queries import Answer
    from gateway.catalogue.replay import Replayed
    from gateway.markets.linked import LinkedMarket
    from gateway.settings import Settings

FOUND_SHOWN: Final = 60
"""Characters of a value that are shown to a person; the JSON document has all of them."""

application = typer.Typer(help="Rows that could not be trusted: see why, and try them again.", rich_markup_mode=None)


def _reason(reason: Mapping[str, Any]) -> str:
    found = reason["found"]
    told = "" if found is None else f": {clean(found[:FOUND_SHOWN])}{'…' if len(found) > FOUND_SHOWN else ''}"
    return f"{reason['code']}{' ' + reason['field'] if reason['field'] else ''}{told}"


def _reasons(row: Mapping[str, Any]) -> str:
    return "; ".join(_reason(one) for one in row["reasons"])


QUARANTINE_COLUMNS: Final = (
    keyed("Entry", "id", "number"),
    keyed("Read as", "mapping", "folded"),
    keyed("Row", "position", "number"),
    Column("Record", lambda row: row["record_key"][:12]),
    Column("Why", _reasons, "folded"),
)
DRIFT_COLUMNS: Final = (
    keyed("Read as", "mapping"),
    keyed("Column", "path", "folded"),
    keyed("What", "kind"),
    keyed("First pull", "first_pull", "number"),
    keyed("Last pull", "last_pull", "number"),
)


@application.callback(invoke_without_command=True)
def quarantine(
    context: typer.Context, market: MarketOption = None, limit: LimitOption = DEFAULT_LIMIT, as_json: JsonOption = False
) -> None:
    """List the rows that wait in quarantine, newest first, each with its reasons."""
    if context.invoked_subcommand is None:
        entries(context, market, limit, as_json)
    elif market is not None or as_json or limit != DEFAULT_LIMIT:
        raise typer.BadParameter(f"options stand behind the word {context.invoked_subcommand!r}")


@application.command("list")
def entries(
    context: typer.Context, market: MarketOption = None, limit: LimitOption = DEFAULT_LIMIT, as_json: JsonOption = False
) -> None:
    """List the rows that wait in quarantine, newest first, each with its reasons."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        require_market(gateway, market)
        return await waiting(connection, market, limit)

    answer(context, as_json, question, QUARANTINE_COLUMNS, "rows in quarantine")


@application.command("replay")
def replay(
    context: typer.Context,
    markets: Annotated[
        list[str] | None, typer.Argument(help="The markets whose rows are tried; without one, all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the quarantined rows again, as they were received, after a mapping was mended."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        async with running(settings) as gateway:
            names = [gateway.manifest(name).name for name in dict.fromkeys(markets or gateway.manifests)]
            replayed = [await _replayed(gateway, name) for name in names]
        output.document({"markets": [asdict(one) for one in replayed]})
        for one in replayed:
            tried, left = counted(one.tried, "row"), one.tried - one.accepted
            output.say(f"{one.market}: {tried} tried, {one.accepted:,} accepted, {left:,} still in quarantine")
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


def drift(context: typer.Context, market: MarketOption = None, as_json: JsonOption = False) -> None:
    """List columns that came and nobody mapped, or did not come and somebody did."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        from gateway.catalogue import queries

        require_market(gateway, market)
        rows = await queries.drifted(connection, market=market)
        return queries.Answer(rows, len(rows))

    answer(context, as_json, question, DRIFT_COLUMNS, "columns that drifted")


async def waiting(connection: AsyncConnection, market: str | None, limit: int) -> Answer:
    """Rows in quarantine; the raw row, which is kept as JSON text, as an object."""
    from gateway.catalogue import queries

    found = await queries.quarantined(connection, market=market, limit=limit)
    return queries.Answer([row | {"raw": json.loads(row["raw"])} for row in found.rows], found.total)


def mapping_names(market: LinkedMarket) -> list[str]:
    """The mapping documents of what the catalogue keeps: of the feeds that it follows, and of files."""
    from gateway.catalogue.feeds import followed

    names = [one.feed.mapping for one in followed(market)]
    if "ParsesExports" in market.capabilities():
        names += market.parses_exports().export_mappings()
    return list(dict.fromkeys(names))


async def _replayed(gateway: Application, name: str) -> Replayed:
    from gateway.catalogue.replay import replay as replay_market

    async with gateway.link(name) as market:
        mappings = [market.mapping(document) for document in mapping_names(market)]
        return await replay_market(gateway.database, name, market.manifest.programme, mappings, actor=ACTOR)
