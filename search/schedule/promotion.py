"""Decision on a new champion, by the corrected paired test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.arrays import FloatArray
from search.stats import intervals

LEVEL = 0.05


@dataclass(frozen=True)
class Decision:
    """A decision about the champion, with its evidence.

    Attributes:
        moves: True if the winner is champion from now on.
        reason: For people.
        gain: Mean paired difference, winner less champion; None where nothing could be compared.
        p_value: P-value of the corrected paired test.
        cells: Cells that both have.
    """

    moves: bool
    reason: str
    gain: float | None = None
    p_value: float | None = None
    cells: int = 0


def decide(
    winner: FloatArray,
    champion: FloatArray | None,
    share: float,
    mode: str = "max",
    unit: str = "points",
) -> Decision:
    """Compare a sweep's winner with the champion on the same data.

    Args:
        winner: Its scores by block, nan where missing, (blocks,).
        champion: The champion's scores of the same blocks; None where there is no champion yet.
        share: Share of the rows that one block holds out.
        mode: "max" or "min": which scores are good.
        unit: Unit of a hundredth of a score, for the reason.

    Returns:
        `moves` only if there is none yet, or the winner is better with p < 0.05 in the paired test
        with Nadeau and Bengio's variance (two-sided, and the difference in the good direction).
    """
    if champion is None:
        return Decision(True, "there is no champion yet")
    gains = (winner - champion) * (1.0 if mode == "max" else -1.0)
    shared = gains[np.isfinite(gains)]
    if len(shared) < intervals.FEWEST_FOR_INTERVAL:
        return Decision(
            False, f"only {len(shared)} cells in common with the champion", cells=len(shared)
        )
    if not np.any(shared):
        return Decision(False, "the scores are the champion's", 0.0, 1.0, len(shared))
    interval = intervals.corrected_interval(shared, share)
    gain = float(shared.mean())
    better = gain > 0 and interval.p_value < LEVEL
    what = "better than the champion" if better else "cannot be told from the champion"
    if gain < 0 and interval.p_value < LEVEL:
        what = "worse than the champion"
    reason = (
        f"{what}: {100 * gain:+.2f} {unit} over {len(shared)} cells, p = {interval.p_value:.3g}"
    )
    return Decision(better, reason, gain, float(interval.p_value), len(shared))
