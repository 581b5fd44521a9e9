"""What the conformance kit needs to try the Verra adapter on its stand-in."""

from __future__ import annotations

from adapters.verra.mock import build
from gateway.kit.mock import MockClock
from gateway.kit.rehearsal import Rehearsal


def rehearse(seed: int, clock: MockClock) -> Rehearsal:
    """A small registry."""
    return Rehearsal(mock=build(seed, clock, projects=8, blocks=40), settings={}, secrets=())
