"""The id of an offer: one class has one offer for ever, so that the same offer is the same one tomorrow."""

from __future__ import annotations

import hashlib


def offer_id(class_id: str) -> str:
    """``OF-`` and sixteen characters, from the class's name alone."""
    return f"OF-{hashlib.sha256(class_id.encode()).hexdigest()[:16].upper()}"
