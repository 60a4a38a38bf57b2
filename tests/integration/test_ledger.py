"""The ledger on a real MLflow: a sqlite file, and a server that is killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from search.ledger import Ledger, LedgerError
from trainables.engine.contract import Cell, CellResult, CellStatus

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[2]
FAMILY = "f" * 64
TAGS = {"family": FAMILY, "sweep": "s" * 32, "config": "k=10", "space": "smoke"}
TAGS |= {"data": "reviews", "model": "tiny"}
CONFIG = {"k": 10, "gamma": 0.1, "pooling": "cls", "padding_tokens": False}


def key_of(number: int) -> str:
    return f"{number:064x}"


def cell(number: int) -> Cell:
    return Cell(key=key_of(number), config=CONFIG, seed=16, fold=number % 5)


def result(number: int, status: CellStatus = "done") -> CellResult:
    draw = np.random.default_rng(number)
    epochs = tuple({"accuracy": 0.1 * e, "train_loss": 1.0 / e} for e in (1, 2, 3))
    return CellResult(
        key=key_of(number),
        status=status,
        metrics={"accuracy": 0.5 + number / 1e6, "seconds": 2.0, "f1_#tag/x": 0.25},
        epochs=epochs,
        rows=np.arange(7),
        probabilities=draw.random((7, 3), dtype=np.float32),
        error=None if status == "done" else "it broke",
    )


def record(ledger: Ledger, number: int, status: CellStatus = "done") -> None:
    ledger.record(cell(number), result(number, status), run_name=f"cell {number}", tags=TAGS)


def runs_of(uri: str, experiment: str, **conditions: str) -> list[Run]:
    """Runs read with MLflow itself."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    query = " and ".join(f"attributes.{name} = '{value}'" for name, value in conditions.items())
    return list(client.search_runs([found.experiment_id], query, max_results=1000))


def finished_keys(uri: str) -> Counter[str]:
    return Counter(
        run.data.tags["cell_key"] for run in runs_of(uri, "test/cells", status="FINISHED")
    )


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with MLflow's tables: making them takes seconds, so once for all tests."""
    file = tmp_path_factory.mktemp("database") / "mlflow.db"
    Ledger(f"sqlite:///{file}", "test", file.parent / "spool").check()
    return file.read_bytes()


@pytest.fixture
def uri(tmp_path: Path, empty_database: bytes) -> str:
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_database)
    return f"sqlite:///{file}"


