"""What came of a run: one result a check, and the tier that they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from gateway.kit.conformance.check import Group


class Outcome(StrEnum):
    """What came of a check; ``SKIPPED``: the adapter's capabilities do not call for it."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Tier(StrEnum):
    """What an adapter may be used for: bronze lists, silver reconciles, gold settles; ``NONE`` does nothing."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


GROUPS: Final = MappingProxyType(
    {
        Tier.BRONZE: frozenset({Group.READING}),
        Tier.SILVER: frozenset({Group.PAGING, Group.CANCELLATION, Group.CONCURRENCY, Group.RECONCILIATION}),
        Tier.GOLD: frozenset({Group.COMMANDS, Group.WEBHOOKS}),
    }
)
"""The checks that each tier adds to the one below it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check."""

    id: str
    title: str
    group: Group
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run.

    Attributes:
        adapter: the market's name.
        capabilities: what it offers.
        results: in the order of the checks.
        complete: whether every check was run; only then is a tier worth recording.
    """

    adapter: str
    capabilities: frozenset[str]
    results: tuple[Result, ...]
    complete: bool

    @property
    def tier(self) -> Tier:
        """The highest tier whose checks, and those of every tier below it, did not fail.

        Gold settles or is told of events: a check of it must have been called for and passed.
        """
        reached = Tier.NONE
        for tier, groups in GROUPS.items():
            found = {one.outcome for one in self.results if one.group in groups}
            if Outcome.FAILED in found or (tier is not Tier.BRONZE and Outcome.PASSED not in found):
                return reached
            reached = tier
        return reached

    @property
    def failed(self) -> tuple[Result, ...]:
        """The checks that failed."""
        return tuple(one for one in self.results if one.outcome is Outcome.FAILED)


def document(reports: Sequence[Report]) -> dict[str, Any]:
    """The reports as one JSON document."""
    return {
        "adapters": [
            {
                "adapter": report.adapter,
                "tier": report.tier.value,
                "capabilities": sorted(report.capabilities),
                "checks": [
                    {"id": one.id, "result": one.outcome.value, "message": one.message} for one in report.results
                ],
            }
            for report in reports
        ]
    }
