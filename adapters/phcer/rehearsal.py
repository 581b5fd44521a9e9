"""What the conformance kit needs to try the PHCER adapter on its stand-in."""

from __future__ import annotations

from datetime import timedelta

from adapters.phcer.config import PhcerConfig
from adapters.phcer.mock import build
from adapters.phcer.mock_register import PROCESSING
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small register with five small holders."""
    mock = build(seed, clock, projects=5, holders=5)
    register = mock.register
    password = PhcerConfig().password.get_secret_value()

    def settle() -> None:
        clock.advance(PROCESSING + timedelta(seconds=1))
        register.catch_up()

    def insert() -> None:
        """Another project, batch, balance and journal line."""
        first = next(iter(register.projects.values()))
        year, place = clock().year, len(register.projects) + 1
        number = f"GDPH-{year}-{place:04d}"
        register.projects[number] = type(first)(
            number=number,
            name=first.name,
            owner=first.owner,
            kind=first.kind,
            methodology=first.methodology,
            city=first.city,
            state="已备案",
            filed_on=first.filed_on,
            period=first.period,
            yearly=100,
        )
        register.create(number, str(year - 1), 100, register.account)

    return Rehearsal(
        mock=mock,
        settings={"password": password},
        secrets=(password,),
        small_pages={"page_size": 1},
        settle=settle,
        insert=insert,
    )