@pytest.fixture
def open_ledger(uri: str, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Ledgers on one database and one spool, as so many processes would open them."""
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(Ledger(uri, "test", tmp_path / "spool"))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close(10)


Opener = Callable[[], Ledger]


def test_a_cell_comes_back_as_it_was_recorded(open_ledger: Opener, uri: str) -> None:
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
    open_ledger: Opener, uri: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    assert ledger.flush(30)
    (run,) = runs_of(uri, "test/cells")
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
    assert own == {**TAGS, "cell_key": key_of(1), "status": "done"}
    client = MlflowClient(uri)
    curve = client.get_metric_history(run.info.run_id, "accuracy")
    assert [(m.step, round(m.value, 4)) for m in curve] == [(1, 0.1), (2, 0.2), (3, 0.5)]
    losses = client.get_metric_history(run.info.run_id, "train_loss")
    assert [m.step for m in losses] == [1, 2, 3]
    experiment = client.get_experiment_by_name("test/cells")
    assert experiment is not None
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert Path(experiment.artifact_location.removeprefix("file://")).is_relative_to(tmp_path)


def test_a_known_cell_is_not_recorded_again(open_ledger: Opener, uri: str) -> None:
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
    assert finished_keys(uri) == {key_of(1): 1}


def test_a_failed_cell_gives_way_to_one_that_did_not_fail(open_ledger: Opener, uri: str) -> None:
    first = open_ledger()
    record(first, 1, "failed")
    assert first.flush(30)
    second = open_ledger()
    assert second.known_cells(FAMILY)[key_of(1)].status == "failed"
    record(second, 1)
    assert second.flush(30)
    (run,) = runs_of(uri, "test/cells")
    assert run.info.status == "FINISHED"


def test_families_and_experiments_are_kept_apart(
    open_ledger: Opener, uri: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    record(ledger, 1)
    ledger.record(cell(2), result(2), run_name="other", tags={**TAGS, "family": "e" * 64})
    assert ledger.flush(30)
    assert set(open_ledger().known_cells(FAMILY)) == {key_of(1)}
    with Ledger(uri, "elsewhere", tmp_path / "spool") as other:
        assert other.known_cells(FAMILY) == {}


def test_waiting_cells_are_known_and_can_be_read(tmp_path: Path, open_ledger: Opener) -> None:
    """What a process that died left in the spool is known to the next before it is delivered."""
    script = "\n".join(
        [
            "import os, sys",
            f"sys.path[:0] = [{str(_ROOT)!r}, {str(Path(__file__).parent)!r}]",
            "import test_ledger as t",
            "from search.delivery import Delivery",
            "Delivery._wake = lambda self: None",  # dies before its thread gets to anything
            f"ledger = t.Ledger({'sqlite:///' + str(tmp_path / 'mlflow.db')!r}, 'test', "
            f"t.Path({str(tmp_path / 'spool')!r}))",
            "t.record(ledger, 1); t.record(ledger, 2)",
            "os.kill(os.getpid(), 9)",
        ]
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, timeout=120, check=False)
    ledger = open_ledger()
    known = ledger.known_cells(FAMILY)
    assert set(known) == {key_of(1), key_of(2)}
    record(ledger, 1)
    assert ledger.flush(30)
    assert ledger.pending == 0
    assert set(open_ledger().known_cells(FAMILY)) == {key_of(1), key_of(2)}
    np.testing.assert_array_equal(ledger.predictions(key_of(2))[1], result(2).probabilities)


def test_half_written_runs_do_not_count_and_are_cleared_away(open_ledger: Opener, uri: str) -> None:
    first = open_ledger()
    record(first, 1)
    assert first.flush(30)
    client = MlflowClient(uri)
    (run,) = runs_of(uri, "test/cells")
    half = client.create_run(run.info.experiment_id, tags={**TAGS, "cell_key": key_of(2)})
    ledger = open_ledger()
    assert set(ledger.known_cells(FAMILY)) == {key_of(1)}
    record(ledger, 2)
    assert ledger.flush(30)
    assert finished_keys(uri) == {key_of(1): 1, key_of(2): 1}
    assert client.get_run(half.info.run_id).info.lifecycle_stage == "deleted"


def test_of_two_finished_runs_of_a_key_the_older_stays(open_ledger: Opener, uri: str) -> None:
    first = open_ledger()
    record(first, 1)
    assert first.flush(30)
    (run,) = runs_of(uri, "test/cells")
    client = MlflowClient(uri)
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    twin = client.create_run(run.info.experiment_id, tags=tags)
    for name, value in run.data.params.items():
        client.log_param(twin.info.run_id, name, value)
    client.set_terminated(twin.info.run_id)
    assert open_ledger().known_cells(FAMILY)[key_of(1)].run_id == run.info.run_id
    assert finished_keys(uri) == {key_of(1): 1}


_DRIVER = """
import sys
sys.path[:0] = sys.argv[1:3]
import test_ledger as t
ledger = t.Ledger(sys.argv[3], "test", t.Path(sys.argv[4]))
known = ledger.known_cells(t.FAMILY)
for number in range(10_000):
    if t.key_of(number) not in known:
        t.record(ledger, number)
        print(number, flush=True)
        t.time.sleep(0.02)
"""


def test_kill_9_of_the_driver_at_any_moment_loses_nothing(
    open_ledger: Opener, uri: str, tmp_path: Path
) -> None:
    draw = np.random.default_rng()  # other moments each time: what holds must hold at all of them
    told: set[str] = set()
    for _ in range(3):
        command = [sys.executable, "-c", _DRIVER, str(_ROOT), str(Path(__file__).parent)]
        driver = subprocess.Popen(
            [*command, uri, str(tmp_path / "spool")], stdout=subprocess.PIPE, text=True
        )
        assert driver.stdout is not None
        told.add(key_of(int(driver.stdout.readline())))
        time.sleep(draw.uniform(0.1, 1.0))
        driver.send_signal(signal.SIGKILL)
        rest = driver.communicate()[0].split("\n")[:-1]
        told |= {key_of(int(line)) for line in rest}
    assert len(told) > 10
    ledger = open_ledger()
    known = ledger.known_cells(FAMILY)
    assert told <= set(known)
    assert ledger.flush(60)
    finished = finished_keys(uri)
    assert set(finished) == set(known)
    assert set(finished.values()) == {1}


def test_a_config_shows_its_curve_and_latest_state(open_ledger: Opener, uri: str) -> None:
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
        )
    assert ledger.flush(30)
    (run,) = runs_of(uri, "test")
    assert run.info.run_name == "k=10"
    assert run.info.status == "RUNNING"
    assert run.data.tags["sweep"] == sweep
    assert run.data.params["k"] == "10"
    client = MlflowClient(uri)
    curve = client.get_metric_history(run.info.run_id, "mean")
    assert {m.step: round(m.value, 6) for m in curve} == {1: 0.5, 2: 0.6, 3: 0.6, 4: 0.65}
    metrics = dict(run.data.metrics)
    assert metrics.pop("std") == pytest.approx(np.std(scores, ddof=1))
    assert metrics == pytest.approx(
        {"mean": 0.65, "cells": 4, "seconds": 8, "ci_low": 0.4, "ci_high": 0.9}
    )


def test_a_resumed_sweep_goes_on_with_its_configs_and_ends_them(
    open_ledger: Opener, uri: str
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
    runs = runs_of(uri, "test")
    assert sorted(run.data.tags["config"] for run in runs) == ["a", "b"]
    assert all(run.data.metrics["cells"] == 2 for run in runs)
    by_config = {run.data.tags["config"]: run for run in runs}
    assert by_config["b"].info.status == "FINISHED"
    steps = MlflowClient(uri).get_metric_history(by_config["a"].info.run_id, "mean")
    assert sorted(m.step for m in steps) == [1, 2]
    done = open_ledger().find_sweep(sweep)
    assert (done.status, done.metrics["winner_mean"]) == ("FINISHED", 0.55)
    assert json.loads(done.tags["winner_config"]) == {"k": 10}
    files = {file.path for file in MlflowClient(uri).list_artifacts(sweep)}
    assert files == {"spec.json", "leaderboard.json"}


def test_sweeps_are_found_by_name_id_and_latest(open_ledger: Opener) -> None:
    ledger = open_ledger()
    with pytest.raises(LedgerError, match=r"No sweep in .* yet"):
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
    with pytest.raises(LedgerError, match="Did you mean 'tweets-minilm'"):
        ledger.find_sweep("tweet-minilm")


def test_passwords_of_uris_are_written_nowhere(
    open_ledger: Opener, uri: str, tmp_path: Path
) -> None:
    secret = "https://me:hunter2@host/path"
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {"tracking_uri": secret}}, {"data": secret})
    ledger.attach(sweep, {"audit.json": "{}"})
    ledger.record(
        Cell(key=key_of(1), config={"model": secret}, seed=2, fold=0),
        result(1),
        run_name="x",
        tags={**TAGS, "data": secret},
    )
    ledger.record_config(sweep, "a", params={"m": secret}, scores=[1], seconds=1, tags=TAGS)
    ledger.finish_sweep(sweep, "FAILED", {"data": secret, "error": secret})
    assert ledger.close(30) == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []


def test_a_refusal_by_name_is_an_error_that_says_what_to_do(open_ledger: Opener, uri: str) -> None:
    ledger = open_ledger()
    ledger.start_sweep("mine", {}, {})
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("test/sweeps")
    assert found is not None
    client.delete_experiment(found.experiment_id)
    with pytest.raises(LedgerError, match="was deleted in MLflow"):
        open_ledger().find_sweep("latest")


@pytest.mark.parametrize("ref", ["a" * 64, "b" * 32])
def test_predictions_of_an_unknown_cell_are_refused(open_ledger: Opener, ref: str) -> None:
    with pytest.raises(LedgerError, match=f"No finished cell|{ref}"):
        open_ledger().predictions(ref)


class Server:
    """`mlflow server` on a free port of the loopback interface, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        store, files = f"sqlite:///{self._folder}/mlflow.db", str(self._folder / "files")
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
        command += ["--artifacts-destination", files, "--workers", "1"]
        self._process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,  # its workers are killed with it
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError(f"no mlflow server on port {self.port}")

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path, empty_database: bytes) -> Iterator[Server]:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database)
    made = Server(folder)
    made.start()
    yield made
    made.kill()


