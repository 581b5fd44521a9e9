"""``make bench``: every figure beside its limit or peer, in one run. Ends with status 1 when a goal is missed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import catalogue, mapping, xml


def main() -> int:
    """Runs the benchmarks named on the command line, or all."""
    chosen = sys.argv[1:] or ["mapping", "catalogue", "xml"]
    figures = []
    with tempfile.TemporaryDirectory(prefix="carbon-gateway-bench-") as folder:
        for name, run in (("mapping", mapping.run), ("catalogue", catalogue.run), ("xml", xml.run)):
            if name in chosen:
                figures += run(Path(folder))
    missed = [one for one in figures if one.met is False]
    print(f"{len(figures) - len(missed)} of {len(figures)} goals met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
