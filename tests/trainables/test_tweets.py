"""The tweet classifier: its equation, what it takes from its training rows, and its epoch."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.tweets import SPACE
from tests.trainables.tasks import task_of
from trainables.engine.cells import assembly, checks, runner
from trainables.engine.cells.cell_context import CellContext
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError, NoMetadataError
from trainables.engine.models import pretrained
from trainables.engine.models.output import Output
from trainables.engine.splits import inner_validation
from trainables.losses.class_loss import class_weights
from trainables.tweets import Config, Scaling, Tweets

SMALL: dict[str, Any] = {
    "max_length": 16,
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "inner_share": 0.25,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def tweets(tmp_path: Path) -> str:
    """120 texts that say nothing of their class, whose likes say all; a third has none."""
    draw = np.random.default_rng(3)
    path = tmp_path / "tweets.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "likes", "noise"])
        for number in range(120):
            likes = int(10 ** (1 + 2 * (number % 2) + draw.random()))
            known = "" if number % 3 == 2 else str(likes)
            words = draw.permutation(["the", "film", "was", "a", "story", "and", "plot"])
            text = f"{' '.join(words.tolist())} {number}"
            rows.writerow([text, ("few", "many")[number % 2], known, draw.random()])
    return str(path)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of("tweets", tiny_encoder, name=str(reviews), text="body", label="verdict")


@pytest.fixture
def calm_encoder(tmp_path: Path, tiny_encoder: Path) -> Path:
    """The tiny encoder without dropout: a cell's draws would depend on its stack."""
    folder = tmp_path / "calm"
    shutil.copytree(tiny_encoder, folder)
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def config(**change: Any) -> dict[str, Any]:
    return {**SPACE.complete(SPACE.references["paper"]), **SMALL, **change}


def train(task: Task, *cells: Cell, stack: int = 1) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, stack=stack, threads=1)
    assert [r.error for r in results if r.error] == []
    return {result.key: result for result in results}


def test_cells_of_other_weights_rates_and_shares_are_one_stack_and_as_alone(
    reviews: Path, calm_encoder: Path
) -> None:
    task = task_of("tweets", calm_encoder, name=str(reviews), text="body", label="verdict")
    changes = ({}, {"class_weights": "balanced", "head_rate": 3.0}, {"inner_share": 0.0})
    cells = [
        Cell(key=str(i), config=config(head_layers=2, **change), seed=2, fold=i)
        for i, change in enumerate(changes)
    ]
    assert len({Trainable.load("tweets").stack_group(Config(**cell.config)) for cell in cells}) == 1
    together = train(task, *cells, stack=3)
    for one in cells:
        alone = train(task, one)[one.key]
        np.testing.assert_allclose(together[one.key].probabilities, alone.probabilities, atol=2e-3)
        assert ("chosen_epoch" in alone.metrics) == (one.config["inner_share"] > 0)
        assert together[one.key].metrics.keys() == alone.metrics.keys()


def test_the_epoch_is_the_best_on_the_rows_apart_and_its_predictions_count(task: Task) -> None:
    result = train(task, Cell(key="a", config=config(epochs=5), seed=2, fold=0))["a"]
    shown = [epoch["inner_class_accuracy"] for epoch in result.epochs]
    chosen = int(result.metrics["chosen_epoch"])
    assert chosen == 1 + int(np.argmax(shown))
    assert result.metrics["inner_class_accuracy"] == max(shown)
    assert result.metrics["accuracy"] == result.epochs[chosen - 1]["accuracy"]
    assert len(result.rows) == len(result.probabilities) == 40


