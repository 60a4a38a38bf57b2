"""The command line: parses, hands over to search.commands, turns errors into exit codes.

Nothing heavy is imported here: `foldrace --help` answers in under 0.3 s.

Exit codes: 0 done; 1 failed; 2 bad input or usage; 130 interrupted, `foldrace resume` goes on.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from search import bench, cluster_options, explain

_RUN_EXAMPLES = """\
examples:
  foldrace run softtriple --data trec-1k --model roberta-base
  foldrace run softtriple --data tweets.csv --text body --label author --model minilm \\
      --set k=10,100 --fix learning_rate=1e-4 --strategy random --max-cells 400
  foldrace run softtriple --data trec --model ./my-encoder --configs reference --json
"""
_PLAN_EXAMPLES = """\
examples:
  foldrace plan softtriple --data trec-1k --model roberta-base --price-per-hour 2.5
  foldrace plan softtriple --data tweets.csv --label author --model minilm --json
"""
_MAIN_EXAMPLES = """\
examples:
  foldrace plan softtriple --data trec-1k --model minilm      what would it cost? trains nothing
  foldrace run softtriple --data trec-1k --model minilm       race the grid
  foldrace resume latest                                      go on after Ctrl-C or a crash
  foldrace leaderboard latest                                 who leads, by how much, how sure
  foldrace ui                                                 compare runs in the MLflow UI
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with the way out in its error message."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}\n{self.prog} --help shows examples.\n")


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, summary: str, examples: str
) -> _Parser:
    return commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_ledger(parser: _Parser) -> None:
    ledger = parser.add_argument_group("ledger")
    ledger.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="MLflow tracking URI (default: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)",
    )
    ledger.add_argument(
        "--experiment", default="foldrace", metavar="NAME", help="MLflow experiment (foldrace)"
    )


