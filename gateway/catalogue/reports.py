"""What a pull found and changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.catalogue.applying import Applied
from gateway.kit.contract import StatedTotal
from gateway.model.records import measure
from gateway.model.vocabulary import PullStatus, RecordKind


@dataclass(slots=True)
class FeedReport:
    """What was read of one feed.

    Attributes:
        stated: what the market said that it holds, before reading; None when it did not answer.
        faults: why the feed is not complete, in words; empty when it is.
    """

    feed: str
    mapping: str
    kind: RecordKind
    stated: StatedTotal | None = None
    rows: int = 0
    repeated: int = 0
    accepted: int = 0
    quarantined: int = 0
    quantity: int = 0
    units: int = 0
    units_unreadable: int = 0
    defects: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the feed is known whole."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Synced:
    """What one pull of a market found and changed."""

    market: str
    pull: int
    status: PullStatus
    feeds: tuple[FeedReport, ...]
    applied: dict[RecordKind, Applied]
    placeholders: int
    quarantined_new: int

    @property
    def changed_anything(self) -> bool:
        """Whether the catalogue differs from before."""
        return bool(self.placeholders or self.quarantined_new) or any(
            one.added or one.changed or one.gone for one in self.applied.values()
        )

    def summary(self) -> dict[str, Any]:
        """The pull as one JSON object."""
        return {
            "market": self.market,
            "pull": self.pull,
            "status": self.status.value,
            "changed": self.changed_anything,
            "applied": {kind.value: asdict(one) for kind, one in self.applied.items()},
            "placeholders": self.placeholders,
            "quarantined_new": self.quarantined_new,
            "feeds": [
                {
                    "feed": one.feed,
                    "complete": one.complete,
                    "stated_rows": one.stated.rows if one.stated else None,
                    "stated_quantity": one.stated.quantity if one.stated else None,
                    "rows": one.rows,
                    "accepted": one.accepted,
                    "quarantined": one.quarantined,
                    "quantity": None if measure(one.kind) is None else one.quantity,
                    "defects": dict(sorted(one.defects.items())),
                    "drift": list(one.unknown),
                    "missing": list(one.missing),
                    "faults": one.faults,
                }
                for one in self.feeds
            ],
        }
