"""The files that a person downloads from a registry, as tables of strings.

A registry's export is read as it is: every cell is text or empty, nothing is converted, and what does not fit is
reported with its place. What the columns mean is the business of a mapping.

::

    with open_table(path) as table:
        for batch in table.batches():
            batch.frame   # the columns of the file, and "_row"
            batch.ragged  # rows with another number of fields than there are headings
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import BinaryIO

from gateway.kit.files.chinese import in_utf8
from gateway.kit.files.delimited import open_delimited
from gateway.kit.files.recognise import open_regular, recognise
from gateway.kit.files.table import ROW_NUMBER, UNNAMED, Batch, Limits, RaggedRow, Table
from gateway.kit.files.workbook import open_workbook
from gateway.model.errors import UnusableFile

__all__ = ["ROW_NUMBER", "UNNAMED", "Batch", "Limits", "RaggedRow", "Table", "open_content", "open_table"]

_DEFAULTS = Limits()


def open_table(path: Path, *, limits: Limits = _DEFAULTS) -> Table:
    """Open a CSV file or an XLSX workbook by what is in it, whatever its name says.

    CSV is UTF-8, or GB18030 where the headings are Chinese in it.

    The headings are read and checked now, the rows while ``Table.batches`` is consumed. Memory stays at a few
    batches for CSV; a workbook's shared strings are held whole, up to ``limits.uncompressed_bytes``.

    Raises ``UnusableFile`` when the file is not what it says, here or while the batches are consumed; the whole
    file is then to be refused.
    """
    return _opened(open_regular(path, limits), limits)


def open_content(content: bytes, *, limits: Limits = _DEFAULTS) -> Table:
    """The same of a file that a market sent, whose bytes are at hand."""
    if len(content) > limits.bytes:
        found, expected = f"a file of {len(content):,} bytes", f"at most {limits.bytes:,}"
        raise UnusableFile(found=found, expected=expected)
    file = tempfile.TemporaryFile(prefix="carbon-gateway-")  # noqa: SIM115 - closed with the table
    file.write(content)
    file.seek(0)
    return _opened(file, limits)


def _opened(file: BinaryIO, limits: Limits) -> Table:
    try:
        if recognise(file) == "xlsx":
            return open_workbook(file, limits)
        file = in_utf8(file, limits)
        return open_delimited(file, limits)
    except BaseException:
        file.close()
        raise
