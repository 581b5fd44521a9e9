"""Access tokens that run out: fetched when first needed, kept until shortly before their end, one fetch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from gateway.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Token:
    """A market's access token and when it ends."""

    secret: SecretStr
    ends_at: datetime


class TokenKeeper:
    """Keeps one token.

    Args:
        fetch: gets a new one from the market.
        clock: gives the instant.
        margin: how long before its end a token is not used any more.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], clock: Clock, margin: timedelta) -> None:
        self._fetch = fetch
        self._clock = clock
        self._margin = margin
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def secret(self) -> str:
        """The token to send now."""
        async with self._lock:
            if self._token is None or self._clock() >= self._token.ends_at - self._margin:
                self._token = await self._fetch()
            return self._token.secret.get_secret_value()

    def forget(self, refused: str) -> None:
        """Drops the token that the market did not accept; one that was fetched since stays."""
        if self._token is not None and self._token.secret.get_secret_value() == refused:
            self._token = None
