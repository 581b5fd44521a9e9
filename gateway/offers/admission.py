"""Admission: which candidates may be offered, each with the rules that admitted or refused it. Pure.

Every rule is asked, also after one that refuses, so that whoever wonders sees all reasons at once. The rules and what
they need are in :data:`RULES`; what they compare with is the policy's data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.controls.restrictions import Restrictions
from gateway.model.controls import ScopeKind
from gateway.model.vocabulary import ListingState
from gateway.offers.candidate import Candidate, Origin
from gateway.offers.identity import offer_id
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
        halted: the restriction that stops it for now.
    """

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    firm: bool
    halted: str | None

    @property
    def admitted(self) -> bool:
        """Whether no rule refuses it. A restriction halts an offer, it does not refuse it."""
        return all(one.admitted for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What admission is decided under."""

    policy: Policy
    version: PolicyVersion
    restrictions: Restrictions
    now: dt.datetime
    today: dt.date
    incomplete: frozenset[str]
    """Markets whose last snapshot of our holdings is not complete."""


Rule = Callable[[Candidate, Circumstances], tuple[bool, str]]


def decide(candidates: Sequence[Candidate], circumstances: Circumstances) -> list[Decision]:
    """A decision for each candidate, in their order."""
    return [_decide(one, circumstances) for one in candidates]


def _decide(one: Candidate, circumstances: Circumstances) -> Decision:
    verdicts = tuple(Verdict(name, *rule(one, circumstances)) for name, rule in RULES)
    stopped = circumstances.restrictions.on(
        {
            ScopeKind.MARKET: one.market,
            ScopeKind.PROGRAMME: one.programme,
            ScopeKind.PROJECT: one.project_id and f"{one.programme}-{one.project_id}",
            ScopeKind.CLASS: one.class_id,
            ScopeKind.OFFER: offer_id(one.class_id),
            ScopeKind.ACCOUNT: one.reference if one.origin is Origin.HOLDING else None,
        }
    )
    halted = f"{stopped.scope} is restricted by {stopped.placed_by}: {stopped.reason}" if stopped else None
    return Decision(one, verdicts, _is_firm(one, circumstances), halted)


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
    excluded = sorted(set(one.labels) & set(circumstances.version.excluded_labels))
    if excluded:
        return False, f"label {', '.join(excluded)} is excluded"
    wanted = found.labels_any_of if found else ()
    if wanted and not set(wanted) & set(one.labels):
        return False, f"none of the labels {', '.join(wanted)}; it has {', '.join(one.labels) or 'none'}"
    return True, f"labels {', '.join(one.labels)}" if one.labels else "no label is needed"


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


def _snapshot(one: Candidate, circumstances: Circumstances) -> tuple[bool, str]:
    if one.origin is not Origin.HOLDING:
        return True, "seen elsewhere"
    if one.market in circumstances.incomplete:
        return False, f"the last snapshot of {one.market} is not complete"
    age = circumstances.now - one.seen_at
    limit = dt.timedelta(hours=circumstances.version.snapshot_hours)
    if age > limit:
        return False, f"the last complete snapshot of {one.market} is {age // dt.timedelta(hours=1)} hours old"
    return True, "the snapshot is complete and fresh"


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
    ("snapshot", _snapshot),
)
"""Every rule by its name, in the order in which people read them."""
