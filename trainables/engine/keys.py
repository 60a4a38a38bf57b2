"""Keys of cells: digests of all that determines a result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from trainables.engine.contract import CellResult, Scalar, Task


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces.

    Equal values give equal text on every machine. A float without a fraction is written as an
    integer: `1` and `1.0` typed by a user name the same cell.

    Raises:
        ValueError: if the value holds NaN or an infinity.
    """

    def plain(item: Any) -> Any:
        if isinstance(item, Mapping):
            return {str(key): plain(part) for key, part in item.items()}
        if isinstance(item, list | tuple):
            return [plain(part) for part in item]
        if isinstance(item, float) and item.is_integer():
            return int(item)
        return item

    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def family_key(task: Task) -> str:
    """Return the digest (sha256) of everything that a task's cells share.

    Config, seed and fold are left out.

    The ledger finds the cells of every sweep over the same data, model and split by this one tag.
    Only contents count, neither the path of the data nor the machine.
    """
    shared = {
        "trainable": task.trainable,
        "version": task.version,
        "data": task.data_fingerprint,
        "model": task.model_fingerprint,
        "split": task.split.to_json(),
        # Only where there is one, so that other keys stay what they were.
        **({"plugin": task.plugin} if task.plugin else {}),
    }
    return hashlib.sha256(canonical_json(shared).encode()).hexdigest()


def cell_key(task: Task, active_config: Mapping[str, Scalar], seed: int, fold: int) -> str:
    """Return the digest (sha256) of all that determines a cell's result.

    Equal keys mean equal results. A value that names a file counts by the file's contents.

    Args:
        task: Trainable and version, fingerprints of data, model and files, and the split.
        active_config: Config without the hyper-parameters that are inert in it.
        seed: Seed of init, order, dropout and the folds.
        fold: Index of the held-out fold; 0 under a hold-out split.
    """
    (key,) = cell_keys(task, family_key(task), active_config, [(seed, fold)])
    return key


def cell_keys(
    task: Task,
    family: str,
    active_config: Mapping[str, Scalar],
    blocks: Iterable[tuple[int, int]],
) -> list[str]:
    """Return the keys of all cells of a config.

    A grid of 98,000 cells has its keys in a second.

    Args:
        task: See `cell_key`.
        family: `family_key` of the task.
        active_config: See `cell_key`.
        blocks: (seed, fold) of each cell.
    """
    config = {
        name: task.files.get(value, value) if isinstance(value, str) else value
        for name, value in active_config.items()
    }
    # The canonical JSON of config, family, fold and seed, whose names stand in this order.
    shared = canonical_json({"config": config, "family": family})[:-1]
    digest = hashlib.sha256(shared.encode())
    keys = []
    for seed, fold in blocks:
        whole = digest.copy()
        whole.update(f',"fold":{fold},"seed":{seed}}}'.encode())
        keys.append(whole.hexdigest())
    return keys


# Metrics of the machine, not of the training.
_NOT_OF_THE_TRAINING = ("seconds", "peak_memory_mib", "parameters")


def result_digest(result: CellResult) -> str | None:
    """Return a digest of metrics, epochs and predictions of a result.

    It is None for a result without predictions, or with mere classes: these prove nothing.
    """
    if result.status != "done" or not len(result.rows):
        return None
    if ((result.probabilities == 0) | (result.probabilities == 1)).all():
        return None
    numbers = [
        {name: value for name, value in metrics.items() if name not in _NOT_OF_THE_TRAINING}
        for metrics in (result.metrics, *result.epochs)
    ]
    text = json.dumps([numbers, list(result.probabilities.shape)], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    digest.update(result.rows.astype("<i8").tobytes())
    digest.update(result.probabilities.astype("<f4").tobytes())
    return digest.hexdigest()[:32]
