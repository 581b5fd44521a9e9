"""``ingest``: a file that a person downloaded from a registry, read into the catalogue whole or not at all."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.execution import ACTOR, Exit, JsonOption, execute
from gateway.cli.output import Output, counted, keyed
from gateway.cli.progress import FileProgress
from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.catalogue.ingest import Ingested
    from gateway.settings import Settings


def ingest(
    context: typer.Context,
    market: Annotated[str, typer.Argument(help="The market that the file comes from.")],
    file: Annotated[Path, typer.Argument(help="A CSV file or an XLSX workbook, as downloaded.")],
    reject_file: Annotated[
        Path | None, typer.Option(help="Write the quarantined rows here, with their reasons, to be mended.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="When the registry said this, as in 2026-07-01T08:00:00Z. Without it: when the file was last written.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a registry's downloaded file into the catalogue.

    The file is taken whole or, when it is not what it says, not at all. A row that cannot be trusted goes to the
    quarantine, as it was received and with its reasons; the others are taken.
    """

    async def work(output: Output, settings: Settings) -> Exit:
        from gateway.app import running

        if reject_file is not None and reject_file.resolve() == file.resolve():
            raise ConfigurationError(f"the reject file {reject_file} is the file that is read; choose another")
        async with running(settings) as gateway:
            instant = _instant(as_of, gateway.clock())
            began = time.perf_counter()
            found = await _ingested(gateway, output, market, file, reject_file, instant)
            seconds = round(time.perf_counter() - began, 3)
        output.document(_document(found, file, seconds))
        _tell(output, found, file, reject_file, seconds)
        return Exit.DONE

    execute(context, as_json=as_json, work=work)


async def _ingested(
    gateway: Application, output: Output, name: str, file: Path, reject_file: Path | None, as_of: datetime | None
) -> Ingested:
    from gateway.catalogue.ingest import Ingestion

    async with gateway.link(name) as market:
        mappings = [market.mapping(one) for one in market.parses_exports().export_mappings()]
        with FileProgress(output, file.name) as progress:
            ingestion = Ingestion(
                market.name,
                market.manifest.programme,
                mappings,
                file,
                actor=ACTOR,
                as_of=as_of,
                reject_file=reject_file,
                progress=progress,
            )
            return await ingestion.run(gateway.database)


def _instant(written: str | None, now: datetime) -> datetime | None:
    if written is None:
        return None
    expected = "expected an instant with its zone, as in 2026-07-01T08:00:00Z"
    try:
        instant = datetime.fromisoformat(written)
    except ValueError as error:
        raise ConfigurationError(f"--as-of: found {written!r}; {expected}") from error
    if instant.tzinfo is None:
        raise ConfigurationError(f"--as-of: found {written!r}, which has no zone; {expected}")
    if instant > now:
        raise ConfigurationError(f"--as-of: found {written!r}, which is still to come; {expected}")
    return instant


def _document(found: Ingested, file: Path, seconds: float) -> dict[str, Any]:
    return {
        "market": found.market,
        "kind": found.kind,
        "file": str(file),
        "rows": found.rows,
        "accepted": found.accepted,
        "quarantined": found.quarantined,
        "quantity": found.quantity,
        "projects": found.projects,
        "blocks": found.blocks,
        "overlaps": found.overlaps,
        "defects": found.defects,
        "drift": found.drift,
        "seconds": seconds,
    }


def _tell(output: Output, found: Ingested, file: Path, reject_file: Path | None, seconds: float) -> None:
    units = "" if found.quantity is None else f"; {found.quantity:,} units"
    output.say(
        f"{file}: {found.market} {found.kind}, {found.rows:,} rows, {found.accepted:,} accepted, "
        f"{found.quarantined:,} quarantined{units}; {found.projects:,} projects ({seconds:.3f} s)"
    )
    output.say(_changes(found))
    if found.overlaps:
        output.say(f"{counted(found.overlaps, 'pair')} of blocks in this file overlap: units that are counted twice")
    if found.drift:
        output.say(f"columns that nobody mapped: {', '.join(found.drift)} (carbon-gateway drift)")
    if found.defects:
        rows = [{"defect": code, "rows": count} for code, count in found.defects.items()]
        output.table([keyed("Defect", "defect"), keyed("Rows", "rows", "number")], rows)
    if found.quarantined:
        output.say(f"{counted(found.quarantined, 'row')} in quarantine: carbon-gateway quarantine")
        if reject_file is not None:
            output.say(f"they are in {reject_file}, to be mended and ingested again")


def _changes(found: Ingested) -> str:
    applied = found.applied
    if not (applied.added or applied.changed or applied.gone or applied.stale or found.placeholders):
        return "nothing changed"
    unchanged = found.accepted - applied.added - applied.changed - applied.stale
    words = [f"{applied.added:,} added", f"{applied.changed:,} changed", f"{unchanged:,} unchanged"]
    if applied.stale:
        words.append(f"{applied.stale:,} older than what is known, and left out")
    if found.placeholders:
        words.append(f"{counted(found.placeholders, 'project')} known by their units alone")
    return ", ".join(words)
