"""`foldrace export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from search.checks.output_paths import OutputFile
from search.commands._options import add_json, add_ledger, add_sweep, print_json
from search.results.table_file import TABLE

if TYPE_CHECKING:
    from search.results.outcome import SweepResult

STUDY = OutputFile(".db", ".sqlite", ".sqlite3")

SUMMARY = "Write a sweep's cells to a table, or its configs to an Optuna study."
EXAMPLES = """\
examples:
  foldrace export latest
  foldrace export my-sweep --out table.parquet
  foldrace export my-sweep --out cells.csv
  foldrace export my-sweep --optuna study.db      then: optuna-dashboard sqlite:///study.db
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--out", type=TABLE, metavar="FILE", help="a .parquet, .csv, .tsv or .jsonl (SWEEP.parquet)"
    )
    parser.add_argument(
        "--optuna",
        type=STUDY,
        metavar="FILE",
        help="write an Optuna study instead, a trial a config, into this .db file",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace export`."""
    from search.benchmark.export import write_table
    from search.console import output
    from search.spec.arguments import recipe, tracking_uri
    from search.sweep.load import load_record

    _, outcome = load_record(tracking_uri(options), options.experiment, options.sweep)
    planned, table = outcome.plan, outcome.table
    if options.optuna:
        return _study(options, outcome)
    path = Path(options.out or f"{planned.spec.name}.parquet")
    rows = write_table(planned, table, path)
    if options.json:
        print_json({"path": str(path), "cells": rows, "recipe": recipe(planned.spec)})
    else:
        output.say(f"{rows:,} cells in {path}, made by: {recipe(planned.spec)}")
    return 0


def _study(options: argparse.Namespace, outcome: SweepResult) -> int:
    """Write the sweep as an Optuna study."""
    from search.benchmark.optuna_study import write_study
    from search.console import output
    from search.errors import InputError

    if options.out is not None:
        raise InputError("--out writes a table and --optuna a study: give one of them.")
    path = Path(options.optuna)
    trials = write_study(outcome, path)
    if options.json:
        print_json({"path": str(path), "trials": trials, "study": outcome.plan.spec.name})
    else:
        output.say(
            f"{trials:,} trials in {path}; look with: optuna-dashboard sqlite:///{path}", whole=True
        )
    return 0
