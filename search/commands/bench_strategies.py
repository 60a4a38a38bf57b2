"""`foldrace bench-strategies`: its options, the replays, their table and figure.

Nothing heavy is imported here: the command line reads the options from this file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.checks import bounds
from search.checks.output_paths import OutputFile
from search.commands._options import print_json

SUMMARY = "Replay strategies on finished exhaustive sweeps: regret against cells."
EXAMPLES = """\
examples:
  foldrace bench-strategies trec.parquet
  foldrace bench-strategies trec.parquet tweets.parquet --figure regret.png --jobs 4
  foldrace bench-strategies trec.parquet --batch 16,64,256 --shares 0.05,0.1
  foldrace bench-strategies trec.parquet --batch 16 --slots 2,8,64
  foldrace bench-strategies trec.parquet --strategies race,pooled,tpe-wilcoxon --replays 200 --json
"""
_DEFAULT_STRATEGIES = "race,halving,wilcoxon,tpe,random"
_MOST = 100_000  # cells or slots
_DEFAULT_SHARES = "0.01,0.02,0.03,0.05,0.1,0.2,0.5"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "tables",
        metavar="TABLE",
        nargs="+",
        help="Parquet: columns seed, fold, score, and one an axis",
    )
    parser.add_argument(
        "--strategies",
        default=_DEFAULT_STRATEGIES,
        metavar="NAME,NAME",
        help="which to replay beside exhaustive search: those of `foldrace run`, and forgiving, "
        f"pooled, tpe-wilcoxon, hyperband, gaussian-process ({_DEFAULT_STRATEGIES})",
    )
    parser.add_argument(
        "--shares",
        default=_DEFAULT_SHARES,
        metavar="F,F",
        help=f"budgets as shares of the cells ({_DEFAULT_SHARES})",
    )
    parser.add_argument(
        "--replays", type=bounds.COUNT, default=50, metavar="N", help="of each (50)"
    )
    parser.add_argument(
        "--jobs",
        type=bounds.TRIALS,
        default=1,
        metavar="N",
        help="processes that replay side by side (1)",
    )
    parser.add_argument(
        "--protocol-seeds",
        type=bounds.COUNT,
        default=4,
        metavar="N",
        help="seeds a strategy may see; the table's others are the truth (4)",
    )
    parser.add_argument(
        "--batch",
        default="16",
        metavar="N,N",
        help="cells asked for at a time, by each slot: one table of results for each (16)",
    )
    parser.add_argument(
        "--slots",
        default="1",
        metavar="N,N",
        help="stacks that train at once; with several, time is simulated by the table's seconds "
        "and each slot asks when it is free (1)",
    )
    parser.add_argument(
        "--mode", choices=["max", "min"], help="whether a high score is good (as the table says)"
    )
    parser.add_argument(
        "--figure",
        type=OutputFile(".png", ".svg", ".pdf"),
        metavar="FILE",
        help="draw regret against cells: .png, .svg or .pdf",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON document on stdout; of several tables, batches or slots, a list of them",
    )


def run(options: argparse.Namespace) -> int:
    """`foldrace bench-strategies`."""
    strategies, shares = _checked(options)
    ways = [
        (batch, slots)
        for batch in _counts("--batch", options.batch)
        for slots in _counts("--slots", options.slots)
    ]
    from search.benchmark import replay
    from search.benchmark.score_table import read_table
    from search.console import output

    documents: list[dict[str, Any]] = []
    total = len(strategies) * len(shares) * options.replays
    for path in map(Path, options.tables):
        table = read_table(path, mode=options.mode)
        for batch, slots in ways:
            with _progress(f"replaying on {path.name}", total) as advance:
                document = replay.judge(
                    table,
                    strategies,
                    shares=shares,
                    replays=options.replays,
                    rules=replay.Rules(options.protocol_seeds, batch, slots),
                    jobs=options.jobs,
                    progress=advance,
                )
            documents.append(document)
            if not options.json:
                _show(document)
    if options.figure:
        from search.benchmark.regret_figure import draw

        draw(documents, Path(options.figure))
        output.say(f"drawn: {options.figure}")
    if options.json:
        answer = documents[0] if len(documents) == 1 else documents
        print_json(answer)
    return 0


def _checked(options: argparse.Namespace) -> tuple[list[str], list[float]]:
    """Check every option before replays begin; return strategies and shares."""
    from search.errors import InputError
    from search.strategies.named import PEERS, STRATEGIES

    for table in options.tables:
        if not Path(table).is_file():
            raise InputError(f"There is no table {table!r}; give a Parquet file.")
    strategies = list(dict.fromkeys(options.strategies.split(",")))
    for name in strategies:
        if name not in (*STRATEGIES, *PEERS):
            known = ", ".join((*STRATEGIES, *PEERS))
            raise InputError(f"No strategy named {name!r}. Known: {known}.")
    try:
        shares = sorted({float(share) for share in options.shares.split(",")})
    except ValueError as error:
        raise InputError(f"--shares wants numbers with commas, got {options.shares!r}.") from error
    if not all(0 < share <= 1 for share in shares):
        raise InputError(f"--shares must lie in (0, 1], got {options.shares}.")
    return strategies, shares


def _counts(option: str, text: str) -> list[int]:
    """Numbers of a list, each once, in its order."""
    from search.errors import InputError

    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= _MOST for word in words):
        raise InputError(
            f"{option} wants whole numbers from 1 to {_MOST:,} with commas, got {text!r}."
        )
    return list(dict.fromkeys(int(word) for word in words))


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Progress bar after two seconds of work; it vanishes at the end."""
    import time

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    began = time.monotonic()
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(file=sys.stderr), transient=True)
    task = bar.add_task(what, total=total)

    def advance() -> None:
        bar.advance(task)
        if not bar.live.is_started and time.monotonic() - began > 2:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


def _show(document: dict[str, Any]) -> None:
    from search.benchmark.regret import rows
    from search.console import output

    replays = document["strategies"]["exhaustive"]["replays"]
    output.say(
        f"{document['table']}: {document['configs']:,} configs x {document['blocks']} blocks, "
        f"{replays} replays, {document['batch']} cells at a time"
        + (f" in each of {document['slots']} slots" if document["slots"] > 1 else "")
        + "; regret in points, on seeds that no strategy saw"
    )
    output.show_table(rows(document))
