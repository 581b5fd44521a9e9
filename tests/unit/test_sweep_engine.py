import subprocess
import sys
from pathlib import Path

import duckdb
import ibis
import polars as pl
import pytest
import sqlglot
from sqlglot import expressions as exp

from gateway.model.errors import ConfigurationError
from gateway.sweep import Engine, compare, overlaps
from gateway.sweep.expression import HERE, THERE, findings

BOOK = pl.DataFrame({"space": ["a"], "first": [1], "last": [2]})


def setting(engine: Engine, name: str) -> str:
    assert engine._backend is not None
    return str(engine._backend.con.execute(f"SELECT current_setting('{name}')").fetchall()[0][0])


def test_limits_are_set(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    with Engine(temp_directory=spill, memory_limit="100MiB", spill_limit="1GiB", threads=1) as engine:
        assert setting(engine, "memory_limit") == "100.0 MiB"
        assert setting(engine, "max_temp_directory_size") == "1.0 GiB"
        assert setting(engine, "temp_directory") == str(spill)
        assert setting(engine, "threads") == "1"
        for name in ("autoinstall_known_extensions", "autoload_known_extensions", "enable_external_access"):
            assert setting(engine, name) == "False"


@pytest.mark.parametrize(
    "statement",
    [
        "INSTALL httpfs",
        "SELECT * FROM read_csv('{file}')",
        "COPY (SELECT 1) TO '{file}'",
        "SELECT * FROM 'https://localhost:1/a.parquet'",
        "ATTACH '{file}' AS other",
    ],
)
def test_nothing_outside_can_be_reached(tmp_path: Path, statement: str) -> None:
    file = tmp_path / "file.csv"
    file.write_text("a\n1\n")
    with Engine(temp_directory=tmp_path / "spill") as engine:
        assert engine._backend is not None
        with pytest.raises(duckdb.PermissionException):
            engine._backend.con.execute(statement.format(file=file))


def test_what_does_not_fit_says_which_limits_to_raise(tmp_path: Path) -> None:
    count = 200_000
    book = pl.DataFrame({"space": ["a"] * count, "first": range(count), "last": range(count)})
    with (
        Engine(temp_directory=tmp_path / "spill", memory_limit="8MB", spill_limit="1MB") as engine,
        pytest.raises(ConfigurationError, match="memory_limit 8MB and spill_limit 1MB"),
    ):
        compare(book, book, complete=True, engine=engine)


@pytest.mark.parametrize("limits", [{"memory_limit": "lots"}, {"spill_limit": "lots"}])
def test_a_setting_that_is_none_is_refused_at_the_start(tmp_path: Path, limits: dict[str, str]) -> None:
    engine = Engine(temp_directory=tmp_path, **limits)  # type: ignore[arg-type] # threads is no text, and not given
    with pytest.raises(ConfigurationError, match="refuses a setting"):
        engine.__enter__()
    assert engine._backend is None


def test_it_closes_and_leaves_nothing_on_disk(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    with Engine(temp_directory=spill) as engine:
        overlaps(BOOK, engine=engine)
        backend = engine._backend
    assert backend is not None
    with pytest.raises(duckdb.ConnectionException):
        backend.con.execute("SELECT 1")
    with pytest.raises(RuntimeError, match="not open"):
        overlaps(BOOK, engine=engine)
    assert not spill.exists()


def test_it_opens_again(tmp_path: Path) -> None:
    engine = Engine(temp_directory=tmp_path)
    for _ in range(2):
        with engine:
            assert overlaps(BOOK, engine=engine).pairs == 0


def test_a_book_is_forgotten_after_its_comparison(tmp_path: Path) -> None:
    with Engine(temp_directory=tmp_path) as engine:
        compare(BOOK, BOOK, complete=True, engine=engine)
        assert engine._backend is not None
        views = engine._backend.con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert views == []


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
@pytest.mark.parametrize("sides", [(HERE,), (HERE, THERE)])
def test_every_join_of_the_expression_is_on_equality(dialect: str, sides: tuple[str, ...]) -> None:
    books = {side: ibis.table({"space": "string", "first": "int64", "last": "int64"}, name=side) for side in sides}
    text = str(ibis.to_sql(findings(books, limit=10), dialect=dialect))
    statement = sqlglot.parse_one(text, dialect={"pyspark": "spark"}.get(dialect, dialect))
    joins = list(statement.find_all(exp.Join))
    assert joins
    assert all(isinstance(join.args["on"], exp.EQ) for join in joins)


def test_importing_the_package_loads_no_engine() -> None:
    program = "import sys, gateway.sweep; print(sorted({'duckdb', 'ibis', 'polars', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
