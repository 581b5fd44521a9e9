"""File locks that end with their process, and that a forked child does not keep."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from weakref import WeakSet

from gateway.store.embedded.layout import open_private

POLL_SECONDS = 0.01


class FileLock:
    """An open lock file (``flock``): taken and given up by one process.

    The lock belongs to the open file, which a forked child shares; therefore a child closes its copy at once, and
    giving up unlocks before it closes. Programs that are executed do not inherit it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = open_private(path, os.O_RDONLY)
        _OPEN.add(self)

    def try_take(self, *, shared: bool) -> bool:
        """Take the lock if that is possible now."""
        try:
            fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def take_before(self, deadline: float, *, shared: bool) -> None:
        """Take the lock; raises TimeoutError at the deadline (of the monotonic clock)."""
        while not self.try_take(shared=shared):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.path} is still held by another process")
            time.sleep(POLL_SECONDS)

    def wait_for_last(self) -> None:
        """Block until nobody else holds the lock, and hold it exclusively."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def give_up(self) -> None:
        """Unlock, for whoever else shares the open file too, and close."""
        if self.descriptor >= 0:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        """Close our copy; who else shares the open file keeps the lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


# Descriptors belong to the process, and so does the list of those that a forked child must close.
_OPEN: WeakSet[FileLock] = WeakSet()


def _close_in_forked_child() -> None:
    for lock in list(_OPEN):
        lock.close()


os.register_at_fork(after_in_child=_close_in_forked_child)
