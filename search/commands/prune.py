"""`foldrace prune`."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from search.commands._options import add_json, add_ledger, add_sweep, print_json

if TYPE_CHECKING:
    from search.sweep.prune import Removal

SUMMARY = "Remove a sweep's runs, but nothing that another sweep uses."
EXAMPLES = """\
examples:
  foldrace prune my-sweep             say what would be removed
  foldrace prune my-sweep --yes       remove it
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument("--yes", action="store_true", help="remove it; else it is only said")
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace prune`."""
    from search.console import output
    from search.spec.arguments import tracking_uri
    from search.sweep import prune

    uri = tracking_uri(options)
    if options.yes:
        with output.counting("removing runs") as told:
            removal = prune.prune(uri, options.experiment, options.sweep, told)
    else:
        with output.busy("reading the ledger"):
            removal = prune.survey(uri, options.experiment, options.sweep)
    document = _document(removal, options.yes, _collect(uri))
    if options.json:
        print_json(document)
    else:
        _show(document, _again(options))
    return 0


def _document(removal: Removal, removed: bool, collect: str | None) -> dict[str, Any]:
    names = {sweep.id: sweep.name for sweep in removal.sweeps}
    return {
        "sweep": removal.sweeps[0].name,
        "run_id": removal.sweeps[0].id,
        "removed": removed,
        "sweeps": [names[run_id] for run_id in removal.sweep_runs],
        "configs": len(removal.configs),
        "cells": len(removal.cells),
        "stay": removal.stay,
        "kept": [
            {"sweep": names[run_id], "run_id": run_id, "why": why}
            for run_id, why in removal.kept.items()
        ],
        "notes": removal.notes,
        "free_disk_with": collect,
    }


def _show(document: dict[str, Any], again: str) -> None:
    import sys

    from search.console.screen import screen_of
    from search.formatting import counted

    screen = screen_of(sys.stdout)
    what = ", ".join(
        counted(number, noun)
        for number, noun in (
            (len(document["sweeps"]), "sweep"),
            (document["configs"], "config"),
            (document["cells"], "cell"),
        )
    )
    did = "Removed" if document["removed"] else "Would be removed"
    screen.print(f"{did} of {document['sweep']} (run {document['run_id']}): {what}.")
    if inner := [name for name in document["sweeps"] if name != document["sweep"]]:
        screen.print(f"Among them its inner sweeps: {', '.join(inner)}.")
    for name, cells in document["stay"].items():
        screen.print(f"{counted(cells, 'cell')} of it stay: sweep {name} needs them.")
    for kept in document["kept"]:
        screen.print(f"The run of {kept['sweep']} stays with its files: {kept['why']}.")
    for note in document["notes"]:
        screen.print(note)
    if not document["removed"]:
        screen.print(f"Nothing was removed. To remove it: {again}", soft_wrap=True)
    elif document["free_disk_with"] is not None:
        screen.print("MLflow keeps what was removed; this frees the disk:")
        screen.print(document["free_disk_with"], soft_wrap=True)
    else:
        screen.print("MLflow keeps what was removed; `mlflow gc` beside its server frees the disk.")


def _collect(uri: str) -> str | None:
    """MLflow's command that frees the disk; None where it is a server's."""
    from search.tracking_uri import sqlite_file

    file = sqlite_file(uri)
    if file is None:
        return None
    address = f"sqlite:///{file}"
    return shlex.join(["mlflow", "gc", "--backend-store-uri", address, "--tracking-uri", address])


def _again(options: argparse.Namespace) -> str:
    """Command that removes what was told."""
    from search.console.output import command_name

    words = [command_name(), "prune", options.sweep, "--yes"]
    if options.tracking_uri:
        words += ["--tracking-uri", options.tracking_uri]
    if options.experiment != "foldrace":
        words += ["--experiment", options.experiment]
    return shlex.join(words)