def _add_json(parser: _Parser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _add_nested(parser: argparse._ActionsContainer) -> None:
    what = "check the winner by nested cross-validation: a sweep more for each fold, same budget"
    parser.add_argument("--nested", action="store_true", help=what)


def _add_sweep(parser: _Parser) -> None:
    """The options that `run` and `plan` share: together they are a SweepSpec."""
    parser.add_argument(
        "space", metavar="SPACE", help="what to search; `foldrace spaces` lists them"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        required=True,
        metavar="REF",
        help="registry name, name-1k, a local .csv .tsv .jsonl .parquet, or a hub id",
    )
    data.add_argument("--text", metavar="COLUMN", help="column of the text")
    data.add_argument("--text-b", metavar="COLUMN", help="column of a pair's second text")
    data.add_argument("--label", metavar="COLUMN", help="column of the label")
    data.add_argument("--subset", type=int, metavar="N", help="a stratified subset of N rows")
    data.add_argument(
        "--drop-missing", action="store_true", help="leave out rows without text or label"
    )
    data.add_argument(
        "--clean",
        action="append",
        default=[],
        metavar="STEP",
        help="a cleaning step such as reuters-prefix; repeat for more, in their order",
    )
    model = parser.add_argument_group("model and space")
    model.add_argument(
        "--model", required=True, metavar="REF", help="alias, hub id or local folder"
    )
    model.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="AXIS=V,V",
        dest="set_axes",
        help="search only these values of an axis; repeat for more axes",
    )
    model.add_argument(
        "--fix",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a fixed value (or an axis) this value",
    )
    model.add_argument(
        "--configs",
        default="all",
        metavar="all|reference|ablation|FILE",
        help="which configs compete: grid and references (all), the named ones, or a file's",
    )
    model.add_argument("--plugin", metavar="FILE", help="a Python file with entries of your own")
    protocol = parser.add_argument_group("protocol and strategy")
    protocol.add_argument(
        "--seeds", default="2,16,128,2048", metavar="N,N", help="seeds (2,16,128,2048)"
    )
    split = protocol.add_mutually_exclusive_group()
    split.add_argument("--folds", type=int, metavar="N", help="folds of the cross-validation (5)")
    split.add_argument(
        "--holdout",
        nargs="?",
        const="0.2",
        metavar="SHARE|official",
        help="hold out a share (0.2) or the official test part instead of folds",
    )
    protocol.add_argument(
        "--strategy",
        default="race",
        choices=["race", "grid", "random", "tpe", "halving", "wilcoxon"],
        help="who decides which cells come next (race)",
    )
    protocol.add_argument(
        "--strategy-seed", type=int, default=0, metavar="N", help="seed of the strategy (0)"
    )
    _add_nested(protocol)
    budget = parser.add_argument_group("budget and resources")
    budget.add_argument("--max-cells", type=int, metavar="N", help="cells in all, ledger included")
    budget.add_argument("--max-hours", type=float, metavar="H", help="wall-clock hours")
    budget.add_argument(
        "--stop-margin",
        type=float,
        metavar="POINTS",
        help="end a race when P(another config is better by more) is under 5%% (0.5 points)",
    )
    budget.add_argument(
        "--stack",
        default="auto",
        metavar="auto|N",
        help="cells trained as one batched model (auto: the fastest that fits)",
    )
    budget.add_argument(
        "--compile",
        action="store_true",
        help="run models through torch.compile: a minute or more before a worker's first step",
    )
    budget.add_argument(
        "--max-cell-minutes",
        type=float,
        metavar="M",
        help="end a cell that takes longer; a stack of N cells may take N times that",
    )
    budget.add_argument(
        "--workers-per-trial",
        type=int,
        default=1,
        metavar="N",
        help="processes that train each cell together, a GPU each (1)",
    )
    budget.add_argument(
        "--fsdp",
        action="store_true",
        help="share the model out to the workers (FSDP) instead of copying it (DDP)",
    )
    budget.add_argument("--cpus-per-trial", type=float, default=1.0, metavar="F", help="(1)")
    budget.add_argument(
        "--gpus-per-trial", type=float, metavar="F", help="(1 where there are GPUs, else 0)"
    )
    budget.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="trials at once (what fits at the start; a cluster that grows on demand wants N)",
    )
    budget.add_argument(
        "--ray-address", default="local", metavar="auto|local|ray://...", help="(local)"
    )
    _add_ledger(parser)
    parser.add_argument("--name", metavar="NAME", help="name of the sweep (space-data-model)")
    _add_json(parser)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="foldrace",
        description="Race the configs of a paper's grid on paired cells (config, seed, fold).",
        epilog=_MAIN_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_sweep(_command(commands, "run", "Search a space and name the best config.", _RUN_EXAMPLES))
    plan = _command(
        commands, "plan", "Say what a run would train and cost; train nothing.", _PLAN_EXAMPLES
    )
    _add_sweep(plan)
    plan.add_argument(
        "--price-per-hour", type=float, metavar="USD", help="price of one slot's hour"
    )

    resume = _command(
        commands,
        "resume",
        "Go on with a sweep that was interrupted.",
        "examples:\n  foldrace resume latest\n  foldrace resume my-sweep --max-hours 2",
    )
    resume.add_argument("sweep", metavar="SWEEP", help="name, MLflow run id, or `latest`")
    resume.add_argument("--max-hours", type=float, metavar="H", help="a new limit on the hours")
    resume.add_argument("--max-cells", type=int, metavar="N", help="a new limit on the cells")
    _add_nested(resume)
    resume.add_argument(
        "--ray-address", metavar="auto|local|ray://...", help="run it there instead"
    )

    board = _command(
        commands,
        "leaderboard",
        "Show the configs of a sweep, best first.",
        "examples:\n  foldrace leaderboard latest\n  foldrace leaderboard my-sweep --json",
    )
    board.add_argument("sweep", metavar="SWEEP", help="name, MLflow run id, or `latest`")
    board.add_argument("--top", type=int, default=20, metavar="N", help="rows on the screen (20)")
    board.add_argument(
        "--rope", type=float, default=0.5, metavar="POINTS", help="practically equal within (0.5)"
    )
    export = _command(
        commands,
        "export",
        "Write a sweep's cells to a Parquet table.",
        "examples:\n  foldrace export latest\n  foldrace export my-sweep --out table.parquet",
    )
    export.add_argument("sweep", metavar="SWEEP", help="name, MLflow run id, or `latest`")
    export.add_argument("--out", metavar="FILE", help="the file (SWEEP.parquet)")
    words = _command(
        commands,
        "explain",
        "Show which words the best config of a sweep looks at.",
        explain.EXAMPLES,
    )
    explain.add_options(words)
    for parser_of_sweep in (resume, board, export, words):
        _add_ledger(parser_of_sweep)
        _add_json(parser_of_sweep)

    bench.add_options(
        _command(
            commands,
            "bench-strategies",
            "Replay strategies on finished exhaustive sweeps: regret against cells.",
            bench.EXAMPLES,
        )
    )

    cluster_options.add_submit(
        _command(
            commands,
            "submit",
            "Run a sweep on a Ray cluster, as a job.",
            cluster_options.SUBMIT_EXAMPLES,
        )
    )

    cluster_options.add_schedule(
        _command(
            commands,
            "schedule",
            "Start sweeps when they are due.",
            cluster_options.SCHEDULE_EXAMPLES,
        )
    )

    for name, what in (
        ("spaces", "spaces: axes, grid size, reference configs"),
        ("data", "data sets by name, with their hub ids"),
        ("models", "encoder aliases, with their hub ids"),
    ):
        listing = _command(commands, name, f"List the {what}.", f"examples:\n  foldrace {name}")
        _add_json(listing)

    ui = _command(
        commands,
        "ui",
        "Open the MLflow UI on the ledger.",
        "examples:\n  foldrace ui\n  foldrace ui --port 5001",
    )
    ui.add_argument("--port", type=int, default=5000, help="(5000)")
    ui.add_argument("--host", default="127.0.0.1", help="(127.0.0.1: this machine only)")
    _add_ledger(ui)
    return parser


def _terminate(signal_number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(argv)
    # A scheduler's SIGTERM is to end a sweep as a Ctrl-C does: results delivered, resume possible.
    signal.signal(signal.SIGTERM, _terminate)
    from search import commands

    try:
        return commands.COMMANDS[options.command](options)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except commands.InputError as error:
        sys.stderr.write(f"foldrace {options.command}: {error}\n")
        return 2
    except commands.SweepError as error:
        sys.stderr.write(f"foldrace {options.command}: {error}\n")
        return 1
    except BrokenPipeError:
        return 1


def script() -> NoReturn:
    """The console script: `main`, then the end.

    An interruption may fall into Ray's start or torch's import. The interpreter, which takes down
    what these left behind in C++, then crashes now and then, and the exit code is lost: so it is
    left out. What is registered for the end is done all the same.
    """
    code = main()
    if code != 130:
        sys.exit(code)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    script()
