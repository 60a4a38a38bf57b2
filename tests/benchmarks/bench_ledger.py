"""What a cell costs to write, and a race to rebuild from the ledger: sqlite, and through a server.

`make bench`, or for another number of cells than 10,000: FOLDRACE_BENCH_CELLS=2000 make bench.
Figures are for the machine at hand; only ratios of two ways in one run are asserted.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from search.ledger.ledger import Ledger
from search.ledger.payloads import Trained
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem
from search.tracking import client as mlflow_store
from search.tracking import rest_pages
from search.tracking.open import connect
from search.tracking.sqlite_store import SqliteStore
from tests.integration.ledger_cells import FAMILY, TAGS, runs_of
from tests.integration.ledger_server import Server
from trainables.engine.contract import Cell, CellResult

CELLS = int(os.environ.get("FOLDRACE_BENCH_CELLS", "10000"))
BLOCKS = 20
CONFIG = {f"parameter_{number}": number * 0.1 for number in range(18)}
NAMES = ["accuracy", "loss", "macro_f1", "weighted_f1", "matthews", "peak_memory_mib"]
NAMES += [f"f1_{number}" for number in range(6)]
PROBABILITIES = np.random.default_rng(0).random((200, 6), dtype=np.float32)


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def score_of(number: int) -> float:
    return 0.5 + 0.3 * float(np.sin(number // BLOCKS)) + 0.01 * (number % 7)


def trained(number: int) -> Trained:
    """A cell of three epochs of TREC-1k: 20 parameters, 28 points, 200 x 6 probabilities."""
    key = key_of(number)
    epochs = tuple(
        {"epoch": e, "train_loss": 1 / e, "loss": 1 / e, "accuracy": 0.1 * e, "macro_f1": 0.1 * e}
        for e in (1.0, 2.0, 3.0)
    )
    result = CellResult(
        key=key,
        status="done",
        metrics={**dict.fromkeys(NAMES, 0.5), "accuracy": score_of(number), "seconds": 0.05},
        epochs=epochs,
        rows=np.arange(len(PROBABILITIES)),
        probabilities=PROBABILITIES,
    )
    config = f"k={number // BLOCKS}"
    cell = Cell(key=key, config={**CONFIG, "k": number // BLOCKS}, seed=2, fold=number % BLOCKS)
    return Trained(cell=cell, result=result, run_name=config, tags={**TAGS, "config": config})


def ms_per_cell(ledger: Ledger, numbers: range, together: int) -> tuple[float, float]:
    """Of writing these cells, so many reported together: all of it, and the driver's part."""
    cells = [trained(number) for number in numbers]
    began, driver = time.perf_counter(), 0.0
    for start in range(0, len(cells), together):
        before = time.perf_counter()
        ledger.record(cells[start : start + together])
        driver += time.perf_counter() - before
    assert ledger.flush(3000)
    return 1e3 * (time.perf_counter() - began) / len(cells), 1e3 * driver / len(cells)


def new_ledger(folder: Path) -> Ledger:
    folder.mkdir(exist_ok=True)
    ledger = connect(f"sqlite:///{folder}/mlflow.db", "test", folder / "spool")
    ledger.check()
    ledger.known_cells(FAMILY)
    return ledger


