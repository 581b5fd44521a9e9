"""What the tests of the embedded server see of processes, by the system's own means."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.store.embedded import EmbeddedServer, binaries
from tests.integration.embedded_user import query

REPOSITORY = Path(__file__).parents[2]
USER_PROGRAM = Path(__file__).with_name("embedded_user.py")
DEADLINE_SECONDS = 30.0


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.05)


def holders(folder: Path) -> dict[int, str]:
    """Every other process that works in a folder or holds a file open in it, with its command line."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                if any(place.is_relative_to(folder) for place in places(process)):
                    found[int(process.name)] = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
    return found


def places(process: Path) -> Iterator[Path]:
    """Where a process works and what it holds open; a file that it closes meanwhile hides no other."""
    for link in (process / "cwd", *(process / "fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):
            yield link.readlink()


def kill(*processes: int | None) -> None:
    """Kill processes at once, and wait until they are dead: that takes the kernel a moment."""
    for pid in processes:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(map(dead, processes)), f"{processes} are dead")


def dead(pid: int | None) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_free(folder: Path) -> None:
    eventually(lambda: not holders(folder), f"nothing is left in {folder}")


class User:
    """A process that uses the server (``embedded_user.py``)."""

    def __init__(
        self,
        data_directory: Path,
        mode: str = "hold",
        privilege: str = "automatic",
        prefix: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, python, str(USER_PROGRAM), str(data_directory), mode, privilege],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(paths())},
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard

    def url(self) -> str:
        heard = self.hear()
        assert "url" in heard, heard
        return str(heard["url"])

    def leave(self) -> None:
        self.process.communicate(timeout=DEADLINE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait(DEADLINE_SECONDS)


@contextlib.contextmanager
def user(*arguments: Any, **options: Any) -> Iterator[User]:
    started = User(*arguments, **options)
    try:
        yield started
    finally:
        started.kill()


def make(folder: Path) -> Path:
    """A data directory whose cluster is made, with a committed row."""
    with EmbeddedServer(folder) as address:
        query(address.url, "CREATE TABLE visits (pid int)")
        query(address.url, "CREATE TABLE kept AS SELECT 7 AS seven")
    wait_until_free(folder)
    return folder


def paths() -> list[str]:
    """Where another interpreter finds the project and the wheel."""
    return [str(REPOSITORY), str(binaries().parents[2])]
