"""What may be restricted."""

from __future__ import annotations

from enum import StrEnum


class ScopeKind(StrEnum):
    """What a restriction lies on. ``ALL`` stops everything."""

    ALL = "all"
    MARKET = "market"
    PROGRAMME = "programme"
    PROJECT = "project"
    CLASS = "class"
    OFFER = "offer"
    ACCOUNT = "account"
