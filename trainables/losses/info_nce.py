"""InfoNCE over the pairs of a batch, as Mirror-BERT uses it.

It pulls the two views of a text together, and pushes them away from the views of all other texts.

The slides of Mirror-BERT (Liu et al., EMNLP 2021), "Learning objective: InfoNCE":

    loss_i = -log( exp(s(x_i, x'_i)) / sum_{x_j in N_i} exp(s(x_i, x_j)) )
    s(a, b) = cos(f(a), f(b)) / tau

    paper   here                                        range   unit
    f(x)    first, second: embeddings of the two views          none
    N_i     all 2 x batch embeddings but x_i itself             none
    tau     temperature                                 > 0     none (divides cosine similarity)

Each of the 2 x batch embeddings is x_i once. The slides call the denominator a "sum of similarity
of negative pairs"; the authors' code (pytorch-metric-learning's NTXentLoss) has the positive in it,
as InfoNCE has, and so has this. Differs from the slides: the mean, not the sum.

Their ablation "learning from negatives alone" leaves out the pull (`positives=False`):

    loss_i = log sum_{x_j in N_i, not x'_i} exp(s(x_i, x_j))

With a hard negative x-_j of every text (SimCSE's supervised objective, Gao et al., EMNLP 2021, eq.
5, for both views), N_i holds all of them, too.

Source: Fast, Effective, and Self-Supervised: Transforming Masked Language Models into Universal
Lexical and Sentence Encoders, slides. Reference values:
tests/trainables/losses/test_contrastive.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses import _pairs


class InfoNCELoss(_pairs.PairLoss):
    """Mean InfoNCE loss of a batch of pairs.

    Args:
        temperature: The slides' tau.
        positives: False leaves the positive pairs out: the ablation.

    Raises:
        ValueError: if the temperature is not above 0.
    """

    def __init__(self, temperature: float, positives: bool = True) -> None:
        super().__init__(temperature)
        self.positives = positives

    def forward(self, first: Tensor, second: Tensor, hard: Tensor | None = None) -> Tensor:
        """Return the mean loss over both views of every text.

        Args:
            first: Embeddings of any length; normalised here, (batch, width).
            second: Embeddings of the other view of the same texts, (batch, width).
            hard: Embeddings of hard negatives, a text each, (batch, width); None without.

        Returns:
            A scalar, float32 or wider; 0 for a batch of one text, which has no negative.
        """
        batch = len(first)
        parts = [first, second] if hard is None else [first, second, hard]
        logits = _pairs.cosines(torch.cat(parts))[: 2 * batch] / self.temperature
        if batch == 1:
            return logits.sum() * 0
        own = torch.eye(batch, dtype=torch.bool, device=first.device)
        same = own.repeat(2, 2)  # both views of one text
        itself = torch.eye(2 * batch, dtype=torch.bool, device=first.device)
        # Hard negatives are neither: they stand in the denominators alone.
        beyond = (0, logits.shape[1] - 2 * batch)
        same, itself = functional.pad(same, beyond), functional.pad(itself, beyond)
        if not self.positives:
            return _pairs.log_sum(logits, ~same).mean()
        log_share = logits - _pairs.log_sum(logits, ~itself)[:, None]
        return -_pairs.mean_over_positives(log_share, same & ~itself)
