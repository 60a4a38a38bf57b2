"""Label-aware contrastive loss, LCL (Suresh and Ong, EMNLP 2021).

The supervised contrastive loss in which a second network weighs how easily a text's class is taken
for each other class: negatives of an easily confused class push harder.

    loss_i = -1 / |P_i| sum_{p in P_i} w_{i,y_i} log( exp(s_ip) / sum_{k != i} w_{i,y_k} exp(s_ik) )
    s_ik   = h_i . h_k / tau

    paper    here                                          range    unit
    h        embeddings, length 1 here                              none
    w_{i,c}  softmax over classes of `class_logits` of i   (0, 1)   none
    P_i      rows of i's class, not i                               none
    tau      temperature                                   > 0      none (divides cosine similarity)

Differs from the slides, which print w_{i,y_i} inside the logarithm: it stands outside, as in the
authors' correction and their code (github.com/varsha33/LCL_loss, loss.py). Inside, it would add a
term log w_{i,y_i} that no embedding appears in. And it is the mean over the rows that have a
positive, as in that code, not the sum.

Gradients flow into the weights, too, as in that code: the weighting network is trained by its own
cross-entropy and by this loss.

Source: Not All Negatives are Equal: Label-Aware Contrastive Loss for Fine-grained Text
Classification, slides, "Label-aware Contrastive Loss". Reference values:
tests/trainables/losses/test_contrastive.py.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses import _pairs


class LabelAwareContrastiveLoss(_pairs.PairLoss):
    """Mean label-aware contrastive loss of a batch.

    Args:
        temperature: The slides' tau.

    Raises:
        ValueError: if the temperature is not above 0.
    """

    def forward(self, embeddings: Tensor, labels: Tensor, class_logits: Tensor) -> Tensor:
        """Return the mean loss over rows with a positive.

        Args:
            embeddings: Vectors of any length; normalised here, (rows, width). Each view of a text
                is a row.
            labels: Class ids in [0, classes), (rows,).
            class_logits: Logits of the weighting network for the same rows, (rows, classes).

        Returns:
            A scalar, float32 or wider; 0 where no row has a positive.
        """
        logits = _pairs.cosines(embeddings) / self.temperature
        rows = len(labels)
        others = ~torch.eye(rows, dtype=torch.bool, device=labels.device)
        positives = (labels[:, None] == labels) & others
        log_weights = functional.log_softmax(class_logits.to(logits.dtype), dim=-1)
        of_pair = log_weights.gather(1, labels.expand(rows, rows))  # log w_{i,y_k}
        own = log_weights.gather(1, labels[:, None]).exp()  # w_{i,y_i}
        log_share = logits - _pairs.log_sum(logits + of_pair, others)[:, None]
        return -_pairs.mean_over_positives(own * log_share, positives)
