"""Texts to batches: tokenised once per process, padded per batch, bucketed by length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trainables.engine import encoder, seeding
from trainables.engine.textdata import TextData

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Rows are sorted by length within so many batches: enough to save padding, few enough to stay
# random.
_BATCHES_A_BUCKET = 8
# Texts per call of the tokenizer, so that a Ctrl-C does not wait for all of them.
_TEXTS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenised data set.

    Attributes:
        columns: What the tokenizer gave by name, a list of token ids a row.
        lengths: Tokens of each row, int64 (rows,).
        labels: Class ids, int64 (rows,).
        tokenizer: Knows how to pad.
        at_limit: Rows with as many tokens as are allowed: all but a few of them were cut.
    """

    columns: dict[str, list[list[int]]]
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    tokenizer: PreTrainedTokenizerBase
    at_limit: int


@lru_cache(maxsize=4)
def tokenised(data: TextData, model: str, max_length: int) -> Tokens:
    """The tokens of a data set, kept for the next cells and trials of this process.

    Args:
        data: Texts or pairs.
        model: Reference of the model whose tokenizer to use.
        max_length: Tokens a row at most; never more than the model has positions.
    """
    tokenizer = encoder.load_tokenizer(model)
    limit = min(max_length, tokenizer.model_max_length)
    columns: dict[str, list[list[int]]] = {}
    for start in range(0, len(data.texts), _TEXTS_AT_ONCE):
        part = slice(start, start + _TEXTS_AT_ONCE)
        second = None if data.texts_b is None else list(data.texts_b[part])
        given = tokenizer(list(data.texts[part]), second, truncation=True, max_length=limit)
        for name, rows in given.items():
            columns.setdefault(name, []).extend(rows)
    lengths = np.array([len(row) for row in columns["input_ids"]], np.int64)
    return Tokens(columns, lengths, data.labels, tokenizer, int((lengths == limit).sum()))


class Rows(Dataset[int]):
    """Numbers of rows; the collator looks the tokens up, so that workers copy nothing."""

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows.tolist()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> int:
        return int(self._rows[index])


class LengthBuckets(Sampler[list[int]]):
    """Batches of rows of similar length, in an order drawn from the cell's seed and the epoch.

    Args:
        lengths: Tokens of each row, (rows,).
        batch_size: Rows a batch; the last one may be smaller.
        seed: The cell's seed; None keeps rows in order of length, for scoring.
    """

    drop_last = False  # read by accelerate, which deals batches out to processes

    def __init__(self, lengths: npt.NDArray[np.int64], batch_size: int, seed: int | None) -> None:
        self.batch_size = batch_size
        self.epoch = 0
        self._lengths = lengths
        self._seed = seed

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        size = self.batch_size
        if self._seed is None:
            order = np.argsort(self._lengths, kind="stable")
            return iter([order[at : at + size].tolist() for at in range(0, len(order), size)])
        draw = seeding.numpy_generator(self._seed, "order", self.epoch)
        order = draw.permutation(len(self._lengths))
        bucket = size * _BATCHES_A_BUCKET
        batches: list[list[int]] = []
        for start in range(0, len(order), bucket):
            rows = order[start : start + bucket]
            rows = rows[np.argsort(self._lengths[rows], kind="stable")]
            batches += [rows[at : at + size].tolist() for at in range(0, len(rows), size)]
        draw.shuffle(batches)
        return iter(batches)


class Collator:
    """Rows to a batch: inputs padded to the longest row, labels, and the rows' numbers."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """The batch of some rows: each input (batch, longest), labels and rows (batch,)."""
        tokens = self._tokens
        features: list[dict[str, Any]] = [
            {name: column[row] for name, column in tokens.columns.items()} for row in rows
        ]
        batch = dict(tokens.tokenizer.pad(features, return_tensors="pt"))
        batch["labels"] = torch.as_tensor(tokens.labels[list(rows)])
        batch["rows"] = torch.as_tensor(list(rows))
        return batch


def loader(
    tokens: Tokens, rows: npt.NDArray[np.int64], batch_size: int, seed: int | None
) -> tuple[DataLoader[int], LengthBuckets]:
    """A loader over some rows of a data set, and the sampler whose `epoch` decides its order.

    Args:
        tokens: The data set.
        rows: Which rows, int64 (chosen,).
        batch_size: Rows a batch.
        seed: The cell's seed to shuffle by; None for scoring, in order of length.
    """
    buckets = LengthBuckets(tokens.lengths[rows], batch_size, seed)
    return DataLoader(Rows(rows), batch_sampler=buckets, collate_fn=Collator(tokens)), buckets