def test_losses_by_step_are_kept_and_change_nothing(task: Task) -> None:
    kept = Cell(key="kept", config=config(step_losses=1), seed=2, fold=0)
    assert Trainable.load("tweets").stack_group(Config(**kept.config)) is None
    plain = Cell(key="plain", config=config(), seed=2, fold=0)
    results = {**train(task, kept), **train(task, plain)}
    np.testing.assert_array_equal(results["kept"].probabilities, results["plain"].probabilities)
    assert results["plain"].curves == {}
    curves = CellResult.from_json(json.loads(json.dumps(results["kept"].to_json()))).curves
    assert set(curves) == {"step_train_loss", "step_valid_loss"}
    steps = [step for step, _ in curves["step_train_loss"]]
    assert steps == list(range(1, len(steps) + 1))
    per_epoch = len(steps) // 3
    # The mean over an epoch's steps is its loss.
    means = np.reshape([loss for _, loss in curves["step_train_loss"]], (3, per_epoch)).mean(axis=1)
    losses = [epoch["train_loss"] for epoch in results["kept"].epochs]
    np.testing.assert_allclose(means, losses, rtol=1e-5)
    sparse = train(task, Cell(key="s", config=config(step_losses=per_epoch), seed=2, fold=0))["s"]
    assert [step for step, _ in sparse.curves["step_valid_loss"]] == [
        1 + per_epoch * epoch for epoch in range(3)
    ]


def test_the_validation_loss_is_that_of_the_rows_kept_apart(task: Task) -> None:
    cell = Cell(key="a", config=config(step_losses=1, epochs=1), seed=2, fold=0)
    bound, data = Config(**cell.config), load_data(task.data)
    training = assembly.training(task, data, cell, bound)
    training.epoch(0)
    step, kept = training.losses.curves["step_valid_loss"][-1]
    assert step == training.steps_per_epoch
    training.score_only(training.data.valid)
    rows, probabilities = training.predict()
    want = -np.log(probabilities[np.arange(len(rows)), data.labels[rows]].astype(float)).mean()
    assert kept == pytest.approx(want, rel=1e-5)


def test_held_out_labels_choose_nothing(
    tmp_path: Path, reviews: Path, tiny_encoder: Path, task: Task
) -> None:
    # The same file with the labels of fold 0 turned round: whatever is trained and chosen must be
    # the same, though every score of the held-out rows is another.
    data = load_data(task.data)
    _, held_out, _ = inner_validation.apart(data, task.split, 2, 0, 0.25)
    rows = list(csv.reader(reviews.read_text(encoding="utf-8").splitlines()))
    for row in held_out:
        rows[1 + row][1] = {"praise": "blame", "blame": "praise"}[rows[1 + row][1]]
    path = tmp_path / "turned.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    turned = task_of("tweets", tiny_encoder, name=str(path), text="body", label="verdict")
    same_rows = inner_validation.apart(data, task.split, 2, 0, 0.25)
    given = []
    for one in (task, turned):
        # Folds are stratified by label: both are given the first one's rows.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inner_validation, "apart", lambda *_: same_rows)
            given.append(train(one, Cell(key="a", config=config(epochs=4), seed=2, fold=0))["a"])
    assert given[0].metrics["chosen_epoch"] == given[1].metrics["chosen_epoch"]
    np.testing.assert_array_equal(given[0].probabilities, given[1].probabilities)
    assert given[0].metrics["accuracy"] == pytest.approx(1 - given[1].metrics["accuracy"])


@pytest.mark.parametrize("blocks", [None, 1])
def test_metadata_are_heard_where_the_text_says_nothing(
    tweets: str, tiny_encoder: Path, blocks: int | None
) -> None:
    task = task_of("tweets", tiny_encoder, name=tweets, metadata=("likes", "noise"))
    base = config(epochs=6, head_rate=10.0, trainable_blocks=blocks)
    cells = [
        Cell(key=kind, config={**base, "metadata": kind}, seed=2, fold=1)
        for kind in ("none", "log")
    ]
    found = train(task, *cells)
    # A third of the values is missing, and of these rows nothing is known.
    assert found["log"].metrics["matthews"] > 0.5 > found["none"].metrics["matthews"] + 0.2


