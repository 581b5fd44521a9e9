"""How a broken adapter is made from the made-up market: one part of it replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from gateway.kit.conformance import Subject
from gateway.kit.manifest import Manifest
from gateway.kit.mapping.document import Library
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal
from tests.conformance.market import MANIFEST

Replacement: TypeAlias = tuple[str, str]
"""A text of a file, and what stands there instead; an empty one: what is added at the end."""


@dataclass(frozen=True)
class Mutant:
    """The made-up market with one defect.

    Attributes:
        name: the defect, in words.
        kills: the checks that must find it.
        manifest: what its manifest says otherwise.
        sources: changes of its modules, by file.
        mappings: changes of its mapping documents, by file.
        rehearsal: what becomes of its rehearsal.
        fixtures: what becomes of the folder of its fixtures.
        original: the market that is broken.
    """

    name: str
    kills: tuple[str, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Replacement] = field(default_factory=dict)
    mappings: Mapping[str, Replacement] = field(default_factory=dict)
    rehearsal: Callable[[Rehearsal], Rehearsal] | None = None
    fixtures: Callable[[Path], object] | None = None
    original: Manifest = MANIFEST

    def made(self, folder: Path) -> Subject:
        """What the kit tries, its changed files in a folder that is empty."""
        subject = Subject.of(self.original)
        place, library = subject.folder, subject.library
        if self.sources or self.fixtures:
            place = folder / "market"
            shutil.copytree(subject.folder, place, ignore=shutil.ignore_patterns("mappings", "__pycache__"))
        for name, change in self.sources.items():
            _change(place / name, change)
        if self.fixtures:
            self.fixtures(place / "fixtures")
        if self.mappings:
            shutil.copytree(subject.folder / "mappings", folder / "mappings")
            for name, change in self.mappings.items():
                _change(folder / "mappings" / name, change)
            library = Library(folder / "mappings", None)
        return Subject(replace(self.original, **self.manifest, **self._rehearse()), place, library)

    def _rehearse(self) -> dict[str, Any]:
        change = self.rehearsal
        if change is None:
            return {}

        def rehearse(seed: int, clock: MockClock) -> Rehearsal:
            return change(self.original.rehearse(seed, clock))

        return {"rehearse": rehearse}


def _change(path: Path, change: Replacement) -> None:
    old, new = change
    text = path.read_text("utf-8")
    assert old in text, f"{path.name} has no {old!r} any more: the mutant is none"
    path.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")


def broken(name: str, *kills: str, adapter: type) -> Mutant:
    """The market with another adapter class."""
    return Mutant(name, kills, manifest={"adapter_class": adapter})
