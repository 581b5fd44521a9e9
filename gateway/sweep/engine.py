"""DuckDB inside this process, under limits, with nothing to reach outside."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import polars as pl
    import pyarrow as pa
    from ibis.backends.duckdb import Backend

    Book = pl.DataFrame | pa.Table
    """Blocks: ``space`` (text), ``first`` and ``last`` (int64, inclusive). Other columns are not read."""


class Engine:
    """Runs the sweep. Use it as a context manager, from one thread at a time; it blocks while it computes.

    It loads no extension, opens no file but its own spill files, and reaches no network.

    Args:
        temp_directory: where it spills what does not fit; made when needed.
        memory_limit: what DuckDB may hold, as DuckDB writes it. Books handed in are outside of it:
            they are read where they lie.
        spill_limit: what it may write into ``temp_directory``.
        threads: how many threads compute.
    """

    def __init__(
        self,
        *,
        temp_directory: Path,
        memory_limit: str = "512MB",
        spill_limit: str = "16GB",
        threads: int = 2,
    ) -> None:
        self._config: dict[str, Any] = {
            "temp_directory": str(temp_directory),
            "memory_limit": memory_limit,
            "max_temp_directory_size": spill_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        }
        self._backend: Backend | None = None

    def __enter__(self) -> Self:
        import ibis

        self._backend = ibis.duckdb.connect(**self._config)
        # Last: once it is off, the directory to spill to cannot be set either.
        self._backend.settings["enable_external_access"] = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.disconnect()

    def table(self, book: Book) -> ir.Table:
        """The book as a table of expressions, without a copy. Raises TypeError when it has not a book's columns."""
        import ibis

        return ibis.memtable(_arrow(book))

    def rows(self, expression: ir.Table) -> list[dict[str, Any]]:
        """Computes a (small) result. Raises ConfigurationError when it needs more than the engine's limits."""
        import duckdb

        if self._backend is None:
            raise RuntimeError("the engine is not open; expected use inside its with statement")
        try:
            return list(self._backend.to_pyarrow(expression).to_pylist())
        except duckdb.OutOfMemoryException as error:
            limits = ", ".join(f"{name}={self._config[name]}" for name in _LIMITS)
            raise ConfigurationError(f"the comparison does not fit its limits ({limits}); raise one: {error}") from error


_LIMITS = ("memory_limit", "max_temp_directory_size", "temp_directory")


def _arrow(book: Book) -> pa.Table:
    import polars as pl
    import pyarrow as pa

    table = book.to_arrow() if isinstance(book, pl.DataFrame) else book
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    expected = {"space": text, "first": (pa.types.is_int64,), "last": (pa.types.is_int64,)}
    for name, kinds in expected.items():
        found = table.schema.field(name).type if name in table.column_names else "no such column"
        if found == "no such column" or not any(kind(found) for kind in kinds):
            wanted = "text" if name == "space" else "int64"
            raise TypeError(f"a book's column {name!r}: found {found}; expected {wanted}")
    return table.select(list(expected))
