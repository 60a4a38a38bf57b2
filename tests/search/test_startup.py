"""What answers at once imports nothing that takes its time; bench_startup.py has the seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "accelerate", "datasets", "ray", "mlflow", "pandas", "sklearn")
_CODE = """
import sys
from search.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as usage:
    code = usage.code
print("imported:", *[name for name in {heavy!r} if name in sys.modules])
sys.exit(code)
"""


def imports(folder: Path, *words: str) -> tuple[int, set[str], str]:
    """Exit code of a command, the heavy modules that it imported, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(heavy=HEAVY), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1]
    assert last.startswith("imported:"), done.stderr
    return done.returncode, set(last.split()[1:]), done.stderr


@pytest.fixture
def words(reviews: Path, tiny_encoder: Path) -> list[str]:
    data = ["--data", str(reviews), "--text", "body", "--label", "verdict"]
    return ["softtriple", *data, "--model", str(tiny_encoder)]


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("softtriple", "softriple", "Did you mean 'softtriple'"),
        ("body", "bdy", "Did you mean 'body'"),
        ("--label", "--lable", "--label"),
        ("--model", "--fix=learning_rat=1", "learning_rate"),
    ],
    ids=["space", "column", "option", "fixed value"],
)
def test_a_typo_costs_no_import(
    command: str, old: str, new: str, said: str, words: list[str], tmp_path: Path
) -> None:
    typed = [new if word == old else word for word in words]
    if old == "--model":
        typed = [*words, new]
    code, heavy, err = imports(tmp_path, command, *typed)
    assert (code, heavy) == (2, set()), err
    assert said in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["leaderboard", "latest"], ["explain", "latest"], ["predict", "latest"]]
)
def test_a_ledger_that_is_not_there_costs_no_import_and_is_not_made(
    command: list[str], tmp_path: Path, reviews: Path
) -> None:
    more = ["--data", str(reviews)] if command[0] == "predict" else []
    code, heavy, err = imports(tmp_path, *command, *more)
    assert (code, heavy) == (2, set()), err
    assert "No sweep in sqlite:///mlflow.db" in err
    assert list(tmp_path.iterdir()) == []


def test_a_schedule_with_nothing_due_costs_no_import(tmp_path: Path, words: list[str]) -> None:
    run = " ".join(words)
    (tmp_path / "s.toml").write_text(f'[[sweep]]\nname = "a"\ncron = "0 2 29 2 *"\nrun = "{run}"\n')
    for _ in range(2):
        code, heavy, err = imports(tmp_path, "schedule", "s.toml", "--once")
        assert (code, heavy) == (0, set()), err
        assert "waits" in err
    assert not (tmp_path / "mlflow.db").exists()


def test_a_worker_that_trains_heads_imports_no_model() -> None:
    code = (
        "import sys, trainables.engine.cells.runner\n"
        "import trainables.projection, trainables.triple_entropy\n"
        "print('transformers.modeling_utils' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
