"""A mistake in the code, in the driver or in a worker, reaches the user as what it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration

BAG = (Path(__file__).parents[1] / "bag.py").read_text(encoding="utf-8")
PLANTED = """
import sys

from trainables.engine.cells import runner


def broken(task):
    raise ValueError("operands could not be broadcast together")


if sys.argv[0].endswith("default_worker.py") is WORKER:
    runner.checked_data = runner.load_data = broken
    from trainables.engine.datasets import load

    load.load_data = broken
"""


def run(worker: bool, tmp_path: Path, encoder: Path, reviews: Path) -> tuple[int, str]:
    """Exit code and stderr of a sweep whose data cannot be read for a mistake in the code."""
    plugin = tmp_path / "bag.py"
    plugin.write_text(BAG + PLANTED.replace("WORKER", str(worker)))
    words = ["run", "bag", "--data", str(reviews), "--text", "body", "--label", "verdict"]
    words += ["--model", str(encoder), "--seeds", "2", "--holdout", "0.3", "--cell-retries", "1"]
    words += ["--plugin", str(plugin), "--set", "colour=red", "--set", "learning_rate=0.01"]
    process = Shell(tmp_path, encoder, reviews).start(*words)
    _, err = process.communicate(timeout=600)
    return process.returncode, err


def test_of_a_driver_it_is_a_traceback(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> None:
    code, err = run(False, tmp_path, tiny_encoder, reviews)
    assert code == 1
    assert "Traceback (most recent call last)" in err
    assert err.endswith("ValueError: operands could not be broadcast together\n")
    assert "foldrace run:" not in err


def test_of_a_worker_it_fails_the_cells_and_its_place_is_told(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    code, err = run(True, tmp_path, tiny_encoder, reviews)
    assert code == 1, err
    last = err.strip().splitlines()[-1]
    assert last.startswith("foldrace run: No cell was finished. its worker ended 2 times")
    assert "ValueError: operands could not be broadcast together" in last
    assert "bag.py" in last
    assert "in broken" in last


def test_rays_list_of_causes_is_put_in_short(tmp_path: Path) -> None:
    from search.execution import tuner

    file = tmp_path / "error.txt"
    file.write_text(
        "The actor is dead because its worker process has died. End of file. Some common causes "
        "include: (1) the process was killed by the OOM killer, (2) ray stop --force was called."
    )
    said = tuner._end_of_traceback(SimpleNamespace(error_file=str(file)))
    assert said == (
        "The actor is dead because its worker process has died. End of file. The system often ends "
        "a process so when memory is short."
    )
