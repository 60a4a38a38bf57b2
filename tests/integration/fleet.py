"""Many drivers on one ledger, some of them killed: how often a cell is trained and recorded.

A program of its own, which forks its drivers: `python tests/integration/fleet.py URI FOLDER ...`
prints a line of JSON for each round. Sweeps, strategies and ledgers are real; training is a draw
from a cell's key, noted in a file.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import SweepTakenError
from search.execution.dispatch.cell_source import CellTask
from search.execution.dispatch.dispatcher import Dispatcher
from search.ledger import ledger, sweep_log
from search.ledger.leases import drivers, lease
from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from search.sweep import train_sweep
from search.sweep.callback import Callback
from search.tracking import open as opening
from trainables.engine.contract import Cell, CellResult, DataRef

_WORDS = ("rain", "fog", "hail", "sun", "calm", "mild")
_TFIDF = ("tfidf-unigram", "tfidf-unigram-nostop", "tfidf-bigram", "tfidf-bigram-nostop")
_SEARCHED = {"a": _TFIDF[:3], "b": _TFIDF[1:]}
_FORK = multiprocessing.get_context("fork")
_CELL_S = 0.004
# After so long without a sign of a driver another takes its cells. Where none is killed, a pause of
# a busy machine must take them from nobody.
_PATIENCE_S = {True: 4.0, False: 60.0}


def plans(folder: Path, uri: str, experiment: str) -> dict[str, Plan]:
    """Plans of two sweeps that share most of their cells."""
    file = folder / "weather.csv"
    if not file.exists():
        rows = [
            f"{w} {v} {n},{'bad' if w in _WORDS[:3] else 'good'}"
            for n in range(6)
            for w in _WORDS
            for v in ("today", "later")
        ]
        file.write_text("text,label\n" + "\n".join(rows) + "\n")
    return {
        name: prepare(
            make_spec(
                space="linear_eval",
                data=DataRef(name=str(file)),
                model="minilm",
                name=name,
                tracking_uri=uri,
                experiment=experiment,
                set_axes={"representation": searched, "epochs": ("1",)},
                configs="all",
                seeds=(2, 16),
                folds=3,
                strategy="grid",
            )
        )[0]
        for name, searched in _SEARCHED.items()
    }


def score(key: str) -> float:
    """Accuracy that a cell is drawn to have."""
    return int(key[:8], 16) / 2**32


def _result(cell: Cell) -> CellResult:
    return CellResult(
        key=cell.key,
        status="done",
        metrics={"accuracy": score(cell.key), "macro_f1": 0.5, "seconds": _CELL_S},
        epochs=({"accuracy": 0.1, "train_loss": 1.0},),
        rows=np.arange(4),
        probabilities=np.full((4, 2), 0.5, np.float32),
    )


def _draw_cells(noted: Path) -> Any:
    """Stand-in for `train_cells`: the real dispatcher, and a file that notes each training."""

    def train(plan: Plan, source: Any, handler: Any, sweep_id: str, callback: Callback) -> bool:
        work = CellTask(
            plan.task, plan.cell, plan.shape, handler.results, handler.claim, handler.found
        )
        dispatcher = Dispatcher(source, work, stack=3)
        number = 0
        while handler.ledger.halted is None:
            cells = dispatcher.next_stack(str(number))
            if not cells and dispatcher.idle:
                break
            for cell in cells:
                time.sleep(_CELL_S)
                with noted.open("a") as file:
                    file.write(f"{cell.key}\n")
                dispatcher.received(str(number), _result(cell))
            dispatcher.ended(str(number))
            number += 1
            time.sleep(0 if cells else 0.02)
        return bool(source.done)

    return train


def _drive(plan: Plan, folder: Path, spool: Path, abroad: bool, kills: bool, said: Path) -> None:
    """Run or resume a sweep, as a process of its own."""
    os.chdir(folder)
    with (folder / "log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if abroad:  # on a machine of its own, as far as anyone can tell
        drivers._machine = lambda: f"machine of {os.getpid()}"
    train_sweep.train_cells = _draw_cells(folder / "trained")
    train_sweep._make_features = lambda *_: None
    train_sweep.open_ledger = functools.partial(_opened, spool)
    patience_s = _PATIENCE_S[kills]
    sweep_log.Lease = functools.partial(lease.Lease, beat_s=0.1, patience_s=patience_s)  # type: ignore[misc]
    try:
        with _opened(spool, plan.spec.tracking_uri, plan.spec.experiment) as open_ledger:
            known = [record for record in open_ledger.sweeps() if record.name == plan.spec.name]
        outcome = train_sweep.train_sweep(plan, known[0].id if known else None, Callback())
        scores = outcome.table.scores
        wanted = np.array(
            [
                [score(plan.cell((c, b)).key) for b in range(scores.shape[1])]
                for c in range(len(scores))
            ]
        )
        word = "done" if outcome.complete and np.array_equal(scores, wanted) else "wrong"
    except SweepTakenError as error:
        word = "refused: " + str(error)
    said.write_text(word)


def _opened(spool: Path, uri: str, experiment: str, make: bool = True) -> ledger.Ledger:
    opened = opening.connect(uri, experiment, spool)
    opened.check()
    return opened


def play(
    uri: str,
    folder: Path,
    number: int,
    count: int,
    kills: bool,
    abroad: bool,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """One round: drivers at once, then one that finishes what is left.

    Returns:
        Counts: cells and configs recorded twice or missing, cells trained more than once.
    """
    experiment = f"round-{number}"
    sweeps = plans(folder, uri, experiment)
    place = folder / experiment
    place.mkdir()
    fleet = []
    for index in range(count):
        plan = sweeps["ab"[int(rng.integers(2))]]
        words = place / f"said-{index}"
        arguments = (plan, place, place / f"spool-{index % 2}", abroad, kills, words)
        fleet.append((_FORK.Process(target=_drive, args=arguments), words))
    for process, _ in fleet:
        process.start()
        time.sleep(float(rng.uniform(0, 0.1)))
    killed = 0
    if kills:
        for process, _ in fleet:
            time.sleep(float(rng.uniform(0, 0.4)))
            if rng.random() < 0.6 and process.is_alive():
                process.kill()
                killed += 1
    for process, _ in fleet:
        process.join()
    answers = [words.read_text() if words.exists() else "killed" for _, words in fleet]
    for name, plan in sweeps.items():
        last = _FORK.Process(
            target=_drive, args=(plan, place, place / "spool-0", abroad, kills, place / name)
        )
        last.start()
        last.join()
        answers.append((place / name).read_text() if (place / name).exists() else "failed")
    trained = Counter((place / "trained").read_text().split())
    counts = _FORK.Queue()
    reader = _FORK.Process(target=_count, args=(uri, experiment, sweeps, counts))
    reader.start()
    recorded = counts.get(timeout=120)
    reader.join()
    return {
        "round": number,
        "killed": killed,
        "answers": dict(Counter(answer.split(":")[0] for answer in answers)),
        "last": answers[-2:],
        "trained_again": sum(trained.values()) - len(trained),
        **recorded,
    }


def _count(uri: str, experiment: str, sweeps: dict[str, Plan], counts: Any) -> None:
    """What MLflow itself says is there."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)

    def runs(name: str) -> list[Any]:
        found = client.get_experiment_by_name(name)
        assert found is not None
        return list(client.search_runs([found.experiment_id], max_results=5000))

    cells = runs(f"{experiment}/cells")
    finished = Counter(r.data.tags["cell_key"] for r in cells if r.info.status == "FINISHED")
    wanted = {key for plan in sweeps.values() for key in plan.keys}
    configs = Counter((r.data.tags["sweep"], r.data.tags["config"]) for r in runs(experiment))
    names = Counter(r.info.run_name for r in runs(f"{experiment}/sweeps"))
    tags = [t for r in runs(f"{experiment}/sweeps") for t in r.data.tags if t.startswith("lease.")]
    counts.put(
        {
            "cells": len(finished),
            "cells_missing": len(wanted - set(finished)),
            "cells_twice": sum(finished.values()) - len(finished),
            "cells_half": sum(r.info.status not in ("FINISHED", "FAILED") for r in cells),
            "configs_twice": sum(configs.values()) - len(configs),
            "sweeps_twice": sum(names.values()) - len(names),
            "tags_left": len(tags),
        }
    )


def main() -> None:
    """Play the rounds that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--drivers", type=int, default=4)
    parser.add_argument("--kills", action="store_true")
    parser.add_argument("--abroad", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    plans(options.folder, options.uri, "warm")  # what it imports is there in every driver
    import search.tracking.client  # noqa: F401

    for number in range(options.rounds):
        line = play(
            options.uri, options.folder, number, options.drivers, options.kills, options.abroad, rng
        )
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
