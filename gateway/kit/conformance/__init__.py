"""The conformance kit: what every adapter must be able to do, tried on its own stand-in.

::

    report = await run(manifest)              # every check that its capabilities call for
    await record(manifest)                    # fixtures of the feeds that have none yet
    write_conformance(manifest, report)       # the tier, with a digest of what was tried
    allowed(manifest)                         # what the core may use of it

A check has an id, one property and a message with the path and the value that show the fault. The tier is computed,
never claimed. That each check can fail is proved by a gallery of broken adapters in the project's own tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.kit.conformance.check import Check, Failed, Group, NotCalledFor
from gateway.kit.conformance.report import Outcome, Report, Result, Tier, document
from gateway.kit.conformance.tier import ALLOWED, allowed, recorded_tier, write_conformance

if TYPE_CHECKING:
    from gateway.kit.conformance.fixtures import record
    from gateway.kit.conformance.runner import CHECKS, run
    from gateway.kit.conformance.subject import Subject

_LATER = {"CHECKS": "runner", "Subject": "subject", "record": "fixtures", "run": "runner"}
"""What brings the checks along, and a web server for the mocks: whoever only loads an adapter needs none of it."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


__all__ = [
    "ALLOWED",
    "CHECKS",
    "Check",
    "Failed",
    "Group",
    "NotCalledFor",
    "Outcome",
    "Report",
    "Result",
    "Subject",
    "Tier",
    "allowed",
    "document",
    "record",
    "recorded_tier",
    "run",
    "write_conformance",
]
