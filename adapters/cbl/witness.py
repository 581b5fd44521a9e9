"""What the market shows before a command, and what the difference afterwards proves.

Deposits and withdrawals keep no id of ours. Before one is sent, what the market shows of its units is noted; afterwards
a complete read is held against the note:

- a **deposit** happened when there are new deposits of the same lots with the same quantities on the same market, and
  no more of them than were ordered;
- a **withdrawal** happened when what was ever withdrawn of the deposit (what it began with, less what is left and what
  was settled) has grown by just the ordered quantity; trading in between does not disturb that. Units that a trade took
  out of the deposit without being settled yet would look withdrawn: the tax lots still have them on the venue, so both
  must have changed alike;
- neither did when nothing of it shows after the processing limit, and the tax lots are as they were. Figures that fit
  neither stay undecided: a person looks.

Transfers and retirements carry our id. For them the note says which instrument a lot belongs to, which the market asks
for beside the lot, and since when to look for them.

This is proof only while no other command could leave the same trace: the core has one such command open at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from adapters.cbl.rows import PARTS
from adapters.cbl.states import DEPOSIT, RELEASE, state_of, together
from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.model.commands import CommandState, Lot, Transfer
from gateway.model.errors import InvariantViolation

PROCESSING_LIMIT: Final = timedelta(minutes=15)
"""How long a command may take. The market states none; after this the stand-in has dropped or done it."""

Count = Annotated[int, Field(ge=0)]


class Seen(BaseModel):
    """What the market showed of one lot of an order.

    Attributes:
        program: the programme's code; ``ein`` the instrument's number.
        name: of the tax lot; of a deposit, of the lot it came from.
        available: units of it that were free.
        held: of a tax lot, all of it; None for a deposit.
        withdrawn: of a deposit, what was ever withdrawn of it; None for a tax lot.
        reserved: of a deposit, by how much the lots of its name are on the venue beyond what their deposits have left;
            None for a tax lot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    program: str
    ein: str
    name: str
    available: Count
    held: Count | None = None
    withdrawn: Count | None = None
    reserved: int | None = None


class Witness(BaseModel):
    """What the market showed before a command: when, of which lots, and which deposits there were."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    lots: dict[str, Seen]
    deposits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deposit:
    """A deposit as the market shows it. ``quantity`` is what it began with; ``market`` is there where it is told."""

    identifier: str
    market: str | None
    program: str
    ein: str
    lot_name: str
    quantity: int
    available: int
    settled: int
    status: str

    @property
    def withdrawn(self) -> int:
        """What was ever withdrawn of it."""
        return self.quantity - self.available - self.settled


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures prove of a command.

    Attributes:
        state: of it.
        native_state: the market's word, where it has one.
        reference: the market's ids of it.
        lots: the units that moved, by the ids that they have now.
    """

    state: CommandState
    native_state: str | None = None
    reference: str | None = None
    lots: tuple[Lot, ...] = ()


def read_witness(text: str | None) -> Witness | None:
    """A stored note. Raises InvariantViolation when it is not one of ours."""
    if text is None:
        return None
    try:
        return Witness.model_validate_json(text)
    except ValidationError as error:
        raise InvariantViolation(f"found a witness that is no note of this adapter: {error}") from error


def bear(orders: Sequence[Lot], report: Json, deposits: Sequence[Deposit], at: datetime) -> Witness:
    """The note about the lots of an order, from the tax lot report and the deposits.

    A lot that the market does not show is not in it. Raises Undecodable when the report is not what it should be, or
    when one id names a tax lot and a deposit.
    """
    shown, on_venue = _tax_lots(report)
    placed = {one.identifier: one for one in deposits}
    both = shown.keys() & placed.keys() & {lot.holding for lot in orders}
    if both:
        raise Undecodable(f"{', '.join(sorted(both))} names a tax lot and a deposit, so it names nothing")
    shown |= {
        one.identifier: Seen(
            program=one.program,
            ein=one.ein,
            name=one.lot_name,
            available=one.available,
            withdrawn=one.withdrawn,
            reserved=_reserved(one.ein, one.lot_name, on_venue, deposits),
        )
        for one in deposits
    }
    lots = {lot.holding: shown[lot.holding] for lot in orders if lot.holding in shown}
    instruments = {one.ein for one in lots.values()}
    return Witness(
        at=at, lots=lots, deposits=tuple(sorted(one.identifier for one in deposits if one.ein in instruments))
    )


