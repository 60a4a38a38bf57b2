"""An alias moves only if the paired test says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as peer

from search.schedule.promotion import LEVEL, decide

DRAW = np.random.default_rng(0)
BLOCKS = DRAW.normal(0.8, 0.05, 20)


def test_the_first_winner_is_champion() -> None:
    assert decide(BLOCKS, None, 0.2).moves


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("gain", [-0.05, -0.001, 0.001, 0.05])
def test_the_alias_moves_where_the_corrected_t_test_finds_a_gain(gain: float, mode: str) -> None:
    winner = BLOCKS + gain + DRAW.normal(0, 0.005, 20)
    found = decide(winner, BLOCKS, 0.2, mode)
    # Nadeau and Bengio: the variance is (1/n + test/train) of the sample's.
    differences = winner - BLOCKS
    t = differences.mean() / np.sqrt((1 / 20 + 0.2 / 0.8) * differences.var(ddof=1))
    p = 2 * peer.t.sf(abs(t), 19)
    assert found.p_value == pytest.approx(p)
    better = gain > 0 if mode == "max" else gain < 0
    assert found.moves == (p < LEVEL and better)
    assert found.moves == (abs(gain) == 0.05 and better), "a small gain is no proof"


def test_equal_scores_or_too_few_cells_in_common_move_nothing() -> None:
    assert not decide(BLOCKS, BLOCKS.copy(), 0.2).moves
    lacking = np.full(20, np.nan)
    lacking[:2] = 0.1
    found = decide(BLOCKS, lacking, 0.2)
    assert (found.moves, found.cells) == (False, 2)
    assert "only 2 cells" in found.reason


def test_a_constant_gain_is_beyond_doubt() -> None:
    assert decide(BLOCKS + 0.01, BLOCKS, 0.2).moves


def test_a_loss_is_told_in_its_own_unit() -> None:
    found = decide(BLOCKS - 0.05, BLOCKS, 0.2, "min", "hundredths of a nat")
    assert "+5.00 hundredths of a nat over 20 cells" in found.reason
