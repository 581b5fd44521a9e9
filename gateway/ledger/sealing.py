"""Sealing: what was committed is chained, so that nothing in the journal can be changed unseen.

Writers never wait for the chain: one sealer takes the entries that are committed and not sealed yet, in order, and
adds one seal over them. An entry that commits late goes into a later seal. The digest of an entry covers its own row,
its lines and its blocks as text; the digest of a seal covers its own row, the seal before it and its
entries' digests in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

ENTRIES_LIMIT: Final = 100_000
"""Entries of one seal; what is left waits for the next."""

DIGESTS: Final = """
SELECT e.id AS entry, sha256(convert_to(jsonb_build_array(
  e.id, e.kind, e.business_date, to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), e.actor,
  e.checker, e.reason, e.reference, e.corrects,
  (SELECT jsonb_agg(jsonb_build_array(l.position, l.kind, l.market, l.asset, l.owner, l.bucket, l.quantity)
    ORDER BY l.position) FROM journal_line l WHERE l.entry = e.id),
  (SELECT jsonb_agg(jsonb_build_array(b.position, b.market, b.class_id, b.block, b.space, b.first, b.last, b.quantity,
    b.source, b.target) ORDER BY b.position) FROM journal_block b WHERE b.entry = e.id)
)::text, 'UTF8')) AS digest
FROM journal_entry e
"""
"""The digest of each entry, from what the journal says now."""

SEAL_DIGEST: Final = """
sha256(previous || convert_to(concat_ws(' ', id, entries, to_char(sealed_at AT TIME ZONE 'UTC',
  'YYYY-MM-DD"T"HH24:MI:SS.US')), 'UTF8') || digests)
"""
"""The digest of a seal, from what it says itself and from its entries' digests in order."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A seal that was added: its number, how many entries it covers, and its digest in hexadecimal digits.

    Number and digest of the last one, kept where nobody with rights on the database can reach, show later that nothing
    before it was taken away.
    """

    seal: int
    entries: int
    digest: str


async def seal(connection: AsyncConnection) -> Sealed | None:
    """Seals what is committed and not sealed yet; None where there is nothing. Sealers wait for one another."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('carbon-gateway seal', 0))"))
    # Nobody waits for long behind a sealer that looks at all that was not sealed; a table keeps what it looks at.
    await connection.execute(
        text(
            "CREATE TEMP TABLE sealing ON COMMIT DROP AS "
            + DIGESTS
            + "WHERE NOT EXISTS (SELECT FROM sealed_entry s WHERE s.entry = e.id) ORDER BY e.id LIMIT :limit"
        ),
        {"limit": ENTRIES_LIMIT},
    )
    row = (
        await connection.execute(
            text(
                "INSERT INTO seal (id, entries, previous, digest, sealed_at) SELECT id, entries, previous, "
                f"{SEAL_DIGEST}, sealed_at FROM (SELECT coalesce(last.id, 0) + 1 AS id, added.entries, "
                "coalesce(last.digest, '') AS previous, added.digests, clock_timestamp() AS sealed_at FROM (SELECT "
                "count(*) AS entries, string_agg(digest, '' ORDER BY entry) AS digests FROM sealing) added LEFT JOIN "
                "(SELECT id, digest FROM seal ORDER BY id DESC LIMIT 1) last ON true WHERE added.entries > 0 OFFSET 0) "
                "s RETURNING id, entries, encode(digest, 'hex') AS digest"
            )
        )
    ).one_or_none()
    if row is not None:
        await connection.execute(
            text("INSERT INTO sealed_entry (entry, seal, digest) SELECT entry, :seal, digest FROM sealing"),
            {"seal": row.id},
        )
    await connection.execute(text("DROP TABLE sealing"))
    return None if row is None else Sealed(row.id, row.entries, row.digest)
