"""Makes the tables that say whether LoRA picks what full fine-tuning would.

    python tests/benchmarks/make_screen_tables.py --data DIR --out DIR whole-trec lora-trec

The same configs of the SoftTriple grid, the same rows, seeds and folds, once with all weights of
the encoder trained and once with adapters of rank 8, each at a learning rate of its own kind.
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
ALL = (
    "softtriple --set k=10 --set scale=1,3.3,10 --set margin=0.01,0.3,0.9 --fix epochs=2 "
    "--fix batch_size=16 --fix pooling=mean --fix max_length=16"
)
KINDS = {
    "whole": "--fix learning_rate=0.0001",
    "lora": "--fix learning_rate=0.001 --fix lora_rank=8 --fix lora_alpha=2",
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
            words, rows = f"{ALL} {GRIDS[data]} {KINDS[kind]}", ROWS[data]
            cells = make(
                name, options.data, options.out, words=words, rows=rows, seeds=SEEDS, stack=STACK
            )
            sys.stderr.write(f"{name}: {cells:,} cells in {time.perf_counter() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
