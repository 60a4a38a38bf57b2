"""Several views of each text, for losses that compare them.

A view is a text under another dropout, or worded in another way. The input of an encoder is then a
corpus: blocks of as many rows as the data, of which the first has the data's own texts. A training
batch of rows becomes a batch of all their views, those of one kind together; held-out rows are
scored on their own text.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.errors import DataError
from trainables.engine.text_data import TextData, assemble

# Distances from a row of the data to its views, one tuple an epoch; the epochs take turns.
Offsets = tuple[tuple[int, ...], ...]

# Number of draws of the random parts of a text; the epochs take turns.
_DRAWS = 4
_SEED = 1000  # Fixed: a corpus belongs to the data, no cell's seed decides it.
# Mirror-BERT's own bound: a masked span would take too much of a shorter text.
_SHORTEST_MASKED = 30
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class View:
    """One view of a text.

    Attributes:
        source: "text", the row's own; "second", its second text; "letters", random letters in words
            of the same lengths.
        masked: Number of characters, at a random place, that become the mask token; 0 for none.
    """

    source: Literal["text", "second", "letters"] = "text"
    masked: int = 0


@dataclass(frozen=True, eq=False)
class Corpus:
    """The texts that an encoder reads.

    Attributes:
        data: All texts, the data's own first.
        offsets: Distances from a row to its views.
        further: Row numbers of the further texts, int64 (further,).
    """

    data: TextData
    offsets: Offsets
    further: IntArray


def in_epoch(rows: IntArray, offsets: Offsets, epoch: int) -> IntArray:
    """Return the corpus rows that are the views of some rows.

    Args:
        rows: Row numbers of the data, (..., batch).
        offsets: Offsets of the corpus.
        epoch: Number of the epoch, from 0.

    Returns:
        (..., views x batch): all first views, then all second ones.
    """
    return np.concatenate([rows + offset for offset in offsets[epoch % len(offsets)]], axis=-1)


def views_in(offsets: Offsets, epoch: int) -> int:
    """Return the number of views that a row has in an epoch."""
    return len(offsets[epoch % len(offsets)])


@lru_cache(maxsize=4)
def corpus(
    data: TextData, views: tuple[View, ...], mask_token: str | None, further: tuple[str, ...] = ()
) -> Corpus:
    """Return the texts of some views of a data set.

    Args:
        data: Data set.
        views: Views of each text; at least one.
        mask_token: Mask token of the tokenizer; None where it has none.
        further: Further texts that the encoder must be able to read.

    Raises:
        DataError: if a view needs second texts, single texts or a mask token, and there are none.
    """
    _check(data, views, mask_token, further)
    single = any(view.source == "second" for view in views)
    first: tuple[str, ...] = data.texts
    second = None if single or data.texts_b is None else list(data.texts_b)
    blocks, second_blocks = list(first), list(second or ())
    places: dict[tuple[View, int], int] = {(View(), 0): 0}
    offsets = []
    for draw in range(_DRAWS):
        of_draw = []
        for view in views:
            # Without random parts a view is the same in all epochs.
            key = (view, draw if view.masked or view.source == "letters" else 0)
            if key not in places:
                places[key] = len(blocks)
                blocks += _worded(data, view, key[1], mask_token or "")
                second_blocks += second or ()
            of_draw.append(places[key])
        offsets.append(tuple(of_draw))
    if len(blocks) == len(data) and not further and not single:
        return Corpus(data, tuple(offsets[:1]), np.zeros(0, np.int64))
    start = len(blocks)
    every = [*blocks, *further]
    labels = np.zeros(len(every), np.int64)
    labels[:start] = np.tile(data.labels, start // len(data))
    joined = assemble(
        name=data.name,
        texts=every,
        texts_b=None if second is None else second_blocks,
        labels=labels,
        label_names=data.label_names,
        official=None,
    )
    return Corpus(joined, tuple(dict.fromkeys(offsets)), np.arange(start, len(every)))


def _check(
    data: TextData, views: tuple[View, ...], mask_token: str | None, further: tuple[str, ...]
) -> None:
    if data.texts_b is None and any(view.source == "second" for view in views):
        raise DataError(
            f"The second view is to be each row's second text, and {data.name} has none: give its "
            "column with --text-b, or take another view."
        )
    if data.texts_b is not None and further:
        raise DataError(
            f"{data.name} holds pairs of texts; an encoder that reads pairs as one cannot be "
            "scored on the similarity of the two texts of other pairs. Leave pairs=none."
        )
    if mask_token is None and any(view.masked for view in views):
        raise DataError(
            "The model's tokenizer has no mask token, so no span can be masked: take another model "
            "or another view."
        )


def _worded(data: TextData, view: View, draw: int, mask_token: str) -> list[str]:
    """Return the texts of a block."""
    texts = data.texts
    if view.source == "second":
        texts = data.texts_b or ()
    if view.source == "letters":
        # The same strings for both views of a draw.
        drawn = random.Random(f"{_SEED}:letters:{draw}")
        texts = tuple(_letters(text, drawn) for text in texts)
    if not view.masked:
        return list(texts)
    drawn = random.Random(f"{_SEED}:{draw}")
    return [masked(text, view.masked, mask_token, drawn) for text in texts]


def _letters(text: str, drawn: random.Random) -> str:
    return " ".join("".join(drawn.choices(_LETTERS, k=len(word))) for word in text.split())


def masked(text: str, span: int, mask_token: str, drawn: random.Random) -> str:
    """Return a text with a random span replaced by the mask token.

    Technique 1 of Mirror-BERT: "Economist" -> "Econ [MASK]". A text of fewer than 30 characters, or
    no longer than the span, is left whole, as in the authors' code.
    """
    if len(text) < _SHORTEST_MASKED or len(text) <= span:
        return text
    at = drawn.randrange(len(text) - span)
    return f"{text[:at]} {mask_token} {text[at + span :]}"
