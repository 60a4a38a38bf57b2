"""Frozen features: one vector a text, made once per data set and model and kept on disk.

A trainable of heads (`trainables/projection.py`, `trainables/linear_eval.py`) trains on these
instead of on tokens: the encoder runs once, and thousands of cells share what it gave. The files
are memory-mapped, so that the workers of a machine share them, too. A representation that is fitted
has a table of features for each (seed, fold), fitted on that cell's training rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.engine.arrays import Float32Array
from trainables.engine.cache import cache_file, make_once, memory_mapped, written_whole
from trainables.engine.contract import Split
from trainables.engine.features import representation, word_vectors
from trainables.engine.features.representation import Fitted, Laid, Representation
from trainables.engine.models import pretrained
from trainables.engine.progress import Ticker
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData

__all__ = [
    "FeatureTables",
    "Representation",
    "Ticker",
    "fitted_counts",
    "joined",
    "load",
    "made",
    "tables",
]

# Part of every file's name: raise it when the same inputs shall give other features.
_VERSION = 2


@dataclass(frozen=True, eq=False)
class FeatureTables:
    """Features of a data set, once or once for each (seed, fold).

    Attributes:
        values: The tables below one another, float32 (tables * rows, width).
        offsets: Row of `values` at which the table of a (seed, fold) begins.
        facts: What to report with each cell.
    """

    values: Tensor
    offsets: Mapping[tuple[int, int], int]
    facts: Mapping[str, float]


def tables(
    data: TextData,
    model: str,
    wanted: Representation,
    split: Split,
    blocks: Iterable[tuple[int, int]],
) -> FeatureTables:
    """The features that the cells of some (seed, fold) are trained on.

    Args:
        data: The texts.
        model: Reference of the encoder.
        wanted: Which representation.
        split: How rows are held out: what is fitted sees a cell's training rows only.
        blocks: The (seed, fold) pairs.
    """
    distinct = list(dict.fromkeys(blocks))
    card = representation.card(wanted.name)
    if not isinstance(card, Fitted):
        found = made(data, model, wanted)
        return FeatureTables(found.values, dict.fromkeys(distinct, 0), found.facts)
    counts = fitted_counts(data, wanted.name)
    fitted = [card.fit(counts, folds.held_out(data, split, *block)[0])[0] for block in distinct]
    offsets = {block: i * len(data) for i, block in enumerate(distinct)}
    return FeatureTables(torch.from_numpy(np.concatenate(fitted)), offsets, {})


@lru_cache(maxsize=8)
def fitted_counts(data: TextData, name: str) -> Any:
    """What a fitted representation needs of a data set before any fold, kept for this process."""
    card = representation.card(name)
    if not isinstance(card, Fitted):
        raise TypeError(f"Representation {name!r} is not fitted: load its features.")
    ticker = Ticker(f"features {name}")
    counts = card.counts(data, ticker)
    ticker.end(len(data))
    return counts


def width(data: TextData, model: str, wanted: Representation) -> int:
    """How many numbers a text's features are."""
    card = representation.card(wanted.name)
    return card.width if isinstance(card, Fitted) else load(data, model, wanted).shape[1]


def base(data: TextData, model: str, wanted: Representation) -> Any:
    """What a head is built on: the features' layout where they have one, else their width."""
    card = representation.card(wanted.name)
    if isinstance(card, Laid):
        return card.layout(made(data, model, wanted).facts)
    return width(data, model, wanted)


@dataclass(frozen=True, eq=False)
class Made:
    """The features of a representation that is not fitted.

    Attributes:
        values: Features of every row, float32 (rows, width).
        facts: What the extraction had to report.
        seconds: How long it took.
    """

    values: Tensor
    facts: Mapping[str, float]
    seconds: float


def load(data: TextData, model: str, wanted: Representation) -> Tensor:
    """The features of every row, float32 (rows, width); see `made`."""
    return made(data, model, wanted).values


@lru_cache(maxsize=8)
def made(data: TextData, model: str, wanted: Representation) -> Made:
    """Features, from disk where they have been made before.

    Args:
        data: The texts.
        model: Reference of the encoder.
        wanted: Which representation; one that is not fitted.

    Raises:
        RegistryError: for a representation that does not exist; a Config refuses it long before.
        VectorsError: if word vectors are missing or cannot be read.
        TypeError: for one that is fitted: see `tables`.
    """
    path = _path(data, model, wanted)
    make_once(path, lambda: _make(path, data, model, wanted))
    report = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    seconds = report.pop("seconds")
    return Made(torch.from_numpy(memory_mapped(path)), report, seconds)


@contextmanager
def joined(
    whole: TextData, parts: Sequence[TextData], model: str, wanted: Representation
) -> Iterator[None]:
    """For as long as it lasts the features of a data set are those of its parts, joined.

    Args:
        whole: Whose features will be asked for.
        parts: Of its rows, in order; what is on disk of them is not made again.
        model: Reference of the encoder.
        wanted: Which representation; one that is not fitted.
    """
    path = _path(whole, model, wanted)
    if path.is_file():
        yield
        return
    found = [made(part, model, wanted) for part in parts]
    report = {**found[0].facts, "seconds": sum(one.seconds for one in found)}
    _write(path, np.concatenate([one.values.numpy() for one in found]), report)
    try:
        yield
    finally:
        for file in (path, path.with_suffix(".json")):
            file.unlink(missing_ok=True)


def _path(data: TextData, model: str, wanted: Representation) -> Path:
    value = {
        "version": _VERSION,
        "data": data.fingerprint,
        **{key: part for key, part in asdict(wanted).items() if part is not None},
    }
    # Of contents, not of names: two folders may hold one model.
    for name in ("text_encoder", "image_encoder"):
        if value.get(name) not in (None, representation.TASKS_MODEL):
            value[name] = pretrained.model_fingerprint(str(value[name]))
    if representation.card(wanted.name).uses_encoder:
        value["model"] = pretrained.model_fingerprint(model)
    if wanted.vectors is not None:
        value["vectors"] = word_vectors.fingerprint(wanted.vectors)
    return cache_file("features", value, ".npy")


def _make(path: Path, data: TextData, model: str, wanted: Representation) -> None:
    card = representation.card(wanted.name)
    if isinstance(card, Fitted):
        raise TypeError(f"Representation {wanted.name!r} is fitted per fold: ask for its tables.")
    of = f" of {Path(model).name}" if card.uses_encoder else ""
    ticker = Ticker(f"features {wanted.name}{of}")
    features, found = card.extract(data, model, wanted, ticker)
    ticker.end(len(data))
    _write(path, features, {**found, "seconds": ticker.seconds})


def _write(path: Path, features: Float32Array, report: Mapping[str, float]) -> None:
    with written_whole(path.with_suffix(".json")) as draft:
        draft.write(json.dumps(report).encode())
    with written_whole(path) as draft:  # last: where it is, the report is, too
        np.save(draft, features)
