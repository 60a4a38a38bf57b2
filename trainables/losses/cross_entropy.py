"""Cross-entropy of a batch, laid out for stacks of heads.

The logits of a stack lie with the batch innermost (`engine/stacking/shared_batches.py`). A softmax
over innermost classes, six of them say, would first copy them and then use a sixth of each vector
register.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over a batch of -log softmax(logits)[label], in nats.

    Args:
        logits: Logits, (batch, classes).
        labels: Class ids, int64 (batch,).

    Returns:
        A scalar.
    """
    return functional.cross_entropy(logits.mT[None], labels[None])
