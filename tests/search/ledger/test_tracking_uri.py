"""A tracking URI that cannot work is refused with a way out, and passwords are never shown."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from search import tracking_uri
from search.tracking_uri import check_folder, check_uri, sqlite_file
from trainables.engine.errors import InputError


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlit:///mlflow.db", r"Did you mean sqlite://\?"),
        ("htps://host", r"Did you mean https://\?"),
        ("mlflow.db", "use sqlite:///mlflow.db"),
        ("./mlruns", "folder store is out of favour"),
        ("file:///tmp/mlruns", "folder store is out of favour"),
        ("databricks", "no scheme that foldrace knows"),
        ("carrier-pigeon://me:secret@coop", r"'carrier-pigeon://\*\*\*@coop' has no scheme"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("http:///path", "names no host"),
        ("http://host:port/", "malformed"),
    ],
)
def test_a_uri_that_cannot_work_is_refused(uri: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_uri(uri)


def test_a_sqlite_path_is_absolute_and_free_of_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_file("sqlite:///mlflow.db") == tmp_path / "mlflow.db"
    assert sqlite_file(f"sqlite:///{tmp_path}/a b.db?timeout=9") == tmp_path / "a b.db"
    assert sqlite_file("http://host/mlflow.db") is None


def test_a_new_file_in_a_folder_that_is_there_is_fine(tmp_path: Path) -> None:
    check_uri(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == [], "checking makes nothing"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"folder {tmp_path}/none does not exist"):
        check_uri(f"sqlite:///{tmp_path}/none/mlflow.db")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file that can be written"):
        check_uri(f"sqlite:///{tmp_path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="not a writable folder"):
        check_uri(f"sqlite:///{tmp_path}/mlflow.db")


def make_database(path: Path, tables: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(path)) as database:
        for table in tables:
            database.execute(f"CREATE TABLE {table} (x TEXT)")
            database.executemany(
                f"INSERT INTO {table} VALUES (?)", [("filler " * 50,) for _ in range(500)]
            )
        database.commit()


@pytest.mark.parametrize("damage", ["no database", "overwritten", "cut"])
def test_a_damaged_database_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "mlflow.db"
    make_database(file, ("experiments", "runs"))
    check_uri(f"sqlite:///{file}")
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(
        {
            "no database": b"hello " * 1000,
            "overwritten": content[:8192] + b"\xff" * middle + content[8192 + middle :],
            "cut": content[:middle],
        }[damage]
    )
    with pytest.raises(InputError, match="not a sound sqlite database"):
        check_uri(f"sqlite:///{file}")


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    make_database(tmp_path / "other.db", ("customers",))
    with pytest.raises(InputError, match=r"something else than MLflow \(tables: customers\)"):
        check_uri(f"sqlite:///{tmp_path}/other.db")


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_uri, "_LEAST_FREE_BYTES", 2**62)
    with pytest.raises(InputError, match=r"MiB of free disk, and needs at least"):
        check_folder(tmp_path / "spool", "The spool")


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{tmp_path}/file is not a writable folder"):
        check_folder(tmp_path / "file" / "spool", "The spool")


@pytest.mark.parametrize("kind", ["http", "postgresql", "mysql+pymysql"])
def test_a_port_where_nobody_listens_is_refused_at_once(kind: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InputError, match=rf"cannot be reached at '[a-z0-9+]+://\*\*\*@127.*{port}"):
        check_uri(f"{kind}://me:secret@127.0.0.1:{port}/db")


def test_a_port_that_accepts_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_uri(f"http://127.0.0.1:{listener.getsockname()[1]}")


def test_a_host_that_swallows_packets_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking_uri, "_CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        # A full backlog makes the kernel drop what knocks: nobody answers, as behind a firewall.
        knocks = [socket.socket() for _ in range(4)]
        for knock in knocks:
            knock.setblocking(False)
            knock.connect_ex(("127.0.0.1", port))
        with pytest.raises(InputError, match=r"timed out|no answer"):
            check_uri(f"http://127.0.0.1:{port}")
        for knock in knocks:
            knock.close()
