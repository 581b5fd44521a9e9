"""``python -m gateway.kit.scaffold NAME FOLDER``: begins the adapter of another market."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.kit.scaffold import scaffold
from gateway.model.errors import ConfigurationError


def main() -> int:
    """Writes the package and says what to do next; returns the exit code: 0 done, 2 refused."""
    parser = argparse.ArgumentParser(prog="python -m gateway.kit.scaffold", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="the market's name in our program, such as reef")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where its package is to lie")
    asked = parser.parse_args()
    try:
        files = scaffold(asked.name, asked.folder)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    listed = "".join(f"  {path}\n" for path in files)
    sys.stdout.write(
        f"made the adapter of {asked.name} in {asked.folder}:\n{listed}"
        f"next: {sys.executable} -m pip install --no-deps --no-build-isolation --editable {asked.folder}\n"
        "then: docs/write-an-adapter.md\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
