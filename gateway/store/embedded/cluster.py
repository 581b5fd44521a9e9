"""The database files: made once, checked for who still works on them, and the settings of the server on them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from gateway.store.embedded.layout import Layout, read_text, sync_folder, write_text
from gateway.store.embedded.obstacles import cannot_start, meaning
from gateway.store.embedded.privileges import Identity, reach, run

ROLE = "carbon_gateway"
DATABASE = "carbon_gateway"
SUPERUSER = "postgres"
FIRST_DATABASE = "postgres"  # the one that initdb makes
FRESH_PREFIX = "cluster.new-"
INIT_LIMIT_SECONDS = 120.0

# Given on the command line at each start, so that a newer program brings its newer settings along.
SETTINGS = {
    "cluster_name": "carbon_gateway",
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "max_logical_replication_workers": "0",
}

# Stretching protects weak passwords; ours has 256 random bits, and asyncpg stretches in Python at every connection.
SCRAM_ITERATIONS = 1


def initialise(identity: Identity, installation: Path, layout: Layout) -> None:
    """Make the cluster with its role and its database, where there is none.

    It is made beside its place and renamed there when it is whole and on the disk: what a crash leaves is removed
    next time. A cluster whose password file is lost is given a new one. Raises ConfigurationError when that fails.
    """
    programs = installation / "bin"
    for leftover in layout.root.glob(f"{FRESH_PREFIX}*"):
        shutil.rmtree(leftover)
    if not layout.cluster.exists():
        fresh = Path(tempfile.mkdtemp(prefix=FRESH_PREFIX, dir=layout.root))
        try:
            _fill(identity, programs, layout, fresh)
            (fresh / "cluster").rename(layout.cluster)
            sync_folder(layout.root)
        finally:
            shutil.rmtree(fresh)
    elif not layout.password.exists():
        password = secrets.token_urlsafe(32)
        with reach(identity, layout.cluster) as (path, descriptor):
            change = f"ALTER ROLE {ROLE} PASSWORD '{password}';\n"
            _step(identity, layout, _alone(programs, path), descriptor, change)
        write_text(layout.password, password)  # only now: a crash before this leaves it lost, and it is made again


def _fill(identity: Identity, programs: Path, layout: Layout, fresh: Path) -> None:
    """Make the cluster in a new folder.

    Its superuser's password is thrown away: the program logs in as an ordinary role that owns the database, as it
    should with a PostgreSQL of your own, and SQL alone never reaches the files of the user that the server runs as.
    """
    if not layout.password.exists():
        write_text(layout.password, secrets.token_urlsafe(32))
    superuser = fresh / "superuser"
    write_text(superuser, secrets.token_urlsafe(32))
    for place in (superuser, fresh):
        os.chown(place, *identity.owner)
    with reach(identity, fresh) as (path, descriptor):
        _step(identity, layout, _initdb(programs, path), descriptor)
        create = (
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{read_text(layout.password)}';\n"
            f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n"
        )
        _step(identity, layout, _alone(programs, f"{path}/cluster"), descriptor, create)
        # The one sync of all that was written. syncfs is one call; file by file takes a hundred times as long.
        method = "syncfs" if sys.platform == "linux" else "fsync"
        sync = [f"{programs}/initdb", "--sync-only", f"--sync-method={method}", f"--pgdata={path}/cluster"]
        _step(identity, layout, sync, descriptor)


def _step(identity: Identity, layout: Layout, command: list[str], descriptor: int, text: str = "") -> None:
    code, output = run(
        identity, command, limit_seconds=INIT_LIMIT_SECONDS, descriptors=(descriptor,), text=text.encode()
    )
    if code != 0:
        cause = meaning(output, f"{Path(command[0]).name} ended with code {code}")
        raise cannot_start(layout.root, cause, output[-2000:])


def _initdb(programs: Path, folder: str) -> list[str]:
    return [
        f"{programs}/initdb",
        f"--pgdata={folder}/cluster",
        f"--username={SUPERUSER}",
        f"--pwfile={folder}/superuser",
        "--auth=scram-sha-256",
        f"--set=scram_iterations={SCRAM_ITERATIONS}",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        "--no-sync",
    ]


def _alone(programs: Path, cluster: str) -> list[str]:
    """PostgreSQL without a server: it runs the statements on its stdin, and the first error ends it."""
    quiet = ["-c", "log_min_error_statement=panic"]  # else a failed statement would be printed, password and all
    return [f"{programs}/postgres", "--single", "-D", cluster, "-c", "exit_on_error=on", *quiet, FIRST_DATABASE]


def postmaster_file(layout: Layout) -> list[str]:
    """The lines of ``postmaster.pid``, empty where there is none. Line 1 is the process id, line 8 the status."""
    try:
        return read_text(layout.cluster / "postmaster.pid").splitlines()
    except FileNotFoundError:
        return []


def processes_in(cluster: Path) -> list[int]:
    """The postgres processes that work in a cluster: PostgreSQL's working directory is its data directory.

    Those of other users are seen by root only. Empty on a system without ``/proc``.
    """
    if not cluster.exists() or not Path("/proc/self").exists():
        return []
    place = cluster.stat()
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208  # names are all it takes
        with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            process = Path("/proc", name)
            if os.path.samestat((process / "cwd").stat(), place) and read_comm(process) == "postgres":
                found.append(int(name))
    return found


def read_comm(process: Path) -> str:
    """The name of a process's program."""
    return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()


def end_orphans(layout: Layout) -> None:
    """Wait for the end of a server that lost its watcher, helping it along; then clear what it left.

    Raises ConfigurationError when a process does not end, which only one stuck in the kernel does.
    """
    orphans: list[int] = []
    for help_along, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        orphans = processes_in(layout.cluster)
        first_line = postmaster_file(layout)[:1]
        for orphan in orphans:
            # To the postmaster SIGINT is "shut down", to some of its children other things.
            if help_along is not signal.SIGINT or [str(orphan)] == first_line:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, help_along)
        deadline = time.monotonic() + seconds
        while orphans and time.monotonic() < deadline:
            time.sleep(0.02)
            orphans = processes_in(layout.cluster)
        if not orphans:
            return _clear_foreign_pid(layout)
    raise cannot_start(layout.root, f"processes {orphans} of an earlier server do not end")


def _clear_foreign_pid(layout: Layout) -> None:
    """Remove a stale ``postmaster.pid`` that is empty or whose process id belongs to another program by now.

    Any other stale file is left to PostgreSQL, which checks more than the id.
    """
    if not Path("/proc/self").exists():
        return
    lines = postmaster_file(layout)
    process = lines[0].strip().lstrip("-") if lines else ""
    if not process.isdecimal() or Path("/proc", process).exists():
        (layout.cluster / "postmaster.pid").unlink(missing_ok=True)
