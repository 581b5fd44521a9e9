"""An adapter's own files: its source, the shared platforms that it builds on, its mapping documents and fixtures."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from gateway.kit.conformance.subject import Subject

RECORD: Final = "conformance.json"
FIXTURES: Final = "fixtures"
_COMMON: Final = re.compile(rb"\bcommon/([a-z0-9-]+)")


def modules(subject: Subject) -> list[Path]:
    """The adapter's modules, and those of the shared platforms beside it that they name."""
    own = _python(subject.folder)
    text = "\n".join(path.read_text("utf-8") for path in own)
    shared = [
        folder
        for folder in sorted(subject.folder.parent.glob("_*"))
        if folder.is_dir() and re.search(rf"\b{subject.folder.parent.name}\.{folder.name}\b", text)
    ]
    return [*own, *(path for folder in shared for path in _python(folder))]


def digest(subject: Subject) -> str:
    """A SHA-256 over the names and contents of all that decides how the adapter behaves.

    Its source, its fixtures, the shared platforms that it names, its mapping folder, and the common code lists that
    its mapping documents name. Not its README, and not the record of its tier.
    """
    whole = hashlib.sha256()
    for name, content in sorted(_files(subject)):
        whole.update(f"{name}\n{len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def _files(subject: Subject) -> Iterator[tuple[str, bytes]]:
    for path in modules(subject):
        yield f"source/{path.parent.name}/{path.name}", path.read_bytes()
    for path in sorted((subject.folder / FIXTURES).glob("*.json")):
        yield f"fixtures/{path.name}", path.read_bytes()
    package = subject.manifest.mappings
    folder = importlib.resources.files(package)
    mappings = dict(_documents(folder))
    for name, content in mappings.items():
        yield f"mappings/{name}", content
    shared = importlib.resources.files(package.rpartition(".")[0]) / "common"
    for name in sorted({found.decode() for content in mappings.values() for found in _COMMON.findall(content)}):
        document = shared / f"{name}.yaml"
        if document.is_file():
            yield f"common/{name}.yaml", document.read_bytes()


def _documents(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        if one.is_file() and not one.name.endswith((".py", ".pyc", ".md")):
            yield one.name, one.read_bytes()


def _python(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if FIXTURES not in path.relative_to(folder).parts)
