"""The S&P Platts registry platform's public reports, in its own words.

Several registries live on it (Verra, Plan Vivo since its version 5, and others); one is three header values and a base
address. What was measured of it in July 2026 (``docs/api-contract.md`` of the public ``rb-carbon-scraper``) decides
how it is asked:

- at most 400 rows a page, and no row beyond the first 10,000 of a search: larger ones are read from both their ends,
  or divided (``partition``);
- only a sort by ``entityId`` gives the same order twice, so every page is asked for in it, or in its reverse, and
  checked to be in it;
- a filter that is not understood is ignored and the whole index comes back, so every row must match what was asked;
- a wrong ``standardid`` is a 200 without rows, so a feed without rows is only believed of a standard that is listed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from gateway.kit.decoding import Json, Undecodable, elements, members, whole_number
from gateway.kit.errors import ContractBreach
from gateway.kit.mapping.tabulate import tabulate
from gateway.kit.transport import Transport
from gateway.model.errors import ConfigurationError

SCOPE: Final = "platts"
"""The platform's own limit is shared by every registry on it."""

PAGE_ROWS: Final = 400
WINDOW_ROWS: Final = 10_000
PLATFORM: Final = "https://prod-us.api.platts.com/ci-raas-prod"

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""An address without a slash at its end."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A word that may stand in a path and in a header."""


