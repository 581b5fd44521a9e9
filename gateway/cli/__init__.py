"""The command line: ``carbon-gateway``. Tables and progress for people, one JSON document for programs."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Runs the command line of this process and ends it with an exit code (:class:`gateway.cli.execution.Exit`)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character shows its number; the program goes on.
            stream.reconfigure(errors="backslashreplace")
    from gateway.cli.commands import application

    application()


__all__ = ["main"]
