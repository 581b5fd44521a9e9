"""How a command runs: its settings, its exit code, and what becomes of an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from gateway.cli.output import Output
from gateway.model.errors import CapabilityMissing, ConfigurationError, GatewayError, UnusableFile

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.settings import Settings

ACTOR: Final = "command line"
"""Who is told to have done what a command does."""

T = TypeVar("T")


class Exit(IntEnum):
    """What the program's exit code says."""

    DONE = 0
    WRONG = 1
    """It found something wrong: a check that failed, a pull that is incomplete."""
    MISUSED = 2
    """It was called or set up wrongly, or given a wrong file."""
    UNREACHABLE = 3
    """A market or the database cannot be reached."""
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Globals:
    """Options that stand before the command; None: the setting decides."""

    data_directory: Path | None = None


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]


def execute(
    context: typer.Context, *, as_json: bool, work: Callable[[Output, Settings], Coroutine[Any, Any, Exit]]
) -> None:
    """Runs a command's work and ends the command with its exit code; an error of ours is told in one line."""
    output = Output(as_json=as_json)
    try:
        code = asyncio.run(work(output, settings_of(context)))
    except GatewayError as error:
        output.fail(error)
        code = exit_code(error)
    except KeyboardInterrupt:
        output.note("interrupted")
        code = Exit.INTERRUPTED
    raise typer.Exit(code)


async def asked(settings: Settings, question: Callable[[Application, AsyncConnection], Awaitable[T]]) -> T:
    """The answer to one question of the catalogue."""
    from gateway.app import running

    async with running(settings) as gateway, gateway.database.transaction() as connection:
        return await question(gateway, connection)


def settings_of(context: typer.Context) -> Settings:
    """The settings of this process, with the options before the command. Raises ConfigurationError."""
    from gateway.settings import read_settings

    settings = read_settings()
    chosen: Globals = context.find_object(Globals) or Globals()
    if chosen.data_directory is None:
        return settings
    return settings.model_copy(update={"data_directory": chosen.data_directory.absolute()})


def exit_code(error: GatewayError) -> Exit:
    """The exit code that an error ends the program with."""
    from gateway.kit.errors import AccessDenied, NotSent, Unavailable
    from gateway.store.database import DatabaseUnreachable

    if isinstance(error, DatabaseUnreachable | NotSent | Unavailable | AccessDenied):
        return Exit.UNREACHABLE
    if isinstance(error, ConfigurationError | UnusableFile | CapabilityMissing):
        return Exit.MISUSED
    return Exit.WRONG