def deposits_of(document: Json) -> tuple[Deposit, ...]:
    """The deposits of a search. Raises Undecodable when one is not what it should be."""
    return tuple(_deposit(members(one, "a deposit")) for one in elements(document, "the deposits"))


def earmark_verdict(
    order: Transfer, witness: Witness, deposits: Sequence[Deposit], report: Json, now: datetime
) -> Verdict:
    """What became of a deposit; ``counter_account`` of the order is the market that it was for.

    Raises Undecodable when the report or a deposit's state is not what it should be.
    """
    shown, _ = _tax_lots(report)
    lots = order.lots
    unknown = {lot.holding for lot in lots} - witness.lots.keys()
    if unknown:
        return Verdict(_absent(witness, now) if unknown.isdisjoint(shown) else CommandState.UNDECIDED)
    wanted = Counter((seen.ein, seen.name, lot.quantity) for lot in lots for seen in [witness.lots[lot.holding]])
    found = [
        one
        for one in deposits
        if one.identifier not in witness.deposits
        and (one.ein, one.lot_name, one.quantity) in wanted
        and one.market in {None, order.counter_account}
    ]
    if not found:
        return Verdict(_absent(witness, now) if _untouched(lots, witness, shown) else CommandState.UNDECIDED)
    # More than were ordered, or fewer: whose they are is not to be told. So it is where another lot has the same name.
    if Counter((one.ein, one.lot_name, one.quantity) for one in found) != wanted or not _told_apart(
        lots, witness, shown
    ):
        return Verdict(CommandState.UNDECIDED)
    return Verdict(
        together([state_of(DEPOSIT, one.status, "the state of a deposit") for one in found]),
        ", ".join(sorted({one.status for one in found})),
        ",".join(one.identifier for one in found),
        tuple(Lot(holding=one.identifier, quantity=one.quantity) for one in found),
    )


def release_verdict(
    lots: Sequence[Lot], witness: Witness, deposits: Sequence[Deposit], report: Json, now: datetime
) -> Verdict:
    """What became of a withdrawal.

    Raises Undecodable when the report or a deposit's state is not what it should be.
    """
    ordered: Counter[str] = Counter()
    for lot in lots:
        ordered[lot.holding] += lot.quantity
    there = {one.identifier: one for one in deposits if one.identifier in ordered}
    unknown = ordered.keys() - witness.lots.keys()
    if unknown:
        return Verdict(_absent(witness, now) if unknown.isdisjoint(there) else CommandState.UNDECIDED)
    before = {name: witness.lots[name].withdrawn for name in ordered}
    if not there.keys() >= ordered.keys() or None in before.values():
        return Verdict(CommandState.UNDECIDED)
    _, on_venue = _tax_lots(report)
    reserved = {name: _reserved(one.ein, one.lot_name, on_venue, deposits) for name, one in there.items()}
    if any(reserved[name] != witness.lots[name].reserved for name in ordered):
        return Verdict(CommandState.UNDECIDED)
    grown = {name: there[name].withdrawn - (before[name] or 0) for name in ordered}
    if not any(grown.values()):
        return Verdict(_absent(witness, now))
    if grown != dict(ordered):
        return Verdict(CommandState.UNDECIDED)
    return Verdict(
        together([state_of(RELEASE, there[name].status, "the state of a deposit") for name in ordered]),
        ", ".join(sorted({there[name].status for name in ordered})),
        ",".join(ordered),
        tuple(Lot(holding=name, quantity=quantity) for name, quantity in ordered.items()),
    )


