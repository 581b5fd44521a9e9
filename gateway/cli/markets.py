"""``markets``: the linked markets, what each offers, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, asked, execute
from gateway.cli.output import Column, Output, keyed, said

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.settings import Settings

MARKET_COLUMNS: Final = (
    keyed("Market", "market", "short"),
    keyed("Name", "title", "folded"),
    keyed("Projects", "projects", "number"),
    keyed("Blocks", "blocks", "number"),
    keyed("Active units", "active_units", "number"),
    keyed("Quarantined", "quarantined", "number"),
    Column("Last pull", lambda row: _last_pull(row["last_pull"]), "folded"),
)


def markets(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the linked markets with what is known of each."""

    async def work(output: Output, settings: Settings) -> Exit:
        rows = await asked(settings, market_rows)
        output.document({"rows": rows, "total": len(rows)})
        output.table(MARKET_COLUMNS, rows)
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


async def market_rows(gateway: Application, connection: AsyncConnection) -> list[dict[str, Any]]:
    """Each installed market, with its figures; one that was never read has none."""
    from gateway.catalogue import queries

    figures = await queries.market_figures(connection)
    return [
        {
            "market": name,
            "title": manifest.title,
            "programme": manifest.programme,
            "capabilities": sorted(manifest.capabilities()),
            "projects": 0,
            "batches": 0,
            "blocks": 0,
            "active_units": 0,
            "quarantined": 0,
            "last_pull": None,
        }
        | figures.get(name, {})
        for name, manifest in gateway.manifests.items()
    ]


def _last_pull(pull: dict[str, Any] | None) -> str:
    if pull is None:
        return "never"
    return f"{pull['pull']}: {pull['origin']}, {pull['status']}, {said(pull['finished_at'])}"
