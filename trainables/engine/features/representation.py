"""Contract of a representation: a file of trainables/representations.

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
"""Called with the number of texts done, and of all."""

PACKAGE = "trainables.representations"
# In place of an encoder: the task's own model.
TASKS_MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Features that a head is trained on.

    Attributes:
        name: Name of a file of trainables/representations, '-' for '_'.
        max_length: Largest number of tokens in a text; None where texts are not cut.
        vectors: Word vectors to read: a file, or a name that gensim downloads; None for none.
        text_encoder: Encoder of texts: "model" for the task's, or an alias, hub id or folder; None
            where a representation does not choose.
        image_encoder: Encoder of images, in the same way.
        latin_only: True to remove letters of other scripts before; None where that is no question.
    """

    name: str
    max_length: int | None = None
    vectors: str | None = None
    text_encoder: str | None = None
    image_encoder: str | None = None
    latin_only: bool | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of one text.

    Attributes:
        words: Parts as a reader sees them, (parts,).
        spans: Place of each part in the text, (begin, end) in characters, (parts,); None for a part
            that is not in the text ([CLS]) or not in one piece.
        groups: Number of each part's word, (parts,); -1 for a part of no word.
        vectors: Vector of each part, float32 (parts, width).
        divisor: Divisor of the vectors' sum, which gives the text's features.
        text: The text.
        cut: True where the text goes on behind the last part.
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
        """Features of the text, float32 (width,)."""
        total: Float32Array = self.vectors.sum(axis=0, dtype=np.float64).astype(np.float32)
        return total / np.float32(self.divisor)


class Card(Protocol):
    """REPRESENTATION of a file of trainables/representations.

    Attributes:
        about: Description in a line.
        paper: Case and accuracy in table 1 of Lee's paper; None where it is not there.
        uses_encoder: True where the task's model makes the features.
    """

    @property
    def about(self) -> str: ...  # noqa: D102
    @property
    def paper(self) -> tuple[str, float] | None: ...  # noqa: D102
    @property
    def uses_encoder(self) -> bool: ...  # noqa: D102


@runtime_checkable
class Fixed(Card, Protocol):
    """A representation that learns nothing from the data."""

    def extract(
        self, data: TextData, model: str, representation: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Extract features of every row, (rows, width), and facts by name."""
        ...

    def parts(
        self, texts: Sequence[str], model: str, representation: Representation
    ) -> Iterator[Parts] | None:
        """Split texts into parts; None for features without parts."""
        ...


@runtime_checkable
class MadeByModels(Card, Protocol):
    """A representation that pretrained models make."""

    def check_models(self, data: TextData, model: str, representation: Representation) -> None:
        """Refuse models that cannot make it, with a ModelError."""
        ...


@runtime_checkable
class Laid(Card, Protocol):
    """A representation whose rows have parts that heads tell apart."""

    def layout(self, facts: Mapping[str, float]) -> Any:
        """Layout of a row, from the extraction's facts: a head's base."""
        ...


@runtime_checkable
class Fitted(Card, Protocol):
    """A representation that is fitted on a cell's training rows."""

    @property
    def width(self) -> int: ...  # noqa: D102

    def counts(self, data: TextData, progress: Progress) -> Any:
        """Count once for all folds."""
        ...

    def fit(self, counts: Any, train: IntArray) -> tuple[Float32Array, Any]:
        """Fit on some rows; return features of all, and the fit."""
        ...

    def fitted_parts(self, texts: Sequence[str], fitted: Any) -> Iterator[Parts]:
        """Split texts into parts."""
        ...


def names() -> tuple[str, ...]:
    """Names of all representations, as they stand on an axis."""
    return tuple(name.replace("_", "-") for name in registry.names(PACKAGE))


def card_of(name: str) -> Fixed | Fitted:
    """Look up a representation.

    Raises:
        RegistryError: if there is none of this name.
    """
    card: Fixed | Fitted = registry.load(PACKAGE, name, "REPRESENTATION")
    return card
