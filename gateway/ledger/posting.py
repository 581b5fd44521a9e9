"""Posting: entries are written, and balances and blocks moved, in the caller's transaction and in a few statements.

All entries of a call are posted together, set by set, or none is. The database itself refuses what may not be: an
entry that does not balance, a balance below nothing, a unit in two places. What it refuses is told in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.errors import GatewayError, InvariantViolation
from gateway.model.ledger import BlockMove, Entry, Line

ENTRIES_LIMIT: Final = 5_000
"""Entries of one call."""


class NotCovered(GatewayError):
    """Units or cash are not there in the place that they are to come from. Nothing was posted."""


class UnitTwice(InvariantViolation):
    """Units would be in two places of our books. Nothing was posted."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The ids of the entries, in their order."""

    entries: tuple[int, ...]


async def post(connection: AsyncConnection, entries: Sequence[Entry]) -> Posted:
    """Posts entries, all or none.

    Raises NotCovered when a balance would fall below nothing or a block is not where it is to come from, UnitTwice
    when units would be in two places, InvariantViolation for an entry that does not balance, ValueError for more
    entries than a call may have. After an error the caller's transaction goes on as if nothing had been asked.
    """
    if not 0 < len(entries) <= ENTRIES_LIMIT:
        raise ValueError(f"found {len(entries)} entries, expected 1 to {ENTRIES_LIMIT}")
    for entry in entries:
        _require_balance(entry)
    try:
        async with connection.begin_nested():
            ids = await _write_entries(connection, entries)
            await _write_lines(connection, ids, entries)
            await _move_balances(connection, [line for entry in entries for line in entry.lines])
            await _move_blocks(connection, ids, entries)
    except IntegrityError as error:
        raise _told(error) from error
    return Posted(tuple(ids))


def _require_balance(entry: Entry) -> None:
    """What the database checks too, said before it is asked."""
    sums: dict[tuple[str, str, str], int] = {}
    for line in entry.lines:
        key = (line.place.kind, line.place.market, line.place.asset)
        sums[key] = sums.get(key, 0) + line.quantity
    wrong = {asset: total for (_, _, asset), total in sums.items() if total}
    if wrong or not entry.lines:
        over = ", ".join(f"{total:+,} of {asset}" for asset, total in wrong.items()) or "no line"
        raise InvariantViolation(f"the entry {entry.kind} for {entry.reference} does not balance: {over}")


async def _write_entries(connection: AsyncConnection, entries: Sequence[Entry]) -> list[int]:
    columns = {
        "kind": [one.kind.value for one in entries],
        "day": [one.business_date for one in entries],
        "actor": [one.actor for one in entries],
        "checker": [one.checker for one in entries],
        "reason": [one.reason for one in entries],
        "reference": [one.reference for one in entries],
        "corrects": [one.corrects for one in entries],
    }
    rows = await connection.execute(
        text(
            "INSERT INTO journal_entry (kind, business_date, actor, checker, reason, reference, corrects) SELECT kind, "
            "day, actor, checker, reason, reference, corrects FROM unnest(cast(:kind AS text[]), cast(:day AS date[]), "
            "cast(:actor AS text[]), cast(:checker AS text[]), cast(:reason AS text[]), cast(:reference AS text[]), "
            "cast(:corrects AS bigint[])) WITH ORDINALITY AS e(kind, day, actor, checker, reason, reference, corrects, "
            "place) ORDER BY place RETURNING id"
        ),
        columns,
    )
    return sorted(rows.scalars())


async def _write_lines(connection: AsyncConnection, ids: Sequence[int], entries: Sequence[Entry]) -> None:
    rows = [
        (entry_id, position, line)
        for entry_id, entry in zip(ids, entries, strict=True)
        for position, line in enumerate(entry.lines, start=1)
    ]
    await connection.execute(
        text(
            "INSERT INTO journal_line (entry, position, kind, market, asset, owner, bucket, quantity) SELECT * FROM "
            "unnest(cast(:entry AS bigint[]), cast(:position AS integer[]), cast(:kind AS text[]), cast(:market AS "
            "text[]), cast(:asset AS text[]), cast(:owner AS text[]), cast(:bucket AS text[]), cast(:quantity AS "
            "bigint[]))"
        ),
        {
            "entry": [entry_id for entry_id, _, _ in rows],
            "position": [position for _, position, _ in rows],
            "quantity": [line.quantity for _, _, line in rows],
            **_places([line for _, _, line in rows]),
        },
    )


