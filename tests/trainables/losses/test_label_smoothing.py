"""Equation 1 of the Factify paper, and that it is not PyTorch's label smoothing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from trainables.losses.label_smoothing import smoothed_cross_entropy


def oracle(logits: list[list[float]], labels: list[int], epsilon: float) -> float:
    """Equation 1 written out, row by row and class by class."""
    total = 0.0
    for row, target in zip(logits, labels, strict=True):
        norm = math.log(sum(math.exp(x) for x in row))
        for i, x in enumerate(row):
            y = 1 - epsilon if i == target else epsilon / (len(row) - 1)
            total -= y * (x - norm)
    return total / len(logits)


@settings(deadline=None, max_examples=30)
@given(
    classes=st.integers(2, 6),
    rows=st.integers(1, 5),
    epsilon=st.floats(0, 0.99),
    seed=st.integers(),
)
def test_it_is_equation_1(classes: int, rows: int, epsilon: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed % 2**31)
    logits = 3 * torch.randn(rows, classes, generator=draw, dtype=torch.float64)
    labels = torch.randint(classes, (rows,), generator=draw)
    found = smoothed_cross_entropy(logits, labels, epsilon)
    assert found.item() == pytest.approx(oracle(logits.tolist(), labels.tolist(), epsilon))


def test_a_case_by_hand() -> None:
    # Two classes with equal logits: p = 1/2 each, so the loss is ln 2 whatever epsilon is. Three
    # classes with p = (1/2, 1/4, 1/4), target 0, epsilon 0.1:
    # 0.9 ln 2 + 2 * 0.05 ln 4 = 1.1 ln 2.
    same = smoothed_cross_entropy(torch.zeros(1, 2), torch.tensor([1]), 0.1)
    assert same.item() == pytest.approx(math.log(2))
    logits = torch.tensor([[math.log(2), 0.0, 0.0]])
    three = smoothed_cross_entropy(logits, torch.tensor([0]), 0.1)
    assert three.item() == pytest.approx(1.1 * math.log(2))


def test_it_is_pytorchs_with_another_epsilon_and_not_with_the_same() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(8, 5), torch.randint(5, (8,))
    ours = smoothed_cross_entropy(logits, labels, 0.1)
    same = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    other = functional.cross_entropy(logits, labels, label_smoothing=0.1 * 5 / 4)
    assert ours.item() == pytest.approx(other.item(), rel=1e-6)
    assert abs(ours.item() - same.item()) > 1e-3


def test_without_smoothing_it_is_cross_entropy() -> None:
    torch.manual_seed(1)
    logits, labels = torch.randn(8, 5), torch.randint(5, (8,))
    expected = functional.cross_entropy(logits, labels)
    assert smoothed_cross_entropy(logits, labels, 0.0).item() == pytest.approx(expected.item())


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        smoothed_cross_entropy(torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64), 0.1)
