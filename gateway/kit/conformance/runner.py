"""Runs every check that an adapter's capabilities call for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from gateway.kit.conformance import (
    checks_commands,
    checks_data,
    checks_doubt,
    checks_errors,
    checks_fixtures,
    checks_manifest,
    checks_paging,
    checks_running,
    checks_secrets,
    checks_snapshot,
    checks_source,
    checks_webhooks,
)
from gateway.kit.conformance.check import EVERY, Check, Failed, NotCalledFor
from gateway.kit.conformance.report import Outcome, Report, Result
from gateway.kit.conformance.subject import Subject
from gateway.kit.manifest import Manifest
from gateway.model.errors import ConfigurationError

CHECKS: Final[tuple[Check, ...]] = (
    *checks_manifest.CHECKS,
    *checks_secrets.CHECKS,
    *checks_source.CHECKS,
    *checks_fixtures.CHECKS,
    *checks_data.CHECKS,
    *checks_errors.CHECKS,
    *checks_paging.CHECKS,
    *checks_running.CHECKS,
    *checks_snapshot.CHECKS,
    *checks_commands.CHECKS,
    *checks_doubt.CHECKS,
    *checks_webhooks.CHECKS,
)
"""Every check, in the order in which they run."""

SECONDS_LIMIT: Final = 60
"""How long one check may take."""

Progress: TypeAlias = Callable[[Result], None]


async def run(
    manifest: Manifest | Subject, *, only: Collection[str] | None = None, progress: Progress | None = None
) -> Report:
    """Tries an adapter on its stand-in.

    Args:
        manifest: of the adapter, as it is installed; or what is to be tried instead of that.
        only: ids of the checks to run; all of them where it is None.
        progress: is told each result as it comes.

    Raises ConfigurationError for an id that no check has.
    """
    subject = Subject.of(manifest) if isinstance(manifest, Manifest) else manifest
    unknown = sorted(set(only or ()) - {one.id for one in CHECKS})
    if unknown:
        raise ConfigurationError(f"no check is called {', '.join(unknown)}; they are {CHECKS[0].id} to {CHECKS[-1].id}")
    try:
        offered = subject.manifest.capabilities()
    except ConfigurationError:
        offered = frozenset[str]()
    results = []
    for one in CHECKS:
        if only is None or one.id in only:
            results.append(await _result(one, subject, offered))
            if progress is not None:
                progress(results[-1])
    return Report(subject.manifest.name, offered, tuple(results), complete=only is None)


async def _result(one: Check, subject: Subject, offered: frozenset[str]) -> Result:
    if one.called_by != EVERY and not one.called_by & offered:
        needed = ", ".join(sorted(one.called_by))
        return Result(one.id, one.title, one.group, Outcome.SKIPPED, f"only for {needed}")
    outcome, message = Outcome.PASSED, ""
    try:
        async with asyncio.timeout(SECONDS_LIMIT):
            await one.run(subject)
    except NotCalledFor as error:
        outcome, message = Outcome.SKIPPED, str(error)
    except Failed as error:
        outcome, message = Outcome.FAILED, str(error)
    except TimeoutError:
        outcome, message = Outcome.FAILED, f"it did not end within {SECONDS_LIMIT} seconds"
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises here, it should not
        outcome, message = Outcome.FAILED, f"it broke off: {error!r}"
    return Result(one.id, one.title, one.group, outcome, message)
