"""All that crosses between `search` and `trainables`: Task, Cell, CellResult and the cell key.

Everything here is JSON (or bytes) in both directions, so that it can travel through Ray, be kept in
MLflow, and be hashed. Nothing here imports torch.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trainables.engine.arrays import Float32Array, IntArray

Scalar = str | int | float | bool | None
CellStatus = Literal["done", "diverged", "failed"]


@dataclass(frozen=True, kw_only=True)
class DataRef:
    """Which data a task reads: what the user typed, never the data itself.

    Attributes:
        name: Registry name (`trec`), `name-1k`/`name-10k`, path of a local .csv .tsv .jsonl
        .parquet,
            or a Hugging Face hub id.
        text: Column of the text; None takes the registry's, or `text`.
        text_b: Column of the second text of a pair, None where there is none.
        label: Column of the label; None takes the registry's, or `label`.
        subset: Draw a stratified subset of so many rows, with a seed of its own.
        drop_missing: Leave out rows whose text or label is missing, instead of refusing the file.
        cleaning: Names of cleaning steps (files of trainables/cleaning), in order; what they make
            of the texts is what is fingerprinted, so they are part of every cell's key.
        image: Column of the image that belongs to the text, a path below the table's folder or a
            URL; None where there is none.
        image_b: Column of the second text's image.
        bad_images: "missing" keeps rows with an unusable image, "drop" leaves them out.
        metadata: Numeric columns that a trainable may join to the text, in order; their values are
            fingerprinted, too.
    """

    name: str
    text: str | None = None
    text_b: str | None = None
    label: str | None = None
    subset: int | None = None
    drop_missing: bool = False
    cleaning: tuple[str, ...] = ()
    image: str | None = None
    image_b: str | None = None
    bad_images: Literal["missing", "drop"] = "missing"
    metadata: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cleaning", "metadata"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists only
        if self.bad_images not in ("missing", "drop"):
            raise ValueError(f"bad_images must be missing or drop, got {self.bad_images!r}.")


@dataclass(frozen=True, kw_only=True)
class Split:
    """How rows are held out: `folds`-fold cross-validation, or one hold-out part.

    Attributes:
        folds: Number of folds, at least 2; None when `holdout` is given.
        holdout: A share of the rows in (0, 1), or "official" for the data set's own test part.
        outer: (seed, fold) of the same folds whose held-out rows are put away before this split is
            made, so that nothing may learn or choose from them: nested cross-validation.
    """

    folds: int | None = None
    holdout: float | Literal["official"] | None = None
    outer: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if (self.folds is None) == (self.holdout is None):
            raise ValueError(
                f"Split needs exactly one of folds and holdout, got folds={self.folds}, "
                f"holdout={self.holdout}."
            )
        if self.folds is not None and self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}.")
        if isinstance(self.holdout, float) and not 0 < self.holdout < 1:
            raise ValueError(f"holdout must be a share in (0, 1), got {self.holdout}.")
        if self.outer is not None:
            object.__setattr__(self, "outer", tuple(self.outer))  # JSON has lists only
            if self.folds is None or not 0 <= self.outer[1] < self.folds:
                raise ValueError(
                    f"outer must be (seed, fold) with a fold below folds={self.folds}, "
                    f"got {self.outer}."
                )

    def to_json(self) -> dict[str, Any]:
        """A JSON value; `outer` only where there is one, so that other keys stay what they were."""
        value = dataclasses.asdict(self)
        if self.outer is None:
            del value["outer"]
        return value


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the cells of a sweep share. A worker refuses data or weights with other fingerprints.

    Attributes:
        trainable: Name of the trainable.
        version: Its version.
        data: Which data to read.
        data_fingerprint: Of their contents.
        model: Reference of the encoder.
        model_fingerprint: Of its weights and tokenizer.
        split: How rows are held out.
        files: Fingerprint of the contents of each further file that a config names, by the value
            that names it; a trainable says which values do, see `linear_eval.files`.
        plugin: Digest of a user's file that makes numbers; empty without one.
    """

    trainable: str
    version: int
    data: DataRef
    data_fingerprint: str
    model: str
    model_fingerprint: str
    split: Split
    files: Mapping[str, str] = field(default_factory=dict)
    plugin: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which `from_json` makes an equal Task."""
        return {**dataclasses.asdict(self), "split": self.split.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Task:
        """The inverse of `to_json`."""
        fields = dict(value)
        fields["data"] = DataRef(**fields["data"])
        fields["split"] = Split(**fields["split"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: a complete config (each field of the trainable's Config), seed and fold."""

    key: str
    config: Mapping[str, Scalar]
    seed: int
    fold: int


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """What one training gave.

    Attributes:
        key: The cell's key.
        status: "done"; "diverged" when a loss was not finite; "failed" when it raised.
        metrics: Final metrics by name; scores are fractions, `seconds` and `peak_memory_mib` too.
        epochs: Metrics after each epoch, in order.
        rows: Indices of the held-out rows in the data set, int64 (held_out,).
        probabilities: Out-of-fold class probabilities, float32 (held_out, classes).
        error: The message of a failed or diverged cell, else None.
    """

    key: str
    status: CellStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: tuple[Mapping[str, float], ...] = ()
    rows: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    probabilities: Float32Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON value; arrays as base64 of their little-endian bytes."""
        return {
            "key": self.key,
            "status": self.status,
            "metrics": dict(self.metrics),
            "epochs": [dict(epoch) for epoch in self.epochs],
            "rows": base64.b64encode(self.rows.astype("<i8").tobytes()).decode(),
            "probabilities": base64.b64encode(self.probabilities.astype("<f4").tobytes()).decode(),
            "classes": int(self.probabilities.shape[1]),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CellResult:
        """The inverse of `to_json`."""
        rows = np.frombuffer(base64.b64decode(value["rows"]), "<i8").astype(np.int64)
        flat = np.frombuffer(base64.b64decode(value["probabilities"]), "<f4").astype(np.float32)
        return cls(
            key=value["key"],
            status=value["status"],
            metrics=dict(value["metrics"]),
            epochs=tuple(value["epochs"]),
            rows=rows,
            probabilities=flat.reshape(len(rows), value["classes"]),
            error=value["error"],
        )


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text on every machine.

    An integral float is written as the integer, so that `1` and `1.0` typed by a user name the same
    cell.

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
    """sha256 of what a task's cells share apart from their config, seed and fold.

    The ledger finds the cells of every sweep over the same data, model and split by this one tag.
    Not the path of the data nor the machine: only contents count.
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
    """sha256 of all that determines a cell's result; equal keys mean equal results.

    A value that names a file stands in it by the file's contents.

    Args:
        task: Trainable and version, fingerprints of data, model and files, and the split.
        active_config: The config without the hyper-parameters that are inert in it.
        seed: Fixes init, order, dropout and the folds.
        fold: Which fold is held out; 0 under a hold-out split.
    """
    (key,) = cell_keys(task, family_key(task), active_config, [(seed, fold)])
    return key


def cell_keys(
    task: Task,
    family: str,
    active_config: Mapping[str, Scalar],
    blocks: Iterable[tuple[int, int]],
) -> list[str]:
    """The keys of all cells of a config: a grid of 98,000 cells has them in a second.

    Args:
        task: See `cell_key`.
        family: Its `family_key`.
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


# What the machine decides, not the training.
_NOT_OF_THE_TRAINING = ("seconds", "peak_memory_mib")


def result_digest(result: CellResult) -> str | None:
    """Equal for results that agree in every metric, epoch and out-of-fold probability.

    None for a result without predictions, which proves nothing.
    """
    if result.status != "done" or not len(result.rows):
        return None
    numbers = [
        {name: value for name, value in metrics.items() if name not in _NOT_OF_THE_TRAINING}
        for metrics in (result.metrics, *result.epochs)
    ]
    text = json.dumps([numbers, list(result.probabilities.shape)], sort_keys=True)
    found = hashlib.sha256(text.encode())
    found.update(result.rows.astype("<i8").tobytes())
    found.update(result.probabilities.astype("<f4").tobytes())
    return found.hexdigest()[:32]
