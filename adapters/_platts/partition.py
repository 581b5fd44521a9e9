"""How a feed that is larger than the platform's window is read: divided, and the division proved.

The platform pages 10,000 rows of a search and no more, and it ignores a filter that it does not understand. So a
division is believed only when its parts add up to the whole: first by country, a country that is still too large by
its projects; where that does not add up (rows without a country, a filter that is ignored) the whole feed by project;
where that does not either, the feed cannot be read and says so.

What a part is asked for comes from the project feed. The division travels in the cursor, which holds only what is
still to be read, so that the adapter remembers nothing and the same cursor gives the same page.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from adapters._platts.client import PAGE_ROWS, Filter, FilterIgnored, PlattsClient, SearchPage, describe
from gateway.kit.decoding import Json, Undecodable, decode_json, elements, members, whole_number
from gateway.kit.errors import Unavailable
from gateway.model.errors import ConfigurationError

PARTS_LIMIT: Final = 20_000
AT_ONCE: Final = 8
"""How many parts are counted at the same time: a feed that changes while it is divided must be divided again."""

PROJECT_FEED: Final = "project"
COUNTRY: Final = "countryName"
PROJECT: Final = "projectId"

_Projects: TypeAlias = tuple[tuple[str | None, str], ...]
"""Country and number of each project."""


@dataclass(frozen=True, slots=True)
class Part:
    """A search that fits into the window.

    Attributes:
        where: what it is narrowed to; None for the whole feed.
        rows: how many rows it had when it was counted.
    """

    where: Filter | None
    rows: int

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters to ask with."""
        return () if self.where is None else (self.where,)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a feed was read.

    Attributes:
        feed: the feed it belongs to, in the platform's word.
        start: the place of the next row within the first part.
        after: the ``entityId`` of the row before it; None at a part's beginning.
        parts: what is still to be read, the first one being under way.
    """

    feed: str
    start: int
    after: int | None
    parts: tuple[Part, ...]

    def to_cursor(self) -> str:
        """The place as a small JSON text. Numbers are written as text, so that they come back as they are."""
        parts = [
            [part.where.field, part.where.value, str(part.rows)] if part.where else [str(part.rows)]
            for part in self.parts
        ]
        after = None if self.after is None else str(self.after)
        value = {"feed": self.feed, "start": str(self.start), "after": after, "parts": parts}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_cursor(cls, cursor: str, feed: str) -> Place:
        """The place that a cursor of this feed means. Raises ConfigurationError when it is none."""
        try:
            value = members(decode_json(cursor.encode()), "the cursor")
            after = value.get("after")
            place = cls(
                feed=str(value.get("feed")),
                start=whole_number(value.get("start"), "start"),
                after=None if after is None else whole_number(after, "after"),
                parts=tuple(_part(one) for one in elements(value.get("parts"), "parts")),
            )
        except (Undecodable, UnicodeEncodeError) as error:
            raise ConfigurationError(f"found the cursor {cursor[:80]!r}, which is none of ours: {error}") from error
        if place.feed != feed or not place.parts:
            raise ConfigurationError(
                f"found a cursor of the feed {place.feed!r} with {len(place.parts)} parts, expected one of {feed!r}; "
                "read the feed from its beginning"
            )
        return place


def _part(value: Json) -> Part:
    texts = [str(one) for one in elements(value, "a part")]
    match texts:
        case [rows]:
            return Part(None, whole_number(rows, "the rows of a part"))
        case [field, text, rows] if field == COUNTRY:
            return Part(Filter(COUNTRY, "Text", text), whole_number(rows, "the rows of a part"))
        case [field, text, rows] if field == PROJECT:
            return Part(Filter(PROJECT, "Number", text), whole_number(rows, "the rows of a part"))
    raise Undecodable(f"a part is {texts!r}, expected a number of rows with or without a field and a value")


def advanced(client: PlattsClient, place: Place, page: SearchPage) -> Place | None:
    """The place after a page was read; None at the end of the feed.

    A part that changed its size is read to its new end: the feed's totals before and after will differ, which is for
    the caller to judge. Raises ContractBreach when rows that are due did not come, Unavailable when the rows moved
    between two pages or the part outgrew the window, so that rows would be lost or doubled.
    """
    part, start = place.parts[0], place.start + page.rows.height
    operation = describe(place.feed, place.start, part.filters)
    if place.after is not None and page.first is not None and page.first <= place.after:
        raise Unavailable(
            f"found entityId {page.first} after {place.after}: the rows moved while they were read",
            market=client.market,
            operation=operation,
        )
    if start < page.total:
        if page.rows.is_empty():
            raise client.breach(f"found no rows at {start} of the {page.total} stated", operation)
        if start >= client.window:
            raise Unavailable(
                f"found {page.total} rows where {part.rows} were counted: more than the window of {client.window}",
                market=client.market,
                operation=operation,
            )
        return replace(place, start=start, after=page.last if page.last is not None else place.after)
    rest = place.parts[1:]
    return Place(place.feed, 0, None, rest) if rest else None


async def divide(client: PlattsClient, feed: str, total: int) -> tuple[Part, ...]:
    """Parts of a feed that together are the whole of it, each within the window.

    Args:
        client: the platform.
        feed: the feed, in the platform's word.
        total: how many rows it was stated to have.

    Raises Unavailable when the feed changed its size meanwhile, ContractBreach when it cannot be divided.
    """
    if total <= client.window:
        return (Part(None, total),)
    if feed == PROJECT_FEED:
        # What lies beyond the window is not known yet: whether its countries are all, their sum decides.
        projects = await _known_projects(client, (Part(None, client.window),))
    else:
        projects = await _all_projects(client)
    try:
        parts = await _by_country(client, feed, total, projects)
    except (_Undivided, FilterIgnored) as error:
        await _require_unchanged(client, feed, total)
        if feed == PROJECT_FEED:
            raise client.breach(f"{total} rows cannot be divided by country: {error}", f"divide {feed}") from error
        parts = await _by_project(client, feed, total, projects, error)
    await _require_unchanged(client, feed, total)
    return parts


async def _by_country(client: PlattsClient, feed: str, total: int, projects: _Projects) -> tuple[Part, ...]:
    countries = sorted({country for country, _ in projects if country})
    parts: list[Part] = []
    for part in await _counted(client, feed, [Filter(COUNTRY, "Text", one) for one in countries], total):
        if part.rows <= client.window or part.where is None:
            parts.append(part)
        elif feed == PROJECT_FEED:
            raise _Undivided(f"{part.where.value} alone has {part.rows} rows, the window is {client.window}")
        else:
            inside = [project for country, project in projects if country == part.where.value]
            parts += await _fitting(client, feed, inside, part.rows)
    return tuple(parts)


async def _by_project(
    client: PlattsClient, feed: str, total: int, projects: _Projects, by_country: Exception
) -> tuple[Part, ...]:
    try:
        return await _fitting(client, feed, [project for _, project in projects], total)
    except (_Undivided, FilterIgnored) as error:
        await _require_unchanged(client, feed, total)
        raise client.breach(
            f"{total} rows are more than the window of {client.window}, and no filter divides them: "
            f"{by_country}; {error}",
            f"divide {feed}",
        ) from error


async def _fitting(client: PlattsClient, feed: str, projects: Iterable[str], total: int) -> tuple[Part, ...]:
    filters = [Filter(PROJECT, "Number", one) for one in sorted(set(projects), key=lambda text: (len(text), text))]
    parts = await _counted(client, feed, filters, total)
    for part in parts:
        if part.rows > client.window and part.where is not None:
            raise client.breach(
                f"project {part.where.value} alone has {part.rows} rows, more than the window of {client.window}",
                f"divide {feed}",
            )
    return parts


async def _counted(client: PlattsClient, feed: str, filters: Sequence[Filter], total: int) -> tuple[Part, ...]:
    """The parts that are not empty. Raises _Undivided unless they add up to the total."""
    if len(filters) > PARTS_LIMIT:
        raise client.breach(f"found {len(filters)} values to divide by, expected {PARTS_LIMIT} at most", feed)
    parts: list[Part] = []
    found = 0
    for begin in range(0, len(filters), AT_ONCE):
        asked = filters[begin : begin + AT_ONCE]
        answers = await asyncio.gather(*(client.count(feed, (one,)) for one in asked), return_exceptions=True)
        for one, rows in zip(asked, answers, strict=True):
            if isinstance(rows, BaseException):
                raise rows
            found += rows
            parts += [Part(one, rows)] if rows else []
        if found > total:
            break  # an ignored filter answers with the whole feed, which need not be asked for every value
    if found != total:
        field = filters[0].field if filters else "any field"
        raise _Undivided(f"the parts by {field} have {found} rows{' or more' * (found > total)}, the whole has {total}")
    return tuple(parts)


async def _all_projects(client: PlattsClient) -> _Projects:
    total = await client.count(PROJECT_FEED)
    return await _known_projects(client, await divide(client, PROJECT_FEED, total)) if total else ()


async def _known_projects(client: PlattsClient, parts: tuple[Part, ...]) -> _Projects:
    found: set[tuple[str | None, str]] = set()
    for part in parts:
        for start in range(0, part.rows, PAGE_ROWS):
            rows = (await client.page_search(PROJECT_FEED, start, part.filters)).rows
            if not {COUNTRY, PROJECT} <= set(rows.columns):
                raise client.breach(
                    f"found projects with {', '.join(rows.columns)}, expected {COUNTRY} and {PROJECT}", PROJECT_FEED
                )
            found.update((country, project) for country, project in rows.select(COUNTRY, PROJECT).rows() if project)
    return tuple(found)


async def _require_unchanged(client: PlattsClient, feed: str, total: int) -> None:
    now = await client.count(feed)
    if now != total:
        raise Unavailable(
            f"found {now} rows where {total} were stated a moment ago: the feed changed while it was divided",
            market=client.market,
            operation=f"divide {feed}",
        )


class _Undivided(Exception):  # noqa: N818 - a finding of this module, which decides what follows from it
    """The parts do not add up to the whole."""
