"""The gateway's own errors, classed by what the caller does next.

::

    GatewayError
      ConfigurationError    ours, at start: a person mends the settings; never retried
      UnusableFile          a file is not what it says; nothing of it was stored (exit 2)
      CapabilityMissing     the core asked an adapter for what it does not offer
      InvariantViolation    our books contradict themselves; stop, wake a person
      AdapterError          what a market did or failed to do: see ``gateway.kit.errors``

They live on the lowest floor because every floor above may raise them.
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of every error that the gateway raises on purpose."""


class ConfigurationError(GatewayError):
    """The program cannot start or go on as it is set up; the message says what to change."""


class CapabilityMissing(GatewayError):
    """A caller asked an adapter for a capability that it does not have."""


class InvariantViolation(GatewayError):
    """Our own records contradict themselves. Never caught to go on working."""


class UnusableFile(GatewayError):
    """A file is not what it says it is. Nothing of it was stored.

    Args:
        found: what is in the file, in words a person recognises.
        expected: what should have been there.
        where: the place in the file (a line, a row, a column, a byte), where known.
    """

    def __init__(self, *, found: str, expected: str, where: str | None = None) -> None:
        self.found = found
        self.expected = expected
        self.where = where
        place = f" at {where}" if where else ""
        super().__init__(f"found {found}{place}; expected {expected}")
