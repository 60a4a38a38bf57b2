"""From texts to batches: tokenised once, bucketed by length, padded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
from trainables.engine.inputs.views import Offsets, in_epoch
from trainables.engine.models import pretrained
from trainables.engine.text_data import TextData

# Number of batches within which rows are sorted by length: enough to save padding, few enough to
# stay random.
_BATCHES_A_BUCKET = 8
# Number of texts per call of the tokenizer: Ctrl-C waits for no more.
_TEXTS_AT_ONCE = 2048


class Padding(Protocol):
    """Rows that give padded batches, as `ragged.Ragged` does."""

    @property
    def gathers(self) -> bool:
        """True where batches can be gathered on the device alone."""
        ...

    def to(self, device: torch.device) -> Padding:
        """Return the same rows, for batches on another device."""
        ...

    def longest(self, rows: IntArray) -> int:
        """Return the number of tokens of the longest of some rows."""
        ...

    def shortest(self, rows: IntArray) -> int:
        """Return the number of tokens of the shortest of some rows."""
        ...

    def padded(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Return the inputs of some rows, int64 (..., batch)."""
        ...


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenised data set.

    Attributes:
        inputs: Inputs of all rows. Token ids are places in `vocabulary`.
        vocabulary: The model's ids of the tokens that occur, int64 (words,), ascending. All ids up
            to padding's are among them, so that padding keeps its number.
        lengths: Number of tokens of each row, int64 (rows,).
        labels: Class ids, int64 (rows,).
        views: Places of the views of a row to train on: see `views.Corpus`.
    """

    inputs: Padding
    vocabulary: IntArray
    lengths: IntArray
    labels: IntArray
    views: Offsets = field(default_factory=Offsets)


@lru_cache(maxsize=4)
def tokenised(data: TextData, model: str, max_length: int) -> Tokens:
    """Return the tokens of a data set, kept for the process.

    Args:
        data: Texts or pairs.
        model: Reference of the model whose tokenizer to use.
        max_length: Largest number of tokens a row; never more than the model has positions.
    """
    tokenizer = pretrained.load_tokenizer(model)
    limit = pretrained.text_limit(model, max_length)
    flat: dict[str, list[IntArray]] = {}
    lengths: list[int] = []
    for start in range(0, len(data.texts), _TEXTS_AT_ONCE):
        part = slice(start, start + _TEXTS_AT_ONCE)
        second = None if data.texts_b is None else list(data.texts_b[part])
        batch = tokenizer(list(data.texts[part]), second, truncation=True, max_length=limit)
        lengths += [len(row) for row in batch["input_ids"]]
        for name, rows in batch.items():
            if name != "attention_mask":
                ids = np.fromiter(chain.from_iterable(rows), np.int64)
                flat.setdefault(name, []).append(ids)
    columns = {name: np.concatenate(parts) for name, parts in flat.items()}
    padding = int(tokenizer.pad_token_id)  # every loaded tokenizer has one
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
    """Return the vocabulary of some ids, and each token's place in it.

    All ids up to padding's are in the vocabulary.
    """
    vocabulary = np.union1d(ids, np.arange(padding + 1))
    return vocabulary, np.searchsorted(vocabulary, ids)


class Rows(Dataset[int]):
    """Row numbers as a data set.

    The collator looks the tokens up, so that workers copy nothing.
    """

    def __init__(self, rows: IntArray) -> None:
        self._rows = rows.tolist()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> int:
        return int(self._rows[index])


class LengthBuckets(Sampler[list[int]]):
    """Batches of rows of similar length.

    The cell's seed and the epoch draw the rows of each batch. The epoch alone decides which of its
    places have long batches: batches that cells of a stack meet together are of similar length.

    Args:
        lengths: Number of tokens of each row, (rows,).
        batch_size: Number of rows a batch; the last one may be smaller.
        seed: Seed of the cell; None keeps rows in order of length, for scoring.
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
    """This process's rows of each batch.

    A batch is dealt out row by row. Each process takes the whole of a batch that has fewer rows
    than there are processes: its mean over the processes is then its own. All processes get equally
    many batches.

    Args:
        batches: Batches of all processes together.
        process: Number of this process, from 0.
        processes: Number of processes.
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
    """A function from row numbers to a padded batch.

    Args:
        tokens: Data set.
        order: Sampler whose epoch decides the views of the rows; None gives the rows alone.
        block: Seed and fold of the cell, for its dropout; None where nothing is trained.
    """

    def __init__(
        self, tokens: Tokens, order: LengthBuckets | None, block: tuple[int, int] | None = None
    ) -> None:
        self._inputs, self._views, self._order = tokens.inputs, tokens.views, order
        self._block = block
        self._labels = torch.as_tensor(tokens.labels)

    def __call__(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Return the batch of some rows.

        Each input is (views x batch, longest), labels and rows are (batch,). A collator with a
        block adds `keys`, which decide dropout: see `seeding.dropout_keys`.
        """
        numbers = shown = np.asarray(rows, np.int64)
        if self._order is not None:
            seeds = (0,) if self._block is None else self._block[:1]
            shown = in_epoch(numbers, self._views, self._order.epoch, seeds)
        batch = self._inputs.padded(shown)
        batch |= {"labels": self._labels[numbers], "rows": torch.from_numpy(numbers)}
        if self._order is not None and self._block is not None:
            epoch = self._order.epoch
            keys = seeding.dropout_keys(*self._block, epoch, numbers, self._views.views)
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
    """Return a loader over some rows, and the sampler that orders it.

    The sampler's `epoch` decides the order.

    Args:
        tokens: Data set.
        rows: Row numbers, int64 (chosen,).
        batch_size: Number of rows a batch.
        seed: Seed of the cell, which shuffles; None for scoring, in order of length.
        part: Number of this process and of all processes.
        fold: Fold of the cell; with the seed it decides dropout.
    """
    buckets = LengthBuckets(tokens.lengths[rows], batch_size, seed)
    mine = buckets if part[1] == 1 else OwnPart(buckets, *part)
    collator = Collator(tokens, None)
    if seed is not None:
        collator = Collator(tokens, buckets, (seed, fold))
    return DataLoader(Rows(rows), batch_sampler=mine, collate_fn=collator), buckets
