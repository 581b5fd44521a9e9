"""Another zone for this process, for as long as something is tried in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def local_zone(name: str) -> Iterator[None]:
    """Sets the zone of the whole process: nothing else may run beside it.

    Args:
        name: as POSIX writes zones; ``UTC-8`` is eight hours east of UTC.
    """
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
