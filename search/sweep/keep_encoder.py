"""Encoders that sweeps leave behind: kept with the sweep's run, and found again by `--model`.

A sweep of a trainable that tunes an encoder (mirror) ends with its best config tuned once more, on
all rows; the encoder is a Hugging Face folder among the artifacts of the sweep's run. `--model`
then takes the sweep: its name, its run id, or `latest`. What counts in a cell's key are the
weights.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from search.ledger.tracking_uri import LedgerError, redact, sqlite_file
from search.spec import InputError
from trainables.engine.cells.trainable import Trainable

if TYPE_CHECKING:
    from search.results.outcome import Outcome
    from search.sweep.results_handler import Watcher
    from search.tracking.connect import SweepRecord

FOLDER = "encoder"
"""Of a sweep's artifacts."""

_KEPT = re.compile(r"(?P<name>.+)-(?P<run_id>[0-9a-f]{32})")


def keep(outcome: Outcome, watcher: Watcher) -> None:
    """Tune the best config of a finished sweep on all rows and keep its encoder with the sweep.

    Does nothing where no config of the sweep tunes an encoder, or where all cells were there before
    and so is the encoder. A failure is told, not raised: the sweep is over and in the ledger.

    Args:
        outcome: The sweep.
        watcher: Told what happens.
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
    watcher.said(f"tuning {plan.label(best)} on all rows, to keep its encoder ...")
    try:
        _keep(outcome, best)
    except (LedgerError, ArithmeticError, OSError) as error:
        watcher.said(f"Warning: sweep {plan.spec.name!r} keeps no encoder: {error}")
        return
    watcher.said(f"The encoder is kept with the sweep: --model {plan.spec.name}")


def _is_kept(outcome: Outcome) -> bool:
    """Whether this sweep, or an earlier one of its name, keeps an encoder."""
    from search.tracking.artifacts import has_folder

    spec = outcome.plan.spec
    records = _sweeps(spec.name, spec.tracking_uri, spec.experiment)
    return any(has_folder(spec.tracking_uri, record.id, FOLDER) for record in records)


def _keep(outcome: Outcome, config: int) -> None:
    from search.tracking.artifacts import put_folder
    from trainables.engine.datasets.load import load_data
    from trainables.engine.refit import tuned_encoder as tuned

    plan = outcome.plan
    data, seed = load_data(plan.spec.data), plan.spec.seeds[0]
    network = tuned.tune(plan.task, data, plan.configs[config], seed)
    with tempfile.TemporaryDirectory() as folder:
        tuned.save(network, plan.spec.model, Path(folder))
        put_folder(plan.spec.tracking_uri, outcome.sweep_id, Path(folder), FOLDER)


def check_name(reference: str) -> None:
    """Refuse what can be no model, without a look into the ledger or the hub.

    Raises:
        ModelError: naming the aliases, or what the folder lacks.
    """
    from trainables.engine.models import pretrained as encoder

    if _kept(reference) is None:
        encoder.resolve_model(reference)


def resolve(reference: str, tracking_uri: str, experiment: str) -> str:
    """What `--model` means, the same in every process of this machine.

    Args:
        reference: An alias, a folder, a hub id, or a sweep: its name, its run id, or `latest`.
        tracking_uri: Where the ledger is.
        experiment: Its name.

    Returns:
        The reference; for a sweep, the folder that its encoder was fetched to.

    Raises:
        InputError: if the sweep keeps no encoder, or the ledger cannot be reached.
        ModelError: if it is none of these.
    """
    from trainables.engine.models import pretrained as encoder

    kept = _kept(reference)
    if kept is not None:
        run_id = kept["run_id"]
        return encoder.resolve_model(str(_fetched(tracking_uri, kept["name"], run_id)))
    sweep = Path(reference).name == reference and not Path(reference).is_dir()
    if sweep and not encoder.is_alias(reference) and _is_there(tracking_uri):
        records = _sweeps(reference, tracking_uri, experiment)
        for record in records:
            folder = _fetched(tracking_uri, record.name, record.id, missing_is_fine=True)
            if folder is not None:
                return encoder.resolve_model(str(folder))
        if records:
            raise InputError(
                f"Sweep {records[0].name!r} keeps no encoder: finished sweeps of the space mirror "
                "do. For a model of that name on the hub give OWNER/NAME."
            )
    return encoder.resolve_model(reference)


def _kept(reference: str) -> re.Match[str] | None:
    """The sweep behind a folder that an encoder was fetched to, if it is one and is gone."""
    path = Path(reference)
    if path.is_dir() or path.parent != _place():
        return None
    return _KEPT.fullmatch(path.name)


def _place() -> Path:
    from trainables.engine.cache import cache_folder

    return cache_folder().absolute() / "encoders"


def _is_there(tracking_uri: str) -> bool:
    """Whether there is a ledger to look into: a local one is not made for a question."""
    file = sqlite_file(tracking_uri)
    return file is None or file.is_file()


def _sweeps(reference: str, tracking_uri: str, experiment: str) -> list[SweepRecord]:
    """The sweeps that a reference names, newest first."""
    from search.tracking.open import NoLedgerError, open_ledger

    try:
        with open_ledger(tracking_uri, experiment) as ledger:
            every = [one for one in ledger.sweeps() if not one.spec_json["spec"].get("outer")]
    except NoLedgerError:
        return []
    except LedgerError as error:
        raise InputError(str(error)) from error
    if reference == "latest":
        return every[:1]
    return [one for one in every if reference in (one.name, one.id)]


def _fetched(
    tracking_uri: str, name: str, run_id: str, missing_is_fine: bool = False
) -> Path | None:
    """The folder of a sweep's encoder here; None where there is none and that is fine."""
    place = _place() / f"{name}-{run_id}"
    if place.is_dir():
        return place
    from search.tracking.artifacts import get_folder

    try:
        if get_folder(tracking_uri, run_id, FOLDER, place):
            return place
    except LedgerError as error:
        raise InputError(f"The encoder of sweep {name!r} cannot be fetched: {error}") from error
    if missing_is_fine:
        return None
    raise InputError(
        f"The run {run_id} of sweep {name!r} in {redact(tracking_uri)} has no encoder any more."
    )
