"""Admission: which candidates may be offered, each with the rules that admitted or refused it. Pure.

Every rule is asked, also after one that refuses, so that whoever wonders sees all reasons at once. The rules and what
they need are in :data:`RULES`; what they compare with is the policy's data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.controls.restrictions import Restrictions
from gateway.model.vocabulary import ListingState
from gateway.offers.candidate import Candidate, Origin
from gateway.offers.identity import names
from gateway.offers.policy import Policy, PolicyVersion


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of a candidate, in words."""

    rule: str
    admitted: bool
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A candidate with what every rule says of it.

    Attributes:
        firm: whether it may be offered firm; else it is indicative.
        halted: what stops it for now: a restriction, or a snapshot that proves nothing.
    """

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    firm: bool
    halted: str | None

    @property
    def admitted(self) -> bool:
        """Whether no rule refuses it. A restriction or a broken snapshot halts an offer, it does not refuse it."""
        return all(one.admitted for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What admission is decided under."""

    policy: Policy
    version: PolicyVersion
    restrictions: Restrictions
    now: dt.datetime
    today: dt.date
    unproven: Mapping[str, str]
    """Markets whose snapshot of our holdings proves nothing now, each with why."""


Rule = Callable[[Candidate, Circumstances], tuple[bool, str]]


def decide(candidates: Sequence[Candidate], circumstances: Circumstances) -> list[Decision]:
    """A decision for each candidate, in their order."""
    return [_decide(one, circumstances) for one in candidates]


def _decide(one: Candidate, circumstances: Circumstances) -> Decision:
    verdicts = tuple(Verdict(name, *rule(one, circumstances)) for name, rule in RULES)
    return Decision(one, verdicts, _is_firm(one, circumstances), _halted(one, circumstances))


def _halted(one: Candidate, circumstances: Circumstances) -> str | None:
    """What stops a candidate for now, in words; of a contract also what stops a project that may be delivered."""
    stopped = circumstances.restrictions.on(names(one))
    if stopped:
        return f"{stopped.scope} is restricted by {stopped.placed_by}: {stopped.reason}"
    return _unproven(one, circumstances) if one.origin is Origin.HOLDING else None


def _unproven(one: Candidate, circumstances: Circumstances) -> str | None:
    limit = dt.timedelta(hours=circumstances.version.snapshot_hours)
    if one.seen_at is not None and circumstances.now - one.seen_at > limit:
        return f"the last complete snapshot of {one.market} is {_hours(circumstances.now - one.seen_at)} old"
    return circumstances.unproven.get(one.market)


def _hours(age: dt.timedelta) -> str:
    return f"{age // dt.timedelta(hours=1)} hours"


def _is_firm(one: Candidate, circumstances: Circumstances) -> bool:
    ours = one.origin is Origin.HOLDING and one.available > 0
    return ours and (not one.at_venue or circumstances.version.venue_positions == "firm")


