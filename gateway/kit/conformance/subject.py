"""What is tried: a manifest, the folder of its adapter, its mapping documents, and a new rehearsal for every trial."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from gateway.kit.conformance.check import Failed
from gateway.kit.conformance.line import CountingPacer, Line, WatchedTransport
from gateway.kit.conformance.sources import folder_of
from gateway.kit.manifest import AdapterFactory, Manifest
from gateway.kit.mapping.document import Library
from gateway.kit.mapping.engine import Mapping as FieldMapping
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import STARTS_AT, Rehearsal
from gateway.model.errors import ConfigurationError

SEED: Final = 7

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Subject:
    """An adapter that is tried.

    Attributes:
        manifest: what it says of itself.
        folder: its package's folder: source, fixtures, the record of its tier.
        library: its mapping documents.
    """

    manifest: Manifest
    folder: Path
    library: Library
    _compiled: dict[str, FieldMapping] = field(default_factory=dict)
    _kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> Subject:
        """The adapter of a manifest, as it is installed. Raises ConfigurationError when its mappings are not there."""
        try:
            library = Library.of_package(manifest.mappings)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"adapter {manifest.name}: its mapping package {manifest.mappings} is not there ({error})"
            ) from error
        return cls(manifest, folder_of(manifest), library)

    def mapping(self, name: str) -> FieldMapping:
        """A mapping document, compiled. Raises Failed when it does not hold together."""
        if name not in self._compiled:
            try:
                self._compiled[name] = FieldMapping(name, self.library)
            except ConfigurationError as error:
                raise Failed(str(error)) from error
        return self._compiled[name]

    def kept(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What several checks need and none changes: made when it is first asked for."""
        if name not in self._kept:
            self._kept[name] = make()
        found: Kept = self._kept[name]
        return found

    async def kept_later(self, name: str, make: Callable[[], Awaitable[Kept]]) -> Kept:
        """The same, of what has to be waited for."""
        if name not in self._kept:
            self._kept[name] = await make()
        found: Kept = self._kept[name]
        return found

    def trial(self) -> Trial:
        """A new rehearsal, with a line to its stand-in."""
        clock = MockClock(STARTS_AT)
        rehearsal = self.manifest.rehearse(SEED, clock)
        pacers = {limit.scope: CountingPacer(limit) for limit in self.manifest.rate_limits}
        return Trial(self.manifest, clock, rehearsal, Line(rehearsal.mock), pacers)


@dataclass(frozen=True, slots=True)
class Trial:
    """One rehearsal under way.

    Attributes:
        manifest: of the adapter.
        clock: the market's time, and the adapter's.
        rehearsal: the stand-in, and how to try an adapter on it.
        line: what went over the line.
        pacers: the counted turns of each scope.
    """

    manifest: Manifest
    clock: MockClock
    rehearsal: Rehearsal
    line: Line
    pacers: Mapping[str, CountingPacer]

    @asynccontextmanager
    async def adapter(
        self, *, small: bool = False, settings: Mapping[str, Any] | None = None, clock: MockClock | None = None
    ) -> AsyncIterator[Any]:
        """A newly bound adapter.

        Args:
            small: whether its pages have one row.
            settings: laid over the rehearsal's.
            clock: its time, where it is not the market's.
        """
        values = {**self.rehearsal.settings, **(self.rehearsal.small_pages if small else {}), **(settings or {})}
        config = self.manifest.config_model.model_validate(values)
        factory = cast("AdapterFactory", self.manifest.adapter_class)
        async with WatchedTransport(self.manifest.name, self.line, self.pacers) as transport:
            yield factory(config, transport, clock or self.clock)
