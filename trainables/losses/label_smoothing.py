"""Cross-entropy with label smoothing as the Factify paper writes it.

A hard label is replaced by one that leaves a little to every other class, so that a network need
not drive its logits apart for ever.

Equation (1), section 5.1 of Team Noir at Factify 2:

    y_i  = 1 - epsilon          where i is the target
    y_i  = epsilon / (N - 1)    elsewhere
    loss = - sum_i y_i log p_i

    paper    here       range     unit
    epsilon  smoothing  [0, 1)    none
    N        classes    >= 2      none

This is not PyTorch's definition: `CrossEntropyLoss(label_smoothing=e)` spreads e over all N
classes, the target too, which therefore keeps 1 - e + e / N. The paper's epsilon is PyTorch's
e = epsilon * N / (N - 1): 0.1 over five classes is 0.125 there.

Source: Team Noir at Factify 2: Multimodal Fake News Detection with Pre-trained CLIP and Fusion
Network (Zhang et al., De-Factify 2023). Reference values:
tests/trainables/losses/test_label_smoothing.py.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: Tensor | float) -> Tensor:
    """Return the mean loss of a batch.

    Args:
        logits: Logits, (batch, classes).
        labels: Class ids in [0, classes), int64 (batch,).
        smoothing: The paper's epsilon, in [0, 1); a scalar, of which a stack has one for each cell.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: if there are fewer than 2 classes: nothing is left to spread epsilon over.
    """
    classes = logits.shape[-1]
    if classes < 2:
        raise ValueError(f"label smoothing needs at least 2 classes, got {classes}.")
    scores = functional.log_softmax(logits, dim=-1)
    target = scores.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    others = scores.sum(dim=-1) - target
    return -((1 - smoothing) * target + smoothing / (classes - 1) * others).mean()
