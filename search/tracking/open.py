"""The ledger of a tracking URI, connected or opened.

Three flat experiments: NAME (a run per config of a sweep), NAME/cells (a run per cell, ever) and
NAME/sweeps (a run per sweep), tied by the tags sweep, config and cell_key. Only the driver writes,
from one background thread; results lie in a spool on disk until MLflow has them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from search.errors import NoLedgerError
from search.ledger.ledger import Ledger
from search.ledger.store import Kind, Store
from search.process.folders import STATE
from search.redaction import redact
from search.tracking.sqlite_store import SqliteStore
from search.tracking_uri import check_uri, sqlite_file


def open_ledger(tracking_uri: str, experiment: str, *, make: bool = False) -> Ledger:
    """Open the ledger at a tracking URI, and find it reachable.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Name of the experiment.
        make: Make a sqlite file that is not there; commands that read do not.

    Raises:
        NoLedgerError: if it is a sqlite file that is not there, and is not to be made.
        InputError: if it cannot be reached or written.
    """
    check_uri(tracking_uri)
    file = sqlite_file(tracking_uri)
    if file is not None and not file.exists() and not make:
        raise NoLedgerError(
            f"No sweep in {redact(tracking_uri)} (experiment {experiment!r}) yet: there is no "
            f"file {file}. Start one with `foldrace run`, or correct --tracking-uri."
        )
    ledger = connect(tracking_uri, experiment)
    ledger.check()
    return ledger


def connect(tracking_uri: str, experiment: str, spool_dir: Path = STATE / "spool") -> Ledger:
    """Make the ledger of an experiment name, without a call to it.

    Args:
        tracking_uri: sqlite:///mlflow.db, http://host:5000, postgresql://...
        experiment: NAME; the two other experiments are called after it.
        spool_dir: Folder of results that wait for MLflow; each ledger has a sub-folder of its own.
    """
    file = sqlite_file(tracking_uri)
    # Absolute, so that a later change of the working folder changes nothing.
    uri = tracking_uri if file is None else f"sqlite:///{file}"
    names: dict[Kind, str] = {
        "configs": experiment,
        "cells": f"{experiment}/cells",
        "sweeps": f"{experiment}/sweeps",
    }
    folder = spool_folder(tracking_uri, experiment, spool_dir)
    artifacts = None if file is None else file.parent / "mlartifacts"

    def mlflow(read_to: Callable[[Kind], int] = lambda kind: 0) -> Store:
        from search.tracking.client import MlflowStore  # which takes seconds to import

        return MlflowStore(uri, names, artifacts, read_to)

    store = mlflow() if file is None else SqliteStore(file, names, mlflow)
    return Ledger(store, folder, f"{redact(tracking_uri)} (experiment {experiment!r})")


def spool_folder(tracking_uri: str, experiment: str, spool_dir: Path = STATE / "spool") -> Path:
    """Folder of the results that a ledger lacks."""
    file = sqlite_file(tracking_uri)
    uri = tracking_uri if file is None else f"sqlite:///{file}"
    identity = json.dumps([redact(uri), experiment]).encode()
    return spool_dir.absolute() / hashlib.sha256(identity).hexdigest()[:16]
