"""Stand-ins of all linked markets on real ports, each of which can go down and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from gateway.cli.mocks import addresses_at

if TYPE_CHECKING:
    from gateway.kit.clock import Clock
    from gateway.kit.manifest import Manifest
    from gateway.kit.mock import Mock


@dataclass(slots=True)
class BookClock:
    """Stands at one instant while the books are written, so that they are the same every time; then it runs.

    Args:
        written_at: the instant of the books.
        runs: the clock that it follows afterwards.
    """

    written_at: datetime
    runs: Clock
    running: bool = False

    def __call__(self) -> datetime:
        """The instant."""
        return self.runs() if self.running else self.written_at


@dataclass(slots=True)
class StandIns:
    """The stand-ins of some markets.

    Args:
        manifests: of the markets.
        seed: decides what is in their books.
        clock: the markets' time.
    """

    manifests: Mapping[str, Manifest]
    seed: int
    clock: BookClock
    mocks: dict[str, Mock] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lines: dict[str, AsyncExitStack] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        """Writes the books and opens the ports."""
        for name, manifest in self.manifests.items():
            self.mocks[name] = await asyncio.to_thread(manifest.mock_factory, self.seed, self.clock)
        self.clock.running = True
        for name in self.manifests:
            await self.up(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every port."""
        for name in list(self._lines):
            await self.down(name)

    async def up(self, name: str) -> None:
        """Opens a market's port, the same as before where it had one."""
        from gateway.kit.mock import serve

        line = AsyncExitStack()
        url = await line.enter_async_context(serve(self.mocks[name], port=self._ports.get(name, 0)))
        self._lines[name] = line
        self._ports[name] = urlsplit(url).port or 0
        self.settings[name] = dict(addresses_at(self.manifests[name], url))

    async def down(self, name: str) -> None:
        """Closes a market's port; what is in its book stays."""
        await self._lines.pop(name).aclose()
