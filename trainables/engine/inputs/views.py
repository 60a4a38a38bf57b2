"""Several views of each text, for losses that compare them.

A view is a text under another dropout, or worded in another way. The input of an encoder is then a
corpus: blocks of as many rows as the data, of which the first has the data's own texts. A training
batch of rows becomes a batch of all their views, those of one kind together; held-out rows are
scored on their own text.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.errors import DataError
from trainables.engine.inputs import wordings
from trainables.engine.text_data import TextData, assemble

# Numbers of draws of the random parts of a text: that the epochs take turns with, and that each
# seed, epoch and row choose among.
_DRAWS, _DRAWN = 4, 8
_SEED = 1000  # Fixed: a corpus belongs to the data, no cell's seed decides it.
# Mirror-BERT's own bound: a masked span would take too much of a shorter text.
_SHORTEST_MASKED = 30
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class View:
    """One view of a text.

    Attributes:
        source: "text", the row's own; "second", its second text; "letters", random letters in words
            of the same lengths; "partner", its partner in `file`; "synonyms", itself with some
            words replaced by synonyms of `file`.
        masked: Number of characters, at a random place, that become the mask token; 0 for none.
        drawn: True where the cell's seed and the epoch choose among the draws of a row; False where
            all seeds see the same.
        file: Other wordings: see `wordings.of_file`.
    """

    source: Literal["text", "second", "letters", "partner", "synonyms"] = "text"
    masked: int = 0
    drawn: bool = False
    file: str | None = None

    @property
    def is_random(self) -> bool:
        """True where a view differs from draw to draw."""
        return self.masked > 0 or self.source in ("letters", "synonyms")


@dataclass(frozen=True)
class Offsets:
    """Distances from a row of the data to its views.

    Attributes:
        by_draw: Distances by draw, then by view.
        drawn: True where seed, epoch and row choose the draw; else the epochs take turns.
    """

    by_draw: tuple[tuple[int, ...], ...] = ((0,),)
    drawn: bool = False

    @property
    def views(self) -> int:
        """Number of views of a row."""
        return len(self.by_draw[0])


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


def in_epoch(rows: IntArray, offsets: Offsets, epoch: int, seeds: Sequence[int] = (0,)) -> IntArray:
    """Return the corpus rows that are the views of some rows.

    Args:
        rows: Row numbers of the data, (batch,), or (cells, batch).
        offsets: Offsets of the corpus.
        epoch: Number of the epoch, from 0.
        seeds: Seed of each cell.

    Returns:
        (..., views x batch): all first views, then all second ones.
    """
    draws = len(offsets.by_draw)
    if not offsets.drawn:
        return np.concatenate([rows + o for o in offsets.by_draw[epoch % draws]], axis=-1)
    cells = rows.reshape(-1, rows.shape[-1])
    chosen = np.stack(
        [
            seeding.row_draws(seed, epoch, cell, draws)
            for seed, cell in zip(seeds, cells, strict=True)
        ]
    ).reshape(rows.shape)
    shown = rows[..., None] + np.array(offsets.by_draw, np.int64)[chosen]
    joined: IntArray = np.swapaxes(shown, -1, -2).reshape(*rows.shape[:-1], -1)
    return joined


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
    single = _single(views)
    first: tuple[str, ...] = data.texts
    second = None if single or data.texts_b is None else list(data.texts_b)
    blocks, second_blocks = list(first), list(second or ())
    places: dict[tuple[View, int], int] = {(View(), 0): 0}
    offsets = []
    drawn = any(view.drawn for view in views)
    for draw in range(_DRAWN if drawn else _DRAWS):
        of_draw = []
        for view in views:
            # Without random parts a view is the same in all epochs.
            key = (replace(view, drawn=False), draw if view.is_random else 0)
            if key not in places:
                places[key] = len(blocks)
                blocks += _worded(data, view, key[1], mask_token or "")
                second_blocks += second or ()
            of_draw.append(places[key])
        offsets.append(tuple(of_draw))
    if len(blocks) == len(data) and not further and not single:
        return Corpus(data, Offsets(tuple(offsets[:1])), np.zeros(0, np.int64))
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
    different = tuple(dict.fromkeys(offsets))
    return Corpus(joined, Offsets(different, drawn), np.arange(start, len(every)))


def _single(views: tuple[View, ...]) -> bool:
    """True where texts are views by themselves, no longer halves of pairs."""
    return any(view.source in ("second", "partner") for view in views)


def _check(
    data: TextData, views: tuple[View, ...], mask_token: str | None, further: tuple[str, ...]
) -> None:
    if data.texts_b is None and any(view.source == "second" for view in views):
        raise DataError(
            f"The second view is to be each row's second text, and {data.name} has none: give its "
            "column with --text-b, or take another view."
        )
    if data.texts_b is not None and further and not _single(views):
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
    if view.source == "partner" and view.file is not None:
        texts = _partners(data, view.file)
    if view.source == "synonyms" and view.file is not None:
        synonyms, drawn = wordings.of_file(view.file), random.Random(f"{_SEED}:synonyms:{draw}")
        texts = tuple(wordings.with_synonyms(text, synonyms, drawn) for text in texts)
    if view.source == "letters":
        # The same strings for both views of a draw.
        drawn = random.Random(f"{_SEED}:letters:{draw}")
        texts = tuple(_letters(text, drawn) for text in texts)
    if not view.masked:
        return list(texts)
    drawn = random.Random(f"{_SEED}:{draw}")
    return [masked(text, view.masked, mask_token, drawn) for text in texts]


def _partners(data: TextData, file: str) -> tuple[str, ...]:
    partners = wordings.of_file(file)
    for row, text in enumerate(data.texts):
        if text not in partners:
            raise DataError(
                f"{file} has no partner of the text of data row {row + 1:,} of {data.name}, "
                f"{text[:60]!r}: it must hold every text in column text, its partner in text_b."
            )
    return tuple(partners[text][0] for text in data.texts)


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