def test_metadata_are_scaled_on_the_rows_that_are_trained_on(
    tweets: str, tiny_encoder: Path
) -> None:
    task = task_of("tweets", tiny_encoder, name=tweets, metadata=("likes",))
    data = load_data(task.data)
    cell = Cell(key="a", config=config(metadata="log"), seed=2, fold=1)
    ready = assembly.stack_cell(task, data, cell, Config(**cell.config))
    assert isinstance(ready.module, Tweets)
    assert isinstance(ready.module.scaling, Scaling)
    everyone = assembly.tokens(task, data, ready.config).inputs.padded(np.arange(len(data)))
    scaled = ready.module.scaling(everyone["metadata"]).double().numpy()
    assert data.metadata is not None
    likes = np.log1p(data.metadata.values[:, 0])
    own = likes[ready.train]
    expected = (likes - np.nanmean(own)) / np.nanstd(own)
    np.testing.assert_allclose(scaled[:, 0], np.nan_to_num(expected), atol=1e-5)
    np.testing.assert_array_equal(scaled[:, 1], np.isnan(likes))
    assert abs(np.nanmean(expected)) > 1e-4, "other rows would have given another scale"


def test_a_column_that_never_changes_in_training_is_not_heard() -> None:
    rows = torch.tensor([[2.0, 1.0, 0, 0], [2.0, 3.0, 0, 0]])
    assert Scaling(rows)(torch.tensor([[9.0, 2.0, 0, 0]])).tolist() == [[0, 0, 0, 0]]


