"""Rules about the source that no linter has, each with the places that may break it.

``python -m tests.source_rules`` prints every violation and ends with status 1 if there is one; ``make check`` calls it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("gateway", "adapters")
LONGEST_MODULE = 400


@dataclass(frozen=True)
class Rule:
    """A forbidden expression, why, and the module that owns it."""

    name: str
    why: str
    owners: tuple[str, ...]


FLOAT = Rule("float(", "no float carries a quantity, money, price, rate or instant", ())
JSON = Rule(".json()", "a decoder that makes floats of numbers; gateway.kit.decoding keeps their text", ())
CLOCK = Rule("datetime.now()", "the clock is passed in", ("gateway/app.py",))
ENVIRONMENT = Rule(
    "os.environ",
    "the environment is read once, in the settings",
    # The kit changes the process's zone to try an adapter in it.
    ("gateway/settings.py", "gateway/kit/conformance/zones.py"),
)
FROM_IMPORTS = {
    ("os", "environ"): ENVIRONMENT,
    ("os", "getenv"): ENVIRONMENT,
    ("time", "time"): CLOCK,
    ("time", "time_ns"): CLOCK,
}
LENGTH = Rule(f"more than {LONGEST_MODULE} lines", "one idea a module", ())


def violations(path: Path, source: str) -> Iterator[tuple[int, Rule]]:
    """The line and the rule of each violation in one module."""
    if source.count("\n") > LONGEST_MODULE:
        yield 1, LENGTH
    for node in ast.walk(ast.parse(source, str(path))):
        rule = _broken_by(node)
        if rule is not None and path.as_posix() not in rule.owners:
            yield getattr(node, "lineno", 0), rule


def _broken_by(node: ast.AST) -> Rule | None:
    if isinstance(node, ast.ImportFrom):
        return next((FROM_IMPORTS[key] for one in node.names if (key := (node.module, one.name)) in FROM_IMPORTS), None)
    match node:
        case ast.Call(func=ast.Name(id="float")):
            return FLOAT
        case ast.Call(func=ast.Attribute(attr="json"), args=[], keywords=[]):
            return JSON
        case (
            ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today", value=ast.Name(id="datetime" | "date")))
            | ast.Call(
                func=ast.Attribute(attr="now" | "utcnow" | "today", value=ast.Attribute(attr="datetime" | "date"))
            )
            | ast.Call(func=ast.Attribute(attr="time" | "time_ns", value=ast.Name(id="time")))
        ):
            return CLOCK
        case ast.Attribute(attr="environ" | "getenv" | "environb", value=ast.Name(id="os")):
            return ENVIRONMENT
    return None


def main() -> int:
    """Checks every module; returns the exit status."""
    found = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT)
            if "migrations/versions" in place.as_posix():
                continue
            for line, rule in violations(place, path.read_text("utf-8")):
                print(f"{place}:{line}: {rule.name}: {rule.why}")  # noqa: T201 - this is a command
                found += 1
    print("Source rules: " + (f"{found} violations" if found else "kept"))  # noqa: T201 - this is a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
