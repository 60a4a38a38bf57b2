"""Made-up cells with the results they would have, and what MLflow itself says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run

from search.ledger.ledger import Ledger
from search.ledger.payloads import Trained
from trainables.engine.contract import Cell, CellResult, CellStatus, Scalar

Opener = Callable[[], Ledger]
FAMILY = "f" * 64
TAGS = {"family": FAMILY, "sweep": "s" * 32, "config": "k=10", "space": "smoke"}
TAGS |= {"data": "reviews", "model": "tiny"}
CONFIG: dict[str, Scalar] = {"k": 10, "gamma": 0.1, "pooling": "cls", "padding_tokens": False}


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


def record(
    ledger: Ledger,
    number: int,
    status: CellStatus = "done",
    tags: Mapping[str, str] = TAGS,
    config: Mapping[str, Scalar] = CONFIG,
) -> None:
    trained = replace(cell(number), config=config)
    ledger.record(
        [Trained(cell=trained, result=result(number, status), run_name=f"cell {number}", tags=tags)]
    )


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
