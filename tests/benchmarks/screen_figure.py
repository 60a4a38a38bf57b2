"""Says and draws whether LoRA picks what full fine-tuning would.

    python tests/benchmarks/screen_figure.py        writes trainables/images/lora_screen.svg

The tables are those of make_screen_tables.py. A pick is made on two seeds and judged on the others.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from scipy.stats import spearmanr

from search.benchmark.score_table import ScoreTable, read_table

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "trainables" / "images" / "lora_screen.svg"
CONFIRMED = 10


def main() -> int:
    """Print the figures and draw the picture."""
    whole, lora = (
        read_table(HERE / "tables" / "screen" / f"{kind}-mpqa.parquet")
        for kind in ("whole", "lora")
    )
    # Both were made of one grid; a table's order is that of its rows.
    order = [_place(lora, features) for features in whole.problem.features]
    ours, theirs = whole.scores, lora.scores[order]
    means, cheap = ours.mean(axis=(1, 2)), theirs.mean(axis=(1, 2))
    assert whole.seconds is not None
    assert lora.seconds is not None
    share = lora.seconds.sum() / whole.seconds.sum()
    lines = [
        f"{len(means)} configs; rank correlation {spearmanr(means, cheap).statistic:.2f}",
        f"seconds of a LoRA cell over a whole one: {share:.2f}",
        f"points: whole {100 * means.min():.1f} to {100 * means.max():.1f}, "
        f"LoRA {100 * cheap.min():.1f} to {100 * cheap.max():.1f}",
    ]
    screened, exhaustive, reliable = [], [], []
    for seen in map(list, itertools.combinations(range(4), 2)):
        hidden = [seed for seed in range(4) if seed not in seen]
        truth, known = ours[:, hidden].mean(axis=(1, 2)), ours[:, seen].mean(axis=(1, 2))
        best = np.argsort(-theirs[:, seen].mean(axis=(1, 2)))[:CONFIRMED]
        screened.append(truth.max() - truth[best[known[best].argmax()]])
        exhaustive.append(truth.max() - truth[known.argmax()])
        reliable.append(spearmanr(truth, known).statistic)
    lines += [
        f"rank correlation of whole cells with whole cells of other seeds: {np.mean(reliable):.2f}",
        f"regret in points: of the best of LoRA's {CONFIRMED}, confirmed, "
        f"{100 * np.mean(screened):.2f}, of exhaustive search {100 * np.mean(exhaustive):.2f}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    _draw(whole, 100 * means, 100 * cheap)
    return 0


def _place(table: ScoreTable, features: np.ndarray) -> int:
    alike = [np.array_equal(row, features, equal_nan=True) for row in table.problem.features]
    return alike.index(True)


def _draw(table: ScoreTable, means: np.ndarray, cheap: np.ndarray) -> None:
    mpl.rcParams.update({"svg.hashsalt": "foldrace", "font.family": "sans-serif", "font.size": 10})
    figure, axes = plt.subplots(figsize=(5.6, 3.8))
    scale = table.problem.features[:, table.axes.index("scale")]
    # A column of features holds the places of values: those of make_screen_tables.GRID.
    levels = (("1", "o", "#0072b2"), ("3.3", "s", "#e69f00"), ("10", "^", "#009e73"))
    for place, (value, mark, colour) in enumerate(levels):
        mine = scale == place
        name = f"scale = {value}"
        axes.plot(means[mine], cheap[mine], mark, color=colour, label=name, alpha=0.8, ms=5)
    mine = ~np.isfinite(scale)
    axes.plot(means[mine], cheap[mine], "D", color="#d55e00", label="cross-entropy", ms=7)
    axes.set_xlabel("mean accuracy with all weights trained, points")
    axes.set_ylabel("with adapters of rank 8, points")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
