"""An adapter's own files: its source, the shared platforms that it builds on, its mapping documents and fixtures."""

from __future__ import annotations

import hashlib
import importlib.resources
import re
import sys
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from gateway.kit.manifest import Manifest

RECORD: Final = "conformance.json"
FIXTURES: Final = "fixtures"
_COMMON: Final = re.compile(rb"\bcommon/([a-z0-9-]+)")


def folder_of(manifest: Manifest) -> Path:
    """The folder of an adapter's package."""
    module = sys.modules[manifest.adapter_class.__module__]
    assert module.__file__ is not None
    return Path(module.__file__).parent


def modules(folder: Path) -> list[Path]:
    """The modules of an adapter's folder, and those of the shared platforms beside it that they name."""
    own = _python(folder)
    text = "\n".join(path.read_text("utf-8") for path in own)
    shared = [
        beside
        for beside in sorted(folder.parent.glob("_*"))
        if beside.is_dir() and re.search(rf"\b{folder.parent.name}\.{beside.name}\b", text)
    ]
    return [*own, *(path for beside in shared for path in _python(beside))]


def digest(manifest: Manifest, folder: Path) -> str:
    """A SHA-256 over the names and contents of all that decides how the adapter behaves.

    Its source, its fixtures, the shared platforms that it names, its mapping folder, and the common code lists that
    its mapping documents name. Not its README, and not the record of its tier.
    """
    whole = hashlib.sha256()
    for name, content in sorted(_files(manifest, folder)):
        whole.update(f"{name}\n{len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def _files(manifest: Manifest, adapter: Path) -> Iterator[tuple[str, bytes]]:
    for path in modules(adapter):
        yield f"source/{path.parent.name}/{path.name}", path.read_bytes()
    for path in sorted((adapter / FIXTURES).glob("*.json")):
        yield f"fixtures/{path.name}", path.read_bytes()
    package = manifest.mappings
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
