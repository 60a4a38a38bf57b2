"""Features from word vectors: the mean over the words of a text that have one."""

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

# What nltk's wordpunct_tokenize splits by, and it needs no download.
_WORDS = re.compile(r"\w+|[^\w\s]+")
_ROWS_BETWEEN_NEWS = 256


@lru_cache(maxsize=2)
def _kept(reference: str, _fingerprint: str) -> KeyedVectors:
    return word_vectors.load_vectors(reference)


def _vectors(wanted: Representation) -> KeyedVectors:
    if wanted.vectors is None:
        raise ValueError(f"Representation {wanted.name!r} wants vectors, got None.")
    return _kept(wanted.vectors, word_vectors.fingerprint(wanted.vectors))


@dataclass(frozen=True, kw_only=True)
class AveragedWords:
    """Mean of word vectors; see `trainables.engine.features.representation.Fixed`.

    A word is looked up as it is written, then in lower case. Words that have no vector are skipped,
    and their share of all words is reported; a text without a known word is all zeros.

    Attributes:
        about: What it is.
        paper: See `Card`.
    """

    about: str
    paper: tuple[str, float] | None = None
    uses_encoder: bool = False

    def extract(
        self, data: TextData, model: str, wanted: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Features of every row; reports the shares of unknown words and of texts without any."""
        keyed = _vectors(wanted)
        features = np.zeros((len(data), keyed.vector_size), np.float32)
        words = unknown = without = 0
        for row, text in enumerate(_whole(data)):
            found = [place for _, place in _looked_up(text, keyed)]
            known = [place for place in found if place is not None]
            words += len(found)
            unknown += len(found) - len(known)
            without += not known
            if known:
                features[row] = keyed.vectors[known].mean(axis=0, dtype=np.float64)
            if row % _ROWS_BETWEEN_NEWS == 0:
                progress(row, len(data))
        return features, {
            "oov_share": unknown / max(words, 1),
            "no_known_word_share": without / len(data),
        }

    def parts(self, texts: Sequence[str], model: str, wanted: Representation) -> Iterator[Parts]:
        """The known words of each text with their vectors."""
        keyed = _vectors(wanted)
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
