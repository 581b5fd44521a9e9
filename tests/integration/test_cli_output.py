"""What reaches a terminal, whatever a market wrote. No database is needed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.catalogue import BLOCK_COLUMNS
from gateway.cli.execution import Exit, exit_code
from gateway.cli.output import Output, clean, keyed, said
from gateway.kit import errors
from gateway.model.errors import (
    CapabilityMissing,
    ConfigurationError,
    GatewayError,
    InvariantViolation,
    UnusableFile,
)
from gateway.store.database import DatabaseUnreachable

WHERE: Final[Any] = {"market": "verra", "operation": "read_catalogue"}


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    shown = clean(text)

    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 or one in "\u202a\u202b\u202d\u202e\u2066" for one in shown)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])))
def test_words_of_any_language_stay_as_they_are(text: str) -> None:
    assert clean(text) == text


def test_escape_sequences_and_markup_of_a_market_are_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31mRed\x1b[0m [bold]not bold[/bold] :smile: \x9b2J"

    output = Output(as_json=False)
    output.table([keyed("Name", "name", "folded")], [{"name": hostile}], title=hostile)
    output.say(hostile)
    output.note(hostile)

    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\x9b" not in told.out + told.err
    expected = r"\x1b[31mRed\x1b[0m [bold]not bold[/bold] :smile: \x9b2J"
    assert told.out.count(expected) == 3
    assert expected in told.err


def test_a_program_gets_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.say("a sentence")
    output.heading("a heading")
    output.table([keyed("Name", "name")], [{"name": "one"}])
    instant = datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    output.document({"name": "碳\x1b", "units": 10**17, "day": date(2026, 7, 1), "at": instant})

    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found == {"name": "碳\x1b", "units": 10**17, "day": "2026-07-01", "at": "2026-07-01T00:00:00Z"}
    assert told.out.isascii()
    assert told.err == ""


def test_a_serial_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    serial = "8173-123456789012-123456789099-VCS-VCU-258-VER-BR-14-1748-01012020-31122020-1"
    row = {
        "serial": serial,
        "quantity": 88,
        "vintage_start": date(2020, 1, 1),
        "vintage_end": date(2020, 12, 31),
        "buffer": False,
        "state": "active",
        "country": "BR",
        "country_native": "Brazil",
        "labels": ["CORSIA-PILOT-ELIGIBLE", "CCB-CLIMATE-GOLD", "CCP-APPROVED"],
    }

    Output(as_json=False).table(BLOCK_COLUMNS, [row])

    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert "".join(line[: lines[1].index("Units") - 3].strip() for line in lines[3:]) == serial


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "yes"),
        (20467, "20,467"),
        (date(2026, 7, 1), "2026-07-01"),
        (datetime(2026, 7, 1, 8, 5, tzinfo=UTC), "2026-07-01 08:05Z"),
        (["CCB", "CORSIA"], "CCB, CORSIA"),
    ],
)
def test_a_value_as_a_person_reads_it(value: object, expected: str) -> None:
    assert said(value) == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DatabaseUnreachable("x"), Exit.UNREACHABLE),
        (errors.NotSent("x", **WHERE), Exit.UNREACHABLE),
        (errors.Unavailable("x", **WHERE), Exit.UNREACHABLE),
        (errors.RateLimited("x", **WHERE), Exit.UNREACHABLE),
        (errors.AccessDenied("x", **WHERE), Exit.UNREACHABLE),
        (errors.ContractBreach("x", **WHERE), Exit.WRONG),
        (ConfigurationError("x"), Exit.MISUSED),
        (UnusableFile(found="x", expected="y"), Exit.MISUSED),
        (CapabilityMissing("x"), Exit.MISUSED),
        (InvariantViolation("x"), Exit.WRONG),
    ],
)
def test_an_errors_exit_code(error: GatewayError, code: Exit) -> None:
    assert exit_code(error) is code
