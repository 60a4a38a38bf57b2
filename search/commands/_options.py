"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from search.checks import bounds
from search.checks.names import NAME
from search.checks.output_paths import OUTPUT_FOLDER, OUTPUT_TOML
from search.checks.urls import HOST, RAY_ADDRESS
from search.tracking_uri import EXPERIMENT


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def add_sweep(parser: argparse.ArgumentParser) -> None:
    """Add SWEEP, the sweep's name or run id."""
    parser.add_argument("sweep", metavar="SWEEP", help="name, MLflow run id, or `latest`")


def add_ledger(parser: argparse.ArgumentParser, experiment: str | None = EXPERIMENT) -> None:
    """Add the options of the ledger and its experiment.

    Args:
        parser: The command's.
        experiment: Experiment where none is typed.
    """
    ledger = parser.add_argument_group("ledger")
    ledger.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="MLflow tracking URI (default: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)",
    )
    ledger.add_argument(
        "--experiment",
        type=NAME,
        default=experiment,
        metavar="NAME",
        help="MLflow experiment (foldrace)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def add_text_columns(parser: argparse._ActionsContainer, whose: str) -> None:
    """`--text` and `--text-b`, which with --data name columns in every command.

    Args:
        parser: The command's.
        whose: Ends the help.
    """
    parser.add_argument(
        "--text", "--column", dest="text", metavar="COLUMN", help=f"text column {whose}"
    )
    parser.add_argument(
        "--text-b",
        "--column-b",
        dest="text_b",
        metavar="COLUMN",
        help="column of a pair's second text",
    )


def add_nested(parser: argparse._ActionsContainer) -> None:
    """`--nested`."""
    what = "check the winner by nested cross-validation: a sweep more for each fold, same budget"
    parser.add_argument("--nested", action="store_true", default=None, help=what)


def add_take_over(parser: argparse._ActionsContainer) -> None:
    """Add the flag that takes a sweep from a process that hangs."""
    what = "take the sweep from the process that trains it, should that hang"
    parser.add_argument("--take-over", action="store_true", help=what)


def add_report(parser: argparse._ActionsContainer) -> None:
    """`--report`."""
    parser.add_argument(
        "--report",
        type=OUTPUT_FOLDER,
        metavar="DIR",
        help="write the report into this folder, too",
    )


def add_limits(parser: argparse._ActionsContainer, cells: str, hours: str) -> None:
    """`--max-cells` and `--max-hours`, each with its help."""
    parser.add_argument("--max-cells", type=bounds.COUNT, metavar="N", help=cells)
    parser.add_argument("--max-hours", type=bounds.HOURS, metavar="H", help=hours)


def add_rank(parser: argparse._ActionsContainer) -> None:
    """`--rank`."""
    parser.add_argument(
        "--rank",
        type=bounds.COUNT,
        default=1,
        metavar="N",
        help="the leaderboard's N-th config (1)",
    )


def add_rope(parser: argparse._ActionsContainer) -> None:
    """`--rope`."""
    parser.add_argument(
        "--rope",
        type=bounds.ROPE,
        default=0.5,
        metavar="POINTS",
        help="practically equal within (0.5)",
    )


def add_server(parser: argparse._ActionsContainer, port: int) -> None:
    """`--port` and `--host` of a server.

    Args:
        parser: The command's.
        port: Port without the option.
    """
    parser.add_argument(
        "--port",
        type=bounds.PORT,
        default=port,
        metavar="N",
        help=f"port to listen on ({port})",
    )
    parser.add_argument(
        "--host",
        type=HOST,
        default="127.0.0.1",
        help="address to listen on (127.0.0.1: this machine only)",
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    """The options that `run` and `plan` share: together they are a SweepSpec."""
    parser.add_argument(
        "space",
        nargs="?",
        metavar="SPACE",
        help="what to search: `foldrace spaces` lists names (finetune); a sweep's .toml; a .py of "
        "your own with a training function",
    )
    _add_data(parser.add_argument_group("data"))
    _add_space(parser.add_argument_group("model and space"))
    _add_protocol(parser.add_argument_group("protocol and strategy"))
    limits = parser.add_argument_group("budget and resources")
    _add_budget(limits)
    _add_resources(limits)
    add_ledger(parser, None)
    parser.add_argument(
        "--name", type=NAME, metavar="NAME", help="name of the sweep (space-data-model)"
    )
    parser.add_argument(
        "--save",
        type=OUTPUT_TOML,
        metavar="FILE",
        help="write the sweep as a .toml that `foldrace run FILE` takes",
    )
    add_json(parser)


def _add_data(group: argparse._ArgumentGroup) -> None:
    """Options that name the data and their columns."""
    group.add_argument(
        "--data",
        metavar="REF",
        help="registry name, name-1k (its name and --train-rows 1000), a .csv .tsv .jsonl .json "
        ".parquet, a folder, or a hub id",
    )
    add_text_columns(group, "of the data (found by its name, or by what it holds)")
    group.add_argument("--label", metavar="COLUMN", help="column of the label (likewise)")
    group.add_argument(
        "--target",
        metavar="COLUMN",
        help="column of a number to predict in place of a label, by a training function of yours",
    )
    group.add_argument("--image", metavar="COLUMN", help="column of the text's image: path or URL")
    group.add_argument("--image-b", metavar="COLUMN", help="column of the second text's image")
    group.add_argument(
        "--bad-images",
        choices=["missing", "drop"],
        help="rows with an unusable image: keep them, a vector is learned for it; or leave them "
        "out (missing)",
    )
    group.add_argument(
        "--subset", type=bounds.COUNT, metavar="N", help="a stratified subset of N rows"
    )
    group.add_argument(
        "--parts",
        choices=["train", "all"],
        help="official parts that folds are made of (all; sst2, trec and mrpc: train, as in their "
        "paper)",
    )
    group.add_argument(
        "--drop-missing",
        action="store_true",
        default=None,
        help="leave out rows without text or label",
    )
    group.add_argument(
        "--clean",
        action="append",
        metavar="STEP",
        help="a cleaning step such as reuters-prefix; repeat for more, in their order (the "
        "space's own; none for no step)",
    )
    group.add_argument(
        "--metadata",
        metavar="COLUMN,COLUMN",
        help="numeric columns that `tweets` may join to the text; blank cells are missing values",
    )


def _add_space(group: argparse._ArgumentGroup) -> None:
    """Options that name the model and narrow the space."""
    group.add_argument(
        "--model",
        metavar="REF",
        help="alias, hub id, local folder, or a finished sweep that tuned one (all-MiniLM-L6-v2)",
    )
    group.add_argument(
        "--set",
        action="append",
        metavar="NAME=V,V",
        dest="set_axes",
        help="search these values of an axis or of a fixed value, or a range, "
        "LOW..HIGH or LOW..HIGH:log, with strategy race, random or tpe; repeat for more; "
        "`foldrace spaces SPACE` says what each means",
    )
    group.add_argument(
        "--fix",
        action="append",
        metavar="NAME=VALUE",
        help="give a fixed value (or an axis) this value; `foldrace spaces SPACE` lists them",
    )
    group.add_argument(
        "--configs",
        metavar="all|reference|ablation|FILE",
        help="which configs compete: grid and references (all), the named ones, or a file's",
    )
    group.add_argument("--plugin", metavar="FILE", help="a Python file with entries of your own")


def _add_protocol(group: argparse._ArgumentGroup) -> None:
    """Options of the cross-validation and of the strategy."""
    group.add_argument("--seeds", metavar="N,N", help="seeds (2,16,128,2048)")
    split = group.add_mutually_exclusive_group()
    split.add_argument(
        "--folds", type=bounds.FOLDS, metavar="N", help="folds of the cross-validation (5)"
    )
    split.add_argument(
        "--holdout",
        nargs="?",
        const="0.2",
        metavar="SHARE|official",
        help="hold out a share (0.2) or the official test part instead of folds",
    )
    group.add_argument(
        "--train-rows",
        type=bounds.COUNT,
        metavar="N",
        help="train each cell on N rows of its training part; all held-out rows are scored",
    )
    group.add_argument(
        "--objective",
        metavar="METRIC",
        help="metric that ranks configs: macro_f1, loss, f1_CLASS ... (the space's own); trains "
        "no cell anew",
    )
    group.add_argument(
        "--strategy",
        choices=["race", "grid", "random", "tpe", "halving", "wilcoxon", "own"],
        help="who decides which cells come next (race); own: STRATEGY of your .py file",
    )
    group.add_argument(
        "--prior",
        metavar="SWEEP,...|none",
        help="earlier sweeps of the space that say where a race looks first, never who wins (the "
        "ledger's of other data)",
    )
    group.add_argument(
        "--strategy-seed", type=bounds.SEED, metavar="N", help="seed of the strategy (0)"
    )
    add_nested(group)


def _add_budget(group: argparse._ArgumentGroup) -> None:
    """Options that limit a sweep."""
    add_limits(group, "cells in all, ledger included", "wall-clock hours")
    group.add_argument(
        "--stop-margin",
        type=bounds.MARGIN,
        metavar="POINTS",
        help="end a race when P(another config is better by more) is under 5%% (0.5 points)",
    )


def _add_resources(group: argparse._ArgumentGroup) -> None:
    """Options that say how cells are placed and retried."""
    group.add_argument(
        "--stack",
        metavar="auto|N",
        help="cells trained as one batched model (auto: the fastest that fits)",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        default=None,
        help="run models through torch.compile: a minute or more before a worker's first step",
    )
    group.add_argument(
        "--epoch-scores",
        choices=["each", "last"],
        help="score held-out rows after each epoch, or the last alone: less time, no curves (each)",
    )
    group.add_argument(
        "--max-cell-minutes",
        type=bounds.MINUTES,
        metavar="M",
        help="end a cell that takes longer; a stack of N cells may take N times that",
    )
    group.add_argument(
        "--cell-retries",
        type=bounds.RETRIES,
        metavar="N",
        help="how often a cell is trained again after its worker was lost or ran out of time (2)",
    )
    group.add_argument(
        "--workers-per-trial",
        type=bounds.TRIALS,
        metavar="N",
        help="processes that train each cell together, a GPU each (1)",
    )
    group.add_argument(
        "--fsdp",
        action="store_true",
        default=None,
        help="share the model out to the workers' GPUs (FSDP) instead of copying it (DDP)",
    )
    group.add_argument(
        "--cpus-per-trial", type=bounds.CPUS, metavar="F", help="CPUs of one trial (1)"
    )
    group.add_argument(
        "--gpus-per-trial",
        type=bounds.GPUS,
        metavar="F",
        help="GPUs of one trial (1 where there are any, else 0)",
    )
    group.add_argument(
        "--trials",
        type=bounds.TRIALS,
        metavar="N",
        help="trials at once (what fits at the start; a cluster that grows on demand wants N)",
    )
    group.add_argument(
        "--ray-address",
        type=RAY_ADDRESS,
        metavar="auto|local|ray://...",
        help="where Ray runs: here (local), in the cluster of this machine (auto), or elsewhere",
    )


def show_listing(rows: list[dict[str, Any]], options: argparse.Namespace) -> int:
    """Rows as a table, or as JSON; returns the exit code."""
    if options.json:
        print_json(rows)
        return 0
    from search.console import output

    output.show_table(rows)
    return 0
