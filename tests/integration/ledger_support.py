"""What the tests of the ledger share: short ways to say an entry."""

from __future__ import annotations

import datetime as dt

from gateway.ledger.posting import post
from gateway.ledger.sealing import seal
from gateway.ledger.verification import Verified, verify
from gateway.model.ledger import HOUSE, AssetKind, BlockMove, Bucket, Entry, EntryKind, Line, Place
from gateway.store.database import Database
from tests.integration.catalogue_support import asked

DAY = dt.date(2026, 7, 15)
CLASS = "VCS-1748 2021-01-01..2021-12-31 VCU"
SPACE = "verra:vcs-vcu"


def units(owner: str, bucket: Bucket, quantity: int, asset: str = CLASS) -> Line:
    return Line(Place(AssetKind.UNITS, "verra", asset, owner, bucket), quantity)


def cash(owner: str, bucket: Bucket, minor: int, currency: str = "HKD") -> Line:
    return Line(Place(AssetKind.CASH, "hkbank", currency, owner, bucket), minor)


def block(first: int, last: int, source: Bucket | None, target: Bucket, asset: str = CLASS) -> BlockMove:
    return BlockMove("verra", asset, f"B-{first}", SPACE, first, last, last - first + 1, source, target)


def entry(*lines: Line, kind: EntryKind = EntryKind.SETTLEMENT, blocks: tuple[BlockMove, ...] = ()) -> Entry:
    return Entry(kind, DAY, "test", "R-1", lines, blocks)


def deposit(owner: str, first: int, last: int, asset: str = CLASS) -> Entry:
    """Units come in from outside as one block."""
    quantity = last - first + 1
    return entry(
        units(HOUSE, Bucket.OUTSIDE, -quantity, asset),
        units(owner, Bucket.AVAILABLE, quantity, asset),
        kind=EntryKind.DEPOSIT,
        blocks=(block(first, last, None, Bucket.AVAILABLE, asset),),
    )


def pay_in(owner: str, minor: int, currency: str = "HKD") -> Entry:
    """Cash comes in from outside."""
    return entry(
        cash(HOUSE, Bucket.OUTSIDE, -minor, currency),
        cash(owner, Bucket.AVAILABLE, minor, currency),
        kind=EntryKind.PAY_IN,
    )


def moved(owner: str, source: Bucket, other: str, target: Bucket, quantity: int) -> Entry:
    """Units change hands or buckets; no block moves."""
    return entry(units(owner, source, -quantity), units(other, target, quantity))


async def posted(database: Database, *entries: Entry) -> tuple[int, ...]:
    async with database.transaction() as connection:
        return (await post(connection, entries)).entries


async def sealed(database: Database) -> None:
    async with database.transaction() as connection:
        await seal(connection)


async def verified(database: Database) -> Verified:
    async with database.transaction() as connection:
        return await verify(connection)


async def balances(database: Database) -> dict[tuple[str, str, str], int]:
    rows = await asked(database, "SELECT asset, owner, bucket, quantity FROM ledger_balance WHERE quantity <> 0")
    return {(row["asset"], row["owner"], row["bucket"]): row["quantity"] for row in rows}


def retirement(first: int, last: int) -> Entry:
    quantity = last - first + 1
    return entry(
        units("P1", Bucket.AVAILABLE, -quantity),
        units(HOUSE, Bucket.RETIRED, quantity),
        kind=EntryKind.RETIREMENT,
        blocks=(block(first, last, Bucket.AVAILABLE, Bucket.RETIRED),),
    )
