"""The market's codes after which nothing happened, and how a refusal is read.

A code that may be the echo of an earlier copy of the same command is not listed: ``DUPLICATED_REQUEST``,
``EIN_CURRENTLY_LOCKED`` (something is under way with these units, perhaps our own), and a transfer that is not pending
any more. After those only the market's books can say what happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.kit.decoding import Json, decode_json, elements, members
from gateway.kit.transport import Refusal, Response

_REQUEST: Final = frozenset({"INVALID_REQUEST", "EMPTY_REQUEST", "INVALID_PROGRAM", "REQUEST_TOO_LARGE"})
_DATES: Final = frozenset(
    {"SETTLEMENT_DATE_IN_PAST", "SETTLEMENT_DATE_HOLIDAY", "SETTLEMENT_DATE_OUTSIDE_TRADING_WINDOW"}
)

DEPOSIT: Final = _REQUEST | {
    "INVALID_EXCHANGE",
    "INVALID_ACCOUNT",
    "INVALID_EXECUTION_VENUE",
    "INVALID_DEPOSITS",
    "INVALID_MARKET",
    "NOT_ENOUGH_QUANTITY",
    "DUPLICATE_TAX_LOT",
    "TAX_LOT_NOT_FOUND",
}
WITHDRAW: Final = _REQUEST | {"INVALID_EXCHANGE", "DEPOSIT_NOT_FOUND", "INVALID_WITHDRAWALS", "NOT_ENOUGH_QUANTITY"}
CREATE_TRANSFERS: Final = (
    _REQUEST
    | _DATES
    | {
        "INVALID_COUNTERPARTY_NAME",
        "INVALID_REGISTRY_TRANSFER_PURPOSE",
        "INVALID_SHOW_PRICE_IN_REGISTRY",
        "INVALID_TRANSFERS",
        "INVALID_TRANSFER_DATA",
        "INVALID_TAX_LOT_SELECTION_STRATEGY",
        "DUPLICATE_TAX_LOT",
        "DUPLICATE_EIN",
        "INVALID_EIN",
        "QUARANTINED_POSITION",
        "INVALID_TAX_LOT",
        "INVALID_QUANTITY",
        "INVALID_PRICE",
        "UNAVAILABLE_QUANTITY",
    }
)
ANSWER_TRANSFERS: Final = (
    _REQUEST
    | _DATES
    | {
        "INCOMPLETE_M_RETS_BATCH",
        "INVALID_TRANSFERS",
        "DUPLICATE_TRANSFER",
        "INVALID_TRANSFER",
        "INVALID_TRANSFER_PROGRAM",
        "INVALID_PRICE",
    }
)
RETIRE: Final = _REQUEST | {
    "INVALID_EXCHANGE",
    "INVALID_ACCOUNT",
    "INVALID_ATTRIBUTES",
    "INVALID_RETIREMENTS",
    "INVALID_TYPE",
    "INVALID_VALUE",
    "UNEXPECTED_FIELD",
    "UNAVAILABLE_FIELD",
    "REQUIRED_FIELD",
    "INVALID_SUB_ACCOUNT",
    "INVALID_BENEFICIAL_OWNER_NAME",
    "QUARANTINED_POSITION",
    "INSUFFICIENT_QUANTITY",
    "INVALID_EIN",
    "DUPLICATE_EIN",
    "INVALID_TAX_LOT_ALLOCATION_STRATEGY",
    "INVALID_TAX_LOT_ALLOCATION",
    "UNEXPECTED_QUANTITY_PER_TAX_LOT",
    "ZERO_QUANTITY_TAX_LOTS",
    "DUPLICATE_TAX_LOTS",
    "ZERO_QUANTITY",
    "INVALID_QUANTITY_SUM",
}

_INNER: Final = ("errors", "attributeErrors", "retirementErrors")


def read_refusal(response: Response, codes: frozenset[str]) -> Refusal | None:
    """The market's no, where every code in it is one of ``codes``.

    The code given on is the first inner one, which says why; the outer one says only which part was refused. Inner
    errors are a list, or for retirements a list of lists, one for each retirement asked for.

    Raises Undecodable when the body has another shape.
    """
    told = members(decode_json(response.body), "the refusal")
    outer = _error(told)
    inner = [_error(members(one, "an error")) for key in _INNER for one in _flat(told.get(key))]
    said = [outer, *inner]
    if any(code not in codes for code, _ in said):
        return None
    return Refusal(inner[0][0] if inner else outer[0], "; ".join(f"{code}: {words}" for code, words in said))


def _error(told: dict[str, Json]) -> tuple[str, str]:
    place = f" ({told['field']})" if isinstance(told.get("field"), str) else ""
    return str(told.get("code")), f"{told.get('message') or 'no words'}{place}"


def _flat(value: Json) -> Iterator[Json]:
    if value is None:
        return
    for one in elements(value, "the errors"):
        if isinstance(one, list):
            yield from one
        else:
            yield one
