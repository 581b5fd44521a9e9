"""Stand-ins of all linked markets on real ports, each of which can go down and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gateway.cli.mocks import addresses_at

if TYPE_CHECKING:
    import httpx

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
class Line:
    """The line to a stand-in, which may be cut from one moment to the next: every request then breaks off."""

    mock: Mock
    cut: bool = False

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The stand-in's answer; a ``ConnectError`` while the line is cut, and the stand-in never saw the request."""
        from httpx import ConnectError

        if self.cut:
            raise ConnectError("the line is cut", request=request)
        return self.mock.handle(request)


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
    _lines: dict[str, Line] = field(default_factory=dict)
    _ports: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        """Writes the books and opens the ports."""
        from gateway.kit.mock import serve

        for name, manifest in self.manifests.items():
            self.mocks[name] = await asyncio.to_thread(manifest.mock_factory, self.seed, self.clock)
            self._lines[name] = Line(self.mocks[name])
        self.clock.running = True
        try:
            for name, manifest in self.manifests.items():
                url = await self._ports.enter_async_context(serve(self._lines[name]))
                self.settings[name] = dict(addresses_at(manifest, url))
        except BaseException:
            await self._ports.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every port."""
        await self._ports.aclose()

    def down(self, name: str) -> None:
        """A market does not answer any more, from this moment on; what is in its book stays."""
        self._lines[name].cut = True

    def up(self, name: str) -> None:
        """A market answers again."""
        self._lines[name].cut = False
