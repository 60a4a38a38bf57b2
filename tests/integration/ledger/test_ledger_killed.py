"""Whoever is killed, the driver or the MLflow server: nothing lost, nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from search.tracking.open import connect
from tests.integration.ledger_cells import (
    CONFIG,
    FAMILY,
    TAGS,
    Opener,
    finished_keys,
    key_of,
    record,
    result,
    runs_of,
)
from tests.integration.ledger_server import Server

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[3]


# A driver that trains nothing: what it prints has been recorded.
_DRIVER = """
import sys, time
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
import ledger_cells as made
from search.tracking.open import connect
ledger = connect(sys.argv[3], "test", Path(sys.argv[4]))
known = ledger.known_cells(made.FAMILY) if sys.argv[5] == "ask" else {}
for number in range(10_000):
    if made.key_of(number) not in known:
        made.record(ledger, number)
        print(number, flush=True)
        time.sleep(0.02)
"""


def drive(uri: str, spool: Path, ask: str, *, least: int, seconds: float) -> set[str]:
    """Start a driver, kill it `seconds` after `least` records; the keys that it recorded."""
    command = [sys.executable, "-c", _DRIVER, str(_ROOT), str(Path(__file__).parents[1])]
    driver = subprocess.Popen(
        [*command, uri, str(spool), ask], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    lines = [driver.stdout.readline() for _ in range(least)]
    time.sleep(seconds)
    driver.send_signal(signal.SIGKILL)
    lines += driver.communicate()[0].splitlines(keepends=True)
    return {key_of(int(line)) for line in lines if line.endswith("\n")}


def test_kill_9_of_the_driver_at_any_moment_loses_nothing(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path, moments: np.random.Generator
) -> None:
    told: set[str] = set()
    for least in (1, 4, 8):
        moment = moments.uniform(0.0, 1.0)
        told |= drive(ledger_uri, tmp_path / "spool", "ask", least=least, seconds=moment)
    assert len(told) >= 1 + 4 + 8
    ledger = open_ledger()
    known = ledger.known_cells(FAMILY)
    assert told <= set(known)
    assert ledger.flush(60)
    finished = finished_keys(ledger_uri)
    assert set(finished) == set(known)
    assert set(finished.values()) == {1}


# Makes a new database; says when it begins.
_FOUNDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from search.tracking import client
from search.tracking.open import connect
ledger = connect(sys.argv[2], "test", Path(sys.argv[3]))
print("now", flush=True)
ledger.start_sweep("mine", {}, {})
"""


def test_kill_9_while_a_new_database_is_made_leaves_none_that_is_half_made(
    tmp_path: Path, moments: np.random.Generator
) -> None:
    uri, spool = f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "spool")
    founder = subprocess.Popen(
        [sys.executable, "-c", _FOUNDER, str(_ROOT), uri, spool],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert founder.stdout is not None
    assert founder.stdout.readline() == "now\n"
    time.sleep(moments.uniform(0, 2.5))
    founder.send_signal(signal.SIGKILL)
    founder.communicate()
    with connect(uri, "test", tmp_path / "spool") as ledger:
        ledger.check()
        record(ledger, 1)
    assert finished_keys(uri) == {key_of(1): 1}


def test_what_a_killed_driver_left_on_disk_is_known_before_it_is_delivered(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path, empty_database: bytes
) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"not a database" * 100)  # so that nothing gets further than the disk
    told = drive(ledger_uri, tmp_path / "spool", "do not ask", least=3, seconds=0)
    database.write_bytes(empty_database)
    ledger = open_ledger()
    known = ledger.known_cells(FAMILY)
    assert told <= set(known)
    record(ledger, 1)  # known, so not recorded
    np.testing.assert_array_equal(ledger.predictions(key_of(2))[1], result(2).probabilities)
    assert ledger.flush(30)
    assert ledger.pending == 0
    assert finished_keys(ledger_uri) == dict.fromkeys(known, 1)


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
    server: Server, tmp_path: Path, moments: np.random.Generator
) -> None:
    first, second = sorted(moments.integers(1, 40, 2).tolist())
    server.wait()
    ledger = connect(server.uri, "test", tmp_path / "spool")
    ledger.check()
    sweep = ledger.start_sweep("mine", {"spec": {}}, {})

    def trained(numbers: range) -> None:
        for number in numbers:
            record(ledger, number)
            scores = [0.5] * (number + 1)
            ledger.record_config(sweep, "a", params=CONFIG, scores=scores, seconds=1, tags=TAGS)
            time.sleep(0.02)

    trained(range(first))
    time.sleep(moments.uniform(0, 0.1))
    server.kill()  # some are written, some are half written, some wait
    trained(range(first, second))
    record(ledger, second)
    assert not ledger.flush(1)
    server.start()
    trained(range(second, 40))
    ledger.finish_sweep(sweep, "FINISHED", {"cells_done": 40})
    server.wait()
    assert ledger.flush(90)
    assert ledger.close() == 0
    with connect(server.uri, "test", tmp_path / "spool") as after:
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
    ledger = connect(f"sqlite:///{database}", "test", tmp_path / "spool")
    for number in range(3):
        record(ledger, number)
    ledger.record_config("s" * 32, "a", params=CONFIG, scores=[0.5], seconds=1, tags=TAGS)
    assert ledger.close(0.5) == 4
    database.write_bytes(empty_database)
    with connect(f"sqlite:///{database}", "test", tmp_path / "spool") as after:
        assert len(after.known_cells(FAMILY)) == 3
    assert set(finished_keys(f"sqlite:///{database}")) == {key_of(n) for n in range(3)}
    assert len(runs_of(f"sqlite:///{database}", "test")) == 1
