"""The watcher: the detached process that starts PostgreSQL, and stops it when the last user is gone.

Its life and its races are told in the package's docstring. It uses the standard library alone and starts without
``site``, so that it is up in a moment and depends on nothing that could be reinstalled under it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from gateway.model.errors import ConfigurationError
from gateway.store.embedded.cluster import SETTINGS, end_orphans, initialise, postmaster_file
from gateway.store.embedded.installation import readable_copy
from gateway.store.embedded.layout import (
    SOCKET_NAME,
    Layout,
    State,
    open_private,
    remove_sockets,
    tail,
    write_state,
)
from gateway.store.embedded.locks import FileLock
from gateway.store.embedded.obstacles import cannot_start, meaning
from gateway.store.embedded.privileges import (
    UNPRIVILEGED_USERS,
    Identity,
    Kind,
    Privilege,
    give,
    identities,
    reach,
    run,
)
from gateway.store.embedded.privileges import start as start_process

LOG_LIMIT_BYTES = 10_000_000
SOCKET_PATH_LIMIT_BYTES = 103  # sun_path with its final zero: 108 on Linux, 104 on macOS (unix(7), unix(4))
PROBE_LIMIT_SECONDS = 20.0
STOP_STEPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))  # fast, immediate, by force


@dataclass(frozen=True, slots=True)
class Plan:
    """What the watcher is told.

    Args:
        data_directory: absolute.
        installation: the PostgreSQL installation of the wheel.
        privilege: how root may start the server.
        copy_parents: folders in which a readable copy of the binaries may be made.
        limit_seconds: from here until PostgreSQL is ready.
    """

    data_directory: str
    installation: str
    privilege: str
    copy_parents: tuple[str, ...]
    limit_seconds: float


class Report:
    """The pipe to whoever started us, for one line of JSON: the state of the server, or ``{"failure": ...}``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, outcome: dict[str, object]) -> None:
        """Say it, once; who should hear it may be gone by now."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(BrokenPipeError):
                os.write(descriptor, f"{json.dumps(outcome)}\n".encode())
            os.close(descriptor)


def main() -> None:
    """Detach, supervise, end. Arguments: descriptors of the report pipe and of the watcher lock. Stdin: the plan."""
    report, watcher_lock = Report(int(sys.argv[1])), int(sys.argv[2])
    plan = Plan(**json.load(sys.stdin))
    if os.fork():
        os._exit(0)  # whoever started us has no child to wait for
    os.umask(0o077)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would be so in us too, and we could not wait
    layout = Layout(Path(plan.data_directory))
    try:
        supervise(plan, layout, report)
    except ConfigurationError as error:
        report.tell({"failure": str(error)})
        raise SystemExit(1) from error
    except Exception as error:
        report.tell({"failure": str(cannot_start(layout.root, f"{type(error).__name__}: {error}"))})
        raise  # with its traceback, to watcher.log
    finally:
        os.close(watcher_lock)


def supervise(plan: Plan, layout: Layout, report: Report) -> None:
    """Start the server, wait for a reason to stop it, stop it."""
    deadline = time.monotonic() + plan.limit_seconds
    users = FileLock(layout.users_lock)
    end_orphans(layout)
    identity, installation, version = settle(plan, layout)
    if layout.cluster.exists():
        give(layout.cluster, identity)
    initialise(identity, installation, layout)
    sockets = socket_folder(layout, identity)
    with running(identity, installation, layout, sockets) as server:
        wait_until_ready(server, layout, deadline)
        state = State(server.process.pid, os.getpid(), str(sockets), version, str(identity))
        write_state(layout, state)
        report.tell({"state": asdict(state)})
        try:
            wait_for_end(server, users)
        finally:
            layout.state.unlink(missing_ok=True)


def settle(plan: Plan, layout: Layout) -> tuple[Identity, Path, str]:
    """As whom the server runs, from which installation, and its version: the first that works.

    Raises ConfigurationError with what stood in the way of each.
    """
    refusals = []
    owner = (layout.cluster if layout.cluster.exists() else layout.root).stat()
    source = Path(plan.installation)
    for identity in identities(Privilege(plan.privilege), owner):
        code, output = _version(identity, source)
        if code == 0:
            return identity, source, output
        refusals.append(f"{identity}: {output}")
        if identity.kind is Kind.AS_IS or output.startswith("cannot run"):
            continue
        copy = readable_copy(source, layout, [Path(parent) for parent in plan.copy_parents])
        if copy is None:
            places = ", ".join((plan.data_directory, *plan.copy_parents))
            refusals[-1] += f" (and other users may not pass through to any of {places}, to use a copy)"
            continue
        code, output = _version(identity, copy)
        if code == 0:
            return identity, copy, output
        refusals.append(f"{identity}, with a copy: {output}")
    tried = "\n".join(refusals) or f"there is none of the users {', '.join(UNPRIVILEGED_USERS)}"
    raise cannot_start(layout.root, meaning(tried, "its binaries cannot be reached or run"), tried)


def _version(identity: Identity, installation: Path) -> tuple[int, str]:
    """Whether an identity can run the server at all: exit code, and the version or why not."""
    code, output = run(identity, [installation / "bin" / "postgres", "--version"], limit_seconds=PROBE_LIMIT_SECONDS)
    return code, output.strip().removeprefix("postgres (PostgreSQL) ")


def socket_folder(layout: Layout, identity: Identity) -> Path:
    """A new private folder for the socket: in the data directory, else in the system's temporary folder.

    A socket's path is short by law, and in a connection address a comma separates hosts.
    """
    place = layout.sockets
    remove_sockets(place)
    length = len(os.fsencode(place / SOCKET_NAME))
    if length <= SOCKET_PATH_LIMIT_BYTES and str(place).isascii() and "," not in str(place):
        place.mkdir(mode=0o700)
    else:
        parent = min((tempfile.gettempdir(), "/tmp"), key=len)  # noqa: S108  # a private folder is made in it
        place = Path(tempfile.mkdtemp(prefix="carbon-gateway-", dir=parent))
    os.chown(place, *identity.owner)
    return place


class Server:
    """PostgreSQL as our child: its process, and an event for its end."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.ended = threading.Event()
        assert process.stdout is not None
        self.pump = threading.Thread(target=keep_log, args=(process.stdout, log), daemon=True)
        self.pump.start()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        self.process.wait()
        self.ended.set()

    def stop(self) -> None:
        """Stop it: fast, and by force where that does not help."""
        for step, seconds in STOP_STEPS:
            if not self.ended.is_set():
                os.kill(self.process.pid, step)
                self.ended.wait(seconds)
        self.pump.join(timeout=1.0)


