"""Epochs of a cell on disk, to resume it from.

The result is that of a cell that was never cut off. A checkpoint counts once its manifest is there,
and only if every file has the digest in it: half-written or damaged ones are thrown away, and the
cell starts over.
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

# Seconds below which an epoch is cheaper to train again than to save.
LEAST_EPOCH_S = 30.0
_MANIFEST = "manifest.json"

Epochs = list[Mapping[str, float]]


def load(training: Training, folder: Path | None) -> Epochs:
    """Load a cell's checkpoint, if there is a sound one.

    Args:
        training: Training before its first epoch.
        folder: Folder of the cell.

    Returns:
        Metrics of the epochs that are done; empty where the cell starts over.

    Raises:
        BrokenCheckpointError: if it may be loaded in part: train again from a fresh module.
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
    """Save a cell after an epoch that took long enough.

    A disk that is full or not there is no reason to stop training.

    Args:
        training: Training after the epoch.
        folder: Folder of the cell.
        epochs: Metrics of the epochs that are done; the last one's `seconds` count.
    """
    if folder is None or len(epochs) == training.config.epochs:
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
    """Folder for a sweep's checkpoints on this node: the driver's, or another.

    A cell that goes on elsewhere finds no checkpoint there, and starts over.
    """
    if folder.is_dir():
        return folder
    return Path(tempfile.gettempdir(), "foldrace-checkpoints", folder.name)


def remove(folder: Path) -> None:
    """Remove the checkpoint of a cell that is done, or starts over."""
    # The manifest first: without it the rest counts for nothing, whenever this is cut off.
    with contextlib.suppress(OSError):
        (folder / _MANIFEST).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _name(epochs: int) -> str:
    return f"epoch-{epochs}"


def _conditions(training: Training) -> dict[str, Any]:
    """Conditions under which a saved cell goes on as it began."""
    return {
        "torch": torch.__version__,
        "steps": training.steps,
        "processes": training.accelerator.num_processes,
        "precision": training.config.precision,
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
    """Read the manifest, if it fits this training and the files."""
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_text())
        conditions = _conditions(training)
        if {name: manifest[name] for name in conditions} != conditions or not manifest["epochs"]:
            return None
        state = folder / _name(len(manifest["epochs"]))
        return manifest if manifest["files"] and manifest["files"] == _digests(state) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
