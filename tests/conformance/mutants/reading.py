"""Broken in what they make of a page."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from gateway.kit.contract import Page
from tests.conformance.market.adapter import HarbourAdapter
from tests.conformance.market.book import HONG_KONG_TIME, holding
from tests.conformance.mutants.making import Mutant, broken

_READINGS = itertools.count()


class Pages(HarbourAdapter):
    """The market whose pages are changed."""

    def changed(self, page: Page) -> Page:
        rows = pl.DataFrame([self.row(dict(row)) for row in page.rows.to_dicts()], schema_overrides=page.rows.schema)
        return replace(page, rows=rows)

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        return row

    async def _page(self, feed: str, since: datetime | None, cursor: str | None) -> Page:
        return self.changed(await super()._page(feed, since, cursor))


class ParsesFloats(Pages):
    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "units" in row and row["units"] is not None:
            row["units"] = str(int(float(row["units"])))
        return row


class RoundsTonnes(Pages):
    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "units" in row and row["units"] is not None:
            row["units"] = row["units"].partition(".")[0]
        return row


class CountsTheSerial(Pages):
    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "serial" in row:
            first, last = row["serial"].split("-")[1:3]
            row["units"] = str(int(last) - int(first) + 1)
        return row


class DefaultsAState(Pages):
    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "status" in row and row["status"] not in {"Live", "Stopped", "Paused"}:
            row["status"] = "Live"
        return row


class FillsWhatIsMissing(Pages):
    def changed(self, page: Page) -> Page:
        if "account" in page.rows.columns:
            filled = pl.when(pl.col("account").is_in(["", "null"])).then(None).otherwise("account")
            return replace(page, rows=page.rows.with_columns(filled.fill_null("HBR-0042").alias("account")))
        return replace(page, rows=page.rows.with_columns(pl.lit("HBR-0042").alias("account")))


class DropsUnknownFields(Pages):
    def changed(self, page: Page) -> Page:
        return replace(page, rows=page.rows.select([name for name in page.rows.columns if len(name) < 16]))


class AssumesUtc(Pages):
    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        for name in ("until", "at"):
            if name in row and "T" in str(row[name]):
                row[name] = str(row[name])[:19] + "Z"
        return row


class LocalTime(Pages):
    """It reads the market's time as the machine's."""

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if " " in str(row.get("at")):
            local = datetime.strptime(row["at"], HONG_KONG_TIME).astimezone(UTC)
            row["at"] = local.strftime(HONG_KONG_TIME)
        return row


class NaiveAsOf(Pages):
    def changed(self, page: Page) -> Page:
        return replace(page, as_of=page.as_of.replace(tzinfo=None))


class AnotherReading(Pages):
    """Each adapter has serials of its own."""

    def __init__(self, config: Any, transport: Any, clock: Any) -> None:
        super().__init__(config, transport, clock)
        self._shift = next(_READINGS)

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        if "serial" in row:
            parts = row["serial"].split("-")
            parts[1:3] = [str(int(part) + self._shift) for part in parts[1:3]]
            row["serial"] = "-".join(parts)
        return row


def _held_twice(rehearsal: Any) -> Any:
    rehearsal.mock.lists["holdings"].append(holding(9, 10_001, 50))
    return rehearsal


MUTANTS = (
    broken("parses floats", "D010", adapter=ParsesFloats),
    broken("rounds tonnes", "D020", adapter=RoundsTonnes),
    broken("counts the serial instead of the units", "D030", adapter=CountsTheSerial),
    broken("defaults an unknown status", "D040", adapter=DefaultsAState),
    broken("drops unknown fields", "D050", adapter=DropsUnknownFields),
    broken("fills what is missing", "D060", "D070", adapter=FillsWhatIsMissing),
    broken("takes every time for UTC", "D080", adapter=AssumesUtc),
    broken("takes every time for the machine's", "D090", adapter=LocalTime),
    broken("an instant without a zone", "D100", adapter=NaiveAsOf),
    Mutant("a path that nobody listed", ("D110",), mappings={"projects.yaml": ("[nameNative]", "[nameInChinese]")}),
    broken("another reading each time", "R010", "R030", "R040", adapter=AnotherReading),
    Mutant(
        "native keys that are none", ("R020",), mappings={"holdings.yaml": ("native_key: id", "native_key: account")}
    ),
    Mutant("units held twice", ("R030",), rehearsal=_held_twice),
)
