"""Whole folders of a run in MLflow: a saved model is many files, some of them large."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from search.errors import LedgerError
from search.tracking import (
    client as mlflow_store,  # sets MLflow's environment before mlflow is imported
)
from search.tracking_uri import redact, sqlite_file

from mlflow import MlflowClient  # isort: skip
from mlflow.exceptions import MlflowException  # isort: skip

__all__ = ["get_folder", "has_folder", "mlflow_store", "put_folder"]


def _client(tracking_uri: str) -> MlflowClient:
    file = sqlite_file(tracking_uri)
    return MlflowClient(tracking_uri if file is None else f"sqlite:///{file}")


def put_folder(tracking_uri: str, run_id: str, folder: Path, name: str) -> None:
    """Keep all files of a folder with a run, as a folder of this name.

    Raises:
        LedgerError: if MLflow cannot be reached, or they cannot be written.
    """
    try:
        _client(tracking_uri).log_artifacts(run_id, str(folder), name)
    except (MlflowException, OSError) as error:
        raise LedgerError(f"{redact(tracking_uri)}: {redact(str(error))}") from error


def has_folder(tracking_uri: str, run_id: str, name: str) -> bool:
    """Whether a run has a folder of this name.

    Raises:
        LedgerError: if MLflow cannot be reached.
    """
    try:
        return bool(_client(tracking_uri).list_artifacts(run_id, name))
    except (MlflowException, OSError) as error:
        raise LedgerError(f"{redact(tracking_uri)}: {redact(str(error))}") from error


def get_folder(tracking_uri: str, run_id: str, name: str, place: Path) -> bool:
    """Fetch a folder of a run.

    Args:
        tracking_uri: Where the run is.
        run_id: The run.
        name: Of the folder.
        place: What it becomes here: made at once, or not at all.

    Returns:
        False where the run has no such folder.

    Raises:
        LedgerError: if MLflow cannot be reached, or the disk cannot hold it.
    """
    client = _client(tracking_uri)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not has_folder(tracking_uri, run_id, name):
            return False
        with tempfile.TemporaryDirectory(dir=place.parent) as draft:
            fetched = Path(client.download_artifacts(run_id, name, draft))
            shutil.rmtree(place, ignore_errors=True)
            fetched.rename(place)
    except (MlflowException, OSError) as error:
        raise LedgerError(f"{redact(tracking_uri)}: {redact(str(error))}") from error
    return True
