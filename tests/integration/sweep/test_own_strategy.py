"""Strategies of the user's own: they choose the configs, cells and ledger stay ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from search import cli, load, resume, run
from search.errors import InputError
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration

AXES = {"x": [1, 2, 3, 4, 5], "kind": ["a", "b"]}


def train(config: Any, train: Any, test: Any, seed: int) -> Any:
    return {"accuracy": config["x"] / 10 + (config["kind"] == "b") / 100 + seed / 1000}


class Descending:
    """Asks for the largest x first, and keeps what it is told."""

    def __init__(self, axes: dict[str, list[Any]]) -> None:
        self.left = sorted(axes["x"], reverse=True)[:3]
        self.told: list[tuple[dict[str, Any], float]] = []

    def ask(self) -> dict[str, Any] | None:
        return {"x": self.left.pop(0), "kind": "b"} if self.left else None

    def tell(self, config: dict[str, Any], score: float) -> None:
        self.told.append((config, score))


Run = Callable[..., Any]


@pytest.fixture
def sweep(
    ledger_uri: str,
    trained: list[Cell],
    tmp_path: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Runs a sweep of the function above; cells train in this process."""
    monkeypatch.chdir(tmp_path)

    def go(strategy: Any, **words: Any) -> Any:
        given = {"axes": AXES, "data": str(reviews), "text": "body", "label": "verdict"}
        return run(
            train,
            **given,
            seeds=[2],
            folds=3,
            strategy=strategy,
            tracking_uri=ledger_uri,
            progress=False,
            **words,
        )

    return go


def test_a_class_with_ask_and_tell_chooses_the_configs(sweep: Run, trained: list[Cell]) -> None:
    result = sweep(Descending, name="own")
    assert [(cell.config["x"], cell.config["kind"]) for cell in trained[::3]] == [
        (5, "b"), (4, "b"), (3, "b"),
    ]  # fmt: skip
    assert len(trained) == 9
    assert result.winner == {"x": 5, "kind": "b"}
    assert result.stopped == "its own strategy suggests nothing more"


def test_each_config_that_is_through_is_told_once_with_its_mean(
    sweep: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[dict[str, Any], float]] = []
    monkeypatch.setattr(
        Descending, "tell", lambda self, config, score: told.append((config, score))
    )
    sweep(Descending, name="own", max_cells=7)
    assert told == [
        ({"x": 5, "kind": "b"}, pytest.approx(0.512)),
        ({"x": 4, "kind": "b"}, pytest.approx(0.412)),
    ]


@pytest.mark.parametrize(
    "sampler",
    [optuna.samplers.TPESampler(seed=1, n_startup_trials=2), optuna.samplers.RandomSampler(seed=1)],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_sampler_of_optunas_goes_through_configs_of_its_choice(
    sweep: Run, trained: list[Cell], sampler: Any
) -> None:
    result = sweep(sampler, name="sampled", max_cells=15)
    configs = {(cell.config["x"], cell.config["kind"]) for cell in trained}
    assert (len(trained), len(configs)) == (15, 5)
    assert result.plan.spec.strategy == "own"


def test_a_searcher_of_ray_tunes_does_the_same(sweep: Run, trained: list[Cell]) -> None:
    from ray.tune.search.optuna import OptunaSearch

    sweep(OptunaSearch(), name="searched", max_cells=12)
    assert len({(cell.config["x"], cell.config["kind"]) for cell in trained}) == 4


def test_a_searcher_that_waits_for_results_goes_on(sweep: Run, trained: list[Cell]) -> None:
    from ray.tune.search import Searcher

    class Waits(Searcher):
        """Three points; then one more when all of them are told, as BayesOptSearch does."""

        def __init__(self) -> None:
            super().__init__()
            self.asked, self.open = 0, set[str]()

        def set_search_properties(self, metric: Any, mode: Any, config: Any, **_: Any) -> bool:
            return True

        def suggest(self, trial_id: str) -> Any:
            if self.asked >= 3 and self.open:
                return None
            if self.asked == 5:
                return Searcher.FINISHED
            self.asked += 1
            self.open.add(trial_id)
            return {"x": self.asked - 1, "kind": "a"}

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            self.open.discard(trial_id)

    result = sweep(Waits(), name="waits")
    assert sorted({cell.config["x"] for cell in trained}) == [1, 2, 3, 4, 5]
    assert result.stopped == "its own strategy suggests nothing more"


def test_a_sweep_is_read_without_its_strategy_and_resumed_with_it(
    sweep: Run, trained: list[Cell], ledger_uri: str
) -> None:
    sweep(Descending, name="own", max_cells=4)
    assert load("own", tracking_uri=ledger_uri).leaderboard()["cells"].tolist() == [3, 1]
    with pytest.raises(InputError, match=r"strategy own is an object of yours: .* resume\("):
        resume("own", tracking_uri=ledger_uri, progress=False)
    unlimited = lambda spec: spec.model_copy(  # noqa: E731
        update={"budget": spec.budget.model_copy(update={"max_cells": 8})}
    )
    result = resume(
        "own", tracking_uri=ledger_uri, progress=False, change=unlimited, strategy=Descending
    )
    assert len(trained) == 8
    assert result.winner == {"x": 5, "kind": "b"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"y": 1}, "suggests 'y'. Did you mean"),
        ({"kind": "c"}, "suggests kind='c'; its values are a, b"),
        (3, "must return a dict of axes and values"),
    ],
)
def test_a_suggestion_that_no_config_has_is_refused(
    sweep: Run, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    monkeypatch.setattr(Descending, "ask", lambda self: answer)
    with pytest.raises(InputError) as refused:
        sweep(Descending, name="own")
    assert said.removesuffix(" Did you mean") in str(refused.value)


def test_what_is_no_strategy_is_refused(sweep: Run) -> None:
    with pytest.raises(InputError, match="an Optuna sampler, a Ray Tune Searcher, or have ask"):
        sweep(3, name="own")


def test_the_command_line_takes_the_strategy_of_the_file(
    ledger_uri: str,
    trained: list[Cell],
    tmp_path: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "import optuna\nSTRATEGY = optuna.samplers.RandomSampler(seed=3)\n"
        "AXES = {'x': [1, 2, 3]}\n\n\ndef train(config, train, test, seed):\n"
        "    return {'accuracy': config['x'] / 10}\n"
    )
    words = ["--data", str(reviews), "--text", "body", "--label", "verdict", "--max-cells", "6"]
    words += ["--seeds", "2", "--folds", "3", "--tracking-uri", ledger_uri, "--json"]
    assert cli.main(["run", "mine.py", "--strategy", "own", *words]) == 0
    assert json.loads(capsys.readouterr().out)["cells_done"] == 6


def test_a_sweep_becomes_a_study_that_optuna_reads(
    sweep: Run, ledger_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("grid", name="whole", max_cells=20)
    file = tmp_path / "study.db"
    words = ["export", "whole", "--optuna", str(file), "--tracking-uri", ledger_uri]
    assert cli.main(words) == 0
    study = optuna.load_study(study_name="whole", storage=f"sqlite:///{file}")
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
    assert (len(complete), len(pruned)) == (6, 1)
    assert study.metric_names == ["accuracy"]
    best = study.best_trial
    assert best.value == pytest.approx(
        best.params["x"] / 10 + (best.params["kind"] == "b") / 100 + 0.002
    )
    assert sorted(best.intermediate_values) == [0, 1, 2]
    assert best.user_attrs["cells"] == 3
    capsys.readouterr()
    assert cli.main(words) == 2
    assert "has a study 'whole' already" in capsys.readouterr().err
