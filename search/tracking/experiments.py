"""MLflow experiments of a ledger, looked up once, made when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from search.errors import DeliveryRefusedError
from search.ledger.store import Kind
from search.tracking import dataset_input
from search.tracking.sqlite_store import deleted


class Experiments:
    """Experiments by kind.

    Args:
        client: Gives MLflow's client.
        names: Names of the experiments.
        artifacts: Folder of the files of a sqlite ledger; None where MLflow says where they go.
    """

    def __init__(
        self, client: Callable[[], MlflowClient], names: Mapping[Kind, str], artifacts: Path | None
    ) -> None:
        self._client = client
        self._names = names
        self._artifacts = artifacts
        self._known: dict[Kind, Experiment] = {}

    def find(self, kind: Kind) -> Experiment | None:
        """Experiment of a kind; None if there is none yet.

        Raises:
            DeliveryRefusedError: if it was deleted in MLflow.
        """
        if kind not in self._known:
            experiment = self._client().get_experiment_by_name(self._names[kind])
            if experiment is None:
                return None
            if experiment.lifecycle_stage != "active":
                raise DeliveryRefusedError(deleted(experiment.name, experiment.experiment_id))
            self._known[kind] = experiment
        return self._known[kind]

    def to_write(self, kind: Kind) -> Experiment:
        """Experiment of a kind, made if need be.

        Raises:
            DeliveryRefusedError: if it was deleted in MLflow.
            ConnectionError: if it is not there after all.
        """
        experiment = self.find(kind)
        if experiment is None:
            try:
                self._make(kind)
            except MlflowException:
                # Another process may have made it in between.
                if self.find(kind) is None:
                    raise
            experiment = self.find(kind)
        if experiment is None:
            raise ConnectionError(f"experiment {self._names[kind]!r} was made and is not there")
        return experiment

    def forget(self) -> None:
        """Look all of them up again at the next need."""
        self._known.clear()

    def _make(self, kind: Kind) -> None:
        name = self._names[kind]
        # Beside the database, not in whatever folder the sweep is started from.
        location = None if self._artifacts is None else (self._artifacts / name).as_uri()
        # Without the first tag a new experiment opens as one of language model traces in the UI.
        tags = {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": dataset_input.NOTES[kind],
        }
        self._client().create_experiment(name, artifact_location=location, tags=tags)
