"""What lies where in the data directory, and how our own files in it are written."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
READ_LIMIT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths inside one data directory, which is absolute."""

    root: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.root / "cluster"

    @property
    def password(self) -> Path:
        """The role's password, mode 0600."""
        return self.root / "password"

    @property
    def start_lock(self) -> Path:
        """Held by who attaches."""
        return self.root / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by the users."""
        return self.root / "users.lock"

    @property
    def watcher_lock(self) -> Path:
        """Held by the living watcher."""
        return self.root / "watcher.lock"

    @property
    def state(self) -> Path:
        """Where the running server listens."""
        return self.root / "state.json"

    @property
    def sockets(self) -> Path:
        """The socket's folder, where the path is short enough."""
        return self.root / "sockets"

    @property
    def copy_record(self) -> Path:
        """Names the readable copy of the binaries, where one was made."""
        return self.root / "binaries"

    @property
    def log(self) -> Path:
        """PostgreSQL's log."""
        return self.root / "server.log"

    @property
    def watcher_log(self) -> Path:
        """What the last watcher wrote to stderr: empty unless it crashed."""
        return self.root / "watcher.log"


@dataclass(frozen=True, slots=True)
class State:
    """A running server, as its watcher wrote it down."""

    server_pid: int
    watcher_pid: int
    socket_folder: str
    version: str
    runs: str


def read_state(layout: Layout) -> State | None:
    """The running server, or None where none is written down.

    A file that cannot be parsed counts as none: only a crash of the machine can leave one, and what it said then is
    no longer true.
    """
    try:
        return State(**json.loads(read_text(layout.state)))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(layout: Layout, state: State) -> None:
    """Write the state so that a reader sees the whole of it or nothing."""
    write_text(layout.state, json.dumps(asdict(state)))


def retire_state(layout: Layout) -> None:
    """Forget the server that was running, with its socket. Only for who holds the watcher lock."""
    state = read_state(layout)
    if state is not None:
        remove_sockets(Path(state.socket_folder))
    layout.state.unlink(missing_ok=True)


def remove_sockets(folder: Path) -> None:
    """Remove a socket folder with the socket and its lock file, and nothing else; no link is followed to it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    folder.rmdir()


def open_private(path: Path, flags: int) -> int:
    """Open a file of ours, made with mode 0600 where it is absent, never through a link.

    Root makes it the property of the data directory's owner, who may start the program next time.
    """
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags | os.O_CREAT, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def write_text(path: Path, text: str) -> None:
    """Replace a small file of ours, durably and at once."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(open_private(fresh, os.O_WRONLY), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def read_text(path: Path) -> str:
    """A small file's text; raises FileNotFoundError where it is absent."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
        return file.read(READ_LIMIT_BYTES).decode()


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tail(path: Path, lines: int = 8) -> str:
    """The last lines of a log; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - READ_LIMIT_BYTES))
            text = file.read(READ_LIMIT_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def entries(folder: Path) -> Iterator[os.stat_result]:
    """Every file below a folder, also while a server adds and removes some."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    yield from entries(Path(entry.path))
