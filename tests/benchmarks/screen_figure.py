"""Says whether LoRA and heads pick what full fine-tuning would, and draws it.

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
TABLES = HERE / "tables" / "screen"
PICTURE = HERE.parents[1] / "trainables" / "images" / "lora_screen.svg"
CONFIRMED = 10


def main() -> int:
    """Print the figures and draw the picture."""
    lines = []
    for whole_file in sorted(TABLES.glob("whole-*.parquet")):
        data = whole_file.stem.removeprefix("whole-")
        for kind in ("lora", "heads"):
            cheap_file = TABLES / f"{kind}-{data}.parquet"
            if cheap_file.exists():
                lines += [f"{data}, {kind}", *_compared(read_table(whole_file), cheap_file)]
    sys.stdout.write("\n".join(lines) + "\n")
    whole, lora = (read_table(TABLES / f"{kind}-mpqa.parquet") for kind in ("whole", "lora"))
    _draw(whole, 100 * _means(whole.scores), 100 * _means(_in_order(lora, whole)))
    return 0


def _compared(whole: ScoreTable, cheap_file: Path) -> list[str]:
    """Say how well cheap cells rank and pick configs."""
    cheap = read_table(cheap_file)
    ours, theirs = whole.scores, _in_order(cheap, whole)
    means, quick = _means(ours), _means(theirs)
    assert whole.seconds is not None
    assert cheap.seconds is not None
    share = cheap.seconds.sum() / whole.seconds.sum()
    lines = [
        f"  {len(means)} configs; rank correlation {spearmanr(means, quick).statistic:.2f}",
        f"  seconds of such a cell over a whole one: {share:.3f}",
        f"  points: whole {100 * means.min():.1f} to {100 * means.max():.1f}, "
        f"these {100 * quick.min():.1f} to {100 * quick.max():.1f}",
    ]
    for column, name in enumerate(whole.axes):
        places = whole.problem.features[:, column]
        effects = [
            f"{100 * means[places == place].mean():.1f} {100 * quick[places == place].mean():.1f}"
            for place in np.unique(places[np.isfinite(places)])
        ]
        lines.append(f"  {name}, whole and these by value: {', '.join(effects)}")
    screened, exhaustive, reliable = [], [], []
    for seen in map(list, itertools.combinations(range(4), 2)):
        hidden = [seed for seed in range(4) if seed not in seen]
        truth, known = _means(ours[:, hidden]), _means(ours[:, seen])
        best = np.argsort(-_means(theirs[:, seen]))[:CONFIRMED]
        screened.append(truth.max() - truth[best[known[best].argmax()]])
        exhaustive.append(truth.max() - truth[known.argmax()])
        reliable.append(spearmanr(truth, known).statistic)
    lines += [
        f"  rank correlation of whole cells with whole cells of other seeds: "
        f"{np.mean(reliable):.2f}",
        f"  regret in points: of the best of their {CONFIRMED}, confirmed, "
        f"{100 * np.mean(screened):.2f}, of exhaustive search {100 * np.mean(exhaustive):.2f}",
    ]
    return lines


def _means(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores.mean(axis=(1, 2)))


def _in_order(table: ScoreTable, of: ScoreTable) -> np.ndarray:
    """Scores of a table with the configs in the order of another of the same grid."""
    assert table.axes == of.axes
    return table.scores[[_place(table, features) for features in of.problem.features]]


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
