"""Listings and offers as a person reads them, in a hundred columns."""

from __future__ import annotations

from typing import Any, Final

import pytest

from gateway.cli.offering import name_of, show_listings, show_offers
from gateway.cli.output import Column, Output, keyed

CLASS: Final = "VCS-3042 2019-01-01..2019-12-31 VCU +ARTICLE6-INTERNATIONAL+CORSIA-FIRST-ELIGIBLE"
OFFER: Final[dict[str, Any]] = {
    "offer_id": "OF-1336E2BC605C7911",
    "class_id": CLASS,
    "name": "VCS 3042",
    "name_native": "星河滩造林碳汇项目",
    "quantity": 123_456_789,
    "price": 465_000_000,
    "currency": "HKD",
    "firm": True,
    "action": "put",
    "reason": None,
}
LISTING: Final[dict[str, Any]] = {
    "market": "cbl",
    "reference": "1000000000002147",
    "seen_as": "ours",
    "class_id": CLASS,
    "project_name": "星河滩造林碳汇项目",
    "quantity": 123_456_789,
    "price": None,
    "currency": None,
    "state": "active",
    "state_native": "正常",
}


def cells(shown: str) -> str:
    """What stands in a table, without its spaces and line ends."""
    return "".join(shown.split())


def test_a_name_is_told_with_the_sources_own_beside_it() -> None:
    assert name_of(OFFER) == "VCS 3042 / 星河滩造林碳汇项目"
    assert name_of(OFFER | {"name_native": None}) == "VCS 3042"


def test_an_offer_is_shown_whole_with_a_heading_for_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    halted = OFFER | {"firm": False, "action": "halt", "reason": "market:cbl is restricted by Kit: under review"}

    show_offers(Output(as_json=False), [OFFER, halted], 7)

    shown = capsys.readouterr().out
    table, _, said = shown.partition("showing 2 of 7 offers\n")
    assert all(len(line) <= 100 for line in table.splitlines())
    assert cells(table).count("OF-1336E2BC605C7911") == 2
    for heading in ("Offer, class", "Name", "Units", "Price", "Kind", "venue"):
        assert heading in table
    assert "123,456,789" in table
    assert "firm        offered" in table
    assert "indicative  halted" in table
    # A class that is too long goes on in the next line; nothing of it is lost.
    (width,) = {line.index("Name") for line in table.splitlines() if "Name" in line}
    column = [line[:width] for line in table.splitlines()]
    assert cells(CLASS) in cells("".join(column))
    assert said == f"  {CLASS} halted: market:cbl is restricted by Kit: under review\n"


def test_a_listing_says_in_which_account_units_of_ours_are(capsys: pytest.CaptureFixture[str]) -> None:
    listed = LISTING | {"seen_as": "listed", "reference": "L-1", "price": 89_000_000, "currency": "USD"}

    show_listings(Output(as_json=False), [LISTING, listed], 2)

    shown = capsys.readouterr().out
    assert all(len(line) <= 100 for line in shown.splitlines())
    assert "1000000000002147" in shown
    assert "L-1" not in shown
    assert shown.count("星河滩造林碳汇项目") == 2
    assert "showing 2 of 2 listings" in shown


def test_nothing_is_said_without_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_offers(Output(as_json=False), [], 0)
    show_listings(Output(as_json=False), [], 0)

    assert capsys.readouterr().out == "no offers\nno listings\n"


def test_stacked_values_stand_in_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    columns = (Column("Both", lambda row: (row["a"], row["b"]), "stacked"), keyed("One", "a"))

    Output(as_json=False).table(columns, [{"a": "x\ny", "b": "z"}, {"a": "w", "b": None}], dense=True)

    rows = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert rows[3:6] == [r" x\ny  x\ny", " z", " w     w"]
