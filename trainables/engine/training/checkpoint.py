"""A cell's epochs on disk: a cell that is cut off goes on where it was, with the same result.

A checkpoint counts when its manifest is there, and only if every file is what the manifest says:
half-written or damaged ones are thrown away, and the cell starts over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainables.engine.cache import written_whole
from trainables.engine.errors import BrokenCheckpointError

if TYPE_CHECKING:
    from trainables.engine.training.loop import Training

_log = logging.getLogger("foldrace.checkpoint")

# An epoch that takes less is cheaper to train again than to save with all others of its kind.
LEAST_EPOCH_S = 30.0
_MANIFEST = "manifest.json"

Epochs = list[Mapping[str, float]]


def load(training: Training, folder: Path | None) -> Epochs:
    """Take in what a cell saved, if it did and all of it is sound.

    Args:
        training: As it is before the first epoch.
        folder: The cell's own.

    Returns:
        The metrics of the epochs that are done; empty where the cell starts over.

    Raises:
        BrokenCheckpointError: if it may be half taken in: train again from a fresh module.
    """
    manifest = None if folder is None else _sound(folder, training)
    if folder is None or manifest is None:
        return []
    epochs: Epochs = manifest["epochs"]
    try:
        training.accelerator.load_state(str(folder / _name(len(epochs))))
        training.schedule.load_state_dict(manifest["schedule"])
    except Exception as error:
        remove(folder)
        raise BrokenCheckpointError(f"{folder}: {error}") from error
    return epochs


def save(training: Training, folder: Path | None, epochs: Sequence[Mapping[str, float]]) -> None:
    """Save a cell after an epoch, if that took long enough to be worth it.

    What cannot be saved, because the disk is full or not there, is no reason to stop training.

    Args:
        training: As it is after the epoch.
        folder: The cell's own.
        epochs: Metrics of the epochs that are done; the last one's `seconds` count.
    """
    if folder is None or len(epochs) == training.settings.epochs:
        return
    accelerator = training.accelerator
    # Each process has a clock of its own, and all must take part or none.
    took = torch.tensor(epochs[-1]["seconds"], device=accelerator.device)
    if float(accelerator.reduce(took, "mean")) < LEAST_EPOCH_S:
        return
    try:
        state = folder / _name(len(epochs))
        accelerator.save_state(str(state))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            # Last, and at once: a cell that is killed while it saves finds its epoch before.
            manifest = {
                **_conditions(training),
                "epochs": list(epochs),
                "schedule": training.schedule.state_dict(),
                "files": _digests(state),
            }
            with written_whole(folder / _MANIFEST) as draft:
                draft.write(json.dumps(manifest).encode())
            for old in folder.glob("epoch-*"):
                if old != state:
                    shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError) as error:
        _log.warning("cannot save an epoch in %s: %s", folder, error)
    accelerator.wait_for_everyone()


def on_this_node(folder: Path) -> Path:
    """Where a worker saves a sweep's cells: the driver's folder if it is here, else one of its own.

    A cell that goes on elsewhere finds no checkpoint there, and starts over.
    """
    if folder.is_dir():
        return folder
    return Path(tempfile.gettempdir(), "foldrace-checkpoints", folder.name)


def remove(folder: Path) -> None:
    """Forget a cell's checkpoint: it is done, or starts over."""
    # The manifest first: without it the rest counts for nothing, whenever this is cut off.
    with contextlib.suppress(OSError):
        (folder / _MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _name(epochs: int) -> str:
    return f"epoch-{epochs}"


def _conditions(training: Training) -> dict[str, Any]:
    """Under what a saved cell would go on as it began; the folder's name is the cell's key."""
    return {
        "torch": torch.__version__,
        "steps": training.steps,
        "processes": training.accelerator.num_processes,
        "precision": training.settings.precision,
        "device": training.accelerator.device.type,
    }


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests


def _sound(folder: Path, training: Training) -> dict[str, Any] | None:
    """The manifest, if it fits this training and the files fit it."""
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
        conditions = _conditions(training)
        if {name: manifest[name] for name in conditions} != conditions or not manifest["epochs"]:
            return None
        state = folder / _name(len(manifest["epochs"]))
        return manifest if manifest["files"] and manifest["files"] == _digests(state) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
