"""Says whether LoRA and heads pick what full fine-tuning would, and draws it.

    python tests/benchmarks/screen_figure.py        writes trainables/images/lora_screen.svg

The tables are those of make_screen_tables.py, the slices of a grid together. A pick is made on two
seeds and judged on the others.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy.stats import spearmanr

HERE = Path(__file__).parent
TABLES = HERE / "tables" / "screen"
PICTURE = HERE.parents[1] / "trainables" / "images" / "lora_screen.svg"
CONFIRMED = 10
DRAWN = ("mpqa", "trec")
MEASURED = ("seed", "fold", "score", "seconds")


@dataclass(frozen=True, eq=False)
class Grid:
    """Finished cells of a grid.

    Attributes:
        configs: Axes of each config; nan where one is inert.
        scores: Points by config, seed and fold, float (configs, seeds, folds).
        seconds: Seconds of all cells.
    """

    configs: pd.DataFrame
    scores: np.ndarray
    seconds: float

    @property
    def means(self) -> np.ndarray:
        """Mean of each config."""
        return _means(self.scores)


def main() -> int:
    """Print the figures and draw the picture."""
    for data in sorted({file.stem.split("-")[1] for file in TABLES.glob("whole-*.parquet")}):
        whole = _grid("whole", data)
        for kind in ("lora", "heads"):
            cheap = _grid(kind, data)
            sys.stdout.write("\n".join([f"{data}, {kind}", *_compared(whole, cheap)]) + "\n")
    _draw()
    return 0


def _grid(kind: str, data: str) -> Grid:
    """Join the slices of a grid; each has the baseline, which counts once."""
    frame = pd.concat([pd.read_parquet(file) for file in sorted(TABLES.glob(f"{kind}-{data}-*"))])
    axes = [name for name in frame.columns if name not in MEASURED]
    cells = frame.drop_duplicates([*axes, "seed", "fold"]).sort_values([*axes, "seed", "fold"])
    assert np.isfinite(cells["score"]).all()
    shape = (-1, cells["seed"].nunique(), cells["fold"].nunique())
    scores = 100 * cells["score"].to_numpy().reshape(shape)
    configs = cells[axes].drop_duplicates().reset_index(drop=True)
    assert len(configs) == len(scores)
    return Grid(configs, scores, float(cells["seconds"].sum()))


def _compared(whole: Grid, cheap: Grid) -> list[str]:
    """Say how well cheap cells rank and pick configs."""
    pd.testing.assert_frame_equal(whole.configs, cheap.configs)
    means, quick = whole.means, cheap.means
    lines = [
        f"  {len(means)} configs; rank correlation {spearmanr(means, quick).statistic:.2f}",
        f"  seconds of such a cell over a whole one: {cheap.seconds / whole.seconds:.3f}",
        f"  points: whole {means.min():.1f} to {means.max():.1f}, "
        f"these {quick.min():.1f} to {quick.max():.1f}",
    ]
    for name, column in whole.configs.items():
        effects = [
            f"{value:g}: {means[mine].mean():.1f} {quick[mine].mean():.1f}"
            for value, mine in (
                (value, column == value) for value in sorted(column.dropna().unique())
            )
        ]
        lines.append(f"  {name}, whole and these by value: {', '.join(effects)}")
    regret: dict[str, list[float]] = {"screened": [], "drawn": [], "exhaustive": []}
    reliable: dict[str, list[float]] = {"whole": [], "these": []}
    generator = np.random.default_rng(0)
    for seen in map(list, itertools.combinations(range(whole.scores.shape[1]), 2)):
        hidden = [seed for seed in range(whole.scores.shape[1]) if seed not in seen]
        truth, known = _means(whole.scores[:, hidden]), _means(whole.scores[:, seen])
        first = _means(cheap.scores[:, seen])
        best = np.argsort(-first)[:CONFIRMED]
        regret["screened"].append(truth.max() - truth[best[known[best].argmax()]])
        for _ in range(200):
            drawn = generator.choice(len(truth), CONFIRMED, replace=False)
            regret["drawn"].append(truth.max() - truth[drawn[known[drawn].argmax()]])
        regret["exhaustive"].append(truth.max() - truth[known.argmax()])
        reliable["whole"].append(spearmanr(truth, known).statistic)
        reliable["these"].append(spearmanr(_means(cheap.scores[:, hidden]), first).statistic)
    # Of two seeds' means; of all four's by Spearman and Brown, and so for both kinds (attenuation).
    halves = {name: float(np.mean(each)) for name, each in reliable.items()}
    most = np.prod([max(0.0, 2 * each / (1 + each)) for each in halves.values()]) ** 0.5
    lines += [
        "  rank correlation of two seeds with the others: "
        + ", ".join(f"{name} {each:.2f}" for name, each in halves.items())
        + f"; so equal ranks would show as {most:.2f}",
        "  regret in points of the best of ten, confirmed: "
        + ", ".join(f"{name} {np.mean(each):.2f}" for name, each in regret.items()),
    ]
    return lines


def _means(scores: np.ndarray) -> np.ndarray:
    """Mean of each config; what is equal but for rounding is a tie."""
    return np.asarray(scores.mean(axis=(1, 2))).round(6)


def _draw() -> None:
    mpl.rcParams.update({"svg.hashsalt": "foldrace", "font.family": "sans-serif", "font.size": 10})
    figure, panels = plt.subplots(1, len(DRAWN), figsize=(4.2 * len(DRAWN), 3.8))
    levels = ((1, "o", "#0072b2"), (3.3, "s", "#e69f00"), (10, "^", "#009e73"))
    for panel, data in zip(panels, DRAWN, strict=True):
        whole, lora = _grid("whole", data), _grid("lora", data)
        scale = whole.configs["scale"]
        for value, mark, colour in levels:
            mine = scale == value
            name = f"scale = {value:g}"
            panel.plot(whole.means[mine], lora.means[mine], mark, color=colour, label=name, ms=5)
        mine = scale.isna()
        panel.plot(whole.means[mine], lora.means[mine], "D", color="#d55e00", label="cross-entropy")
        panel.set_title(data.upper(), fontsize=10)
        panel.set_xlabel("all weights trained, points")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("adapters of rank 8, points")
    panels[0].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
