"""A ledger written by older code: the same means, nothing trained anew, its spool delivered.

The archive was made when every module lay flat in `search/`: sweep `old` is finished; sweep `cut`
was killed while its database was locked, so that its two own cells are in the spool alone.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from search.process import own_code
from search.spec.sweep_spec import SweepSpec
from search.tracking.open import open_ledger
from tests.integration.sweep_shell import Shell
from trainables.engine.contract import Task

pytestmark = pytest.mark.integration

ARCHIVE = Path(__file__).parent / "old" / "ledger_before_the_move.zip"
# What the archive's code was known by.
CODE = "4d7f071680d9c1d3"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The archive in a folder, every path in it that folder's."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for path in (file for file in tmp_path.rglob("*") if file.suffix in {".json", ".sql"}):
        path.write_bytes(path.read_bytes().replace(b"FOLDER", str(tmp_path).encode()))
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.executescript((tmp_path / "mlflow.sql").read_text(encoding="utf-8"))
    # Where that code kept the results of this database that MLflow does not have yet.
    identity = json.dumps([f"sqlite:///{tmp_path}/mlflow.db", "foldrace"]).encode()
    spool = tmp_path / ".foldrace" / "spool" / hashlib.sha256(identity).hexdigest()[:16]
    spool.mkdir(parents=True)
    shutil.move(tmp_path / "spool", spool / "1-dead")
    return Shell(tmp_path, tmp_path / "model", tmp_path / "reviews.csv")


def expected(shell: Shell) -> dict[str, Any]:
    """The archive's leaderboard, as the code that wrote it printed it."""
    document: dict[str, Any] = json.loads((shell.folder / "leaderboard.json").read_text("utf-8"))
    return document


def test_the_leaderboard_is_the_one_that_was_printed_then(shell: Shell) -> None:
    now, then = shell.json("leaderboard", "old"), expected(shell)
    assert len(then["configs"]) == 3
    # Fields that are new since then are there, and empty.
    assert now.pop("off_grid") == {}
    assert now.pop("prior") == []
    for row in [*now["configs"], now["winner"]]:
        assert row.pop("metrics", {}) == {}
    # The bootstrap's interval is of the rows it leaves out alone since then: narrower.
    for end, nearer in (("corrected_low", max), ("corrected_high", min)):
        was, moved = then["winner"].pop(end), now["winner"].pop(end)
        assert moved == nearer(was, moved)
    assert now == then


def test_a_finished_sweep_is_resumed_without_training(shell: Shell) -> None:
    before = shell.table()
    out, err = shell.run("resume", "old", "--json")
    rows = json.loads(out)["configs"]
    assert all(row.pop("metrics") == {} for row in rows), "a field that is new since then"
    assert rows == expected(shell)["configs"]
    after = shell.table()  # with two cells of the other sweep, from the spool
    assert len(after) == len(before) + 2
    assert {key: after[key] for key in before} == before
    # Our own code is in no key: cells of other code are taken over, and a line says so.
    assert own_code.numbers() != CODE
    assert "Note: 12 of these cells were trained by other code than this" in err
    assert f"12 by {CODE}" in err


def test_the_cells_of_its_spool_are_delivered_and_not_trained_anew(shell: Shell) -> None:
    spool = shell.folder / ".foldrace" / "spool"
    waiting = [json.loads(file.read_bytes()) for file in spool.rglob("*.json")]
    before = set(shell.cell_keys())
    document = shell.json("resume", "cut")
    assert document["cells_done"] == document["cells_planned"] == 4
    assert set(shell.table()) == before | {payload["tags"]["cell_key"] for payload in waiting}
    assert len(waiting) == len(shell.table()) - len(before) == 2
    scores = [payload["result"]["metrics"]["accuracy"] for payload in waiting]
    (start,) = (row["mean"] for row in document["configs"] if row["name"] == "start")
    assert start == pytest.approx(sum(scores) / 2)
    assert not list(spool.rglob("*.json"))


@pytest.mark.parametrize("sweep", ["old", "cut"])
def test_its_specifications_are_read_and_written_as_they_were(shell: Shell, sweep: str) -> None:
    with open_ledger(f"sqlite:///{shell.folder}/mlflow.db", "foldrace") as ledger:
        saved = ledger.find_sweep(sweep).spec_json
    spec, task = SweepSpec.model_validate(saved["spec"]), Task.from_json(saved["task"])
    dumped = spec.model_dump(mode="json")
    assert dumped["resources"].pop("epoch_scores") == "each", "a field that is new since then"
    assert dumped == saved["spec"]
    assert json.loads(json.dumps(task.to_json())) == saved["task"]
