"""A newcomer's way from nothing to silver: the guide, walked with what it prints, outside this repository."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from typer import core
from typer.main import get_command

from gateway.cli.commands import application
from gateway.kit import scaffold as scaffold_package
from gateway.kit.conformance import ALLOWED, CHECKS, Group, Tier
from gateway.kit.conformance.report import GROUPS
from gateway.kit.contract import CAPABILITIES
from gateway.kit.errors import AdapterError, WebhookRefused
from gateway.kit.manifest import Idempotency
from gateway.kit.scaffold import scaffold
from gateway.markets.registry import ENTRY_POINT_GROUP
from gateway.model.errors import ConfigurationError
from tests.conformance.guide import GUIDE, STEPS, blocks, commands

ROOT = Path(__file__).parents[2]
SECONDS_LIMIT = 120
MYPY_CACHE = ROOT / ".mypy_cache"
COMMAND_LINE = ("-c", "from gateway.cli import main; main()")
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
INSTALL = (*PIP_INSTALL, "--no-build-isolation")
RUFF = ("-m", "ruff", "--config", str(ROOT / "pyproject.toml"))
BRONZE = [f"--only={one.id}" for one in CHECKS if one.group is Group.READING]
"""Every check of the tier bronze."""

TIER = """
import json
from gateway.kit.conformance import recorded_tier
from reef_adapter import MANIFEST, __file__ as place
print(json.dumps({"tier": recorded_tier(MANIFEST).value, "place": place}))
"""


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str

    def checks(self) -> dict[str, dict[str, str]]:
        """The results of a run of the kit by their ids."""
        (report,) = json.loads(self.out)["adapters"]
        return {one["id"]: one for one in report["checks"]}

    def failed(self) -> dict[str, str]:
        """The messages of the checks that failed."""
        return {id_: one["message"] for id_, one in self.checks().items() if one["result"] == "failed"}


def python(*arguments: str, paths: tuple[Path, ...] = (), cwd: Path = ROOT) -> Done:
    """Runs this Python, with these folders to import from."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CARBON_GATEWAY_")}
    environment = {**settings, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_LIMIT,
        check=False,
    )
    return Done(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Walked:
    """What came of the guide's steps.

    Attributes:
        package: the new package, as it is at the end.
        begun: what the scaffold said.
        ended: how each program ended, by its name here.
    """

    package: Path
    begun: Done
    ended: Mapping[str, Done]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The package of Reef, made and changed as the guide says, and tried at each step."""
    place = tmp_path_factory.mktemp("outside")
    package, linked, shipped = place / "carbon-gateway-reef", place / "linked", place / "shipped"
    begun = python("-m", "gateway.kit.scaffold", "reef", str(package))
    # The entry point alone: the package itself is imported from where it is written, as an editable one is.
    done = python(*INSTALL, "--target", str(linked), "--editable", str(package))
    assert done.code == 0, done.err
    stages: dict[int, Path] = {}
    for number in STEPS:
        for block in blocks(STEPS[number]):
            block.write(package)
        if number in {2, 4, 5}:
            stages[number] = place / f"after-{number}" / package.name
            shutil.copytree(package, stages[number])

    cache = place / "mypy"
    if MYPY_CACHE.exists():
        # A copy: whatever else checks types at this moment is left alone.
        shutil.copytree(MYPY_CACHE, cache)

    def conformance(folder: Path, *options: str) -> Done:
        return python(*COMMAND_LINE, "conformance", "reef", "--json", *options, paths=(linked, folder))

    def ship() -> dict[str, Done]:
        recorded = conformance(package, "--record")
        installed = python(*INSTALL, "--target", str(shipped), str(package))
        data = ("--data-directory", str(place / "data"))
        listed = python(*COMMAND_LINE, *data, "markets", "--json", paths=(shipped,))
        tier = python("-c", TIER, paths=(shipped,))
        return {"record": recorded, "install": installed, "tier": tier, "markets": listed}

    def try_source() -> dict[str, Done]:
        return {
            "mypy": python(
                "-m", "mypy", "--cache-dir", str(cache), str(package / "reef_adapter"), str(package / "tests")
            ),
            "pytest": python("-m", "pytest", "-p", "no:cacheprovider", paths=(linked, package), cwd=package),
            "after 2": conformance(stages[2], "--record", *BRONZE),
            "after 4": conformance(stages[4], "--only=D110"),
            "after 5": conformance(stages[5], "--only=D110"),
        }

    with ThreadPoolExecutor(2) as both:
        running: list[Future[dict[str, Done]]] = [both.submit(ship), both.submit(try_source)]
        ended = {name: done for one in running for name, done in one.result().items()}
    return Walked(package, begun, ended)


def test_the_scaffold_says_what_the_guide_shows(walked: Walked) -> None:
    assert (walked.begun.code, walked.begun.err) == (0, "")
    shown = STEPS[1].partition("```console\n")[2].partition("  …")[0].splitlines()
    said = walked.begun.out.replace(str(walked.package), "../carbon-gateway-reef").splitlines()
    assert shown[0] == "$ make new-adapter NAME=reef"
    assert said[: len(shown) - 1] == shown[1:]
    assert "--editable" in said[-2]


def test_as_scaffolded_every_check_of_bronze_passes(walked: Walked) -> None:
    assert walked.ended["after 2"].failed() == {}


def test_the_client_that_is_not_yet_of_the_market_is_found(walked: Walked) -> None:
    assert "BAD_NUMBER" in walked.ended["after 4"].failed()["D110"]
    assert "BAD_NUMBER" in STEPS[4]


def test_the_path_that_no_mapping_lists_is_found(walked: Walked) -> None:
    assert "the paths rating are not listed" in walked.ended["after 5"].failed()["D110"]
    assert "`rating`" in STEPS[5]


def test_the_way_ends_in_silver(walked: Walked) -> None:
    done = walked.ended["record"]
    assert done.code == 0, done.err + done.out
    assert done.failed() == {}
    (report,) = json.loads(done.out)["adapters"]
    assert (report["adapter"], report["tier"]) == ("reef", "silver")
    assert report["capabilities"] == ["ReadsCatalogue", "ReadsHoldings", "ReadsMovements"]
    skipped = {id_ for id_, one in done.checks().items() if one["result"] == "skipped"}
    of_reading = {one.id for one in CHECKS if one.called_by & set(report["capabilities"])}
    # Reef writes its times without a zone.
    assert skipped & of_reading == {"D080"}
    assert json.loads((walked.package / "reef_adapter" / "conformance.json").read_text("utf-8"))["tier"] == "silver"
    assert len(list((walked.package / "reef_adapter" / "fixtures").glob("*.json"))) == 8


def test_the_market_is_one_of_ours_when_its_wheel_is_installed(walked: Walked) -> None:
    assert walked.ended["install"].code == 0, walked.ended["install"].err
    tier: dict[str, str] = json.loads(walked.ended["tier"].out)
    assert tier["tier"] == "silver"
    assert Path(tier["place"]).is_relative_to(walked.package.parent / "shipped")
    listed: dict[str, Any] = json.loads(walked.ended["markets"].out)
    (row,) = (one for one in listed["rows"] if one["market"] == "reef")
    assert row["title"] == "Reef Carbon Registry"
    assert {"verra", "hkvenue"} <= {one["market"] for one in listed["rows"]}


def test_its_own_tests_and_types_hold(walked: Walked) -> None:
    for name in ("pytest", "mypy"):
        assert walked.ended[name].code == 0, walked.ended[name].out + walked.ended[name].err
    assert "5 passed" in walked.ended["pytest"].out


def test_what_is_written_is_written_well(walked: Walked) -> None:
    # Its to-dos are there to be done, and its tests need no package.
    lint = python(*RUFF, "check", "--no-cache", "--ignore=TD,FIX,INP001,D103,PLR2004", ".", cwd=walked.package)
    shape = python(*RUFF, "format", "--no-cache", "--diff", ".", cwd=walked.package)
    assert (lint.code, shape.code) == (0, 0), lint.out + shape.out


def test_another_name_is_written_as_well(tmp_path: Path) -> None:
    name = "k" + "2" * 19
    files = scaffold(name, tmp_path / "new")
    assert sorted(str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*.*")) == sorted(
        map(str, files)
    )
    text = "".join((tmp_path / "new" / path).read_text("utf-8") for path in files)
    assert re.search("@(name|version)@", text, re.IGNORECASE) is None
    assert "reef" not in text
    lint = python(*RUFF, "check", "--no-cache", "--select=E9,F,I", ".", cwd=tmp_path / "new")
    assert lint.code == 0, lint.out


@pytest.mark.parametrize("name", ["", "Reef", "2reef", "re-ef", "re_ef", "r", "r" * 21, "reef\n", "ré"])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="small letters and digits"):
        scaffold(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    assert scaffold_package.ENTRY_POINT_GROUP == ENTRY_POINT_GROUP
    with pytest.raises(ConfigurationError, match="a market called verra is installed"):
        scaffold("verra", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = python("-m", "gateway.kit.scaffold", "reef", str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "is not empty, and nothing is overwritten" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_place_where_no_package_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="is no folder"):
        scaffold("reef", tmp_path / "file")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        scaffold("reef", tmp_path / "file" / "new")
    with pytest.raises(ConfigurationError, match="a package of its own, outside of it"):
        scaffold("reef", ROOT / "adapters" / "reef")
    assert not (ROOT / "adapters" / "reef").exists()


def test_an_empty_folder_that_is_there_is_used(tmp_path: Path) -> None:
    assert Path("pyproject.toml") in scaffold("reef", tmp_path)


@pytest.mark.parametrize(
    ("given", "folder"), [(["NAME=reef"], "../carbon-gateway-reef"), (["NAME=reef", "FOLDER=/x y"], "/x y")]
)
def test_make_begins_an_adapter(given: list[str], folder: str) -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "new-adapter", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )
    last = shlex.split(said.stdout.splitlines()[-1])
    assert last[1:] == ["-m", "gateway.kit.scaffold", "reef", folder]


def test_the_guide_has_every_capability_with_its_methods_and_tier() -> None:
    for capability in CAPABILITIES:
        (row,) = (line for line in GUIDE.splitlines() if line.startswith(f"| `{capability.__name__}` |"))
        methods = [name for name in vars(capability) if not name.startswith("_") and name != "mro"]
        assert [name for name in methods if f"`{name}`" not in row] == []
        tier = next(one for one in Tier if capability.__name__ in ALLOWED[one])
        assert row.endswith(f"| {tier.value} |")


def test_the_guide_has_every_error_every_idempotency_and_every_check() -> None:
    # An adapter's own errors are its own business.
    errors = {one for one in _all_below(AdapterError) if one.__module__ == AdapterError.__module__} | {WebhookRefused}
    for name in [*(one.__name__ for one in errors), *(one.name for one in Idempotency)]:
        assert f"| `{name}` |" in GUIDE
    for one in CHECKS:
        (row,) = (
            line for line in GUIDE.splitlines() if line.startswith("| `") and f"`{one.id[0]}`" in line.split("|")[1]
        )
        tier = next(tier for tier, groups in GROUPS.items() if one.group in groups)
        assert row.endswith(f"| {tier.value} |")


def test_every_command_of_the_guide_and_its_options_are_there() -> None:
    typed = [shlex.split(command) for text in STEPS.values() for command in commands(text)]
    assert {words[0] for words in typed} == {"make", "python", "carbon-gateway", "cd", "pytest", "mypy", "export"}
    ours = [words[1:] for words in typed if words[0] == "carbon-gateway"]
    # In sentences the program's name is left out where the command alone is clear.
    told = [shlex.split(said) for said in re.findall(r"`(?:carbon-gateway )?((?:conformance|mocks) [^`]+)`", GUIDE)]
    offered = cast("core.TyperGroup", get_command(application)).commands
    for name, *rest in [*ours, *told]:
        options = {option for parameter in offered[name].params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, name


def _all_below(kind: type) -> set[type]:
    below: set[type] = set(kind.__subclasses__())
    return below | {further for one in below for further in _all_below(one)}
