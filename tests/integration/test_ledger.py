"""The ledger: nothing is lost or made, a unit is in one place, and whatever was changed is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from gateway.ledger.posting import NotCovered, UnitTwice, post
from gateway.model.errors import InvariantViolation
from gateway.model.ledger import HOUSE, Bucket, Entry, EntryKind
from gateway.store.database import Database
from tests.integration.catalogue_support import asked
from tests.integration.conftest import CommandLine, made_database
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
    sealed,
    units,
    verified,
)


async def blocks(database: Database) -> list[tuple[int, int, str]]:
    rows = await asked(database, "SELECT first, last, bucket FROM ledger_block ORDER BY first")
    return [(row["first"], row["last"], row["bucket"]) for row in rows]


async def changed(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement))


async def meddle(database: Database, table: str, statement: str) -> None:
    """What an administrator with every right could do."""
    async with database.transaction() as connection:
        await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        await connection.execute(text(statement))
        await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


async def test_a_delivery_versus_payment_is_one_entry(database: Database) -> None:
    await posted(database, deposit("P1", 1, 100), pay_in("P2", 500_00))
    await posted(
        database,
        entry(
            units("P1", Bucket.AVAILABLE, -40),
            units("P2", Bucket.AVAILABLE, 40),
            cash("P2", Bucket.AVAILABLE, -400_00),
            cash("P1", Bucket.AVAILABLE, 398_00),
            cash(HOUSE, Bucket.FEES, 2_00),
        ),
    )
    assert await balances(database) == {
        (CLASS, HOUSE, "outside"): -100,
        (CLASS, "P1", "available"): 60,
        (CLASS, "P2", "available"): 40,
        ("HKD", HOUSE, "outside"): -500_00,
        ("HKD", HOUSE, "fees"): 2_00,
        ("HKD", "P1", "available"): 398_00,
        ("HKD", "P2", "available"): 100_00,
    }
    await sealed(database)
    found = await verified(database)
    assert (found.entries, found.sealed, found.faults) == (3, 3, ())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (entry(units("P1", Bucket.AVAILABLE, -1)), r"does not balance: -1 of VCS-1748"),
        (entry(units("P1", Bucket.AVAILABLE, -1), cash("P1", Bucket.AVAILABLE, 1)), r"-1 of VCS-1748 .*, \+1 of HKD"),
        (
            entry(cash("P1", Bucket.AVAILABLE, -1), cash("P2", Bucket.AVAILABLE, 1, "CNH")),
            r"-1 of HKD, \+1 of CNH",
        ),
        (entry(), "no line"),
    ],
)
async def test_an_entry_that_does_not_balance_is_refused(database: Database, wrong: Entry, message: str) -> None:
    with pytest.raises(InvariantViolation, match=message):
        await posted(database, deposit("P1", 1, 10), wrong)
    assert await balances(database) == {}


async def test_the_database_refuses_what_does_not_balance_by_itself(database: Database) -> None:
    await posted(database, deposit("P1", 1, 10))
    unbalanced = (
        "WITH e AS (INSERT INTO journal_entry (kind, business_date, actor, reference) VALUES ('fee', now(), 'x', 'y') "
        "RETURNING id) INSERT INTO journal_line SELECT id, p, 'cash', 'hkbank', 'HKD', 'P1', 'available', 5 * p - 3 "
        "FROM e, generate_series(1, 2) AS p"
    )
    with pytest.raises(IntegrityError, match="entry 2 does not balance: 9 too many of HKD"):
        await changed(database, unbalanced)


async def test_what_is_not_there_cannot_leave(database: Database) -> None:
    await posted(database, deposit("P1", 1, 10))
    for wrong in (
        moved("P1", Bucket.AVAILABLE, "P2", Bucket.AVAILABLE, 11),
        moved("P1", Bucket.RESERVED, "P2", Bucket.AVAILABLE, 1),
        moved("P3", Bucket.AVAILABLE, "P2", Bucket.AVAILABLE, 1),
    ):
        with pytest.raises(NotCovered, match="below nothing"):
            await posted(database, wrong)
    assert await balances(database) == {(CLASS, HOUSE, "outside"): -10, (CLASS, "P1", "available"): 10}


async def test_a_refused_entry_leaves_the_callers_transaction_as_it_was(database: Database) -> None:
    async with database.transaction() as connection:
        await post(connection, [deposit("P1", 1, 10)])
        with pytest.raises(NotCovered):
            await post(connection, [moved("P1", Bucket.AVAILABLE, "P2", Bucket.AVAILABLE, 11)])
        await post(connection, [moved("P1", Bucket.AVAILABLE, "P2", Bucket.AVAILABLE, 4)])
    assert (await balances(database))[CLASS, "P2", "available"] == 4
    assert (await verified(database)).faults == ()


async def test_a_unit_is_in_one_place(database: Database) -> None:
    await posted(database, deposit("P1", 100, 199))
    for first, last in ((100, 199), (50, 100), (199, 250), (150, 151), (1, 1_000)):
        with pytest.raises(UnitTwice, match="two places"):
            await posted(database, deposit("P2", first, last))
    await posted(database, deposit("P2", 200, 299))
    assert await blocks(database) == [(100, 199, "available"), (200, 299, "available")]


async def test_a_split_leaves_the_rest_and_a_retired_unit_never_comes_back(database: Database) -> None:
    await posted(database, deposit("P1", 1, 100), retirement(41, 60))
    assert await blocks(database) == [(1, 40, "available"), (41, 60, "retired"), (61, 100, "available")]
    with pytest.raises(UnitTwice):
        await posted(database, deposit("P2", 41, 60))
    back = entry(
        units(HOUSE, Bucket.RETIRED, -20),
        units("P2", Bucket.AVAILABLE, 20),
        blocks=(block(41, 60, Bucket.RETIRED, Bucket.AVAILABLE),),
    )
    with pytest.raises(InvariantViolation, match="takes units out of retired; only a correction may"):
        await posted(database, back)
    with pytest.raises(NotCovered, match="are not available as one block"):
        await posted(database, retirement(30, 45))
    assert (await verified(database)).faults == ()


async def test_withdrawn_units_may_come_back(database: Database) -> None:
    out = entry(
        units("P1", Bucket.AVAILABLE, -10),
        units(HOUSE, Bucket.WITHDRAWN, 10),
        kind=EntryKind.WITHDRAWAL,
        blocks=(block(1, 10, Bucket.AVAILABLE, Bucket.WITHDRAWN),),
    )
    await posted(database, deposit("P1", 1, 10), out)
    assert await blocks(database) == []
    await posted(database, deposit("P2", 1, 10))
    assert await blocks(database) == [(1, 10, "available")]
    assert (await verified(database)).faults == ()


async def test_two_who_want_the_last_units_at_once(database: Database) -> None:
    await posted(database, deposit("P1", 1, 10))
    wanted = [moved("P1", Bucket.AVAILABLE, f"B{number}", Bucket.AVAILABLE, 10) for number in range(8)]
    ended = await asyncio.gather(*(posted(database, one) for one in wanted), return_exceptions=True)
    assert sum(isinstance(one, NotCovered) for one in ended) == 7
    assert sum(isinstance(one, tuple) for one in ended) == 1
    assert (await verified(database)).faults == ()


async def test_many_who_trade_in_a_circle_never_wait_for_one_another_for_ever(database: Database) -> None:
    await posted(database, *(deposit(f"P{number}", number * 1000 + 1, number * 1000 + 500) for number in range(4)))

    async def trade(number: int) -> None:
        for step in range(12):
            one, other = f"P{(number + step) % 4}", f"P{(number + step + 1) % 4}"
            await posted(database, moved(one, Bucket.AVAILABLE, other, Bucket.AVAILABLE, 1))

    async with asyncio.timeout(30):
        await asyncio.gather(*(trade(number) for number in range(6)))
    assert sum(quantity for (_, owner, _), quantity in (await balances(database)).items() if owner != HOUSE) == 2_000
    assert (await verified(database)).faults == ()


MEDDLING = [
    ("ledger_balance", "UPDATE ledger_balance SET quantity = quantity + 1 WHERE owner = 'P1'", {"balance", "cover"}),
    ("ledger_balance", "DELETE FROM ledger_balance WHERE owner = 'P1'", {"balance", "cover", "conservation"}),
    ("ledger_block", "UPDATE ledger_block SET bucket = 'retired'", {"block", "cover"}),
    ("ledger_block", "DELETE FROM ledger_block", {"block", "cover"}),
    ("ledger_block", "UPDATE ledger_block SET class_id = 'other'", {"block", "cover"}),
    ("ledger_block", "UPDATE ledger_block SET market = 'other'", {"block", "cover"}),
    (
        "ledger_block",
        """INSERT INTO ledger_block (market, class_id, block, space, first, last, quantity, bucket, since)
        VALUES ('verra', 'c', 'b', 's', 1, 5, 5, 'withdrawn', 1)""",
        {"block", "cover"},
    ),
    (
        "journal_block",
        """INSERT INTO journal_block (entry, position, market, class_id, block, quantity, target)
        VALUES (2, 1, 'verra', 'c', 'b', 5, 'retired')""",
        {"block without range", "cover of an entry", "sealed entry"},
    ),
    ("journal_line", "UPDATE journal_line SET owner = 'P9' WHERE owner = 'P1'", {"balance", "sealed entry"}),
    ("journal_line", "UPDATE journal_line SET quantity = quantity + 1 WHERE owner = 'P1'", {"entry", "sealed entry"}),
    ("journal_line", "DELETE FROM journal_line WHERE owner = 'P1'", {"entry", "balance", "sealed entry"}),
    ("journal_entry", "UPDATE journal_entry SET actor = 'tesu' WHERE id = 1", {"sealed entry"}),
    ("journal_block", "UPDATE journal_block SET first = 2, quantity = 9", {"block", "sealed entry"}),
    ("sealed_entry", "UPDATE sealed_entry SET digest = sha256('x') WHERE entry = 1", {"sealed entry", "seal"}),
    ("sealed_entry", "DELETE FROM sealed_entry WHERE entry = 1", {"seal"}),
    ("seal", "UPDATE seal SET digest = sha256('x') WHERE id = 1", {"seal"}),
    ("seal", "UPDATE seal SET entries = 7 WHERE id = 2", {"seal"}),
    ("seal", "UPDATE seal SET sealed_at = sealed_at - interval '1 day' WHERE id = 2", {"seal"}),
]


@pytest.mark.parametrize(("table", "statement", "kinds"), MEDDLING, ids=[statement for _, statement, _ in MEDDLING])
async def test_whatever_is_changed_is_found_and_named(
    database: Database, table: str, statement: str, kinds: set[str]
) -> None:
    await posted(database, deposit("P1", 1, 10))
    await sealed(database)
    await posted(database, pay_in("P1", 5))
    await sealed(database)
    assert (await verified(database)).faults == ()
    await meddle(database, table, statement)
    found = (await verified(database)).faults
    assert kinds <= {fault.kind for fault in found}
    assert all(fault.where and fault.found for fault in found)


async def test_a_seal_covers_what_committed_and_leaves_the_rest_to_the_next(database: Database) -> None:
    async with database.transaction() as open_one:
        await post(open_one, [deposit("P1", 1, 10)])
        await posted(database, deposit("P2", 11, 20, "another class"))
        await sealed(database)
    await sealed(database)
    await sealed(database)
    rows = await asked(database, "SELECT seal, entry FROM sealed_entry ORDER BY seal")
    assert [(row["seal"], row["entry"]) for row in rows] == [(1, 2), (2, 1)]
    assert (await verified(database)).faults == ()


async def test_two_sealers_make_one_chain(database: Database) -> None:
    for number in range(5):
        await posted(database, deposit("P1", number * 10 + 1, number * 10 + 10))
        await asyncio.gather(sealed(database), sealed(database), sealed(database))
    found = await verified(database)
    assert (found.sealed, found.faults) == (5, ())


async def test_a_correction_needs_a_reason_and_a_second_person(database: Database) -> None:
    (first,) = await posted(database, deposit("P1", 1, 10))
    wrong = entry(units("P1", Bucket.AVAILABLE, -1), units("P2", Bucket.AVAILABLE, 1), kind=EntryKind.CORRECTION)
    with pytest.raises(InvariantViolation, match="correction_explained"):
        await posted(database, wrong)
    alone = replace(wrong, reason="typed wrongly", checker="test", corrects=first)
    with pytest.raises(InvariantViolation, match="two_people"):
        await posted(database, alone)
    await posted(database, replace(alone, checker="Ada"))
    assert (await balances(database))[CLASS, "P2", "available"] == 1


MOVES = st.lists(
    st.tuples(st.sampled_from("dmxrw"), st.integers(0, 2), st.integers(0, 2), st.integers(1, 30), st.integers(0, 60)),
    max_size=25,
)


def test_random_books_are_what_a_simple_model_says(database_url: str, template: str) -> None:
    """Every accepted step is one in a model of dictionaries and sets, every refused one leaves it alone."""

    @given(MOVES)
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def run(moves: list[tuple[str, int, int, int, int]]) -> None:
        with made_database(database_url, template) as url:
            asyncio.run(_played(url, moves))

    run()


async def _played(url: str, moves: Sequence[tuple[str, int, int, int, int]]) -> None:
    held: dict[int, str] = {}
    owned = {"P0": 0, "P1": 0, "P2": 0}
    async with Database(url) as database:
        for what, who, other, size, at in moves:
            span = range(at, at + size)
            one, two = f"P{who}", f"P{other}"
            try:
                match what:
                    case "d":
                        await posted(database, deposit(one, at, at + size - 1))
                        assert not any(unit in held for unit in span)
                        held |= dict.fromkeys(span, "available")
                        owned[one] += size
                    case "m" if one != two:
                        await posted(database, moved(one, Bucket.AVAILABLE, two, Bucket.AVAILABLE, size))
                        assert owned[one] >= size
                        owned[one] -= size
                        owned[two] += size
                    case "r" | "w":
                        target = Bucket.RETIRED if what == "r" else Bucket.WITHDRAWN
                        left = entry(
                            units(one, Bucket.AVAILABLE, -size),
                            units(HOUSE, target, size),
                            blocks=(block(at, at + size - 1, Bucket.AVAILABLE, target),),
                        )
                        await posted(database, left)
                        assert all(held.get(unit) == "available" for unit in span)
                        assert owned[one] >= size
                        owned[one] -= size
                        for unit in span:
                            if what == "r":
                                held[unit] = "retired"
                            else:
                                del held[unit]
            except (NotCovered, UnitTwice):
                continue
        found = await balances(database)
        assert {name: found.get((CLASS, name, "available"), 0) for name in owned} == owned
        kept = {unit: bucket for first, last, bucket in await blocks(database) for unit in range(first, last + 1)}
        assert kept == held
        assert (await verified(database)).faults == ()


def test_the_command_line_seals_and_verifies_and_says_where(command_line: CommandLine, fresh_database_url: str) -> None:
    async def book() -> None:
        async with Database(fresh_database_url) as database:
            await posted(database, deposit("P1", 1, 10))

    async def tamper() -> None:
        async with Database(fresh_database_url) as database:
            await meddle(database, "journal_line", "UPDATE journal_line SET owner = 'P2' WHERE owner = 'P1'")

    asyncio.run(book())
    head = json.loads(command_line("db", "seal", "--json").out)
    assert (head["seal"], head["entries"], len(head["digest"])) == (1, 1, 64)
    noted = f"1:{head['digest']}"
    assert command_line("db", "seal").out == "every entry is sealed already\n"
    fine = command_line("db", "verify")
    said = "1 entries (1 sealed), 2 balances, 1 blocks: all as the journal says"
    assert (fine.code, fine.out) == (0, f"{said}\nthe last seal is {noted}\n")
    assert command_line("db", "verify", "--head", noted).code == 0
    gone = command_line("db", "verify", "--head", f"2:{head['digest']}")
    assert (gone.code, "it is not there any more" in gone.out) == (1, True)
    other = command_line("db", "verify", "--json", "--head", f"1:{'0' * 64}")
    assert other.code == 1
    assert f"noted was {'0' * 64}" in json.loads(other.out)["rows"][0]["found"]
    wrong = command_line("db", "verify", "--head", "1:xyz")
    assert (wrong.code, "found the head '1:xyz'" in wrong.err) == (2, True)
    asyncio.run(tamper())
    found = command_line("db", "verify", "--json")
    assert found.code == 1
    assert {row["kind"] for row in json.loads(found.out)["rows"]} == {"balance", "sealed entry"}
    assert "entry 1 in seal 1" in command_line("db", "verify").out
