"""Texts to batches: tokenised once per process, padded per batch, bucketed by length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.inputs import ragged
from trainables.engine.inputs.views import Offsets, in_epoch, views_in
from trainables.engine.models import pretrained
from trainables.engine.text_data import TextData

# Rows are sorted by length within so many batches: enough to save padding, few enough to stay
# random.
_BATCHES_A_BUCKET = 8
# Texts per call of the tokenizer, so that a Ctrl-C does not wait for all of them.
_TEXTS_AT_ONCE = 2048


class Padding(Protocol):
    """Gives any batch of rows, padded: see `ragged.Ragged`."""

    def to(self, device: torch.device) -> Padding:
        """The same rows, giving batches on another device."""
        ...

    def padded(self, rows: IntArray) -> dict[str, Tensor]:
        """The inputs of some rows, int64 (..., batch)."""
        ...


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenised data set.

    Attributes:
        inputs: What the tokenizer gave. Token ids are numbers within `vocabulary`.
        vocabulary: The model's ids of the tokens that occur, int64 (words,), ascending. All ids up
            to padding's are among them, so that padding keeps its number.
        lengths: Tokens of each row, int64 (rows,).
        labels: Class ids, int64 (rows,).
        views: Where the views of a row lie that is trained on: see `views.Corpus`.
    """

    inputs: Padding
    vocabulary: IntArray
    lengths: IntArray
    labels: IntArray
    views: Offsets = ((0,),)


@lru_cache(maxsize=4)
def tokenised(data: TextData, model: str, max_length: int) -> Tokens:
    """The tokens of a data set, kept for the next cells and trials of this process.

    Args:
        data: Texts or pairs.
        model: Reference of the model whose tokenizer to use.
        max_length: Tokens a row at most; never more than the model has positions.
    """
    tokenizer = pretrained.load_tokenizer(model)
    limit = min(max_length, tokenizer.model_max_length)
    flat: dict[str, list[IntArray]] = {}
    lengths: list[int] = []
    for start in range(0, len(data.texts), _TEXTS_AT_ONCE):
        part = slice(start, start + _TEXTS_AT_ONCE)
        second = None if data.texts_b is None else list(data.texts_b[part])
        given = tokenizer(list(data.texts[part]), second, truncation=True, max_length=limit)
        lengths += [len(row) for row in given["input_ids"]]
        for name, rows in given.items():
            if name != "attention_mask":
                ids = np.fromiter(chain.from_iterable(rows), np.int64)
                flat.setdefault(name, []).append(ids)
    columns = {name: np.concatenate(parts) for name, parts in flat.items()}
    padding = int(tokenizer.pad_token_id or 0)
    vocabulary, columns["input_ids"] = _numbered(columns["input_ids"], padding)
    paddings = {"input_ids": padding, "token_type_ids": tokenizer.pad_token_type_id}
    sizes = np.array(lengths, np.int64)
    inputs = ragged.Ragged(
        {
            name: ragged.Column(torch.from_numpy(values), float(paddings.get(name, 0)))
            for name, values in columns.items()
        },
        sizes,
    )
    return Tokens(inputs, vocabulary, sizes, data.labels)


def _numbered(ids: IntArray, padding: int) -> tuple[IntArray, IntArray]:
    """The ids that occur, with all up to padding's, and each token's place among them."""
    vocabulary = np.union1d(ids, np.arange(padding + 1))
    return vocabulary, np.searchsorted(vocabulary, ids)


class Rows(Dataset[int]):
    """Numbers of rows; the collator looks the tokens up, so that workers copy nothing."""

    def __init__(self, rows: IntArray) -> None:
        self._rows = rows.tolist()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> int:
        return int(self._rows[index])


