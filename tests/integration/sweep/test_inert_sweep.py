"""A plugin trainable with a field that does nothing, through the command line, Ray and MLflow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration

PLUGIN = Path(__file__).parents[1] / "bag.py"


def test_a_parameter_that_does_nothing_is_named_while_the_sweep_runs(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    options = [
        *("bag", "--plugin", str(PLUGIN), "--data", str(reviews), "--text", "body"),
        *("--label", "verdict", "--model", str(tiny_encoder), "--seeds", "2", "--folds", "3"),
        *("--strategy", "grid", "--json"),
    ]
    # The ledger has the one colour's cells before the other's are trained: both are compared.
    first, quiet = shell.run("run", *options, "--set", "colour=red", "--name", "red")
    assert json.loads(first)["inert_suspects"] == []
    assert "byte-identical" not in quiet
    out, err = shell.run("run", *options, "--name", "both")
    document, err = json.loads(out), " ".join(err.split())
    (suspect,) = document["inert_suspects"]
    assert suspect["parameter"] == "colour"
    assert sorted(suspect["values"]) == ["blue", "red"]
    assert suspect["seed"] == 2
    assert document["cells_reused"] == 9
    assert err.count("byte-identical") == 1, "once per parameter"
    assert "colour never reached the training, or is inert there" in err
    assert str(PLUGIN) in err
    board = shell.json("leaderboard", "both")
    assert board["inert_suspects"] == document["inert_suspects"]
    assert board["winner"] == document["winner"]
    assert board["winner"]["corrected_by"] == "bbc-cv"
