"""The closed word lists of the unified schema.

A market's own word always stays beside the normalised one; these are the normalised ones. Status, event and
reason are three things: a state says what a unit *is*, never how or why it came to be so.
"""

from __future__ import annotations

from enum import StrEnum


class RecordKind(StrEnum):
    """What one row of a market's catalogue becomes."""

    PROJECT = "project"
    BATCH = "batch"
    BLOCK = "block"


class UnitState(StrEnum):
    """What a unit is, as far as its registry says.

    ``RETIRED_OR_CANCELLED`` is for sources that mark both with one date and do not say which (Verra's VCU export):
    the unit is dead, the reason is not known, and it is not guessed.
    """

    ISSUED = "issued"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    RETIRED = "retired"
    CANCELLED = "cancelled"
    RETIRED_OR_CANCELLED = "retired_or_cancelled"


class ProjectState(StrEnum):
    """Where a project stands; the programme's own, longer vocabulary is kept beside it.

    ``UNSTATED`` marks a project that is known only because its units were seen.
    """

    DEVELOPMENT = "development"
    VALIDATION = "validation"
    REVIEW = "review"
    REGISTERED = "registered"
    ON_HOLD = "on_hold"
    DENIED = "denied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    INACTIVE = "inactive"
    TRANSFERRED = "transferred"
    UNSTATED = "unstated"


class QuantityUnit(StrEnum):
    """What one unit of a quantity weighs."""

    TONNE = "tCO2e"
    KILOGRAM = "kgCO2e"


class LabelScheme(StrEnum):
    """Who stands behind a label."""

    CORSIA = "CORSIA"
    CCP = "CCP"
    CCB = "CCB"
    SDG = "SDG"
    ARTICLE_6 = "Article 6"
    MITIGATION_TYPE = "mitigation type"
    CO_BENEFIT = "co-benefit"


class FieldClass(StrEnum):
    """What hangs on a field, and so what happens when it cannot be read.

    An unreadable ``descriptive`` field stays empty beside its native word; in any other class it quarantines the
    record.
    """

    IDENTITY = "identity"
    QUANTITY = "quantity"
    STATE = "state"
    ENTITLEMENT = "entitlement"
    DESCRIPTIVE = "descriptive"


class PullStatus(StrEnum):
    """How a pull of a market's catalogue ended."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