async def _move_balances(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    """Adds each place's lines to its balance; places in their order, so that two that post never wait in a circle."""
    moved = [
        Line(place, total)
        for place, same in groupby(sorted(lines, key=lambda line: line.place), key=lambda line: line.place)
        if (total := sum(line.quantity for line in same))
    ]
    if not moved:
        return
    bound = {"quantity": [line.quantity for line in moved], **_places(moved)}
    # A row that is not there yet begins at nothing, so that taking from it is refused by its rule and not by ours.
    await connection.execute(
        text(
            "INSERT INTO ledger_balance (kind, market, asset, owner, bucket, quantity) SELECT kind, market, asset, "
            "owner, bucket, 0 FROM unnest(cast(:kind AS text[]), cast(:market AS text[]), cast(:asset AS text[]), "
            "cast(:owner AS text[]), cast(:bucket AS text[])) AS m(kind, market, asset, owner, bucket) ORDER BY kind, "
            "market, asset, owner, bucket ON CONFLICT DO NOTHING"
        ),
        {name: values for name, values in bound.items() if name != "quantity"},
    )
    await connection.execute(
        text(
            "WITH m AS (SELECT * FROM unnest(cast(:kind AS text[]), cast(:market AS text[]), cast(:asset AS text[]), "
            "cast(:owner AS text[]), cast(:bucket AS text[]), cast(:quantity AS bigint[])) AS m(kind, market, asset, "
            "owner, bucket, quantity)), locked AS (SELECT b.kind, b.market, b.asset, b.owner, b.bucket, m.quantity "
            "FROM ledger_balance b JOIN m USING (kind, market, asset, owner, bucket) ORDER BY kind, market, asset, "
            "owner, bucket FOR UPDATE OF b) UPDATE ledger_balance b SET quantity = b.quantity + l.quantity FROM locked "
            "l WHERE (b.kind, b.market, b.asset, b.owner, b.bucket) = (l.kind, l.market, l.asset, l.owner, l.bucket)"
        ),
        bound,
    )


async def _move_blocks(connection: AsyncConnection, ids: Sequence[int], entries: Sequence[Entry]) -> None:
    """Keeps which blocks moved and moves them, entry after entry: one may move what the one before it brought."""
    rows = [
        (entry_id, position, move)
        for entry_id, entry in zip(ids, entries, strict=True)
        for position, move in enumerate(entry.blocks, start=1)
    ]
    if not rows:
        return
    names = ("market", "class_id", "block", "space", "first", "last", "quantity", "source", "target")
    document = [
        {"entry": entry_id, "position": position, **{name: getattr(move, name) for name in names}}
        for entry_id, position, move in rows
    ]
    await connection.execute(
        text(
            f"INSERT INTO journal_block (entry, position, {', '.join(names)}) SELECT entry, position, "
            f"{', '.join(names)} FROM json_populate_recordset(null::journal_block, cast(:moves AS json))"
        ),
        {"moves": json.dumps(document)},
    )
    for entry_id, _, move in rows:
        if move.source is not None:
            await _take(connection, move)
        await _put(connection, entry_id, move)


async def _take(connection: AsyncConnection, move: BlockMove) -> None:
    """Takes units out of the block that they are in. A split shrinks first, then inserts what is left behind it."""
    assert move.source is not None
    bound: dict[str, Any] = {
        "market": move.market,
        "class_id": move.class_id,
        "bucket": move.source.value,
        "block": move.block,
        "space": move.space,
        "first": move.first,
        "last": move.last,
        "quantity": move.quantity,
    }
    where = (
        "market = :market AND class_id = :class_id AND bucket = :bucket AND space = :space AND "
        "int8range(first, last, '[]') @> int8range(cast(:first AS bigint), cast(:last AS bigint), '[]')"
        if move.space is not None
        else "market = :market AND class_id = :class_id AND bucket = :bucket AND block = :block AND space IS NULL AND "
        "quantity >= :quantity"
    )
    found = (
        await connection.execute(text(f"SELECT * FROM ledger_block WHERE {where} FOR UPDATE LIMIT 1"), bound)
    ).one_or_none()
    if found is None:
        raise NotCovered(
            f"{move.quantity:,} units of {move.class_id} at {move.market} ({move.block}) are not {move.source.value} "
            "as one block in our books"
        )
    if found.quantity == move.quantity:
        await connection.execute(text("DELETE FROM ledger_block WHERE id = :id"), {"id": found.id})
        return
    if move.space is None:
        await connection.execute(
            text("UPDATE ledger_block SET quantity = quantity - :quantity WHERE id = :id"),
            {"id": found.id, "quantity": move.quantity},
        )
        return
    assert move.first is not None
    assert move.last is not None
    left = [(found.first, move.first - 1), (move.last + 1, found.last)]
    await connection.execute(text("DELETE FROM ledger_block WHERE id = :id"), {"id": found.id})
    for first, last in left:
        if first <= last:
            await connection.execute(
                _INSERT,
                {
                    **bound,
                    "first": first,
                    "last": last,
                    "quantity": last - first + 1,
                    "block": found.block,
                    "bucket": found.bucket,
                    "since": found.since,
                },
            )


async def _put(connection: AsyncConnection, entry_id: int, move: BlockMove) -> None:
    """Puts units into their bucket; what has left our books leaves no block behind."""
    if move.target.value in {"withdrawn", "converted"}:
        return
    await connection.execute(
        _INSERT,
        {
            "market": move.market,
            "class_id": move.class_id,
            "block": move.block,
            "space": move.space,
            "first": move.first,
            "last": move.last,
            "quantity": move.quantity,
            "bucket": move.target.value,
            "since": entry_id,
        },
    )


_INSERT: Final = text(
    "INSERT INTO ledger_block (market, class_id, block, space, first, last, quantity, bucket, since) VALUES (:market, "
    ":class_id, :block, :space, :first, :last, :quantity, :bucket, :since)"
)


def _places(lines: Sequence[Line]) -> dict[str, list[str]]:
    return {
        "kind": [line.place.kind.value for line in lines],
        "market": [line.place.market for line in lines],
        "asset": [line.place.asset for line in lines],
        "owner": [line.place.owner for line in lines],
        "bucket": [line.place.bucket.value for line in lines],
    }


def _told(error: IntegrityError) -> GatewayError:
    """What the database refused, in our words."""
    said = str(error.orig)
    if "ledger_balance_covered" in said:
        return NotCovered(f"a balance would fall below nothing: {_detail(said)}")
    if "ledger_block_one_place" in said:
        return UnitTwice(f"units would be in two places: {_detail(said)}")
    return InvariantViolation(f"the journal refused an entry: {_detail(said)}")


def _detail(said: str) -> str:
    return " ".join(said.replace("DETAIL:", " ").split())[:400]
