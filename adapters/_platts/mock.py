"""A stand-in of the S&P Platts registry platform, for every registry that is on it.

It serves the public reports with the platform's limits and traps, as measured in July 2026 (registries.md 1.1 B):

- the registry and the standard are named in headers; a missing header is a generic 500, a wrong but plausible
  ``standardid`` is a 200 without rows;
- at most 400 rows a page; ``start + limit`` beyond the window of 10,000 is a 500;
- without a sort by ``entityId`` the order of rows that are otherwise equal changes from request to request, and a
  field that cannot be sorted by is a 500;
- a filter that is not understood is ignored without a word, so that the whole index comes back;
- an aggregate with group keys is a 500; ``first`` and ``last`` are always false.

Simulated, because no capture shows it: the shape around the URIs in ``environment.config.json``, the answers to a
malformed body, an unknown path, method, registry, application or stated field, and the zone of the platform's naive
times (UTC here).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar

import httpx

from adapters._platts.mock_rows import Form, NumberText, Value
from gateway.kit.clock import Clock

ROOT: Final = "/ci-raas-prod"
REPORTS: Final = f"{ROOT}/raas-report-api/es/public"
RESOURCES: Final = f"{ROOT}/cms-resources"
CONFIGURATION: Final = "/config/environment.config.json"
PAGE_LIMIT: Final = 400
WINDOW: Final = 10_000
DEFAULT_LIMIT: Final = 15

_SITE_HEADERS = ("application", "appkey", "x-xsrf-token")
_REPORT_HEADERS = (*_SITE_HEADERS, "registry", "standardid", "standardacronym", "language")
_STANDARD_ID_DIGITS = 15
_EXPORTS = {
    "ACCOUNTS": False,
    "PROJECTS": True,
    "ISSUANCES_LISTINGS": True,
    "HOLDINGS": True,
    "RETIREMENTS": True,
    "ASSIGNMENTS": False,
    "CANCELLATIONS": True,
    "NOT_DELIVERED": False,
    "BUFFERS": True,
}


class Indexed(Protocol):
    """A record of the platform's index."""

    @property
    def entity_id(self) -> int:
        """Identifies the row within its feed, and gives the only dependable order."""
        ...

    @property
    def revision(self) -> int:
        """Grows with every change of the record: a rendered row is kept until then."""
        ...

    @property
    def stated_quantity(self) -> int:
        """What the aggregate counts the row for, in units; 0 where the feed has no quantity."""
        ...


R = TypeVar("R", bound=Indexed)

_entity_id = attrgetter("entity_id")


