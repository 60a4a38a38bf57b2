"""Frozen features: one vector a text, extracted once and kept on disk.

A trainable of heads (`trainables/projection.py`, `trainables/linear_eval.py`) trains on these
instead of on tokens: the encoder runs once per data set and model, for thousands of cells. The
files are memory-mapped, so that the workers of a machine share them, too. A representation that is
fitted has a table of features for each (seed, fold), fitted on that cell's training rows.
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
from trainables.engine.cache import (
    cache_file,
    is_sound,
    make_once,
    memory_mapped,
    written_whole,
)
from trainables.engine.contract import Split
from trainables.engine.features import word_vectors
from trainables.engine.features.representation import (
    TASKS_MODEL,
    Fitted,
    Laid,
    Representation,
    card_of,
)
from trainables.engine.models import pretrained
from trainables.engine.progress import Ticker
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData

__all__ = [
    "Extraction",
    "FeatureTables",
    "Representation",
    "Ticker",
    "extract",
    "fitted_counts",
    "joined",
    "load",
    "tables",
]

# Part of every file's name: raise it when the same inputs shall give other features.
_VERSION = 2


@dataclass(frozen=True, eq=False)
class FeatureTables:
    """Features of a data set, once or once for each (seed, fold).

    Attributes:
        values: Tables below one another, float32 (tables * rows, width).
        offsets: First row of each (seed, fold)'s table.
        facts: Numbers to report with each cell.
    """

    values: Tensor
    offsets: Mapping[tuple[int, int], int]
    facts: Mapping[str, float]


def tables(
    data: TextData,
    model: str,
    representation: Representation,
    split: Split,
    blocks: Iterable[tuple[int, int]],
) -> FeatureTables:
    """Load the features of cells of some (seed, fold).

    Args:
        data: Data set.
        model: Reference of the encoder.
        representation: Representation of the texts.
        split: Split of the rows: a representation is fitted on a cell's training rows only.
        blocks: (seed, fold) of the cells.
    """
    distinct = list(dict.fromkeys(blocks))
    card = card_of(representation.name)
    if not isinstance(card, Fitted):
        extraction = extract(data, model, representation)
        return FeatureTables(extraction.values, dict.fromkeys(distinct, 0), extraction.facts)
    counts = fitted_counts(data, representation.name)
    fitted = [card.fit(counts, folds.held_out(data, split, *block)[0])[0] for block in distinct]
    offsets = {block: i * len(data) for i, block in enumerate(distinct)}
    return FeatureTables(torch.from_numpy(np.concatenate(fitted)), offsets, {})


@lru_cache(maxsize=8)
def fitted_counts(data: TextData, name: str) -> Any:
    """Count for a fitted representation, before any fold; kept in memory."""
    card = card_of(name)
    if not isinstance(card, Fitted):
        raise TypeError(f"Representation {name!r} is not fitted: load its features.")
    ticker = Ticker(f"features {name}")
    counts = card.counts(data, ticker)
    ticker.end(len(data))
    return counts


def width(data: TextData, model: str, representation: Representation) -> int:
    """Width of a text's features."""
    card = card_of(representation.name)
    return card.width if isinstance(card, Fitted) else load(data, model, representation).shape[1]


def base(data: TextData, model: str, representation: Representation) -> Any:
    """Base of a head: the features' layout, else their width."""
    card = card_of(representation.name)
    if isinstance(card, Laid):
        return card.layout(extract(data, model, representation).facts)
    return width(data, model, representation)


@dataclass(frozen=True, eq=False)
class Extraction:
    """Features of a representation that is not fitted.

    Attributes:
        values: Features of every row, float32 (rows, width).
        facts: Numbers that the extraction reported.
        seconds: Seconds that it took.
    """

    values: Tensor
    facts: Mapping[str, float]
    seconds: float


def load(data: TextData, model: str, representation: Representation) -> Tensor:
    """Features of every row, float32 (rows, width); see `extract`."""
    return extract(data, model, representation).values


@lru_cache(maxsize=8)
def extract(data: TextData, model: str, representation: Representation) -> Extraction:
    """Extract features, or read them from disk.

    Args:
        data: Data set.
        model: Reference of the encoder.
        representation: Representation that is not fitted.

    Raises:
        RegistryError: for a representation that does not exist; a Config refuses it long before.
        VectorsError: if word vectors are missing or cannot be read.
        TypeError: for one that is fitted: see `tables`.
    """
    path = _path(data, model, representation)
    facts = path.with_suffix(".json")
    make_once(path, lambda: _make(path, data, model, representation), facts)
    report = json.loads(facts.read_text(encoding="utf-8"))
    seconds = report.pop("seconds")
    return Extraction(torch.from_numpy(memory_mapped(path)), report, seconds)


@contextmanager
def joined(
    whole: TextData, parts: Sequence[TextData], model: str, representation: Representation
) -> Iterator[None]:
    """Join the features of a data set's parts, inside the context only.

    Args:
        whole: Data set whose features will be loaded.
        parts: Parts of its rows, in order; their features may be on disk already.
        model: Reference of the encoder.
        representation: Representation that is not fitted.
    """
    path = _path(whole, model, representation)
    if is_sound(path):
        yield
        return
    extractions = [extract(part, model, representation) for part in parts]
    report = {**extractions[0].facts, "seconds": sum(part.seconds for part in extractions)}
    _write(path, np.concatenate([part.values.numpy() for part in extractions]), report)
    try:
        yield
    finally:
        for file in (path, path.with_suffix(".json")):
            file.unlink(missing_ok=True)


def _path(data: TextData, model: str, representation: Representation) -> Path:
    value = {
        "version": _VERSION,
        "data": data.fingerprint,
        **{key: part for key, part in asdict(representation).items() if part is not None},
    }
    # Contents count, not names: two folders may hold one model.
    for name in ("text_encoder", "image_encoder"):
        if value.get(name) not in (None, TASKS_MODEL):
            value[name] = pretrained.model_fingerprint(str(value[name]))
    if card_of(representation.name).uses_encoder:
        value["model"] = pretrained.model_fingerprint(model)
    if representation.vectors is not None:
        value["vectors"] = word_vectors.fingerprint(representation.vectors)
    return cache_file("features", value, ".npy")


def _make(path: Path, data: TextData, model: str, representation: Representation) -> None:
    card = card_of(representation.name)
    if isinstance(card, Fitted):
        raise TypeError(
            f"Representation {representation.name!r} is fitted per fold: ask for its tables."
        )
    suffix = f" of {Path(model).name}" if card.uses_encoder else ""
    ticker = Ticker(f"features {representation.name}{suffix}")
    # Not as rounded as what this process may have trained before: features are kept for all.
    torch.set_float32_matmul_precision("highest")
    features, facts = card.extract(data, model, representation, ticker)
    ticker.end(len(data))
    _write(path, features, {**facts, "seconds": ticker.seconds})


def _write(path: Path, features: Float32Array, report: Mapping[str, float]) -> None:
    with written_whole(path.with_suffix(".json"), sealed=True) as draft:
        draft.write(json.dumps(report).encode())
    with written_whole(path, sealed=True) as draft:  # last: where it is, the report is, too
        np.save(draft, features)
