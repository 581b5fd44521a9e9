"""``listings`` and ``offers``: what could be sold, what is, and what the home venue is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import ACTOR, Exit, JsonOption, asked, execute, exit_code
from gateway.cli.output import Column, Output, error_document, keyed, said, shown
from gateway.model.errors import ConfigurationError, GatewayError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.offers.admission import Decision
    from gateway.offers.operation import Decided, InStep
    from gateway.offers.publishing import Published
    from gateway.settings import Settings

LIMIT: Final = 50
ROWS_LIMIT: Final = 10_000
INVENTORY_WHY: Final = 5
"""How many classes of the registries' inventory are explained when somebody asks why; they are all refused alike."""

LimitOption = Annotated[int, typer.Option(min=1, max=ROWS_LIMIT, help="How many rows to show.")]


def price_of(row: Mapping[str, Any]) -> str:
    """A row's price as people write it."""
    return quoted(row["price"], row["currency"]).removeprefix(" at ")


def quoted(price: int | None, currency: str | None) -> str:
    """A price as part of a sentence: `` at USD 12.50``; nothing where there is none."""
    from gateway.model.records import PRICE_SCALE

    if price is None or currency is None:
        return ""
    whole, rest = divmod(price, 10**PRICE_SCALE)
    return f" at {currency} {whole:,}.{f'{rest:0{PRICE_SCALE}d}'.rstrip('0').ljust(2, '0')}"


def name_of(row: Mapping[str, Any]) -> str:
    """An offer's name, with the source's own beside it where there is one: ``CCER 1 / 造林碳汇项目``."""
    return " / ".join(said(name) for name in (row["name"], row["name_native"]) if name)


AT_VENUE: Final = {"put": "offered", "halt": "halted", "withdraw": "withdrawn"}
"""What the venue does with an offer, for what it was told."""

_SEEN_AS: Final = {"holding": "ours", "listing": "listed", "inventory": "shown"}


def _account(row: Mapping[str, Any]) -> str | None:
    """Where units of ours are: the same ones may be told twice, as a venue's position and as a deposit made of it."""
    return row["reference"] if row["seen_as"] == "ours" else None


LISTING_COLUMNS: Final = (
    Column("Market, account", lambda row: (row["market"], _account(row)), "stacked"),
    Column("Class, name", lambda row: (row["class_id"], row["project_name"]), "stacked"),
    keyed("Units", "quantity", "number"),
    Column("Price", price_of, "number"),
    keyed("Seen as", "seen_as", "short"),
    Column("State", lambda row: row["state_native"] or row["state"], "folded"),
)
OFFER_COLUMNS: Final = (
    Column("Offer, class", lambda row: (row["offer_id"], row["class_id"]), "stacked"),
    Column("Name", name_of, "folded", 18),
    keyed("Units", "quantity", "number"),
    Column("Price", price_of, "number"),
    Column("Kind", lambda row: "firm" if row["firm"] else "indicative", "short"),
    Column("At the venue", lambda row: AT_VENUE[row["action"]], "folded", len("withdrawn")),
)


