"""Cells of other code are never taken over in silence: a plugin is in the key, ours gets a line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from search.process import own_code
from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration

CLEANING = '''"""A cleaning step of my own."""

def CLEANING(text):
    return text.strip()
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plugin") / "own_cleaning.py"
    file.write_text(CLEANING)
    return file


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path, plugin: Path
) -> Shell:
    """A sweep of two cells, with a plugin."""
    shell = Shell(tmp_path_factory.mktemp("trained"), tiny_encoder, reviews)
    shell.sweep = [
        *("smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"),
        *("--model", str(tiny_encoder), "--seeds", "2", "--folds", "2", "--strategy", "grid"),
        *("--configs", "reference", "--plugin", str(plugin), "--max-cells", "2"),
    ]
    shell.run("run", *shell.sweep, "--name", "first")
    return shell


def test_each_cell_and_its_sweep_hold_the_digest_of_the_code_that_ran(trained: Shell) -> None:
    runs = [*trained.runs("cells"), *trained.runs("sweeps", finished=False)]
    assert len(runs) == 3
    assert {run.data.tags["code"] for run in runs} == {own_code.numbers()}


def test_the_same_code_is_taken_over_without_a_word(trained: Shell, plugin: Path) -> None:
    plugin.write_text(CLEANING.replace("own.", "own, described anew."))
    out, err = trained.run("run", *trained.sweep, "--name", "again")
    assert "2 of the sweep's cells are in the ledger" in err
    assert "other code" not in out + err
    plugin.write_text(CLEANING)


def test_cells_of_other_code_are_taken_over_with_a_line(trained: Shell) -> None:
    with closing(sqlite3.connect(trained.folder / "mlflow.db")) as database, database:
        database.execute("UPDATE tags SET value = 'abc' WHERE key = 'code'")
    _, err = trained.run("run", *trained.sweep, "--name", "other")
    assert "2 of these cells were trained by other code than this" in err.replace("\n", " ")
    assert "2 by abc" in err.replace("\n", " ")


def test_a_plugin_that_was_changed_trains_anew_and_cannot_be_resumed(
    trained: Shell, plugin: Path
) -> None:
    plugin.write_text(CLEANING.replace("return ", "return 2 * "))
    _, err = trained.run("resume", "first", code=2)
    assert f"{plugin} changed since sweep 'first' started" in err
    document = trained.json("run", *trained.sweep, "--name", "changed")
    assert document["cells_reused"] == 0
    assert document["cells_done"] == 2
    plugin.write_text(CLEANING)
