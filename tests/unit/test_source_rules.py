"""Each rule about the source can fail, and its owner may break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source_rules import CLOCK, ENVIRONMENT, FLOAT, JSON, LENGTH, Rule, violations

ELSEWHERE = Path("gateway/kit/somewhere.py")


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("x = float('1')", FLOAT),
        ("x = response.json()", JSON),
        ("from datetime import datetime\nx = datetime.now()", CLOCK),
        ("import datetime\nx = datetime.datetime.now()", CLOCK),
        ("from datetime import date\nx = date.today()", CLOCK),
        ("import time\nx = time.time()", CLOCK),
        ("import os\nx = os.environ['A']", ENVIRONMENT),
        ("import os\nx = os.getenv('A')", ENVIRONMENT),
        ("from os import environ", ENVIRONMENT),
        ("from time import time", CLOCK),
        ("\n" * 401, LENGTH),
        ("x = clock()", None),
    ],
)
def test_a_rule_finds_what_it_forbids(source: str, rule: Rule | None) -> None:
    found = [one for _, one in violations(ELSEWHERE, source)]
    assert found == ([rule] if rule else [])


def test_the_owner_may() -> None:
    assert list(violations(Path("gateway/app.py"), "from datetime import datetime\nx = datetime.now()")) == []
