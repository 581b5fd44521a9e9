"""The reject file: quarantined rows as they were, each with its place and its reasons, for a person to mend.

It has the columns of the file it comes from, so that the mended rows can be ingested as they are; the two columns of
ours are read past then. A row with the wrong number of fields has no columns: its text stands with the reasons.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

import polars as pl

from gateway.catalogue.staging import ROW_RAGGED, reasons_by_row
from gateway.kit.files import Batch
from gateway.kit.mapping.engine import ROW, Mapped
from gateway.model.errors import ConfigurationError

REJECT_COLUMNS: Final = ("_rejected_row", "_reasons")


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

    def write(self, batch: Batch, mapped: Mapped) -> None:
        """Writes a batch's quarantined rows, in the order of the file."""
        if self._stream is None:
            return
        reasons = reasons_by_row(mapped.defects)
        rows = batch.frame.filter(pl.col(ROW).is_in(mapped.quarantined().implode()))
        written = [
            (row[ROW], [row.get(name) or "" for name in self._headings], _words(reasons[row[ROW]]))
            for row in rows.iter_rows(named=True)
        ]
        written += [
            (
                one.row,
                [""] * len(self._headings),
                f"{ROW_RAGGED}: {one.found} fields, expected {one.expected}: {one.text}",
            )
            for one in batch.ragged
        ]
        for number, cells, words in sorted(written):
            self._writer.writerow([*cells, number, words])

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


def _words(reasons: Sequence[dict[str, str | None]]) -> str:
    return "; ".join(f"{one['code']}: {one['found'] or 'empty'}" for one in reasons)
