"""What things are called: the id of an offer, and the names by which a restriction finds a candidate.

One class has one offer for ever, so that the same offer is the same one tomorrow.
"""

from __future__ import annotations

import hashlib

from gateway.controls.restrictions import Names
from gateway.model.controls import ScopeKind
from gateway.offers.candidate import Candidate, Origin


def offer_id(class_id: str) -> str:
    """``OF-`` and sixteen characters, from the class's name alone."""
    return f"OF-{hashlib.sha256(class_id.encode()).hexdigest()[:16].upper()}"


def names(one: Candidate) -> Names:
    """What restrictions know a candidate by; a contract also by the projects that may be delivered into it."""
    projects = (f"{one.programme}-{one.project_id}",) if one.project_id else one.deliverable or ()
    return {
        ScopeKind.MARKET: (one.market,),
        ScopeKind.PROGRAMME: (one.programme,) if one.programme else (),
        ScopeKind.PROJECT: projects,
        ScopeKind.CLASS: (one.class_id,),
        ScopeKind.OFFER: (offer_id(one.class_id),),
        ScopeKind.ACCOUNT: (one.reference,) if one.origin is Origin.HOLDING else (),
    }