def _programme(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    found = circumstances.version.programme(one.programme)
    accepted = ", ".join(known.programme for known in circumstances.version.programmes)
    if found is None:
        return False, f"programme {one.programme or 'not said'} is not accepted; accepted are {accepted}"
    return True, f"{found.name} is accepted" + (f" ({found.name_native})" if found.name_native else "")


def _cross_border(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    found = circumstances.version.programme(one.programme)
    if found is None or found.cross_border:
        return True, "may be traded across the border"
    return False, f"off by policy: {found.cross_border_why}"


def _unit_kind(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    found = circumstances.version.programme(one.programme)
    if found is None or one.unit_kind in found.unit_kinds or (one.deliverable is not None and one.unit_kind is None):
        return True, f"unit kind {one.unit_kind or 'of the contract'}"
    return False, f"unit kind {one.unit_kind or 'not said'}; accepted are {', '.join(found.unit_kinds)}"


def _vintage(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    found = circumstances.version.programme(one.programme)
    if one.vintage_start is None or one.vintage_end is None:
        return False, "the vintage is not said"
    words = f"vintage {one.vintage_start} to {one.vintage_end}"
    if found is None or one.vintage_start.year >= found.earliest_vintage:
        return True, words
    return False, f"{words}; the earliest accepted is {found.earliest_vintage}"


def _labels(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    found = circumstances.version.programme(one.programme)
    labels = one.labels or ()
    excluded = sorted(set(labels) & set(circumstances.version.excluded_labels))
    if excluded:
        return False, f"label {', '.join(excluded)} is excluded"
    if one.labels is None and one.at_venue and one.deliverable is None:
        return False, "the venue does not say which labels they have"
    wanted = found.labels_any_of if found else ()
    if wanted and not set(wanted) & set(labels):
        return False, f"none of the labels {', '.join(wanted)}; it has {', '.join(labels) or 'none'}"
    return True, f"labels {', '.join(labels)}" if labels else "no label is needed"


def _unit_state(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    words = one.state if one.state_native in {None, one.state} else f"{one.state} ({one.state_native})"
    if one.origin is Origin.LISTING:
        return one.state == ListingState.OPEN, f"the listing is {words}"
    return one.state in circumstances.version.unit_states, f"the units are {words}"


def _project_state(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    if one.project_state is None:
        return True, "its registry's word on the project is not known here"
    return one.project_state in circumstances.version.project_states, f"the project is {one.project_state}"


def _deliverable(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    if one.deliverable is None:
        return True, "no standardised contract"
    known = circumstances.policy.deliverable(one.market, one.instrument or "", circumstances.today)
    if known is None:
        return False, f"no deliverable list of {one.instrument} is known on {circumstances.today}"
    if set(known.projects) != set(one.deliverable):
        more = sorted(set(one.deliverable) - set(known.projects))
        less = sorted(set(known.projects) - set(one.deliverable))
        changes = [f"adds {', '.join(more)}"] * bool(more) + [f"leaves out {', '.join(less)}"] * bool(less)
        return False, f"the market {' and '.join(changes)} against the list of {known.notice}: it must be reviewed"
    return True, f"deliverable list of {known.notice}: {', '.join(known.projects)}"


def _for_sale(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    if one.origin is Origin.INVENTORY and circumstances.version.registry_inventory == "refuse":
        return False, "nobody has put these units up for sale; the registry only shows them"
    if one.origin is Origin.HOLDING and one.available < 1:
        return False, f"nothing of {one.quantity:,} units is available: all is frozen, pledged, earmarked or in transit"
    if one.quantity < circumstances.version.lot:
        return False, f"{one.quantity:,} units are less than the lot of {circumstances.version.lot:,}"
    return True, f"{(one.available if one.origin is Origin.HOLDING else one.quantity):,} units"


def _readable(one: Candidate, _circumstances: Circumstances) -> tuple[bool, str]:
    if one.unreadable:
        return False, "its market says something of it now that cannot be read: see the quarantine"
    return True, "all that its market says of it can be read"


def _fresh(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    if one.seen_at is None:
        return False, f"{one.market} was never read whole"
    age = circumstances.now - one.seen_at
    if one.origin is Origin.HOLDING:
        return True, f"seen {_hours(age)} ago"
    if one.valid_until is not None and one.valid_until <= circumstances.now:
        return False, f"the listing ended at {one.valid_until:%Y-%m-%d %H:%M}Z"
    if one.valid_from is not None and one.valid_from > circumstances.now:
        return False, f"the listing begins at {one.valid_from:%Y-%m-%d %H:%M}Z"
    if age > dt.timedelta(hours=circumstances.version.listing_hours):
        return False, f"the last complete reading of {one.market} is {_hours(age)} old"
    return True, f"seen {_hours(age)} ago"


RULES: Final[tuple[tuple[str, Rule], ...]] = (
    ("programme", _programme),
    ("cross-border policy", _cross_border),
    ("unit kind", _unit_kind),
    ("vintage", _vintage),
    ("labels", _labels),
    ("unit state", _unit_state),
    ("project state", _project_state),
    ("deliverable list", _deliverable),
    ("for sale", _for_sale),
    ("readable", _readable),
    ("fresh", _fresh),
)
"""Every rule by its name, in the order in which people read them."""
