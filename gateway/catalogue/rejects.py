"""The reject file: quarantined rows as they were, each with its place and its reasons, for a person to mend.

It has the columns of the file it comes from, so that the mended rows can be ingested as they are. Of the three columns
of ours the last names the row's entry in the quarantine, which a mended row resolves. A row with the wrong number of
fields has no columns: its text stands with the reasons.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from gateway.catalogue.staging import RAGGED_TEXT
from gateway.model.errors import ConfigurationError

ENTRY_COLUMN: Final = "_rejected_entry"
REJECT_COLUMNS: Final = ("_rejected_row", "_reasons", ENTRY_COLUMN)


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
            text = f": {raw[RAGGED_TEXT]}" if RAGGED_TEXT in raw else ""
            self._writer.writerow(
                [*cells, row["position"], _words(json.loads(row["reasons"])) + text, row["record_key"]]
            )

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
