"""Attaching to the embedded server of a data directory, and starting it where none runs."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import gateway
from gateway.model.errors import ConfigurationError
from gateway.store.embedded.cluster import DATABASE, ROLE
from gateway.store.embedded.installation import installation
from gateway.store.embedded.layout import (
    READ_LIMIT_BYTES,
    SOCKET_NAME,
    Layout,
    State,
    open_private,
    read_state,
    read_text,
    retire_state,
    tail,
)
from gateway.store.embedded.locks import POLL_SECONDS, FileLock
from gateway.store.embedded.obstacles import SHARES, cannot_start, file_system
from gateway.store.embedded.privileges import Privilege
from gateway.store.embedded.watcher import Plan

# What a start may take: making the cluster, or PostgreSQL's recovery of at most 1 GB of log after a crash.
START_LIMIT_SECONDS = 120.0

# The shortest question that PostgreSQL's protocol knows: its length, and the code of SSLRequest.
SSL_REQUEST = struct.pack("!II", 8, 80_877_103)

_RUN_WATCHER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from gateway.store.embedded.watcher import main; main()"
)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens, and how to log in there.

    Args:
        socket_folder: absolute path of the folder with its Unix socket.
        password: of the role; in no repr.
    """

    socket_folder: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address as asyncpg, psycopg and PostgreSQL's own programs take it. It holds the password."""
        return f"postgresql://{ROLE}:{self.password}@/{DATABASE}?host={quote(self.socket_folder)}&port=5432"


