"""Questions to the catalogue: projects, credit classes, blocks and changes, each a bounded list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, asked, execute
from gateway.cli.output import Column, Output, keyed, said, shown
from gateway.cli.synchronisation import change_rows
from gateway.model.errors import ConfigurationError
from gateway.model.vocabulary import UnitState

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.catalogue.queries import Answer, BlockFilter
    from gateway.settings import Settings

MarketOption = Annotated[str | None, typer.Option(help="Only this market.")]
ProjectOption = Annotated[str | None, typer.Option(help="Only this project, by its registry's id.")]
VintageOption = Annotated[int | None, typer.Option(min=1, max=9999, help="A year that the vintage touches.")]
StateOption = Annotated[str | None, typer.Option(help=f"One of {', '.join(UnitState)}.")]
CountryOption = Annotated[str | None, typer.Option(help="An ISO code, or the registry's own word.")]
LabelOption = Annotated[str | None, typer.Option(help="One label, as in CORSIA-PILOT-ELIGIBLE.")]
DEFAULT_LIMIT: Final = 50
LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="How many rows at most.")]


def _vintage(row: Mapping[str, Any]) -> str:
    """A whole year as the year, any other period by its two days."""
    start, end = row["vintage_start"], row["vintage_end"]
    if start.year == end.year and (start.month, start.day, end.month, end.day) == (1, 1, 12, 31):
        return str(start.year)
    return f"{said(start)} {said(end)}"


PROJECT_COLUMNS: Final = (
    keyed("Market", "market", "short"),
    keyed("Project", "project_id", "short"),
    keyed("Name", "name"),
    Column("State", lambda row: row["state_native"] or row["state"]),
    Column("Country", lambda row: row["country"] or row["country_native"], "short"),
    keyed("Registered", "registered_on", "short"),
    keyed("Units a year", "estimated_annual_units", "number"),
)
CLASS_COLUMNS: Final = (
    keyed("Credit class", "class_id", "folded"),
    keyed("Project", "project_name"),
    Column("Country", lambda row: row["country"], "short"),
    keyed("Blocks", "blocks", "number"),
    keyed("Active", "active", "number"),
    keyed("Buffer", "buffer", "number"),
    keyed("Ended", "ended", "number"),
)
BLOCK_COLUMNS: Final = (
    keyed("Serial", "serial", "folded"),
    keyed("Units", "quantity", "number"),
    Column("Vintage", _vintage, "folded", len("2026-12-31")),
    Column("State", lambda row: "buffer" if row["buffer"] else row["state"], "folded"),
    Column("Country", lambda row: row["country"] or row["country_native"], "short"),
    keyed("Labels", "labels", "folded", len("CORSIA-FIRST-SCOPE")),
)
CHANGE_COLUMNS: Final = (keyed("Told", "recorded_at", "short"), keyed("Change", "sentence", "folded"))

Question = Callable[["Application", "AsyncConnection"], Awaitable["Answer"]]


def projects(
    context: typer.Context,
    market: MarketOption = None,
    state: Annotated[str | None, typer.Option(help="Our word for the state, or the registry's own.")] = None,
    country: CountryOption = None,
    text: Annotated[str | None, typer.Option(help="A part of the name or the proponent, or a project's id.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
    as_json: JsonOption = False,
) -> None:
    """List the projects that markets publish."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        from gateway.catalogue import queries

        require_market(gateway, market)
        return await queries.projects(connection, market=market, state=state, country=country, text=text, limit=limit)

    answer(context, as_json, question, PROJECT_COLUMNS, "projects")


