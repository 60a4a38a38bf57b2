"""Supervised contrastive loss, SCL (Khosla et al., NeurIPS 2020).

For texts: Gunel et al., ICLR 2021. It pulls each embedding towards the others of its class in the
batch, away from those of all others.

The slides of Not All Negatives are Equal, after Khosla et al., L_out:

    loss_i = -1 / |P_i| sum_{p in P_i} log( exp(s_ip) / sum_{k != i} exp(s_ik) )
    s_ik   = h_i . h_k / tau

    paper   here                      range   unit
    h       embeddings, length 1 here         none
    P_i     rows of i's class, not i          none
    tau     temperature               > 0     none (divides cosine similarity)

Differs from the slides: the mean over the rows that have a positive, not the sum over all, so that
its weight beside cross-entropy does not grow with the batch.

Source: Label-Aware Contrastive Loss (Suresh and Ong, EMNLP 2021), slides, "Supervised Contrastive
Loss". Reference values: tests/trainables/losses/test_contrastive.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses import _pairs


class SupervisedContrastiveLoss(_pairs.PairLoss):
    """Mean supervised contrastive loss of a batch.

    Args:
        temperature: The slides' tau.

    Raises:
        ValueError: if the temperature is not above 0.
    """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over rows with a positive.

        Args:
            embeddings: Vectors of any length; normalised here, (rows, width). Each view of a text
                is a row.
            labels: Class ids, (rows,).

        Returns:
            A scalar, float32 or wider; 0 where no row has a positive.
        """
        logits = _pairs.cosines(embeddings) / self.temperature
        others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positives = (labels[:, None] == labels) & others
        log_share = logits - _pairs.log_sum(logits, others)[:, None]
        return -_pairs.mean_over_positives(log_share, positives)
