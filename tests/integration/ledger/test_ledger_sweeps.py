"""Sweeps and their configs in a real MLflow, and passwords nowhere."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from search.errors import LedgerError
from search.results.score_matrix import ScoreMatrix, tell_known
from search.sweep import results_handler
from search.sweep.callback import Callback
from search.sweep.ranking import ranked
from search.sweep.results_handler import ResultHandler
from tests.factories import plan_of
from tests.integration.drawn_sweep import draw, spec_of
from tests.integration.ledger_cells import (
    CONFIG,
    FAMILY,
    TAGS,
    Opener,
    record,
    runs_of,
)
from trainables.engine.errors import InputError

pytestmark = pytest.mark.integration


def test_a_sweeps_view_is_one_that_mlflows_page_opens(open_ledger: Opener, ledger_uri: str) -> None:
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {"space": "smoke"})
    for _ in range(2):
        ledger.keep_view(sweep, ["k", "beta"])
    found = MlflowClient(ledger_uri).get_experiment_by_name("test")
    assert found is not None
    view = json.loads(found.tags[f"mlflow.sharedViewState.{sweep}"])
    assert view["searchFilter"] == f"tags.sweep = '{sweep}'"
    shown = {"metrics.`mean`", "metrics.`cells`", "metrics.`gain`", "metrics.`p_best`"}
    assert shown | {"params.`beta`"} <= set(view["selectedColumns"])
    assert not view["orderByAsc"]


def test_the_view_of_a_loss_has_the_least_first(open_ledger: Opener, ledger_uri: str) -> None:
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {"space": "smoke"})
    ledger.keep_view(sweep, ["k"], least_first=True)
    found = MlflowClient(ledger_uri).get_experiment_by_name("test")
    assert found is not None
    assert json.loads(found.tags[f"mlflow.sharedViewState.{sweep}"])["orderByAsc"]


def test_a_config_shows_its_curve_and_latest_state(open_ledger: Opener, ledger_uri: str) -> None:
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {"space": "smoke"})
    scores = [0.5, 0.7, 0.6, 0.8]
    for count in range(1, 5):
        ledger.record_config(
            sweep,
            "k=10",
            params=CONFIG,
            scores=scores[:count],
            seconds=2.0 * count,
            tags=TAGS,
            interval=(0.4, 0.9),
            note=f"{count} of 4 cells",
        )
    assert ledger.flush(30)
    (run,) = runs_of(ledger_uri, "test")
    assert run.info.run_name == "k=10"
    assert run.info.status == "RUNNING"
    assert run.data.tags["sweep"] == sweep
    assert run.data.tags["mlflow.note.content"] == "4 of 4 cells"
    assert run.data.params["k"] == "10"
    client = MlflowClient(ledger_uri)
    curve = client.get_metric_history(run.info.run_id, "mean")
    assert {m.step: round(m.value, 6) for m in curve} == {1: 0.5, 2: 0.6, 3: 0.6, 4: 0.65}
    metrics = dict(run.data.metrics)
    assert metrics.pop("std") == pytest.approx(np.std(scores, ddof=1))
    assert metrics == pytest.approx(
        {"mean": 0.65, "cells": 4, "seconds": 8, "ci_low": 0.4, "ci_high": 0.9}
    )


def test_a_sweep_catches_up_with_the_configs_that_lack_cells_alone(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(ledger_uri, name="mine")
    sweep = draw(open_ledger(), spec, lambda config: 0.7)
    ledger, plan = open_ledger(), plan_of(spec)
    table = ScoreMatrix.empty(plan)
    tell_known(plan, ledger.cells(plan.family, ["accuracy"]), table, lambda *_: None)
    cells = len(plan.blocks)
    assert ledger.config_metrics(sweep, ["cells"]) == {
        plan.labels.whole(config): {"cells": cells} for config in range(len(plan.configs))
    }
    (behind,) = runs_of(ledger_uri, "test", run_name=plan.labels.short[1])
    MlflowClient(ledger_uri).log_metric(behind.info.run_id, "cells", 3, step=cells)
    caught_up: list[str] = []
    monkeypatch.setattr(ledger, "record_config", lambda *given, **_: caught_up.append(given[1]))
    ResultHandler(plan, table, ledger, sweep, lambda *_: None, Callback()).catch_up()
    assert caught_up == [plan.labels.whole(1)]


def test_gain_and_p_best_of_the_leaders_come_with_the_sweeps_end(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(ledger_uri, name="mine")
    sweep = draw(
        open_ledger(), spec, lambda config: 0.7 + config["k"] / 1e3 + config["scale"] / 1e2
    )
    ledger, plan = open_ledger(), plan_of(spec)
    table = ScoreMatrix.empty(plan)
    tell_known(plan, ledger.cells(plan.family, ["accuracy"]), table, lambda *_: None)
    standings = ranked(plan, table, ledger, sweep)
    monkeypatch.setattr(results_handler, "_MOST_LEADERS", 2)
    handler = ResultHandler(plan, table, ledger, sweep, lambda *_: None, Callback())
    handler.show(standings)
    assert ledger.flush(30)
    first, second, third = standings.rows[:3]
    chances = ledger.config_metrics(sweep, ["p_best"])
    assert {config for config, metrics in chances.items() if metrics} == {
        plan.labels.whole(row.config) for row in (first, second)
    }
    assert chances[plan.labels.whole(first.config)]["p_best"] == pytest.approx(first.p_best)
    # The next end has another leader: what was said of the second holds no longer.
    handler = ResultHandler(plan, table, ledger, sweep, lambda *_: None, Callback())
    handler.catch_up()
    handler.show(replace(standings, rows=(third, first, replace(second, p_best=0.0))))
    assert ledger.flush(30)
    chances = ledger.config_metrics(sweep, ["p_best"])
    assert chances[plan.labels.whole(second.config)] == {"p_best": 0.0}
    assert sum("p_best" in metrics for metrics in chances.values()) == 3


def test_a_resumed_sweep_goes_on_with_its_configs_and_ends_them(
    open_ledger: Opener, ledger_uri: str
) -> None:
    first = open_ledger()
    sweep = first.start_sweep("mine", {"spec": {}}, {})
    first.record_config(sweep, "a", params=CONFIG, scores=[0.5], seconds=1, tags=TAGS)
    first.finish_sweep(sweep, "KILLED", {"cells_done": 1})
    assert first.close(30) == 0
    assert open_ledger().find_sweep("mine").status == "KILLED"

    second = open_ledger()
    second.resume_sweep(sweep)
    assert second.find_sweep("mine").status == "RUNNING"
    for name in ("a", "b"):
        second.record_config(sweep, name, params=CONFIG, scores=[0.5, 0.6], seconds=2, tags=TAGS)
    winner = {"config": {"k": 10}, "mean": 0.55, "corrected": None, "indistinguishable": []}
    second.finish_sweep(sweep, "FINISHED", {"cells_done": 4, "data": "x", "winner": winner})
    assert second.close(30) == 0
    runs = runs_of(ledger_uri, "test")
    assert sorted(run.data.tags["config"] for run in runs) == ["a", "b"]
    assert all(run.data.metrics["cells"] == 2 for run in runs)
    by_config = {run.data.tags["config"]: run for run in runs}
    assert by_config["b"].info.status == "FINISHED"
    steps = MlflowClient(ledger_uri).get_metric_history(by_config["a"].info.run_id, "mean")
    assert sorted(m.step for m in steps) == [1, 2]
    done = open_ledger().find_sweep(sweep)
    assert (done.status, done.metrics["winner_mean"]) == ("FINISHED", 0.55)
    assert json.loads(done.tags["winner_config"]) == {"k": 10}
    files = {file.path for file in MlflowClient(ledger_uri).list_artifacts(sweep)}
    assert files == {"spec.json", "leaderboard.json"}


def test_sweeps_are_found_by_name_id_and_latest(open_ledger: Opener) -> None:
    ledger = open_ledger()
    with pytest.raises(InputError, match=r"No sweep in .* yet"):
        ledger.find_sweep("latest")
    spec = {"spec": {"name": "a" * 9000, "seeds": [2, 16]}, "task": {"data": None}}
    old = ledger.start_sweep("tweets-minilm", spec, {"space": "smoke", "family": FAMILY})
    time.sleep(0.01)
    new = ledger.start_sweep("tweets-minilm", spec, {})
    assert ledger.find_sweep("tweets-minilm").id == ledger.find_sweep("latest").id == new
    record = open_ledger().find_sweep(old)
    assert record.spec_json == spec
    assert record.tags == {"space": "smoke", "family": FAMILY}
    assert record.status == "RUNNING"
    assert abs(record.started - time.time()) < 60
    with pytest.raises(InputError, match="Did you mean 'tweets-minilm'"):
        ledger.find_sweep("tweet-minilm")


def test_passwords_of_uris_are_written_nowhere(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path
) -> None:
    secret = "https://me:hunter2@host/path"
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {"tracking_uri": secret}}, {"data": secret})
    ledger.attach(sweep, {"audit.json": "{}", "report/figures/one.svg": "<svg/>"})
    assert ledger.file(sweep, "report/figures/one.svg") == b"<svg/>"
    record(ledger, 1, tags={**TAGS, "data": secret}, config={"model": secret})
    ledger.record_config(sweep, "a", params={"m": secret}, scores=[1], seconds=1, tags=TAGS)
    ledger.finish_sweep(sweep, "FAILED", {"data": secret, "error": secret})
    assert ledger.close(30) == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []


def test_a_refusal_by_name_is_an_error_that_says_what_to_do(
    open_ledger: Opener, ledger_uri: str
) -> None:
    ledger = open_ledger()
    ledger.start_sweep("mine", {}, {})
    client = MlflowClient(ledger_uri)
    found = client.get_experiment_by_name("test/sweeps")
    assert found is not None
    client.delete_experiment(found.experiment_id)
    with pytest.raises(LedgerError, match="was deleted in MLflow"):
        open_ledger().find_sweep("latest")


def test_a_sweep_with_a_damaged_spec_is_named_and_hides_no_other(
    open_ledger: Opener, ledger_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger()
    broken = ledger.start_sweep("broken", {"spec": {"space": "smoke"}}, {"family": FAMILY})
    sound = ledger.start_sweep("sound", {"spec": {"space": "smoke"}}, {"family": FAMILY})
    MlflowClient(ledger_uri).set_tag(broken, "spec_json_000", '{"spec": {"spa')
    reader = open_ledger()
    assert [sweep.id for sweep in reader.sweeps()] == [sound]
    assert reader.find_sweep("latest").id == sound
    assert caplog.text.count("is left out") == 1
    assert "'broken'" in caplog.text
