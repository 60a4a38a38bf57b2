"""Makes the tables that strategies are judged on: every cell of a grid, 16 seeds x 5 folds.

    python tests/benchmarks/make_tables.py --data DIR --out DIR linear-trec tfidf-mr
    python tests/benchmarks/make_tables.py --data DIR --out DIR all
    python tests/benchmarks/make_tables.py --data DIR --out DIR later
    python tests/benchmarks/make_tables.py --data DIR --out DIR wide

DIR holds the data as trec.parquet, mr.parquet, ... with columns text and label. The cells are those
of `foldrace run`, trained in this process in large stacks: without Ray and a ledger a head costs
a few milliseconds. A table that is there already is left alone, so it may be killed at any moment.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# How each space is narrowed; the paper's reference configs are in each of them.
SPACES = {
    "linear": "linear_grid",
    "proxies": "projection --set k=10 --set gamma=0.01,0.05,0.1 --set scale=1,3.3,6,10 "
    "--set margin=0.01,0.3,0.9 --set beta=0.1,0.5,0.9 --fix epochs=3 --fix learning_rate=0.01",
    "tfidf": "linear_eval --set representation=tfidf-unigram,tfidf-bigram,encoder-mean "
    "--set learning_rate=0.001,0.003,0.01,0.03 --set weight_decay=0.001,0.1,1 "
    "--set epochs=2,5,20 --fix max_length=128",
    # As large as a paper's grid, where 2% of the cells are those of ten configs.
    "wide": "linear_eval --set representation=tfidf-unigram,tfidf-bigram,encoder-mean "
    "--set learning_rate=0.0003,0.001,0.003,0.01,0.03,0.1 --set weight_decay=0.001,0.01,0.1,0.3,1 "
    "--set epochs=1,2,3,5,10,20 --fix max_length=128",
}
DATA = ("trec", "isear", "mr", "mpqa", "sst5", "covid_fake_news")
LATER = (
    *(f"linear-{data}" for data in ("empathetic_dialogues", "liar", "mediaeval_vmu", "sst2")),
    *(f"tfidf-{data}" for data in ("liar", "mediaeval_vmu", "sst2")),
)
WIDE = tuple(f"wide-{data}" for data in (*DATA, "liar", "sst2"))
ROWS = 600
SEEDS = (2, 16, 128, 2048, 1, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
FOLDS = 5
STACK = 240  # cells


def main(arguments: list[str] | None = None) -> int:
    """Make the tables that are named and missing."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("tables", nargs="+", metavar="SPACE-DATA")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    narrow = [space for space in SPACES if space != "wide"]
    every = [f"{space}-{data}" for data, space in itertools.product(DATA, narrow)]
    sets = {"all": every, "later": LATER, "wide": WIDE}
    for name in sets.get(options.tables[0], options.tables):
        if not (options.out / f"{name}.parquet").exists():
            began = time.perf_counter()
            cells = make(name, options.data, options.out)
            sys.stderr.write(f"{name}: {cells:,} cells in {time.perf_counter() - began:.0f} s\n")
    return 0


def make(
    name: str,
    data: Path,
    out: Path,
    *,
    source: str | None = None,
    words: str | None = None,
    rows: int = ROWS,
    seeds: Sequence[int] = SEEDS,
    stack: int = STACK,
) -> int:
    """Train all cells of a table and write it.

    Args:
        name: Name of the table: a space's, and that of its data.
        data: Folder of the data.
        out: Folder of the tables.
        source: Name of the data; None takes it from the table's.
        words: Command line of the space; None takes that of `SPACES`.
        rows: Number of rows that are drawn of the data.
        seeds: Seeds of the cells.
        stack: Number of cells in a stack, at most.

    Returns:
        Number of cells.
    """
    import torch

    from search.benchmark.export import write_table
    from search.commands import run
    from search.planning.prepare import prepare
    from search.results.score_matrix import ScoreMatrix
    from search.spec.arguments import sweep_spec
    from trainables.engine.cells import runner
    from trainables.engine.contract import CellResult

    torch.set_num_threads(1)
    space, _, named = name.partition("-")
    source = source or named
    typed_words = shlex.split(words or SPACES[space])
    parser = argparse.ArgumentParser()
    run.add_options(parser)
    typed_words += ["--data", str(data / f"{source}.parquet"), "--subset", str(rows)]
    typed_words += ["--model", "minilm", "--strategy", "grid", "--folds", str(FOLDS)]
    typed = parser.parse_args([*typed_words, "--name", name, "--seeds", ",".join(map(str, seeds))])
    plan, _, _ = prepare(sweep_spec(typed))
    table = ScoreMatrix.empty(plan)

    def note(result: CellResult) -> None:
        config, block = plan.keys[result.key]
        if result.status == "done":
            table.scores[config, block] = result.metrics[plan.space.objective]
            table.seconds[config, block] = result.metrics["seconds"]
        else:
            table.failures[config, block] = result.error or result.status

    # Cells of one shape and length side by side: a stack takes as long as its longest.
    order = sorted(
        np.ndindex(table.scores.shape),
        key=lambda pair: (str(plan.shape(pair)), plan.configs[pair[0]].get("epochs", 0), pair),
    )
    for _, same in itertools.groupby(order, key=lambda pair: str(plan.shape(pair))):
        cells = [plan.cell(pair) for pair in same]
        for start in range(0, len(cells), stack):
            runner.train_cells(plan.task, cells[start : start + stack], note)
    return write_table(plan, table, out / f"{name}.parquet")


if __name__ == "__main__":
    sys.exit(main())
