"""Cells in a real MLflow: recorded once, found again, whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from search.errors import LedgerError
from search.tracking import sqlite_scan
from search.tracking.open import connect
from tests.integration.ledger_cells import (
    FAMILY,
    TAGS,
    Opener,
    finished_keys,
    key_of,
    record,
    result,
    runs_of,
)
from trainables.engine.errors import InputError
from trainables.engine.keys import result_digest

pytestmark = pytest.mark.integration


def test_a_cell_comes_back_as_it_was_recorded(open_ledger: Opener, ledger_uri: str) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    record(ledger, 2, "diverged")
    record(ledger, 3, "failed")
    assert ledger.flush(30)
    cells = open_ledger().known_cells(FAMILY)
    assert {c.key: c.status for c in cells.values()} == {
        key_of(1): "done",
        key_of(2): "diverged",
        key_of(3): "failed",
    }
    one = cells[key_of(1)]
    assert one.metrics["accuracy"] == pytest.approx(0.500001, abs=1e-12)
    assert one.metrics["f1__tag_x"] == 0.25
    assert one.metrics["train_loss"] == pytest.approx(1 / 3)
    assert (one.seed, one.fold, one.config_id, one.error) == (16, 1, "k=10", None)
    assert one.params["padding_tokens"] == "False"
    assert cells[key_of(3)].error == "it broke"
    rows, probabilities = open_ledger().predictions(key_of(1))
    assert rows.tolist() == list(range(7))
    np.testing.assert_array_equal(probabilities, result(1).probabilities)
    by_run = open_ledger().predictions(str(one.run_id))
    np.testing.assert_array_equal(by_run[1], probabilities)


def test_a_cells_run_holds_names_that_the_ui_can_group_and_draw(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    assert ledger.flush(30)
    (run,) = runs_of(ledger_uri, "test/cells")
    assert run.info.run_name == "cell 1"
    assert run.info.end_time - run.info.start_time == 2000
    assert run.data.params == {
        "k": "10",
        "gamma": "0.1",
        "pooling": "cls",
        "padding_tokens": "False",
        "seed": "16",
        "fold": "1",
    }
    own = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    assert own == {
        **TAGS,
        "cell_key": key_of(1),
        "status": "done",
        "digest": result_digest(result(1)),
    }
    client = MlflowClient(ledger_uri)
    curve = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(m.step, round(m.value, 4)) for m in curve] == [(1, 0.1), (2, 0.2), (3, 0.5)]
    losses = client.get_metric_history(run.info.run_id, "train_loss")
    assert [m.step for m in losses] == [1, 2, 3]
    experiment = client.get_experiment_by_name("test/cells")
    assert experiment is not None
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert Path(experiment.artifact_location.removeprefix("file://")).is_relative_to(tmp_path)


def test_a_known_cell_is_not_recorded_again(open_ledger: Opener, ledger_uri: str) -> None:
    first = open_ledger()
    record(first, 1)
    record(first, 1)
    assert first.flush(30)
    second = open_ledger()
    second.known_cells(FAMILY)
    record(second, 1)
    blind = open_ledger()  # did not ask what is known
    record(blind, 1)
    assert second.flush(30)
    assert blind.flush(30)
    assert finished_keys(ledger_uri) == {key_of(1): 1}


def test_a_failed_cell_gives_way_to_one_that_did_not_fail(
    open_ledger: Opener, ledger_uri: str
) -> None:
    first = open_ledger()
    record(first, 1, "failed")
    assert first.flush(30)
    second = open_ledger()
    assert second.known_cells(FAMILY)[key_of(1)].status == "failed"
    record(second, 1)
    assert second.flush(30)
    (run,) = runs_of(ledger_uri, "test/cells")
    assert run.info.status == "FINISHED"


def test_families_and_experiments_are_kept_apart(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    record(ledger, 2, tags={**TAGS, "family": "e" * 64})
    assert ledger.flush(30)
    assert set(open_ledger().known_cells(FAMILY)) == {key_of(1)}
    with connect(ledger_uri, "elsewhere", tmp_path / "spool") as other:
        assert other.known_cells(FAMILY) == {}


def test_half_written_runs_do_not_count_and_are_cleared_away(
    open_ledger: Opener, ledger_uri: str
) -> None:
    first = open_ledger()
    record(first, 1)
    assert first.flush(30)
    client = MlflowClient(ledger_uri)
    (run,) = runs_of(ledger_uri, "test/cells")
    half = client.create_run(run.info.experiment_id, tags={**TAGS, "cell_key": key_of(2)})
    ledger = open_ledger()
    assert set(ledger.known_cells(FAMILY)) == {key_of(1)}
    record(ledger, 2)
    assert ledger.flush(30)
    assert finished_keys(ledger_uri) == {key_of(1): 1, key_of(2): 1}
    assert client.get_run(half.info.run_id).info.lifecycle_stage == "deleted"


def test_of_two_finished_runs_of_a_key_the_older_stays(
    open_ledger: Opener, ledger_uri: str
) -> None:
    first = open_ledger()
    record(first, 1)
    assert first.flush(30)
    (run,) = runs_of(ledger_uri, "test/cells")
    client = MlflowClient(ledger_uri)
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    twin = client.create_run(run.info.experiment_id, tags=tags)
    for name, value in run.data.params.items():
        client.log_param(twin.info.run_id, name, value)
    client.set_terminated(twin.info.run_id)
    assert open_ledger().known_cells(FAMILY)[key_of(1)].run_id == run.info.run_id
    assert finished_keys(ledger_uri) == {key_of(1): 2}, "whoever only reads deletes nothing"
    driver = open_ledger()
    driver.start_sweep("mine", {}, {"family": FAMILY})
    assert driver.known_cells(FAMILY)[key_of(1)].run_id == run.info.run_id
    assert finished_keys(ledger_uri) == {key_of(1): 1}


def test_cells_read_one_after_another_are_those_read_at_once(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_scan, "_PAGE", 2)
    first = open_ledger()
    for number in range(5):
        record(first, number, "failed" if number == 2 else "done")
    record(first, 9, tags={**TAGS, "family": "e" * 64})
    assert first.flush(30)
    client = MlflowClient(ledger_uri)
    (run,) = (r for r in runs_of(ledger_uri, "test/cells") if r.data.tags["cell_key"] == key_of(1))
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    client.create_run(run.info.experiment_id, tags={**tags, "cell_key": key_of(7)})  # half written
    twin = client.create_run(run.info.experiment_id, start_time=1, tags=tags)  # the older of two
    for name, value in run.data.params.items():
        client.log_param(twin.info.run_id, name, value)
    client.log_metric(twin.info.run_id, "accuracy", 0.125)
    client.set_terminated(twin.info.run_id)

    whole = open_ledger().known_cells(FAMILY)
    lean = {cell.key: cell for cell in open_ledger().cells(FAMILY, ["accuracy", "no such"])}
    assert set(lean) == set(whole) == {key_of(number) for number in range(5)}
    assert lean[key_of(1)].metrics == {"accuracy": 0.125}
    for key, cell in lean.items():
        same = ("status", "run_id", "sweep_id", "config_id", "seed", "fold", "digest", "ended_ms")
        assert [getattr(cell, name) for name in same] == [
            getattr(whole[key], name) for name in same
        ]
        assert cell.metrics.get("accuracy") == whole[key].metrics.get("accuracy")


def test_a_run_that_stands_on_two_pages_is_one_run(
    open_ledger: Opener, ledger_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pages are cut by number: a cell that comes in between two of them moves the rest down.
    record(first := open_ledger(), 1)
    assert first.flush(30)
    ledger = open_ledger()
    store = ledger._writer._store
    pages = store.runs
    monkeypatch.setattr(store, "runs", lambda *which: [*pages(*which), *pages(*which)])
    assert set(ledger.known_cells(FAMILY)) == {key_of(1)}
    assert finished_keys(ledger_uri) == {key_of(1): 1}


@pytest.mark.parametrize("ref", ["a" * 64, "b" * 32])
def test_predictions_of_an_unknown_cell_are_refused(open_ledger: Opener, ref: str) -> None:
    with pytest.raises(LedgerError, match=f"No finished cell|{ref}"):
        open_ledger().predictions(ref)


def test_a_cell_without_its_tags_is_a_programming_error(open_ledger: Opener) -> None:
    tags: dict[str, Any] = {"family": FAMILY}
    with pytest.raises(ValueError, match=r"missing: \['sweep', 'config'"):
        record(open_ledger(), 1, tags=tags)


def test_check_of_something_that_is_no_mlflow_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    ) as other:
        try:
            assert other.stdout is not None
            port = other.stdout.readline().split(" port ")[1].split(" ")[0]
            with pytest.raises(InputError, match=f"127.0.0.1:{port}"):
                connect(f"http://127.0.0.1:{port}", "test", tmp_path / "spool").check()
        finally:
            other.kill()


def test_check_of_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(InputError, match=rf"cannot be reached at 'http://\*\*\*@127.*{port}"):
        connect(f"http://me:pw@127.0.0.1:{port}", "test", tmp_path).check()


def test_check_changes_no_setting_and_prints_nothing(
    ledger_uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from search.tracking import client as mlflow_store  # noqa: F401  (its settings are made once a process)

    before = dict(os.environ)
    with connect(f"sqlite:///{tmp_path}/new.db", "test", tmp_path / "spool") as ledger:
        ledger.check()
        ledger.start_sweep("mine", {}, {})
        record(ledger, 1)
        assert ledger.flush(30)
        ledger.predictions(key_of(1))
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")
