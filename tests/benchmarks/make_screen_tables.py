"""Makes the tables that say whether cheap cells pick what full fine-tuning would.

    python tests/benchmarks/make_screen_tables.py --data DIR --out DIR whole-trec lora-trec

The same configs of the SoftTriple grid, the same rows, seeds and folds: with all weights of the
encoder trained, with adapters of rank 8, and with a head on its frozen features. Each has a
learning rate of its own kind.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from make_tables import make

GRIDS = {
    "mpqa": "--set gamma=0.01,0.1 --set beta=0.1,0.5,0.9",
    "trec": "--set gamma=0.1 --set beta=0.1,0.9",
}
ALL = "--set k=10 --set scale=1,3.3,10 --set margin=0.01,0.3,0.9 --fix batch_size=16"
TUNED = "softtriple --fix epochs=2 --fix pooling=mean --fix max_length=16"
KINDS = {
    "whole": f"{TUNED} --fix learning_rate=0.0001",
    "lora": f"{TUNED} --fix learning_rate=0.001 --fix lora_rank=8 --fix lora_alpha=2",
    "heads": "projection",
}
ROWS = {"mpqa": 200, "trec": 120}
SEEDS, STACK = (2, 16, 128, 2048), 20


def main() -> int:
    """Make the tables that are named and missing."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("tables", nargs="+", metavar="KIND-DATA")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for name in options.tables:
        if not (options.out / f"{name}.parquet").exists():
            began = time.perf_counter()
            kind, _, data = name.partition("-")
            words, rows = f"{KINDS[kind]} {ALL} {GRIDS[data]}", ROWS[data]
            cells = make(
                name, options.data, options.out, words=words, rows=rows, seeds=SEEDS, stack=STACK
            )
            sys.stderr.write(f"{name}: {cells:,} cells in {time.perf_counter() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
