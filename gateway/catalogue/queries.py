"""What the catalogue can be asked, each answer bounded and in a stable order.

Rows are plain mappings of column to value: units as integers, days as ``date``. ``total`` is how many there are in all,
so that a cut list says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.vocabulary import PullStatus, RecordKind, UnitState
from gateway.store.events import event
from gateway.store.tables.catalogue import (
    batch,
    block,
    cash_balance,
    drift,
    holding,
    listing,
    project,
    pull,
    pull_document,
    quarantine,
)

ROWS_LIMIT: Final = 10_000
READ: Final = (PullStatus.COMPLETE.value, PullStatus.INCOMPLETE.value)
ADDED: Final[Mapping[RecordKind, Table]] = {
    RecordKind.PROJECT: project,
    RecordKind.BATCH: batch,
    RecordKind.BLOCK: block,
    RecordKind.HOLDING: holding,
    RecordKind.LISTING: listing,
    RecordKind.CASH_BALANCE: cash_balance,
}
ENDED: Final = (UnitState.RETIRED, UnitState.CANCELLED, UnitState.RETIRED_OR_CANCELLED)


@dataclass(frozen=True, slots=True)
class Answer:
    """Some rows of a list, and how many it has."""

    rows: list[dict[str, Any]]
    total: int


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """Which blocks are asked for; None asks for all.

    Attributes:
        vintage: a year; blocks whose vintage period touches it.
        country: an ISO code or the registry's own word, in any case.
        label: one of our label codes (``CORSIA-PILOT-ELIGIBLE``).
    """

    market: str | None = None
    project: str | None = None
    vintage: int | None = None
    state: UnitState | None = None
    country: str | None = None
    label: str | None = None
    class_id: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL conditions on blocks; gone ones are never among them."""
        wanted: list[ColumnElement[bool]] = [block.c.gone_pull.is_(None)]
        if self.market is not None:
            wanted.append(block.c.market == self.market)
        if self.project is not None:
            wanted.append(block.c.project_id == self.project)
        if self.vintage is not None:
            wanted.append(block.c.vintage_start <= date(self.vintage, 12, 31))
            wanted.append(block.c.vintage_end >= date(self.vintage, 1, 1))
        if self.state is not None:
            wanted.append(block.c.state == self.state.value)
        if self.country is not None:
            wanted.append(_in_country(block.c.country, block.c.country_native, self.country))
        if self.label is not None:
            wanted.append(block.c.labels.contains([self.label.upper()]))
        if self.class_id is not None:
            wanted.append(block.c.class_id == self.class_id)
        return wanted


async def blocks(connection: AsyncConnection, wanted: BlockFilter, limit: int) -> Answer:
    """Blocks, in the order of their serials."""
    conditions = wanted.conditions()
    shown = select(
        block.c.market,
        block.c.project_id,
        block.c.project_name,
        block.c.serial,
        block.c.space,
        block.c.first,
        block.c.last,
        block.c.quantity,
        block.c.quantity_unit,
        block.c.unit_kind,
        block.c.vintage_start,
        block.c.vintage_end,
        block.c.state,
        block.c.state_native,
        block.c.buffer,
        block.c.labels,
        block.c.country,
        block.c.country_native,
        block.c.issued_on,
        block.c.ended_on,
        block.c.holder,
        block.c.class_id,
    ).where(*conditions)
    order = (block.c.market, block.c.space, block.c.first, block.c.record_key, block.c.copy)
    return await _answer(connection, shown.order_by(*order), block, conditions, limit)


async def classes(connection: AsyncConnection, wanted: BlockFilter, limit: int) -> Answer:
    """Credit classes with their units: active ones (which can be sold), in the buffer, and ended."""
    conditions = wanted.conditions()
    active = and_(block.c.state == UnitState.ACTIVE.value, ~block.c.buffer)
    ended = block.c.state.in_([state.value for state in ENDED])
    shown = (
        select(
            block.c.market,
            block.c.class_id,
            func.min(block.c.project_id).label("project_id"),
            func.min(block.c.project_name).label("project_name"),
            func.min(block.c.country).label("country"),
            func.count().label("blocks"),
            _units(active).label("active"),
            _units(and_(block.c.buffer, ~ended)).label("buffer"),
            _units(ended).label("ended"),
            func.min(block.c.quantity_unit).label("quantity_unit"),
        )
        .where(*conditions)
        .group_by(block.c.market, block.c.class_id)
        .order_by(_units(active).desc(), block.c.market, block.c.class_id)
    )
    total = await connection.scalar(select(func.count()).select_from(shown.order_by(None).subquery()))
    rows = await connection.execute(shown.limit(min(limit, ROWS_LIMIT)))
    return Answer([dict(row) for row in rows.mappings()], int(total or 0))


