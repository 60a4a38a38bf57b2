"""Parts of contrastive losses: cosines of pairs, and masked sums."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PairLoss(nn.Module):
    """A loss of the cosines of pairs, divided by a temperature.

    Args:
        temperature: The papers' tau.

    Raises:
        ValueError: if the temperature is not above 0.
    """

    temperature: Tensor

    def __init__(self, temperature: float) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}.")
        # A buffer, not a number: in a stack of cells each cell has its own.
        self.register_buffer("temperature", torch.tensor(float(temperature)), persistent=False)


def cosines(embeddings: Tensor) -> Tensor:
    """Return the cosine similarity of every pair of rows.

    It is computed in float32 at least, under any mixed precision: divided by a temperature of 0.04,
    the third digit of a cosine is the first one of a logit.

    Args:
        embeddings: Vectors of any length, (rows, width).

    Returns:
        (rows, rows).
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        unit = functional.normalize(wide, dim=-1)
        return unit @ unit.mT


def log_sum(logits: Tensor, among: Tensor) -> Tensor:
    """Return log sum exp over some of the columns of each row.

    Args:
        logits: Values, (rows, columns).
        among: True for columns that count, bool (rows, columns).

    Returns:
        (rows,); a large negative number, not -inf, where no column counts: its gradient is finite,
        and rows that the caller leaves out stay out.
    """
    lowest = torch.finfo(logits.dtype).min / 4
    return logits.masked_fill(~among, lowest).logsumexp(dim=-1)


def mean_over_positives(values: Tensor, positives: Tensor) -> Tensor:
    """Return the mean over rows of each row's mean over positives.

    Rows without a positive are left out.

    Args:
        values: Values of pairs, (rows, rows).
        positives: True for pairs that count, bool (rows, rows).

    Returns:
        A scalar; 0 where no row has a positive.
    """
    counts = positives.sum(dim=-1)
    of_row = torch.where(positives, values, 0.0).sum(dim=-1) / counts.clamp(min=1)
    # Rows without a positive are 0 here; they must not count as rows.
    return of_row.sum() / (counts > 0).sum().clamp(min=1)
