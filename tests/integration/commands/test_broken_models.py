"""Broken model folders through the commands: refused by name, before anything is trained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from search import cli
from search.planning.plan import Plan
from search.sweep import train_sweep
from tests.broken_models import catalogue
from trainables.engine.cells import runner
from trainables.engine.models import pretrained

KEPT = (
    pretrained.locate,
    pretrained.model_fingerprint,
    pretrained.load_tokenizer,
    pretrained.load_encoder,
    pretrained.load_towers,
)


def _forget() -> None:
    """Forget what this process knows of folders: their contents change under it."""
    for kept in KEPT:
        kept.cache_clear()


def _train(plan: Plan, source: Any, handler: Any, sweep_id: str, callback: Any) -> bool:
    """Train cells in this process, one by one."""
    while not source.done:
        for pair in source.ask(1):
            report = partial(lambda result, pair: handler.results([(pair, result)]), pair=pair)
            runner.train_cells(plan.task, [plan.cell(pair)], report)
    return True


@pytest.fixture(scope="module")
def options(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> Iterator[list[str]]:
    """Options of a sweep called `sound`, which is in the ledger, of a model in ./model."""
    folder = tmp_path_factory.mktemp("work")
    model = catalogue.copy_of(tiny_encoder, folder / "model")
    words = ["smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"]
    words += ["--model", str(model), "--seeds", "2", "--folds", "2", "--strategy", "grid"]
    words += ["--set", "scale=3.3", "--set", "k=2", "--fix", "epochs=1", "--fix", "pooling=mean"]
    words += ["--fix", "max_length=512"]  # of 64 positions
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(train_sweep, "train_cells", _train)
        assert cli.main(["run", *words, "--name", "sound"]) == 0
        patch.setattr(train_sweep, "train_cells", _never)
        yield words


def _never(*_: Any) -> bool:
    pytest.fail("a broken model was trained")


@pytest.mark.parametrize("name", catalogue.BREAKS)
def test_each_command_refuses_it(
    name: str,
    options: list[str],
    tiny_encoder: Path,
    reviews: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = catalogue.BREAKS[name](catalogue.copy_of(tiny_encoder, Path("model")))
    predict = ["predict", "sound", "--data", str(reviews), "--json"]
    for words in (["plan", *options], ["run", *options, "--name", "broken"], predict):
        _forget()
        capsys.readouterr()
        code = cli.main(words)
        out, err = capsys.readouterr()
        assert code == 2, err
        assert out == ""
        refusals = [line for line in err.splitlines() if line.startswith(f"foldrace {words[0]}: ")]
        assert len(refusals) == 1, err
        assert re.search(expected, refusals[0]), err
        assert refusals[0].endswith(".")
        assert "Traceback" not in err


@pytest.mark.parametrize("name", catalogue.SOUND)
def test_what_is_no_fault_is_planned(
    name: str, options: list[str], tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue.SOUND[name](catalogue.copy_of(tiny_encoder, Path("model")))
    _forget()
    assert cli.main(["plan", *options]) == 0, capsys.readouterr().err


def test_a_network_with_code_of_its_own_predicts_json_alone(
    options: list[str], tiny_encoder: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue.copy_of(tiny_encoder, Path("model"))
    _forget()
    for _ in range(2):  # trained for it, then read from the registry
        capsys.readouterr()
        assert cli.main(["predict", "sound", "--data", str(reviews), "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["rows"] == 120
        assert "code" not in err
    assert (Path("champion-sound") / "modeling.py").is_file()


@pytest.mark.parametrize("space", ["smoke", "projection"])
def test_texts_are_cut_at_the_positions_of_the_model(
    space: str, options: list[str], tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue.copy_of(tiny_encoder, Path("model"))
    _forget()
    with Path("long.csv").open("w", encoding="utf-8") as file:
        file.write("body,verdict\n")
        file.writelines(f"{'the film was good ' * 200}{n},{'xy'[n % 2]}\n" for n in range(12))
    words = ["--data", "long.csv", "--text", "body", "--label", "verdict", "--model", "model"]
    words += ["--seeds", "2", "--folds", "2", "--fix", "max_length=512"]
    assert cli.main(["plan", space, *words]) == 0, capsys.readouterr().err
    assert cli.main(["predict", "sound", "--data", "long.csv", "--label", "verdict"]) == 0
    assert cli.main(["explain", "sound", "--data", "long.csv"]) == 0
