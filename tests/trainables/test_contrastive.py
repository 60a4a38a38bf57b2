"""Contrastive fine-tuning: the sum of its losses, its views, its stacks, its space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, BertConfig

from spaces.contrastive import SPACE
from tests.trainables.tasks import task_of_reviews
from trainables.contrastive import Config, Contrastive, build
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.errors import ConfigError
from trainables.losses.label_aware_contrastive import LabelAwareContrastiveLoss
from trainables.losses.supervised_contrastive import SupervisedContrastiveLoss

BERT = BertConfig(
    vocab_size=20,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=24,
)
LOSSES = ["none", "scl", "lcl"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def config(loss: str, **change: Any) -> dict[str, Any]:
    small = {"max_length": 16, "learning_rate": 2e-3, "epochs": 2, "batch_size": 16}
    reference = {"none": "cross-entropy"}.get(loss, loss)
    return {**SPACE.complete(SPACE.references[reference]), **small, "pooling": "mean", **change}


def module(loss: str, **change: Any) -> Contrastive:
    with torch.random.fork_rng():
        torch.random.manual_seed(5)
        return build(Config(**config(loss, **change)), AutoModel.from_config(BERT), 3)


def batch() -> tuple[dict[str, Tensor], Tensor]:
    """Four texts, then their four second views."""
    ids = torch.randint(5, 20, (8, 6), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    return {"input_ids": ids, "attention_mask": mask}, torch.tensor([0, 1, 2, 1])


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_lambda_cross_entropy_and_the_rest_of_the_other(
    loss: str, pooling: str
) -> None:
    made = module(loss, ce_weight=0.3, temperature=0.5, pooling=pooling)
    for part in made.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    inputs, labels = batch()
    given = made.train()(inputs, labels)
    twice = torch.cat([labels, labels])
    tokens = made.encoder(**inputs).last_hidden_state
    if pooling == "cls":
        pooled = tokens[:, 0]
    else:
        real = inputs["attention_mask"].unsqueeze(-1)
        pooled = (tokens * real).sum(dim=1) / real.sum(dim=1)
    logits = made.classifier(pooled)
    cross = functional.cross_entropy(logits, twice)
    want = cross
    if loss == "scl":
        want = 0.3 * cross + 0.7 * SupervisedContrastiveLoss(0.5)(pooled, twice)
    if loss == "lcl":
        assert made.weighting is not None
        _, confused = made.weighting.classify(inputs)
        lcl = LabelAwareContrastiveLoss(0.5)(pooled, twice, confused)
        want = 0.3 * cross + 0.7 * lcl + 0.3 * functional.cross_entropy(confused, twice)
    torch.testing.assert_close(given.loss, want)
    torch.testing.assert_close(given.logits, logits)


def test_all_losses_start_from_one_classifier_and_lcl_has_a_second_encoder_of_its_own() -> None:
    made = {loss: module(loss) for loss in LOSSES}
    first = made["none"].classifier.weight
    assert all(torch.equal(one.classifier.weight, first) for one in made.values())
    second = made["lcl"].weighting
    assert second is not None
    assert not torch.equal(second.classifier.weight, first)
    shared = {id(p) for p in second.parameters()} & {
        id(p) for p in made["lcl"].encoder.parameters()
    }
    assert shared == set()
    made["lcl"].train()(*batch()).loss.backward()
    without = {name for name, p in second.named_parameters() if p.grad is None}
    assert all("pooler" in name for name in without)


def test_scoring_reads_one_view_and_no_second_network() -> None:
    made = module("lcl").eval()
    made.weighting = None  # it would raise if it were asked
    inputs, labels = batch()
    one = {name: value[:4] for name, value in inputs.items()}
    given = made(one, labels)
    assert given.logits.shape == (4, 3)
    torch.testing.assert_close(
        given.loss, made.ce_weight * functional.cross_entropy(given.logits, labels)
    )


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("contrastive", tiny_encoder, reviews)


def train(task: Task, *cells: Cell, stack: int = 1) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, stack=stack, threads=1)
    assert [r.error for r in results if r.error] == []
    return {result.key: result for result in results}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_stack_gives_what_each_cell_gives_alone(task: Task, loss: str) -> None:
    # Cells of a stack may differ in weight and temperature.
    settings = [{"ce_weight": 0.5, "temperature": 0.3}, {"ce_weight": 0.2, "temperature": 0.1}]
    cells = [
        Cell(key=f"{fold}", config=config(loss, epochs=1, **settings[fold]), seed=2, fold=fold)
        for fold in (0, 1)
    ]
    together = train(task, *cells, stack=2)
    for one in cells:
        alone = train(task, one)[one.key]
        np.testing.assert_allclose(together[one.key].probabilities, alone.probabilities, atol=0.03)
        assert together[one.key].epochs[0]["train_loss"] == pytest.approx(
            alone.epochs[0]["train_loss"], rel=0.03
        )


@pytest.mark.parametrize("loss", ["scl", "lcl"])
def test_it_learns(task: Task, loss: str) -> None:
    result = train(task, Cell(key="a", config=config(loss, epochs=5), seed=2, fold=0))["a"]
    losses = [epoch["train_loss"] for epoch in result.epochs]
    assert losses[-1] < losses[0]
    assert result.metrics["accuracy"] > 0.9
    assert 0 <= result.metrics["entropy"] <= 1


@pytest.mark.parametrize("change", [{"views": "masked"}, {"views": "one"}, {"trainable_blocks": 1}])
def test_other_views_and_frozen_blocks_train(task: Task, change: dict[str, Any]) -> None:
    result = train(task, Cell(key="a", config=config("lcl", **change), seed=2, fold=0))["a"]
    assert np.isfinite([epoch["train_loss"] for epoch in result.epochs]).all()
    assert len(result.rows) == 40


def test_a_second_view_that_is_not_there_is_refused(task: Task) -> None:
    results: list[CellResult] = []
    cell = Cell(key="a", config=config("scl", views="second-text"), seed=2, fold=0)
    runner.train_cells(task, [cell], results.append, stack=1)
    assert results[0].status == "failed"
    assert "give its column with --text-b" in str(results[0].error)


def test_faults_are_named() -> None:
    with pytest.raises(ConfigError, match="loss one of none, scl, lcl, got 'sc'"):
        Config(**{**config("none"), "loss": "sc"})
    with pytest.raises(ConfigError, match=r"ce_weight in \(0, 1\], got 0.*views one of one"):
        Config(**config("scl", ce_weight=0, views="two"))


def test_the_space_is_the_authors_and_cross_entropy_is_one_config_whatever_it_is_weighed() -> None:
    axes = {axis.name: axis.values for axis in SPACE.axes}
    assert axes["loss"] == ("none", "scl", "lcl")
    assert axes["ce_weight"] == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert axes["temperature"] == (0.1, 0.3, 0.5)
    plain = SPACE.active(SPACE.references["cross-entropy"])
    assert not {"ce_weight", "temperature"} & set(plain)
    assert (plain["learning_rate"], plain["batch_size"], plain["epochs"]) == (2e-5, 10, 5)
    assert (plain["weight_decay"], plain["clip_norm"], plain["schedule"]) == (0.01, 1.0, "linear")
    lcl = SPACE.references["lcl"]
    assert (lcl["ce_weight"], lcl["temperature"]) == (0.5, 0.3)