def listings(
    context: typer.Context,
    market: Annotated[str | None, typer.Option(help="Only of this market.")] = None,
    inventory: Annotated[bool, typer.Option(help="Also the registries' public inventory, by class.")] = False,
    limit: LimitOption = LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Show unified listings: our own units, what venues list, and what registries show."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.offers.candidates import seen

        async def find(gateway: Application, connection: AsyncConnection) -> list[dict[str, Any]]:
            if market is not None:
                gateway.manifest(market)
            found = await seen(connection, gateway.markets(), inventory=ROWS_LIMIT if inventory else 0)
            return [_listing_row(one) for one in found.candidates if market in {None, one.market}]

        rows = await asked(settings, find)
        output.document({"rows": rows[:limit], "total": len(rows)})
        show_listings(output, rows[:limit], len(rows))
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


def offers(
    context: typer.Context,
    why: Annotated[bool, typer.Option(help="Show for each candidate which rule admitted or refused it.")] = False,
    publish: Annotated[bool, typer.Option(help="Tell the home venue what changed.")] = False,
    limit: LimitOption = LIMIT,
    as_json: JsonOption = False,
) -> None:
    """Show what the home venue offers of ours, and why it does not offer the rest.

    With --publish exit code 1 when the venue refused an offer or cannot say what became of a publication, 3 when it
    cannot be reached.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        async with running(settings) as gateway:
            code = Exit.DONE
            if publish:
                step = await told_venue(gateway)
                tell_published(output, step)
                code = _exit_of(step.published)
            rows, made = await _offers(gateway, INVENTORY_WHY if why else 0)
        decisions = [decision_row(one) for one in made.decisions] if why else []
        output.document({"policy": made.version.version, "rows": rows[:limit], "total": len(rows), "why": decisions})
        show_offers(output, rows[:limit], len(rows))
        if why:
            tell_why(output, made, limit)
        return code

    execute(context, as_json=as_json, work=work)


async def told_venue(gateway: Application, settings: Mapping[str, Any] | None = None) -> InStep:
    """Tells the home venue what changed. Raises ConfigurationError where none is installed or configured."""
    from gateway.app import new_id
    from gateway.offers.operation import Step, keep_in_step
    from gateway.offers.policy import Policy

    home = gateway.home_venue()
    if home is None:
        raise ConfigurationError("no home venue is installed, so there is nowhere to offer anything")
    if settings is None:
        gateway.require_addresses(home.name)
    async with gateway.link(home.name, settings) as market:
        return await keep_in_step(
            Step(
                gateway.database,
                gateway.markets(),
                market,
                Policy.of_package(home.mappings),
                actor=ACTOR,
                now=gateway.clock,
                new_id=lambda: new_id("PB"),
            )
        )


def tell_published(output: Output, step: InStep) -> None:
    """Tells what the home venue was told, and what it answered."""
    published = step.published
    for entry in published.accepted:
        what = f"{'firm' if entry.firm else 'indicative'}, {entry.quantity:,} units" + quoted(
            entry.price, entry.currency
        )
        verb = AT_VENUE[entry.action.value]
        why = f": {entry.reason}" if entry.reason else f": {what}"
        output.say(f"  {entry.class_id} {verb}{why}")
    for entry, code, message in published.refused:
        output.say(f"  {entry.class_id} refused by the venue: {message} [{code}]")
    for code, message in published.rejected:
        output.say(f"  the venue refused a publication as a whole: {message} [{code}]")
    if published.in_doubt:
        output.say(f"  the venue cannot say yet what became of publication {published.in_doubt}; ask again later")
    if not (published.accepted or published.refused or published.rejected or published.in_doubt):
        output.say("offers: nothing changed")


def published_document(step: InStep) -> dict[str, Any]:
    """What the home venue was told and answered, as one JSON object."""
    return {
        "accepted": [entry.model_dump(mode="json") for entry in step.published.accepted],
        "refused": [
            {"entry": entry.model_dump(mode="json"), "code": code, "message": message}
            for entry, code, message in step.published.refused
        ],
        "rejected": [{"code": code, "message": message} for code, message in step.published.rejected],
        "in_doubt": step.published.in_doubt,
    }


def tell_why(output: Output, made: Decided, limit: int) -> None:
    """Tells for each candidate which rules admitted or refused it."""
    output.heading(f"Candidates under admission policy {made.version.version}")
    for one in made.decisions[:limit]:
        row = decision_row(one)
        named = f" ({said(row['project_name'])})" if row["project_name"] else ""
        output.say(f"{row['verdict']:<10} {row['market']} {row['origin']}: {row['class_id']}{named}")
        for verdict in row["rules"]:
            mark = "+" if verdict["admitted"] else "-"
            output.say(f"    {mark} {verdict['rule']}: {verdict['words']}")
        if row["halted"]:
            output.say(f"    ! {row['halted']}")
    output.say(shown(min(limit, len(made.decisions)), len(made.decisions), "candidates"))


def decision_row(one: Decision) -> dict[str, Any]:
    """A decision as a row."""
    verdict = "refused" if not one.admitted else "halted" if one.halted else "firm" if one.firm else "indicative"
    return _listing_row(one.candidate) | {
        "verdict": verdict,
        "halted": one.halted,
        "rules": [{"rule": two.rule, "admitted": two.admitted, "words": two.words} for two in one.verdicts],
    }


async def tell_home_venue(gateway: Application, output: Output) -> tuple[Exit, dict[str, Any] | None]:
    """Brings the home venue in step and tells of it, where it is configured; an error of ours is told and returned.

    What the venue was told and answered is one JSON object, ``{"error": …}`` where it was not told.
    """
    home = gateway.home_venue()
    if home is None or not gateway.is_configured(home.name):
        return Exit.DONE, None
    try:
        step = await told_venue(gateway)
    except GatewayError as error:
        output.note(f"error: {error}")
        return exit_code(error), {"error": error_document(error)}
    tell_published(output, step)
    return _exit_of(step.published), published_document(step)


def _exit_of(published: Published) -> Exit:
    return Exit.WRONG if published.refused or published.rejected or published.in_doubt else Exit.DONE


def show_listings(output: Output, rows: Sequence[dict[str, Any]], total: int) -> None:
    """Shows some of all listings to a person."""
    if rows:
        output.table(LISTING_COLUMNS, rows, dense=True)
    output.say(shown(len(rows), total, "listings"))


def show_offers(output: Output, rows: Sequence[dict[str, Any]], total: int) -> None:
    """Shows some of all offers to a person, and why those that do not stand are stopped."""
    if rows:
        output.table(OFFER_COLUMNS, rows, dense=True)
    output.say(shown(len(rows), total, "offers"))
    for row in rows:
        if row["reason"]:
            output.say(f"  {row['class_id']} {AT_VENUE[row['action']]}: {row['reason']}")


async def _offers(gateway: Application, inventory: int) -> tuple[list[dict[str, Any]], Decided]:
    from gateway.offers.operation import decided
    from gateway.offers.policy import Policy
    from gateway.offers.publishing import shown as shown_offers

    home = gateway.home_venue()
    if home is None:
        raise ConfigurationError("no home venue is installed, so there is no admission policy")
    async with gateway.database.transaction() as connection:
        made = await decided(
            connection,
            gateway.markets(),
            Policy.of_package(home.mappings),
            gateway.clock(),
            home=home,
            inventory=inventory,
        )
        kept = await shown_offers(connection)
    rows = [one.entry.model_dump(mode="json") for one in kept.values() if one.entry.action.value != "withdraw"]
    return sorted(rows, key=lambda row: (not row["firm"], row["class_id"])), made


def _listing_row(one: Any) -> dict[str, Any]:
    return {
        "market": one.market,
        "origin": one.origin.value,
        "reference": one.reference,
        "class_id": one.class_id,
        "programme": one.programme,
        "project_id": one.project_id,
        "project_name": one.project_name,
        "vintage_start": one.vintage_start,
        "vintage_end": one.vintage_end,
        "labels": None if one.labels is None else list(one.labels),
        "deliverable_projects": None if one.deliverable is None else list(one.deliverable),
        "quantity": one.quantity,
        "available": one.available,
        "price": one.price,
        "currency": one.currency,
        "seen_as": _SEEN_AS[one.origin.value],
        "state": one.state,
        "state_native": one.state_native,
    }
