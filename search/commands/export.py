"""`foldrace export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.commands._options import add_json, add_ledger, add_sweep, print_json
from search.results.table_file import TABLE

SUMMARY = "Write a sweep's cells to a table."
EXAMPLES = """\
examples:
  foldrace export latest
  foldrace export my-sweep --out table.parquet
  foldrace export my-sweep --out cells.csv
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--out", type=TABLE, metavar="FILE", help="a .parquet, .csv, .tsv or .jsonl (SWEEP.parquet)"
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace export`."""
    from search.arguments import recipe, tracking_uri
    from search.benchmark.export import write_table
    from search.console import output
    from search.sweep.load import load_record

    _, outcome = load_record(tracking_uri(options), options.experiment, options.sweep)
    planned, table = outcome.plan, outcome.table
    path = Path(options.out or f"{planned.spec.name}.parquet")
    rows = write_table(planned, table, path)
    if options.json:
        print_json({"path": str(path), "cells": rows, "recipe": recipe(planned.spec)})
    else:
        output.say(f"{rows:,} cells in {path}, made by: {recipe(planned.spec)}")
    return 0
