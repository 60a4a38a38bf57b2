"""The contract of `search` and `trainables`: Task, Cell, CellResult.

All of it is JSON (or bytes) in both directions: it travels through Ray, is kept in MLflow, and is
hashed. Nothing here imports torch.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trainables.engine.arrays import Float32Array, IntArray

Scalar = str | int | float | bool | None
NO_MODEL = "none"
"""Model, and its fingerprint, of a trainable that starts from no encoder."""
CellStatus = Literal["done", "diverged", "failed"]


def without_none(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return fields without some that are None.

    What came later is left out where it is not used: older records and keys stay what they were.
    """
    return {name: value for name, value in fields.items() if name not in names or value is not None}


@dataclass(frozen=True, kw_only=True)
class DataRef:
    """A reference to data, as the user typed it.

    Attributes:
        name: Registry name (`trec`), path of a local .csv .tsv .jsonl .parquet, or a Hugging Face
            hub id. Sweeps of before `Split.train_rows` have `trec-1k`, 1,000 rows of it drawn.
        text: Name of the text column; None takes the registry's, or `text`.
        text_b: Name of the column of a pair's second text; None without one.
        label: Name of the label column; None takes the registry's, or `label`.
        parts: "train" takes the official training part alone; "all", and None, take every part.
        subset: Number of rows of a stratified subset, drawn with a seed of its own.
        drop_missing: True to leave out rows without a text or label; else they are refused.
        cleaning: Names of cleaning steps (files of trainables/cleaning), in order. The cleaned
            texts are fingerprinted, so steps are part of every cell's key.
        image: Name of the column of the text's image, a path below the table's folder or a URL;
            None without one.
        image_b: Name of the column of the second text's image.
        bad_images: "missing" keeps rows with an unusable image, "drop" leaves them out.
        metadata: Names of numeric columns that a trainable may join to the text, in order. Their
            values are fingerprinted, too.
        target: Name of the column of a number to predict, in place of a label.
        columns: "all" reads every column of a table, for a user's own training function.
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
    parts: Literal["train", "all"] | None = None
    target: str | None = None
    columns: Literal["all"] | None = None

    def __post_init__(self) -> None:
        for name in ("cleaning", "metadata"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists only
        if self.bad_images not in ("missing", "drop"):
            raise ValueError(f"bad_images must be missing or drop, got {self.bad_images!r}.")
        if self.parts not in (None, "train", "all"):
            raise ValueError(f"parts must be train or all, got {self.parts!r}.")
        if self.columns not in (None, "all"):
            raise ValueError(f"columns must be all, or left out, got {self.columns!r}.")

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value, without later fields that are not used."""
        return without_none(dataclasses.asdict(self), "parts", "target", "columns")


@dataclass(frozen=True, kw_only=True)
class Split:
    """The way rows are held out: cross-validation, or one hold-out part.

    Attributes:
        folds: Number of folds, at least 2; None when `holdout` is given.
        holdout: A share of the rows in (0, 1), or "official" for the data set's own test part.
        outer: (seed, fold) of an outer fold, for nested cross-validation. Its held-out rows are
            removed before this split is made: nothing may learn or choose from them.
        train_rows: Number of rows that a cell trains on, drawn from its training part by class and
            by the cell's seed; None takes all. The held-out rows stay what they are.
    """

    folds: int | None = None
    holdout: float | Literal["official"] | None = None
    outer: tuple[int, int] | None = None
    train_rows: int | None = None

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
        if self.train_rows is not None and self.train_rows < 1:
            raise ValueError(f"train_rows must be at least 1, got {self.train_rows}.")
        if self.outer is not None:
            object.__setattr__(self, "outer", tuple(self.outer))  # JSON has lists only
            if self.folds is None or not 0 <= self.outer[1] < self.folds:
                raise ValueError(
                    f"outer must be (seed, fold) with a fold below folds={self.folds}, "
                    f"got {self.outer}."
                )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value.

        It has `outer` and `train_rows` only where there are any, so that older keys stay what they
        were.
        """
        return without_none(dataclasses.asdict(self), "outer", "train_rows")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that the cells of a sweep share.

    A worker refuses data or weights with other fingerprints.

    Attributes:
        trainable: Name of the trainable.
        version: Version of the trainable.
        data: Reference of the data.
        data_fingerprint: Fingerprint of the data's contents.
        model: Reference of the encoder.
        model_fingerprint: Fingerprint of the encoder's weights and tokenizer.
        split: Split of the rows.
        files: Fingerprint of each further file's contents, by the value of a config that names the
            file; a trainable knows these values, see `linear_eval.files`.
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
        """Return a JSON value from which `from_json` makes an equal Task."""
        value = {**dataclasses.asdict(self), "split": self.split.to_json()}
        value["data"] = self.data.to_json()
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Task:
        """Return the Task that `to_json` wrote."""
        fields = dict(value)
        fields["data"] = DataRef(**fields["data"])
        fields["split"] = Split(**fields["split"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: a config, a seed and a fold.

    The config is complete: it has each field of the trainable's Config.
    """

    key: str
    config: Mapping[str, Scalar]
    seed: int
    fold: int


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """The result of one training.

    Attributes:
        key: Key of the cell.
        status: "done"; "diverged" when a loss was not finite; "failed" when it raised.
        metrics: Final metrics by name; scores are fractions; `seconds`, `peak_memory_mib`, and
            of a network `parameters`, the weights that it trains.
        epochs: Metrics after each epoch, in order.
        rows: Indices of the held-out rows in the data set, int64 (held_out,).
        probabilities: Out-of-fold class probabilities, float32 (held_out, classes).
        error: Message of a failed or diverged cell, else None.
        curves: Losses by step, points (step from 1, value) by name; most cells keep none.
    """

    key: str
    status: CellStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: tuple[Mapping[str, float], ...] = ()
    rows: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    probabilities: Float32Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    error: str | None = None
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value; arrays are base64 of little-endian bytes."""
        return {
            "key": self.key,
            "status": self.status,
            "metrics": dict(self.metrics),
            "epochs": [dict(epoch) for epoch in self.epochs],
            "rows": base64.b64encode(self.rows.astype("<i8").tobytes()).decode(),
            "probabilities": base64.b64encode(self.probabilities.astype("<f4").tobytes()).decode(),
            "classes": int(self.probabilities.shape[1]),
            "error": self.error,
            **({"curves": {n: list(of) for n, of in self.curves.items()}} if self.curves else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CellResult:
        """Return the result that `to_json` wrote."""
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
            curves={
                name: tuple((int(step), float(at)) for step, at in points)
                for name, points in value.get("curves", {}).items()
            },
        )
