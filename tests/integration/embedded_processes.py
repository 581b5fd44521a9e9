"""What the tests of the embedded server see of processes, by the system's own means."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
USER_PROGRAM = Path(__file__).with_name("embedded_user.py")
DEADLINE_SECONDS = 30.0


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)


def holders(folder: Path) -> dict[int, str]:
    """Every other process that works in a folder or holds a file open in it, with its command line."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                links = [(process / "cwd").readlink(), *(link.readlink() for link in (process / "fd").iterdir())]
                if any(link.is_relative_to(folder) for link in links):
                    found[int(process.name)] = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
    return found


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
        return str(self.hear()["url"])

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


def paths() -> list[str]:
    """Where another interpreter finds the project and the wheel."""
    from gateway.store.embedded import binaries

    return [str(REPOSITORY), str(binaries().parents[2])]
