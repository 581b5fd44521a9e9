"""The embedded PostgreSQL, truly started, shared, killed and found again."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from gateway.model.errors import ConfigurationError
from gateway.store.embedded import EmbeddedServer, EmbeddedStatus, ServerAddress, binaries, inspect
from gateway.store.embedded.layout import Layout
from gateway.store.embedded.locks import FileLock
from tests.integration.embedded_processes import User, eventually, holders, kill, make, user, wait_until_free
from tests.integration.embedded_user import query


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose cluster is made, with a committed row; in folders of mode 0700."""
    return make(tmp_path_factory.mktemp("embedded") / "data")


@pytest.fixture
def data(made: Path) -> Iterator[Path]:
    """The made data directory; after the test no process may be left in it."""
    yield made
    wait_until_free(made)


def running(data: Path) -> EmbeddedStatus:
    status = inspect(data)
    assert status.running
    assert status.pid is not None
    assert status.watcher_pid is not None
    return status


def kept(address: ServerAddress) -> str:
    return query(address.url, "SELECT seven FROM kept")


def copy_of(made: Path, target: Path) -> Path:
    shutil.copytree(made, target)
    return target


async def test_asyncpg_and_psql_get_in_with_the_address_and_a_wrong_password_does_not(data: Path) -> None:
    with EmbeddedServer(data) as address:
        connection = await asyncpg.connect(address.url)
        try:
            assert await connection.fetchval("SELECT seven FROM kept") == 7
        finally:
            await connection.close()
        assert kept(address) == "7"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(address.url.replace(address.password, "guessed"))


def test_server_is_durable_utf8_utc_private_and_its_role_no_superuser(data: Path) -> None:
    with EmbeddedServer(data) as address:
        settings = ("fsync", "synchronous_commit", "server_encoding", "timezone", "jit", "listen_addresses")
        shown = {name: query(address.url, f"SHOW {name}") for name in settings}
        locale = query(
            address.url, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        )
        superuser = query(address.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        query(address.url, "CREATE EXTENSION IF NOT EXISTS btree_gist")
        assert stat.S_IMODE(Path(address.socket_folder).stat().st_mode) == 0o700
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "jit": "off",
        "listen_addresses": "",
    }
    assert locale == "b|C.UTF-8"
    assert superuser == "f"


def test_password_is_in_no_repr_and_readable_by_its_owner_alone(data: Path) -> None:
    with EmbeddedServer(data) as address:
        assert address.password in address.url
        assert address.password not in repr(address)
        assert stat.S_IMODE((data / "password").stat().st_mode) == 0o600


def test_lost_password_is_made_anew_without_losing_data(data: Path) -> None:
    before = (data / "password").read_text()
    (data / "password").unlink()
    with EmbeddedServer(data) as address:
        assert address.password != before
        assert kept(address) == "7"


def test_pg_dump_of_the_same_binaries_works(data: Path) -> None:
    with EmbeddedServer(data) as address:
        dump = subprocess.run([binaries() / "pg_dump", "-s", address.url], check=True, capture_output=True, text=True)
    assert "CREATE TABLE public.kept" in dump.stdout