def test_kill_9_of_the_server_in_the_middle_loses_nothing_and_doubles_nothing(
    server: Server, tmp_path: Path
) -> None:
    server.wait()
    ledger = Ledger(server.uri, "test", tmp_path / "spool")
    ledger.check()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {})

    def trained(numbers: range) -> None:
        for number in numbers:
            record(ledger, number)
            scores = [0.5] * (number + 1)
            ledger.record_config(sweep, "a", params=CONFIG, scores=scores, seconds=1, tags=TAGS)
            time.sleep(0.02)

    trained(range(20))
    server.kill()  # some are written, one is half written, some wait
    trained(range(20, 30))
    assert not ledger.flush(1)
    server.start()
    trained(range(30, 40))
    ledger.finish_sweep(sweep, "FINISHED", {"cells_done": 40})
    server.wait()
    assert ledger.flush(90)
    assert ledger.close() == 0
    with Ledger(server.uri, "test", tmp_path / "spool") as after:
        assert set(after.known_cells(FAMILY)) == {key_of(number) for number in range(40)}
        np.testing.assert_array_equal(after.predictions(key_of(39))[1], result(39).probabilities)
        assert after.find_sweep("mine").status == "FINISHED"
    keys = finished_keys(server.uri)
    assert len(keys) == 40
    assert set(keys.values()) == {1}
    (config,) = runs_of(server.uri, "test")
    assert config.data.metrics["cells"] == 40
    curve = MlflowClient(server.uri).get_metric_history(config.info.run_id, "mean")
    assert {point.step for point in curve} == set(range(1, 41))


