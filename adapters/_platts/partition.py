"""How a feed that is larger than the platform's window is read: from both its ends, or divided and the division proved.

The platform pages 10,000 rows of a search and no more. A search of up to twice as many is read from both its ends,
which needs no filter: the first 10,000 rows in the order of ``entityId``, the others in the reverse order. Every page
must state the total that the search was counted with, and the second end must stay clear of where the first one ended.

Beyond that filters must narrow it, and the platform ignores a filter that it does not understand, so a division is
believed only when its parts add up to the whole. It is tried by country, and a country that is still too large by its
projects; where that does not add up (rows without a country, a filter that is ignored) the whole feed by project; where
that does not either, the feed cannot be read and says so.

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
    """A search that fits into the window, or one end of a search that does not.

    Attributes:
        where: what the search is narrowed to; None for the whole feed.
        rows: how many rows are to be read here.
        whole: of an end, how many rows the search has, which may not change meanwhile; None where it fits.
        backwards: whether it is the end that is read in the reverse order.
        above: of that end, the ``entityId`` where the other one ended, which no row here may reach.
    """

    where: Filter | None
    rows: int
    whole: int | None = None
    backwards: bool = False
    above: int | None = None

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

    @property
    def operation(self) -> str:
        """What is asked for here, in words."""
        part = self.parts[0]
        return describe(self.feed, self.start, part.filters, backwards=part.backwards)

    def to_cursor(self) -> str:
        """The place as a JSON text. Numbers are written as text, so that they come back as they are."""
        after = None if self.after is None else str(self.after)
        parts = [_written(part) for part in self.parts]
        value = {"feed": self.feed, "start": str(self.start), "after": after, "parts": parts}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_cursor(cls, cursor: str, feed: str) -> Place:
        """The place that a cursor of this feed means. Raises ConfigurationError when it is none."""
        try:
            value = members(decode_json(cursor.encode()), "the cursor")
            place = cls(
                feed=str(value.get("feed")),
                start=whole_number(value.get("start"), "start"),
                after=_number_or_none(value.get("after"), "after"),
                parts=tuple(_part(one) for one in elements(value.get("parts"), "parts")),
            )
        except (Undecodable, UnicodeEncodeError) as error:
            raise ConfigurationError(
                f"found the cursor {cursor[:80]!r}, which is none of ours: {error}; read the feed from its beginning"
            ) from error
        if place.feed != feed or not place.parts:
            raise ConfigurationError(
                f"found a cursor of the feed {place.feed!r} with {len(place.parts)} parts, expected one of {feed!r}; "
                "read the feed from its beginning"
            )
        return place


def _written(part: Part) -> dict[str, Json]:
    """A part in a cursor, without what it does not have: there may be thousands of them."""
    numbers = {"rows": part.rows, "whole": part.whole, "above": part.above}
    written: dict[str, Json] = {name: str(number) for name, number in numbers.items() if number is not None}
    if part.where is not None:
        written["where"] = [part.where.field, part.where.value]
    if part.backwards:
        written["backwards"] = True
    return written


def _part(value: Json) -> Part:
    part = members(value, "a part")
    backwards = part.get("backwards", False)
    if not isinstance(backwards, bool):
        raise Undecodable(f"a part has backwards {backwards!r}, expected true or false")
    return Part(
        where=_where(part.get("where")),
        rows=whole_number(part.get("rows"), "the rows of a part"),
        whole=_number_or_none(part.get("whole"), "the whole of a part"),
        backwards=backwards,
        above=_number_or_none(part.get("above"), "what a part is above"),
    )


def _number_or_none(value: Json, name: str) -> int | None:
    return None if value is None else whole_number(value, name)


def _where(value: Json) -> Filter | None:
    if value is None:
        return None
    match elements(value, "where a part is"):
        case ["countryName", str(text)]:
            return Filter(COUNTRY, "Text", text)
        case ["projectId", str(text)]:
            return Filter(PROJECT, "Number", text)
    raise Undecodable(f"a part is where {value!r}, expected {COUNTRY} or {PROJECT} and its value")


async def read(client: PlattsClient, place: Place) -> tuple[SearchPage, Place | None]:
    """The page at a place, and the place after it, as ``advanced`` says; no row of the other end is on it."""
    part = place.parts[0]
    limit = PAGE_ROWS if part.whole is None else part.rows - place.start
    page = await client.page_search(place.feed, place.start, part.filters, limit=limit, backwards=part.backwards)
    return page, advanced(client, place, page)


def advanced(client: PlattsClient, place: Place, page: SearchPage) -> Place | None:
    """The place after a page was read; None at the end of the feed.

    A part that is no end and changed its size is read to its new end: the feed's totals before and after will differ,
    which is for the caller to judge. Raises ContractBreach when rows that are due did not come, Unavailable when the
    rows moved between two pages or the part outgrew the window, so that rows would be lost or doubled.
    """
    _require_unmoved(client, place, page)
    part, start = place.parts[0], place.start + page.rows.height
    last = place.after if page.last is None else page.last
    due = page.total if part.whole is None else part.rows
    if start < due:
        if page.rows.is_empty():
            raise client.breach(f"found no rows at {start} of the {due} that are due", place.operation)
        if start >= client.window:
            raise Unavailable(
                f"found {page.total} rows where {part.rows} were counted: more than the window of {client.window}",
                market=client.market,
                operation=place.operation,
            )
        return replace(place, start=start, after=last)
    rest = place.parts[1:]
    if rest and rest[0].backwards:
        rest = (replace(rest[0], above=last), *rest[1:])
    return Place(place.feed, 0, None, rest) if rest else None


def _require_unmoved(client: PlattsClient, place: Place, page: SearchPage) -> None:
    part, after, first, last = place.parts[0], place.after, page.first, page.last
    found = None
    if part.whole is not None and page.total != part.whole:
        found = f"{page.total} rows where {part.whole} were counted"
    elif after is not None and first is not None and (first >= after if part.backwards else first <= after):
        found = f"entityId {first} after {after}"
    elif part.above is not None and last is not None and last <= part.above:
        found = f"entityId {last} where the other end had come to {part.above}"
    if found is not None:
        raise Unavailable(
            f"found {found}: the rows moved while they were read", market=client.market, operation=place.operation
        )


async def divide(client: PlattsClient, feed: str, total: int) -> tuple[Part, ...]:
    """Parts of a feed that together are the whole of it, each of them within the window.

    Args:
        client: the platform.
        feed: the feed, in the platform's word.
        total: how many rows it was stated to have.

    Raises Unavailable when the feed changed its size meanwhile, ContractBreach when it cannot be divided.
    """
    if total <= 2 * client.window:
        return _within_reach(client, None, total)
    if feed == PROJECT_FEED:
        # What lies out of reach is not known yet: whether its countries are all, their sum decides.
        projects = await _known_projects(client, _within_reach(client, None, total))
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


def _within_reach(client: PlattsClient, where: Filter | None, rows: int) -> tuple[Part, ...]:
    """What can be read of a search: all of it, from both its ends, or its two ends without what is between them."""
    if rows <= client.window:
        return (Part(where, rows),)
    others = min(rows - client.window, client.window)
    return Part(where, client.window, whole=rows), Part(where, others, whole=rows, backwards=True)


async def _by_country(client: PlattsClient, feed: str, total: int, projects: _Projects) -> tuple[Part, ...]:
    countries = sorted({country for country, _ in projects if country})
    parts: list[Part] = []
    for part in await _counted(client, feed, [Filter(COUNTRY, "Text", one) for one in countries], total):
        if part.rows <= 2 * client.window or part.where is None:
            parts += _within_reach(client, part.where, part.rows)
        elif feed == PROJECT_FEED:
            raise _Undivided(
                f"{part.where.value} alone has {part.rows} rows, more than twice the window of {client.window}"
            )
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
            f"{total} rows are more than twice the window of {client.window}, and no filter divides them: "
            f"{by_country}; {error}",
            f"divide {feed}",
        ) from error


async def _fitting(client: PlattsClient, feed: str, projects: Iterable[str], total: int) -> tuple[Part, ...]:
    filters = [Filter(PROJECT, "Number", one) for one in sorted(set(projects), key=lambda text: (len(text), text))]
    parts = await _counted(client, feed, filters, total)
    for part in parts:
        if part.rows > 2 * client.window and part.where is not None:
            raise client.breach(
                f"project {part.where.value} alone has {part.rows} rows, more than twice the window of {client.window}",
                f"divide {feed}",
            )
    return tuple(one for part in parts for one in _within_reach(client, part.where, part.rows))


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
    place: Place | None = Place(PROJECT_FEED, 0, None, parts)
    while place is not None:  # every page but a part's last one has a row, and no part goes on beyond the window
        page, place = await read(client, place)
        if page.rows.is_empty():
            continue
        if not {COUNTRY, PROJECT} <= set(page.rows.columns):
            raise client.breach(
                f"found projects with {', '.join(page.rows.columns)}, expected {COUNTRY} and {PROJECT}", PROJECT_FEED
            )
        found.update((country, project) for country, project in page.rows.select(COUNTRY, PROJECT).rows() if project)
    return tuple(found)


async def _require_unchanged(client: PlattsClient, feed: str, total: int) -> None:
    now = await client.count(feed)
    if now != total:
        raise Unavailable(
            f"found {now} rows where {total} were stated a moment ago: the feed changed while it was divided",
            market=client.market,
            operation=f"divide {feed}",
        )


class _Undivided(Exception):
    """The parts do not add up to the whole."""
