"""SoftTriple against the paper's equations as loops, a peer library, and its own limits."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import SoftTripleLoss as PeerLoss
from torch import Tensor
from torch.nn import functional

from trainables.losses import soft_triple
from trainables.losses.soft_triple import SoftTripleLoss, class_similarity

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


def test_it_agrees_with_pytorch_metric_learning() -> None:
    loss = _loss()
    peer = PeerLoss(CLASSES, DIM, centers_per_class=K, la=3.3, gamma=0.1, margin=0.3).double()
    # Theirs lie side by side in one matrix, (dim, classes * k).
    peer.fc.data = loss.proxies.detach().reshape(CLASSES * K, DIM).t().clone()
    embeddings, labels = _batch()
    mine, theirs = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    first, second = loss(mine, labels), peer(theirs, labels)
    first.backward()
    second.backward()
    assert first.item() == pytest.approx(second.item(), rel=1e-9)
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-8, atol=1e-12)
    of_peer = peer.fc.grad.t().reshape(CLASSES, K, DIM)
    torch.testing.assert_close(loss.proxies.grad, of_peer, rtol=1e-8, atol=1e-12)


def test_gradients_agree_with_finite_differences() -> None:
    loss = _loss(merge_weight=0.2)
    embeddings, labels = _batch(4)
    embeddings.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, proxies: torch.func.functional_call(loss, {"proxies": proxies}, (x, labels)),
        (embeddings, loss.proxies.detach().requires_grad_()),
    )


def test_working_in_chunks_changes_neither_loss_nor_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = _loss()
    embeddings, labels = _batch(11)
    embeddings.requires_grad_()
    whole = loss(embeddings, labels)
    expected = torch.autograd.grad(whole, [embeddings, loss.proxies])
    monkeypatch.setattr(soft_triple, "_TOKENS_AT_ONCE", 3)
    chunked = loss(embeddings, labels)
    got = torch.autograd.grad(chunked, [embeddings, loss.proxies])
    assert chunked.item() == pytest.approx(whole.item(), rel=1e-12)
    for mine, other in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-14)


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
    loss = _loss()
    embeddings = functional.normalize(_batch()[0], dim=1)
    proxies = functional.normalize(loss.proxies, dim=-1)
    nearest = torch.einsum("td,ckd->tck", embeddings, proxies).amax(dim=-1)
    torch.testing.assert_close(class_similarity(embeddings, proxies, 1e-5), nearest)


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