def test_results_of_a_sweep_without_mlflow_are_delivered_by_the_next_process(
    tmp_path: Path, empty_database: bytes
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"not a database" * 100)  # breaks under a running sweep
    ledger = Ledger(f"sqlite:///{database}", "test", tmp_path / "spool")
    for number in range(3):
        record(ledger, number)
    ledger.record_config("s" * 32, "a", params=CONFIG, scores=[0.5], seconds=1, tags=TAGS)
    assert ledger.close(0.5) == 4
    database.write_bytes(empty_database)
    with Ledger(f"sqlite:///{database}", "test", tmp_path / "spool") as after:
        assert len(after.known_cells(FAMILY)) == 3
    assert set(finished_keys(f"sqlite:///{database}")) == {key_of(n) for n in range(3)}
    assert len(runs_of(f"sqlite:///{database}", "test")) == 1


def test_check_of_a_server_that_is_not_there_is_quick_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(LedgerError, match=rf"cannot be reached at 'http://\*\*\*@127.*{port}"):
        Ledger(f"http://me:pw@127.0.0.1:{port}", "test", tmp_path).check()
    assert time.monotonic() - began < 5


def test_check_of_something_that_is_no_mlflow_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path
    ) as other:
        try:
            assert other.stdout is not None
            port = other.stdout.readline().split(" port ")[1].split(" ")[0]
            with pytest.raises(LedgerError, match=f"127.0.0.1:{port}"):
                Ledger(f"http://127.0.0.1:{port}", "test", tmp_path / "spool").check()
        finally:
            other.kill()


def test_check_changes_no_setting_and_prints_nothing(
    uri: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = dict(os.environ)
    with Ledger(f"sqlite:///{tmp_path}/new.db", "test", tmp_path / "spool") as ledger:
        ledger.check()
        ledger.start_sweep("mine", {}, {})
        record(ledger, 1)
        assert ledger.flush(30)
        ledger.predictions(key_of(1))
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")


def test_a_cell_without_its_tags_is_a_programming_error(open_ledger: Opener) -> None:
    tags: dict[str, Any] = {"family": FAMILY}
    with pytest.raises(ValueError, match=r"missing: \['sweep', 'config'"):
        open_ledger().record(cell(1), result(1), run_name="x", tags=tags)