class EmbeddedServer:
    """The use of one data directory's PostgreSQL: entering attaches, starting it if needed; leaving gives it up.

    The server runs for as long as any process uses it. Attaching blocks: to a running server for milliseconds, for a
    start about as long as PostgreSQL takes, and at most `limit_seconds`.

    Args:
        data_directory: made, with mode 0700, where it is absent.
        privilege: how root may start the server; an ordinary user's server always runs as that user.
        copy_parents: folders in which a copy of the binaries may be made when the user that root drops to cannot
            reach them; by default the system's temporary ones.
        file_system_of: the type of the file system that a folder is on.
        limit_seconds: after which a start has failed.
    """

    def __init__(
        self,
        data_directory: Path,
        *,
        privilege: Privilege = Privilege.AUTOMATIC,
        copy_parents: Sequence[Path] | None = None,
        file_system_of: Callable[[Path], str] = file_system,
        limit_seconds: float = START_LIMIT_SECONDS,
    ) -> None:
        self._layout = Layout(data_directory.absolute())
        self._privilege = privilege
        self._copy_parents = copy_parents
        self._file_system_of = file_system_of
        self._limit_seconds = limit_seconds
        self._users: FileLock | None = None

    def __enter__(self) -> ServerAddress:
        """Attach. Raises ConfigurationError, naming cause and way out, when there can be no server."""
        if self._users is not None:
            raise ConfigurationError(f"this use of {self._layout.root} has begun already")
        refuse_shares(self._layout.root, self._file_system_of)
        try:
            self._layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._users, address = self._attach(time.monotonic() + self._limit_seconds)
        except OSError as error:  # also the locks' TimeoutError
            raise cannot_start(self._layout.root, str(error)) from error
        return address

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the server up. It stops when this was its last user."""
        users, self._users = self._users, None
        if users is not None:
            users.give_up()

    def _attach(self, deadline: float) -> tuple[FileLock, ServerAddress]:
        start = FileLock(self._layout.start_lock)
        try:
            start.take_before(deadline, shared=False)
            users = FileLock(self._layout.users_lock)
            try:
                users.take_before(deadline, shared=True)
                state = self._running(deadline)
                return users, ServerAddress(state.socket_folder, read_text(self._layout.password))
            except BaseException:
                users.give_up()
                raise
        finally:
            start.give_up()

    def _running(self, deadline: float) -> State:
        """The running server, started here where no watcher lives. Both locks of ours are held."""
        while True:
            watcher_lock = FileLock(self._layout.watcher_lock)
            try:
                if watcher_lock.try_take(shared=False):
                    retire_state(self._layout)
                    return self._start(watcher_lock, deadline)
            finally:
                watcher_lock.close()  # without unlocking: the watcher has it now
            state = read_state(self._layout)
            if state is not None and not is_dying(state.watcher_pid) and answers(Path(state.socket_folder)):
                return state
            if time.monotonic() > deadline:
                raise cannot_start(self._layout.root, "a start by another process did not end", tail(self._layout.log))
            time.sleep(POLL_SECONDS)

    def _start(self, watcher_lock: FileLock, deadline: float) -> State:
        parents = self._copy_parents
        if parents is None:
            parents = (Path(tempfile.gettempdir()), Path("/var/tmp"))  # noqa: S108  # in a new folder of our own there
        remaining = deadline - time.monotonic()
        plan = Plan(
            data_directory=str(self._layout.root),
            installation=str(installation()),
            privilege=self._privilege.value,
            copy_parents=tuple(str(parent) for parent in parents),
            limit_seconds=remaining * 0.9,  # so that it can still say what kept it
        )
        report = run_watcher(plan, self._layout, watcher_lock, deadline)
        outcome = json.loads(report) if report.endswith(b"\n") else {}
        if "state" in outcome:
            return State(**outcome["state"])
        if "failure" in outcome:
            raise ConfigurationError(outcome["failure"])
        cause = "its watcher gave no answer" if deadline > time.monotonic() else "the time limit ran out"
        raise cannot_start(self._layout.root, cause, tail(self._layout.watcher_log))


def run_watcher(plan: Plan, layout: Layout, watcher_lock: FileLock, deadline: float) -> bytes:
    """Start the watcher, detached, with the lock handed over; what it reports, or less where it died or was late."""
    log = open_private(layout.watcher_log, os.O_WRONLY | os.O_TRUNC)
    hear, tell = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", "-c", _RUN_WATCHER, str(Path(gateway.__path__[0]).parent)]
        with subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
            [*command, str(tell), str(watcher_lock.descriptor), str(layout.root)],  # the last for who lists processes
            cwd="/",
            pass_fds=(tell, watcher_lock.descriptor),
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        ) as process:
            process.communicate(json.dumps(asdict(plan)).encode())  # it forks at once and ends
        os.close(tell)
        tell = -1
        return hear_line(hear, deadline)
    finally:
        for descriptor in (log, hear, tell):
            if descriptor >= 0:
                os.close(descriptor)


def refuse_shares(data_directory: Path, file_system_of: Callable[[Path], str]) -> None:
    """Raise ConfigurationError for a data directory on a share, before anything is made there."""
    existing = next(folder for folder in (data_directory, *data_directory.parents) if folder.exists())
    kind = file_system_of(existing)
    if kind in SHARES:
        raise cannot_start(
            data_directory,
            f"{existing} is on a share ({kind}), where neither locks nor what was committed can be relied on; "
            "choose a data directory on a local disk",
        )


def is_dying(pid: int) -> bool:
    """Whether a process was killed and is not quite gone: its last thread still holds its locks for a moment."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False  # not Linux, or its locks are given up by now
    return said.rpartition(")")[2].split()[0] in {"Z", "X"}


def answers(socket_folder: Path) -> bool:
    """Whether a server answers there. A listening socket alone may be that of one that was just killed."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(socket_folder / SOCKET_NAME))
            probe.sendall(SSL_REQUEST)
            return probe.recv(1) == b"N"  # no TLS over a Unix socket
        except OSError:
            return False


def hear_line(descriptor: int, deadline: float) -> bytes:
    """What the other end of a pipe says until the end of the line, of the pipe, or of the time."""
    said = b""
    while not said.endswith(b"\n") and len(said) < READ_LIMIT_BYTES:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        more = os.read(descriptor, READ_LIMIT_BYTES) if readable else b""
        if not more:
            break
        said += more
    return said
