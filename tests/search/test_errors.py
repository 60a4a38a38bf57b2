"""One tree of errors: its classes in two files, and a mistake in the code is never bad input."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from search import cli, errors
from search.errors import FoldraceError, InputError
from trainables.engine import errors as lower

ROOT = Path(__file__).parents[2]
HOMES = {"search/errors.py": errors, "trainables/engine/errors.py": lower}
CLASSES = sorted(
    {
        found
        for module in HOMES.values()
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
    },
    key=lambda found: found.__name__,
)


def declared(path: Path) -> set[str]:
    """Public error classes that a file declares."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and node.name.endswith("Error")
        and not node.name.startswith("_")
    }


def test_two_files_declare_every_error() -> None:
    homes = {
        path.relative_to(ROOT).as_posix(): names
        for package in ("search", "spaces", "trainables")
        for path in (ROOT / package).rglob("*.py")
        if (names := declared(path))
    }
    assert set(homes) == set(HOMES)
    assert set().union(*homes.values()) == {found.__name__ for found in CLASSES}
    assert len(CLASSES) > 15


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_is_no_mistake_of_the_code(error: type[FoldraceError]) -> None:
    assert issubclass(error, FoldraceError)
    assert not issubclass(error, ValueError | RuntimeError | OSError | ArithmeticError)
    assert error.exit_code == (2 if issubclass(error, InputError) else 1)


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_crosses_processes(error: type[FoldraceError]) -> None:
    arrived = pickle.loads(pickle.dumps(error("what to do")))
    assert type(arrived) is error
    assert str(arrived) == "what to do"


@pytest.mark.parametrize("name", errors.__all__)
def test_the_public_errors_are_in_one_place(name: str) -> None:
    assert getattr(errors, name) in CLASSES


# Each stage of `foldrace plan`, by a function that it calls.
STAGES = {
    "names": "trainables.engine.datasets.load.check_names",
    "space": "spaces.schema.space.Space.grid",
    "configs": "trainables.engine.config.TrainingConfig.rules",
    "cache": "trainables.engine.cache.cache_folder",
    "data": "trainables.engine.datasets.load.load_data",
    "columns": "trainables.engine.datasets.columns.looks_numeric",
    "rows": "trainables.engine.datasets.columns.assemble",
    "folds": "trainables.engine.splits.folds.held_out",
    "model": "trainables.engine.models.pretrained.resolve_model",
    "weights": "trainables.engine.models.pretrained.model_fingerprint",
    "config and model": "trainables.engine.cells.checks.check_blocks",
    "config and data": "trainables.engine.cells.checks.check",
    "audit": "trainables.engine.splits.audit.audit",
    "known cells": "search.tracking.open.sqlite_file",
    "module": "trainables.engine.cells.assembly.module",
    "steps": "trainables.engine.cells.runner.measure",
    "price": "search.planning.cost.estimate.document",
}


@pytest.fixture
def plan(
    tmp_path: Path, tiny_encoder: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Runs `foldrace plan smoke` on data that this process has not read before."""
    monkeypatch.chdir(tmp_path)
    words = ["--data", str(shutil.copy(reviews, tmp_path)), "--text", "body", "--label", "verdict"]
    words += ["--model", str(tiny_encoder), "--folds", "2", "--seeds", "2", "--json"]

    def go(*more: str, space: str = "smoke") -> int:
        return cli.main(["plan", space, *words, *more])

    return go


def plant(target: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a function raise a plain ValueError; gives the calls that it got."""
    met: list[str] = []

    def planted(*args: Any, **named: Any) -> NoReturn:
        met.append(target)
        raise ValueError("operands could not be broadcast together")

    module, _, name = target.rpartition(".")
    try:
        owner: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        module, _, inner = module.rpartition(".")
        owner = getattr(importlib.import_module(module), inner)
    monkeypatch.setattr(owner, name, planted)
    return met


@pytest.mark.parametrize("stage", STAGES)
def test_a_mistake_in_the_code_is_a_traceback_and_never_bad_input(
    stage: str,
    plan: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    met = plant(STAGES[stage], monkeypatch)
    with pytest.raises(ValueError, match="broadcast together") as raised:
        plan()
    assert met
    assert type(raised.value) is ValueError
    assert "foldrace plan:" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model.safetensors", "is cut off or damaged"),
        ("tokenizer.json", "has a tokenizer that cannot be read"),
        ("config.json", "is no sound JSON"),
    ],
)
def test_a_damaged_model_is_bad_input(
    file: str,
    message: str,
    plan: Callable[..., int],
    tiny_encoder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = shutil.copytree(tiny_encoder, tmp_path / "model")
    (model / file).write_text("{")
    assert plan("--model", str(model)) == 2
    assert message in capsys.readouterr().err


PLUGIN = """
from dataclasses import dataclass, replace

from spaces.smoke import SPACE as SMOKE
from trainables.triple_entropy import Config as Base
from trainables.triple_entropy import VERSION, build

SPACE = replace(SMOKE, name="mine", trainable="mine")

@dataclass(frozen=True, kw_only=True)
class Config(Base):
    def rules(self):
        %s
        return super().rules()

def check_data(config, data):
    %s
"""


@pytest.mark.parametrize(
    ("rule", "check"),
    [
        ("raise ValueError('k and gamma do not go together')", "return"),
        ("pass", "raise ValueError('k and gamma do not go together')"),
    ],
    ids=["config", "data"],
)
def test_a_plugin_may_refuse_by_a_plain_value_error(
    rule: str,
    check: str,
    plan: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN % (rule, check))
    assert plan("--plugin", "mine.py", space="mine") == 2
    err = capsys.readouterr().err
    assert "Plugin mine.py" in err
    assert "k and gamma do not go together" in err