class TestSharing:
    def test_server_outlives_the_first_user_and_stops_with_the_last(self, data: Path) -> None:
        with user(data) as first, user(data) as second:
            assert first.url() == second.url()
            status = running(data)
            assert status.users == 2
            first.leave()
            eventually(lambda: inspect(data).users == 1, "one user is left")
            assert inspect(data).pid == status.pid
            second.leave()
            wait_until_free(data)
        assert not inspect(data).running

    def test_nested_use_in_one_process_counts_as_two(self, data: Path) -> None:
        with EmbeddedServer(data) as outer:
            with EmbeddedServer(data) as inner:
                assert inner == outer
            assert kept(outer) == "7"

    def test_one_object_is_one_use_at_a_time_and_can_be_used_again(self, data: Path) -> None:
        server = EmbeddedServer(data)
        with server, pytest.raises(ConfigurationError, match="has begun already"), server:
            pass
        with server as address:
            assert kept(address) == "7"

    def test_six_processes_attach_query_and_leave_at_will_from_the_first_start_on(self, data: Path) -> None:
        before = int(_ask(data, "SELECT count(*) FROM visits"))
        users = [User(data, "4") for _ in range(6)]
        outcomes = [(one.process.communicate(timeout=60)[0], one.process.returncode) for one in users]
        assert outcomes == [("", 0)] * 6
        wait_until_free(data)
        assert int(_ask(data, "SELECT count(*) FROM visits")) == before + 24

    def test_processes_that_meet_before_there_is_a_cluster_make_one(self, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        users = [User(folder) for _ in range(3)]
        urls = {one.url() for one in users}
        for one in users:
            one.leave()
        assert len(urls) == 1
        wait_until_free(folder)

    def test_who_arrives_during_a_stop_waits_for_its_end_and_says_so_at_the_limit(self, data: Path) -> None:
        stopping = FileLock(Layout(data).users_lock)
        stopping.wait_for_last()  # as the watcher does before it stops the server
        with (
            pytest.raises(ConfigurationError, match=r"users\.lock is still held"),
            EmbeddedServer(data, limit_seconds=0.2),
        ):
            pass
        with user(data) as waiting:
            stopping.give_up()
            assert waiting.url()
            waiting.leave()

    def test_children_of_a_user_are_no_users(self, data: Path) -> None:
        with user(data, "fork") as parent:
            parent.url()
            children = parent.hear()["children"]
            try:
                parent.kill()
                eventually(lambda: not inspect(data).running, "the server stopped though children live")
                assert all(Path("/proc", str(child)).exists() for child in children)
            finally:
                kill(*children)


class TestKilled:
    def test_owner_killed_leaves_nothing(self, data: Path) -> None:
        with user(data) as owner:
            owner.url()
            assert holders(data)
            owner.kill()
            wait_until_free(data)
        assert not (data / "state.json").exists()
        assert not (data / "sockets").exists()

    def test_owner_and_watcher_killed_together_leave_no_process(self, data: Path) -> None:
        with user(data) as owner:
            owner.url()
            kill(running(data).watcher_pid, owner.process.pid)
            wait_until_free(data)
        with EmbeddedServer(data) as address:
            assert kept(address) == "7"

    def test_watcher_killed_takes_the_server_along_and_the_next_attach_starts_it(self, data: Path) -> None:
        with user(data) as owner:
            owner.url()
            status = running(data)
            kill(status.watcher_pid)
            with EmbeddedServer(data) as address:  # at once, while the old server still shuts down
                assert kept(address) == "7"
                assert running(data).pid != status.pid

    def test_server_killed_recovers_what_was_committed(self, data: Path) -> None:
        with user(data) as owner:
            url = owner.url()
            query(url, "DROP TABLE IF EXISTS late; CREATE TABLE late AS SELECT 11 AS eleven")
            kill(running(data).pid)
            with EmbeddedServer(data) as address:
                assert query(address.url, "SELECT eleven FROM late") == "11"

    def test_watcher_and_server_killed_together(self, data: Path) -> None:
        with user(data) as owner:
            owner.url()
            status = running(data)
            kill(status.watcher_pid, status.pid)
            with EmbeddedServer(data) as address:
                assert kept(address) == "7"

    def test_watcher_asked_to_end_stops_the_server_in_order(self, data: Path) -> None:
        with user(data) as owner:
            owner.url()
            os.kill(running(data).watcher_pid or 0, signal.SIGTERM)
            eventually(lambda: not inspect(data).running, "the server stopped")
        wait_until_free(data)
        assert not (data / "cluster" / "postmaster.pid").exists()

    @pytest.mark.parametrize("victim", ["owner", "watcher"])
    def test_killed_while_the_cluster_is_made(self, tmp_path: Path, victim: str) -> None:
        folder = tmp_path / "data"
        with user(folder) as owner:
            eventually(lambda: any(folder.glob("cluster.new-*/cluster/base")), "initdb is at work")
            if victim == "owner":
                owner.kill()
            else:
                watchers = [pid for pid, command in holders(folder).items() if "watcher import main" in command]
                for watcher in watchers:
                    kill(watcher)
                assert "gave no answer" in owner.hear()["error"]
            wait_until_free(folder)
        with EmbeddedServer(folder) as address:
            assert query(address.url, "SELECT 1") == "1"
        assert not list(folder.glob("cluster.new-*"))
        wait_until_free(folder)


class TestLeftovers:
    def test_process_id_of_another_program_in_a_stale_file_does_not_stop_a_start(self, data: Path) -> None:
        with subprocess.Popen(["sleep", "60"]) as other:
            stale = f"{other.pid}\n{data}/cluster\n1700000000\n5432\n\n*\n  12345  12345\nready   \n"
            (data / "cluster" / "postmaster.pid").write_text(stale)
            with EmbeddedServer(data) as address:
                assert kept(address) == "7"
            assert other.poll() is None
            other.kill()

    def test_stale_state_and_socket_of_a_dead_machine_are_replaced(self, data: Path, tmp_path: Path) -> None:
        sockets = tmp_path / "carbon-gateway-old"
        sockets.mkdir()
        (sockets / ".s.PGSQL.5432").touch()
        (data / "state.json").write_text(
            f'{{"server_pid": 1, "watcher_pid": 1, "socket_folder": "{sockets}", "version": "18.6", "runs": "x"}}'
        )
        assert not inspect(data).running
        with EmbeddedServer(data) as address:
            assert kept(address) == "7"
        assert not sockets.exists()

    def test_state_cut_short_by_a_crash_counts_as_none(self, data: Path) -> None:
        (data / "state.json").write_text('{"server_pid": ')
        with EmbeddedServer(data) as address:
            assert kept(address) == "7"


class TestPaths:
    @pytest.mark.parametrize("name", ["long-" * 30, "數據, with a comma"])
    def test_socket_lies_elsewhere_when_the_path_cannot_hold_one(self, made: Path, tmp_path: Path, name: str) -> None:
        folder = copy_of(made, tmp_path / name)
        with EmbeddedServer(folder) as address:
            assert kept(address) == "7"
            place = Path(address.socket_folder)
            assert not place.is_relative_to(folder)
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        wait_until_free(folder)
        assert not place.exists()

    def test_relative_path_with_spaces(self, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        copy_of(made, tmp_path / "with space & 100%")
        monkeypatch.chdir(tmp_path)
        with EmbeddedServer(Path("with space & 100%")) as address:
            assert kept(address) == "7"
        wait_until_free(tmp_path)


def test_inspect_of_nothing_makes_nothing(tmp_path: Path) -> None:
    status = inspect(tmp_path / "none")
    assert not status.running
    assert (status.pid, status.version, status.users, status.size_bytes) == (None, None, 0, 0)
    assert not (tmp_path / "none").exists()


def test_inspect_tells_how_a_server_runs_and_what_is_known_when_it_stopped(data: Path) -> None:
    with EmbeddedServer(data):
        status = running(data)
        assert (status.version or "").startswith("18.")
        assert status.users == 1
        assert "user" in (status.runs or "")
        assert status.size_bytes > 20_000_000
        assert "ready to accept connections" in status.log.read_text()
    wait_until_free(data)
    assert (inspect(data).version, inspect(data).runs) == ("18", None)


def test_watcher_needs_the_standard_library_alone() -> None:
    root = Path(__file__).parents[2]
    listing = "import gateway.store.embedded.watcher; print(*{name.partition('.')[0] for name in sys.modules})"
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {listing}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(answer.stdout.split()) - set(sys.stdlib_module_names) == {"__main__", "gateway"}


def _ask(data: Path, sql: str) -> str:
    with EmbeddedServer(data) as address:
        answer = query(address.url, sql)
    wait_until_free(data)
    return answer
