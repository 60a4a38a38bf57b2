"""The classifier's loss: PyTorch's own, weighted and smoothed as PyTorch does it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from trainables.finetune import Config
from trainables.losses.class_loss import ClassLoss, class_weights

LABELS = np.array([0, 0, 0, 1, 2, 2])


def config(weights: str, smoothing: float) -> Config:
    return Config(
        classifier="encoder",
        learning_rate=1e-4,
        weight_decay=0.0,
        warmup_fraction=0.0,
        schedule="linear",
        batch_size=4,
        max_length=8,
        epochs=1,
        clip_norm=0.0,
        precision="fp32",
        trainable_blocks=None,
        pooling="cls",
        class_weights=weights,
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("kind", ["none", "balanced"])
def test_it_is_pytorchs_weighted_smoothed_cross_entropy(
    kind: str, smoothing: float, mixed: bool
) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 2])
    loss = ClassLoss(config(kind, smoothing), 3, mixed=mixed)
    loss.learn_labels(LABELS)
    weights = torch.tensor([6 / 9, 6 / 3, 6 / 6]) if kind == "balanced" else None
    expected = functional.cross_entropy(logits, labels, weights, label_smoothing=smoothing)
    assert loss(logits, labels).item() == pytest.approx(expected.item(), rel=1e-6)


def test_at_no_setting_it_is_the_very_same_number() -> None:
    logits, labels = torch.randn(50, 7), torch.randint(7, (50,))
    loss = ClassLoss(config("none", 0.0), 7)
    assert torch.equal(loss(logits, labels), functional.cross_entropy(logits, labels))


def test_balanced_weights_are_scikit_learns_and_a_class_without_rows_has_a_finite_one() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    np.testing.assert_allclose(class_weights(LABELS, 3, "balanced"), expected, rtol=1e-6)
    assert torch.isfinite(class_weights(LABELS, 5, "balanced")).all()
    assert class_weights(LABELS, 3, "none").tolist() == [1, 1, 1]
