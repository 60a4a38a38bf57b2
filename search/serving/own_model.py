"""The winner of a user's own functions, fitted and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from search.errors import InputError, SweepError
from search.formatting import points
from search.planning.plan import Plan
from search.process import own_code
from search.results.outcome import SweepResult
from search.serving import model_card
from search.tracking.model_registry import Contents
from trainables.engine import registry
from trainables.engine.contract import Scalar
from trainables.engine.errors import ConfigError
from trainables.engine.functions import cells, kept_model
from trainables.engine.functions.declaration import Pair, pair_of
from trainables.engine.functions.kept_model import Columns
from trainables.engine.functions.outcome import read
from trainables.engine.functions.rows import Rows
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData

KIND = "function"
"""Tag `kind` of a version whose model is a user's own."""
CARD = "README.md"
_EXAMPLES = 2
_PAIR = """

def fit(config, train, seed):
    return make_pipeline(TfidfVectorizer(), LinearSVC(C=config["C"])).fit(train.texts, train.labels)


def predict(model, test):
    return model.predict(test.texts)
"""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A fitted model that lies in a folder.

    Attributes:
        contents: What MLflow is told of it.
        card: Its card.
        tags: Tags of its version.
        file: Name of the user's file.
        notes: What the user should know.
    """

    contents: Contents
    card: str
    tags: Mapping[str, str]
    file: str
    notes: Sequence[str]


def check(plan: Plan, words: Mapping[str, Any]) -> None:
    """Refuse what a user's functions cannot give, before anything is fitted.

    Args:
        plan: Plan of the sweep.
        words: Options of a network by name, with their values.

    Raises:
        InputError: if the file has no pair, or changed since the sweep began.
    """
    given = next((word for word, value in words.items() if value is not None), None)
    if given is not None:
        raise InputError(
            f"{given} is for networks; sweep {plan.spec.name!r} has a model of your own functions, "
            "which is pickled: leave it out."
        )
    module = _module(plan)
    file = _name(module)
    if pair_of(module) is None:
        half = next((f" and {name}" for name in ("fit", "predict") if hasattr(module, name)), "")
        raise InputError(
            f"{file} has train{half} only, whose model is gone when a cell ends: add "
            "fit(config, train, seed), which returns a model, and predict(model, test), which "
            f"returns probabilities, classes or numbers, and promote again. For example:{_PAIR}"
        )
    now = own_code.of_plugin(Path(str(module.__file__)).read_text(encoding="utf-8"))
    if not hasattr(module, "train") and plan.task.plugin not in ("", now):
        raise InputError(
            f"{file} changed since sweep {plan.spec.name!r} started: the digest of its code was "
            f"{plan.task.plugin}, is {now}. What it fits now was not scored: put the old file "
            "back, or run it as a new sweep."
        )


def pair_in(plan: Plan) -> Pair | None:
    """A file's `fit` and `predict`; None where it has train alone."""
    return pair_of(_module(plan))


def keep(outcome: SweepResult, config: int, data: TextData, sweep_id: str, folder: Path) -> Kept:
    """Fit a config on all rows and write the model.

    Args:
        outcome: The sweep.
        config: Index of the config.
        data: Data of the sweep.
        sweep_id: MLflow run id of the sweep.
        folder: Folder to write.

    Raises:
        SweepError: if a function raises, or its model cannot be kept.
    """
    plan, module = outcome.plan, _module(outcome.plan)
    values, pair = plan.configs[config], pair_of(module)
    if pair is None:
        raise InputError(f"{_name(module)} has no fit and predict.")
    try:
        notes = _agreement(outcome, config, pair, data) if hasattr(module, "train") else []
        fitted = cells.fitted(
            plan.task, pair, data, values, plan.spec.seeds[0], np.arange(len(data))
        )
        columns, some = Columns.of(data, plan.spec.data), kept_model.tried(data)
        kept_model.save(
            folder,
            module,
            pair,
            fitted,
            columns,
            lambda pair, model: cells.predicted(pair, model, data, data, some),
        )
    except ConfigError as error:
        raise SweepError(f"{plan.label(config)} cannot be kept: {error}") from error
    example = kept_model.example(data, columns, _EXAMPLES)
    inputs = {name: kind for name, kind in columns.kinds.items() if name != columns.answer}
    # A logical column that may lack values is none for MLflow.
    inputs = {
        name: "words" if kind == "logical" and name not in columns.needed else kind
        for name, kind in inputs.items()
    }
    needs = kept_model.requirements(module)
    card = model_card.of_function(
        outcome, config, data, sweep_id, file=_name(module), columns=columns, needs=needs
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    return Kept(
        contents=Contents(
            code="own_function.py",
            inputs=inputs,
            needed=list(columns.needed),
            classes=columns.classes,
            needs=needs,
            example=example[list(columns.needed)],
        ),
        card=card,
        tags={
            "kind": KIND,
            "classes": json.dumps(columns.classes),
            "columns": ",".join(columns.needed),
        },
        file=_name(module),
        notes=notes,
    )


def _agreement(outcome: SweepResult, config: int, pair: Pair, data: TextData) -> list[str]:
    """Score the pair on a cell of `train`; returns a remark."""
    plan = outcome.plan
    known = outcome.table.scores[config]
    block = next((place for place, score in enumerate(known) if np.isfinite(score)), None)
    if block is None:
        return []
    seed, fold = plan.blocks[block]
    rows, held_out = folds.held_out(data, plan.task.split, seed, fold)
    values: Mapping[str, Scalar] = plan.configs[config]
    fitted = cells.fitted(plan.task, pair, data, values, seed, rows)
    found = cells.predicted(pair, fitted, data, data, held_out)
    answer = read(found if data.target is None else found[:, 0], data, Rows.of(data, held_out))
    objective = plan.space.objective
    if objective not in answer.metrics:
        return [f"fit and predict were not compared with train: {objective} is train's own metric"]
    theirs, ours = float(known[block]), answer.metrics[objective]
    said = f"on seed {seed}, fold {fold} train scored {points(theirs)}, fit and predict "
    if abs(ours - theirs) < 1e-9:
        return [f"{said}the same"]
    return [f"{said}{points(ours)}: the cells' scores are train's, the model is fit's"]


def _module(plan: Plan) -> ModuleType:
    return registry.entry("trainables", plan.space.trainable)


def _name(module: ModuleType) -> str:
    return Path(str(module.__file__)).name
