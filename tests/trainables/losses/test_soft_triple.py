"""SoftTriple against the paper's equations as loops, a peer library, and its own limits."""

from __future__ import annotations

import math

import pytest
import torch
from peers.soft_triple import metric_learning
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from trainables.losses.soft_triple import SoftTripleLoss

CLASSES, K, DIM, TOKENS = 3, 4, 5, 7


def _loss(k: int = K, **settings: float) -> SoftTripleLoss:
    values = {"gamma": 0.1, "scale": 3.3, "margin": 0.3, **settings}
    return _double(CLASSES, DIM, k, **values)


def _double(*sizes: int, **values: float) -> SoftTripleLoss:
    # Made in float64, not turned into it: gamma, scale and margin are buffers.
    torch.set_default_dtype(torch.float64)
    try:
        return SoftTripleLoss(*sizes, **values)
    finally:
        torch.set_default_dtype(torch.float32)


def _batch(tokens: int = TOKENS) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    embeddings = torch.randn(tokens, DIM, generator=draw, dtype=torch.float64)
    return embeddings, torch.randint(0, CLASSES, (tokens,), generator=draw)


def _oracle(loss: SoftTripleLoss, embeddings: Tensor, labels: Tensor) -> float:
    """Equations (4) and (5), number by number."""

    def unit(vector: list[float]) -> list[float]:
        length = math.sqrt(sum(value * value for value in vector))
        return [value / length for value in vector]

    gamma, scale, margin = (float(value) for value in (loss.gamma, loss.scale, loss.margin))
    proxies = [[unit(proxy) for proxy in group] for group in loss.proxies.tolist()]
    total = 0.0
    for vector, label in zip(embeddings.tolist(), labels.tolist(), strict=True):
        x = unit(vector)
        similarity = []
        for group in proxies:
            dots = [sum(a * b for a, b in zip(x, w, strict=True)) for w in group]
            weights = [math.exp(dot / gamma) for dot in dots]
            similarity.append(
                sum(w * dot for w, dot in zip(weights, dots, strict=True)) / sum(weights)
            )
        logits = [scale * (s - (margin if c == label else 0.0)) for c, s in enumerate(similarity)]
        total -= logits[label] - math.log(sum(math.exp(logit) for logit in logits))
    return total / len(labels)


@pytest.mark.parametrize("gamma", [0.01, 0.1])
@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("margin", [0.01, 1.0])
def test_it_is_the_papers_equations(gamma: float, scale: float, margin: float) -> None:
    loss = _loss(gamma=gamma, scale=scale, margin=margin)
    embeddings, labels = _batch()
    got = loss(embeddings, labels).item()
    assert got == pytest.approx(_oracle(loss, embeddings, labels), rel=1e-10)


def test_a_case_worked_by_hand() -> None:
    # One proxy a class, the embedding on the first: S' = (1, 0, 0); scale 2, margin 0.5:
    # logits (1, 0, 0), loss = log(e + 2) - 1.
    loss = _double(3, 3, 1, gamma=0.1, scale=2.0, margin=0.5)
    loss.proxies.data = torch.eye(3, dtype=torch.float64)[:, None, :]
    got = loss(torch.tensor([[7.0, 0.0, 0.0]], dtype=torch.float64), torch.tensor([0]))
    assert got.item() == pytest.approx(math.log(math.e + 2) - 1, rel=1e-12)


def _gradients(loss: Tensor, *of: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, of))


