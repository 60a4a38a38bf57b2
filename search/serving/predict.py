"""A file's rows, classified by a sweep's winner.

A winner that is a network of transformers is asked as the registered model that it is. Any other is
trained on the sweep's rows and reads the file's in the same run; nothing of it is kept.

A registered model is code and weights. Loading one runs that code with the rights of who loads it:
whoever may write to the registry may run code here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.errors import SweepError
from search.planning.plan import Plan
from search.process import launchers
from search.serving import adapter_base
from search.serving.input_rows import FileRows, RowSchema
from search.tracking.model_registry import Registered, load
from trainables.engine.arrays import Float32Array
from trainables.engine.datasets.column_roles import label_column
from trainables.engine.datasets.known_labels import KnownClasses
from trainables.engine.errors import DivergedError
from trainables.engine.functions.rows import Rows
from trainables.engine.refit import new_rows
from trainables.engine.refit.new_rows import Scorer, UnlabelledRows
from trainables.engine.tables.table import Table
from trainables.engine.text_data import TextData
from trainables.engine.training.scoring import score


@dataclass(frozen=True)
class Classifier:
    """A model that scores rows.

    Attributes:
        classes: Class names by id.
        score: From rows to class probabilities.
        labels_written: Label of each class in the training data's label column, where another
            column named it; None where that column did.
    """

    classes: tuple[str, ...]
    score: Scorer
    labels_written: tuple[str, ...] | None = None


def schema_of(model: Registered) -> RowSchema:
    """Schema of the rows that a registered model expects."""
    return RowSchema(pairs="text_b" in model.tags["columns"].split(","))


def registered_model(tracking_uri: str, model: Registered) -> Classifier:
    """A model of MLflow's registry, loaded: its code runs in this process.

    Raises:
        InputError: if the model that its adapters stand on is not there.
        LedgerError: if MLflow refuses.
    """
    classes: list[str] = json.loads(model.tags["classes"])
    adapter_base.check(model)
    network = load(tracking_uri, model)

    def score_rows(rows: UnlabelledRows) -> Float32Array:
        columns = {"text": rows.texts}
        if rows.texts_b is not None:
            columns["text_b"] = rows.texts_b
        answer = network(columns)
        probabilities: Float32Array = answer[[f"p_{name}" for name in classes]].to_numpy(np.float32)
        return probabilities

    written = json.loads(model.tags.get("labels", "null"))
    return Classifier(tuple(classes), score_rows, written and tuple(written))


def own_model(tracking_uri: str, model: Registered) -> Callable[[TextData], Float32Array]:
    """A user's own model, loaded: its code runs in this process.

    Returns:
        Function from rows to probabilities, (rows, classes), or to numbers, (rows, 1).

    Raises:
        LedgerError: if MLflow refuses.
    """
    classes: list[str] = json.loads(model.tags["classes"])
    network = load(tracking_uri, model)
    names = [f"p_{name}" for name in classes] or ["prediction"]

    def answer(rows: TextData) -> Float32Array:
        frame = Rows.of(rows, np.arange(len(rows)), labelled=False).features
        numbers = frame.select_dtypes("number").astype(np.float64)
        columns: dict[str, Any] = {
            str(name): numbers[name] if name in numbers else frame[name] for name in frame
        }
        found: Float32Array = network(columns)[names].to_numpy(np.float32)
        return found

    return answer


def train_classifier(plan: Plan, config: int, data: TextData) -> Classifier:
    """Classifier that trains on all rows once new rows are known."""

    def score_rows(rows: UnlabelledRows) -> Float32Array:
        try:
            return new_rows.probabilities(
                plan.task, data, plan.configs[config], plan.spec.seeds[0], rows
            )
        except DivergedError as error:
            raise SweepError(
                f"{plan.label(config)} cannot be trained on all rows: {error}."
            ) from error

    return Classifier(data.label_names, score_rows, data.labels_written)


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes and probabilities of a file's rows.

    Attributes:
        table: The file, all columns.
        found: label, probability and p_CLASS by row; empty texts have none.
        blank: Rows without a text, which get no label.
        scores: Metrics where the file has the label column; None where it has not.
        notes: Sweep columns missing from the file.
    """

    table: Table
    found: list[dict[str, Any] | None]
    blank: int
    scores: Mapping[str, float] | None
    notes: Sequence[str] = ()


@launchers.forgotten()
def predict(
    plan: Plan, rows: FileRows, classifier: Classifier, *, label: str | None = None
) -> Predictions:
    """Classify a file's rows.

    Args:
        plan: Plan of the sweep.
        rows: Rows of the file.
        classifier: Classifier of the rows.
        label: Column of the true label, where the file has one.

    Raises:
        SweepError: if what classifies must be trained, and diverges.
    """
    table = rows.table
    found: list[dict[str, Any] | None] = [None] * table.rows
    probabilities = np.zeros((0, len(classifier.classes)), np.float32)
    if rows.kept:
        probabilities = classifier.score(rows.further)
    for row, shares in zip(rows.kept, probabilities.tolist(), strict=True):
        best = max(range(len(shares)), key=shares.__getitem__)
        each = {f"p_{name}": share for name, share in zip(classifier.classes, shares, strict=True)}
        found[row] = {"label": classifier.classes[best], "probability": shares[best], **each}
    scores, notes = None, list(rows.notes)
    named = label or label_column(plan.task.data, table.names)
    if named in table.columns:
        classes = KnownClasses(classifier.classes, classifier.labels_written)
        truth = classes.read(table, named, rows.kept)
        notes += truth.notes
        if truth.places:
            metrics = score(truth.ids, probabilities[truth.places], classifier.classes)
            scores = {**metrics, "rows": float(len(truth.places))}
    return Predictions(table, found, table.rows - len(rows.kept), scores, notes)
