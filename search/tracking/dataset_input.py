"""Texts and data sets that MLflow's UI shows beside the numbers."""

from __future__ import annotations

import json

from mlflow.entities import Dataset, DatasetInput, InputTag

from search.ledger.store import DataDescription, Kind

NOTES: dict[Kind, str] = {
    "configs": (
        "**One run per config of a sweep.** `mean` is the mean score over the config's cells so "
        "far, a fraction: its step is the number of cells, so the line chart shows the race. "
        "`ci_low` and `ci_high` are its 95% interval, `std` the spread over cells, `cells` how "
        "many there are, `seconds` their training time. With the sweep's end the first 100 have "
        "`gain`, the paired difference to the baseline, and `p_best`, the probability of being the "
        "best. The parameters are the config. To compare "
        "two sweeps, group by the tag `sweep` or `data`; for the axes choose several runs, "
        "*Compare*, *Parallel coordinates*."
    ),
    "cells": (
        "**One run per cell: a config on one seed and fold.** Scores are fractions, `loss` is in "
        "nats, `seconds`, `peak_memory_mib` and `parameters` (weights trained) are of the "
        "training; steps are epochs. Group by the "
        "tag `config`: a config's cells with their mean. The held-out predictions are in "
        "`predictions.npz`. A cell is known by the tag `cell_key`, and never trained twice."
    ),
    "sweeps": (
        "**One run per sweep.** `winner_mean` is the winner's mean score, a fraction; "
        "`winner_corrected` the same once the luck of being picked is taken off; `cells_done` of "
        "`cells_planned`. Artifacts: the spec, the leaderboard, the report, package versions, the "
        "uncommitted changes of the code."
    ),
}


def of(data: DataDescription) -> DatasetInput:
    """Describe a data set as the input of a run."""
    schema = [{"type": "string", "name": column, "required": True} for column in data.columns]
    schema.append({"type": "string", "name": "label", "required": True})
    return DatasetInput(
        Dataset(
            name=data.name,
            digest=data.fingerprint[:32],  # MLflow's own is no longer
            source_type="local",
            source=json.dumps({"uri": data.source}),
            schema=json.dumps({"mlflow_colspec": schema}),
            profile=json.dumps(dict(data.profile)),
        ),
        [InputTag("mlflow.data.context", "cross-validation")],
    )
