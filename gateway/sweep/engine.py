"""DuckDB inside this process, under limits, with nothing to reach outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from gateway.model.errors import ConfigurationError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import polars as pl
    import pyarrow as pa
    from ibis.backends.duckdb import Backend

    Book: TypeAlias = pl.DataFrame | pa.Table
    """Blocks: ``space`` (text), ``first`` and ``last`` (int64, inclusive). Other columns are not read."""


_COLUMNS = {"space": "string", "first": "int64", "last": "int64"}


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
        self._spill_limit = spill_limit
        self._config: dict[str, Any] = {
            "temp_directory": str(temp_directory),
            "memory_limit": memory_limit,
            "threads": threads,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # What is returned is ordered by the expression; keeping the order of input costs memory.
            "preserve_insertion_order": False,
        }
        self._backend: Backend | None = None

    def __enter__(self) -> Self:
        """Opens it. Raises ConfigurationError when DuckDB refuses a setting."""
        import duckdb
        import ibis

        try:
            self._backend = ibis.duckdb.connect(**self._config)
            # DuckDB shows a spill limit given at the start, and does not keep to it: it holds only when set later.
            self._backend.settings["max_temp_directory_size"] = self._spill_limit
            # Last: once it is off, where and how much to spill cannot be set either.
            self._backend.settings["enable_external_access"] = False
        except duckdb.Error as error:
            self._close()
            raise ConfigurationError(f"DuckDB refuses a setting of the comparison: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    @contextmanager
    def reading(self, books: Mapping[str, Book]) -> Iterator[dict[str, ir.Table]]:
        """Gives each book as a table of expressions under its name, where it lies, and lets go of it afterwards.

        Raises TypeError when one has not a book's columns.
        """
        import ibis

        # Registered by hand: the engine would hold on to an Ibis memtable until it is closed.
        connection = self._opened().con
        tables = {name: _arrow(book) for name, book in books.items()}
        try:
            for name, table in tables.items():
                connection.register(name, table)
            yield {name: ibis.table(_COLUMNS, name=name) for name in tables}
        finally:
            for name in tables:
                connection.unregister(name)

    def rows(self, expression: ir.Table) -> list[dict[str, Any]]:
        """Computes a (small) result. Raises ConfigurationError when it needs more than the engine's limits."""
        import duckdb

        try:
            return list(self._opened().to_pyarrow(expression).to_pylist())
        except duckdb.OutOfMemoryException as error:
            limits = f"memory_limit {self._config['memory_limit']} and spill_limit {self._spill_limit}"
            raise ConfigurationError(f"a comparison does not fit {limits}; raise one of them: {error}") from error

    def _opened(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("the engine is not open; expected use inside its with statement")
        return self._backend

    def _close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.disconnect()


def _arrow(book: Book) -> pa.Table:
    import polars as pl
    import pyarrow as pa

    table = book.to_arrow() if isinstance(book, pl.DataFrame) else book
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    for name, expected in _COLUMNS.items():
        if name not in table.column_names:
            raise TypeError(f"a book's column {name!r}: found none; expected {expected}")
        found = table.schema.field(name).type
        if not any(kind(found) for kind in (text if expected == "string" else (pa.types.is_int64,))):
            raise TypeError(f"a book's column {name!r}: found {found}; expected {expected}")
    return table.select(list(_COLUMNS))
