"""What a restriction touches: so that a misspelt scope is noticed before anybody relies on it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.controls.restrictions import Names, Scope
from gateway.model.controls import ScopeKind

LISTED: Final = 12
"""So many names are all told; of more, only those that look like the one that was given."""
ALIKE: Final = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """How many candidates, and how many offers at the home venue, a scope touches now."""

    candidates: int
    offers: int

    @property
    def is_nothing(self) -> bool:
        """Whether it touches nothing."""
        return not (self.candidates or self.offers)


def reach(scope: Scope, candidates: Sequence[Names], offers: Sequence[Names]) -> Reach:
    """Counts what a scope touches. An offer is touched by its own names, and through a candidate of its class."""
    touched = [one for one in candidates if _touches(scope, one)]
    classes = {name for one in touched for name in one.get(ScopeKind.CLASS, ())}
    through = [one for one in offers if _touches(scope, one) or classes.intersection(one.get(ScopeKind.CLASS, ()))]
    return Reach(len(touched), len(through))


def miss(scope: Scope, known: Iterable[Names]) -> str:
    """Why a scope that touches nothing does not: what there is instead."""
    names = sorted({name for one in known for name in one.get(scope.kind, ())})
    found = f"found the scope {str(scope)!r}, which no candidate and no offer is under"
    if not names:
        return f"{found}; no {scope.kind} of anything is known"
    if len(names) <= LISTED:
        return f"{found}; expected one of {', '.join(names)}"
    folded = {name.casefold(): name for name in names}
    alike = difflib.get_close_matches(scope.value.casefold(), folded, ALIKE)
    examples = [folded[one] for one in alike] or names[:1]
    return f"{found}; expected one of {len(names):,} that are known, such as {', '.join(map(repr, examples))}"


def _touches(scope: Scope, names: Names) -> bool:
    return scope.kind is ScopeKind.ALL or scope.value in names.get(scope.kind, ())
