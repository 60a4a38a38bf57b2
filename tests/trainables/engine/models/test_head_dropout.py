"""Whole heads are dropped, row by row, and weights keep their names."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, DistilBertConfig

from trainables.engine.errors import ModelError
from trainables.engine.models import head_dropout
from trainables.engine.models.head_dropout import HeadDropout

HEADS, WIDTH = 4, 3


def test_heads_are_left_out_by_the_row_and_the_others_scaled_by_the_number_kept() -> None:
    torch.manual_seed(0)
    values = torch.randn(4_000, 2, HEADS * WIDTH, dtype=torch.float64)
    dropped = HeadDropout(0.3, HEADS).train()(values)
    factor = (dropped / values).unflatten(-1, (HEADS, WIDTH)).numpy()
    of_head = factor[:, 0, :, 0]
    # One factor for each row and head, whatever the token.
    np.testing.assert_allclose(factor, of_head[:, None, :, None].repeat(2, 1).repeat(WIDTH, 3))
    kept = of_head > 0
    np.testing.assert_allclose(of_head, kept * HEADS / kept.sum(axis=1, keepdims=True))
    # Rows that would lose all heads, 0.8%, keep all.
    expected = 0.7 + 0.3**HEADS
    assert kept.mean() == pytest.approx(expected, abs=0.015)  # the standard deviation is 0.004


def test_nothing_is_dropped_in_evaluation() -> None:
    values = torch.randn(5, 2, HEADS * WIDTH)
    assert torch.equal(HeadDropout(0.9, HEADS).eval()(values), values)


@pytest.mark.parametrize(
    "made",
    [
        BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=4),
        DistilBertConfig(vocab_size=9, dim=8, n_layers=2, n_heads=4, hidden_dim=8),
    ],
    ids=lambda made: str(made.model_type),
)
def test_every_attention_of_an_encoder_drops_and_keeps_its_weights(made: object) -> None:
    encoder = AutoModel.from_config(made).eval()
    names = list(encoder.state_dict())
    tokens = torch.arange(1, 7)[None].repeat(3, 1)
    before = encoder(input_ids=tokens).last_hidden_state
    layers = head_dropout.add(encoder, 0.5)
    assert len(layers) == 2
    assert list(encoder.state_dict()) == names
    assert torch.equal(encoder(input_ids=tokens).last_hidden_state, before)
    for layer in layers:
        layer.train()
    assert not torch.equal(encoder(input_ids=tokens).last_hidden_state, before)


def test_a_model_without_known_heads_is_refused() -> None:
    with pytest.raises(ModelError, match="no attention heads in a Linear"):
        head_dropout.add(nn.Linear(2, 2), 0.1)
