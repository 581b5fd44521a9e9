"""Applying a staged pull to the catalogue: what differs is told, changed and dated; what is gone is marked.

Everything here is one transaction of the caller's, under the market's advisory lock, so that two pulls of one market
never meet.

What an older source says does not replace what a newer one said. A row is as new as the document that said it last,
and at least as new as the last pull that read its kind completely, which vouches for what it showed and against what
it did not show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue import pulls
from gateway.catalogue.staging import Layout, said_by
from gateway.kit.mapping.engine import Mapping
from gateway.model.vocabulary import ProjectState, RecordKind, UnitState
from gateway.store import events

VAGUE: Final = (
    f"CASE WHEN s.state = '{UnitState.RETIRED_OR_CANCELLED}' AND b.state IN "
    f"('{UnitState.RETIRED}', '{UnitState.CANCELLED}') THEN b.state ELSE s.state END"
)
"""A source that cannot tell a retirement from a cancellation does not overwrite one that can."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many records of a kind a pull added, changed, marked gone, or was too old to change or add."""

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
    """Waits until no other pull of this market is being applied; gives this transaction memory for its joins."""
    await connection.execute(text("SET LOCAL work_mem = '64MB'"))
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('carbon-gateway catalogue ' || :market, 0))"),
        {"market": market},
    )


async def prepare(connection: AsyncConnection, market: str, kinds: Iterable[RecordKind]) -> None:
    """Makes staged rows ready to be applied: numbers copies, and marks what is too old to be added."""
    for kind in kinds:
        await connection.execute(text(f"ANALYZE stage_{kind} (mapping, record_key, copy, ordinal, source)"))
        await _number_copies(connection, f"stage_{kind}", "record_key")
        await _mark_outdated(connection, market, kind)
    await connection.execute(text("ANALYZE stage_quarantine"))
    await _number_copies(connection, "stage_quarantine", "mapping, record_key")


async def keep_latest(connection: AsyncConnection, kind: RecordKind) -> None:
    """Keeps of a row that moved between two feeds while they were read the later reading alone."""
    await connection.execute(
        text(
            f"DELETE FROM stage_{kind} s USING (SELECT record_key, (array_agg(mapping ORDER BY ordinal DESC))[1] AS "
            f"mapping FROM stage_{kind} GROUP BY record_key HAVING min(mapping) <> max(mapping)) latest "
            "WHERE s.record_key = latest.record_key AND s.mapping <> latest.mapping"
        )
    )


async def apply(connection: AsyncConnection, market: str, actor: str, pull: int, mapping: Mapping) -> Applied:
    """Applies the staged rows of one mapping."""
    kind = mapping.document.record
    bound = {
        "market": market,
        "pull": pull,
        "mapping": mapping.name,
        "actor": actor,
        "whole": await pulls.whole_as_of(connection, market, kind),
    }
    values = _new_values(kind, said_by(mapping))
    stale = await _find_differing(connection, kind, values, bound)
    source = (
        f"differing d JOIN stage_{kind} s ON s.ordinal = d.ordinal JOIN {kind} b ON b.market = :market AND "
        "b.record_key = s.record_key AND b.copy = s.copy JOIN pull_document new ON new.id = s.source "
        "JOIN pull_document old ON old.id = b.source WHERE d.fresh"
    )
    await events.append_all(connection, _change_events(kind, values, source), bound)
    assigned = ", ".join(f"{_name(column)} = {value}" for column, value in values.items())
    changed = await connection.execute(
        text(
            f"UPDATE {kind} t SET {assigned}, native_key = coalesce(s.native_key, b.native_key), "
            f"changed_pull = :pull, gone_pull = NULL, source = s.source, position = s.position FROM {source} "
            "AND t.market = b.market AND t.record_key = b.record_key AND t.copy = b.copy"
        ),
        bound,
    )
    await connection.execute(text("DROP TABLE differing"))
    outdated = await connection.scalar(
        text(f"SELECT count(*) FROM stage_{kind} s WHERE s.mapping = :mapping AND s.outdated"), bound
    )
    added = await _add(connection, kind, bound)
    return Applied(added, changed.rowcount, 0, stale + int(outdated or 0))


