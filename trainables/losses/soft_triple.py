"""SoftTriple loss (Qian et al., ICCV 2019), as TripleEntropy uses it.

The loss pulls each embedding towards the nearest of its class's k proxies, and away from the other
classes', by a softmax over classes whose logit is a soft maximum over proxies.

Equations (4) and (5), section 2.2.3 of the paper:

    S'(i, c) = sum_k softmax_k(x_i . w_c^k / gamma) (x_i . w_c^k)
    loss_i   = -log softmax_y(scale * (S'(i, y) - margin [y = y_i]))  at y = y_i

    paper   here    range    unit
    lambda  scale   > 0      none
    gamma   gamma   > 0      none (divides cosine similarity)
    delta   margin  [0, 1]   cosine similarity

Embeddings and proxies are L2-normalised here. Qian et al. add a regulariser that merges proxies of
a class (their tau); this paper's equations do not have it, so its weight is 0 unless it is set.

Source: Applying SoftTriple Loss for Supervised Language Model Fine Tuning, equations (4) and (5);
SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, equations (7), (8) and (10).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import TrainingConfig
from trainables.losses._fused_soft_triple import FusedSoftTriple


class SoftTripleLoss(nn.Module):
    """Mean SoftTriple loss over embeddings, with proxies as parameters.

    Args:
        num_classes: Number of classes, at least 2.
        embedding_dim: Width of an embedding.
        k: Number of proxies per class, at least 1.
        gamma: The paper's gamma.
        scale: The paper's lambda.
        margin: The paper's delta.
        merge_weight: Weight of the regulariser that merges proxies of a class; 0 leaves it out.

    Raises:
        ValueError: for a value out of range.
    """

    gamma: Tensor
    scale: Tensor
    margin: Tensor

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int,
        k: int,
        *,
        gamma: float,
        scale: float,
        margin: float,
        merge_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if num_classes < 2 or embedding_dim < 1 or k < 1:
            raise ValueError(
                f"num_classes must be at least 2, embedding_dim and k at least 1, got "
                f"{num_classes}, {embedding_dim}, {k}."
            )
        if gamma <= 0 or scale <= 0:
            raise ValueError(f"gamma and scale must be above 0, got {gamma} and {scale}.")
        # Buffers, not numbers: in a stack of cells each cell has its own.
        for name, value in (("gamma", gamma), ("scale", scale), ("margin", margin)):
            self.register_buffer(name, torch.tensor(float(value)), persistent=False)
        self.merge_weight = merge_weight
        self.proxies = nn.Parameter(torch.empty(num_classes, k, embedding_dim))
        nn.init.kaiming_uniform_(self.proxies.view(num_classes * k, embedding_dim), a=5**0.5)

    def forward(self, embeddings: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the weighted mean loss of a batch.

        It is sum_i weights_i loss_i / sum_i weights_i.

        Gradients flow to the embeddings and the proxies, and to nothing else. There is no second
        derivative.

        Args:
            embeddings: Vectors of any length; normalised here, (tokens, dim).
            labels: Class ids in [0, num_classes), (tokens,).
            weights: Weights of at least 0, or a mask, (tokens,); None weighs all the same. A token
                without weight may hold anything, as may its label.

        Returns:
            A scalar, float32 or wider; 0 where no token has weight.

        Raises:
            ValueError: when the shapes do not fit.
        """
        tokens, dim = embeddings.shape
        shapes = (labels.shape, labels.shape if weights is None else weights.shape)
        if dim != self.proxies.shape[-1] or any(shape != (tokens,) for shape in shapes):
            raise ValueError(
                f"embeddings must be (tokens, {self.proxies.shape[-1]}), labels and weights "
                f"(tokens,), got {tuple(embeddings.shape)} and {[tuple(each) for each in shapes]}."
            )
        losses, _, _ = FusedSoftTriple.apply(  # type: ignore[no-untyped-call]
            embeddings[None],
            self.proxies[None],
            labels[None],
            None if weights is None else weights[None],
            *(value[None] for value in (self.gamma, self.scale, self.margin)),
            torch.is_grad_enabled(),
        )
        loss: Tensor = losses[0]
        if self.merge_weight and self.proxies.shape[1] > 1:
            loss = loss + self.merge_weight * _spread(functional.normalize(self.proxies, dim=-1))
        return loss


@dataclass(frozen=True, kw_only=True)
class SoftTripleConfig(TrainingConfig):
    """Hyper-parameters of cross-entropy beside SoftTriple; the paper's symbols in brackets.

    Attributes:
        k: Proxies per class.
        gamma: Softness of the choice among a class's proxies.
        scale: Sharpness of the softmax over classes [lambda].
        margin: Cosine similarity that the true class must win by [delta].
        beta: Weight of cross-entropy; 1 trains without SoftTriple.
    """

    k: int
    gamma: float
    scale: float
    margin: float
    beta: float

    def rules(self) -> dict[str, bool]:
        """Rules of SoftTriple's fields and the shared ones."""
        return {
            "k at least 1": self.k >= 1,
            "gamma above 0": self.gamma > 0,
            "scale above 0": self.scale > 0,
            "margin in [0, 1]": 0 <= self.margin <= 1,
            "beta in [0, 1]": 0 <= self.beta <= 1,
            **super().rules(),
        }

    def loss(
        self, num_classes: int, embedding_dim: int, merge_weight: float = 0.0
    ) -> SoftTripleLoss | None:
        """Draw a loss of these hyper-parameters; None at beta = 1."""
        if self.beta == 1:
            return None
        return SoftTripleLoss(
            num_classes,
            embedding_dim,
            self.k,
            gamma=self.gamma,
            scale=self.scale,
            margin=self.margin,
            merge_weight=merge_weight,
        )

    def stacked(self) -> Self:
        """Set all values alike that may differ within a stack.

        A cell at beta = 1 has no proxies, so that is another shape.
        """
        return replace(self, gamma=1.0, scale=1.0, margin=0.0, beta=float(self.beta == 1))


def _spread(proxies: Tensor) -> Tensor:
    """Return the mean distance between the proxies of a class.

    Equation (10) of Qian et al.

    Args:
        proxies: L2-normalised proxies, (classes, k, dim).
    """
    classes, k, _ = proxies.shape
    similarity = proxies @ proxies.transpose(1, 2)
    upper = torch.triu_indices(k, k, offset=1, device=proxies.device)
    # The square root has no gradient at 0, where two proxies have merged.
    distances = (2 - 2 * similarity[:, upper[0], upper[1]]).clamp_min(1e-12).sqrt()
    return distances.sum() / (classes * k * (k - 1))
