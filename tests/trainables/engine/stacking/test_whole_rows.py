"""Batches without padding: attention without a mask has the numbers of attention with one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.trainables.engine.stacking import test_stack_encoders as encoders
from trainables.engine.inputs.ragged import Column, Ragged
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.training import dropout as drops

CUT = 8


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def cut_tokens() -> Tokens:
    """Rows of which most are as long as the longest may be, as where long texts are cut."""
    draw = np.random.default_rng(5)
    lengths = np.minimum(draw.integers(4, 20, size=encoders.ROWS), CUT)
    columns = {
        "input_ids": Column(torch.from_numpy(draw.integers(3, 24, size=int(lengths.sum()))), 0)
    }
    labels = draw.integers(encoders.CLASSES, size=encoders.ROWS)
    return Tokens(Ragged(columns, lengths), np.arange(24), lengths, labels)


def trained(dropout: float) -> tuple[list[float], list[Any]]:
    data = cut_tokens()
    members = encoders.several(encoders.pretrained("bert", dropout))[:2]
    training = StackTraining(members, TokenInputs(data), data.labels)
    losses = [value for epoch in range(2) for value in training.epoch(epoch).tolist()]
    return losses, training.predict()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_mask_that_masks_nothing_is_left_out(
    dropout: float, double: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[bool] = []

    def seen(attend: Any) -> Any:
        def attending(*given: Any, **named: Any) -> Any:
            masked.append(given[3] is not None)
            return attend(*given, **named)

        return attending

    # `drawing` puts the one or the other in torch's place.
    for place, name in (
        (functional, "scaled_dot_product_attention"),
        (drops, "_torch_attention"),
        (drops, "_attention"),
    ):
        monkeypatch.setattr(place, name, seen(getattr(place, name)))
    losses, probabilities = trained(dropout)
    assert set(masked) == {True, False}, "of some batches a row is padded, of others none"
    monkeypatch.undo()
    monkeypatch.setattr(TokenInputs, "whole", lambda *_: False)
    expected, others = trained(dropout)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    for one, other in zip(probabilities, others, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
