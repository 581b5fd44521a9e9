"""The tier of an adapter, as its own folder records it, and what it may be used for.

The record is ``conformance.json`` beside the adapter's source: written by a complete run, with a digest of all that
decides how the adapter behaves. Where the digest is another one now, nobody has tried what is there: bronze.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gateway.kit.conformance.report import Outcome, Report, Tier
from gateway.kit.conformance.sources import RECORD, digest, folder_of
from gateway.kit.contract import COMMANDS
from gateway.kit.manifest import Manifest
from gateway.model.errors import ConfigurationError

_BRONZE: Final = frozenset({"ReadsCatalogue", "ReadsListings", "ParsesExports"})
_SILVER: Final = _BRONZE | {"ReadsHoldings", "ReadsMovements", "ReadsTrades"}
ALLOWED: Final = MappingProxyType(
    {
        Tier.NONE: frozenset[str](),
        Tier.BRONZE: _BRONZE,
        Tier.SILVER: _SILVER,
        Tier.GOLD: _SILVER | COMMANDS | {"BearsWitness", "SendsWebhooks"},
    }
)
"""The capabilities that the core may use at each tier."""


def write_conformance(manifest: Manifest, report: Report) -> Path:
    """Records a run's tier in the adapter's folder and returns the path of the record.

    Raises ConfigurationError for a run of some checks only, or of another adapter.
    """
    return write_record(manifest, folder_of(manifest), report)


def write_record(manifest: Manifest, folder: Path, report: Report) -> Path:
    """The same, of an adapter in this folder."""
    if not report.complete or report.adapter != manifest.name:
        raise ConfigurationError(
            f"found {'a whole' if report.complete else 'a partial'} run of {report.adapter}; "
            f"expected a whole run of {manifest.name}"
        )
    counts = Counter(one.outcome for one in report.results)
    document = {
        "tier": report.tier.value,
        "contract_version": manifest.contract_version,
        "digest": digest(manifest, folder),
        "capabilities": sorted(report.capabilities),
        "checks": {outcome.value: counts[outcome] for outcome in Outcome},
        "failed": [one.id for one in report.failed],
    }
    path = folder / RECORD
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def recorded_tier(manifest: Manifest) -> Tier:
    """The tier that an adapter's folder records; bronze where it records none, or one of other files.

    Raises ConfigurationError when the record cannot be read.
    """
    return tier_of(manifest, folder_of(manifest))


def tier_of(manifest: Manifest, folder: Path) -> Tier:
    """The same, of an adapter in this folder."""
    path = folder / RECORD
    if not path.exists():
        return Tier.BRONZE
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        tier, recorded = Tier(document["tier"]), (document["contract_version"], document["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: {error!r}; run the conformance kit to write it again") from error
    if recorded != (manifest.contract_version, digest(manifest, folder)):
        return min(tier, Tier.BRONZE, key=list(Tier).index)
    return tier


def allowed(manifest: Manifest) -> frozenset[str]:
    """The capabilities of an adapter that the core may use, by its recorded tier."""
    return manifest.capabilities() & ALLOWED[recorded_tier(manifest)]
