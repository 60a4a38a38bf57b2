"""Makes the tables that say whether cheap cells pick what full fine-tuning would.

    python tests/benchmarks/make_screen_tables.py --data DIR --out DIR whole-mpqa-a lora-mpqa-a

The same configs of the SoftTriple grid, the same rows, seeds and folds: with all weights of the
encoder trained, with adapters of rank 8, and with a head on its frozen features. Each has a
learning rate of its own kind. A grid is made in slices, a file each, so that it may be killed
between them and grow; each slice has the baseline.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc
import pyarrow.parquet as pq
from make_tables import make

ALL = "--set k=10 --set scale=1,3.3,10 --set margin=0.01,0.3,0.9 --fix batch_size=16"
TUNED = "softtriple --fix epochs=2 --fix pooling=mean --fix max_length=16"


@dataclass(frozen=True)
class Grid:
    """A grid, on some rows of a data set.

    Attributes:
        source: Name of the data.
        rows: Rows that are drawn of it.
        whole: Learning rate of cells that train all weights.
        lora: Learning rate of cells that train adapters.
        slices: Axes of each part of the grid beside those of all.
        without: Class that is left out, too rare for five folds of so few rows.
    """

    source: str
    rows: int
    whole: float
    lora: float
    slices: dict[str, str]
    without: str | None = None

    def words(self, kind: str, part: str) -> str:
        """Command line of a slice."""
        tuned = {
            "whole": f"{TUNED} --fix learning_rate={self.whole}",
            "lora": f"{TUNED} --fix learning_rate={self.lora} --fix lora_rank=8 --fix lora_alpha=2",
            "heads": "projection",
        }
        return f"{tuned[kind]} {ALL} {self.slices[part]}"

    @contextmanager
    def folder(self, data: Path) -> Iterator[Path]:
        """Folder of the data without the class that is left out."""
        if self.without is None:
            yield data
            return
        table = pq.read_table(data / f"{self.source}.parquet")
        kept = table.filter(pc.not_equal(table.column("label_name"), self.without))
        with TemporaryDirectory() as folder:
            pq.write_table(kept, Path(folder) / f"{self.source}.parquet")
            yield Path(folder)


FIVE, THREE = "--set beta=0.1,0.3,0.5,0.7,0.9", "--set beta=0.1,0.5,0.9"
GRIDS = {
    "mpqa": Grid(
        "mpqa", 200, whole=0.0003, lora=0.01,
        slices={
            "a": f"--set gamma=0.1 {FIVE}",
            "b": f"--set gamma=0.01 {FIVE}",
            "c": f"--set gamma=0.05 {FIVE}",
        },
    ),
    "trec": Grid(
        "trec", 120, whole=0.0003, lora=0.01,
        slices={"a": f"--set gamma=0.1 {THREE}", "b": f"--set gamma=0.01 {THREE}"},
        without="ABBR",
    ),
    # Rates at which two epochs hardly train an adapter.
    "mpqa_low": Grid(
        "mpqa", 200, whole=0.0001, lora=0.001, slices={"a": f"--set gamma=0.01,0.1 {THREE}"}
    ),
}  # fmt: skip
SEEDS, STACK = (2, 16, 128, 2048), 20


def main() -> int:
    """Make the tables that are named and missing."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("tables", nargs="+", metavar="KIND-GRID-SLICE")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for name in options.tables:
        if not (options.out / f"{name}.parquet").exists():
            began = time.perf_counter()
            kind, grid, part = name.split("-")
            chosen = GRIDS[grid]
            with chosen.folder(options.data) as folder:
                cells = make(
                    name,
                    folder,
                    options.out,
                    source=chosen.source,
                    words=chosen.words(kind, part),
                    rows=chosen.rows,
                    seeds=SEEDS,
                    stack=STACK,
                )
            sys.stderr.write(f"{name}: {cells:,} cells in {time.perf_counter() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