async def projects(
    connection: AsyncConnection,
    *,
    market: str | None,
    state: str | None,
    country: str | None,
    text: str | None,
    limit: int,
) -> Answer:
    """Projects, in the order of their ids; ``text`` is looked for in name and proponent."""
    conditions: list[ColumnElement[bool]] = [project.c.gone_pull.is_(None)]
    if market is not None:
        conditions.append(project.c.market == market)
    if state is not None:
        conditions.append(or_(project.c.state == state.lower(), func.lower(project.c.state_native) == state.lower()))
    if country is not None:
        conditions.append(_in_country(project.c.country, project.c.country_native, country))
    if text is not None:
        conditions.append(
            or_(
                project.c.name.icontains(text, autoescape=True),
                project.c.proponent.icontains(text, autoescape=True),
                project.c.project_id == text,
            )
        )
    skipped = {"record_key", "copy", "native_key", "first_pull", "changed_pull", "gone_pull", "source", "position"}
    shown = select(*(column for column in project.c if column.name not in skipped)).where(*conditions)
    order = (project.c.market, func.length(project.c.project_id), project.c.project_id, project.c.copy)
    return await _answer(connection, shown.order_by(*order), project, conditions, limit)


async def quarantined(connection: AsyncConnection, *, market: str | None, limit: int) -> Answer:
    """Rows that wait in quarantine, newest first, each as received and with its reasons."""
    conditions: list[ColumnElement[bool]] = [quarantine.c.resolved_pull.is_(None)]
    if market is not None:
        conditions.append(quarantine.c.market == market)
    shown = (
        select(
            quarantine.c.id,
            quarantine.c.market,
            quarantine.c.mapping,
            quarantine.c.record_key,
            quarantine.c.reasons,
            quarantine.c.raw,
            quarantine.c.position,
            func.encode(pull_document.c.document, "hex").label("document"),
            pull_document.c.as_of,
        )
        .join(pull_document, pull_document.c.id == quarantine.c.source)
        .where(*conditions)
        .order_by(quarantine.c.id.desc())
    )
    return await _answer(connection, shown, quarantine, conditions, limit)


async def drifted(connection: AsyncConnection, *, market: str | None) -> list[dict[str, Any]]:
    """Columns that came and nobody mapped, or did not come and somebody did."""
    shown = select(drift.c.market, drift.c.mapping, drift.c.path, drift.c.kind, drift.c.first_pull, drift.c.last_pull)
    if market is not None:
        shown = shown.where(drift.c.market == market)
    rows = await connection.execute(shown.order_by(drift.c.market, drift.c.mapping, drift.c.path).limit(ROWS_LIMIT))
    return [dict(row) for row in rows.mappings()]