def absent(witness: Witness | None, now: datetime) -> CommandState:
    """What it means that nothing of a command shows: not there, or not there yet."""
    return CommandState.UNDECIDED if witness is None else _absent(witness, now)


def _absent(witness: Witness, now: datetime) -> CommandState:
    return CommandState.NOT_FOUND if now - witness.at >= PROCESSING_LIMIT else CommandState.UNDECIDED


def _untouched(lots: Sequence[Lot], witness: Witness, shown: Mapping[str, Seen]) -> bool:
    """Whether each lot has at least as many units as before, and as many free; one that was traded away left fewer."""
    pairs = [(shown.get(lot.holding), witness.lots[lot.holding]) for lot in lots]
    return all(
        now is not None and now.available >= before.available and (now.held or 0) >= (before.held or 0)
        for now, before in pairs
    )


def _told_apart(lots: Sequence[Lot], witness: Witness, shown: Mapping[str, Seen]) -> bool:
    """Whether a deposit that names a lot by its name alone is of that lot.

    It is where no other lot of the instrument has this name, or where just so many units of the lot are free no more.
    """
    named = Counter((one.ein, one.name) for one in shown.values())
    for lot in lots:
        before, now = witness.lots[lot.holding], shown.get(lot.holding)
        others = named[before.ein, before.name] - (now is not None)
        if others and before.available - (0 if now is None else now.available) != lot.quantity:
            return False
    return True


def _reserved(ein: str, lot_name: str, on_venue: Counter[tuple[str, str]], deposits: Sequence[Deposit]) -> int:
    left = sum(one.available for one in deposits if (one.ein, one.lot_name) == (ein, lot_name))
    return on_venue[ein, lot_name] - left


def _tax_lots(report: Json) -> tuple[dict[str, Seen], Counter[tuple[str, str]]]:
    """The tax lots by their ids, and by instrument and name how many of their units are on a venue."""
    shown: dict[str, Seen] = {}
    on_venue: Counter[tuple[str, str]] = Counter()
    for element in elements(members(report, "the report").get("content"), "content"):
        position = members(element, "a position")
        instrument = members(position.get("instrument"), "its instrument")
        for one in elements(position.get("taxLots"), "its tax lots"):
            lot = members(one, "a tax lot")
            name = _text(lot, "id", "a tax lot")
            if name in shown:
                raise Undecodable(f"the tax lot {name} stands twice in the report")
            parts = [whole_number(lot.get(part), part) for part in PARTS]
            shown[name] = seen = Seen(
                program=_text(instrument, "program", "an instrument"),
                ein=_text(instrument, "ein", "an instrument"),
                name=_text(lot, "name", "a tax lot"),
                available=parts[0],
                held=sum(parts),
            )
            on_venue[seen.ein, seen.name] += parts[1]
    return shown, on_venue


def _deposit(told: dict[str, Json]) -> Deposit:
    instrument = members(told.get("instrument"), "its instrument")
    place = told.get("depositMarket")
    market = None if place is None else members(members(place, "its place").get("market"), "its market")
    deposit = Deposit(
        identifier=_text(told, "depositIdentifier", "a deposit"),
        market=None if market is None else _text(market, "apiCode", "its market"),
        program=_text(instrument, "program", "an instrument"),
        ein=_text(instrument, "ein", "an instrument"),
        lot_name=_text(members(told.get("taxLot"), "its tax lot"), "name", "a tax lot"),
        quantity=whole_number(told.get("quantity"), "quantity"),
        available=whole_number(told.get("availableQuantity"), "availableQuantity"),
        settled=whole_number(told.get("settledQuantity"), "settledQuantity"),
        status=_text(told, "status", "a deposit"),
    )
    if deposit.withdrawn < 0:
        raise Undecodable(f"the deposit {deposit.identifier} has more left and settled than it began with")
    return deposit


def _text(told: dict[str, Json], key: str, what: str) -> str:
    found = told.get(key)
    if not isinstance(found, str) or not found:
        raise Undecodable(f"{what} has no text under {key}")
    return found
