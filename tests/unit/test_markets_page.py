"""The page of markets says what the manifests, the recorded tiers and the calendars say.

``python -m tests.unit.test_markets_page`` writes its two tables anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import pytest

from gateway.kit.calendars import Calendar, load
from gateway.kit.conformance import recorded_tier
from gateway.kit.contract import CAPABILITIES
from gateway.kit.manifest import Idempotency, Manifest, MarketRole
from gateway.markets.registry import installed

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "markets.md"
TEXT = PAGE.read_text(encoding="utf-8")
MANIFESTS: Final = installed()
SHORT: Final = {
    "ReadsCatalogue": "catalogue",
    "ParsesExports": "files",
    "ReadsHoldings": "holdings",
    "ReadsMovements": "movements",
    "ReadsListings": "listings",
    "ReadsTrades": "trades",
    "PublishesOffers": "offers",
    "Transfers": "transfers",
    "AcceptsTransfers": "accepts",
    "Retires": "retires",
    "MovesCash": "cash",
    "BearsWitness": "witness",
    "SendsWebhooks": "webhooks",
}
"""The heading of each capability's column."""

ROLES: Final = {
    MarketRole.REGISTRY: "registry",
    MarketRole.VENUE: "venue",
    MarketRole.HOME_VENUE: "home venue",
    MarketRole.BANK: "bank",
}
TWICE: Final = {
    Idempotency.NATIVE: "answered as before",
    Idempotency.BY_REFERENCE: "refused, asked by reference",
    Idempotency.NONE: "done twice: witness",
    Idempotency.NO_COMMANDS: "-",
}
"""What becomes of a command that comes twice, in the table's words."""

WEDNESDAY: Final = date(2026, 7, 15)
YEAR: Final = 2026
CURRENCIES: Final = ("HKD", "CNH", "CNY", "USD")


def written(first_heading: str) -> str:
    """The page's table that begins with a heading, as it is written."""
    found = re.findall(rf"^\| {first_heading} \|.*(?:\n\|.*)+", TEXT, re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def table(first_heading: str) -> list[list[str]]:
    """Its rows, the headings first."""
    lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in written(first_heading).splitlines()]
    assert set("".join(lines[1])) == {"-"}
    return [lines[0], *lines[2:]]


def market_rows() -> list[list[str]]:
    headings = ["market", "role", *SHORT.values(), "a command twice", "our own invention", "tier"]
    return [headings, *(_market_row(one) for one in MANIFESTS.values())]


def _market_row(manifest: Manifest) -> list[str]:
    offered = manifest.capabilities()
    return [
        f"[`{manifest.name}`](../adapters/{manifest.name}/README.md)",
        ROLES[manifest.role],
        *("●" if name in offered else "" for name in SHORT),
        TWICE[manifest.idempotency],
        ", ".join(manifest.simulated),
        recorded_tier(manifest).value,
    ]


def calendar_rows() -> list[list[str]]:
    headings = ["who", "calendar", "zone", f"open days in {YEAR}", "hours", "cut-off", "provisional from"]
    markets = [[f"`{one.name}`", *_calendar_cells(load(one.calendar))] for one in MANIFESTS.values()]
    return [headings, *markets, *([name, *_calendar_cells(load(name))] for name in CURRENCIES)]


def _calendar_cells(calendar: Calendar) -> list[str]:
    cut_off = calendar.cut_off(WEDNESDAY)
    sessions = [(one.start, one.end) for one in calendar.sessions(WEDNESDAY)]
    return [
        f"`{calendar.name}`",
        str(calendar.zone),
        str(sum(day.year == YEAR for day in calendar.open_days)),
        ", ".join(f"{_clock(start, calendar)}-{_clock(end, calendar)}" for start, end in sessions),
        "none" if cut_off is None else _clock(cut_off, calendar),
        str(calendar.provisional_from or "never"),
    ]


def _clock(instant: datetime, calendar: Calendar) -> str:
    local = instant.astimezone(calendar.zone)
    ends_the_day = local.time() == time() and local.date() == WEDNESDAY + timedelta(days=1)
    return "24:00" if ends_the_day else f"{local:%H:%M}"


def as_markdown(rows: Iterable[list[str]]) -> str:
    headings, *others = rows
    lines = [headings, ["---"] * len(headings), *others]
    return "\n".join(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|" for cells in lines)


def test_the_columns_are_every_capability_there_is() -> None:
    assert list(SHORT) == [one.__name__ for one in CAPABILITIES]


@pytest.mark.parametrize(
    ("said", "known"), [(table("market"), market_rows()), (table("who"), calendar_rows())], ids=["markets", "calendars"]
)
def test_the_table_says_what_is_so(said: list[list[str]], known: list[list[str]]) -> None:
    wrong = [
        f"{row[0]}, {heading}: the page says {cell!r}, it is {true!r}"
        for row, expected in zip(said[1:], known[1:], strict=False)
        for heading, cell, true in zip(said[0], row, expected, strict=False)
        if cell != true
    ]
    assert not wrong, "\n".join([*wrong, "", as_markdown(known)])
    assert said == known, as_markdown(known)


def test_each_market_has_a_paragraph_and_a_readme() -> None:
    sections = dict(re.findall(r"^### (.+?)\n\n(.+?)(?=\n\n#|\n\n\|)", TEXT, re.MULTILINE | re.DOTALL))
    titles = {
        one.name: f"{one.title} {one.title_native} (`{name}`)" if one.title_native else f"{one.title} (`{name}`)"
        for name, one in MANIFESTS.items()
    }
    assert [heading for heading in sections if heading.endswith("`)")] == list(titles.values())
    for name, title in titles.items():
        assert f"(../adapters/{name}/README.md)" in sections[title]
        assert "\n\n" not in sections[title]


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [one for one in links if not (PAGE.parent / one).is_file()] == []


def test_the_numbers_of_the_sentence_about_days_are_so() -> None:
    hong_kong, mainland = (set(load(name).open_days) for name in ("hkvenue", "ccer"))
    days = [sum(day.year == YEAR for day in one) for one in (hong_kong, mainland, hong_kong & mainland)]
    expected = "In {} Hong Kong trades on {} days, the mainland on {}, and both on {} days."
    assert expected.format(YEAR, *days) in TEXT


if __name__ == "__main__":
    for heading, rows in (("market", market_rows()), ("who", calendar_rows())):
        TEXT = TEXT.replace(written(heading), as_markdown(rows))
    PAGE.write_text(TEXT, encoding="utf-8")