async def market_figures(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    """For each market with anything known: projects, batches, blocks, active units, quarantined rows, last pulls."""
    figures: dict[str, dict[str, Any]] = {}
    for name, table in (("projects", project), ("batches", batch), ("blocks", block)):
        rows = await connection.execute(
            select(table.c.market, func.count()).where(table.c.gone_pull.is_(None)).group_by(table.c.market)
        )
        for market, count in rows:
            figures.setdefault(market, {})[name] = count
    active = and_(block.c.state == UnitState.ACTIVE.value, ~block.c.buffer, block.c.gone_pull.is_(None))
    for market, units in await connection.execute(select(block.c.market, _units(active)).group_by(block.c.market)):
        figures.setdefault(market, {})["active_units"] = units
    waiting = select(quarantine.c.market, func.count()).where(quarantine.c.resolved_pull.is_(None))
    for market, count in await connection.execute(waiting.group_by(quarantine.c.market)):
        figures.setdefault(market, {})["quarantined"] = count
    latest = (
        select(pull.c.market, pull.c.id, pull.c.origin, pull.c.status, pull.c.finished_at)
        .where(pull.c.status != PullStatus.RUNNING.value)
        .ext(distinct_on(pull.c.market))
        .order_by(pull.c.market, pull.c.id.desc())
    )
    for row in await connection.execute(latest):
        figures.setdefault(row.market, {})["last_pull"] = {
            "pull": row.id,
            "origin": row.origin,
            "status": row.status,
            "finished_at": row.finished_at,
        }
    return figures


async def changes(connection: AsyncConnection, *, pull_number: int, limit: int) -> Answer:
    """What one pull changed: records changed, returned or gone, in the order in which it was told, then those added.

    What a market's first pull adds is all there is, and no change. An addition is told by the record itself (it knows
    the pull that first showed it), so it has no event and no ``id``.
    """
    told = select(event.c.id, event.c.recorded_at, event.c.kind, event.c.subject, event.c.data).where(
        event.c.data["pull"].astext == str(pull_number), event.c.kind != "pull.finished"
    )
    every = union_all(told, *(_added(kind, table, pull_number) for kind, table in ADDED.items())).subquery()
    total = await connection.scalar(select(func.count()).select_from(every))
    order = (every.c.id.nulls_last(), every.c.kind.desc(), every.c.subject)
    rows = await connection.execute(select(every).order_by(*order).limit(min(limit, ROWS_LIMIT)))
    return Answer([dict(row) for row in rows.mappings()], int(total or 0))


def _added(kind: RecordKind, table: Table, pull_number: int) -> Select[Any]:
    earlier = (
        select(literal(1))
        .select_from(pull)
        .where(pull.c.market == table.c.market, pull.c.id < pull_number, pull.c.status.in_(READ))
        .exists()
    )
    said = ["pull", literal(pull_number), *_told(kind, table)]
    return select(
        cast(null(), BigInteger).label("id"),
        select(pull.c.finished_at).where(pull.c.id == pull_number).scalar_subquery().label("recorded_at"),
        literal(f"{kind}.added").label("kind"),
        (table.c.market + f"/{kind}/" + table.c.record_key).label("subject"),
        func.jsonb_build_object(*said).label("data"),
    ).where(table.c.first_pull == pull_number, earlier)


def _told(kind: RecordKind, table: Table) -> list[Any]:
    """What an addition says of itself, as names and values."""
    if kind is RecordKind.CASH_BALANCE:
        return ["project", table.c.account, "state", table.c.currency, "minor", table.c.booked]
    state = func.coalesce(table.c.state_native, table.c.state)
    if kind is RecordKind.PROJECT:
        return ["project", table.c.project_id, "state", state, "name", table.c.name]
    about = (
        table.c.project_id if kind is not RecordKind.LISTING else func.coalesce(table.c.project_id, table.c.instrument)
    )
    return ["project", about, "state", state, "units", table.c.quantity]


async def market_of_pull(connection: AsyncConnection, pull_number: int) -> str | None:
    """The market that a pull looked at; None where there is no such pull."""
    market: str | None = await connection.scalar(select(pull.c.market).where(pull.c.id == pull_number))
    return market


def sentence(programme: str, change: Mapping[str, Any]) -> str:
    """A change as people say it: ``VCS 1748: Registered → On Hold``."""
    kind, verb = str(change["kind"]).split(".")
    data: Mapping[str, Any] = change["data"]
    who = f"{programme} {data.get('project')}"
    if kind != "project":
        who = f"{who}, {kind} {str(change['subject']).split('/', 2)[2]}"
    if verb == "added":
        what = f", {data['units']:,} units" if "units" in data else f", {data.get('name') or data.get('minor')}"
        return f"{who}: new, {data.get('state')}{what}"
    if verb == "gone" and data.get("superseded"):
        return f"{who}: its units are shown in other blocks"
    if verb == "gone":
        return f"{who}: no longer shown by its market"
    told: Sequence[Mapping[str, Any]] = data.get("changes", ())
    parts = [_changed(one) for one in told if not _said_better(one, told)]
    if verb == "returned":
        parts.insert(0, "shown again")
    if data.get("mapping_changed"):
        parts.append("(our mapping changed)")
    return f"{who}: {', '.join(parts)}"


def _changed(one: Mapping[str, Any]) -> str:
    change = f"{_said(one['before'])} → {_said(one['after'])}"
    name = str(one["field"]).removesuffix("_native")
    return change if name == "state" else f"{name.replace('_', ' ')} {change}"


def _said_better(one: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> bool:
    """Whether another change says the same: the registry's own word where there is one now, else ours."""
    natives = {
        other["field"] for other in told if str(other["field"]).endswith("_native") and other["after"] is not None
    }
    if not str(one["field"]).endswith("_native"):
        return f"{one['field']}_native" in natives
    return one["field"] not in natives and str(one["field"]).removesuffix("_native") in {
        other["field"] for other in told
    }


def _said(value: object) -> str:
    if value is None or value == []:
        return "nothing"
    if isinstance(value, list):
        return "+".join(map(str, value))
    return str(value)


def _units(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """A sum of units; cast back to bigint, since PostgreSQL sums bigint into numeric."""
    return cast(func.coalesce(func.sum(case((condition, block.c.quantity), else_=0)), 0), BigInteger)


def _in_country(code: ColumnElement[Any], native: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    return or_(code == wanted.upper(), func.lower(native) == wanted.lower())


async def _answer(
    connection: AsyncConnection,
    shown: Select[Any],
    table: FromClause,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
) -> Answer:
    total = await connection.scalar(select(func.count()).select_from(table).where(*conditions))
    rows = await connection.execute(shown.limit(min(limit, ROWS_LIMIT)))
    return Answer([dict(row) for row in rows.mappings()], int(total or 0))


__all__ = [
    "Answer",
    "BlockFilter",
    "blocks",
    "changes",
    "classes",
    "drifted",
    "market_figures",
    "market_of_pull",
    "projects",
    "quarantined",
    "sentence",
]
