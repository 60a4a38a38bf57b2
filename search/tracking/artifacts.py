"""Whole folders of a run in MLflow.

A saved model is many files, some of them large.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import LedgerError
from search.redaction import redact
from search.tracking import (
    client as mlflow_store,  # sets MLflow's environment before mlflow is imported
)
from search.tracking_uri import sqlite_file

from mlflow import MlflowClient  # isort: skip
from mlflow.exceptions import MlflowException  # isort: skip

__all__ = ["get_folder", "has_folder", "mlflow_store", "put_folder"]


def _client(tracking_uri: str) -> MlflowClient:
    file = sqlite_file(tracking_uri)
    return MlflowClient(tracking_uri if file is None else f"sqlite:///{file}")


@contextmanager
def _plain_errors(tracking_uri: str) -> Iterator[None]:
    """Turn MLflow's errors into ours."""
    try:
        yield
    except (MlflowException, OSError) as error:
        raise LedgerError(f"{redact(tracking_uri)}: {redact(str(error))}") from error


def put_folder(tracking_uri: str, run_id: str, folder: Path, name: str) -> None:
    """Keep a folder with a run under a name.

    Raises:
        LedgerError: if MLflow cannot be reached, or the files cannot be written.
    """
    with _plain_errors(tracking_uri):
        _client(tracking_uri).log_artifacts(run_id, str(folder), name)


def has_folder(tracking_uri: str, run_id: str, name: str) -> bool:
    """Return True where a run has a folder of this name.

    Raises:
        LedgerError: if MLflow cannot be reached.
    """
    with _plain_errors(tracking_uri):
        return bool(_client(tracking_uri).list_artifacts(run_id, name))


def get_folder(tracking_uri: str, run_id: str, name: str, place: Path) -> bool:
    """Fetch a folder of a run.

    Args:
        tracking_uri: Address of the ledger.
        run_id: Id of the run.
        name: Name of the folder.
        place: Path of the folder here: made at once, or not at all.

    Returns:
        False where the run has no such folder.

    Raises:
        LedgerError: if MLflow cannot be reached, or the disk cannot hold it.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with _plain_errors(tracking_uri):
        if not has_folder(tracking_uri, run_id, name):
            return False
        with tempfile.TemporaryDirectory(dir=place.parent) as draft:
            fetched = _client(tracking_uri).download_artifacts(run_id, name, draft)
            shutil.rmtree(place, ignore_errors=True)
            Path(fetched).rename(place)
    return True
