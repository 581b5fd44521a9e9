"""What happens in the demonstration after everything was read and offered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.offering import AT_VENUE, tell_published, told_venue
from gateway.cli.output import Output
from gateway.cli.synchronisation import change_rows, pull_all
from gateway.model.errors import GatewayError

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.cli.stand_ins import StandIns
    from gateway.cli.synchronisation import Pulled
    from gateway.model.commands import OfferEntry
    from gateway.offers.operation import InStep

OMNIBUS: Final = "HKCV Omnibus"
"""The name of the home venue's omnibus account at every stand-in."""

DOWN: Final = "cbl"
Require = Callable[[bool, str], None]


async def restrict_and_lift(
    gateway: Application, stand_ins: StandIns, output: Output, require: Require, step: InStep
) -> OfferEntry | None:
    """Restricts a firm offer live, and lifts the restriction; the venue's own book is looked at."""
    from gateway.controls.restrictions import Scope, lift, place

    home = gateway.home_venue()
    entry = next((one for one in step.entries.values() if one.firm), None)
    require(entry is not None, "no offer is firm")
    if entry is None or home is None:
        return None
    output.heading(f"An operator restricts {entry.offer_id}, live")
    scope = Scope.parse(f"offer:{entry.offer_id}")
    book: Any = stand_ins.mocks[home.name].book  # type: ignore[attr-defined]
    acts = ((place, "title of a parcel under review", "HALT"), (lift, "reviewed, in order", "PUT"))
    for verb, reason, shows in acts:
        async with gateway.database.transaction() as connection:
            await verb(connection, scope, reason=reason, by="the demonstration")
        told = await told_venue(gateway, stand_ins.settings[home.name])
        tell_published(output, told)
        require(len(told.published.accepted) == 1, f"the venue was not told of {verb.__name__} alone")
        require(book.offers[entry.offer_id].entry.action == shows, f"the venue does not show the {verb.__name__}")
    return entry


async def hold_behind_our_back(
    gateway: Application, stand_ins: StandIns, output: Output, require: Require
) -> dict[str, Any]:
    """The registry puts units of ours on hold; the next reading tells, and the offer follows in the same sync."""
    home = gateway.home_venue()
    assert home is not None
    book: Any = stand_ins.mocks["verra"].book  # type: ignore[attr-defined]
    ours = [one for one in book.holdings.values() if one.account.name == OMNIBUS and _free(one)]
    held = max(ours, key=lambda one: one.quantity)
    output.heading(f"Verra puts {held.quantity:,} of our units of project {held.batch.project.number} on hold")
    book.put_on_hold(held.entity_id, "Under review by the registry")
    try:
        sentences = await _read(gateway, stand_ins, output, "verra")
        step = await told_venue(gateway, stand_ins.settings[home.name])
        tell_published(output, step)
        require(bool(step.published.accepted), "the offer did not follow its units")
    finally:
        # The next run finds the book as it was.
        book.lift_hold(held.entity_id)
    sentences += await _read(gateway, stand_ins, output, "verra")
    tell_published(output, await told_venue(gateway, stand_ins.settings[home.name]))
    return {"project": str(held.batch.project.number), "units": held.quantity, "changes": sentences}


def _free(block: Any) -> bool:
    return (
        block.hold is None and block.locked is None and not block.buffer and block.batch.project.status == "Registered"
    )


async def outage(gateway: Application, stand_ins: StandIns, output: Output, require: Require) -> dict[str, Any]:
    """One market goes down while all are being read, when a feed of it has come, and comes back.

    What it had told by then is kept as seen; nothing is missed for what it had not. The others do not notice.
    """
    output.heading(f"{DOWN} goes down while all markets are read")

    def cut(market: str, feed: str, done: int, total: int) -> None:  # noqa: ARG001 - as all progress is told
        if market == DOWN and done:
            stand_ins.down(DOWN)

    try:
        pulls = await pull_all(gateway, list(stand_ins.mocks), output, stand_ins.settings, cut)
    finally:
        stand_ins.up(DOWN)
    lost = {name: words for name, words in ((name, _lost(one)) for name, one in pulls.items()) if words}
    for name, words in lost.items():
        output.say(f"{name} was not read whole")
        for line in words:
            output.say(f"  {line}")
    read = sorted(pulls.keys() - lost.keys())
    output.say(f"the others were read whole: {', '.join(read)}")
    require(list(lost) == [DOWN], f"expected {DOWN} alone to be lost, found {', '.join(lost) or 'none'}")
    output.say(f"offers: {await _told_anew(gateway, stand_ins)}")
    output.heading(f"{DOWN} comes back")
    again = (await pull_all(gateway, [DOWN], output, stand_ins.settings))[DOWN]
    still = _lost(again)
    require(not still, f"{DOWN} could not be read whole after it came back")
    output.say(f"{DOWN}: {'; '.join(still) or 'complete'}")
    output.say(f"offers: {await _told_anew(gateway, stand_ins)}")
    return {"lost": lost, "read": read, "came_back": not still}


def _lost(one: Pulled | GatewayError) -> list[str]:
    """Why a market was not read whole; nothing where it was."""
    if isinstance(one, GatewayError):
        return [f"not reached: {one}"]
    return [f"{feed.feed}: {fault}" for feed in one.synced.feeds for fault in feed.faults]


async def _told_anew(gateway: Application, stand_ins: StandIns) -> str:
    """Brings the venue in step, and says in figures what it was told: the last word on each offer."""
    home = gateway.home_venue()
    assert home is not None
    step = await told_venue(gateway, stand_ins.settings[home.name])
    last = {one.offer_id: AT_VENUE[one.action.value] for one in step.published.accepted}
    counts = Counter(last.values())
    return ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing changed"


async def _read(gateway: Application, stand_ins: StandIns, output: Output, name: str) -> list[str]:
    one = (await pull_all(gateway, [name], output, stand_ins.settings))[name]
    if isinstance(one, GatewayError):
        raise one
    sentences = [row["sentence"] for row in change_rows(one.programme, one.changes.rows)]
    for sentence in sentences:
        output.say(f"  {sentence}")
    return sentences
