"""What is known of a data directory's server without touching it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.model.errors import ConfigurationError
from gateway.store.embedded.cluster import postmaster_file, processes_in
from gateway.store.embedded.layout import Layout, entries, read_state, read_text
from gateway.store.embedded.obstacles import OWN_SERVER


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """The embedded server of one data directory, for a person to read.

    Args:
        data_directory: absolute.
        running: whether PostgreSQL runs on it.
        pid: PostgreSQL's process; None where it does not run.
        watcher_pid: the process that stops it; None where it does not run, or has lost its watcher.
        version: of the running server ("18.6"), else the major version of the files ("18"); None before the first
            start.
        runs: as whom the server runs, in words; None where it does not run.
        users: how many uses have begun and not ended; None where the system does not tell.
        size_bytes: of everything in the data directory.
        log: path of PostgreSQL's log.
    """

    data_directory: Path
    running: bool
    pid: int | None
    watcher_pid: int | None
    version: str | None
    runs: str | None
    users: int | None
    size_bytes: int
    log: Path


def inspect(data_directory: Path) -> EmbeddedStatus:
    """Look at the embedded server of a data directory. Starts nothing, takes no lock, needs no directory.

    Raises ConfigurationError where the directory may not be read.
    """
    layout = Layout(data_directory.absolute())
    try:
        return _inspect(layout)
    except PermissionError as error:
        raise ConfigurationError(f"cannot look at the embedded PostgreSQL: {error}. {OWN_SERVER}") from error


def _inspect(layout: Layout) -> EmbeddedStatus:
    state = read_state(layout)
    processes = processes_in(layout.cluster)
    postmaster = next((pid for pid in processes if [str(pid)] == postmaster_file(layout)[:1]), None)
    if state is None or state.server_pid != postmaster:
        state = None  # what a server that was killed left behind
    return EmbeddedStatus(
        data_directory=layout.root,
        running=postmaster is not None,
        pid=postmaster,
        watcher_pid=state.watcher_pid if state else None,
        version=state.version if state else _major_version(layout),
        runs=state.runs if state else None,
        users=_users(layout, state is not None),
        size_bytes=sum(entry.st_size for entry in entries(layout.root)),
        log=layout.log,
    )


def _major_version(layout: Layout) -> str | None:
    try:
        return read_text(layout.cluster / "PG_VERSION").strip()
    except FileNotFoundError:
        return None


def _users(layout: Layout, running: bool) -> int | None:
    """The shared holders of the users' lock, from the kernel's list (proc_locks(5))."""
    try:
        lock = layout.users_lock.stat()
        held = Path("/proc/locks").read_text(encoding="ascii")
    except FileNotFoundError:
        return None if running else 0
    place = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    fields = [line.split() for line in held.splitlines()]
    users = sum(1 for field in fields if field[1:4] == ["FLOCK", "ADVISORY", "READ"] and field[5] == place)
    # A running server has a user; where none is seen, the file system shows its locks under another device.
    return None if running and not users else users
