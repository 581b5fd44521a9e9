"""What the stand-in of Harbour holds at first. Rows are as the market writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_PAGE: Final = 100
HONG_KONG_TIME: Final = "%Y-%m-%d %H:%M:%S"
ACCOUNT: Final = "HBR-0042"
UNITS_KEY: Final[Mapping[str, str | None]] = {
    "projects": None,
    "blocks": "units",
    "holdings": "units",
    "balances": "booked",
    "listings": "units",
    "movements": "units",
    "bookings": "amount",
    "trades": "units",
}
"""What the market sums of each list."""


def serial(first: int, units: int) -> str:
    """A serial of the invented project 9001, in the form of a real registry's."""
    return f"6001-{first}-{first + units - 1}-VCS-VCU-1507-VER-CN-14-9001-01012022-31122022-0"


def lists() -> dict[str, list[dict[str, Any]]]:
    """Every list, new."""
    return {
        "projects": [
            {"id": f"P-{n}", "name": name, "nameNative": native, "status": status}
            for n, (name, native, status) in enumerate(_PROJECTS, start=9001)
        ],
        "blocks": [block(number, 1 + 1000 * number, 100 * number) for number in (1, 2, 3, 5)],
        "holdings": [holding(number, 1 + 10_000 * number, 50 * number) for number in (1, 2, 3, 5, 6)],
        "balances": [
            {
                "account": ACCOUNT,
                "id": f"C-{n}",
                "currency": currency,
                "booked": 500_000,
                "available": 500_000,
                "held": 0,
            }
            for n, currency in enumerate(("HKD", "CNH", "USD"), start=1)
        ],
        "listings": [listing(number) for number in (1, 2, 3, 5)],
        "movements": [
            movement(f"M-{n}", holding(n, 1 + 20_000 * n, 10 * n), "transfer", None, f"2026-07-1{n} 09:30:00", state)
            for n, state in ((1, "FINAL"), (2, "FINAL"), (3, "OPEN"))
        ],
        "bookings": [booking(number) for number in (1, 2, 3)],
        "trades": [trade(number) for number in (1, 2, 3)],
    }


def block(number: int, first: int, units: int) -> dict[str, Any]:
    """A row of the blocks."""
    text = serial(first, units)
    return {"id": f"B-{number}", "serial": text, "project": "9001", "units": units, "status": "Live", "label": "CORSIA"}


def holding(number: int, first: int, units: int) -> dict[str, Any]:
    """A row of the holdings."""
    row = {"id": f"H-{number}", "account": ACCOUNT, "serial": serial(first, units), "project": "9001"}
    return {**row, "units": units, "status": "Live"}


def listing(number: int) -> dict[str, Any]:
    """A row of the order book."""
    row = {"id": f"L-{number}", "contract": "HBR-NATURE", "side": "sell", "status": "Live", "units": 100 * number}
    return {**row, "lot": 100, "price": "8.125", "currency": "USD", "until": "2026-08-01T00:00:00Z"}


def movement(
    key: str, row: Mapping[str, Any], kind: str, reference: str | None, at: str, state: str = "FINAL"
) -> dict[str, Any]:
    """A row of the movements, of the units of a holding."""
    told = {"id": key, "account": ACCOUNT, "kind": kind, "way": "in" if reference is None else "out", "state": state}
    return {**told, "serial": row["serial"], "units": row["units"], "reference": reference, "at": at}


def booking(number: int) -> dict[str, Any]:
    """A row of the bookings."""
    row = {"id": f"K-{number}", "account": ACCOUNT, "currency": "HKD", "amount": 1000 * number, "way": "in"}
    return {**row, "kind": "pay_in", "state": "FINAL", "reference": None, "at": f"2026-07-1{number} 10:00:00"}


def trade(number: int) -> dict[str, Any]:
    """A row of the trades."""
    row = {"id": f"T-{number}", "contract": "HBR-NATURE", "buyer": ACCOUNT, "seller": "HBR-0007", "state": "Done"}
    told = {"units": 100 * number, "price": "8.125", "amount": f"{812.5 * number:.2f}", "currency": "USD"}
    return {**row, **told, "at": f"2026-07-1{number}T02:00:00Z"}


_PROJECTS: Final = (
    ("Nanyan Bay Mangroves", "南雁灣紅樹林", "Live"),
    ("Qinghe Rural Biogas", "清河農村沼氣", "Live"),
    ("Stone Ridge Wind", None, "Paused"),
)
