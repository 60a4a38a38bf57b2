"""Fine-tuned encoders in a stack: each cell gets what the plain path gives it alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PretrainedConfig,
    PreTrainedModel,
    RobertaConfig,
)

from tests.factories import config, fits_of_stack, stack_cell
from trainables.engine import seeding
from trainables.engine.errors import DivergedError
from trainables.engine.inputs import tokens as batches
from trainables.engine.inputs.ragged import Column, Ragged
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.stacking.cell import StackCell
from trainables.engine.training import loop
from trainables.engine.training.fit import Fit, fit
from trainables.triple_entropy import Config, build

SMALL = {"vocab_size": 24, "max_position_embeddings": 24, "pad_token_id": 0}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    **SMALL,
}
ENCODERS = {
    "bert": BertConfig(**BERT),
    "roberta": RobertaConfig(**{**BERT, "pad_token_id": 1}),
    "electra": ElectraConfig(**BERT, embedding_size=12),
    "distilbert": DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=24, **SMALL),
    "minilm": BertConfig(**{**BERT, "hidden_size": 24, "num_attention_heads": 4}),
}
CONFIG = Config(
    **config(
        "triple_entropy",
        k=3,
        beta=0.6,
        learning_rate=1e-3,
        weight_decay=0.1,
        warmup_fraction=0.1,
        batch_size=8,
        max_length=12,
        epochs=3,
    )
)
ROWS, CLASSES = 50, 3


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tokens(padding: int = 0) -> batches.Tokens:
    """Rows of 2 to 11 tokens; the first tells the class, more often than not."""
    draw = np.random.default_rng(5)
    labels = draw.integers(CLASSES, size=ROWS)
    lengths = draw.integers(2, 12, size=ROWS)
    rows = [draw.integers(6, 24, size=length) for length in lengths]
    for row, label in zip(rows, labels, strict=True):
        row[0] = 3 + label if draw.random() < 0.7 else row[0]
    columns = {"input_ids": Column(torch.from_numpy(np.concatenate(rows)), padding)}
    return batches.Tokens(Ragged(columns, lengths), np.arange(24), lengths, labels)


def pretrained(kind: str, dropout: float) -> PreTrainedModel:
    config: PretrainedConfig = copy.deepcopy(ENCODERS[kind])
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)
    if hasattr(config, "attention_dropout"):
        config.attention_dropout = dropout
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model: PreTrainedModel = AutoModel.from_config(config)
    model.pooler = None
    return model.to(torch.get_default_dtype())


def cell(base: PreTrainedModel, config: Config, seed: int, held_out: range) -> StackCell:
    with seeding.drawing_from(seed, "init"):
        module = build(config, copy.deepcopy(base), CLASSES)
    return stack_cell(module, config, seed, held_out, ROWS)


def together(cells: list[StackCell], data: batches.Tokens) -> list[Any]:
    return fits_of_stack(cells, TokenInputs(data), data.labels)


def alone(one: StackCell, data: batches.Tokens) -> Fit:
    rows = loop.CellData(data, one.train, one.held_out)
    training = loop.Training(one.module, rows, one.config, one.seed)
    return fit(training, lambda *_: {})


def several(base: PreTrainedModel) -> list[StackCell]:
    # 41 and 40 training rows: last batches of 1 and of 8. The third ends an epoch early.
    return [
        cell(base, CONFIG, 2, range(9)),
        cell(base, replace(CONFIG, gamma=0.01, beta=0.9, learning_rate=3e-3), 16, range(9)),
        cell(base, replace(CONFIG, epochs=2, margin=1.0, scale=10.0), 2, range(20, 30)),
        cell(base, replace(CONFIG, clip_norm=0.05, weight_decay=0.0, epochs=4), 7, range(40, 50)),
    ]


@pytest.mark.parametrize("apart", [True, False], ids=["cells stepped apart", "stepped together"])
@pytest.mark.parametrize("kind", ENCODERS)
def test_each_cell_gets_what_it_gets_alone(
    kind: str, apart: bool, double: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1 if apart else 2**40)
    base = pretrained(kind, dropout=0.2)
    data = tokens(base.config.pad_token_id)
    for one, found in zip(several(base), together(several(base), data), strict=True):
        expected = alone(one, data)
        losses = [epoch["train_loss"] for epoch in found.epochs]
        np.testing.assert_allclose(
            losses, [epoch["train_loss"] for epoch in expected.epochs], atol=1e-9
        )
        np.testing.assert_array_equal(found.rows, expected.rows)
        # Handed over as float32.
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-7)


def test_in_float32_predictions_agree_to_four_digits() -> None:
    base = pretrained("bert", dropout=0.2)
    data = tokens()
    for one, found in zip(several(base), together(several(base), data), strict=True):
        np.testing.assert_allclose(found.probabilities, alone(one, data).probabilities, atol=1e-4)


def test_a_diverging_cell_leaves_its_neighbours_bitwise_alone() -> None:
    base = pretrained("bert", dropout=0.1)
    data = tokens()
    calm = together(several(base), data)
    cells = several(base)
    with torch.no_grad():
        cells[1].module.classifier.weight[0, 0] = torch.nan
    wild = together(cells, data)
    assert isinstance(wild[1], DivergedError)
    for number in (0, 2, 3):
        np.testing.assert_array_equal(wild[number].probabilities, calm[number].probabilities)
        assert [e["train_loss"] for e in wild[number].epochs] == [
            e["train_loss"] for e in calm[number].epochs
        ]