def test_it_agrees_with_pytorch_metric_learning() -> None:
    loss = _loss()
    peer = metric_learning(loss).double()
    embeddings, labels = _batch()
    embeddings.requires_grad_()
    first, second = loss(embeddings, labels), peer(embeddings, labels)
    assert first.item() == pytest.approx(second.item(), rel=1e-9)
    mine = _gradients(first, embeddings, loss.proxies)
    theirs = _gradients(second, embeddings, peer.fc)
    torch.testing.assert_close(mine[0], theirs[0], rtol=1e-8, atol=1e-12)
    of_peer = theirs[1].t().reshape(CLASSES, K, DIM)
    torch.testing.assert_close(mine[1], of_peer, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_agree_with_finite_differences(weighted: bool) -> None:
    loss = _loss(merge_weight=0.2)
    embeddings, labels = _batch(4)
    embeddings.requires_grad_()
    weights = torch.tensor([0.5, 0.0, 2.0, 1.0]).double() if weighted else None
    assert torch.autograd.gradcheck(
        lambda x, proxies: functional_call(loss, {"proxies": proxies}, (x, labels, weights)),
        (embeddings, loss.proxies.detach().requires_grad_()),
    )


def test_a_mask_is_as_good_as_leaving_tokens_out() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    mask = torch.tensor([True, False, True, True, False, False, True])
    expected = loss(embeddings[mask], labels[mask])
    wrong = embeddings.masked_fill(~mask[:, None], torch.nan).requires_grad_()
    masked = loss(wrong, labels.masked_fill(~mask, -100), mask)
    assert masked.item() == pytest.approx(expected.item(), rel=1e-12)
    of_tokens, of_proxies = _gradients(masked, wrong, loss.proxies)
    assert not of_tokens[~mask].any()
    torch.testing.assert_close(of_proxies, _gradients(expected, loss.proxies)[0])


def test_only_the_ratios_of_weights_matter() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    weights = torch.linspace(0, 3, TOKENS).double()
    expected = loss(embeddings, labels, weights).item()
    assert loss(embeddings, labels, 7 * weights).item() == pytest.approx(expected, rel=1e-12)
    assert loss(embeddings, labels, 1e-9 * weights).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("tokens", [0, TOKENS])
def test_without_weight_there_is_no_loss_and_no_gradient(tokens: int) -> None:
    loss = _loss()
    embeddings, labels = _batch(tokens)
    embeddings.requires_grad_()
    nothing = loss(embeddings, labels, torch.zeros(tokens))
    assert nothing.item() == 0
    assert all(not gradient.any() for gradient in _gradients(nothing, embeddings, loss.proxies))


def test_one_proxy_a_class_is_a_normalised_softmax_with_a_margin() -> None:
    loss = _loss(k=1, margin=0.2)
    embeddings, labels = _batch()
    cosine = (
        functional.normalize(embeddings, dim=1)
        @ functional.normalize(loss.proxies[:, 0], dim=1).t()
    )
    logits = 3.3 * (cosine - 0.2 * functional.one_hot(labels, CLASSES).double())
    expected = functional.cross_entropy(logits, labels)
    assert loss(embeddings, labels).item() == pytest.approx(expected.item(), rel=1e-10)


def test_a_small_gamma_takes_the_nearest_proxy_of_each_class() -> None:
    loss = _loss(gamma=1e-5, margin=0.0)
    embeddings, labels = _batch()
    proxies = functional.normalize(loss.proxies, dim=-1)
    nearest = torch.einsum("td,ckd->tck", functional.normalize(embeddings, dim=1), proxies).amax(
        dim=-1
    )
    expected = functional.cross_entropy(3.3 * nearest, labels)
    assert loss(embeddings, labels).item() == pytest.approx(expected.item(), rel=1e-10)


def test_neither_length_nor_order_of_the_embeddings_matters() -> None:
    loss = _loss()
    embeddings, labels = _batch()
    order = torch.randperm(TOKENS, generator=torch.Generator().manual_seed(3))
    moved = loss(17 * embeddings[order], labels[order])
    assert moved.item() == pytest.approx(loss(embeddings, labels).item(), rel=1e-12)


def test_bfloat16_at_an_extreme_scale_stays_finite() -> None:
    loss = SoftTripleLoss(CLASSES, DIM, K, gamma=0.01, scale=1000.0, margin=1.0).bfloat16()
    embeddings, labels = _batch()
    got = loss((1e4 * embeddings).bfloat16(), labels)
    got.backward()
    assert torch.isfinite(got)
    assert torch.isfinite(loss.proxies.grad).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"gamma": 0.0}, "above 0"), ({"scale": -1.0}, "above 0"), ({"k": 0}, "at least 1")],
)
def test_values_out_of_range_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _loss(**{"k": K, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dim", "labels", "weights"), [(DIM + 1, TOKENS, None), (DIM, 1, None), (DIM, TOKENS, 1)]
)
def test_shapes_that_do_not_fit_are_refused(dim: int, labels: int, weights: int | None) -> None:
    given = torch.zeros(TOKENS, dim), torch.zeros(labels, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"must be \(tokens, 5\)"):
        _loss()(*given, None if weights is None else torch.ones(weights))


@pytest.mark.parametrize("label", [-1, CLASSES])
def test_labels_out_of_range_are_refused(label: int) -> None:
    embeddings, labels = _batch()
    labels[2] = label
    with pytest.raises(RuntimeError, match="Class values must be"):
        _loss()(embeddings, labels)