class Words(nn.Module):
    """An encoder that gives back what it is given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.config = type("C", (), {"hidden_size": width, "initializer_range": 0.02})()

    def forward(self, states: Tensor, attention_mask: Tensor) -> Any:
        return type("O", (), {"last_hidden_state": states})()


def head(settings: dict[str, Any], labels: np.ndarray, classes: int = 3) -> Tweets:
    context = CellContext(
        network=Words(4),  # type: ignore[arg-type]
        pooler=(torch.randn(4, 4), torch.randn(4)),
        labels=labels,
        metadata=None,
    )
    return Tweets(Config(**settings), context, classes)


def inputs(rows: int) -> dict[str, Tensor]:
    return {"states": torch.randn(rows, 5, 4), "attention_mask": torch.ones(rows, 5).long()}


def test_loss_and_logits_are_the_equation_in_float64() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    torch.manual_seed(0)
    module = head(config(class_weights="balanced", head_rate=2.5, head_layers=2), labels).double()
    given = inputs(6)
    given["states"] = given["states"].double()
    output: Output = module(given, torch.as_tensor(labels))
    assert module.pooler is not None
    pooler, (first, last) = module.pooler, list(module.head)
    logits, losses, weights = [], [], []
    for row, label in enumerate(labels):
        pooled = np.tanh(
            pooler.weight.detach().numpy() @ given["states"][row, 0].numpy()
            + pooler.bias.detach().numpy()
        )
        hidden = 2.5 * (first.weight.detach().numpy() @ pooled + first.bias.detach().numpy())
        one = 2.5 * (
            last.weight.detach().numpy() @ np.maximum(hidden, 0) + last.bias.detach().numpy()
        )
        logits.append(one)
        weights.append(6 / (3 * (labels == label).sum()))
        losses.append(np.log(np.exp(one).sum()) - one[label])
    np.testing.assert_allclose(output.logits.detach().numpy(), logits, rtol=1e-12)
    expected = np.dot(weights, losses) / np.sum(weights)
    # Logits reach the loss as float32, which is what mixed precision needs.
    assert output.loss.item() == pytest.approx(expected, rel=1e-5)
    torch_s = functional.cross_entropy(
        output.logits, torch.as_tensor(labels), weight=class_weights(labels, 3, "balanced").double()
    )
    assert output.loss.item() == pytest.approx(torch_s.item(), rel=1e-5)


def test_a_head_rate_is_adam_with_a_faster_head() -> None:
    labels = torch.tensor([0, 1, 2, 2])
    batch = inputs(4)
    moved = []
    for rate in (1.0, 8.0):
        torch.manual_seed(1)
        module = head(config(head_rate=rate, pooling="cls"), labels.numpy())
        plain = module.head[0].weight.detach() * rate
        faster = 1.0 if rate > 1 else 8.0  # the same in the other's words
        groups = [{"params": [p], "lr": 0.01 * faster} for p in module.parameters()]
        optimizer = torch.optim.Adam(groups, eps=1e-30)
        for _ in range(5):
            optimizer.zero_grad()
            module(batch, labels).loss.backward()
            optimizer.step()
        moved.append((plain, module.head[0].weight.detach() * rate))
    torch.testing.assert_close(moved[0][0], moved[1][0])
    torch.testing.assert_close(moved[0][1], moved[1][1], rtol=1e-3, atol=1e-4)
    assert (moved[0][1] - moved[0][0]).abs().mean() > 0.1


def test_balanced_weights_have_mean_1_over_the_rows_and_level_the_classes() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2])
    weights = class_weights(labels, 3, "balanced").double().numpy()
    assert weights[labels].mean() == pytest.approx(1)
    assert weights * np.bincount(labels) == pytest.approx([10 / 3] * 3)
    assert class_weights(labels, 3, "none").tolist() == [1, 1, 1]


def test_the_pooler_is_the_checkpoints_own(task: Task, tiny_encoder: Path) -> None:
    from transformers import AutoModel

    data = load_data(task.data)
    whole = AutoModel.from_pretrained(tiny_encoder).eval()
    module = assembly.module(task, data, Config(**config()), seed=2).eval()
    assert isinstance(module, Tweets)
    assert module.pooler is not None
    torch.testing.assert_close(module.pooler.weight, whole.pooler.dense.weight)
    given = pretrained.load_tokenizer(str(tiny_encoder))(["the film was good"], return_tensors="pt")
    with torch.no_grad():
        expected = whole(**given).pooler_output
        tokens = whole(**given).last_hidden_state
    torch.testing.assert_close(module._pooled(tokens, dict(given)), expected)


def test_a_pooler_that_was_not_pretrained_is_drawn_from_the_seed(
    tmp_path: Path, tiny_encoder: Path, task: Task
) -> None:
    from transformers import AutoModel, AutoTokenizer

    whole = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    whole.save_pretrained(tmp_path / "bare")
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path / "bare")
    assert pretrained.pretrained_pooler(str(tmp_path / "bare")) is None
    assert pretrained.pretrained_pooler(str(tiny_encoder)) is not None
    bare = replace(task, model=str(tmp_path / "bare"))
    data, settings = load_data(task.data), Config(**config())
    drawn = [assembly.module(bare, data, settings, seed).pooler.weight for seed in (2, 2, 16)]  # type: ignore[union-attr]
    torch.testing.assert_close(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])  # type: ignore[arg-type]


def test_configs_out_of_range_are_named_together() -> None:
    wrong = {"head_layers": 0, "class_weights": "some", "inner_share": 1.0, "metadata": "root"}
    message = "head_layers at least 1.*class_weights one of.*metadata one of.*inner_share in"
    with pytest.raises(ConfigError, match="step_losses at least 0, got -1"):
        Config(**config(step_losses=-1))
    with pytest.raises(ConfigError, match=message):
        Config(**config(**wrong))


def test_metadata_without_columns_are_refused_before_anything_is_trained(task: Task) -> None:
    with pytest.raises(NoMetadataError, match=r"metadata=log joins numeric columns.*--metadata"):
        checks.check(task, load_data(task.data), [Config(**config(metadata="log"))])


def test_the_space_is_the_papers() -> None:
    paper = SPACE.complete(SPACE.references["paper"])
    assert (paper["max_length"], paper["epochs"], paper["head_layers"]) == (256, 20, 1)
    assert (SPACE.objective, SPACE.baseline, len(SPACE)) == ("matthews", "paper", 18)
    assert {Config(**SPACE.complete(point)).pooling for point in SPACE.grid()} == {"pooler"}
