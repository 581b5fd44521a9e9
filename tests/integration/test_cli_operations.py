"""Commands that need no catalogue, and the program as its own process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.markets.registry import installed
from tests.integration.conftest import Answered, CommandLine, call

PROGRAM = [sys.executable, "-c", "from gateway.cli import main; main()"]
PASSWORD = "a-password-of-nobody"
NOBODY = f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/nothing"
LIMIT_SECONDS = 180


def document(answered: Answered) -> Any:
    return json.loads(answered.out)


def environment_of(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARBON_GATEWAY_")}
    return kept | {"CARBON_GATEWAY_DATA_DIRECTORY": str(tmp_path)} | more


def test_the_demonstration_as_a_program_and_once_more_says_that_nothing_changed(
    tmp_path: Path, environment: dict[str, str | None]
) -> None:
    """Its own process first, with a database address that must stay unused; then once more on what it left."""
    done = subprocess.run(
        [*PROGRAM, "--data-directory", str(tmp_path), "demo", "--json"],
        env=environment_of(tmp_path / "elsewhere", CARBON_GATEWAY_DATABASE_URL=NOBODY),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    again = call(environment, "--data-directory", str(tmp_path), "demo")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["data_directory"], found["failures"]) == (str(tmp_path / "demo"), [])
    pulls = {one["market"]: one["status"] for one in found["pulls"]}
    assert pulls == dict.fromkeys(installed(), "complete")
    assert {row["market"] for row in found["quarantine"]["rows"]} == {"verra"}
    assert found["quarantine"]["total"] == 5
    assert {one["firm"] for one in found["offers"]["accepted"]} == {True, False}
    assert found["offers"]["refused"] == []
    assert found["restricted"]["firm"]
    assert "Active → On Hold" in found["held"]["changes"][0]
    assert list(found["outage"]["lost"]) == ["cbl"]
    # It went while it was read: what had come of its first feed is there, and all its feeds are told as broken off.
    assert [words.split(":")[0] for words in found["outage"]["lost"]["cbl"]] == ["positions", "deposits", "listings"]
    assert all("broke off" in words for words in found["outage"]["lost"]["cbl"])
    assert found["outage"]["read"] == [name for name in installed() if name != "cbl"]
    assert found["outage"]["came_back"]
    assert "uses a database of its own" in done.stderr
    assert "verra holdings: read " in done.stderr
    assert not (tmp_path / "elsewhere").exists()
    assert again.code == 0
    figures = r"^ ([a-z]+) .*?([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +[\d,]+ +complete"
    shown = {name: counts for name, _, *counts in re.findall(figures, again.out, re.MULTILINE)}
    # The home venue's stand-in is a new one, without the offers of the last run.
    assert shown.pop("hkvenue")[2] == str(len({one["offer_id"] for one in found["offers"]["accepted"]}))
    assert shown == {name: ["0", "0", "0"] for name in installed() if name != "hkvenue"}
    looked_at_as_a_person_does(again.out)


def looked_at_as_a_person_does(shown: str) -> None:
    """What the demonstration shows: every column has its heading, nothing is cut, both languages are there."""
    lines = shown.splitlines()
    assert "\\n" not in shown
    assert "…" not in shown
    assert all(len(line) <= 100 for line in lines if line.startswith(" ") and not line.startswith("  "))
    assert re.search(r"Market +Name +Own name 本名 +Rows +New +Changed +Gone +Quarantined +Read", shown)
    assert re.search(r"Market, account +Class, name +Units +Price +Seen as +State", shown)
    assert re.search(r"Offer, class +Name +Units +Price +Kind +venue", shown)
    assert re.search(r"^ OF-[0-9A-F]{16} .* firm +offered", shown, re.MULTILINE)
    assert re.search(r"^ OF-[0-9A-F]{16} .* indicative +offered", shown, re.MULTILINE)
    assert "STATE_UNKNOWN" in shown
    assert "全国温室气体自愿减排注册登记系统"[:8] in shown
    assert "星河滩造林碳汇项目" in shown
    assert "cbl was not read whole" in shown
    assert "cbl comes back" in shown
    halted, offered = re.findall(r"^offers: (\d+) (?:halted|offered)$", shown, re.MULTILINE)
    assert halted == offered


def test_mocks_serve_until_interrupted_where_their_settings_lead(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "mocks", "verra", "--json"],
        env=environment_of(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        try:
            assert serving.stdout is not None
            said = ""
            deadline = time.monotonic() + LIMIT_SECONDS
            while not said.endswith("\n}\n") and time.monotonic() < deadline:
                said += serving.stdout.readline()
            (market,) = json.loads(said)["markets"]
            address = market["environment"]["CARBON_GATEWAY_MARKETS__VERRA__REPORTS_URL"]
            answered = httpx.get(f"{market['url']}/config/environment.config.json")
        finally:
            serving.send_signal(signal.SIGINT)
            rest, errors = serving.communicate(timeout=LIMIT_SECONDS)

    assert answered.status_code == 200
    assert address == f"{market['url']}/ci-raas-prod/raas-report-api/es/public"
    assert (serving.returncode, rest) == (130, "")
    assert "interrupted" in errors
    assert "Traceback" not in errors


def test_help_and_version_load_nothing_heavy() -> None:
    heavy = "polars", "sqlalchemy", "ibis", "pyarrow", "pydantic", "aiohttp", "httpx"
    program = (
        "import sys; from gateway.cli.commands import application\n"
        "try: application(['--help'])\n"
        f"except SystemExit: print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
    )

    assert "quarantine" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(bare_command_line: CommandLine) -> None:
    answered = bare_command_line("--version")

    assert (answered.code, answered.out) == (0, "carbon-gateway 0.1.0\n")


@pytest.mark.parametrize("arguments", [("markets",), ("sync",), ("db", "status"), ("quarantine", "replay")])
def test_a_database_that_cannot_be_reached_ends_with_3_and_hides_its_password(
    environment: dict[str, str | None], arguments: tuple[str, ...]
) -> None:
    answered = call(environment | {"CARBON_GATEWAY_DATABASE_URL": NOBODY}, *arguments, "--json")

    assert answered.code == 3
    assert document(answered)["error"]["type"] == "DatabaseUnreachable"
    assert PASSWORD not in answered.out + answered.err


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CARBON_GATEWAY_DATABASE_URL", "mysql://somebody@host/name"),
        ("CARBON_GATEWAY_DATABASE_URL", "no address"),
        ("CARBON_GATEWAY_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_names_it(
    environment: dict[str, str | None], variable: str, value: str
) -> None:
    answered = call(environment | {variable: value}, "markets")

    assert (answered.code, answered.out) == (2, "")
    assert variable in answered.err


def test_a_wrong_setting_of_a_market_ends_with_2_and_names_it(
    environment: dict[str, str | None], fresh_database_url: str
) -> None:
    wrong = {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url, "CARBON_GATEWAY_MARKETS__VERRA__REPORTS_URL": "ftp://x"}

    answered = call(environment | wrong, "sync")

    assert answered.code == 2
    assert "reports_url" in answered.err


def test_a_schema_that_is_behind_is_said_and_upgraded(
    environment: dict[str, str | None], empty_database_url: str
) -> None:
    command_line = partial(call, environment | {"CARBON_GATEWAY_DATABASE_URL": empty_database_url})

    behind = command_line("db", "status", "--json")
    refused = command_line("markets")
    ill = command_line("doctor", "--json")
    upgraded = command_line("db", "upgrade", "--json")
    again = command_line("db", "upgrade")
    current = command_line("db", "status", "--json")

    assert behind.code == 1
    assert (document(behind)["revision"], document(behind)["current"], document(behind)["tables"]) == (None, False, {})
    assert refused.code == 2
    assert "carbon-gateway db upgrade" in refused.err
    assert ill.code == 1
    assert [row["check"] for row in document(ill)["rows"] if row["level"] == "fail"] == ["schema"]
    assert (upgraded.code, document(upgraded)["before"]) == (0, None)
    assert "nothing to do" in again.out
    assert (current.code, document(current)["current"]) == (0, True)
    assert document(current)["tables"]["block"] == 0


def test_reset_asks_and_without_a_terminal_refuses(command_line: CommandLine, tmp_path: Path) -> None:
    projects = tmp_path / "projects.csv"
    projects.write_text("ID,Name,Proponent,Status\n1,One,Somebody,Registered\n", encoding="utf-8")
    assert command_line("ingest", "verra", projects).code == 0

    refused = command_line("db", "reset", stdin="y\n")
    kept = document(command_line("projects", "--json"))["total"]
    done = command_line("db", "reset", "--yes", "--json")

    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert kept == 1
    assert done.code == 0
    assert document(done)["deleted"]["project"] == 1
    assert document(command_line("projects", "--json"))["total"] == 0


@pytest.mark.parametrize(("said", "left"), [("n\n", 1), ("y\n", 0)])
def test_reset_on_a_terminal_says_what_it_deletes_and_waits_for_an_answer(
    command_line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, left: int
) -> None:
    projects = tmp_path / "projects.csv"
    projects.write_text("ID,Name,Proponent,Status\n1,One,Somebody,Registered\n", encoding="utf-8")
    command_line("ingest", "verra", projects)
    monkeypatch.setattr("gateway.cli.database.is_terminal", lambda: True)

    answered = command_line("db", "reset", stdin=said)

    assert answered.code == (1 if left else 0)
    assert "project: 1 row" in answered.err
    assert ("nothing was deleted" in answered.err) == bool(left)
    assert document(command_line("projects", "--json"))["total"] == left


def test_status_of_a_database_that_was_never_made_makes_none(bare_command_line: CommandLine, tmp_path: Path) -> None:
    answered = bare_command_line("db", "status")

    assert answered.code == 0
    assert "no database yet" in answered.out
    assert not (tmp_path / "data").exists()


def test_doctor_finds_a_sound_installation_sound(environment: dict[str, str | None], fresh_database_url: str) -> None:
    secret = {"CARBON_GATEWAY_DATABASE_URL": fresh_database_url, "CARBON_GATEWAY_MARKETS__VERRA__APP_KEY": PASSWORD}

    answered = call(environment | secret, "doctor", "--json")
    person = call(environment | secret, "doctor")

    assert answered.code == 0
    found = {row["check"]: row["level"] for row in document(answered)["rows"]}
    own = {"Python", "settings", "disk space", "database", "schema", "adapters", "calendars"}
    assert found.keys() == own | {f"market {name}" for name in installed()}
    assert "fail" not in found.values()
    assert "checks passed" in person.out
    assert PASSWORD not in answered.out + person.out


def test_doctor_says_what_is_wrong_and_goes_on(
    environment: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"CARBON_GATEWAY_DATABASE_URL": NOBODY, "CARBON_GATEWAY_MARKETS__VERRA__REPORTS_URL": "ftp://x"}

    answered = call(environment | wrong, "doctor", "--json")
    settings = call(environment | {"CARBON_GATEWAY_LOG_LEVEL": "loud"}, "doctor", "--json")

    assert answered.code == 1
    rows = {row["check"]: row for row in document(answered)["rows"]}
    assert [name for name, row in rows.items() if row["level"] == "fail"] == ["database", "market verra"]
    assert rows["database"]["advice"]
    assert "reports_url" in rows["market verra"]["found"]
    assert PASSWORD not in answered.out
    assert settings.code == 1
    assert "CARBON_GATEWAY_LOG_LEVEL" in settings.out