def classes(
    context: typer.Context,
    market: MarketOption = None,
    project: ProjectOption = None,
    vintage: VintageOption = None,
    state: StateOption = None,
    country: CountryOption = None,
    label: LabelOption = None,
    limit: LimitOption = DEFAULT_LIMIT,
    as_json: JsonOption = False,
) -> None:
    """List credit classes (what is fungible) with their units, the largest active first."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        from gateway.catalogue import queries

        require_market(gateway, market)
        wanted = _block_filter(market, project, vintage, state, country, label, None)
        return await queries.classes(connection, wanted, limit)

    answer(context, as_json, question, CLASS_COLUMNS, "credit classes")


def blocks(
    context: typer.Context,
    market: MarketOption = None,
    project: ProjectOption = None,
    vintage: VintageOption = None,
    state: StateOption = None,
    country: CountryOption = None,
    label: LabelOption = None,
    class_id: Annotated[str | None, typer.Option("--class", help="Only this credit class.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
    as_json: JsonOption = False,
) -> None:
    """List blocks of units by their serial numbers."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        from gateway.catalogue import queries

        require_market(gateway, market)
        wanted = _block_filter(market, project, vintage, state, country, label, class_id)
        return await queries.blocks(connection, wanted, limit)

    answer(context, as_json, question, BLOCK_COLUMNS, "blocks")


def changes(
    context: typer.Context,
    market: MarketOption = None,
    pull: Annotated[int | None, typer.Option(min=1, max=2_147_483_647, help="Only this pull, by its number.")] = None,
    limit: LimitOption = DEFAULT_LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Tell what the latest pull of each market changed, or one pull by its number."""

    async def question(gateway: Application, connection: AsyncConnection) -> Answer:
        from gateway.catalogue import queries

        require_market(gateway, market)
        rows: list[dict[str, Any]] = []
        total = 0
        for name, number in await _pulls(connection, market, pull):
            found = await queries.changes(connection, pull_number=number, limit=limit)
            # A market whose adapter was removed since is called by its name.
            programme = gateway.manifests[name].programme if name in gateway.manifests else name
            rows += change_rows(programme, found.rows)
            total += found.total
        return queries.Answer(rows[:limit], total)

    answer(context, as_json, question, CHANGE_COLUMNS, "changes")


def answer(context: typer.Context, as_json: bool, question: Question, columns: Sequence[Column], things: str) -> None:
    """Runs a command that asks the catalogue for a list and shows it, with how much of it is shown."""

    async def work(output: Output, settings: Settings) -> Exit:
        found = await asked(settings, question)
        show(output, found, columns, things)
        output.document({"rows": found.rows, "total": found.total})
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


def show(output: Output, found: Answer, columns: Sequence[Column], things: str) -> None:
    """Shows a list to a person."""
    if found.rows:
        output.table(columns, found.rows)
    output.say(shown(len(found.rows), found.total, things))


def require_market(gateway: Application, market: str | None) -> None:
    """Raises ConfigurationError, naming the markets there are, for a market that is none of them."""
    if market is not None:
        gateway.manifest(market)


async def _pulls(connection: AsyncConnection, market: str | None, pull: int | None) -> list[tuple[str, int]]:
    """The pulls that are asked about, by market."""
    from gateway.catalogue import queries

    if pull is not None:
        owner = await queries.market_of_pull(connection, pull)
        if owner is None or market not in {None, owner}:
            raise ConfigurationError(f"there is no pull {pull}" + (f" of market {market}" if market else ""))
        return [(owner, pull)]
    figures = await queries.market_figures(connection)
    latest = [(name, one["last_pull"]["pull"]) for name, one in figures.items() if "last_pull" in one]
    return [(name, number) for name, number in latest if market in {None, name}]


def _block_filter(
    market: str | None,
    project: str | None,
    vintage: int | None,
    state: str | None,
    country: str | None,
    label: str | None,
    class_id: str | None,
) -> BlockFilter:
    from gateway.catalogue.queries import BlockFilter

    if state is not None and state not in set(UnitState):
        raise ConfigurationError(f"no unit state is called {state!r}; there are {', '.join(UnitState)}")
    return BlockFilter(
        market=market,
        project=project,
        vintage=vintage,
        state=None if state is None else UnitState(state),
        country=country,
        label=label,
        class_id=class_id,
    )
