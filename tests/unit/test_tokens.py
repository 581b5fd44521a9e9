"""Access tokens: one fetch at a time, renewed before their end, and only the refused one forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from pydantic import SecretStr

from gateway.kit.errors import Unavailable
from gateway.kit.mock import MockClock
from gateway.kit.tokens import Token, TokenKeeper

LIFE: Final = timedelta(seconds=30)
MARGIN: Final = timedelta(seconds=10)


class Market:
    """Gives tokens, numbered; each answer waits until it is let go."""

    def __init__(self) -> None:
        self.clock = MockClock(datetime(2026, 7, 1, tzinfo=UTC))
        self.given = 0
        self.fails = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self) -> Token:
        await self.answers.wait()
        if self.fails:
            raise Unavailable("closed", market="somewhere", operation="token")
        self.given += 1
        return Token(SecretStr(f"token {self.given}"), self.clock() + LIFE)


@pytest.fixture
async def market() -> Market:
    return Market()


@pytest.fixture
async def keeper(market: Market) -> TokenKeeper:
    return TokenKeeper(market.fetch, market.clock, MARGIN)


async def test_many_who_ask_at_once_share_one_fetch(market: Market, keeper: TokenKeeper) -> None:
    market.answers.clear()
    asked = [asyncio.create_task(keeper.secret()) for _ in range(20)]
    await asyncio.sleep(0)
    market.answers.set()

    assert await asyncio.gather(*asked) == ["token 1"] * 20
    assert market.given == 1


async def test_a_token_is_kept_until_its_margin_begins_and_renewed_from_then_on(
    market: Market, keeper: TokenKeeper
) -> None:
    first = await keeper.secret()
    market.clock.advance(LIFE - MARGIN - timedelta(microseconds=1))
    still = await keeper.secret()
    market.clock.advance(timedelta(microseconds=1))
    renewed = await keeper.secret()

    assert (first, still, renewed) == ("token 1", "token 1", "token 2")


async def test_a_refused_token_is_fetched_anew(market: Market, keeper: TokenKeeper) -> None:
    keeper.forget(await keeper.secret())

    assert await keeper.secret() == "token 2"
    assert market.given == 2


async def test_the_refusal_of_an_older_token_leaves_the_one_that_came_since(
    market: Market, keeper: TokenKeeper
) -> None:
    """Two requests carry one token and both are refused; by the second refusal there is a new one already."""
    refused = await keeper.secret()
    keeper.forget(refused)
    renewed = await keeper.secret()
    keeper.forget(refused)

    assert await keeper.secret() == renewed == "token 2"
    assert market.given == 2


async def test_a_token_renewed_while_it_is_forgotten_stays(market: Market, keeper: TokenKeeper) -> None:
    refused = await keeper.secret()
    market.clock.advance(LIFE)
    market.answers.clear()
    asked = asyncio.create_task(keeper.secret())
    await asyncio.sleep(0)
    keeper.forget(refused)
    market.answers.set()

    assert await asked == await keeper.secret() == "token 2"


async def test_before_the_first_token_there_is_nothing_to_forget(keeper: TokenKeeper) -> None:
    keeper.forget("token 0")

    assert await keeper.secret() == "token 1"


async def test_a_fetch_that_fails_or_is_cancelled_leaves_the_next_one_free(market: Market, keeper: TokenKeeper) -> None:
    market.fails = True
    with pytest.raises(Unavailable):
        await keeper.secret()
    market.fails = False
    market.answers.clear()
    given_up = asyncio.create_task(keeper.secret())
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    market.answers.set()

    assert await keeper.secret() == "token 1"
