"""The rows of a file scored by a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from search.console import output
from search.errors import SweepError
from search.ledger.records import SweepRecord
from search.planning.file_columns import WholeTable
from search.planning.plan import Plan
from search.planning.prepare import checked_data
from search.results.outcome import SweepResult
from search.serving import own_model, predict, promote, registered
from search.serving.input_rows import FileRows, RowSchema, of_table
from search.serving.predict import Classifier, Predictions
from search.tracking.model_registry import Registered
from trainables.engine.arrays import Float32Array
from trainables.engine.cells.trainable import Trainable
from trainables.engine.datasets.frames.whole import new_rows
from trainables.engine.datasets.known_labels import KnownClasses
from trainables.engine.errors import ConfigError
from trainables.engine.functions import cells as functions
from trainables.engine.functions.outcome import regression
from trainables.engine.refit import network
from trainables.engine.text_data import TextData
from trainables.engine.training.scoring import score

Sweep = tuple[str, str, SweepRecord, SweepResult]
"""URI of the ledger, its experiment, the sweep's record and result."""


def predict_file(
    sweep: Sweep,
    file: WholeTable,
    *,
    text: str | None = None,
    text_b: str | None = None,
    label: str | None = None,
    model: str | None = None,
) -> tuple[Predictions, Registered | None]:
    """Score the rows of a file.

    Args:
        sweep: The sweep.
        file: All of the file.
        text: Column of the text; the sweep's without one.
        text_b: Column of a pair's second text.
        label: Column of the true label.
        model: Name of the registered model, where it is not called as the sweep.

    Raises:
        InputError: if the file lacks a column, or there is no such model.
        SweepError: if what classifies must be trained, and diverges.
    """
    plan = sweep[3].plan
    if plan.spec.data.columns == "all":
        return _by_function(sweep, file, label, model)
    rows, classify = _asked(sweep, file, (text, text_b, label), model)
    classifier, found = classify()
    doing = f"reading {file.path.name}"
    if found is None:
        doing = f"training the winner on all rows, and {doing}"
    with output.busy(doing):
        return predict.predict(plan, rows, classifier, label=label), found


def _asked(
    sweep: Sweep,
    file: WholeTable,
    columns: tuple[str | None, str | None, str | None],
    model: str | None,
) -> tuple[FileRows, Callable[[], tuple[Classifier, Registered | None]]]:
    """Rows of the file, checked, and how to classify them.

    What classifies is a registered model, or the winner: only a sound file is worth its training.
    """
    uri, experiment, record, outcome = sweep
    plan, config = outcome.plan, outcome.config_at(1)
    found = (
        registered.of_sweep(uri, record.id, plan.spec.name)
        if model is None
        else registered.named(uri, record.id, plan.spec.name, model)
    )
    shape = RowSchema.of(checked_data(plan)) if found is None else predict.schema_of(found)
    rows = of_table(plan, shape, file, *columns)

    def classify() -> tuple[Classifier, Registered | None]:
        if found is not None:
            return predict.registered_model(uri, found), found
        if network.fault(plan.space.trainable, plan.configs[config]) is not None:
            output.say("no model of this sweep can be saved: its winner is trained for this file")
            return predict.train_classifier(plan, config, checked_data(plan)), None
        with output.busy("no model of this sweep yet: training its winner on all rows"):
            promoted = promote.promote(uri, experiment, record.id).registered
        return predict.registered_model(uri, promoted), promoted

    return rows, classify


def _by_function(
    sweep: Sweep, file: WholeTable, label: str | None, model: str | None
) -> tuple[Predictions, Registered | None]:
    """Predict a file's rows with a user's functions.

    A file with `fit` and `predict` is promoted, another trained with the file's rows as its test.
    """
    uri, experiment, record, outcome = sweep
    plan = outcome.plan
    data = checked_data(plan)
    rows, kept = new_rows(plan.spec.data, data, file.table)
    promoted = (
        registered.of_sweep(uri, record.id, plan.spec.name)
        if model is None
        else registered.named(uri, record.id, plan.spec.name, model)
    )
    if promoted is None and own_model.pair_in(plan) is not None:
        with output.busy("no model of this sweep yet: fitting its winner on all rows"):
            promoted = promote.promote(uri, experiment, record.id).registered
    with output.busy(f"reading {file.path.name}"):
        if promoted is not None:
            found = predict.own_model(uri, promoted)(rows)
        else:
            found = _trained(outcome, data, rows)
    answers: list[dict[str, Any] | None] = [None] * file.table.rows
    for row, values in zip(kept, found.tolist(), strict=True):
        answers[row] = _answer(data.label_names, values, data.target is not None)
    scores, notes = _scored(plan, file, data, found, kept, label)
    blank = file.table.rows - len(kept)
    return Predictions(file.table, answers, blank, scores, notes), promoted


def _trained(outcome: SweepResult, data: TextData, rows: TextData) -> Float32Array:
    """Train the winner on all rows of the sweep, and predict others."""
    plan, config = outcome.plan, outcome.config_at(1)
    function = Trainable.load(plan.space.trainable).train
    if function is None:
        raise SweepError(f"{plan.space.trainable} is a training function no more.")
    output.say("its file has train alone, which keeps no model: it is trained for this file")
    try:
        return functions.probabilities(
            plan.task, function, data, plan.configs[config], plan.spec.seeds[0], rows
        )
    except ConfigError as error:
        raise SweepError(f"{plan.label(config)} predicts nothing: {error}") from error


def _answer(classes: tuple[str, ...], values: list[float], number: bool) -> dict[str, Any]:
    if number:
        return {"prediction": values[0]}
    best = max(range(len(values)), key=values.__getitem__)
    each = {f"p_{name}": share for name, share in zip(classes, values, strict=True)}
    return {"label": classes[best], "probability": values[best], **each}


def _scored(
    plan: Plan, file: WholeTable, data: Any, found: Any, kept: list[int], label: str | None
) -> tuple[dict[str, float] | None, list[str]]:
    """Metrics where the file has the answer, and remarks."""
    column = label or data.answer
    if column not in file.table.columns:
        return None, []
    if data.target is not None:
        true = new_rows(replace(plan.spec.data), data, file.table, with_target=True)[0].target
        if true is None or not np.isfinite(true).all():
            return None, []
        return {**regression(true, found[:, 0]), "rows": float(len(kept))}, []
    classes = KnownClasses(data.label_names, data.labels_written)
    truth = classes.read(file.table, column, kept)
    if not truth.places:
        return None, list(truth.notes)
    metrics = score(truth.ids, found[truth.places], data.label_names)
    return {**metrics, "rows": float(len(truth.places))}, list(truth.notes)
