"""Difference of two means: paired over shared blocks, or of two samples.

Paired is `corrected_interval` of the differences. Two samples that share no blocks have Welch's
interval, each variance with Nadeau and Bengio's correction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from search.arrays import FloatArray
from search.stats.intervals import FEWEST_FOR_INTERVAL


@dataclass(frozen=True)
class Difference:
    """First mean minus the second.

    Attributes:
        mean: The difference, in the scores' own units.
        low: Lower end of its corrected 95% interval; None under three blocks.
        high: Upper end.
        above: Probability that it is above the rope; None under three blocks.
        equal: Probability that it lies within the rope.
        below: Probability that it is below it.
        positive: Probability that it is above 0.
        cells: Number of blocks that both have; 0 where unpaired.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    above: float | None = None
    equal: float | None = None
    below: float | None = None
    positive: float | None = None
    cells: int = 0


def paired(
    first: FloatArray, second: FloatArray, share: float, *, rope: float = 0.0, less: float = 0.0
) -> Difference | None:
    """Difference over the blocks that both have; None without any.

    Args:
        first: Scores by block, nan where missing, (blocks,).
        second: Scores of the same blocks.
        share: Share of the rows that a block holds out.
        rope: Differences up to this size, either way, count as practically equal.
        less: Bias of the difference, taken off.
    """
    gains = first - second
    gains = gains[np.isfinite(gains)]
    if not len(gains):
        return None
    mean = float(gains.mean()) - less
    if len(gains) < FEWEST_FOR_INTERVAL:
        return Difference(mean, cells=len(gains))
    scale = float(np.sqrt(_variance(gains, share)))
    return _by_t(mean, scale, len(gains) - 1, rope, len(gains))


def unpaired(
    first: FloatArray,
    second: FloatArray,
    shares: tuple[float, float],
    *,
    rope: float = 0.0,
    less: float = 0.0,
) -> Difference | None:
    """Difference of two samples; None if one is empty.

    Args:
        first: Scores, nan where missing, (blocks,).
        second: Scores, nan where missing, (other blocks,).
        shares: Share of the rows that a block holds out, of each.
        rope: Differences up to this size, either way, count as practically equal.
        less: Bias of the difference, taken off.
    """
    samples = [row[np.isfinite(row)] for row in (first, second)]
    if not all(map(len, samples)):
        return None
    mean = float(samples[0].mean() - samples[1].mean()) - less
    if min(map(len, samples)) < FEWEST_FOR_INTERVAL:
        return Difference(mean)
    parts = [_variance(row, share) for row, share in zip(samples, shares, strict=True)]
    total = sum(parts)
    by_freedom = sum(part**2 / (len(row) - 1) for part, row in zip(parts, samples, strict=True))
    freedom = total**2 / by_freedom if by_freedom else min(map(len, samples)) - 1
    return _by_t(mean, float(np.sqrt(total)), freedom, rope, 0)


def _variance(row: FloatArray, share: float) -> float:
    """Corrected variance of a mean of blocks that share training rows."""
    return float((1 / len(row) + share / (1 - share)) * row.var(ddof=1))


def _by_t(mean: float, scale: float, freedom: float, rope: float, cells: int) -> Difference:
    def below(bound: float) -> float:
        if scale == 0:
            return float(mean < bound) if bound else float(mean < 0) + 0.5 * float(mean == 0)
        return float(special.stdtr(freedom, (bound - mean) / scale))

    half = float(special.stdtrit(freedom, 0.975)) * scale
    worse, up_to_rope = below(-rope), below(rope)
    return Difference(
        mean=mean,
        low=mean - half,
        high=mean + half,
        above=1 - up_to_rope,
        equal=up_to_rope - worse,
        below=worse,
        positive=1 - below(0.0),
        cells=cells,
    )
