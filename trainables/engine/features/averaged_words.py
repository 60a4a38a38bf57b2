"""Features from word vectors: the mean over a text's known words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trainables.engine.arrays import Float32Array
from trainables.engine.features import word_vectors
from trainables.engine.features.representation import Parts, Progress, Representation
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

# The expression of nltk's wordpunct_tokenize, which needs no download.
_WORDS = re.compile(r"\w+|[^\w\s]+")
_ROWS_BETWEEN_NEWS = 256


@lru_cache(maxsize=2)
def _kept(reference: str, _fingerprint: str) -> KeyedVectors:
    return word_vectors.load_vectors(reference)


def _vectors(representation: Representation) -> KeyedVectors:
    if representation.vectors is None:
        raise ValueError(f"Representation {representation.name!r} wants vectors, got None.")
    return _kept(representation.vectors, word_vectors.fingerprint(representation.vectors))


@dataclass(frozen=True, kw_only=True)
class AveragedWords:
    """Mean of word vectors; see `trainables.engine.features.representation.Fixed`.

    A word is looked up as it is written, then in lower case. Words that have no vector are skipped,
    and their share of all words is reported; a text without a known word is all zeros.

    Attributes:
        about: Description in a line.
        paper: See `Card`.
    """

    about: str
    paper: tuple[str, float] | None = None
    uses_encoder: bool = False

    def extract(
        self, data: TextData, model: str, representation: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Extract features of every row; report the shares of unknown words."""
        keyed = _vectors(representation)
        features = np.zeros((len(data), keyed.vector_size), np.float32)
        words = unknown = without = 0
        for row, text in enumerate(_whole(data)):
            places = [place for _, place in _looked_up(text, keyed)]
            known = [place for place in places if place is not None]
            words += len(places)
            unknown += len(places) - len(known)
            without += not known
            if known:
                features[row] = keyed.vectors[known].mean(axis=0, dtype=np.float64)
            if row % _ROWS_BETWEEN_NEWS == 0:
                progress(row, len(data))
        return features, {
            "oov_share": unknown / max(words, 1),
            "no_known_word_share": without / len(data),
        }

    def parts(
        self, texts: Sequence[str], model: str, representation: Representation
    ) -> Iterator[Parts]:
        """Split texts into known words with their vectors."""
        keyed = _vectors(representation)
        for text in texts:
            known = [(m, place) for m, place in _looked_up(text, keyed) if place is not None]
            yield Parts(
                words=tuple(match.group() for match, _ in known),
                spans=tuple(match.span() for match, _ in known),
                groups=tuple(range(len(known))),
                vectors=keyed.vectors[[place for _, place in known]].astype(np.float32),
                divisor=float(max(len(known), 1)),
                text=text,
            )


def _whole(data: TextData) -> Iterator[str]:
    if data.texts_b is None:
        yield from data.texts
    else:
        for first, second in zip(data.texts, data.texts_b, strict=True):
            yield f"{first} {second}"


def _looked_up(text: str, keyed: KeyedVectors) -> Iterator[tuple[re.Match[str], int | None]]:
    places = keyed.key_to_index
    for match in _WORDS.finditer(text):
        word = match.group()
        yield match, places.get(word, places.get(word.lower()))
