"""The record of finished cells, in MLflow.

Three flat experiments: NAME (a run per config of a sweep), NAME/cells (a run per cell, ever) and
NAME/sweeps (a run per sweep), tied by the tags sweep, config and cell_key. Only the driver writes,
from one background thread; results lie in a spool on disk until MLflow has them.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from search.errors import InputError
from search.ledger.ledger import Journal, Trained
from search.ledger.records import LoggedCell, SweepRecord
from search.ledger.store import Kind
from search.tracking.sqlite_store import SqliteStore, Writer
from search.tracking_uri import check_folder, check_uri, redact, sqlite_file

__all__ = ["Ledger", "LoggedCell", "SweepRecord", "Trained"]

_PATIENCE_S = 10  # for a server's first answer


class Ledger(Journal):
    """The journal of one experiment name at a tracking URI; a context manager.

    Args:
        tracking_uri: sqlite:///mlflow.db, http://host:5000, postgresql://...
        experiment: NAME; the two other experiments are called after it.
        spool_dir: Where results wait until MLflow has them; ledgers have sub-folders of their own.
    """

    def __init__(
        self, tracking_uri: str, experiment: str, spool_dir: Path = Path(".foldrace/spool")
    ) -> None:
        file = sqlite_file(tracking_uri)
        # Absolute, so that a later change of the working folder changes nothing.
        uri = tracking_uri if file is None else f"sqlite:///{file}"
        names: dict[Kind, str] = {
            "configs": experiment,
            "cells": f"{experiment}/cells",
            "sweeps": f"{experiment}/sweeps",
        }
        identity = json.dumps([redact(uri), experiment]).encode()
        folder = spool_dir.absolute() / hashlib.sha256(identity).hexdigest()[:16]
        artifacts = None if file is None else file.parent / "mlartifacts"

        def mlflow() -> Writer:
            from search.tracking.client import MlflowStore  # which takes seconds to import

            return MlflowStore(uri, names, artifacts)

        self._uri = tracking_uri
        self._tables = mlflow() if file is None else SqliteStore(file, names, mlflow)
        where = f"{redact(tracking_uri)} (experiment {experiment!r})"
        super().__init__(self._tables, folder, where)

    def check(self) -> None:
        """Make sure that results can be written here.

        Takes some 5 seconds at most where nobody answers. A new sqlite file is made by the first
        result, not here.

        Raises:
            InputError: naming the URI, what is wrong and what to do.
        """
        check_uri(self._uri)
        check_folder(self._spool_folder, "The folder of results that wait for MLflow,")
        hasty = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_PATIENCE_S),
        }
        before = {name: os.environ.get(name) for name in hasty}
        os.environ.update(hasty)
        try:
            with self._asking(InputError):
                self._tables.ping()
        except ImportError as error:
            raise InputError(
                f"Tracking URI {redact(self._uri)!r} needs a database driver that is not "
                f"installed ({error}). Install it, or use a server: http://host:5000."
            ) from error
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
