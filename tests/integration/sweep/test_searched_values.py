"""Fixed values searched as axes, and a range: trained, kept and shown as any axis is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search import cli
from search.tracking.open import connect
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration

Run = Callable[..., str]


@pytest.fixture
def run(
    tmp_path: Path,
    tiny_encoder: Path,
    reviews: Path,
    ledger_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ledger_uri)
    data = ("--data", str(reviews), "--text", "body", "--label", "verdict")
    search = (*data, "--model", str(tiny_encoder), "--seeds", "2", "--folds", "2")

    def foldrace(*words: str) -> str:
        capsys.readouterr()
        code = cli.main([*words, *(search if words[0] in ("run", "plan") else ())])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        return shown.out

    return foldrace


ONE = ("--set", "k=2", "--set", "scale=3.3", "--set", "beta=0.5")


def test_fixed_values_are_searched_as_axes(run: Run, trained: list[Cell], tmp_path: Path) -> None:
    both = ("--set", "epochs=1,2", "--set", "batch_size=16,8", "--strategy", "grid")
    document = json.loads(
        run("run", "smoke", *ONE, *both, "--name", "wide", "--report", "out", "--json")
    )
    assert document["off_grid"] == {"epochs": "2", "batch_size": "8"}
    grid = {
        (row["config"]["epochs"], row["config"]["batch_size"]): row["label"]
        for row in document["configs"]
        if row["name"] is None
    }
    assert grid == {
        (epochs, batch): f"batch_size={batch} epochs={epochs}"
        for epochs in (1, 2)
        for batch in (8, 16)
    }
    # The paper's baseline keeps the paper's own values.
    (baseline,) = (row for row in document["configs"] if row["name"] == "cross-entropy")
    assert baseline["config"] == {"beta": 1.0, "epochs": 1, "batch_size": 16}
    assert sorted((c.config["epochs"], c.config["batch_size"]) for c in trained) == sorted(
        2 * [(1, 8), (1, 16), (2, 8), (2, 16), (1, 16)]
    )

    board = run("leaderboard", "wide")
    assert " ".join(board.split()).count("Off the paper's grid: batch_size 8; epochs 2.") == 1
    assert "all with k=2 scale=3.3 beta=0.5" in " ".join(board.split())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("the paper&#39;s grid") == 1
    marks = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "| epochs |" in marks
    assert "| batch_size |" in marks
    assert (tmp_path / "out" / "axis-effects.svg").exists()
    with connect(f"sqlite:///{tmp_path}/mlflow.db", "foldrace", tmp_path / "spool") as ledger:
        cells = ledger.known_cells(ledger.find_sweep("wide").tags["family"])
        assert {(cell.params["epochs"], cell.params["batch_size"]) for cell in cells.values()} == {
            (epochs, batch) for epochs in ("1", "2") for batch in ("8", "16")
        }

    # The point of the paper is the same cell, however the sweep came to it.
    narrow = json.loads(run("run", "smoke", *ONE, "--strategy", "grid", "--json"))
    assert (narrow["cells_done"], narrow["cells_reused"]) == (4, 4)
    assert narrow["off_grid"] == {}


def test_a_range_is_sampled(run: Run, trained: list[Cell]) -> None:
    words = ("--set", "learning_rate=1e-4..1e-2:log", "--strategy", "tpe", "--max-cells", "10")
    planned = json.loads(run("plan", "smoke", *ONE, *words, "--json"))
    assert planned["configs"] == 34
    assert planned["off_grid"] == {"learning_rate": "0.0001..0.01:log"}
    document: dict[str, Any] = json.loads(run("run", "smoke", *ONE, *words, "--json"))
    rates = {row["config"]["learning_rate"] for row in document["configs"]}
    assert len(rates) >= 4
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert len(trained) == 10
    assert json.loads(run("leaderboard", "latest", "--json"))["configs"] == document["configs"]
