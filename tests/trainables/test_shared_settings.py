"""Settings that every trainable of an encoder has: each in the numbers it must leave, or change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from search.errors import InputError
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from spaces.finetune import SPACE
from tests.trainables.tasks import task_of_reviews
from trainables.contrastive import Config as Contrastive
from trainables.engine.cells import assembly, runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult, DataRef, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError
from trainables.engine.inputs.ragged import Ragged
from trainables.engine.refit import network
from trainables.engine.training.epoch_choice import Choice

SMALL: dict[str, Any] = {"max_length": 16, "epochs": 2, "learning_rate": 3e-3, "batch_size": 16}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules in float64."""
    module, padded = assembly.module, Ragged.padded

    def wide(
        own: Ragged, rows: npt.NDArray[np.int64] | Tensor, length: int | None = None
    ) -> dict[str, Tensor]:
        batch = padded(own, rows, length)
        return {n: one.double() if one.is_floating_point() else one for n, one in batch.items()}

    monkeypatch.setattr(Ragged, "padded", wide)
    monkeypatch.setattr(assembly, "module", lambda *given: module(*given).double())


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("finetune", tiny_encoder, reviews)


def usual(**change: Any) -> dict[str, Any]:
    return {**SPACE.complete(SPACE.references["usual"]), **SMALL, **change}


def trained(task: Task, *configs: Mapping[str, Any], stack: int = 1) -> list[CellResult]:
    cells = [
        Cell(key=str(number), config=config, seed=2, fold=0)
        for number, config in enumerate(configs)
    ]
    found: dict[str, CellResult] = {}
    runner.train_cells(
        task, cells, lambda one: found.__setitem__(one.key, one), stack=stack, threads=1
    )
    assert [one.error for one in found.values() if one.error] == []
    return [found[cell.key] for cell in cells]


def the_same(one: CellResult, other: CellResult, gap: float = 1e-5) -> None:
    np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=0, atol=gap)
    assert len(one.epochs) == len(other.epochs)


@pytest.mark.parametrize(
    "change",
    [{"accumulation": 3}, {"checkpointing": True}, {"accumulation": 2, "checkpointing": True}],
)
def test_what_saves_memory_changes_no_number(
    change: dict[str, Any], task: Task, double: None
) -> None:
    # With dropout: each pass over a row draws what the first one drew.
    plain, other = trained(task, usual(), usual(**change))
    the_same(plain, other)
    entry = Trainable.load("finetune")
    assert entry.stack_group(entry.bind(usual(**change))) is None
    assert entry.stack_group(entry.bind(usual())) is not None


def test_a_layers_rate_falls_from_block_to_block(task: Task) -> None:
    config = Trainable.load("finetune").bind(usual(layer_decay=0.5))
    training = assembly.training(
        task, load_data(task.data), Cell(key="a", config={}, seed=2, fold=0), config
    )
    names = {
        id(p): name
        for name, p in training.accelerator.unwrap_model(training.module).named_parameters()
    }
    rates = {
        names[id(p)]: group["initial_lr"] / config.learning_rate
        for group in training.optimizer.param_groups
        for p in group["params"]
    }
    assert rates["classifier.weight"] == rates["pooler.dense.weight"] == 1
    of_blocks = {
        name.split(".layer.")[1][0]: rate for name, rate in rates.items() if ".layer." in name
    }
    assert of_blocks == {"1": 0.5, "0": 0.25}
    assert {rate for name, rate in rates.items() if "embeddings" in name} == {0.125}
    assert len(rates) == len(names)


@pytest.mark.parametrize("apart", [0, 10**9])
def test_cells_of_a_stack_have_decays_of_their_own(
    apart: int, task: Task, double: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", apart)
    configs = [usual(layer_decay=decay, weight_decay=0.1) for decay in (1.0, 0.7, 0.3)]
    alone = trained(task, *configs)
    for one, other in zip(trained(task, *configs, stack=3), alone, strict=True):
        the_same(one, other)
    assert np.abs(alone[0].probabilities - alone[2].probabilities).max() > 1e-3


def test_patience_ends_a_cell_and_its_stack_goes_on(task: Task, double: None) -> None:
    # A rate at which nothing is learnt: the first epoch stays the best.
    kept = {"inner_share": 0.25, "epochs": 6}
    configs = [
        usual(**kept, patience=2, learning_rate=1e-12),
        usual(**kept, learning_rate=1e-12),
        usual(epochs=3),
    ]
    alone = trained(task, *configs)
    assert [len(one.epochs) for one in alone] == [3, 6, 3]
    assert alone[0].metrics["chosen_epoch"] == 1
    np.testing.assert_array_equal(alone[0].probabilities, alone[1].probabilities)
    for one, other in zip(trained(task, *configs, stack=3), alone, strict=True):
        the_same(one, other)


def test_patience_counts_epochs_without_a_better_one() -> None:
    choice = Choice(np.array([0, 1]))
    nothing = np.zeros((0, 2), np.float32)
    right, wrong = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.9, 0.1], [0.9, 0.1]])
    over = []
    for epoch, shares in enumerate([wrong, right, right, wrong], start=1):
        choice.see(epoch, nothing, shares.astype(np.float32))
        over.append(choice.over(epoch, 2))
    assert over == [False, False, False, True]
    assert not choice.over(9, 0)
    assert not Choice(np.zeros(0, np.int64)).over(9, 2)


def test_a_winner_is_refitted_with_all_of_them(task: Task) -> None:
    settings = {"accumulation": 2, "checkpointing": True, "layer_decay": 0.9}
    kept = {"inner_share": 0.25, "patience": 1, "epochs": 4}
    config = usual(**settings, **kept, class_weights="balanced", label_smoothing=0.1)
    found = network.train(task, load_data(task.data), config, 2)
    assert 2 <= len(found.epochs) <= 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"patience": 2}, "patience 0 where inner_share is 0"),
        ({"patience": -1}, "patience at least 0"),
        ({"layer_decay": 0.0}, r"layer_decay in \(0, 1\]"),
        ({"accumulation": 0}, "accumulation at least 1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Trainable.load("finetune").bind(usual(**change))


def test_a_loss_of_the_whole_batch_takes_no_parts(reviews: Path, tiny_encoder: Path) -> None:
    from spaces.contrastive import SPACE as CONTRASTIVE

    config = CONTRASTIVE.complete(CONTRASTIVE.references["lcl"])
    assert dataclasses.fields(Contrastive(**config))
    with pytest.raises(ConfigError, match="accumulation 1, since its loss compares all rows"):
        Contrastive(**{**config, "accumulation": 2})
    spec = make_spec(
        data=DataRef(name=str(reviews)),
        model=str(tiny_encoder),
        fix={"accumulation": 2},
        resources={"workers_per_trial": 2},
    )
    with pytest.raises(InputError, match="2 workers share each batch already"):
        prepare(spec)
