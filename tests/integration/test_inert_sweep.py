"""A plugin trainable with a field that does nothing, through the command line, Ray and MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("bag.py")


def _foldrace(folder: Path, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "search.cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, " ".join(done.stderr.split())


@pytest.mark.timeout(900)  # two starts of Ray, on a machine that others share
def test_a_parameter_that_does_nothing_is_named_while_the_sweep_runs(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    options = [
        *("bag", "--plugin", str(PLUGIN), "--data", str(reviews), "--text", "body"),
        *("--label", "verdict", "--model", str(tiny_encoder), "--seeds", "2", "--folds", "3"),
        *("--strategy", "grid", "--json"),
    ]
    # The ledger has the one colour's cells before the other's are trained: both are compared.
    first, quiet = _foldrace(tmp_path, "run", *options, "--set", "colour=red", "--name", "red")
    assert json.loads(first)["inert_suspects"] == []
    assert "Warning" not in quiet
    out, err = _foldrace(tmp_path, "run", *options, "--name", "both")
    document = json.loads(out)
    (suspect,) = document["inert_suspects"]
    assert suspect["parameter"] == "colour"
    assert sorted(suspect["values"]) == ["blue", "red"]
    assert suspect["seed"] == 2
    assert document["cells_reused"] == 9
    assert err.count("byte-identical") == 1, "once per parameter"
    assert "colour never reached the training, or is inert there" in err
    assert str(PLUGIN) in err
    board = json.loads(_foldrace(tmp_path, "leaderboard", "both", "--json")[0])
    assert board["inert_suspects"] == document["inert_suspects"]
    assert board["winner"] == document["winner"]
    assert board["winner"]["corrected_by"] == "bbc-cv"
