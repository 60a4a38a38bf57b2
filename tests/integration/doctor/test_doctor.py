"""`foldrace doctor` on ledgers that are sound, damaged, locked, away, or not there."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search import cli
from search.ledger.leases import drivers
from search.ledger.store import NewRun
from search.tracking.open import connect
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_copies import copied

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
Doctor = Callable[..., dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, empty_database: bytes) -> Path:
    """A folder with a ledger that holds one finished sweep of 126 cells."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "mlflow.db").write_bytes(empty_database)
    uri = f"sqlite:///{folder}/mlflow.db"
    with connect(uri, "test", folder / ".foldrace" / "spool") as ledger:
        draw(ledger, spec_of(uri), lambda config: 0.7)
    (folder / ".foldrace").chmod(0o700)
    return folder


@pytest.fixture
def folder(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be damaged; the working folder."""
    copy = tmp_path / "work"
    copied(drawn, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("search.process.ray_home.left_behind", list)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return copy


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs the command; gives its findings of ledger, folders and spool by level."""

    def go(*words: str, subjects: tuple[str, ...] = ("ledger", "folders", "spool")) -> Any:
        capsys.readouterr()
        code = cli.main(["doctor", "--experiment", "test", "--json", *words])
        document = json.loads(capsys.readouterr().out)
        assert code == (1 if document["faults"] else 0)
        assert set(document) == {"faults", "notes", "versions", "findings"}
        found: dict[str, list[dict[str, Any]]] = {"fault": [], "note": [], "ok": []}
        for finding in document["findings"]:
            assert set(finding) == {"level", "subject", "thing", "found", "todo"}
            if finding["subject"] in subjects:
                found[finding["level"]].append(finding)
        return found

    return go


def change(folder: Path, statement: str, *values: object) -> int:
    with closing(sqlite3.connect(folder / "mlflow.db")) as tables, tables:
        return tables.execute(statement, values).rowcount


def ids(folder: Path, experiment: str) -> list[str]:
    query = (
        "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id) "
        "WHERE experiments.name = ? ORDER BY run_uuid"
    )
    with closing(sqlite3.connect(folder / "mlflow.db")) as tables:
        return [row[0] for row in tables.execute(query, (experiment,))]


def test_a_healthy_ledger_has_no_fault_and_is_left_as_it_is(folder: Path, doctor: Doctor) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found = doctor()
    assert (found["fault"], found["note"]) == ([], [])
    said = " ".join(finding["found"] for finding in found["ok"])
    assert "1 sweep, 126 runs of cells" in said
    assert "126 cells finished, each once and whole" in said
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_no_ledger_is_no_fault_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doctor: Doctor
) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctor()
    assert (found["fault"], found["note"]) == ([], [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("folder")
def test_a_server_that_is_away_is_a_fault(doctor: Doctor) -> None:
    (fault,) = doctor("--tracking-uri", "http://127.0.0.1:9")["fault"]
    assert "MLflow cannot be reached at 'http://127.0.0.1:9'" in fault["found"]


def test_a_locked_file_is_a_fault(
    folder: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.tracking_uri._LOCKED_S", 0.2)
    with closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        (fault,) = doctor()["fault"]
    assert "is locked: another program" in fault["found"]


def test_a_file_of_something_else_is_a_fault(folder: Path, doctor: Doctor) -> None:
    (folder / "mlflow.db").write_bytes(b"no database" * 100)
    (fault,) = doctor()["fault"]
    assert "not a sound sqlite database" in fault["found"]


def test_a_sweep_whose_driver_is_gone_is_a_fault_with_the_way_on(
    folder: Path, doctor: Doctor
) -> None:
    change(folder, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", *sweep_ids(folder))
    (fault,) = doctor()["fault"]
    assert fault["thing"] == "sweep drawn"
    assert fault["found"] == "is RUNNING in MLflow, and nobody trains it"
    assert "foldrace resume drawn" in fault["todo"]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    name_driver(folder, pid=gone.pid)
    (fault,) = doctor()["fault"]
    assert f"nobody trains it: process {gone.pid} on " in fault["found"]
    assert fault["found"].endswith(" is gone")


def sweep_ids(folder: Path) -> list[str]:
    return ids(folder, "test/sweeps")


def name_driver(folder: Path, **changes: object) -> None:
    """Write the tag of a driver to the sweep's run."""
    me = drivers.this_process("drawn", "writer")
    (tag,) = me.to_tags().items()
    fields = {**json.loads(tag[1]), **changes}
    change(
        folder,
        "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
        tag[0],
        json.dumps(fields),
        *sweep_ids(folder),
    )


def test_a_sweep_that_is_trained_here_or_elsewhere_is_no_fault(
    folder: Path, doctor: Doctor
) -> None:
    change(folder, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", *sweep_ids(folder))
    name_driver(folder, machine="another", host="node7")
    found = doctor()
    assert found["fault"] == []
    (note,) = found["note"]
    assert " on node7 since " in note["found"]
    assert "if that still lives cannot be seen from here" in note["found"]
    name_driver(folder)
    found = doctor()
    assert (found["fault"], found["note"]) == ([], [])
    assert any(f["found"].startswith("is being trained by process") for f in found["ok"])


def test_a_run_of_a_driver_that_never_drove_is_noted_and_is_no_sweep(
    folder: Path, doctor: Doctor
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    change(folder, "UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", *sweep_ids(folder))
    name_driver(folder, made=True, pid=gone.pid)
    found = doctor()
    assert found["fault"] == []
    (note,) = found["note"]
    assert note["found"].endswith(f"killed before they drove: {sweep_ids(folder)[0]}")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ('{"spec": {', "is damaged in MLflow"),
        ('{"spec": {"space": 5}, "task": {}}', "The task of sweep 'drawn'"),
        ('{"spec": {"name": "drawn"}}', "it has no 'task'"),
        ('"a text"', "it is a str, not an object"),
        ("{}", "it has no 'task'"),
    ],
)
def test_a_damaged_spec_is_a_fault(value: str, wanted: str, folder: Path, doctor: Doctor) -> None:
    assert change(folder, "UPDATE tags SET value = ? WHERE key = 'spec_json_000'", value) == 1
    (fault,) = doctor()["fault"]
    assert wanted in fault["found"]
    assert fault["todo"] == f"foldrace prune {sweep_ids(folder)[0]}"


def test_a_cell_recorded_twice_is_a_fault(folder: Path, doctor: Doctor) -> None:
    one, other = ids(folder, "test/cells")[:2]
    key = "(SELECT value FROM tags WHERE key = 'cell_key' AND run_uuid = ?)"
    change(
        folder, f"UPDATE tags SET value = {key} WHERE key = 'cell_key' AND run_uuid = ?", one, other
    )
    (fault,) = doctor()["fault"]
    assert fault["found"].startswith("1 cell recorded more than once: ")
    assert fault["todo"].startswith("foldrace resume drawn ")


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("DELETE FROM tags WHERE key = 'cell_key' AND run_uuid = ?", "lacks cell_key"),
        ("DELETE FROM params WHERE key = 'seed' AND run_uuid = ?", "lacks seed"),
        ("UPDATE params SET value = 'x' WHERE key = 'fold' AND run_uuid = ?", "invalid literal"),
        ("DELETE FROM latest_metrics WHERE key = 'accuracy' AND run_uuid = ?", "lacks accuracy"),
        ("UPDATE tags SET value = 'so so' WHERE key = 'status' AND run_uuid = ?", "status='so so'"),
        (
            "UPDATE latest_metrics SET is_nan = 1 WHERE key = 'accuracy' AND run_uuid = ?",
            "has accuracy=nan",
        ),
    ],
)
def test_a_finished_cell_with_damaged_values_is_a_fault(
    statement: str, wanted: str, folder: Path, doctor: Doctor
) -> None:
    run = ids(folder, "test/cells")[0]
    assert change(folder, statement, run) == 1
    (fault,) = doctor()["fault"]
    assert fault["found"].startswith("1 finished cell with damaged values: ")
    assert run in fault["found"]
    assert wanted in fault["found"]


@pytest.mark.parametrize("empty", [False, True])
def test_a_finished_cell_without_predictions_is_a_fault(
    empty: bool, folder: Path, doctor: Doctor
) -> None:
    run = ids(folder, "test/cells")[0]
    (file,) = folder.glob(f"mlartifacts/**/{run}/artifacts/predictions.npz")
    if empty:
        file.write_bytes(b"")
    else:
        file.unlink()
    (fault,) = doctor()["fault"]
    assert fault["found"] == f"1 finished cell without predictions: {run}"


def test_a_half_written_cell_is_noted(folder: Path, doctor: Doctor) -> None:
    uri = f"sqlite:///{folder}/mlflow.db"
    with connect(uri, "test", folder / ".foldrace" / "spool") as ledger:
        half = NewRun(name="x", tags={}, params={}, points=(), status="RUNNING", started_ms=1)
        (run,) = ledger._store.add("cells", [half])
    found = doctor()
    assert found["fault"] == []
    (note,) = found["note"]
    assert note["found"] == f"1 half-written cell: {run}"


def test_the_page_fits_a_terminal_and_names_faults_first(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".foldrace").chmod(0o755)
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["doctor", "--experiment", "test"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 fault")
    assert lines[2].startswith("fault .foldrace")
    assert "-> chmod 700 .foldrace" in lines[3] + lines[4]


def test_nothing_heavy_is_imported_for_a_local_file(folder: Path) -> None:
    code = (
        "import sys\nfrom search import cli\n"
        "cli.main(['doctor', '--experiment', 'test'])\n"
        "print([name for name in ('torch', 'mlflow', 'ray', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cells finished, each once" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
