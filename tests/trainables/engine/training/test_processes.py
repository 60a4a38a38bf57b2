"""Two processes that train a cell together, over gloo: the numbers of one that has all of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor

from spaces.tweets import SPACE as TWEETS
from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.training import checkpoint, distributed, loop

CONFIG = config(
    "triple_entropy", merge_weight=0.1, learning_rate=1e-3, batch_size=17, epochs=3, clip_norm=1.0
)
# 80 rows are trained on and 40 held out. Batches of 17 leave a last one of 12 (and 6 to score);
# batches of 79 leave one of a single row, which two processes cannot share.
CELLS = [
    Cell(key="uneven", config=CONFIG, seed=2, fold=0),
    Cell(key="single", config={**CONFIG, "batch_size": 79, "beta": 1.0}, seed=2, fold=1),
]
DIVERGES = Cell(key="diverges", config={**CONFIG, "learning_rate": 1e9}, seed=2, fold=0)


@pytest.fixture(scope="module")
def task(reviews: Path, tiny_encoder: Path) -> Task:
    """With dropout: each process drops what one process drops of its rows."""
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


def _shard_on_hosts_too() -> None:
    """Accelerate shards on accelerators only, and copies on hosts, whatever it is asked for."""
    begin = AcceleratorState.__init__

    def state(self: AcceleratorState, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        plugin = named.get("fsdp_plugin") or getattr(self, "fsdp_plugin", None)
        if plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugin

    AcceleratorState.__init__ = state  # type: ignore[method-assign]


def _process(
    task: Task,
    cells: Sequence[Cell],
    rank: int,
    port: int,
    out: Path,
    dies_at: int | None,
    sharded: bool,
) -> None:
    """One of the two; ends without pytest's own end."""
    code = 1
    try:
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE="2",
            ACCELERATE_USE_CPU="true",
        )
        if sharded:
            os.environ.update(
                ACCELERATE_USE_FSDP="true", FSDP_VERSION="2", FSDP_RESHARD_AFTER_FORWARD="true"
            )
            _shard_on_hosts_too()
        # Accelerate's state of the process that was forked: there this is the only one.
        AcceleratorState._reset_state(reset_partial_state=True)
        torch.distributed.init_process_group("gloo")
        checkpoint.LEAST_EPOCH_S = 0.0
        steps, weighted = [0], distributed.weighted

        def counted(mean: torch.Tensor, items: int) -> torch.Tensor:
            steps[0] += 1
            if steps[0] == dies_at and rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return weighted(mean, items)

        distributed.weighted = counted
        prepared = loop.Training.__init__

        def looked_at(training: loop.Training, *given: Any) -> None:
            prepared(training, *given)
            held = [
                p.to_local() if isinstance(p, DTensor) else p for p in training.module.parameters()
            ]
            (out / f"{rank}.numbers").write_text(str(sum(part.numel() for part in held)))

        loop.Training.__init__ = looked_at  # type: ignore[method-assign,assignment]
        found: list[CellResult] = []
        runner.train_cells(
            task, cells, found.append, stack=1, threads=1, checkpoints=out / "checkpoints"
        )
        text = json.dumps([result.to_json() for result in found])
        (out / f"{rank}.json").write_text(text)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def together(
    task: Task,
    cells: Sequence[Cell],
    out: Path,
    dies_at: int | None = None,
    sharded: bool = False,
) -> list[list[CellResult]]:
    """What each of two processes reports; of those that end as they should."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    out.mkdir(exist_ok=True)
    fork = multiprocessing.get_context("fork")  # torch and the data are there already
    started = [
        fork.Process(target=_process, args=(task, cells, rank, port, out, dies_at, sharded))
        for rank in (0, 1)
    ]
    for one in started:
        one.start()
    for one in started:
        one.join(120)
        one.kill()
    files = [out / f"{rank}.json" for rank in (0, 1)]
    return [
        [CellResult.from_json(one) for one in json.loads(file.read_text())]
        for file in files
        if file.is_file()
    ]


def alone(task: Task, cells: Sequence[Cell]) -> list[CellResult]:
    torch.set_num_threads(1)
    found: list[CellResult] = []
    runner.train_cells(task, cells, found.append, stack=1)
    return found


def the_same(found: CellResult, expected: CellResult) -> None:
    assert found.key == expected.key
    assert found.status == "done", found.error
    np.testing.assert_array_equal(found.rows, expected.rows)
    # Sums in another order, over three epochs of steps that build on one another.
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=2e-5)
    for one, other in zip(found.epochs, expected.epochs, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
    for name in ("accuracy", "macro_f1", "loss"):
        assert found.metrics[name] == pytest.approx(expected.metrics[name], abs=1e-5)


def test_two_processes_give_the_numbers_of_one_and_leave_a_diverged_cell_together(
    task: Task, tmp_path: Path
) -> None:
    first, second = together(task, [DIVERGES, *CELLS], tmp_path / "out")
    assert [one.status for one in first] == ["diverged", "done", "done"]
    for found, expected in zip(first[1:], alone(task, CELLS), strict=True):
        the_same(found, expected)
    assert [one.metrics["accuracy"] for one in second[1:]] == [
        one.metrics["accuracy"] for one in first[1:]
    ]


def test_class_weights_of_two_processes_are_those_of_one(
    reviews: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    lines = reviews.read_text(encoding="utf-8").splitlines()
    uneven = tmp_path / "uneven.csv"
    few = [line for number, line in enumerate(lines) if number < 50 or number % 2]
    uneven.write_text("\n".join(few), encoding="utf-8")
    weighted = task_of_reviews("tweets", tiny_encoder, uneven)
    reference = {**TWEETS.complete(TWEETS.references["paper"]), "class_weights": "balanced"}
    small = {"batch_size": 9, "epochs": 2, "learning_rate": 1e-3, "max_length": 16}
    cells = [Cell(key="weighted", config={**reference, **small}, seed=2, fold=0)]
    first, _ = together(weighted, cells, tmp_path / "out")
    the_same(first[0], alone(weighted, cells)[0])


def test_a_model_shared_out_to_two_processes_gives_the_numbers_of_one(
    task: Task, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first, _ = together(task, CELLS, out, sharded=True)
    for found, expected in zip(first, alone(task, CELLS), strict=True):
        the_same(found, expected)
    held = [int((out / f"{rank}.numbers").read_text()) for rank in (0, 1)]
    together(task, CELLS[1:], out)
    whole = int((out / "0.numbers").read_text())
    assert max(held) < 0.6 * whole, "each holds half of the model"


@pytest.mark.parametrize("sharded", [False, True], ids=["copied", "shared out"])
def test_adapters_are_trained_by_two_processes_as_by_one(
    task: Task, tmp_path: Path, sharded: bool
) -> None:
    pytest.importorskip("peft")
    own = {"lora_rank": 3, "lora_alpha": 2.0, "lora_dropout": 0.1, "learning_rate": 5e-3}
    blocks = {"trainable_blocks": 1, "clip_norm": 0.0}
    cells = [
        Cell(key="adapters", config={**CONFIG, **own}, seed=2, fold=0),
        Cell(key="top block", config={**CONFIG, **own, **blocks}, seed=2, fold=0),
    ]
    first, _ = together(task, cells, tmp_path / "out", sharded=sharded)
    for found, expected in zip(first, alone(task, cells), strict=True):
        the_same(found, expected)


def test_a_process_killed_in_mid_epoch_costs_what_came_after_the_last_checkpoint(
    task: Task, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert together(task, CELLS[:1], out, dies_at=8) == [], "5 steps an epoch: in the second"
    manifest = json.loads((out / "checkpoints" / "uneven" / "manifest.json").read_text())
    assert len(manifest["epochs"]) == 1
    first, _ = together(task, CELLS[:1], out)
    the_same(first[0], alone(task, CELLS[:1])[0])
    assert first[0].epochs[0] == manifest["epochs"][0], "the first epoch was not trained again"
    assert not (out / "checkpoints" / "uneven").exists()


def test_weights_of_uneven_shares_make_the_mean_of_all(tmp_path: Path) -> None:
    """Alone nothing is weighted; what two processes do is seen above."""
    mean = torch.tensor(3.0)
    assert distributed.weighted(mean, 5) is mean
    assert distributed.counted_by(mean, torch.tensor(7), 5) is mean
