"""The market's words for how far something has come, and ours.

Connect names the lists (``TRANSFER_STATUS``, ``RETIREMENT_STATUS``, ``DEPOSIT_STATUS``, ``WITHDRAW_STATUS``) without
publishing their words; these are the stand-in's. A word that is not here is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from gateway.kit.decoding import Json, Undecodable
from gateway.model.commands import CommandState

TRANSFER: Final[Mapping[str, CommandState]] = MappingProxyType(
    {
        "PENDING": CommandState.AWAITING_ACCEPTANCE,
        "ACCEPTED": CommandState.ACCEPTED,
        "SETTLED": CommandState.CONFIRMED,
        "CANCELLED": CommandState.REJECTED,
        "REJECTED": CommandState.REJECTED,
    }
)
RETIREMENT: Final[Mapping[str, CommandState]] = MappingProxyType(
    {"PENDING": CommandState.ACCEPTED, "COMPLETED": CommandState.CONFIRMED, "FAILED": CommandState.REJECTED}
)
DEPOSIT: Final[Mapping[str, CommandState]] = MappingProxyType(
    {
        "PENDING": CommandState.ACCEPTED,
        "ACTIVE": CommandState.CONFIRMED,
        "WITHDRAWING": CommandState.CONFIRMED,
        "WITHDRAWN": CommandState.CONFIRMED,
        "SETTLED": CommandState.CONFIRMED,
    }
)
"""What a deposit's state says of the command that made it."""
RELEASE: Final[Mapping[str, CommandState]] = MappingProxyType(
    {
        "PENDING": CommandState.UNDECIDED,
        "ACTIVE": CommandState.CONFIRMED,
        "WITHDRAWING": CommandState.ACCEPTED,
        "WITHDRAWN": CommandState.CONFIRMED,
        "SETTLED": CommandState.CONFIRMED,
    }
)
"""What a deposit's state says of a withdrawal that its figures show."""
WITHDRAWAL: Final[Mapping[str, CommandState]] = MappingProxyType(
    {"PENDING": CommandState.ACCEPTED, "COMPLETED": CommandState.CONFIRMED}
)
ACCEPTING: Final[Mapping[str, CommandState]] = MappingProxyType(
    {
        "PENDING": CommandState.NOT_FOUND,
        "ACCEPTED": CommandState.ACCEPTED,
        "SETTLED": CommandState.CONFIRMED,
        "CANCELLED": CommandState.REJECTED,
        "REJECTED": CommandState.REJECTED,
    }
)
"""What an incoming transfer's state says of our yes. One that still waits has had no answer."""
REJECTING: Final[Mapping[str, CommandState]] = MappingProxyType(
    {
        "PENDING": CommandState.NOT_FOUND,
        "ACCEPTED": CommandState.REJECTED,
        "SETTLED": CommandState.REJECTED,
        "CANCELLED": CommandState.REJECTED,
        "REJECTED": CommandState.CONFIRMED,
    }
)
"""The same of our no."""

_LEAST_FIRST: Final = (
    CommandState.UNDECIDED,
    CommandState.AWAITING_ACCEPTANCE,
    CommandState.ACCEPTED,
    CommandState.REJECTED,
    CommandState.CONFIRMED,
)


def state_of(words: Mapping[str, CommandState], word: Json, what: str) -> CommandState:
    """What a word of the market means. Raises Undecodable for one that it never had."""
    found = words.get(word) if isinstance(word, str) else None
    if found is None:
        raise Undecodable(f"{what} is {word!r}, expected one of {', '.join(words)}")
    return found


def together(states: Sequence[CommandState]) -> CommandState:
    """The state of a command of several parts: that of the part which has come least far.

    Raises Undecodable when all have ended, and not in the same way.
    """
    least = min(states, key=_LEAST_FIRST.index)
    if least is CommandState.REJECTED and set(states) != {CommandState.REJECTED}:
        raise Undecodable("some parts of the command were carried out and others refused, expected all or none")
    return least
