"""``listings``, ``offers``, ``restrict``, ``lift`` and ``restrictions``: what could be sold, what is, what stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
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
    from gateway.settings import Settings

LIMIT: Final = 50
ROWS_LIMIT: Final = 10_000
INVENTORY_WHY: Final = 5
"""How many classes of the registries' inventory are explained when somebody asks why; they are all refused alike."""

LimitOption = Annotated[int, typer.Option(min=1, max=ROWS_LIMIT, help="How many rows to show.")]
AsOption = Annotated[str, typer.Option("--as", help="Who does it.")]
ReasonOption = Annotated[str, typer.Option(help="Why.")]
ScopeArgument = Annotated[
    str, typer.Argument(help="all, market:…, programme:…, project:…, class:…, offer:… or account:…")
]


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


LISTING_COLUMNS: Final = (
    keyed("Market", "market", "short"),
    keyed("What", "class_id", "folded"),
    keyed("Name", "project_name", "text", 24),
    keyed("Units", "quantity", "number"),
    Column("Price", price_of, "number"),
    keyed("", "seen_as", "short"),
    Column("State", lambda row: row["state_native"] or row["state"], "folded", 16),
)
OFFER_COLUMNS: Final = (
    keyed("Offer", "offer_id", "short"),
    keyed("Class", "class_id", "folded"),
    keyed("Units", "quantity", "number"),
    Column("Price", price_of, "number"),
    Column("", lambda row: "firm" if row["firm"] else "indicative", "short"),
    keyed("Venue", "action", "short"),
    keyed("Reason", "reason", "folded"),
)
RESTRICTION_COLUMNS: Final = (
    keyed("Scope", "scope", "folded"),
    keyed("Reason", "reason", "folded"),
    keyed("By", "placed_by", "short"),
    keyed("Since", "placed_at", "short"),
    keyed("Lifted", "lifted_at", "short"),
    keyed("By", "lifted_by", "short"),
)


_SEEN_AS: Final = {"holding": "ours", "listing": "listed", "inventory": "shown"}


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
            found = await seen(connection, gateway.manifests, inventory=ROWS_LIMIT if inventory else 0)
            return [_listing_row(one) for one in found.candidates if market in {None, one.market}]

        rows = await asked(settings, find)
        output.document({"rows": rows[:limit], "total": len(rows)})
        _show(output, LISTING_COLUMNS, rows[:limit], len(rows), "listings")
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
                code = Exit.WRONG if step.published.refused or step.published.in_doubt else Exit.DONE
            rows, made = await _offers(gateway, INVENTORY_WHY if why else 0)
        decisions = [decision_row(one) for one in made.decisions] if why else []
        output.document({"policy": made.version.version, "rows": rows[:limit], "total": len(rows), "why": decisions})
        _show(output, OFFER_COLUMNS, rows[:limit], len(rows), "offers")
        if why:
            tell_why(output, made, limit)
        return code

    execute(context, as_json=as_json, work=work)


def restrict(
    context: typer.Context, scope: ScopeArgument, reason: ReasonOption, by: AsOption, as_json: JsonOption = False
) -> None:
    """Stop offering something, at once: the home venue is told before this command ends."""
    execute(context, as_json=as_json, work=partial(_control, "place", scope, reason, by))


def lift(
    context: typer.Context, scope: ScopeArgument, reason: ReasonOption, by: AsOption, as_json: JsonOption = False
) -> None:
    """Lift a restriction; the home venue is told before this command ends."""
    execute(context, as_json=as_json, work=partial(_control, "lift", scope, reason, by))


