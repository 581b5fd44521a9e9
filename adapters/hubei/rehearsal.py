"""What the conformance kit needs to try the Hubei adapter on its stand-in."""

from __future__ import annotations

from adapters.hubei.config import HubeiConfig
from adapters.hubei.mock import build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small register with a few business days behind it.

    Only one of the two lines is used, so that what goes wrong on it is seen.

    A day's files never change once they are published. So one more record appears with the next day's: the clock goes
    on to the hour at which they are there.
    """
    mock = build(seed, clock, entities=4, days=3)
    book = mock.book

    def insert() -> None:
        holder = next(iter(book.entities.values()))
        book.allocate(holder, "CEA25", 7, clock())
        clock.move_to(book.next_published)
        mock.published()

    def settle() -> None:
        mock.published()
        clock.move_to(book.next_published)

    return Rehearsal(
        mock=mock,
        settings={"line_b": None},
        secrets=(HubeiConfig().access_token.get_secret_value(),),
        small_pages={"records_a_file": 1},
        settle=settle,
        insert=insert,
    )