class PlattsConfig(BaseModel):
    """Settings of one registry on the platform.

    The public site sends two fixed words of its own with every request. They are no secret of anybody's, and they are
    not ours to publish: the defaults are placeholders, which the stand-in accepts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reports_url: Address = Field(
        default=f"{PLATFORM}/raas-report-api/es/public", description="Where the public reports are."
    )
    resources_url: Address = Field(default=f"{PLATFORM}/cms-resources", description="Where the standards are listed.")
    app_key: SecretStr = Field(
        default=SecretStr("the-public-site-key"), min_length=1, description="The header appkey of the public site."
    )
    xsrf_token: SecretStr = Field(
        default=SecretStr("the-public-site-token"), min_length=1, description="Its header x-xsrf-token."
    )
    registry: Word = Field(description="The registry's word on the platform, as in VERRA.")
    standard_id: Word = Field(description="The standard's number on the platform.")
    standard_acronym: Word = Field(description="Its short name there, as in VCS.")
    language: Word = "en"
    window: int = Field(default=WINDOW_ROWS, ge=1, le=WINDOW_ROWS, description="How many rows of a search it pages.")
    page_rows: int = Field(default=PAGE_ROWS, ge=1, le=PAGE_ROWS, description="How many rows of a page to ask for.")


@dataclass(frozen=True, slots=True)
class Filter:
    """Keeps the rows whose ``field`` equals ``value``; its kind is the platform's word for the field's type."""

    field: str
    kind: Literal["Text", "Number"]
    value: str


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard as a registry lists it: its number, its name, its acronym."""

    id: str
    name: str
    acronym: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search.

    Attributes:
        total: how many rows the whole search has, as stated on this page.
        rows: the page's rows, every value as text.
        first: the first ``entityId`` on the page, in the order in which it was asked for; None where no row has one.
        last: the last one.
        body: the page as it was received.
    """

    total: int
    rows: pl.DataFrame
    first: int | None
    last: int | None
    body: bytes


class FilterIgnored(ContractBreach):
    """Rows came back that the filter should have kept out."""


class PlattsClient:
    """Asks the platform's public reports.

    Args:
        market: the market's name, for messages.
        config: which registry, and where.
        transport: the line to it.
    """

    def __init__(self, market: str, config: PlattsConfig, transport: Transport) -> None:
        self.market = market
        self._config = config
        self._transport = transport
        self._site = {
            "accept": "application/json",
            "application": "Markit",
            "appkey": config.app_key.get_secret_value(),
            "x-xsrf-token": config.xsrf_token.get_secret_value(),
        }
        self._report = {
            **self._site,
            "content-type": "application/json",
            "registry": config.registry,
            "standardid": config.standard_id,
            "standardacronym": config.standard_acronym,
            "language": config.language,
        }

    @property
    def window(self) -> int:
        """How many rows of one search can be paged."""
        return self._config.window

    async def standards(self, registry: str) -> tuple[Standard, ...]:
        """The standards that a registry publishes: the only place that states their numbers."""
        operation = f"standards {registry}"
        url = f"{self._config.resources_url}/public/standardsByRegistry/{registry}"
        document, _ = await self._transport.read_json("GET", url, operation=operation, headers=self._site, scope=SCOPE)
        try:
            return tuple(_standard(one) for one in elements(document, "the list of standards"))
        except Undecodable as error:
            raise self.breach(str(error), operation) from error

    async def require_standard(self) -> None:
        """Raises ConfigurationError unless the registry lists the configured standard under its acronym."""
        config = self._config
        listed = await self.standards(config.registry)
        if any((one.id, one.acronym) == (config.standard_id, config.standard_acronym) for one in listed):
            return
        known = ", ".join(f"{one.id} ({one.acronym}, {one.name})" for one in listed) or "no standard at all"
        raise ConfigurationError(
            f"market {self.market}: found standard_id {config.standard_id} with standard_acronym "
            f"{config.standard_acronym} in the settings; the registry {config.registry} lists {known}. The platform "
            "answers a wrong standard with an empty feed, which must not be taken for an empty market"
        )

    async def page_search(
        self,
        feed: str,
        start: int,
        filters: tuple[Filter, ...] = (),
        *,
        limit: int = PAGE_ROWS,
        backwards: bool = False,
    ) -> SearchPage:
        """The rows of a feed from the place ``start`` on, in the order of ``entityId``.

        ``backwards`` asks for the reverse order, in which the place 0 is the row with the highest ``entityId``.

        Raises FilterIgnored when a row does not match a filter, ContractBreach when the page has more rows than were
        asked for, or is not in order, or does not state its total; ConfigurationError for a start beyond the window.
        """
        operation = describe(feed, start, filters, backwards=backwards)
        if start >= self.window:
            raise ConfigurationError(f"{self.market}, {operation}: expected a start within the window {self.window}")
        limit = min(limit, PAGE_ROWS, self._config.page_rows, self.window - start)
        pagination: dict[str, object] = {
            "start": start,
            "limit": limit,
            "sortOptions": [{"sort": "entityId", "dir": "DESC" if backwards else "ASC"}],
        }
        document, body = await self._ask(feed, "publicReportPageSearch", operation, pagination, filters)
        try:
            total = whole_number(members(document, "the page").get("totalEntities"), "totalEntities")
            rows = tabulate(document, "entities[]")
            ids = _entity_ids(rows)
        except Undecodable as error:
            raise self.breach(str(error), operation) from error
        if rows.height > limit:
            raise self.breach(f"found {rows.height} rows, asked for {limit}", operation)
        rising = ids[::-1] if backwards else ids
        if any(lower >= higher for lower, higher in pairwise(rising)):
            raise self.breach("found rows out of the order of entityId, so that pages may overlap", operation)
        for one in filters:
            self._require_match(rows, one, operation)
        return SearchPage(total, rows, ids[0] if ids else None, ids[-1] if ids else None, body)

    async def count(self, feed: str, filters: tuple[Filter, ...] = ()) -> int:
        """How many rows a search has, as the platform states it; its first row must match, as above."""
        return (await self.page_search(feed, 0, filters, limit=1)).total

    async def aggregate_sum(self, feed: str, filters: tuple[Filter, ...] = ()) -> int:
        """The units of all rows of a search, as the platform sums them itself."""
        operation = f"sum of {describe(feed, None, filters)}"
        document, _ = await self._ask(feed, "aggregateResultBySearchFilter", operation, {}, filters, summed=True)
        try:
            return whole_number(members(document, "the aggregate").get("sum"), "sum")
        except Undecodable as error:
            raise self.breach(str(error), operation) from error

    def breach(self, message: str, operation: str) -> ContractBreach:
        """A breach of the platform's contract, in this market's name."""
        return ContractBreach(message, market=self.market, operation=operation)

    async def _ask(
        self,
        feed: str,
        question: str,
        operation: str,
        pagination: Mapping[str, object],
        filters: tuple[Filter, ...],
        *,
        summed: bool = False,
    ) -> tuple[Json, bytes]:
        model = {
            one.field: {"columnFilters": [{"filterType": one.kind, "type": "equals", "filter": one.value}]}
            for one in filters
        }
        search: dict[str, object] = {"pagination": pagination, "filterModel": model}
        if summed:
            search |= {"groupKeys": [], "statsSumByField": "holdingQuantity"}
        return await self._transport.read_json(
            "POST",
            f"{self._config.reports_url}/{feed}/{question}",
            operation=operation,
            headers=self._report,
            content=json.dumps({"searchFilter": search}, ensure_ascii=False).encode(),
            scope=SCOPE,
        )

    def _require_match(self, rows: pl.DataFrame, wanted: Filter, operation: str) -> None:
        if rows.is_empty():
            return
        found = rows.get_column(wanted.field).unique().to_list() if wanted.field in rows.columns else [None]
        if found != [wanted.value]:
            strange = next(value for value in found if value != wanted.value)
            raise FilterIgnored(
                f"asked for rows with {wanted.field} {wanted.value!r}, found one with {strange!r}",
                market=self.market,
                operation=operation,
            )


def describe(feed: str, start: int | None, filters: tuple[Filter, ...], *, backwards: bool = False) -> str:
    """A search in words, for messages and origins: ``holdings start=400 countryName=Brazil``."""
    place = [] if start is None else [f"start={start}{' from the end' if backwards else ''}"]
    return " ".join([feed, *place, *(f"{one.field}={one.value}" for one in filters)])


def _standard(value: Json) -> Standard:
    listed = members(value, "a standard")
    texts = {key: listed.get(key) for key in ("id", "name", "metaData")}
    absent = [key for key, text in texts.items() if not isinstance(text, str)]
    if absent:
        raise Undecodable(f"a standard has no text under {', '.join(absent)}")
    return Standard(*(str(text) for text in texts.values()))


def _entity_ids(rows: pl.DataFrame) -> list[int]:
    """The rows' ids where they have one; a row without is the mapping's to refuse, not the page's."""
    if "entityId" not in rows.columns:
        return []
    return [whole_number(text, "entityId") for text in rows.get_column("entityId") if text is not None]
