"""Verification: everything that is kept for speed is computed again from the journal, and compared.

Balances, blocks, seals and conservation. Each fault says where it is; a book without faults is what its journal says.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ledger.sealing import DIGESTS, SEAL_DIGEST
from gateway.model.errors import ConfigurationError
from gateway.model.ledger import ENDS, LIVE, AssetKind, Bucket

HEAD: Final = re.compile("(?P<seal>[1-9][0-9]{0,17}):(?P<digest>[0-9a-f]{64})")
FAULTS_LIMIT: Final = 100
"""Faults of one kind that are told; a book with more is broken anyway."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as the journal says: what kind of thing, where, and what was found and expected."""

    kind: str
    where: str
    found: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong with it. ``head`` is the last seal, as ``7:3fa2…``; None without one."""

    head: str | None
    entries: int
    sealed: int
    balances: int
    blocks: int
    faults: tuple[Fault, ...]


async def verify(connection: AsyncConnection, head: str | None = None) -> Verified:
    """Computes everything from the journal and compares. Reads one snapshot; changes nothing.

    Args:
        connection: in a transaction that has not begun to read.
        head: a seal that was noted elsewhere, as ``7:3fa2…``: it must still be there as it was.

    Raises ConfigurationError for a head that is none.
    """
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    faults = [fault async for fault in _faults(connection)]
    if head is not None:
        faults += await _anchor(connection, head)
    last = await connection.scalar(text("SELECT id || ':' || encode(digest, 'hex') FROM seal ORDER BY id DESC LIMIT 1"))
    counts = (
        await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM journal_entry) AS entries, (SELECT count(*) FROM sealed_entry) AS "
                "sealed, (SELECT count(*) FROM ledger_balance) AS balances, (SELECT count(*) FROM ledger_block) AS "
                "blocks"
            )
        )
    ).one()
    return Verified(last, counts.entries, counts.sealed, counts.balances, counts.blocks, tuple(faults))


async def _anchor(connection: AsyncConnection, head: str) -> list[Fault]:
    """What is wrong with a seal that was noted elsewhere."""
    noted = HEAD.fullmatch(head)
    if noted is None:
        raise ConfigurationError(
            f"found the head {head[:80]!r}; expected the number and digest of a seal, as in 7:3fa2…"
        )
    found = await connection.scalar(
        text("SELECT encode(digest, 'hex') FROM seal WHERE id = :id"), {"id": int(noted["seal"])}
    )
    if found == noted["digest"]:
        return []
    words = "it is not there any more" if found is None else f"its digest is {found}, noted was {noted['digest']}"
    return [Fault("noted seal", f"seal {noted['seal']}", words)]


async def _faults(connection: AsyncConnection) -> AsyncIterator[Fault]:
    for kind, query in QUERIES:
        for row in await connection.execute(text(query), {"limit": FAULTS_LIMIT}):
            yield Fault(kind, row.place, row.said)


def _words(buckets: frozenset[Bucket]) -> str:
    return ", ".join(sorted(f"'{one.value}'" for one in buckets))


_GONE: Final = frozenset({Bucket.WITHDRAWN, Bucket.CONVERTED})
"""The buckets whose units leave no block behind."""

_ENTRIES: Final = """
SELECT 'entry ' || entry AS place, sum(quantity) || ' too many of ' || asset AS said FROM journal_line
GROUP BY entry, kind, market, asset HAVING sum(quantity) <> 0 ORDER BY entry LIMIT :limit
"""
_BALANCES: Final = """
SELECT concat_ws(' ', market, asset, owner, bucket) AS place,
  'kept ' || coalesce(b.quantity, 0) || ', the journal says ' || coalesce(j.quantity, 0) AS said
FROM ledger_balance b FULL JOIN (SELECT kind, market, asset, owner, bucket, sum(quantity) AS quantity FROM journal_line
  GROUP BY kind, market, asset, owner, bucket) j USING (kind, market, asset, owner, bucket)
WHERE coalesce(b.quantity, 0) <> coalesce(j.quantity, 0) ORDER BY 1 LIMIT :limit
"""
# Each move is +1 where its range begins and -1 behind its end, in the bucket that it reaches, and the other way round
# in the one that it leaves; what the running sums leave is compared with the blocks, segment by segment.
_BLOCKS: Final = f"""
WITH marks AS (
  SELECT market, class_id, space, target AS bucket, first AS at, last + 1 AS until, 1 AS step FROM journal_block
  WHERE target NOT IN ({_words(_GONE)})
  UNION ALL SELECT market, class_id, space, source, first, last + 1, -1 FROM journal_block
  WHERE source NOT IN ({_words(_GONE)})
  UNION ALL SELECT market, class_id, space, bucket, first, last + 1, -1 FROM ledger_block
), steps AS (
  SELECT market, class_id, space, bucket, at, sum(step) AS step FROM (
    SELECT market, class_id, space, bucket, at, step FROM marks WHERE space IS NOT NULL
    UNION ALL SELECT market, class_id, space, bucket, until, -step FROM marks WHERE space IS NOT NULL) m
  GROUP BY market, class_id, space, bucket, at
), sums AS (
  SELECT market, class_id, space, bucket, at, lead(at) OVER w AS until, sum(step) OVER w AS depth FROM steps
  WINDOW w AS (PARTITION BY market, class_id, space, bucket ORDER BY at)
)
SELECT space || ':' || at || '-' || until - 1 || ' ' || bucket AS place,
  CASE WHEN depth > 0 THEN 'the journal says so, the blocks do not' ELSE 'the blocks say so, the journal does not' END
  || ': ' || class_id || ' at ' || market AS said