def restrictions(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that were lifted.")] = False,
    limit: LimitOption = LIMIT,
    as_json: JsonOption = False,
) -> None:
    """List the restrictions in force."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.controls.restrictions import counted, listed

        async def find(_: Application, connection: AsyncConnection) -> tuple[list[dict[str, Any]], int]:
            rows = await listed(connection, lifted=everything, limit=limit)
            return rows, await counted(connection, lifted=everything)

        rows, total = await asked(settings, find)
        output.document({"rows": rows, "total": total})
        _show(output, RESTRICTION_COLUMNS, rows, total, "restrictions")
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


async def told_venue(gateway: Application, settings: Mapping[str, Any] | None = None) -> InStep:
    """Tells the home venue what changed. Raises ConfigurationError where none is installed or configured."""
    from gateway.app import new_id
    from gateway.offers.operation import keep_in_step
    from gateway.offers.policy import Policy
    from gateway.offers.publishing import Venue

    home = gateway.home_venue()
    if home is None:
        raise ConfigurationError("no home venue is installed, so there is nowhere to offer anything")
    if settings is None:
        gateway.require_addresses(home.name)
    async with gateway.link(home.name, settings) as market:
        return await keep_in_step(
            gateway.database,
            gateway.manifests,
            Policy.of_package(home.mappings),
            Venue(home.name, market.account, market.publishes_offers()),
            now=gateway.clock(),
            actor=ACTOR,
            new_id=lambda: new_id("PB"),
        )


def tell_published(output: Output, step: InStep) -> None:
    """Tells what the home venue was told, and what it answered."""
    published = step.published
    for entry in published.accepted:
        what = f"{'firm' if entry.firm else 'indicative'}, {entry.quantity:,} units" + quoted(
            entry.price, entry.currency
        )
        verb = {"put": "offered", "halt": "halted", "withdraw": "withdrawn"}[entry.action.value]
        why = f": {entry.reason}" if entry.reason else f": {what}"
        output.say(f"  {entry.class_id} {verb}{why}")
    for entry, code, message in published.refused:
        output.say(f"  {entry.class_id} refused by the venue: {message} [{code}]")
    if published.in_doubt:
        output.say(f"  the venue cannot say yet what became of publication {published.in_doubt}; ask again later")
    if not (published.accepted or published.refused or published.in_doubt):
        output.say("offers: nothing changed")


def published_document(step: InStep) -> dict[str, Any]:
    """What the home venue was told and answered, as one JSON object."""
    return {
        "accepted": [entry.model_dump(mode="json") for entry in step.published.accepted],
        "refused": [
            {"entry": entry.model_dump(mode="json"), "code": code, "message": message}
            for entry, code, message in step.published.refused
        ],
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


async def _control(verb: str, scope: str, reason: str, by: str, output: Output, settings: Settings) -> Exit:
    from gateway.app import running
    from gateway.controls.restrictions import Scope, lift, place
    from gateway.model.controls import ScopeKind

    wanted = Scope.parse(scope)
    async with running(settings) as gateway:
        if verb == "place" and wanted.kind is ScopeKind.MARKET:
            # A misspelt market would be restricted without a word, and nothing would be stopped.
            gateway.manifest(wanted.value)
        async with gateway.database.transaction() as connection:
            one = await (place if verb == "place" else lift)(connection, wanted, reason=reason, by=by)
        output.say(f"{wanted} is {'restricted' if verb == 'place' else 'not restricted any more'}: {reason}")
        code, told = await tell_home_venue(gateway, output)
    if told is None:
        output.say("the home venue is not configured, so it was not told")
    elif "error" in told:
        output.note("the home venue was not told; the next 'carbon-gateway sync' or 'offers --publish' tells it")
    output.document(
        {"id": one.id, "scope": str(wanted), "reason": reason, "by": by}
        | {"told_venue": told is not None and "error" not in told, "offers": told}
    )
    return code


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
    wrong = step.published.refused or step.published.in_doubt
    return Exit.WRONG if wrong else Exit.DONE, published_document(step)


def _show(output: Output, columns: Sequence[Column], rows: Sequence[dict[str, Any]], total: int, things: str) -> None:
    if rows:
        output.table(columns, rows)
    output.say(shown(len(rows), total, things))


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
            gateway.manifests,
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
        "labels": list(one.labels),
        "deliverable_projects": None if one.deliverable is None else list(one.deliverable),
        "quantity": one.quantity,
        "available": one.available,
        "price": one.price,
        "currency": one.currency,
        "seen_as": _SEEN_AS[one.origin.value],
        "state": one.state,
        "state_native": one.state_native,
    }