async def confirm(connection: AsyncConnection, market: str, mapping: Mapping, as_of: datetime) -> None:
    """Notes what a file, which was applied, said again unchanged at a later time.

    A complete pull vouches for all rows and need not; a file may show a part of the market. Where it shows all live
    rows that rest on a document, that is noted on the document, once; else on each row that it shows.
    """
    kind = mapping.document.record
    whole = await pulls.whole_as_of(connection, market, kind)
    if whole is not None and whole >= as_of:
        return
    bound = {"market": market, "mapping": mapping.name, "as_of": as_of}
    shown = (
        f"stage_{kind} s JOIN {kind} b ON b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy AND "
        "b.source <> s.source AND b.gone_pull IS NULL JOIN pull_document old ON old.id = b.source AND "
        f"{pulls.SAID.format(document='old')} < :as_of"
    )
    await connection.execute(
        text(
            "CREATE TEMP TABLE confirmed AS SELECT shown.source, shown.rows = live.rows AS whole FROM (SELECT "
            f"b.source, count(*) AS rows FROM {shown} WHERE s.mapping = :mapping GROUP BY b.source) shown JOIN (SELECT "
            f"b.source, count(*) AS rows FROM {kind} b WHERE b.market = :market AND b.gone_pull IS NULL GROUP BY "
            "b.source) live ON live.source = shown.source"
        ),
        bound,
    )
    if await connection.scalar(text("SELECT EXISTS (SELECT FROM confirmed WHERE NOT whole)")):
        await connection.execute(
            text(
                f"UPDATE {kind} t SET source = s.source, position = s.position FROM {shown} JOIN confirmed c ON "
                "c.source = b.source AND NOT c.whole WHERE s.mapping = :mapping AND t.market = b.market AND "
                "t.record_key = b.record_key AND t.copy = b.copy"
            ),
            bound,
        )
    await connection.execute(
        text("UPDATE pull_document d SET confirmed_as_of = :as_of FROM confirmed c WHERE d.id = c.source AND c.whole"),
        bound,
    )
    await connection.execute(text("DROP TABLE confirmed"))


async def knows(connection: AsyncConnection, market: str, kind: RecordKind) -> bool:
    """Whether any record of a kind is known and not gone."""
    live = f"SELECT EXISTS (SELECT FROM {kind} WHERE market = :market AND gone_pull IS NULL)"
    return bool(await connection.scalar(text(live), {"market": market}))


async def mark_gone(connection: AsyncConnection, market: str, actor: str, pull: int, kind: RecordKind) -> Applied:
    """Marks what a complete pull of a kind did not show.

    A row that is only unreadable is not gone, nor is one that was seen after this pull began to read.
    """
    since = await pulls.read_since(connection, pull)
    whole = await pulls.whole_as_of(connection, market, kind)
    if since is None or (whole is not None and whole > since):
        return Applied()
    absent = (
        f"FROM {kind} b JOIN pull_document old ON old.id = b.source AND {pulls.SAID.format(document='old')} <= :since "
        "WHERE b.market = :market "
        f"AND b.gone_pull IS NULL AND NOT EXISTS (SELECT FROM stage_{kind} s WHERE s.record_key = b.record_key AND "
        "s.copy = b.copy) AND NOT EXISTS (SELECT FROM stage_quarantine q WHERE q.native_key = b.native_key)"
    )
    if kind is RecordKind.PROJECT:
        absent += f" AND b.state <> '{ProjectState.UNSTATED}'"
    bound = {"market": market, "pull": pull, "actor": actor, "since": since}
    return await tell_gone(connection, kind, absent, bound)


async def tell_gone(
    connection: AsyncConnection, kind: RecordKind, absent: str, bound: dict[str, object], *, superseded: bool = False
) -> Applied:
    """Marks the rows ``b`` of a FROM clause as gone, and tells each."""
    why = ", 'superseded', true" if superseded else ""
    await connection.execute(
        text(f"CREATE TEMP TABLE going AS SELECT b.record_key, b.copy, {Layout(kind).about} AS about {absent}"), bound
    )
    await events.append_all(
        connection,
        f"SELECT '{kind}.gone', :market || '/{kind}/' || b.record_key, :actor, jsonb_build_object('pull', "
        f"cast(:pull AS bigint), 'project', b.about{why}) FROM going b ORDER BY b.record_key, b.copy",
        bound,
    )
    gone = await connection.execute(
        text(
            f"UPDATE {kind} b SET gone_pull = :pull FROM going g WHERE b.market = :market AND "
            "b.record_key = g.record_key AND b.copy = g.copy"
        ),
        bound,
    )
    await connection.execute(text("DROP TABLE going"))
    return Applied(gone=gone.rowcount)


