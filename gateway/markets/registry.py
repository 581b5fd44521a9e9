"""The adapters that are installed: found by their entry points, verified before anything is bound.

One small folder of a third party is enough: it names its manifest in the entry-point group
``carbon_gateway.adapters``.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from gateway.kit.manifest import Manifest
from gateway.model.errors import ConfigurationError

ENTRY_POINT_GROUP: Final = "carbon_gateway.adapters"
NAME: Final = re.compile("[a-z][a-z0-9-]{0,39}")
"""A market's name stands in addresses, settings and the subjects of events."""


def installed() -> dict[str, Manifest]:
    """Every installed adapter's manifest by market name.

    Raises ConfigurationError naming the adapter that cannot be loaded, and why.
    """
    found: dict[str, Manifest] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        if point.name in found:
            raise ConfigurationError(f"two installed adapters are called {point.name}; remove one")
        found[point.name] = _load(point)
    return found


def _load(point: EntryPoint) -> Manifest:
    try:
        manifest = point.load()
    except Exception as error:
        raise ConfigurationError(f"adapter {point.name} ({point.value}) cannot be loaded: {error!r}") from error
    if not isinstance(manifest, Manifest):
        raise ConfigurationError(
            f"adapter {point.name}: {point.value} is {type(manifest).__name__}, expected a "
            "gateway.kit.manifest.Manifest"
        )
    if NAME.fullmatch(manifest.name) is None:
        raise ConfigurationError(
            f"adapter {point.name}: its manifest calls the market {manifest.name!r}; expected small letters, digits "
            "and hyphens"
        )
    if manifest.name != point.name:
        raise ConfigurationError(f"adapter {point.name}: its manifest calls it {manifest.name}; expected one name")
    manifest.verify()
    return manifest
