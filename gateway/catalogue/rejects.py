"""The reject file: quarantined rows as they were, each with its place and its reasons, for a person to mend.

It has the columns of the file it comes from, so that the mended rows can be ingested as they are. Of the three columns
of ours the last names the row's entry in the quarantine: a row that is accepted resolves it, one that is still bad
keeps it. A row with the wrong number of fields has no columns: its text stands with the reasons, and while all its
cells are empty nobody has mended it.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

import polars as pl
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.catalogue.staging import RAGGED_TEXT
from gateway.kit.files import Batch
from gateway.kit.mapping.engine import ROW
from gateway.model.errors import ConfigurationError

ENTRY_COLUMN: Final = "_rejected_entry"
REJECT_COLUMNS: Final = ("_rejected_row", "_reasons", ENTRY_COLUMN)

Known = Mapping[str, Sequence[str]]
"""The entries of a market's quarantine for one mapping, by record key, with the codes of their reasons."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A batch of a file that may be a reject file.

    Attributes:
        rows: the rows to be mapped, without the columns of ours.
        entries: the entries that these, and the ragged rows, are in quarantine as, by row number.
        unmended: the rows, as they are in the file, that are as empty as they were written.
        waiting: the codes of the unmended rows' reasons, each code once a row.
    """

    rows: pl.DataFrame
    entries: dict[int, str]
    unmended: pl.DataFrame
    waiting: list[str]


async def known(connection: AsyncConnection, market: str, mapping: str, headings: Sequence[str]) -> Known:
    """The entries that a file with these headings can name: none where it is no reject file."""
    if ENTRY_COLUMN not in headings:
        return {}
    found = await connection.execute(
        text(
            "SELECT record_key, jsonb_path_query_array(reasons, '$[*].code') AS codes FROM quarantine "
            "WHERE market = :market AND mapping = :mapping ORDER BY copy DESC"
        ),
        {"market": market, "mapping": mapping},
    )
    return {row.record_key: row.codes for row in found}


def returned(batch: Batch, entries: Known) -> Returned:
    """Tells the rows of a reject file that somebody mended from those that nobody did."""
    frame = batch.frame
    own = frame.drop(REJECT_COLUMNS, strict=False)
    if ENTRY_COLUMN not in frame.columns:
        return Returned(own, {}, frame.clear(), [])
    named = frame.select(ROW, pl.col(ENTRY_COLUMN).str.strip_chars()).drop_nulls()
    of_rows = {row: entry for row, entry in named.iter_rows() if entry in entries}
    empty = pl.all_horizontal(pl.exclude(ROW, *REJECT_COLUMNS).is_null())
    unmended = frame.filter(empty & pl.col(ROW).is_in(list(of_rows)))
    left = unmended.get_column(ROW)
    waiting = [code for row in left for code in sorted(set(entries[of_rows.pop(row)]))]
    for one in batch.ragged:
        # Its last field is still the entry's, however many there are before it.
        entry = one.text.rstrip().rpartition(",")[2].strip('"')
        if entry in entries:
            of_rows[one.row] = entry
    return Returned(own.filter(~pl.col(ROW).is_in(left.implode())), of_rows, unmended, waiting)


async def resolve(connection: AsyncConnection, market: str, pull: int, mapping: str, accepted: Sequence[str]) -> None:
    """Resolves the entries whose rows a reject file shows and that are accepted, one for each of these rows.

    Entries that are staged again stay. Of several copies the last go first, since those that stay are staged from the
    first on.

    Args:
        connection: with the staged rows, in the transaction that applies them.
        market: the market's name.
        pull: the pull's number.
        mapping: the mapping's name.
        accepted: the record keys that accepted rows named, once for each row.
    """
    await connection.execute(
        text(
            "UPDATE quarantine q SET resolved_pull = :pull, mended = true FROM (SELECT e.id, a.rows, row_number() OVER "
            "(PARTITION BY e.record_key ORDER BY e.copy DESC) AS place FROM (SELECT key, count(*) AS rows FROM "
            "unnest(cast(:accepted AS text[])) AS n(key) GROUP BY key) a JOIN quarantine e ON e.market = :market AND "
            "e.mapping = :mapping AND e.record_key = a.key AND e.resolved_pull IS NULL AND NOT EXISTS (SELECT FROM "
            "stage_quarantine s WHERE s.mapping = e.mapping AND s.record_key = e.record_key AND s.copy = e.copy)) m "
            "WHERE q.id = m.id AND m.place <= m.rows"
        ),
        {"pull": pull, "market": market, "mapping": mapping, "accepted": list(accepted)},
    )


class Rejects:
    """Writes beside its target and takes its place only when all went well (:meth:`keep`).

    Args:
        path: the reject file; None: nothing is written.
        headings: the columns of the file that is read.

    Raises ConfigurationError when it cannot be written there.
    """

    def __init__(self, path: Path | None, headings: Sequence[str]) -> None:
        self._path = path
        self._headings = [name for name in headings if name not in REJECT_COLUMNS]
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        """Opens the file beside its target."""
        if self._path is None:
            return self
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        except OSError as error:
            raise ConfigurationError(f"cannot write the reject file {self._path}: {error.strerror}") from error
        self._temporary = Path(name)
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow([*self._headings, *REJECT_COLUMNS])
        return self

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes quarantined rows as they are staged (:func:`gateway.catalogue.staging.quarantine_row`)."""
        if self._stream is None:
            return
        for row in sorted(rows, key=lambda row: int(row["position"])):
            raw = json.loads(row["raw"])
            cells = [raw.get(name) or "" for name in self._headings]
            ragged = f": {raw[RAGGED_TEXT]}" if RAGGED_TEXT in raw else ""
            self._writer.writerow(
                [*cells, row["position"], _words(json.loads(row["reasons"])) + ragged, row["record_key"]]
            )

    def write_again(self, unmended: pl.DataFrame) -> None:
        """Writes rows of a reject file that nobody mended as they are there."""
        if self._stream is None:
            return
        for row in unmended.iter_rows(named=True):
            self._writer.writerow([row.get(name) or "" for name in (*self._headings, *REJECT_COLUMNS)])

    def keep(self) -> None:
        """Puts the file in its place."""
        if self._stream is None or self._path is None:
            return
        self._stream.close()
        try:
            self._temporary.replace(self._path)
        except OSError as error:
            raise ConfigurationError(f"cannot write the reject file {self._path}: {error.strerror}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves nothing behind when it was not kept."""
        if self._stream is not None:
            self._stream.close()
            self._temporary.unlink(missing_ok=True)


def _words(reasons: Sequence[Mapping[str, str | None]]) -> str:
    return "; ".join(f"{one['code']}: {one['found'] or 'empty'}" for one in reasons)