@contextmanager
def running(identity: Identity, installation: Path, layout: Layout, sockets: Path) -> Iterator[Server]:
    """PostgreSQL, for as long as the block lasts."""
    with reach(identity, layout.cluster) as (cluster, one), reach(identity, sockets) as (folder, two):
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "unix_socket_directories": folder}.items()]
        process = start_process(
            identity,
            [installation / "bin" / "postgres", "-D", cluster, *settings],
            parent_death_signal=signal.SIGINT,
            descriptors=(one, two),
        )
    server = Server(process, layout.log)
    try:
        yield server
    finally:
        server.stop()
        remove_sockets(sockets)


def wait_until_ready(server: Server, layout: Layout, deadline: float) -> None:
    """Return when the server takes connections; raises ConfigurationError when it ended, or at the deadline."""
    while True:
        lines = postmaster_file(layout)
        if lines[:1] == [str(server.process.pid)] and lines[7:8] and lines[7].startswith("ready"):
            return
        if server.ended.wait(0.01):
            server.pump.join(timeout=1.0)
            said = tail(layout.log)
            cause = meaning(said, f"PostgreSQL ended with code {server.process.returncode}")
            raise cannot_start(layout.root, cause, said)
        if time.monotonic() > deadline:
            raise cannot_start(layout.root, "it was not ready within the time limit", tail(layout.log))


def wait_for_end(server: Server, users: FileLock) -> None:
    """Block until the last user is gone (its lock is ours then), the server has ended, or we are asked to end."""
    reasons: SimpleQueue[str] = SimpleQueue()

    def no_user() -> None:
        users.wait_for_last()
        reasons.put("the last user is gone")

    def no_server() -> None:
        server.ended.wait()
        reasons.put("the server ended")

    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, lambda *_: reasons.put("asked to end"))
    for wait in (no_user, no_server):
        threading.Thread(target=wait, daemon=True).start()
    reasons.get()


def keep_log(source: IO[bytes], log: Path) -> None:
    """Write what the server says to its log until it ends; a full log becomes the one old log that is kept."""
    file = open_private(log, os.O_WRONLY | os.O_APPEND)
    size = os.fstat(file).st_size
    while said := os.read(source.fileno(), 65_536):
        if size > LOG_LIMIT_BYTES:
            os.close(file)
            log.replace(log.with_name(f"{log.name}.1"))
            file, size = open_private(log, os.O_WRONLY | os.O_APPEND), 0
        size += os.write(file, said)
    os.close(file)
