"""All commands under one name. Each module of commands keeps its heavy imports inside its functions."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import (
    catalogue,
    conformance,
    database,
    demo,
    doctor,
    ingestion,
    markets,
    mocks,
    offering,
    quarantine,
    restricting,
    synchronisation,
)
from gateway.cli.execution import Globals

application = typer.Typer(
    name="carbon-gateway",
    help="Links a Hong Kong carbon venue with the registries and venues of other markets.",
    epilog="Exit codes: 0 done, 1 found something wrong, 2 used wrongly or given a wrong file, 3 a market or the "
    "database unreachable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"carbon-gateway {version('carbon-gateway')}")
        raise typer.Exit


@application.callback()
def begin(
    context: typer.Context,
    data_directory: Annotated[
        Path | None,
        typer.Option(help="Where the embedded PostgreSQL keeps its files; wins over CARBON_GATEWAY_DATA_DIRECTORY."),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Links a Hong Kong carbon venue with the registries and venues of other markets."""
    context.obj = Globals(data_directory)


application.command()(demo.demo)
application.command()(ingestion.ingest)
application.command()(synchronisation.sync)
application.command()(markets.markets)
application.command()(catalogue.projects)
application.command()(catalogue.classes)
application.command()(catalogue.blocks)
application.command()(catalogue.changes)
application.add_typer(quarantine.application, name="quarantine")
application.command()(quarantine.drift)
application.command()(offering.listings)
application.command()(offering.offers)
application.command()(restricting.restrict)
application.command()(restricting.lift)
application.command()(restricting.restrictions)
application.add_typer(database.application, name="db")
application.command()(doctor.doctor)
application.command()(mocks.mocks)
application.command()(conformance.conformance)
