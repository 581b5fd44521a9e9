"""Raw documents: kept once under their digest, compressed, in chunks, so that a file of any size passes through.

What a market sent is evidence: it can be read back byte by byte for as long as anything refers to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import zstandard
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.tables.store import raw_chunk, raw_document

CHUNK: Final = 4 * 1024 * 1024
LEVEL: Final = 1
"""Registry exports shrink about six times at the fastest level; a higher one gains little."""


async def keep(connection: AsyncConnection, content: bytes, *, media_type: str, origin: str) -> bytes:
    """Keeps a document that is in memory; returns its SHA-256."""
    digest = hashlib.sha256(content).digest()
    parts = (content[start : start + CHUNK] for start in range(0, len(content), CHUNK))
    await _store(connection, digest, len(content), parts, media_type, origin)
    return digest


async def keep_file(connection: AsyncConnection, path: Path, *, media_type: str, origin: str) -> bytes:
    """Keeps a file's bytes without holding them all; returns their SHA-256."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
        size = stream.tell()
    await _store(connection, digest, size, _chunks(path), media_type, origin)
    return digest


async def read(connection: AsyncConnection, digest: bytes) -> bytes:
    """A document's bytes as they were received. Raises LookupError when it is not kept."""
    known = await connection.execute(select(raw_document.c.size).where(raw_document.c.digest == digest))
    if known.first() is None:
        raise LookupError(f"no raw document {digest.hex()}")
    rows = await connection.execute(
        select(raw_chunk.c.content).where(raw_chunk.c.digest == digest).order_by(raw_chunk.c.position)
    )
    unpack = zstandard.ZstdDecompressor()
    return b"".join(unpack.decompress(row.content) for row in rows)


async def _store(
    connection: AsyncConnection, digest: bytes, size: int, parts: Iterable[bytes], media_type: str, origin: str
) -> None:
    statement = insert(raw_document).values(digest=digest, media_type=media_type, size=size, origin=origin)
    new = await connection.execute(statement.on_conflict_do_nothing().returning(raw_document.c.size))
    if new.first() is None:
        return
    pack = zstandard.ZstdCompressor(level=LEVEL)
    for position, part in enumerate(parts):
        await connection.execute(
            insert(raw_chunk).values(digest=digest, position=position, content=pack.compress(part))
        )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(CHUNK):
            yield part
