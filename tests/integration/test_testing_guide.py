"""The guide to the stand-ins holds: its examples are run as they stand, and the plugin keeps out of others' way."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.kit.faults import Fault, FaultPlan
from gateway.model.errors import ConfigurationError
from gateway.testing.linking import LinkMarket

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / "docs" / "testing-against-the-mocks.md").read_text(encoding="utf-8")
PORT: Final = "8801"
LIMIT_SECONDS: Final = 120
ANYTHING: Final = "…"
NO_CACHE: Final = ("-p", "no:cacheprovider")
TRIVIAL: Final = "def test_one():\n    assert 1 + 1 == 2\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


PYTEST: Final = """
import importlib.util, sys
import pytest

missing = {missing!r}
there = importlib.util.find_spec

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
importlib.util.find_spec = lambda name, package=None: None if name in missing else there(name, package)
code = pytest.main(sys.argv[1:])
print({asked})
sys.exit(code)
"""
"""Runs pytest as if some packages were not there, and then says something of the process."""


def pytest_run(folder: Path, *arguments: str, missing: tuple[str, ...] = (), asked: str = "''") -> tuple[int, str]:
    """Runs pytest in a folder of somebody's own: its exit code and what it printed."""
    plugins = {"respx": "respx", "pytest_asyncio": "asyncio"}
    switched_off = [word for name in missing for word in ("-p", f"no:{plugins[name]}")]
    done = subprocess.run(
        [sys.executable, "-c", PYTEST.format(missing=missing, asked=asked), *NO_CACHE, *switched_off, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("CARBON_GATEWAY_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_examples_in_python_run_in_a_project_of_its_own(tmp_path: Path) -> None:
    (configuration,) = blocks("ini")
    (tmp_path / "pytest.ini").write_text(configuration, encoding="utf-8")
    examples = "\n\n".join(blocks("python"))
    (tmp_path / "test_examples.py").write_text(examples, encoding="utf-8")

    code, said = pytest_run(tmp_path, "-q", "-W", "error")

    assert code == 0, said
    assert f"{len(re.findall('^async def test_', examples, re.MULTILINE))} passed" in said


@contextmanager
def shell(tmp_path: Path, database_url: str) -> Iterator[dict[str, str]]:
    """The environment of a terminal in which our program is on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "carbon-gateway"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from gateway.cli import main; main()' \"$@\"\n")
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBON_GATEWAY_")}
    yield kept | {
        "PATH": f"{folder}{os.pathsep}{kept['PATH']}",
        "CARBON_GATEWAY_DATA_DIRECTORY": str(tmp_path / "data"),
        "CARBON_GATEWAY_DATABASE_URL": database_url,
    }


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a terminal's picture, each with what it is said to print."""
    parts = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, said) for command, _, said in parts]


def fits(printed: str, said: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in said.strip().split(ANYTHING))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def test_the_commands_of_the_guide_do_what_it_says(tmp_path: Path, fresh_database_url: str) -> None:
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("curl is missing")
        pytest.skip("curl is missing")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    serving, *others = [block.replace(PORT, port) for block in blocks("console")]
    ((command, printed),) = commands(serving)
    with (
        shell(tmp_path, fresh_database_url) as environment,
        subprocess.Popen(
            command.split(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as mocks,
    ):
        try:
            assert mocks.stdout is not None
            assert [mocks.stdout.readline() for _ in printed.splitlines()] == printed.splitlines(keepends=True)
            for block in others:
                _run(block, tmp_path, environment)
        finally:
            mocks.terminate()
            mocks.wait(LIMIT_SECONDS)


def _run(block: str, folder: Path, environment: dict[str, str]) -> None:
    """Runs a block's commands in one shell and compares what each prints."""
    border = "-- next --"
    listed = commands(block)
    script = "".join(f"{command}\necho\necho '{border}'\n" for command, _ in listed)
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (block, done.stdout, done.stderr)
    printed = done.stdout.split(f"{border}\n")
    for (command, said), found in zip(listed, printed, strict=False):
        assert fits(found, said), (command, found)


@pytest.mark.parametrize("missing", ["respx", "pytest_asyncio"])
def test_the_plugin_offers_nothing_where_its_extra_is_missing(tmp_path: Path, missing: str) -> None:
    (tmp_path / "test_one.py").write_text(f"{TRIVIAL}\ndef test_two(link_market):\n    pass\n")

    code, said = pytest_run(tmp_path, "-q", missing=(missing,))

    assert code == 1
    assert "1 passed, 1 error" in said
    assert "fixture 'link_market' not found" in said


def test_the_plugin_loads_nothing_of_the_gateway_until_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TRIVIAL)
    asked = "sorted(n for n in sys.modules if n.startswith('gateway.') or n in {'polars', 'sqlalchemy', 'aiohttp'})"

    code, said = pytest_run(tmp_path, "-q", asked=asked)

    assert code == 0, said
    assert said.strip().splitlines()[-1] == "['gateway.testing', 'gateway.testing.plugin']"


async def test_a_market_that_there_is_not_is_told_with_those_there_are(link_market: LinkMarket) -> None:
    with pytest.raises(ConfigurationError, match=r"no market is called 'vera'; there are cbl, .*, verra$"):
        await link_market("vera")


@pytest.mark.parametrize("url", ["https://somebody.example/", "https://cix.example.org/", "http://cix.example:81/"])
async def test_a_request_to_any_other_host_is_refused(link_market: LinkMarket, url: str) -> None:
    await link_market("cix")
    async with httpx.AsyncClient() as client:
        assert (await client.get("https://CIX.example/api/v1/marketplace/listings")).status_code == 401
        with pytest.raises(AssertionError, match="not mocked"):
            await client.get(url)


async def test_a_second_stand_in_of_a_market_needs_addresses_of_its_own(link_market: LinkMarket) -> None:
    first = await link_market("cix", seed=1)
    with pytest.raises(ConfigurationError, match=r"stand-in of cix answers under cix\.example already; give cix other"):
        await link_market("cix", seed=2, clock=first.clock)
    second = await link_market("cix", seed=2, clock=first.clock, settings={"url": "https://Other.example:443/api/v1"})
    first.mock.down = True
    assert (await second.market.reads_listings().listings_total("marketplace")).rows > 0


async def test_reads_are_tried_again_without_a_wait_and_faults_are_noted(
    link_market: LinkMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (Fault.SERVER_ERROR, Fault.RATE_LIMITED)
    cix = await link_market("cix", faults=FaultPlan(1, script=script, retry_after=30))
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("asyncio.sleep", wait)
    assert (await cix.market.reads_listings().listings_total("marketplace")).rows == len(cix.mock.book.offered)
    assert cix.network is not None
    assert [one.fault for one in cix.network.injected] == list(script)
    # What is left is the market's own rate limit.
    assert max(waited) < 1
