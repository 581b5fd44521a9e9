"""Settings of the Verra market."""

from __future__ import annotations

from adapters._platts.client import PlattsConfig, Word


class VerraConfig(PlattsConfig):
    """The registry's three words on the platform; the rest is the platform's (:class:`PlattsConfig`)."""

    registry: Word = "VERRA"
    standard_id: Word = "150000000000001"
    standard_acronym: Word = "VCS"