class LengthBuckets(Sampler[list[int]]):
    """Batches of rows of similar length. The cell's seed and the epoch decide who is in them.

    Which place of the epoch has long batches and which short ones, the epoch alone decides: the
    batches that cells of a stack meet together are of similar length.

    Args:
        lengths: Tokens of each row, (rows,).
        batch_size: Rows a batch; the last one may be smaller.
        seed: The cell's seed; None keeps rows in order of length, for scoring.
    """

    drop_last = False  # read by accelerate, which deals batches out to processes

    def __init__(self, lengths: IntArray, batch_size: int, seed: int | None) -> None:
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
        # A full batch's place among them is that of its longest row; cells agree in such places far
        # better than in places within a bucket, and a stack pads a step to the longest of all.
        rest = [batch for batch in batches if len(batch) < size]
        full = [batch for batch in batches if len(batch) == size]
        batches = sorted(full, key=lambda batch: int(self._lengths[batch].max())) + rest
        # The same keys for all counts of batches: folds differ by a row, and maybe by a batch.
        keys = seeding.numpy_generator(0, "lengths", self.epoch).random(len(batches))
        return iter([batches[number] for number in np.argsort(keys)])


class OwnPart(Sampler[list[int]]):
    """This process's rows of each batch, every n-th of them; all of a batch too small to share.

    All processes get equally many batches, and together each row once, but for those last few:
    there each has the same batch, whose mean over the processes is its own.

    Args:
        batches: Of all processes together.
        process: Which process this is, from 0.
        processes: How many there are.
    """

    def __init__(self, batches: LengthBuckets, process: int, processes: int) -> None:
        self._batches, self._process, self._processes = batches, process, processes

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches:
            shared = len(batch) >= self._processes
            yield batch[self._process :: self._processes] if shared else batch


class Collator:
    """Rows to a batch: inputs padded to the longest row, labels, and the rows' numbers.

    Args:
        tokens: The data set.
        order: Whose epoch decides which views of the rows are given; None gives the rows alone.
        block: Seed and fold of the cell, for its dropout; None where nothing is trained.
    """

    def __init__(
        self, tokens: Tokens, order: LengthBuckets | None, block: tuple[int, int] | None = None
    ) -> None:
        self._inputs, self._views, self._order = tokens.inputs, tokens.views, order
        self._block = block
        self._labels = torch.as_tensor(tokens.labels)

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """The batch of some rows: each input (views x batch, longest), labels and rows (batch,).

        With a block also `keys`, what its rows drop out: see `seeding.dropout_keys`.
        """
        numbers = shown = np.asarray(rows, np.int64)
        if self._order is not None:
            shown = in_epoch(numbers, self._views, self._order.epoch)
        batch = self._inputs.padded(shown)
        batch |= {"labels": self._labels[numbers], "rows": torch.from_numpy(numbers)}
        if self._order is not None and self._block is not None:
            epoch = self._order.epoch
            many = views_in(self._views, epoch)
            keys = seeding.dropout_keys(*self._block, epoch, numbers, many)
            batch["keys"] = torch.from_numpy(keys)
        return batch


def loader(
    tokens: Tokens,
    rows: IntArray,
    batch_size: int,
    seed: int | None,
    part: tuple[int, int] = (0, 1),
    fold: int = 0,
) -> tuple[DataLoader[int], LengthBuckets]:
    """A loader over some rows of a data set, and the sampler whose `epoch` decides its order.

    Args:
        tokens: The data set.
        rows: Which rows, int64 (chosen,).
        batch_size: Rows a batch.
        seed: The cell's seed to shuffle by; None for scoring, in order of length.
        part: Which of how many processes this one is, for its part of each batch.
        fold: The cell's fold; with the seed it decides dropout.
    """
    buckets = LengthBuckets(tokens.lengths[rows], batch_size, seed)
    mine = buckets if part[1] == 1 else OwnPart(buckets, *part)
    collator = Collator(tokens, None)
    if seed is not None:
        collator = Collator(tokens, buckets, (seed, fold))
    return DataLoader(Rows(rows), batch_sampler=mine, collate_fn=collator), buckets
