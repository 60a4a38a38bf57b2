"""The final model: what is frozen stays as it was, and what is read is what classifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.encoder_linear import SPACE
from tests.trainables.tasks import task_of_reviews
from trainables.analysis import cam
from trainables.encoder_linear import Config
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError
from trainables.engine.inputs import tokens as batches
from trainables.engine.models import pretrained as encoder
from trainables.engine.refit import attribution
from trainables.engine.splits import folds

DEPTHS = [0, 1, 2, None]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("encoder_linear", tiny_encoder, reviews)


def config(blocks: int | None, **change: Any) -> dict[str, Any]:
    small = {"max_length": 16, "learning_rate": 3e-3, "epochs": 2}
    return {
        **SPACE.complete(SPACE.references["frozen"]),
        **small,
        "trainable_blocks": blocks,
    } | change


def train(task: Task, *cells: Cell, stack: int = 1) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, stack=stack, threads=1)
    assert [r.error for r in results if r.error] == []
    return {result.key: result for result in results}


@pytest.mark.parametrize("blocks", DEPTHS)
def test_a_stack_gives_what_each_cell_gives_alone(task: Task, blocks: int | None) -> None:
    cells = [Cell(key=f"{fold}", config=config(blocks), seed=2, fold=fold) for fold in (0, 1)]
    together = train(task, *cells, stack=2)
    for one in cells:
        alone = train(task, one)[one.key]
        np.testing.assert_allclose(together[one.key].probabilities, alone.probabilities, atol=0.02)


def test_as_many_blocks_as_there_are_is_all_and_one_fits_better_than_none(task: Task) -> None:
    data = load_data(task.data)
    rows, _ = folds.held_out(data, task.split, 2, 0)
    assert len(rows) == 80
    losses = {
        blocks: train(task, Cell(key="a", config=config(blocks, epochs=6), seed=2, fold=0))[
            "a"
        ].epochs[-1]["train_loss"]
        for blocks in DEPTHS
    }
    assert losses[2] == pytest.approx(losses[None], rel=1e-5)
    assert losses[1] < losses[0]


@pytest.mark.parametrize("blocks", DEPTHS)
def test_the_reader_gives_the_trained_models_own_logits(task: Task, blocks: int | None) -> None:
    data = load_data(task.data)
    given = attribution.refit(task, data, config(blocks), seed=2)
    model = encoder.load_encoder(task.model)
    (parts,) = given.parts(["the film was unheardof"])  # a word that the data do not hold
    inputs = encoder.load_tokenizer(task.model)("the film was unheardof", return_tensors="pt")
    with torch.no_grad():
        pretrained = model(**inputs).last_hidden_state[0].numpy()
    frozen = np.allclose(parts.vectors, pretrained, atol=1e-4)
    assert frozen == (blocks == 0)
    total = cam.scores(parts, given.layer).sum(axis=1)
    np.testing.assert_allclose(
        total, parts.divisor * (given.layer.logits(parts) - given.layer.bias), atol=1e-4
    )


@pytest.mark.parametrize("blocks", [0, 1, None])
def test_the_reader_scores_as_a_cell_does(task: Task, blocks: int | None) -> None:
    # A cell that is trained on all but three rows classifies nearly as one trained on all: what is
    # read from the refit must not be another model.
    data = load_data(task.data)
    given = attribution.refit(task, data, config(blocks, epochs=8), seed=2)
    right = [
        int(given.layer.logits(parts).argmax()) == label
        for parts, label in zip(given.parts(data.texts), data.labels, strict=True)
    ]
    tokens = batches.tokenised(data, task.model, 16)
    assert len(tokens.lengths) == len(right)
    assert np.mean(right) > (0.7 if blocks == 0 else 0.95)


def test_the_space_goes_from_none_to_all() -> None:
    assert SPACE.axes[0].values == (0, 1, 2, 4, None)
    with pytest.raises(ConfigError, match="trainable_blocks at least 0"):
        Config(**{**config(0), "trainable_blocks": -1})
