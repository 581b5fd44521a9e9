"""Posting: entries are written, and balances and blocks moved, in the caller's transaction and in a few statements.

All entries of a call are posted together, set by set, or none is. The database itself refuses what may not be: an
entry that does not balance, a balance below nothing, a unit in two places. What it refuses is told in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.errors import GatewayError, InvariantViolation
from gateway.model.ledger import ENDS, LIVE, AssetKind, BlockMove, Bucket, Entry, EntryKind, Line, Place

ENTRIES_LIMIT: Final = 5_000
"""Entries of one call."""


class NotCovered(GatewayError):
    """Units or cash are not there in the place that they are to come from. Nothing was posted."""


class PostedAcross(GatewayError):
    """This posting and another waited for each other, and this one gave way. Nothing was posted; try again."""


class UnitTwice(InvariantViolation):
    """Units would be in two places of our books. Nothing was posted."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The ids of the entries, in their order."""

    entries: tuple[int, ...]


async def post(connection: AsyncConnection, entries: Sequence[Entry]) -> Posted:
    """Posts entries, all or none.

    Raises NotCovered when a balance would fall below nothing or a block is not where it is to come from, UnitTwice
    when units would be in two places, InvariantViolation for an entry that is not whole or says what cannot be kept,
    PostedAcross when another posting and this one waited for each other, ValueError for more entries than a call may
    have. After an error the caller's transaction goes on as if nothing had been asked.
    """
    if not 0 < len(entries) <= ENTRIES_LIMIT:
        raise ValueError(f"found {len(entries)} entries, expected 1 to {ENTRIES_LIMIT}")
    for entry in entries:
        _require_balance(entry)
        _require_ends_kept(entry)
        _require_blocks(entry)
    try:
        async with connection.begin_nested():
            ids = await _write_entries(connection, entries)
            await _write_lines(connection, ids, entries)
            await _move_balances(connection, entries)
            await _move_blocks(connection, ids, entries)
    except DBAPIError as error:
        told = _told(error)
        if told is None:
            raise
        raise told from error
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


def _require_ends_kept(entry: Entry) -> None:
    """What was retired, withdrawn, cancelled or converted never comes back by anything but a correction."""
    if entry.kind is EntryKind.CORRECTION:
        return
    left = [line.place.bucket for line in entry.lines if line.place.bucket in ENDS and line.quantity < 0]
    left += [move.source for move in entry.blocks if move.source in ENDS]
    if left:
        raise InvariantViolation(
            f"the entry {entry.kind} for {entry.reference} takes units out of {left[0]}; only a correction may"
        )


def _require_blocks(entry: Entry) -> None:
    """Owners' quantities and blocks change together: as many units come, go and end by the lines as by the blocks.

    Between the buckets of what we hold they need not agree: owners have quantities of a class, no blocks of it.
    """
    sums: dict[tuple[str, str, str], int] = {}

    def add(market: str, class_id: str, bucket: Bucket | None, quantity: int) -> None:
        if bucket in LIVE or bucket in ENDS:
            key = (market, class_id, "held" if bucket in LIVE else str(bucket))
            sums[key] = sums.get(key, 0) + quantity

    for line in entry.lines:
        if line.place.kind is AssetKind.UNITS:
            add(line.place.market, line.place.asset, line.place.bucket, line.quantity)
    for move in entry.blocks:
        add(move.market, move.class_id, move.source, move.quantity)
        add(move.market, move.class_id, move.target, -move.quantity)
    wrong = ", ".join(f"{over:+,} {bucket} of {asset}" for (_, asset, bucket), over in sums.items() if over)
    if wrong:
        raise InvariantViolation(
            f"the entry {entry.kind} for {entry.reference} has lines that its blocks do not cover: {wrong}"
        )


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


