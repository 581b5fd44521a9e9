"""What a run amounts to, how it is recorded, and what is worth nothing any more once a file changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.kit.conformance import (
    CHECKS,
    Group,
    NotCalledFor,
    Outcome,
    Report,
    Result,
    Subject,
    Tier,
    document,
    record,
    run,
)
from gateway.kit.conformance.fixtures import GOLDEN
from gateway.kit.conformance.tier import ALLOWED, tier_of, write_record
from gateway.kit.contract import CAPABILITIES
from gateway.kit.mapping.document import Library
from gateway.model.errors import ConfigurationError
from tests.conformance.market import MANIFEST
from tests.conformance.quay import QUAY

EVERYTHING = frozenset(one.__name__ for one in CAPABILITIES)


def report_of(outcomes: dict[Group, Outcome], *, complete: bool = True) -> Report:
    results = tuple(
        Result(f"X{number}", "", group, outcomes.get(group, Outcome.PASSED), "") for number, group in enumerate(Group)
    )
    return Report(MANIFEST.name, MANIFEST.capabilities(), results, complete)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    own = Subject.of(MANIFEST)
    shutil.copytree(own.folder, tmp_path / "harbour", ignore=shutil.ignore_patterns("__pycache__"))
    return Subject(MANIFEST, tmp_path / "harbour", own.library)


@pytest.mark.parametrize(
    ("outcomes", "tier"),
    [
        ({}, Tier.GOLD),
        ({Group.READING: Outcome.FAILED}, Tier.NONE),
        ({Group.PAGING: Outcome.FAILED}, Tier.BRONZE),
        ({Group.CANCELLATION: Outcome.FAILED}, Tier.BRONZE),
        ({Group.CONCURRENCY: Outcome.FAILED}, Tier.BRONZE),
        ({Group.RECONCILIATION: Outcome.FAILED}, Tier.BRONZE),
        ({Group.RECONCILIATION: Outcome.SKIPPED}, Tier.GOLD),
        ({Group.COMMANDS: Outcome.FAILED}, Tier.SILVER),
        ({Group.WEBHOOKS: Outcome.FAILED}, Tier.SILVER),
        ({Group.COMMANDS: Outcome.SKIPPED, Group.WEBHOOKS: Outcome.SKIPPED}, Tier.SILVER),
        ({Group.COMMANDS: Outcome.SKIPPED}, Tier.GOLD),
    ],
)
def test_a_tier_is_the_highest_whose_checks_did_not_fail(outcomes: dict[Group, Outcome], tier: Tier) -> None:
    assert report_of(outcomes).tier is tier


def test_each_tier_allows_more_and_gold_all() -> None:
    allowed = [ALLOWED[tier] for tier in Tier]
    assert all(lower < higher for lower, higher in pairwise(allowed))
    assert ALLOWED[Tier.NONE] == frozenset()
    assert ALLOWED[Tier.GOLD] == EVERYTHING


def test_a_recorded_tier_counts_as_long_as_nothing_changed(subject: Subject) -> None:
    assert tier_of(subject.manifest, subject.folder) is Tier.BRONZE
    path = write_record(subject.manifest, subject.folder, report_of({}))
    assert tier_of(subject.manifest, subject.folder) is Tier.GOLD
    assert json.loads(path.read_text("utf-8"))["checks"] == {"passed": len(Group), "failed": 0, "skipped": 0}
    (subject.folder / "README.md").write_text("Any words.", "utf-8")
    assert tier_of(subject.manifest, subject.folder) is Tier.GOLD


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: _add(folder / "adapter.py"),
        lambda folder: _add(folder / "fixtures" / "ReadsTrades-trades.json"),
        lambda folder: (folder / "fixtures" / "ReadsTrades-trades.json").unlink(),
        lambda folder: (folder / "client.py").rename(folder / "words.py"),
    ],
)
def test_a_changed_file_is_bronze_again(subject: Subject, change: Callable[[Path], object]) -> None:
    write_record(subject.manifest, subject.folder, report_of({}))
    change(subject.folder)
    assert tier_of(subject.manifest, subject.folder) is Tier.BRONZE


def test_another_contract_is_bronze_again(subject: Subject) -> None:
    write_record(subject.manifest, subject.folder, report_of({}))
    assert tier_of(replace(MANIFEST, contract_version=3), subject.folder) is Tier.BRONZE


def test_an_adapter_that_failed_stays_out(subject: Subject) -> None:
    write_record(subject.manifest, subject.folder, report_of({Group.READING: Outcome.FAILED}))
    assert tier_of(subject.manifest, subject.folder) is Tier.NONE
    _add(subject.folder / "adapter.py")
    assert tier_of(subject.manifest, subject.folder) is Tier.NONE


def test_a_partial_run_is_not_recorded(subject: Subject) -> None:
    with pytest.raises(ConfigurationError, match="partial run of harbour; expected a whole run"):
        write_record(subject.manifest, subject.folder, report_of({}, complete=False))
    with pytest.raises(ConfigurationError, match="a whole run of seaside"):
        write_record(subject.manifest, subject.folder, replace(report_of({}), adapter="seaside"))


@pytest.mark.parametrize("text", ["", "{}", '{"tier": "platinum", "contract_version": 2, "digest": ""}'])
def test_a_record_that_is_none_is_told(subject: Subject, text: str) -> None:
    (subject.folder / "conformance.json").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=r"conformance\.json.*run the conformance kit"):
        tier_of(subject.manifest, subject.folder)


def test_a_report_as_json() -> None:
    (told,) = document([report_of({Group.PAGING: Outcome.FAILED})])["adapters"]
    assert (told["adapter"], told["tier"]) == ("harbour", "bronze")
    assert told["capabilities"] == sorted(MANIFEST.capabilities())
    assert told["checks"][1] == {"id": "X1", "result": "failed", "message": ""}


async def test_a_fixture_is_never_overwritten(subject: Subject) -> None:
    kept = {path.name: path.read_bytes() for path in (subject.folder / "fixtures").iterdir()}
    names = {"ReadsTrades-trades.json", f"ReadsTrades-trades{GOLDEN}.json"}
    for name in names:
        (subject.folder / "fixtures" / name).unlink()
    assert {path.name for path in await record(subject)} == names
    assert {path.name: path.read_bytes() for path in (subject.folder / "fixtures").iterdir()} == kept
    assert await record(subject) == ()
    (subject.folder / "fixtures" / "ReadsTrades-trades.json").unlink()
    with pytest.raises(ConfigurationError, match="never overwritten"):
        await record(subject)


async def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no check is called X999"):
        await run(MANIFEST, only=["X999"])


async def test_progress_is_told_each_result() -> None:
    told: list[Result] = []
    report = await run(MANIFEST, only=["M010", "M030"], progress=told.append)
    assert tuple(told) == report.results
    assert [one.id for one in told] == ["M010", "M030"]


async def test_a_check_that_breaks_off_fails(subject: Subject) -> None:
    broken = Subject(replace(MANIFEST, rehearse=lambda _seed, _clock: 1 / 0), subject.folder, subject.library)  # type: ignore[arg-type,return-value]
    (found,) = (await run(broken, only=["D100"])).results
    assert (found.outcome, found.message) == (Outcome.FAILED, "it broke off: ZeroDivisionError('division by zero')")


def test_what_is_not_called_for_is_told_apart() -> None:
    assert not issubclass(NotCalledFor, ConfigurationError)
    assert {one.group for one in CHECKS} == set(Group)


async def test_a_market_without_ids_reaches_gold_by_its_witness(tmp_path: Path) -> None:
    own = Subject.of(MANIFEST)
    shutil.copytree(own.folder, tmp_path / "quay", ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    subject = Subject(QUAY, tmp_path / "quay", Library.of_package(QUAY.mappings))
    await record(subject)
    report = await run(subject)
    assert [(one.id, one.message) for one in report.failed] == []
    skipped = {one.id for one in report.results if one.outcome is Outcome.SKIPPED}
    assert {"C030", "C040"} <= skipped
    assert not {"C010", "G100", "G110", "G120"} & skipped
    assert report.tier is Tier.GOLD


def _add(path: Path) -> None:
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
