"""What posting refuses, what it leaves of a block, and what it says when two want the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.ledger.posting import NotCovered, PostedAcross, post
from gateway.model.errors import InvariantViolation
from gateway.model.ledger import HOUSE, BlockMove, Bucket, Entry
from gateway.store.database import Database
from tests.integration.catalogue_support import asked
from tests.integration.ledger_support import (
    CLASS,
    balances,
    block,
    cash,
    deposit,
    entry,
    moved,
    pay_in,
    posted,
    retirement,
    units,
    verified,
)


async def test_blocks_and_owners_quantities_come_and_go_together(database: Database) -> None:
    good = deposit("P1", 1, 10)
    retired = retirement(1, 5)
    for wrong in (
        replace(good, blocks=()),
        replace(good, blocks=(block(1, 9, None, Bucket.AVAILABLE),)),
        replace(good, blocks=(block(1, 10, None, Bucket.AVAILABLE, "another class"),)),
        replace(good, blocks=(block(1, 10, None, Bucket.RETIRED),)),
        replace(retired, blocks=(block(1, 5, Bucket.AVAILABLE, Bucket.CANCELLED),)),
        replace(retired, blocks=()),
        replace(pay_in("P1", 5), blocks=good.blocks),
    ):
        with pytest.raises(InvariantViolation, match="lines that its blocks do not cover"):
            await posted(database, good, wrong)
    assert await balances(database) == {}


async def test_no_entry_takes_what_only_a_later_one_of_the_call_brings(database: Database) -> None:
    spent = entry(cash("P1", Bucket.AVAILABLE, -5), cash("P2", Bucket.AVAILABLE, 5))
    with pytest.raises(NotCovered, match="P1 available has 0, before a later entry brings more 5 are to leave"):
        await posted(database, spent, pay_in("P1", 5))
    await posted(database, pay_in("P1", 5), spent)
    assert (await balances(database))["HKD", "P2", "available"] == 5


def batch(quantity: int, source: Bucket | None, target: Bucket) -> Entry:
    """Units of a programme without ranges come in, or go from one bucket of P1 to another."""
    move = BlockMove("verra", CLASS, "BATCH-1", None, None, None, quantity, source, target)
    whose = (HOUSE, Bucket.OUTSIDE) if source is None else ("P1", source)
    return entry(units(*whose, -quantity), units("P1", target, quantity), blocks=(move,))


async def test_a_batch_without_ranges_is_taken_oldest_first_out_of_all_its_parts(database: Database) -> None:
    first, second = await posted(database, batch(6, None, Bucket.AVAILABLE), batch(6, None, Bucket.AVAILABLE))
    with pytest.raises(NotCovered):
        await posted(database, batch(13, Bucket.AVAILABLE, Bucket.RESERVED))
    await posted(database, batch(10, Bucket.AVAILABLE, Bucket.RESERVED))
    rows = await asked(database, "SELECT quantity, bucket, since FROM ledger_block ORDER BY since, bucket")
    assert [(row["quantity"], row["bucket"], row["since"]) for row in rows] == [
        (6, "reserved", first),
        (2, "available", second),
        (4, "reserved", second),
    ]
    assert (await verified(database)).faults == ()


async def test_units_that_only_change_their_bucket_stay_as_old_as_they_are(database: Database) -> None:
    (came,) = await posted(database, deposit("P1", 1, 100))
    held = entry(
        units("P1", Bucket.AVAILABLE, -10),
        units("P1", Bucket.RESERVED, 10),
        blocks=(block(11, 20, Bucket.AVAILABLE, Bucket.RESERVED),),
    )
    await posted(database, held)
    rows = await asked(database, "SELECT DISTINCT since FROM ledger_block")
    assert [row["since"] for row in rows] == [came]


def reservation(owner: str, *ranges: tuple[int, int]) -> Entry:
    quantity = sum(last - first + 1 for first, last in ranges)
    return entry(
        units(owner, Bucket.AVAILABLE, -quantity),
        units(owner, Bucket.RESERVED, quantity),
        blocks=tuple(block(*one, Bucket.AVAILABLE, Bucket.RESERVED) for one in ranges),
    )


async def test_who_waits_for_a_block_takes_from_what_the_other_left_of_it(database: Database) -> None:
    await posted(database, deposit("P1", 1, 100), moved("P1", Bucket.AVAILABLE, "P2", Bucket.AVAILABLE, 50))
    async with database.transaction() as first:
        await post(first, [reservation("P1", (1, 10))])
        waiting = asyncio.create_task(posted(database, reservation("P2", (51, 60))))
        await until_waiting(database)
    await waiting
    assert (await verified(database)).faults == ()


WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def until_waiting(database: Database) -> None:
    """Until somebody waits for somebody else's lock."""
    async with asyncio.timeout(20):
        while not await asked(database, WAITING):  # noqa: ASYNC110 - the database tells nobody that somebody waits
            await asyncio.sleep(0.01)


async def test_two_that_wait_for_each_other_are_told_so_and_one_goes_on(database: Database) -> None:
    await posted(database, pay_in("P1", 5), pay_in("P2", 5, "USD"))
    met = asyncio.Barrier(2)

    async def both(*currencies: str) -> None:
        async with database.transaction() as connection:
            await post(connection, [pay_in("P3", 1, currencies[0])])
            await met.wait()
            await post(connection, [pay_in("P3", 1, currencies[1])])

    ended = await asyncio.gather(both("HKD", "USD"), both("USD", "HKD"), return_exceptions=True)
    assert [type(one) for one in ended if one] == [PostedAcross]
    assert (await verified(database)).faults == ()


@pytest.mark.parametrize("minor", [2**63, 2**63 - 2])
async def test_more_than_can_be_counted_is_refused_in_our_words(database: Database, minor: int) -> None:
    await posted(database, pay_in("P1", 5))
    with pytest.raises(InvariantViolation, match="the journal refused"):
        await posted(database, pay_in("P1", minor))
    with pytest.raises(InvariantViolation, match="the journal refused"):
        await posted(database, replace(pay_in("P1", 1), reference="zero\x00"))
    assert (await balances(database))["HKD", "P1", "available"] == 5
