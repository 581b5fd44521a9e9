"""Raw documents: kept once under their digest, compressed, in chunks, so that a file of any size passes through.

What a market sent is evidence: it can be read back byte by byte for as long as the database lives, which refuses to
change or delete it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import zstandard
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.model.errors import InvariantViolation, UnusableFile
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
    """Keeps a file's bytes without holding them all; returns their SHA-256.

    Raises UnusableFile when the file changes meanwhile.
    """
    digest, size = await asyncio.to_thread(_digest_of, path)
    stored = await _store(connection, digest, size, _chunks(path), media_type, origin)
    if stored not in {None, digest}:
        raise UnusableFile(
            found=f"{path.name} changed while it was read", expected="a file that nobody is still writing"
        )
    return digest


async def read(connection: AsyncConnection, digest: bytes) -> bytes:
    """A document's bytes as they were received.

    Raises LookupError when it is not kept, InvariantViolation when what is kept is no longer what was received.
    """
    known = await connection.execute(select(raw_document.c.size).where(raw_document.c.digest == digest))
    if known.first() is None:
        raise LookupError(f"no raw document {digest.hex()}")
    rows = await connection.execute(
        select(raw_chunk.c.content).where(raw_chunk.c.digest == digest).order_by(raw_chunk.c.position)
    )
    unpack = zstandard.ZstdDecompressor()
    content = b"".join(unpack.decompress(row.content) for row in rows)
    found = hashlib.sha256(content).hexdigest()
    if found != digest.hex():
        raise InvariantViolation(f"the raw document {digest.hex()} has {len(content)} bytes with the digest {found}")
    return content


async def _store(
    connection: AsyncConnection, digest: bytes, size: int, parts: Iterable[bytes], media_type: str, origin: str
) -> bytes | None:
    """Stores a document that is new; returns the digest of what was stored, None when it is known already."""
    statement = insert(raw_document).values(digest=digest, media_type=media_type, size=size, origin=origin)
    new = await connection.execute(statement.on_conflict_do_nothing().returning(raw_document.c.size))
    if new.first() is None:
        return None
    stored = hashlib.sha256()
    pack = zstandard.ZstdCompressor(level=LEVEL)
    for position, part in enumerate(parts):
        stored.update(part)
        content = await asyncio.to_thread(pack.compress, part)
        await connection.execute(insert(raw_chunk).values(digest=digest, position=position, content=content))
    return stored.digest()


def _digest_of(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest(), stream.tell()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(CHUNK):
            yield part
