"""``restrict``, ``lift`` and ``restrictions``: what is not to be offered for now, and what that touches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, asked, execute
from gateway.cli.offering import LIMIT, LimitOption, tell_home_venue
from gateway.cli.output import Output, counted, error_document, keyed, shown
from gateway.model.controls import ScopeKind
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.app import Application
    from gateway.controls.reach import Reach
    from gateway.controls.restrictions import AlreadyRestricted, Names, Scope
    from gateway.model.commands import OfferEntry
    from gateway.settings import Settings

AsOption = Annotated[str, typer.Option("--as", help="Who does it.")]
ReasonOption = Annotated[str, typer.Option(help="Why.")]
ScopeArgument = Annotated[
    str, typer.Argument(help="all, market:…, programme:…, project:…, class:…, offer:… or account:…")
]

RESTRICTION_COLUMNS: Final = (
    keyed("Scope", "scope", "folded"),
    keyed("Reason", "reason", "folded"),
    keyed("By", "placed_by", "short"),
    keyed("Since", "placed_at", "short"),
    keyed("Lifted", "lifted_at", "short"),
    keyed("Lifted by", "lifted_by", "short"),
)


def restrict(
    context: typer.Context,
    scope: ScopeArgument,
    reason: ReasonOption,
    by: AsOption,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where it touches nothing that is known: for what is still to come.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop offering something, at once: the home venue is told before this command ends.

    Exit code 2 when nothing that is known is touched, and when the same is restricted already; then the home venue is
    told all the same what it may not know yet.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.controls.restrictions import AlreadyRestricted, Scope, place

        wanted = Scope.parse(scope)
        async with running(settings) as gateway:
            if wanted.kind is ScopeKind.MARKET:
                gateway.manifest(wanted.value)
            try:
                async with gateway.database.transaction() as connection:
                    one = await place(connection, wanted, reason=reason, by=by)
                    touched = await _touched(gateway, connection, wanted, anyway=anyway)
            except AlreadyRestricted as error:
                return await _tell_anew(gateway, output, error)
            output.say(f"{wanted} is restricted: {reason}")
            output.say(f"it touches {_words(touched)}")
            code, told = await _tell_venue(gateway, output)
        reach = {"candidates": touched.candidates, "offers": touched.offers}
        output.document({"id": one.id, "scope": str(wanted), "reason": reason, "by": by, "touches": reach} | told)
        return code

    execute(context, as_json=as_json, work=work)


def lift(
    context: typer.Context, scope: ScopeArgument, reason: ReasonOption, by: AsOption, as_json: JsonOption = False
) -> None:
    """Lift a restriction; the home venue is told before this command ends."""

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running
        from gateway.controls.restrictions import Scope, lift

        wanted = Scope.parse(scope)
        async with running(settings) as gateway:
            async with gateway.database.transaction() as connection:
                one = await lift(connection, wanted, reason=reason, by=by)
            output.say(f"{wanted} is not restricted any more: {reason}")
            code, told = await _tell_venue(gateway, output)
        output.document({"id": one.id, "scope": str(wanted), "reason": reason, "by": by} | told)
        return code

    execute(context, as_json=as_json, work=work)


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
        if rows:
            output.table(RESTRICTION_COLUMNS, rows, dense=True)
        output.say(shown(len(rows), total, "restrictions"))
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


async def _touched(gateway: Application, connection: AsyncConnection, scope: Scope, *, anyway: bool) -> Reach:
    """What a scope touches. Raises ConfigurationError where that is nothing, unless it is meant so."""
    from gateway.controls.reach import miss, reach
    from gateway.model.commands import OfferAction
    from gateway.offers.candidates import seen
    from gateway.offers.identity import names
    from gateway.offers.operation import INVENTORY_LIMIT
    from gateway.offers.publishing import shown as shown_offers

    found = await seen(connection, gateway.markets(), inventory=INVENTORY_LIMIT)
    candidates = [names(one) for one in found.candidates]
    entries = [one.entry for one in (await shown_offers(connection)).values()]
    offers = [_offer_names(one) for one in entries if one.action is not OfferAction.WITHDRAW]
    touched = reach(scope, candidates, offers)
    # "all" cannot be misspelt, and whoever stops everything is in a hurry.
    if touched.is_nothing and scope.kind is not ScopeKind.ALL and not anyway:
        raise ConfigurationError(
            f"{miss(scope, [*candidates, *offers])}; nothing was restricted; give --anyway if it is meant for what is "
            "still to come"
        )
    return touched


def _offer_names(entry: OfferEntry) -> Names:
    return {
        ScopeKind.PROGRAMME: (entry.programme,),
        ScopeKind.PROJECT: (f"{entry.programme}-{entry.project_id}",),
        ScopeKind.CLASS: (entry.class_id,),
        ScopeKind.OFFER: (entry.offer_id,),
    }


def _words(touched: Reach) -> str:
    if touched.is_nothing:
        return "nothing that is known now"
    return f"{counted(touched.candidates, 'candidate')} and {counted(touched.offers, 'offer')} at the home venue"


async def _tell_anew(gateway: Application, output: Output, error: AlreadyRestricted) -> Exit:
    """Says that a restriction is there, and tells the venue of it, which may not have been reached before."""
    output.note(f"error: {error}")
    code, told = await _tell_venue(gateway, output)
    output.document({"error": error_document(error)} | told)
    return max(Exit.MISUSED, code)


async def _tell_venue(gateway: Application, output: Output) -> tuple[Exit, dict[str, Any]]:
    """Tells the home venue at once; says where it was not told. The second is a part of the command's document."""
    code, told = await tell_home_venue(gateway, output)
    if told is None:
        output.say("the home venue is not configured, so it was not told")
    elif "error" in told:
        output.note("the home venue was not told; the next 'carbon-gateway sync' or 'offers --publish' tells it")
    return code, {"told_venue": told is not None and "error" not in told, "offers": told}
