"""A process that uses the embedded server, to be watched and killed by the tests.

``python embedded_user.py DATA_DIRECTORY MODE [PRIVILEGE]``. It prints one line of JSON: the address, or the error
(exit code 3). Then, by mode: ``hold`` uses the server until stdin ends; ``fork`` does so too, with a forked and an
executed child that live on; a number attaches, queries and leaves that many times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from gateway.model.errors import ConfigurationError
from gateway.store.embedded import EmbeddedServer, Privilege, binaries


def query(url: str, sql: str) -> str:
    """Ask by psql, whose output is one bare value."""
    answer = subprocess.run(
        [binaries() / "psql", "--no-psqlrc", "-qAtX", url, "-c", sql], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def leave_children() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    executed = subprocess.Popen(["sleep", "60"], close_fds=False)
    tell({"children": [child, executed.pid]})


def tell(said: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


def main() -> None:
    mode = sys.argv[2]
    server = EmbeddedServer(Path(sys.argv[1]), privilege=Privilege((sys.argv[3:] or ["automatic"])[0]))
    if mode.isdecimal():
        for _ in range(int(mode)):
            with server as address:
                query(address.url, "INSERT INTO visits SELECT pg_backend_pid()")
        return
    with server as address:
        tell({"url": address.url})
        if mode == "fork":
            leave_children()
        sys.stdin.read()


if __name__ == "__main__":
    try:
        main()
    except ConfigurationError as error:
        tell({"error": str(error)})
        sys.exit(3)
