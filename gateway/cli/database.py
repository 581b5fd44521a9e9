"""``db``: the database's schema, brought up to date, described or thrown away; the ledger in it sealed and verified."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, execute
from gateway.cli.output import Output, counted, keyed
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.store.database import Database
    from gateway.store.schema import SchemaStatus

application = typer.Typer(
    help="The database: bring its schema up to date, describe it, verify the ledger, or throw it all away.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


FAULT_COLUMNS: Final = (
    keyed("What", "kind", "short"),
    keyed("Where", "where", "folded"),
    keyed("Found", "found", "folded"),
)


@application.command("upgrade")
def upgrade(context: typer.Context, as_json: JsonOption = False) -> None:
    """Bring the database's schema to the newest migration."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.store import schema

        async with running(settings, prepared=False) as gateway:
            before = await schema.upgrade(gateway.database)
            address = address_of(gateway.database)
        output.document(
            {"database": address, "before": before.revision, "revision": before.head, "applied": before.pending}
        )
        if before.current:
            output.say(f"{address}: the schema is at {before.head}, the newest; nothing to do")
        else:
            output.say(f"{address}: {counted(before.pending, 'migration')} applied, the schema is at {before.head}")
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


@application.command("status")
def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say where the database is, how far its schema is, and what is in it. Exit code 1 when the schema is behind."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.store import schema

        if settings.database_url is None and not _was_made(settings):
            return _say_not_made(output, settings)
        async with running(settings, prepared=False) as gateway:
            found = await schema.status(gateway.database)
            tables = await schema.contents(gateway.database)
            address = address_of(gateway.database)
        output.document(_document(address, found, tables))
        behind = "the newest" if found.current else f"{found.pending} behind: carbon-gateway db upgrade"
        output.say(f"{address}: the schema is at {found.revision or 'nothing'}, {behind}")
        _show_tables(output, tables)
        return Exit.DONE if found.current else Exit.WRONG

    execute(context, as_json=as_json, work=work)


@application.command("reset")
def reset(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Throw everything in the database away and build its schema anew. There is no way back."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.store import schema

        if not yes and not is_terminal():
            raise ConfigurationError(
                "db reset deletes everything and there is no terminal to ask on; give --yes if you mean it"
            )
        async with running(settings, prepared=False) as gateway:
            tables = await schema.contents(gateway.database)
            address = address_of(gateway.database)
            if not yes and not _confirmed(output, address, tables):
                output.document({"database": address, "deleted": None})
                output.note("nothing was deleted")
                return Exit.WRONG
            await schema.reset(gateway.database)
        output.document({"database": address, "deleted": tables})
        output.say(f"{address}: deleted {_total(tables)}; the schema is built anew")
        _show_tables(output, tables)
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def address_of(database: Database) -> str:
    """Where a database is, without its password."""
    return database.url.render_as_string(hide_password=True)


def _confirmed(output: Output, address: str, tables: dict[str, int]) -> bool:
    output.note(f"this deletes, in {address}, {_total(tables)}, and whatever else is in its schema 'public':")
    for name, rows in tables.items():
        output.note(f"  {name}: {counted(rows, 'row')}")
    return typer.confirm("Delete all of it?", err=True)


def _total(tables: dict[str, int]) -> str:
    return f"{counted(len(tables), 'table')} with {counted(sum(tables.values()), 'row')}"


def _was_made(settings: Settings) -> bool:
    from gateway.app import embedded_directory
    from gateway.store.embedded import inspect

    return inspect(embedded_directory(settings)).version is not None


def _say_not_made(output: Output, settings: Settings) -> Exit:
    from gateway.app import embedded_directory

    directory = str(embedded_directory(settings))
    output.document(
        {"database": directory, "revision": None, "head": None, "pending": None, "current": False, "tables": {}}
    )
    output.say(f"{directory}: there is no database yet; the first command that needs one makes it")
    return Exit.DONE


def _document(address: str, found: SchemaStatus, tables: dict[str, int]) -> dict[str, Any]:
    return {"database": address, **asdict(found), "current": found.current, "tables": tables}


def _show_tables(output: Output, tables: dict[str, int]) -> None:
    rows = [{"table": name, "rows": count} for name, count in tables.items()]
    if rows:
        output.table((keyed("Table", "table"), keyed("Rows", "rows", "number")), rows)


@application.command("seal")
def seal(context: typer.Context, as_json: JsonOption = False) -> None:
    """Chain the journal's entries that are not sealed yet, so that nothing in them can be changed unseen."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.ledger.sealing import seal as seal_entries

        async with running(settings) as gateway, gateway.database.transaction() as connection:
            added = await seal_entries(connection)
        output.document(asdict(added) if added else {"seal": None, "entries": 0, "digest": None})
        if added is None:
            output.say("every entry is sealed already")
        else:
            words = "entry" if added.entries == 1 else "entries"
            output.say(f"seal {added.seal} added over {added.entries:,} {words}: {added.seal}:{added.digest}")
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


@application.command("verify")
def verify(
    context: typer.Context,
    head: Annotated[
        str | None, typer.Option(metavar="N:DIGEST", help="A seal noted elsewhere, which must still be as it was.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute balances, blocks, seals and conservation again from the journal, and say where anything differs.

    Exit code 1 when something is not as the journal says.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.ledger.verification import verify as verify_ledger

        async with running(settings) as gateway, gateway.database.transaction() as connection:
            found = await verify_ledger(connection, head)
        rows = [asdict(fault) for fault in found.faults]
        figures = {name: getattr(found, name) for name in ("head", "entries", "sealed", "balances", "blocks")}
        output.document(figures | {"rows": rows, "total": len(rows)})
        if rows:
            output.table(FAULT_COLUMNS, rows)
        said = (
            f"{found.entries:,} entries ({found.sealed:,} sealed), {found.balances:,} balances, {found.blocks:,} blocks"
        )
        output.say(f"{said}: {counted(len(rows), 'fault')} found" if rows else f"{said}: all as the journal says")
        if found.head:
            output.say(f"the last seal is {found.head}")
        return Exit.WRONG if rows else Exit.DONE

    execute(context, as_json=as_json, work=work)
