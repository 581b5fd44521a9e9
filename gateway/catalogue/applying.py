"""Applying a staged pull to the catalogue: what differs is told, changed and dated; what is gone is marked.

Everything here is one transaction of the caller's, under the market's advisory lock, so that two pulls of one market
never meet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue.staging import Layout, said_by
from gateway.kit.mapping.engine import Mapping
from gateway.model.vocabulary import ProjectState, RecordKind, UnitState

VAGUE: Final = (
    f"CASE WHEN s.state = '{UnitState.RETIRED_OR_CANCELLED}' AND b.state IN "
    f"('{UnitState.RETIRED}', '{UnitState.CANCELLED}') THEN b.state ELSE s.state END"
)
"""A source that cannot tell a retirement from a cancellation does not overwrite one that can."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many records of a kind a pull added, changed, marked gone, or was too old to change."""

    added: int = 0
    changed: int = 0
    gone: int = 0
    stale: int = 0

    def __add__(self, other: Applied) -> Applied:
        """Both together."""
        return Applied(
            self.added + other.added,
            self.changed + other.changed,
            self.gone + other.gone,
            self.stale + other.stale,
        )


async def lock(connection: AsyncConnection, market: str) -> None:
    """Waits until no other pull of this market is being applied."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('catalogue ' || :market))"), {"market": market})


async def number_copies(connection: AsyncConnection, table: str, key: str) -> None:
    """Numbers staged rows that have the same key, so that none overwrites another."""
    repeated = await connection.execute(text(f"SELECT 1 FROM {table} GROUP BY {key} HAVING count(*) > 1 LIMIT 1"))
    if repeated.first() is None:
        return
    await connection.execute(
        text(
            f"UPDATE {table} s SET copy = d.n FROM (SELECT ordinal, row_number() OVER (PARTITION BY {key} "
            f"ORDER BY ordinal) - 1 AS n FROM {table}) d WHERE s.ordinal = d.ordinal AND d.n > 0"
        )
    )


async def prepare(connection: AsyncConnection, kinds: Iterable[RecordKind]) -> int:
    """Makes staged rows ready to be applied; returns how many were the same row of the market read twice."""
    repeats = 0
    for kind in kinds:
        repeats += await drop_repeats(connection, kind)
        await number_copies(connection, f"stage_{kind}", "record_key")
        await connection.execute(text(f"ANALYZE stage_{kind}"))
    await number_copies(connection, "stage_quarantine", "mapping, record_key")
    await connection.execute(text("ANALYZE stage_quarantine"))
    return repeats


async def drop_repeats(connection: AsyncConnection, kind: RecordKind) -> int:
    """Drops staged rows that are the same row of the market read twice (a page that shifted); says how many."""
    result = await connection.execute(
        text(
            f"DELETE FROM stage_{kind} s USING stage_{kind} t WHERE s.mapping = t.mapping "
            "AND s.native_key = t.native_key AND s.ordinal > t.ordinal"
        )
    )
    return result.rowcount


async def apply(connection: AsyncConnection, market: str, actor: str, pull: int, mapping: Mapping) -> Applied:
    """Applies the staged rows of one mapping."""
    kind = mapping.document.record
    bound = {"market": market, "pull": pull, "mapping": mapping.name, "actor": actor}
    said = said_by(mapping)
    joined = (
        f"stage_{kind} s JOIN {kind} b ON b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy "
        "JOIN pull_document new ON new.id = s.source JOIN pull_document old ON old.id = b.source"
    )
    before = ", ".join(f"b.{_name(column)}" for column in said)
    after = ", ".join(_new_value(kind, column) for column in said)
    differs = f"(({before}) IS DISTINCT FROM ({after}) OR b.gone_pull IS NOT NULL)"
    await connection.execute(
        text(
            f"CREATE TEMP TABLE differing AS SELECT s.ordinal, new.as_of >= old.as_of AS fresh FROM {joined} "
            f"WHERE s.mapping = :mapping AND {differs}"
        ),
        bound,
    )
    stale = await connection.scalar(text("SELECT count(*) FROM differing WHERE NOT fresh"))
    fresh = f"differing d JOIN stage_{kind} s ON d.fresh AND s.ordinal = d.ordinal"
    joined = joined.replace(f"stage_{kind} s", fresh)
    await connection.execute(text(_changes(kind, said, joined)), bound)
    changed = await connection.execute(
        text(
            f"UPDATE {kind} t SET {', '.join(f'{_name(c)} = {_new_value(kind, c)}' for c in said)}, native_key = s.native_key, "
            "changed_pull = :pull, gone_pull = NULL, source = s.source, position = s.position "
            f"FROM {joined} WHERE t.market = b.market AND t.record_key = b.record_key AND t.copy = b.copy"
        ),
        bound,
    )
    await connection.execute(text("DROP TABLE differing"))
    names = ", ".join(_name(column) for column in Layout(kind).columns)
    values = ", ".join(f"s.{_name(column)}" for column in Layout(kind).columns)
    added = await connection.execute(
        text(
            f"INSERT INTO {kind} (market, record_key, copy, native_key, {names}, first_pull, changed_pull, source, "
            f"position) SELECT :market, s.record_key, s.copy, s.native_key, {values}, :pull, "
            f":pull, s.source, s.position FROM stage_{kind} s WHERE s.mapping = :mapping AND NOT EXISTS (SELECT FROM "
            f"{kind} b WHERE b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy)"
        ),
        bound,
    )
    return Applied(added.rowcount, changed.rowcount, 0, int(stale or 0))


async def mark_gone(
    connection: AsyncConnection, market: str, actor: str, pull: int, kind: RecordKind
) -> Applied:
    """Marks what a complete pull of a kind did not show. A row that is only unreadable is not gone."""
    absent = (
        f"b.market = :market AND b.gone_pull IS NULL AND NOT EXISTS (SELECT FROM stage_{kind} s WHERE s.record_key = "
        "b.record_key AND s.copy = b.copy) AND (b.native_key IS NULL OR NOT EXISTS (SELECT FROM stage_quarantine q "
        "WHERE q.native_key = b.native_key))"
    )
    if kind is RecordKind.PROJECT:
        absent += f" AND b.state <> '{ProjectState.UNSTATED}'"
    bound = {"market": market, "pull": pull, "actor": actor}
    await connection.execute(
        text(
            "INSERT INTO event (kind, subject, actor, data) SELECT :kind, :market || :path || b.record_key, :actor, "
            f"jsonb_build_object('pull', cast(:pull AS bigint), 'project', b.project_id) FROM {kind} b WHERE {absent}"
        ),
        bound | {"kind": f"{kind}.gone", "path": f"/{kind}/"},
    )
    gone = await connection.execute(text(f"UPDATE {kind} b SET gone_pull = :pull WHERE {absent}"), bound)
    return Applied(gone=gone.rowcount)


async def add_placeholders(connection: AsyncConnection, market: str, pull: int) -> int:
    """Adds a project for each block whose project no list has shown, so that none is lost from sight."""
    result = await connection.execute(
        text(
            "INSERT INTO project (market, record_key, copy, project_id, name, state, country, country_native, "
            "methodologies_native, first_pull, changed_pull, source, position) "
            "SELECT DISTINCT ON (s.project_id) :market, s.project_id, 0, s.project_id, s.project_name, :unstated, "
            "s.country, s.country_native, s.methodologies_native, :pull, :pull, s.source, s.position "
            "FROM stage_block s WHERE NOT EXISTS (SELECT FROM project p WHERE p.market = :market AND p.record_key = "
            "s.project_id AND p.copy = 0) ORDER BY s.project_id, s.ordinal"
        ),
        {"market": market, "pull": pull, "unstated": ProjectState.UNSTATED.value},
    )
    return result.rowcount


async def apply_quarantine(
    connection: AsyncConnection, market: str, pull: int, complete: Collection[str], documents: Sequence[bytes]
) -> int:
    """Keeps the quarantined rows; resolves those that a complete feed, or the same file read again, shows no more.

    Args:
        complete: the mappings that were read completely.
        documents: the digests of files that were read whole.
    """
    bound: dict[str, Any] = {"market": market, "pull": pull, "complete": list(complete), "documents": list(documents)}
    same = "q.market = :market AND q.mapping = s.mapping AND q.record_key = s.record_key AND q.copy = s.copy"
    await connection.execute(
        text(
            "UPDATE quarantine q SET raw = s.raw, reasons = s.reasons::jsonb, changed_pull = :pull, resolved_pull = NULL, "
            f"source = s.source, position = s.position FROM stage_quarantine s WHERE {same} AND (q.raw <> s.raw OR "
            "q.reasons <> s.reasons::jsonb OR q.resolved_pull IS NOT NULL)"
        ),
        bound,
    )
    added = await connection.execute(
        text(
            "INSERT INTO quarantine (market, mapping, record_key, copy, raw, reasons, first_pull, changed_pull, source, "
            "position) SELECT :market, s.mapping, s.record_key, s.copy, s.raw, s.reasons::jsonb, :pull, :pull, s.source, "
            f"s.position FROM stage_quarantine s WHERE NOT EXISTS (SELECT FROM quarantine q WHERE {same})"
        ),
        bound,
    )
    await connection.execute(
        text(
            "UPDATE quarantine q SET resolved_pull = :pull WHERE q.market = :market AND q.resolved_pull IS NULL AND "
            "(q.mapping = ANY(:complete) OR EXISTS (SELECT FROM pull_document d WHERE d.id = q.source AND d.document = "
            f"ANY(:documents))) AND NOT EXISTS (SELECT FROM stage_quarantine s WHERE {same})"
        ),
        bound,
    )
    return added.rowcount


def _changes(kind: RecordKind, said: Sequence[str], joined: str) -> str:
    fields = ", ".join(
        f"('{column}', to_jsonb(b.{_name(column)}), to_jsonb({_new_value(kind, column)}))"
        for column in said
        if column != "class_id"
    )
    return (
        "INSERT INTO event (kind, subject, actor, data) "
        f"SELECT CASE WHEN b.gone_pull IS NULL THEN '{kind}.changed' ELSE '{kind}.returned' END, "
        f":market || '/{kind}/' || b.record_key, :actor, jsonb_build_object('pull', cast(:pull AS bigint), 'project', "
        "b.project_id, 'mapping_changed', old.mapping_digest <> new.mapping_digest, 'changes', "
        "(SELECT coalesce(jsonb_agg(jsonb_build_object('field', f.field, 'before', f.before, 'after', f.after)), '[]') "
        f"FROM (VALUES {fields}) AS f(field, before, after) WHERE f.before IS DISTINCT FROM f.after)) "
        f"FROM {joined}"
    )


def _new_value(kind: RecordKind, column: str) -> str:
    return VAGUE if kind is RecordKind.BLOCK and column == "state" else f"s.{_name(column)}"


def _name(column: str) -> str:
    return f'"{column}"'
