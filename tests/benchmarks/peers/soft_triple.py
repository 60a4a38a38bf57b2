"""SoftTriple written in other ways, to test and to measure ours against."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_metric_learning.losses import SoftTripleLoss as PeerLoss
from torch import Tensor
from torch.nn import functional

from trainables.losses._fused_soft_triple import FusedSoftTriple
from trainables.losses.soft_triple import SoftTripleLoss


def plain(
    loss: SoftTripleLoss, embeddings: Tensor, labels: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Equations (4) and (5) of the paper as five operations that autograd differentiates."""
    x = functional.normalize(embeddings, dim=-1)
    w = functional.normalize(loss.proxies, dim=-1)
    similarity = torch.einsum("td,ckd->tck", x, w)
    to_class = (torch.softmax(similarity / loss.gamma, dim=-1) * similarity).sum(dim=-1)
    own = labels[:, None] == torch.arange(len(w), device=labels.device)
    logits = loss.scale * (to_class - loss.margin * own)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return losses.mean() if weights is None else (weights * losses).sum() / weights.sum()


def metric_learning(loss: SoftTripleLoss) -> PeerLoss:
    """pytorch-metric-learning's, with the same settings and proxies.

    Its `la`, `gamma` and `margin` are our scale, gamma and margin (it keeps 1 / gamma inside), its
    proxies lie side by side, (dim, classes * k), and it normalises both by their lengths, too. Its
    regulariser is another (off unless asked for), so `merge_weight` has no counterpart.
    """
    classes, k, dim = loss.proxies.shape
    settings = {
        "la": loss.scale.item(),
        "gamma": loss.gamma.item(),
        "margin": loss.margin.item(),
    }
    peer = PeerLoss(classes, dim, centers_per_class=k, **settings)
    peer.fc.data = loss.proxies.detach().reshape(classes * k, dim).t().clone()
    return peer


class Recomputed(torch.autograd.Function):
    """What FusedSoftTriple could be: the loss first, similarities anew in the backward pass."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs)
        embeddings, proxies, labels, gamma, scale, margin = inputs
        return FusedSoftTriple.forward(
            embeddings, proxies, labels, None, gamma, scale, margin, False
        )[0]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        embeddings, proxies, labels, gamma, scale, margin = ctx.saved_tensors
        _, first, second = FusedSoftTriple.forward(
            embeddings, proxies, labels, None, gamma, scale, margin, True
        )
        # In place, which the gradients of a forward pass, read twice on retain_graph, cannot be.
        factors = upstream[:, None, None]
        return first.mul_(factors), second.mul_(factors).view_as(proxies), *[None] * 4


def recomputed(loss: SoftTripleLoss, embeddings: Tensor, labels: Tensor) -> Tensor:
    """Our loss with its similarities computed once more in the backward pass."""
    values = (embeddings, loss.proxies, labels, loss.gamma, loss.scale, loss.margin)
    apart = [value[None] for value in values]
    result: Tensor = Recomputed.apply(*apart)  # type: ignore[no-untyped-call]
    return result[0]