async def _move_balances(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Adds each place's lines to its balance; places in their order, so that two that post never wait in a circle.

    Entries count one after the other: none takes what only a later one brings.
    """
    moved, lowest = _moved(entries)
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
    short = await connection.execute(
        text(
            "WITH m AS (SELECT * FROM unnest(cast(:kind AS text[]), cast(:market AS text[]), cast(:asset AS text[]), "
            "cast(:owner AS text[]), cast(:bucket AS text[]), cast(:quantity AS bigint[]), cast(:lowest AS bigint[])) "
            "AS m(kind, market, asset, owner, bucket, quantity, lowest)), locked AS (SELECT b.kind, b.market, b.asset, "
            "b.owner, b.bucket, m.quantity, m.lowest FROM ledger_balance b JOIN m USING (kind, market, asset, owner, "
            "bucket) ORDER BY kind, market, asset, owner, bucket FOR UPDATE OF b), moved AS (UPDATE ledger_balance b "
            "SET quantity = b.quantity + l.quantity FROM locked l WHERE (b.kind, b.market, b.asset, b.owner, b.bucket) "
            "= (l.kind, l.market, l.asset, l.owner, l.bucket) RETURNING concat_ws(' ', b.market, b.asset, b.owner, "
            "b.bucket) AS place, b.bucket, b.quantity - l.quantity AS before, l.lowest) SELECT place, before, lowest "
            "FROM moved WHERE bucket <> 'outside' AND before + lowest < 0 LIMIT 1"
        ),
        {**bound, "lowest": lowest},
    )
    if found := short.one_or_none():
        raise NotCovered(
            f"a balance would fall below nothing: {found.place} has {found.before:,}, before a later entry brings more "
            f"{-found.lowest:,} are to leave"
        )


def _moved(entries: Sequence[Entry]) -> tuple[list[Line], list[int]]:
    """What each place has more after all entries, places in their order, and the least that it has more on the way."""
    total: dict[Place, int] = {}
    lowest: dict[Place, int] = {}
    for entry in entries:
        for line in entry.lines:
            total[line.place] = total.get(line.place, 0) + line.quantity
        for place in {line.place for line in entry.lines}:
            lowest[place] = min(lowest.get(place, 0), total[place])
    places = sorted(total)
    return [Line(place, total[place]) for place in places], [lowest[place] for place in places]


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
    # One at a time moves blocks of a class: who waits then sees what the other left of a block, not that it is gone.
    await connection.execute(
        text(
            "SELECT pg_advisory_xact_lock(hashtextextended(name, 1)) FROM (SELECT unnest(cast(:names AS text[])) AS "
            "name ORDER BY name) n"
        ),
        {"names": sorted({f"{move.market} {move.class_id}" for _, _, move in rows})},
    )
    for entry_id, _, move in rows:
        taken = [(entry_id, move.quantity)] if move.source is None else await _take(connection, move)
        if move.target not in {Bucket.WITHDRAWN, Bucket.CONVERTED}:  # what has left our books leaves no block behind
            for since, quantity in taken:
                await connection.execute(
                    _INSERT, _bound(move) | {"bucket": move.target.value, "since": since, "quantity": quantity}
                )


async def _take(connection: AsyncConnection, move: BlockMove) -> list[tuple[int, int]]:
    """Takes units out of where they are; gives since when they have been ours, and how many of each.

    Ranges come out of one block, units of a batch without ranges out of as many as it takes, the oldest first.
    """
    assert move.source is not None
    bound = _bound(move) | {"bucket": move.source.value}
    where = (
        "space = :space AND first IS NOT NULL AND int8range(first, last, '[]') @> int8range(cast(:first AS bigint), "
        "cast(:last AS bigint), '[]')"
        if move.space is not None
        else "block = :block AND space IS NULL"
    )
    found = (
        await connection.execute(
            text(
                "SELECT * FROM ledger_block WHERE market = :market AND class_id = :class_id AND bucket = :bucket AND "
                f"{where} ORDER BY since, id FOR UPDATE"
            ),
            bound,
        )
    ).all()
    if sum(block.quantity for block in found) < move.quantity:
        raise NotCovered(
            f"{move.quantity:,} units of {move.class_id} at {move.market} ({move.block}) are not {move.source.value} "
            "as one block in our books"
        )
    if move.space is not None:
        await _split(connection, move, found[0])
        return [(found[0].since, move.quantity)]
    taken, missing = [], move.quantity
    for block in found:
        if missing:
            taken.append((block.since, min(block.quantity, missing)))
            await _shrink(connection, block, taken[-1][1])
            missing -= taken[-1][1]
    return taken


async def _shrink(connection: AsyncConnection, block: Any, quantity: int) -> None:
    statement = (
        "DELETE FROM ledger_block WHERE id = :id"
        if block.quantity == quantity
        else "UPDATE ledger_block SET quantity = quantity - :quantity WHERE id = :id"
    )
    bound = {"id": block.id} if block.quantity == quantity else {"id": block.id, "quantity": quantity}
    await connection.execute(text(statement), bound)


async def _split(connection: AsyncConnection, move: BlockMove, found: Any) -> None:
    """Takes a range out of a block: the block goes first, then comes what is left before and behind the range."""
    assert move.first is not None
    assert move.last is not None
    await connection.execute(text("DELETE FROM ledger_block WHERE id = :id"), {"id": found.id})
    for first, last in ((found.first, move.first - 1), (move.last + 1, found.last)):
        if first <= last:
            rest = {"first": first, "last": last, "quantity": last - first + 1}
            kept = {"block": found.block, "bucket": found.bucket, "since": found.since}
            await connection.execute(_INSERT, _bound(move) | rest | kept)


def _bound(move: BlockMove) -> dict[str, Any]:
    names = ("market", "class_id", "block", "space", "first", "last", "quantity")
    return {name: getattr(move, name) for name in names}


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


def _told(error: DBAPIError) -> GatewayError | None:
    """What the database refused, in our words; None for what it did not refuse but fail at."""
    said = str(error.orig)
    state = getattr(error.orig, "sqlstate", None) or ""
    if "ledger_balance_covered" in said:
        return NotCovered(f"a balance would fall below nothing: {_detail(said)}")
    if "ledger_block_one_place" in said:
        return UnitTwice(f"units would be in two places: {_detail(said)}")
    if state in {"40P01", "40001"}:
        return PostedAcross(f"two postings waited for each other: {_detail(said)}")
    if isinstance(error, IntegrityError) or state.startswith("22") or "DataError" in said:
        return InvariantViolation(f"the journal refused an entry: {_detail(said)}")
    return None


def _detail(said: str) -> str:
    return " ".join(said.replace("DETAIL:", " ").split())[:400]
