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
    HOLDING = "holding"
    MOVEMENT = "movement"
    LISTING = "listing"
    TRADE = "trade"
    CASH_BALANCE = "cash_balance"
    CASH_MOVEMENT = "cash_movement"


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


class Direction(StrEnum):
    """Which way something moved, seen from the account; ``NONE`` for a change of state alone (a freeze)."""

    IN = "in"
    OUT = "out"
    NONE = "none"


class MovementKind(StrEnum):
    """What moved units.

    ``OFFSET`` is CCER's 抵销, use against an obligation, and stays distinct from ``RETIREMENT`` (自愿注销, voluntary)
    and ``CANCELLATION`` (强制注销, forced, or a programme's own). ``SURRENDER`` is 清缴履约, an allowance handed in
    against emissions. ``EARMARK`` and ``RELEASE`` are a venue's deposit and
    withdrawal.
    """

    ISSUANCE = "issuance"
    TRANSFER = "transfer"
    EARMARK = "earmark"
    RELEASE = "release"
    DELIVERY = "delivery"
    RETIREMENT = "retirement"
    OFFSET = "offset"
    SURRENDER = "surrender"
    CANCELLATION = "cancellation"
    CONVERSION = "conversion"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


class MovementState(StrEnum):
    """How far a movement has come at its market."""

    PENDING = "pending"
    FINAL = "final"
    REJECTED = "rejected"


class Side(StrEnum):
    """Of which side of a market a listing is."""

    SELL = "sell"
    BUY = "buy"


class Firmness(StrEnum):
    """Whether what is shown can be traded as shown (``FIRM``, 實盤) or only tells of it (``INDICATIVE``, 參考)."""

    FIRM = "firm"
    INDICATIVE = "indicative"


class ListingState(StrEnum):
    """What a listing is."""

    OPEN = "open"
    HALTED = "halted"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class TradeState(StrEnum):
    """What a trade is; ``PROPOSED``: told of by one side, not accepted by the other yet."""

    PROPOSED = "proposed"
    EXECUTED = "executed"
    SETTLED = "settled"
    CANCELLED = "cancelled"


class CashKind(StrEnum):
    """What moves cash at a settlement bank; ``REMIT`` takes renminbi over the border."""

    PAY_IN = "pay_in"
    PAY_OUT = "pay_out"
    HOLD = "hold"
    COMMIT = "commit"
    RELEASE = "release"
    CONVERT = "convert"
    REMIT = "remit"
    FEE = "fee"


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