async def add_placeholders(connection: AsyncConnection, market: str, pull: int) -> int:
    """Adds a project for each block whose project no list has shown, so that none is lost from sight."""
    result = await connection.execute(
        text(
            "INSERT INTO project (market, record_key, copy, project_id, name, state, country, country_native, "
            "methodologies_native, first_pull, changed_pull, source, position) "
            "SELECT :market, s.project_id, 0, s.project_id, s.project_name, :unstated, s.country, s.country_native, "
            "s.methodologies_native, :pull, :pull, s.source, s.position FROM (SELECT min(ordinal) AS ordinal FROM "
            "stage_block WHERE NOT outdated GROUP BY project_id) f JOIN stage_block s ON s.ordinal = f.ordinal "
            "WHERE NOT EXISTS (SELECT FROM project p WHERE p.market = :market AND p.record_key = s.project_id AND "
            "p.copy = 0) ORDER BY s.ordinal"
        ),
        {"market": market, "pull": pull, "unstated": ProjectState.UNSTATED.value},
    )
    return result.rowcount


async def apply_quarantine(
    connection: AsyncConnection,
    market: str,
    pull: int,
    complete: Collection[str],
    documents: Sequence[bytes],
) -> int:
    """Keeps the quarantined rows; resolves those that a complete feed, or the same file read again, shows no more.

    A row that a person mended through a reject file stays resolved while it is shown as it was.

    Args:
        connection: with the staged rows, in the transaction that applies them.
        market: the market's name.
        pull: the pull's number.
        complete: the mappings that were read completely.
        documents: the digests of files that were read whole.

    Returns how many are new.
    """
    bound = {
        "market": market,
        "pull": pull,
        "complete": list(complete),
        "documents": list(documents),
    }
    same = "q.market = :market AND q.mapping = s.mapping AND q.record_key = s.record_key AND q.copy = s.copy"
    await connection.execute(
        text(
            "UPDATE quarantine q SET raw = s.raw, reasons = s.reasons::jsonb, changed_pull = :pull, "
            "resolved_pull = NULL, mended = false, source = s.source, position = s.position FROM stage_quarantine s "
            f"WHERE {same} AND (q.raw <> s.raw OR q.reasons <> s.reasons::jsonb OR q.resolved_pull IS NOT NULL) "
            # A wrong mending may have replaced the entry's text; its key is still the digest of the market's own row.
            "AND NOT (q.mended AND (q.raw = s.raw OR q.record_key = encode(sha256(convert_to(s.raw, 'UTF8')), 'hex')))"
        ),
        bound,
    )
    added = await connection.execute(
        text(
            "INSERT INTO quarantine (market, mapping, record_key, copy, raw, reasons, first_pull, changed_pull, "
            "source, position) SELECT :market, s.mapping, s.record_key, s.copy, s.raw, s.reasons::jsonb, :pull, :pull, "
            f"s.source, s.position FROM stage_quarantine s WHERE NOT EXISTS (SELECT FROM quarantine q WHERE {same}) "
            "ORDER BY s.ordinal"
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


async def _number_copies(connection: AsyncConnection, table: str, key: str) -> None:
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


async def _mark_outdated(connection: AsyncConnection, market: str, kind: RecordKind) -> None:
    """Marks staged rows that the catalogue does not have, and that a newer complete pull did not show."""
    whole = await pulls.whole_as_of(connection, market, kind)
    if whole is None:
        return
    await connection.execute(
        text(
            f"UPDATE stage_{kind} s SET outdated = true FROM pull_document new WHERE new.id = s.source AND "
            f"new.as_of < :whole AND NOT s.standing AND NOT EXISTS (SELECT FROM {kind} b WHERE b.market = :market "
            "AND b.record_key = s.record_key AND b.copy = s.copy)"
        ),
        {"market": market, "whole": whole},
    )


async def _find_differing(
    connection: AsyncConnection, kind: RecordKind, values: dict[str, str], bound: dict[str, object]
) -> int:
    """Finds the staged rows that say something else than is known; how many are too old to be believed.

    They are in ``differing``: ordinal, and whether it is fresh enough to be applied.
    """
    before = ", ".join(f"b.{_name(column)}" for column in values)
    after = ", ".join(values.values())
    differs = (
        f"(({before}) IS DISTINCT FROM ({after}) OR b.gone_pull IS NOT NULL OR s.native_key <> b.native_key OR "
        "(s.native_key IS NOT NULL AND b.native_key IS NULL))"
    )
    said = pulls.SAID.format(document="old")
    gone = "(SELECT min(g.as_of) FROM pull_document g WHERE g.pull = b.gone_pull)"
    fresh = (
        f"new.as_of >= CASE WHEN s.standing THEN {said} ELSE greatest({said}, cast(:whole AS timestamptz), {gone}) END"
    )
    if kind is RecordKind.PROJECT:
        fresh = f"({fresh} OR b.state = '{ProjectState.UNSTATED}')"
    await connection.execute(
        text(
            f"CREATE TEMP TABLE differing AS SELECT s.ordinal, {fresh} AS fresh FROM stage_{kind} s JOIN {kind} b ON "
            "b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy "
            "JOIN pull_document new ON new.id = s.source JOIN pull_document old ON old.id = b.source "
            f"WHERE s.mapping = :mapping AND {differs}"
        ),
        bound,
    )
    await connection.execute(text("ANALYZE differing"))
    return int(await connection.scalar(text("SELECT count(*) FROM differing WHERE NOT fresh")) or 0)


async def _add(connection: AsyncConnection, kind: RecordKind, bound: dict[str, object]) -> int:
    names = ", ".join(_name(column) for column in Layout(kind).columns)
    values = ", ".join(f"s.{_name(column)}" for column in Layout(kind).columns)
    added = await connection.execute(
        text(
            f"INSERT INTO {kind} (market, record_key, copy, native_key, {names}, first_pull, changed_pull, source, "
            f"position) SELECT :market, s.record_key, s.copy, s.native_key, {values}, :pull, :pull, s.source, "
            f"s.position FROM stage_{kind} s WHERE s.mapping = :mapping AND NOT s.outdated AND NOT EXISTS (SELECT "
            f"FROM {kind} b WHERE b.market = :market AND b.record_key = s.record_key AND b.copy = s.copy)"
        ),
        bound,
    )
    return added.rowcount


def _change_events(kind: RecordKind, values: dict[str, str], source: str) -> str:
    """A query of events, one a changed row; a row that differs in nothing that is told has none."""
    fields = ", ".join(
        f"('{column}', to_jsonb(b.{_name(column)}), to_jsonb({value}))"
        for column, value in values.items()
        if column != "class_id"
    )
    before = ", ".join(f"b.{_name(column)}" for column in values)
    after = ", ".join(values.values())
    return (
        f"SELECT CASE WHEN b.gone_pull IS NULL THEN '{kind}.changed' ELSE '{kind}.returned' END, "
        f":market || '/{kind}/' || b.record_key, :actor, jsonb_build_object('pull', cast(:pull AS bigint), 'project', "
        f"{Layout(kind).about}, 'mapping_changed', old.mapping = new.mapping AND old.mapping_digest <> "
        "new.mapping_digest, 'changes', "
        "(SELECT coalesce(jsonb_agg(jsonb_build_object('field', f.field, 'before', f.before, 'after', "
        f"f.after)), '[]') FROM (VALUES {fields}) AS f(field, before, after) WHERE f.before IS DISTINCT FROM f.after)) "
        f"FROM {source} AND (b.gone_pull IS NOT NULL OR ({before}) IS DISTINCT FROM ({after})) ORDER BY d.ordinal"
    )


def _new_values(kind: RecordKind, said: Sequence[str]) -> dict[str, str]:
    """What becomes of each column that a mapping says, as SQL over the staged row ``s`` and the known one ``b``.

    A market's own word does not stay beside a state that another document, which has no such word, has changed.
    """
    values = {column: f"s.{_name(column)}" for column in said}
    if kind is RecordKind.BLOCK and "state" in values:
        values["state"] = VAGUE
    if "state" in values and "state_native" not in values:
        values["state_native"] = f"CASE WHEN {values['state']} = b.state THEN b.state_native END"
    return values


def _name(column: str) -> str:
    return f'"{column}"'
