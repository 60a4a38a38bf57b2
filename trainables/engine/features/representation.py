"""What a representation of texts is: the contract of the files of trainables/representations.

A text's features are a weighted sum of vectors of its parts (its tokens, words or terms), so that a
linear layer on them has a class activation map; `Parts` is that sum, written out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trainables.engine import registry
from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.text_data import TextData

Progress = Callable[[int, int], None]
"""Told (texts done, texts in all)."""

PACKAGE = "trainables.representations"
# Says of an encoder: the task's own model.
TASKS_MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Which features a head is trained on.

    Attributes:
        name: A file of trainables/representations, '-' for '_'.
        max_length: Tokens a text at most; None where the representation does not cut texts.
        vectors: Word vectors to read: a file, or a name that gensim downloads; None where the
            representation reads none.
        text_encoder: What reads texts where that need not be the task's model: "model" for it, or
            an alias, hub id or folder; None where a representation does not choose.
        image_encoder: What looks at images, in the same way.
        latin_only: Letters of other scripts are taken out before; None where that is no question.
    """

    name: str
    max_length: int | None = None
    vectors: str | None = None
    text_encoder: str | None = None
    image_encoder: str | None = None
    latin_only: bool | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one text.

    Attributes:
        words: The parts as a reader sees them, (parts,).
        spans: Where each stands in the text, (begin, end) in characters, (parts,); None for what
            is not in the text ([CLS]) or not in one piece.
        groups: Parts of one word share a number, (parts,); -1 for what is of no word.
        vectors: Vector of each part, float32 (parts, width).
        divisor: The text's features are the vectors' sum divided by this.
        text: The text.
        cut: Whether the text went on behind the last part.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int] | None, ...]
    groups: tuple[int, ...]
    vectors: Float32Array
    divisor: float
    text: str
    cut: bool = False

    @property
    def features(self) -> Float32Array:
        """What a head is given for the text, float32 (width,)."""
        total: Float32Array = self.vectors.sum(axis=0, dtype=np.float64).astype(np.float32)
        return total / np.float32(self.divisor)


class Card(Protocol):
    """What a file of trainables/representations defines as REPRESENTATION.

    Attributes:
        about: What it is, in a line.
        paper: Its case and accuracy in table 1 of Lee's paper; None if it is not there.
        uses_encoder: Whether the task's model makes the features.
    """

    @property
    def about(self) -> str: ...  # noqa: D102
    @property
    def paper(self) -> tuple[str, float] | None: ...  # noqa: D102
    @property
    def uses_encoder(self) -> bool: ...  # noqa: D102


@runtime_checkable
class Fixed(Card, Protocol):
    """A representation that learns nothing from the data: one vector a text, whatever the fold."""

    def extract(
        self, data: TextData, model: str, wanted: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Features of every row, (rows, width), and what to report of them by name."""
        ...

    def parts(
        self, texts: Sequence[str], model: str, wanted: Representation
    ) -> Iterator[Parts] | None:
        """The parts of each text; None if the features are no sum over parts."""
        ...


@runtime_checkable
class Laid(Card, Protocol):
    """A representation whose rows have parts that a head must tell apart."""

    def layout(self, facts: Mapping[str, float]) -> Any:
        """Where they lie, from what the extraction reported: what a head is built on."""
        ...


@runtime_checkable
class Fitted(Card, Protocol):
    """A representation that is fitted, on a cell's training rows only; `width` numbers a text."""

    @property
    def width(self) -> int: ...  # noqa: D102

    def counts(self, data: TextData, progress: Progress) -> Any:
        """What does not depend on the fold, to be kept for all of them."""
        ...

    def fit(self, counts: Any, train: IntArray) -> tuple[Float32Array, Any]:
        """Features of all rows, (rows, width), after a fit on some; and what was fitted."""
        ...

    def fitted_parts(self, texts: Sequence[str], fitted: Any) -> Iterator[Parts]:
        """The parts of each text."""
        ...


def names() -> tuple[str, ...]:
    """All representations, as they stand on an axis."""
    return tuple(name.replace("_", "-") for name in registry.names(PACKAGE))


def card(name: str) -> Fixed | Fitted:
    """The entry of a representation.

    Raises:
        RegistryError: if there is none of this name.
    """
    found: Fixed | Fitted = registry.load(PACKAGE, name, "REPRESENTATION")
    return found
