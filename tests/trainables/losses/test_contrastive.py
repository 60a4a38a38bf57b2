"""The contrastive losses against their formulas as loops, a peer library, and their own limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss
from torch import Tensor, nn
from torch.func import functional_call

from trainables.losses.info_nce import InfoNCELoss
from trainables.losses.label_aware_contrastive import LabelAwareContrastiveLoss
from trainables.losses.supervised_contrastive import SupervisedContrastiveLoss

CLASSES, ROWS, WIDTH, TAU = 4, 7, 5, 0.3
LABELS = torch.tensor([0, 1, 0, 2, 1, 0, 3])  # classes 2 and 3 have one row: no positive
Vectors = list[list[float]]


def _random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _wide(make: Callable[[], nn.Module]) -> nn.Module:
    # Made in float64, not turned into it: the temperature is a buffer.
    torch.set_default_dtype(torch.float64)
    try:
        return make()
    finally:
        torch.set_default_dtype(torch.float32)


def scl() -> nn.Module:
    return _wide(lambda: SupervisedContrastiveLoss(TAU))


def lcl() -> nn.Module:
    return _wide(lambda: LabelAwareContrastiveLoss(TAU))


def info_nce(positives: bool = True) -> nn.Module:
    return _wide(lambda: InfoNCELoss(TAU, positives))


def _cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def _supervised_loop(h: Vectors, y: list[int], w: Vectors | None) -> float:
    """Mean over i with positives of -1/|P| sum_p w_i,yi log(e^ip / sum_k w_i,yk e^ik)."""
    losses = []
    for i in range(len(h)):
        positives = [p for p in range(len(h)) if p != i and y[p] == y[i]]
        if not positives:
            continue
        below = 0.0
        for k in range(len(h)):
            if k != i:
                weight = 1.0 if w is None else w[i][y[k]]
                below += weight * math.exp(_cosine(h[i], h[k]) / TAU)
        outside = 1.0 if w is None else w[i][y[i]]
        total = 0.0
        for p in positives:
            total += outside * math.log(math.exp(_cosine(h[i], h[p]) / TAU) / below)
        losses.append(-total / len(positives))
    return sum(losses) / len(losses)


def _info_nce_loop(first: Vectors, second: Vectors, positives: bool) -> float:
    every, n = first + second, len(first)
    total = 0.0
    for i in range(2 * n):
        other = (i + n) % (2 * n)
        among = [j for j in range(2 * n) if j != i and (positives or j != other)]
        below = sum(math.exp(_cosine(every[i], every[j]) / TAU) for j in among)
        above = math.exp(_cosine(every[i], every[other]) / TAU) if positives else 1.0
        total -= math.log(above / below)
    return total / (2 * n)


def test_supervised_contrastive_is_its_formula() -> None:
    h = _random(ROWS, WIDTH)
    want = _supervised_loop(h.tolist(), LABELS.tolist(), None)
    assert float(scl()(h, LABELS)) == pytest.approx(want, rel=1e-12)


def test_label_aware_is_its_formula_with_the_weight_outside_the_logarithm() -> None:
    h, logits = _random(ROWS, WIDTH), _random(ROWS, CLASSES, seed=2)
    weights = torch.softmax(logits, dim=1)
    want = _supervised_loop(h.tolist(), LABELS.tolist(), weights.tolist())
    given = float(lcl()(h, LABELS, logits))
    assert given == pytest.approx(want, rel=1e-12)
    # As the slide prints it, w_{i,y_i} inside: each row with a positive gains -log w_{i,y_i}, and
    # its whole logarithm loses the weight before it.
    own = weights[torch.arange(ROWS), LABELS]
    has = torch.isin(LABELS, torch.tensor([0, 1]))
    plain = 0.0
    for i in torch.arange(ROWS)[has].tolist():
        alone = torch.zeros(ROWS, dtype=torch.bool)
        alone[i] = True
        one = _row(h, weights, i) / float(own[i])
        plain += one - math.log(float(own[i]))
    printed = plain / int(has.sum())
    assert abs(printed - given) > 0.1


def _row(h: Tensor, weights: Tensor, i: int) -> float:
    """The loss of one row of `_supervised_loop`."""
    y = LABELS.tolist()
    below = sum(
        float(weights[i, y[k]]) * math.exp(_cosine(h[i].tolist(), h[k].tolist()) / TAU)
        for k in range(ROWS)
        if k != i
    )
    positives = [p for p in range(ROWS) if p != i and y[p] == y[i]]
    logs = [_cosine(h[i].tolist(), h[p].tolist()) / TAU - math.log(below) for p in positives]
    return -float(weights[i, y[i]]) * sum(logs) / len(logs)


@pytest.mark.parametrize("positives", [True, False])
def test_info_nce_is_its_formula(positives: bool) -> None:
    first, second = _random(4, WIDTH), _random(4, WIDTH, seed=2)
    want = _info_nce_loop(first.tolist(), second.tolist(), positives)
    assert float(info_nce(positives)(first, second)) == pytest.approx(want, rel=1e-12)


def test_supervised_contrastive_is_the_peers() -> None:
    h = _random(ROWS, WIDTH)
    both = h.clone().requires_grad_(), h.clone().requires_grad_()
    peer = SupConLoss(temperature=TAU)(both[0], LABELS)
    own = scl()(both[1], LABELS)
    assert own.item() == pytest.approx(peer.item(), rel=1e-9)
    gradients = [torch.autograd.grad(loss, x)[0] for loss, x in zip((peer, own), both, strict=True)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-6, atol=1e-9)


def test_info_nce_is_the_peers_nt_xent() -> None:
    first, second = _random(6, WIDTH), _random(6, WIDTH, seed=2)
    same = torch.arange(6).repeat(2)
    peer = NTXentLoss(temperature=TAU)(torch.cat([first, second]), same)
    assert float(info_nce()(first, second)) == pytest.approx(float(peer), rel=1e-9)


def test_with_one_positive_each_all_three_are_one() -> None:
    first, second = _random(4, WIDTH), _random(4, WIDTH, seed=2)
    want = float(info_nce()(first, second))
    h, labels = torch.cat([first, second]), torch.arange(4).repeat(2)
    assert float(scl()(h, labels)) == pytest.approx(want, rel=1e-12)
    # With equal weights: 1/4 outside, and log(1/4) taken off the denominator.
    level = float(lcl()(h, labels, torch.zeros(8, 4, dtype=torch.float64)))
    assert level == pytest.approx((want - math.log(4)) / 4, rel=1e-12)


def test_a_worked_case() -> None:
    # Three unit vectors at right angles but for the pair: cos(0, 1) = 1, all else 0, tau = 1.
    # Rows 0 and 1: -log(e / (e + 1)); row 2 has no positive and does not count.
    h = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1])
    want = -math.log(math.e / (math.e + 1))
    assert float(SupervisedContrastiveLoss(1.0)(h, labels)) == pytest.approx(want, rel=1e-6)
    # Weights (3/4, 1/4) for row 0 and (1/2, 1/2) for row 1.
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0], [0.0, 0.0]])
    rows = (
        -3 / 4 * math.log(math.e / (3 / 4 * math.e + 1 / 4)),
        -1 / 2 * math.log(math.e / (1 / 2 * math.e + 1 / 2)),
    )
    given = float(LabelAwareContrastiveLoss(1.0)(h, labels, logits))
    assert given == pytest.approx(sum(rows) / 2, rel=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_rows_without_a_positive_give_no_nan_and_move_nothing(rows: int) -> None:
    h = _random(rows, WIDTH).requires_grad_()
    logits = _random(rows, 5, seed=3).requires_grad_()
    alone = torch.arange(rows)
    for loss in (scl()(h, alone), lcl()(h, alone, logits)):
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, h, retain_graph=True)
        assert torch.equal(gradient, torch.zeros_like(h))


@pytest.mark.parametrize("positives", [True, False])
def test_a_pair_alone_gives_no_nan(positives: bool) -> None:
    first = _random(1, WIDTH).requires_grad_()
    loss = info_nce(positives)(first, _random(1, WIDTH, seed=2))
    loss.backward()
    assert loss.item() == 0
    assert first.grad is not None
    assert torch.equal(first.grad, torch.zeros_like(first))


@pytest.mark.parametrize(
    ("loss", "others"),
    [(scl(), ()), (lcl(), (_random(ROWS, CLASSES, seed=2),))],
    ids=["scl", "lcl"],
)
def test_gradients(loss: nn.Module, others: tuple[Tensor, ...]) -> None:
    inputs = tuple(x.clone().requires_grad_() for x in (_random(ROWS, WIDTH), *others))
    assert torch.autograd.gradcheck(lambda h, *more: loss(h, LABELS, *more), inputs)


@pytest.mark.parametrize("positives", [True, False])
def test_gradients_of_info_nce(positives: bool) -> None:
    inputs = _random(3, WIDTH).requires_grad_(), _random(3, WIDTH, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(info_nce(positives), inputs)


def test_the_weighting_network_is_moved_by_the_label_aware_loss() -> None:
    logits = _random(ROWS, CLASSES, seed=2).requires_grad_()
    (gradient,) = torch.autograd.grad(lcl()(_random(ROWS, WIDTH), LABELS, logits), logits)
    has = torch.isin(LABELS, torch.tensor([0, 1]))
    assert (gradient[has].abs().amax(dim=1) > 0).all()
    assert (gradient[~has] == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(ROWS)), st.floats(0.01, 100), st.permutations(range(CLASSES)))
def test_order_length_rotation_and_names_do_not_matter(
    order: list[int], length: float, names: list[int]
) -> None:
    h, logits = _random(ROWS, WIDTH), _random(ROWS, CLASSES, seed=2)
    turn, _ = torch.linalg.qr(_random(WIDTH, WIDTH, seed=3))
    at, renamed = torch.tensor(order), torch.tensor(names)
    other = (h @ turn * length)[at]
    columns = torch.argsort(renamed)
    torch.testing.assert_close(scl()(other, renamed[LABELS][at]), scl()(h, LABELS))
    torch.testing.assert_close(
        lcl()(other, renamed[LABELS][at], logits[at][:, columns]), lcl()(h, LABELS, logits)
    )


@pytest.mark.parametrize("size", [1e-6, 1e4])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_extreme_sizes_stay_finite(size: float, precision: torch.dtype) -> None:
    h = (_random(ROWS, WIDTH) * size).to(precision).requires_grad_()
    logits = (_random(ROWS, CLASSES) * 200).to(precision)
    cold = 0.01
    for loss in (
        SupervisedContrastiveLoss(cold)(h, LABELS),
        LabelAwareContrastiveLoss(cold)(h, LABELS, logits),
        InfoNCELoss(cold)(h, h.flip(0)),
        InfoNCELoss(cold, positives=False)(h, h.flip(0)),
    ):
        (gradient,) = torch.autograd.grad(loss, h, retain_graph=True)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


def test_mixed_precision_does_not_reach_the_cosines() -> None:
    h = _random(ROWS, 64).float()
    loss = SupervisedContrastiveLoss(0.05)
    plain = float(loss(h, LABELS))
    with torch.autocast("cpu", torch.bfloat16):
        assert float(loss(h, LABELS)) == plain


@pytest.mark.parametrize(
    "make", [SupervisedContrastiveLoss, LabelAwareContrastiveLoss, InfoNCELoss]
)
def test_a_temperature_that_is_no_temperature_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        make(0)


def test_cells_of_a_stack_have_temperatures_of_their_own() -> None:
    h = torch.stack([_random(ROWS, WIDTH), _random(ROWS, WIDTH, seed=5)])
    logits = torch.stack([_random(ROWS, CLASSES, seed=6), _random(ROWS, CLASSES, seed=7)])
    warm, template = torch.tensor([0.3, 1.5], dtype=torch.float64), lcl()
    labels = torch.stack([LABELS, LABELS.flip(0)])

    def one(tau: Tensor, *batch: Tensor) -> Tensor:
        given: Tensor = functional_call(template, {"temperature": tau}, batch)
        return given

    together = torch.vmap(one)(warm, h, labels, logits)
    for cell in range(2):
        apart = one(warm[cell], h[cell], labels[cell], logits[cell])
        torch.testing.assert_close(together[cell], apart)


# Temperatures that float32 holds to the last digit.
@pytest.mark.parametrize("tau", [0.0625, 0.5])
def test_info_nce_with_hard_negatives_is_simcse_written_out(tau: float) -> None:
    first, second, hard = (_random(5, WIDTH, seed=seed).double() for seed in (1, 2, 3))
    rows = torch.cat([first, second, hard]).numpy()
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = np.exp(unit @ unit.T / tau)
    losses = []
    for anchor in range(10):
        others = [row for row in range(15) if row != anchor]
        share = scores[anchor, (anchor + 5) % 10] / scores[anchor, others].sum()
        losses.append(-np.log(share))
    assert float(InfoNCELoss(tau)(first, second, hard)) == pytest.approx(np.mean(losses), abs=1e-12)
    alone = [
        np.log(sum(scores[a, [r for r in range(15) if r % 5 != a % 5 or r >= 10]]))
        for a in range(10)
    ]
    pushed = float(InfoNCELoss(tau, positives=False)(first, second, hard))
    assert pushed == pytest.approx(np.mean(alone), abs=1e-12)