FROM sums WHERE depth <> 0 ORDER BY space, at LIMIT :limit
"""
_RANGELESS: Final = f"""
SELECT concat_ws(' ', market, block, bucket) AS place,
  'kept ' || coalesce(b.quantity, 0) || ', the journal says ' || coalesce(j.quantity, 0) AS said
FROM (SELECT market, class_id, block, bucket, sum(quantity) AS quantity FROM ledger_block WHERE space IS NULL
  GROUP BY market, class_id, block, bucket) b
FULL JOIN (SELECT market, class_id, block, bucket, sum(quantity) AS quantity FROM (
    SELECT market, class_id, block, target AS bucket, quantity FROM journal_block WHERE space IS NULL
    UNION ALL SELECT market, class_id, block, source, -quantity FROM journal_block WHERE space IS NULL AND source IS NOT
    NULL) m WHERE bucket NOT IN ({_words(_GONE)})
  GROUP BY market, class_id, block, bucket HAVING sum(quantity) <> 0) j USING (market, class_id, block, bucket)
WHERE coalesce(b.quantity, 0) <> coalesce(j.quantity, 0) ORDER BY 1 LIMIT :limit
"""
_HELD: Final = f"CASE WHEN bucket IN ({_words(LIVE)}) THEN 'held' ELSE bucket END"
_COVERED: Final = f"""
SELECT concat_ws(' ', market, asset, bucket) AS place,
  'owners have ' || coalesce(o.quantity, 0) || ', the blocks ' || coalesce(b.quantity, 0) AS said
FROM (SELECT market, asset, {_HELD} AS bucket, sum(quantity) AS quantity FROM ledger_balance WHERE kind =
  '{AssetKind.UNITS}' AND bucket IN ({_words((LIVE | ENDS) - _GONE)}) GROUP BY 1, 2, 3) o
FULL JOIN (SELECT market, class_id AS asset, {_HELD} AS bucket, sum(quantity) AS quantity FROM ledger_block
  GROUP BY 1, 2, 3) b USING (market, asset, bucket)
WHERE coalesce(o.quantity, 0) <> coalesce(b.quantity, 0) ORDER BY 1 LIMIT :limit
"""
_COVERED_ENTRIES: Final = f"""
SELECT 'entry ' || entry AS place, 'lines and blocks differ by ' || sum(quantity) || ' ' || bucket || ' of ' || asset
  AS said
FROM (SELECT entry, market, asset, {_HELD} AS bucket, quantity FROM journal_line WHERE kind = '{AssetKind.UNITS}'
    AND bucket <> '{Bucket.OUTSIDE}'
  UNION ALL SELECT entry, market, class_id, {_HELD}, -quantity FROM (SELECT *, target AS bucket FROM journal_block) t
  UNION ALL SELECT entry, market, class_id, {_HELD}, quantity FROM (SELECT *, source AS bucket FROM journal_block
    WHERE source IS NOT NULL) f) m
GROUP BY entry, market, asset, bucket HAVING sum(quantity) <> 0 ORDER BY entry LIMIT :limit
"""
_CONSERVED: Final = f"""
SELECT market || ' ' || asset AS place, 'from outside came ' || coalesce(-sum(quantity) FILTER (WHERE bucket =
  '{Bucket.OUTSIDE}'), 0) || ', in our books are ' || coalesce(sum(quantity) FILTER (WHERE bucket <>
  '{Bucket.OUTSIDE}'), 0) AS said
FROM ledger_balance WHERE bucket IN ('{Bucket.OUTSIDE}', {_words(LIVE | ENDS)}) GROUP BY kind, market, asset
HAVING sum(quantity) <> 0 ORDER BY 1 LIMIT :limit
"""
_SEALED_ENTRIES: Final = (
    "SELECT 'entry ' || s.entry || ' in seal ' || s.seal AS place, CASE WHEN d.entry IS NULL THEN 'it is not there any "
    "more' ELSE 'it is not what was sealed' END AS said FROM sealed_entry s LEFT JOIN (" + DIGESTS + ") d ON d.entry = "
    "s.entry WHERE d.digest IS DISTINCT FROM s.digest ORDER BY s.entry LIMIT :limit"
)
_SEALS: Final = f"""
SELECT 'seal ' || coalesce(s.id, s.position) AS place, CASE WHEN s.id <> s.position THEN 'a seal before it is not there'
  WHEN s.previous <> s.before THEN 'it does not follow the seal before it'
  WHEN s.entries <> s.counted THEN 'it covers ' || s.entries || ' entries, found ' || s.counted
  ELSE 'its digest is not that of its entries' END AS said
FROM (SELECT seal.id, seal.previous, seal.digest, seal.entries, seal.sealed_at,
    row_number() OVER (ORDER BY seal.id) AS position,
    coalesce(lag(seal.digest) OVER (ORDER BY seal.id), '') AS before, coalesce(e.counted, 0) AS counted,
    coalesce(e.digests, '') AS digests
  FROM seal LEFT JOIN (SELECT seal, count(*) AS counted, string_agg(digest, '' ORDER BY entry) AS digests FROM
    sealed_entry GROUP BY seal) e ON e.seal = seal.id) s
WHERE s.id <> s.position OR s.previous <> s.before OR s.entries <> s.counted OR s.digest <> {SEAL_DIGEST}
ORDER BY s.id LIMIT :limit
"""

QUERIES: Final = (
    ("entry", _ENTRIES),
    ("balance", _BALANCES),
    ("block", _BLOCKS),
    ("block without range", _RANGELESS),
    ("cover", _COVERED),
    ("cover of an entry", _COVERED_ENTRIES),
    ("conservation", _CONSERVED),
    ("sealed entry", _SEALED_ENTRIES),
    ("seal", _SEALS),
)
"""What is looked at, each as a query of faults."""
