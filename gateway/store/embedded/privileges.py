"""As whom PostgreSQL runs, and how a program is started so.

PostgreSQL refuses to run as root, and ``initdb`` wants its user to have a name. An ordinary user runs it as is. Root
runs it in a user namespace (user_namespaces(7)): inside, it sees the number of an unprivileged user; outside, it is
root without any capability, and its files belong to root. Where user namespaces are not allowed, and where the data
directory already belongs to somebody else, it runs as that other user.

The user of the last resort is ``postgres`` before ``nobody``: whoever runs a program under the same user can read the
database's files, and ``nobody`` is shared by more programs.

Neither of the two can walk through the folders above a data directory in, say, ``/root``. So the program is handed
its folder as an open descriptor and finds it as ``/proc/self/fd/N``, which needs no right to pass through the folders
above (proc(5)).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO

CLONE_NEWUSER = 0x10000000  # <sched.h>
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
UNPRIVILEGED_USERS = ("postgres", "nobody", "daemon")
CANNOT_BECOME = 126  # as a shell says "found, but cannot be executed"
# Nothing of the caller's environment: PGDATA, PGHOST and LC_* would all be obeyed. English, because we read it.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class Privilege(Enum):
    """How root may start the server. An ordinary user's server always runs as that user."""

    AUTOMATIC = "automatic"
    NAMESPACE = "namespace"
    OTHER_USER = "other user"


class Kind(Enum):
    """What a process does to itself before it becomes PostgreSQL."""

    AS_IS = "as is"
    NAMESPACE = "namespace"
    OTHER_USER = "other user"


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom PostgreSQL runs.

    Args:
        kind: how it becomes that.
        uid: the user it sees itself as; in a namespace that is not the owner of its files.
        gid: the group likewise.
        name: the user's name, or its number where it has none.
    """

    kind: Kind
    uid: int
    gid: int
    name: str

    @property
    def owner(self) -> tuple[int, int]:
        """User and group whom its files belong to, as seen from here."""
        return (self.uid, self.gid) if self.kind is Kind.OTHER_USER else (os.geteuid(), os.getegid())

    def __str__(self) -> str:
        """How it runs, for a person."""
        return {
            Kind.AS_IS: f"as user {self.name}",
            Kind.NAMESPACE: f"in a user namespace (as {self.name} inside, its files are those of user {os.geteuid()})",
            Kind.OTHER_USER: f"as user {self.name}, instead of root",
        }[self.kind]


def identities(privilege: Privilege, owner: os.stat_result) -> list[Identity]:
    """As whom the server may run, best first. `owner` is of the cluster, or of the folder where it will be."""
    own = Identity(Kind.AS_IS, os.geteuid(), os.getegid(), user_name(os.geteuid()))
    inside = [Identity(Kind.NAMESPACE, user.pw_uid, user.pw_gid, user.pw_name) for user in unprivileged_users()[:1]]
    others = [Identity(Kind.OTHER_USER, user.pw_uid, user.pw_gid, user.pw_name) for user in unprivileged_users()]
    if own.uid != 0:
        return [own] if own.name != str(own.uid) else [*inside, own]
    if privilege is Privilege.NAMESPACE:
        return inside
    if privilege is Privilege.OTHER_USER:
        return others
    if owner.st_uid != 0:
        return [Identity(Kind.OTHER_USER, owner.st_uid, owner.st_gid, user_name(owner.st_uid))]
    return [*inside, *others]


def unprivileged_users() -> list[pwd.struct_passwd]:
    """The users of this system that exist to own nothing."""
    found = []
    for name in UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            found.append(pwd.getpwnam(name))
    return [user for user in found if user.pw_uid != 0]


def user_name(uid: int) -> str:
    """A user's name; the number where it has none, as in a container started with a bare one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def give(folder: Path, identity: Identity) -> None:
    """Make a folder of ours and all in it the property of an identity, where it is not. Follows no link."""
    owner, group = identity.owner
    if folder.lstat().st_uid == owner:
        return
    for _, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, owner, group, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, owner, group, follow_symlinks=False)  # last: a change that was cut short is seen and done again


@contextlib.contextmanager
def reach(identity: Identity, folder: Path) -> Iterator[tuple[str, int]]:
    """The path by which an identity reaches a folder, and the descriptor that must be passed on for it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield str(folder) if identity.kind is Kind.AS_IS else f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def start(
    identity: Identity,
    command: Sequence[str | Path],
    *,
    parent_death_signal: signal.Signals,
    descriptors: Sequence[int] = (),
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program as an identity, with stdout and stderr in one pipe. Only from a process with one thread."""
    return subprocess.Popen(  # noqa: S603  # our own binaries, no shell
        command,
        cwd="/",
        env=ENVIRONMENT,
        pass_fds=descriptors,
        preexec_fn=_becoming(identity, parent_death_signal),  # noqa: PLW1509  # the watcher has one thread by then
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(
    identity: Identity,
    command: Sequence[str | Path],
    *,
    limit_seconds: float,
    descriptors: Sequence[int] = (),
    text: bytes = b"",
) -> tuple[int, str]:
    """Run a program as an identity to its end: exit code and output.

    A program that cannot be started at all counts as one that ended with code 126. Raises subprocess.TimeoutExpired
    when it takes too long; it is killed then.
    """
    try:
        process = start(
            identity,
            command,
            parent_death_signal=signal.SIGKILL,
            descriptors=descriptors,
            stdin=subprocess.PIPE,
        )
    except OSError as error:
        return CANNOT_BECOME, f"{command[0]}: {error.strerror}"
    with process:
        try:
            output, _ = process.communicate(text, timeout=limit_seconds)
        except BaseException:
            process.kill()
            raise
    return process.returncode, output.decode(errors="replace")


def _becoming(identity: Identity, parent_death_signal: signal.Signals) -> Callable[[], None]:
    """What the child does between fork and exec. Failures go to its stderr, which is the caller's pipe."""
    system = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def become() -> None:
        try:
            if identity.kind is Kind.OTHER_USER:
                os.setgroups([])
                os.setgid(identity.gid)
                os.setuid(identity.uid)
            elif identity.kind is Kind.NAMESPACE:
                _enter_namespace(system, identity)
            # After the change of identity, which would clear it (prctl(2)).
            if sys.platform == "linux" and system.prctl(PR_SET_PDEATHSIG, int(parent_death_signal), 0, 0, 0) != 0:
                _raise_errno("prctl")
            if os.getppid() != parent:
                os._exit(CANNOT_BECOME)
        except OSError as error:
            os.write(2, f"cannot run {identity}: {error}\n".encode())
            os._exit(CANNOT_BECOME)

    return become


def _enter_namespace(system: ctypes.CDLL, identity: Identity) -> None:
    owner, group = os.geteuid(), os.getegid()
    if owner == 0:
        os.setgroups([])
    if system.unshare(CLONE_NEWUSER) != 0:
        _raise_errno("unshare")
    # The order is that of user_namespaces(7): a group map may be written only once setgroups is denied.
    for file, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{identity.uid} {owner} 1"),
        ("gid_map", f"{identity.gid} {group} 1"),
    ):
        Path(f"/proc/self/{file}").write_text(line, encoding="ascii")


def _raise_errno(call: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{call}: {os.strerror(number)}")
