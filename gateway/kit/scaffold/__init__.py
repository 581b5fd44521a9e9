"""Begins the adapter of another market: a small package of its own, outside this repository, that works as it is.

``python -m gateway.kit.scaffold NAME FOLDER`` writes it; ``docs/write-an-adapter.md`` goes on from there. What is
written reads an invented market through a stand-in of its own; each place that says TODO is about the real one.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from importlib.metadata import entry_points, version
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from gateway.model.errors import ConfigurationError

ENTRY_POINT_GROUP: Final = "carbon_gateway.adapters"
NAME: Final = re.compile("[a-z][a-z0-9]{1,19}")
"""A new market's name stands in settings, modules and classes: no hyphen, and short."""

_SUFFIX: Final = ".template"
_OWN: Final = Path(__file__).resolve().parents[3]
"""Where the gateway itself lies."""


def scaffold(name: str, folder: Path) -> tuple[Path, ...]:
    """Writes the package of a new market's adapter and returns its files, as they lie in the folder.

    Args:
        name: the market's name in our program, such as ``reef``.
        folder: where the package is to lie; it is made, and may be there if it is empty.

    Raises ConfigurationError, and writes nothing, for a name that is none or is taken, and for a folder that has
    something in it or lies inside the gateway.
    """
    _require_free(name)
    _require_place(folder)
    words = {"@name@": name, "@Name@": name.capitalize(), "@NAME@": name.upper(), "@version@": _version()}
    template = importlib.resources.files(__name__) / "template"
    written = {_place(path, name): _said(file.read_text("utf-8"), words) for path, file in _files(template)}
    try:
        for place, text in written.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder}: cannot be written ({error})") from error
    return tuple(sorted(written))


def _require_free(name: str) -> None:
    if NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"found the name {name!r}, expected 2 to 20 small letters and digits, a letter first, as in reef"
        )
    taken = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    if name in taken:
        raise ConfigurationError(f"a market called {name} is installed; there are {', '.join(sorted(taken))}")


def _require_place(folder: Path) -> None:
    if folder.resolve().is_relative_to(_OWN):
        raise ConfigurationError(f"{folder} lies inside {_OWN}; an adapter is a package of its own, outside of it")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty, and nothing is overwritten; name another one")


def _version() -> str:
    """The gateway's version, without what stands behind its third part."""
    return ".".join(version("carbon-gateway").split(".")[:3])


def _files(folder: Traversable, under: Path = Path()) -> Iterator[tuple[Path, Traversable]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one, under / one.name)
        elif one.name.endswith(_SUFFIX):
            yield under / one.name.removesuffix(_SUFFIX), one


def _place(path: Path, name: str) -> Path:
    """Where a template's file lies in the package."""
    parts = [f"{name}_adapter" if part == "adapter" else part for part in path.parts]
    return Path(*parts).with_name(f"test_{name}.py") if path.name == "test_name.py" else Path(*parts)


def _said(text: str, words: dict[str, str]) -> str:
    for token, word in words.items():
        text = text.replace(token, word)
    return text
