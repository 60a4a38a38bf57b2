"""A sweep as an Optuna study, a trial a config."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from search.checks import refuse
from search.checks.output_paths import OutputFile
from search.errors import InputError
from search.results.outcome import SweepResult
from search.results.standings import Standing
from spaces.schema.axis import Axis

_FILE = OutputFile(".db", ".sqlite", ".sqlite3")


def write_study(result: SweepResult, path: Path) -> int:
    """Write a sweep into an Optuna study, a file of sqlite.

    A config with all its cells is a complete trial, one that was stopped a pruned one. The scores
    of its cells are intermediate values, by block; interval, gain and label are user attributes.

    Args:
        result: The sweep.
        path: The .db to write; it may hold other studies.

    Returns:
        Number of trials.

    Raises:
        InputError: if no config has a cell, the file cannot be written, or it has a study of the
            sweep's name already.
    """
    refuse(_FILE, "--optuna", path)
    plan, rows = result.plan, result.standings.rows
    if not rows:
        raise InputError(f"Sweep {plan.spec.name!r} has no finished cell to export.")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            study_name=plan.spec.name,
            storage=f"sqlite:///{path}",
            direction="maximize" if plan.space.mode == "max" else "minimize",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([plan.space.objective])
        for name, value in _about(result).items():
            study.set_user_attr(name, value)
        axes = {axis.name: _distribution(axis) for axis in plan.space.axes}
        study.add_trials([_trial(result, row, axes) for row in rows])
    except optuna.exceptions.DuplicatedStudyError as error:
        raise InputError(
            f"{path} has a study {plan.spec.name!r} already: name another file, or remove it."
        ) from error
    finally:
        optuna.logging.set_verbosity(verbosity)
    return len(rows)


def _about(result: SweepResult) -> dict[str, Any]:
    spec = result.plan.spec
    return {
        "space": spec.space,
        "data": spec.data.name,
        "model": spec.model,
        "blocks": [list(block) for block in result.plan.blocks],
        "baseline": None
        if result.plan.baseline is None
        else result.plan.label(result.plan.baseline),
    }


def _distribution(axis: Axis) -> BaseDistribution:
    """Distribution of an axis as it was declared."""
    if axis.interval is not None:
        return CategoricalDistribution(axis.values)
    return axis.distribution


def _has(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return bool(distribution._contains(distribution.to_internal_repr(value)))


def _trial(result: SweepResult, row: Standing, axes: dict[str, BaseDistribution]) -> FrozenTrial:
    plan = result.plan
    scores, seconds = result.table.scores[row.config], result.table.seconds[row.config]
    known = plan.axes_of(row.config)
    # A reference may have a value that the axis has not.
    fits = {name: value for name, value in known.items() if _has(axes[name], value)}
    complete = row.status in ("winner", "complete")
    trial = optuna.trial.create_trial(
        state=TrialState.COMPLETE if complete else TrialState.PRUNED,
        value=row.mean,
        params=fits,
        distributions={name: axes[name] for name in fits},
        intermediate_values={
            int(block): float(scores[block]) for block in np.flatnonzero(np.isfinite(scores))
        },
        user_attrs={
            "config": plan.label(row.config),
            "cells": row.cells,
            "ci_low": row.ci_low,
            "ci_high": row.ci_high,
            "p_best": row.p_best,
            "gain": row.delta,
            "status": row.status,
            **{f"reference {name}": value for name, value in known.items() if name not in fits},
        },
    )
    ended = dt.datetime.now()  # Optuna keeps times without a zone
    trial.datetime_complete = ended
    trial.datetime_start = ended - dt.timedelta(seconds=float(np.nansum(seconds)))
    return trial