@contextmanager
def serving(folder: Path, workers: int) -> Iterator[str]:
    server = Server(folder, workers)
    server.start()
    try:
        server.wait()
        time.sleep(5)  # the other workers are still importing
        yield server.uri
    finally:
        server.kill()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger of CELLS cells."""
    folder = tmp_path_factory.mktemp("full")
    with new_ledger(folder) as ledger:
        whole, driver = ms_per_cell(ledger, range(CELLS), 50)
    print(
        f"\nsqlite, {CELLS} cells, 50 a report: {whole:.2f} ms a cell, {driver:.2f} in the driver"
    )
    return folder


def test_a_cell_on_sqlite_against_mlflows_own_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Callable[..., None]
) -> None:
    rows = new_ledger(tmp_path / "rows")
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_store, "open_rows", lambda uri, artifacts: None)
        client = new_ledger(tmp_path / "client")
        ms_per_cell(client, range(1_000_000, 1_000_001), 1)  # the first one opens the database
    took: dict[str, list[float]] = {"client": [], "one a report": [], "50 a report": []}
    for turn in range(3):  # in turns, so that what else the machine does meets all of them
        took["client"].append(ms_per_cell(client, range(50 * turn, 50 * turn + 50), 1)[0])
        numbers = range(400 * turn, 400 * turn + 200)
        took["one a report"].append(ms_per_cell(rows, numbers, 1)[0])
        numbers = range(400 * turn + 200, 400 * turn + 400)
        took["50 a report"].append(ms_per_cell(rows, numbers, 50)[0])
    middle = {name: float(np.median(times)) for name, times in took.items()}
    print("\nsqlite, ms a cell:", {name: round(value, 2) for name, value in middle.items()})
    record(
        "ledger, a cell",
        "writing a cell to sqlite, 50 a report, against MLflow's client",
        middle["client"] / middle["50 a report"],
        at_least=4.0,
        ms_a_cell=middle,
    )
    assert middle["client"] > 4 * middle["50 a report"]
    for ledger in (rows, client):
        assert ledger.close() == 0
    assert len(runs_of(f"sqlite:///{tmp_path}/client/mlflow.db", "test/cells")) == 150


def test_a_cell_through_a_server_several_requests_at_once_against_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Callable[..., None]
) -> None:
    new_ledger(tmp_path).close()
    took: dict[int, list[float]] = {1: [], mlflow_store._CALLERS: []}
    with serving(tmp_path, 4) as uri, connect(uri, "test", tmp_path / "spool") as ledger:
        ledger.check()
        ms_per_cell(ledger, range(50), 50)
        for turn in range(1, 4):
            for offset, callers in enumerate(took):
                monkeypatch.setattr(mlflow_store, "_CALLERS", callers)
                start = 200 * turn + 100 * offset
                took[callers].append(ms_per_cell(ledger, range(start, start + 60), 60)[0])
    middle = {callers: round(float(np.median(times)), 1) for callers, times in took.items()}
    print("\nserver of 4 workers, ms a cell by requests at once:", middle)
    several = mlflow_store._CALLERS
    record(
        "ledger, a cell through a server",
        f"{several} requests at once against one, 4 workers",
        middle[1] / middle[several],
        ms_a_cell={str(callers): value for callers, value in middle.items()},
    )


def rebuild(uri: str, spool: Path) -> float:
    """Seconds from nothing to a race that knows what comes next."""
    configs = -(-CELLS // BLOCKS)
    problem = Problem(
        features=np.arange(configs, dtype=float)[:, None],
        shapes=np.zeros(configs, np.int64),
        blocks=BLOCKS,
    )
    pairs = {key_of(number): divmod(number, BLOCKS) for number in range(CELLS)}
    with connect(uri, "test", spool) as ledger:
        ledger.check()
        began = time.perf_counter()
        strategy = make_strategy("race", problem, seed=0)
        known = ledger.known_cells(FAMILY)
        assert len(known) == CELLS
        for key, cell in known.items():
            strategy.tell(*pairs[key], cell.metrics["accuracy"])
        strategy.ask(16)
        return time.perf_counter() - began


def test_rebuilding_the_race_from_sqlite_against_mlflows_own_client(
    full: Path, monkeypatch: pytest.MonkeyPatch, record: Callable[..., None]
) -> None:
    uri = f"sqlite:///{full}/mlflow.db"
    took = in_turns(
        lambda: rebuild(uri, full / "spool"),
        lambda: monkeypatch.setattr(SqliteStore, "_ours", lambda store: False),
        monkeypatch,
    )
    print(f"\nsqlite, race of {CELLS} cells: {took[0]:.1f} s, with MLflow's client {took[1]:.1f} s")
    record(
        "ledger, rebuilding a race",
        f"reading {CELLS} cells from sqlite against MLflow's client",
        took[1] / took[0],
        at_least=1.0,
        seconds=took,
    )
    assert took[0] < took[1]


@pytest.mark.parametrize("workers", [1, 4])
def test_rebuilding_the_race_through_a_server_against_mlflows_own_client(
    full: Path, workers: int, monkeypatch: pytest.MonkeyPatch, record: Callable[..., None]
) -> None:
    with serving(full, workers) as uri:
        took = in_turns(
            lambda: rebuild(uri, full / "spool"),
            lambda: monkeypatch.setattr(rest_pages, "rest_store", lambda client: None),
            monkeypatch,
        )
    print(
        f"\nserver of {workers} workers, race of {CELLS} cells: {took[0]:.1f} s, "
        f"with MLflow's client {took[1]:.1f} s"
    )
    record(
        f"ledger, rebuilding a race through a server of {workers}",
        f"reading {CELLS} cells against MLflow's client",
        took[1] / took[0],
        seconds=took,
    )
    assert took[0] < 1.2 * took[1]


def in_turns(
    call: Callable[[], float], other_way: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> tuple[float, float]:
    """The best of two calls each way, in turns; `other_way` patches what differs."""
    ours, theirs = [], []
    for _ in range(2):
        ours.append(call())
        other_way()
        theirs.append(call())
        monkeypatch.undo()
    return min(ours), min(theirs)
