"""``conformance``: tries adapters on their stand-ins and records the tier that each reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.execution import Exit, JsonOption, execute
from gateway.cli.output import Output, keyed
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.kit.conformance.report import Report, Result
    from gateway.kit.manifest import Manifest
    from gateway.settings import Settings

COLUMNS: Final = (
    keyed("Adapter", "adapter", "short"),
    keyed("Tier", "tier", "short"),
    keyed("Passed", "passed", "number"),
    keyed("Failed", "failed", "number"),
    keyed("Not called for", "skipped", "number"),
    keyed("Capabilities", "capabilities", "folded"),
)
CHECK_COLUMNS: Final = (
    keyed("Check", "id", "short"),
    keyed("Result", "result", "short"),
    keyed("What must hold", "title", "folded"),
    keyed("Message", "message", "folded"),
)


def conformance(
    context: typer.Context,
    adapters: Annotated[
        list[str] | None, typer.Argument(metavar="[ADAPTER]...", help="The adapters to try; without one, all.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this check; no tier is recorded then.")] = None,
    record: Annotated[
        bool, typer.Option(help="First record the fixtures that are missing, from the stand-in; none is overwritten.")
    ] = False,
    verbose: Annotated[bool, typer.Option(help="Show every check, not only those that failed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try adapters on their stand-ins, check by check, and record the tier in their folders.

    Exit code 1 when a check failed.
    """

    async def work(output: Output, _settings: Settings) -> Exit:
        from gateway.kit.conformance.report import document
        from gateway.markets.registry import installed

        manifests = installed()
        unknown = sorted(set(adapters or ()) - manifests.keys())
        if unknown:
            raise ConfigurationError(f"no adapter is called {', '.join(unknown)}; there are {', '.join(manifests)}")
        names = dict.fromkeys(adapters or manifests)
        reports = [await _tried(output, manifests[name], only, record=record) for name in names]
        output.document(document(reports))
        for report in reports:
            _tell_checks(output, report, verbose=verbose)
        output.table(COLUMNS, [_row(report) for report in reports])
        return Exit.WRONG if any(report.failed for report in reports) else Exit.DONE

    execute(context, as_json=as_json, work=work)


async def _tried(output: Output, manifest: Manifest, only: list[str] | None, *, record: bool) -> Report:
    from gateway.kit.conformance.fixtures import record as record_fixtures
    from gateway.kit.conformance.runner import run
    from gateway.kit.conformance.tier import write_conformance

    if record:
        for path in await record_fixtures(manifest):
            output.note(f"{manifest.name}: recorded {path.name}")
    tried = 0

    def progress(result: Result) -> None:
        nonlocal tried
        tried += 1
        if output.errors.is_terminal:
            output.errors.print(f"{manifest.name}: {tried} {result.id} {result.outcome.value}   ", end="\r")

    report = await run(manifest, only=only, progress=progress)
    if report.complete:
        try:
            write_conformance(manifest, report)
        except OSError as error:
            output.note(f"{manifest.name}: the tier could not be recorded: {error}")
    return report


def _tell_checks(output: Output, report: Report, *, verbose: bool) -> None:
    rows = [
        {"id": one.id, "result": one.outcome.value, "title": one.title, "message": one.message}
        for one in (report.results if verbose else report.failed)
    ]
    if rows:
        output.table(CHECK_COLUMNS, rows, report.adapter)


def _row(report: Report) -> dict[str, Any]:
    found = [one.outcome.value for one in report.results]
    return {
        "adapter": report.adapter,
        "tier": report.tier.value,
        "capabilities": sorted(report.capabilities),
        **{outcome: found.count(outcome) for outcome in ("passed", "failed", "skipped")},
    }
