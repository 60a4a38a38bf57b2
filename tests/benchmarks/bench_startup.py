"""What a command costs before it does anything: CPU seconds of a process of its own.

CPU seconds, not the clock: what else the machine does is left out, and children count.
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search.tracking.open import connect
from tests.integration.drawn_sweep import draw, spec_of

ROOT = Path(__file__).parents[2]
TRIES = 3
_SCRIPT = "import sys; from search.cli import main; sys.exit(main(sys.argv[1:]))"
# All that a driver has imported when its first cell starts, and a worker when it has its model.
_DRIVER = """
import search.commands.run, search.spec.arguments, search.planning.plan, search.console.output
import search.console.live, search.sweep.run, search.execution.tuner, search.tracking.client
import trainables.triple_entropy, trainables.engine.splits.audit, trainables.engine.cells.assembly
"""
_WORKER = (
    "import search.execution.trial, trainables.engine.cells.runner, "
    "trainables.engine.training.checkpoint"
)
_TUNES = f"{_WORKER}, trainables.triple_entropy\nfrom transformers import BertModel"
_HEADS = f"{_WORKER}, trainables.projection"


def cpu_seconds(folder: Path, code: str, *words: str, fails: bool = False) -> float:
    """The least CPU seconds of a few tries, the first of which warms the disk's cache."""
    took = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (done.returncode == 2) is fails, done.stderr
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a schedule, and a ledger of a drawn sweep."""
    place = tmp_path_factory.mktemp("startup")
    with (place / "rumor.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows([f"a rumour, number {number}", number % 2] for number in range(420))
    (place / "sweeps.toml").write_text(
        '[[sweep]]\nname = "nightly"\ncron = "0 2 29 2 *"\n'
        'run = "softtriple --data rumor.csv --model minilm"\n'
    )
    uri = f"sqlite:///{place}/mlflow.db"
    # The paper's whole grid, of which few cells are there: 29,406 keys to compare.
    drawn = {"experiment": "foldrace", "set_axes": {}, "strategy": "random"}
    with connect(uri, "foldrace", place / ".foldrace" / "spool") as ledger:
        spec = spec_of(uri, **drawn, budget={"max_cells": 300})
        draw(ledger, spec, lambda config: 0.8, rows=600, noise=0.002)
    return place


COMMANDS = {
    "--help": (["--help"], False, 0.3),
    "a misspelt space": (["run", "softriple", "--data", "rumor.csv", "--model", "m"], True, 1.5),
    "a misspelt option": (["run", "softtriple", "--dat", "rumor.csv", "--modl", "m"], True, 1.5),
    "a missing column": (
        ["run", "softtriple", "--data", "rumor.csv", "--text", "body", "--model", "minilm"],
        True,
        2.0,
    ),
    "leaderboard": (["leaderboard", "latest"], False, 2.0),
    "an idle tick": (["schedule", "sweeps.toml", "--once"], False, 1.0),
    "spaces softtriple": (["spaces", "softtriple"], False, 1.0),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_trains_nothing(
    name: str, folder: Path, record: Callable[..., None]
) -> None:
    words, fails, most = COMMANDS[name]
    seconds = cpu_seconds(folder, _SCRIPT, *words, fails=fails)
    print(f"\n{name}: {seconds:.2f} s")
    record(f"start-up, {name}", "CPU of the whole command", seconds, unit="s", at_most=most)


@pytest.mark.parametrize(
    ("name", "code", "most"),
    [
        ("a driver", _DRIVER, 6.5),
        ("a worker that trains heads", _HEADS, 6.5),
        ("a worker that tunes an encoder", _TUNES, None),
    ],
)
def test_imports_before_the_first_cell(
    name: str, code: str, most: float | None, folder: Path, record: Callable[..., None]
) -> None:
    seconds = cpu_seconds(folder, code)
    print(f"\n{name}: {seconds:.2f} s")
    record(f"imports, {name}", "CPU before the first cell", seconds, unit="s", at_most=most)
