"""The encoder that a sweep leaves behind, kept with the sweep's run.

A sweep of a trainable that tunes an encoder (mirror) ends with its best config tuned once more, on
all rows. The encoder is a Hugging Face folder among the artifacts of the sweep's run.
`search/planning/model_reference.py` finds it again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import LedgerError
from search.planning.model_reference import FOLDER, sweeps_named
from trainables.engine.cells.trainable import Trainable
from trainables.engine.errors import DivergedError

if TYPE_CHECKING:
    from search.results.outcome import SweepResult
    from search.sweep.callback import Callback


def keep(outcome: SweepResult, callback: Callback) -> None:
    """Keep the encoder of a finished sweep's best config.

    That config is tuned once more, on all rows.

    Does nothing where no config of the sweep tunes an encoder, or where all cells were there before
    and so is the encoder. A failure is told, not raised: the sweep is over and in the ledger.

    Args:
        outcome: The sweep.
        callback: Told what happens.
    """
    plan = outcome.plan
    trainable = Trainable.load(plan.space.trainable)
    if not trainable.may_tune_encoder:
        return
    ranked = (row.config for row in outcome.standings.rows)
    best = next(
        (c for c in ranked if trainable.tunes_encoder(trainable.bind(plan.configs[c]))), None
    )
    if best is None or (not outcome.table.trained and _is_kept(outcome)):
        return
    callback.on_message(f"tuning {plan.label(best)} on all rows, to keep its encoder ...")
    try:
        _keep(outcome, best)
    except (LedgerError, DivergedError, OSError) as error:
        callback.on_message(f"Warning: sweep {plan.spec.name!r} keeps no encoder: {error}")
        return
    callback.on_message(f"The encoder is kept with the sweep: --model {plan.spec.name}")


def _is_kept(outcome: SweepResult) -> bool:
    """True if a sweep of this name keeps an encoder already."""
    from search.tracking.artifacts import has_folder

    spec = outcome.plan.spec
    records = sweeps_named(spec.name, spec.tracking_uri, spec.experiment)
    return any(has_folder(spec.tracking_uri, record.id, FOLDER) for record in records)


def _keep(outcome: SweepResult, config: int) -> None:
    from search.tracking.artifacts import put_folder
    from trainables.engine.datasets.load import load_data
    from trainables.engine.refit import tuned_encoder

    plan = outcome.plan
    data, seed = load_data(plan.spec.data), plan.spec.seeds[0]
    network = tuned_encoder.tune(plan.task, data, plan.configs[config], seed)
    with tempfile.TemporaryDirectory() as folder:
        tuned_encoder.save(network, plan.spec.model, Path(folder))
        put_folder(plan.spec.tracking_uri, outcome.sweep_id, Path(folder), FOLDER)
