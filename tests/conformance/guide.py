"""The guide to adapters as a reader follows it: its steps, and the blocks that it tells to write."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GUIDE: Final = (Path(__file__).parents[2] / "docs" / "write-an-adapter.md").read_text(encoding="utf-8")
STEPS: Final = {
    int(number): text for number, text in re.findall(r"^### (\d+)\. .*?\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)
}
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE: Final = re.compile(r"# (\S+?)(?:, in place of ([\w, ]+))?\n")


@dataclass(frozen=True, slots=True)
class Block:
    """Something to write.

    Attributes:
        path: the file, in the package's folder.
        text: a difference, the functions that replace others, or a whole file.
        instead: the functions that are replaced; empty for a whole file.
        difference: whether it is lines to take out and lines to put in.
    """

    path: str
    text: str
    instead: tuple[str, ...] = ()
    difference: bool = False

    def write(self, folder: Path) -> None:
        """Does what the guide says with it. Fails where the file is not as the guide takes it to be."""
        path = folder / self.path
        if self.difference:
            path.write_text(_changed(path.read_text("utf-8"), self.text), encoding="utf-8")
        elif self.instead:
            path.write_text(_replaced(path.read_text("utf-8"), self.instead, self.text), encoding="utf-8")
        else:
            path.write_text(self.text, encoding="utf-8")


def commands(text: str) -> list[str]:
    """What is to be typed."""
    return [line[2:] for kind, block in _BLOCK.findall(text) if kind == "console" for line in _typed(block)]


def blocks(text: str) -> list[Block]:
    """What is to be written, in order; every block that is no command must say where it belongs."""
    return [_block(kind, block) for kind, block in _BLOCK.findall(text) if kind != "console"]


def _typed(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.startswith("$ ")]


def _block(kind: str, text: str) -> Block:
    first, _, rest = text.partition("\n")
    if kind == "diff":
        return Block(first.removeprefix("--- "), rest, difference=True)
    place = _PLACE.fullmatch(f"{first}\n")
    assert place is not None, f"a block that belongs nowhere: {first}"
    return Block(place[1], rest, tuple(place[2].split(", ")) if place[2] else ())


def _changed(text: str, difference: str) -> str:
    for hunk in difference.split("@@\n"):
        lines = [line or " " for line in hunk.splitlines()]
        old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
        assert text.count(old) == 1, f"expected this once, found it {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    return text


def _replaced(text: str, names: tuple[str, ...], functions: str) -> str:
    there = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    old = [node for node in there if node.name in names]
    assert [node.name for node in old] == list(names)
    first, last = old[0].lineno, old[-1].end_lineno or 0
    assert [node for node in there if first <= node.lineno <= last] == old, "they stand beside one another"
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: first - 1], functions, *lines[last:]])