@dataclass(frozen=True, slots=True)
class Feed(Generic[R]):
    """One public report of a registry.

    Args:
        name: its word in the path, for example ``holdings``.
        records: the records there are now, in any order.
        form: the feed's keys.
        row: what a record fills into the form.
        filters: the fields a filter is understood for, and how each is read off a record.
        sorts: the fields rows can be sorted by, besides ``entityId``, and how each is read off a record.
    """

    name: str
    records: Callable[[], Iterable[R]]
    form: Form
    row: Callable[[R], Mapping[str, Value]]
    filters: Mapping[str, Callable[[R], Value]]
    sorts: Mapping[str, Callable[[R], str | int | None]]


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard that a registry publishes, as the platform lists it."""

    id: str
    name: str
    acronym: str


class PlattsMock:
    """The platform's public reports over one registry's feeds.

    Args:
        registry: the registry's word on the platform, for example ``VERRA``.
        standards: what the registry publishes; the feeds belong to the first, the others have no rows.
        feeds: the reports.
        clock: the time that error bodies state.
        seed: decides the order of rows where the platform promises none.
        window: how far ``start + limit`` may reach.
    """

    def __init__(
        self,
        *,
        registry: str,
        standards: Sequence[Standard],
        feeds: Sequence[Feed[Any]],
        clock: Clock,
        seed: int,
        window: int = WINDOW,
    ) -> None:
        self._registry = registry
        self._standards = tuple(standards)
        self._feeds = {feed.name: feed for feed in feeds}
        self._clock = clock
        self._seed = seed
        self._window = window
        self._requests = 0
        self._rendered: dict[tuple[str, int], tuple[int, bytes]] = {}

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request as the platform would."""
        self._requests += 1
        path = request.url.path
        try:
            return self._answer(request, path)
        except _Failure as failure:
            return _json_response(failure.status, _failure_body(failure.status, path, self._clock()))

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == CONFIGURATION:
            _require_method(request, "GET")
            return _json_response(200, _configuration(request.url))
        listing = f"{RESOURCES}/public/standardsByRegistry/"
        if path.startswith(listing):
            _require_method(request, "GET")
            _require_headers(request, _SITE_HEADERS)
            return _json_response(200, self._list_standards(path.removeprefix(listing)))
        feed_name, _, operation = path.removeprefix(f"{REPORTS}/").partition("/")
        feed = self._feeds.get(feed_name)
        if not path.startswith(f"{REPORTS}/") or feed is None:
            raise _Failure(404)
        answers: dict[str, Callable[[Feed[Any], list[Any], Mapping[str, Any]], bytes]]
        answers = {"publicReportPageSearch": self._page, "aggregateResultBySearchFilter": self._aggregate}
        if feed_name == "project":
            answers["publicProjectsSum"] = self._count
        answer = answers.get(operation)
        if answer is None:
            raise _Failure(404)
        _require_method(request, "POST")
        _require_headers(request, _REPORT_HEADERS)
        search = _search_filter(request.content)
        records = _filtered(feed, self._visible(feed, request), search.get("filterModel"))
        return _json_response(200, answer(feed, records, search))

    def _visible(self, feed: Feed[Any], request: httpx.Request) -> list[Any]:
        standard = request.headers["standardid"]
        if not standard.isdecimal() or len(standard) != _STANDARD_ID_DIGITS:
            raise _Failure(500)
        if (request.headers["registry"], standard) != (self._registry, self._standards[0].id):
            return []
        return list(feed.records())

    def _page(self, feed: Feed[Any], records: list[Any], search: Mapping[str, Any]) -> bytes:
        pagination = _mapping(search.get("pagination"))
        start = _whole(pagination.get("start", 0))
        limit = _whole(pagination.get("limit", DEFAULT_LIMIT))
        if not 1 <= limit <= PAGE_LIMIT or start + limit > self._window:
            raise _Failure(500)
        ordered = self._ordered(feed, records, pagination.get("sortOptions"))
        rows = [self._row(feed, record) for record in ordered[start : start + limit]]
        envelope = {
            "totalPages": -(-len(records) // limit),
            "totalEntities": len(records),
            "start": start,
            "limit": limit,
            "numberOfElements": len(rows),
            "first": False,
            "last": False,
            "pageStats": None,
            "searchAfter": None,
            "pitId": None,
        }
        return b'{"entities":[' + b",".join(rows) + b"]," + _compact(envelope)[1:]

    def _ordered(self, feed: Feed[Any], records: list[Any], options: object) -> list[Any]:
        asked = [_mapping(option) for option in _sequence(options or [])]
        fields = [option.get("sort") for option in asked]
        if "entityId" not in fields:
            # Any order is as good as another to the platform, and the next request gets another.
            chance = random.Random(f"{self._seed}:{self._requests}")  # noqa: S311 - a repeatable order, no secret
            chance.shuffle(records)
        for field, option in reversed(list(zip(fields, asked, strict=True))):
            descending = str(option.get("dir", "ASC")).upper() == "DESC"
            if field == "entityId":
                records.sort(key=_entity_id, reverse=descending)
                continue
            read: Callable[[Any], Any] | None = feed.sorts.get(str(field))
            if read is None:
                raise _Failure(500)
            # Rows without the value come last in either direction.
            missing = [record for record in records if read(record) is None]
            records = [record for record in records if read(record) is not None]
            records.sort(key=read, reverse=descending)
            records += missing
        return records

    def _row(self, feed: Feed[Any], record: Indexed) -> bytes:
        key = (feed.name, record.entity_id)
        kept = self._rendered.get(key)
        if kept is not None and kept[0] == record.revision:
            return kept[1]
        rendered = feed.form.filled(feed.row(record))
        self._rendered[key] = (record.revision, rendered)
        return rendered

    def _aggregate(self, _feed: Feed[Any], records: list[Any], search: Mapping[str, Any]) -> bytes:
        if search.get("groupKeys"):
            raise _Failure(500)
        counted = search.get("statsSumByField") == "holdingQuantity"
        total = sum(record.stated_quantity for record in records) if counted else 0
        return _compact({"average": 0, "sum": total, "total": 0, "additionalTotals": None})

    def _count(self, _feed: Feed[Any], records: list[Any], _search: Mapping[str, Any]) -> bytes:
        return _compact({"average": 0, "sum": 0, "total": len(records), "additionalTotals": None})

    def _list_standards(self, registry: str) -> bytes:
        listed = self._standards if registry == self._registry else ()
        return _compact(
            [
                {
                    "id": standard.id,
                    "name": standard.name,
                    "entityName": None,
                    "metaData": standard.acronym,
                    "publicReportExport": _EXPORTS,
                }
                for standard in listed
            ]
        )


class _Failure(Exception):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


def _filtered(feed: Feed[R], records: list[R], model: object) -> list[R]:
    """Keeps what the understood filters keep. One that is not understood is ignored: that is the platform's trap."""
    for field, condition in _mapping(model or {}).items():
        read = feed.filters.get(field)
        if read is None or not isinstance(condition, dict):
            continue
        for column_filter in _sequence(condition.get("columnFilters") or []):
            wanted = _wanted(column_filter)
            if wanted is not None:
                records = [record for record in records if _text(read(record)) in wanted]
    return records


def _wanted(column_filter: object) -> frozenset[str] | None:
    """The texts that a column filter lets pass; ``None`` when the platform does not understand it."""
    if not isinstance(column_filter, dict):
        return None
    shape = (column_filter.get("filterType"), column_filter.get("type"))
    single = column_filter.get("filter")
    if shape in {("Text", "equals"), ("Number", "equals"), ("Boolean", "equals")} and isinstance(single, str | int):
        return frozenset({_text(single)})
    several = column_filter.get("strList")
    if shape == ("Text", "in") and isinstance(several, list):
        return frozenset(str(one) for one in several)
    return None


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # No filter can ask for a row without the value: NUL stands in no query of a sane caller.
    return "\0" if value is None else str(value)


def _search_filter(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content, parse_float=NumberText)
    except (ValueError, RecursionError):
        raise _Failure(400) from None
    return _mapping(_mapping(body).get("searchFilter"))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Failure(500)
    return value


def _sequence(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _Failure(500)
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _Failure(500)
    return value


def _require_method(request: httpx.Request, method: str) -> None:
    if request.method != method:
        raise _Failure(405)


def _require_headers(request: httpx.Request, names: Iterable[str]) -> None:
    if any(not request.headers.get(name) for name in names) or request.headers["application"] != "Markit":
        raise _Failure(500)


def _configuration(url: httpx.URL) -> bytes:
    base = f"{url.scheme}://{url.netloc.decode('ascii')}"
    uris = {
        "baseUri": f"{base}{ROOT}",
        "raasReportPublicManager": f"{base}{REPORTS}",
        "cmsResources": f"{base}{RESOURCES}",
    }
    return _compact({"environment": "simulated", "uris": uris})


def _failure_body(status: int, path: str, now: datetime) -> bytes:
    phrase = HTTPStatus(status).phrase
    stamp = now.isoformat(timespec="milliseconds")
    return _compact({"timestamp": stamp, "status": status, "error": phrase, "path": path})


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _json_response(status: int, content: bytes) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "application/json"}, content=content)
