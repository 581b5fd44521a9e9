"""The kit itself: the made-up market passes everything, and each of its broken copies is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gateway.kit.conformance import CHECKS, Outcome, Tier, run
from tests.conformance.market import MANIFEST
from tests.conformance.mutants import MUTANTS
from tests.conformance.mutants.making import Mutant

LEAST_CHECKS = 40


async def test_the_unbroken_market_passes_every_check() -> None:
    report = await run(MANIFEST)
    assert {one.id: one.message for one in report.results if one.outcome is not Outcome.PASSED} == {}
    assert report.tier is Tier.GOLD
    assert report.complete


@pytest.mark.parametrize("mutant", MUTANTS, ids=[one.name for one in MUTANTS])
async def test_a_broken_copy_is_found(mutant: Mutant, tmp_path: Path) -> None:
    report = await run(mutant.made(tmp_path), only=mutant.kills)
    survived = {one.id: one.message or "passed" for one in report.results if one.outcome is not Outcome.FAILED}
    assert survived == {}, f"{mutant.name} survives"
    crashed = {one.id: one.message for one in report.results if one.message.startswith("it broke off")}
    assert crashed == {}, f"{mutant.name} breaks the check instead of being found by it"
    assert not report.complete


def test_every_check_finds_a_broken_copy() -> None:
    found = {id_ for mutant in MUTANTS for id_ in mutant.kills}
    assert {one.id for one in CHECKS} - found == set()


def test_checks_and_mutants_have_names_of_their_own() -> None:
    assert len(CHECKS) >= LEAST_CHECKS
    for names in ([one.id for one in CHECKS], [one.title for one in CHECKS], [one.name for one in MUTANTS]):
        assert [name for name, count in Counter(names).items() if count > 1] == []
