"""Class activation maps on words.

Equation (2), section 3.2 of Better Reasoning Behind Classification Predictions with BERT for Fake
News Detection (Lee), after Zhou et al., 2016:

    M_c(l) = sum_k  w_k^c f_k(l)

    paper   here                          shape
    l       a part: token, word or term   (parts,)
    f_k(l)  `Parts.vectors`               (parts, width)
    w_k^c   weight of the linear layer    (classes, width)

The linear layer stands on the mean over parts, so the scores of a text add up to its logit without
the bias, times the number of parts (`Parts.divisor`).

A softmax does not change when one vector is added to the weights of all classes, so M_c includes
the layer's random start, alike for all classes: after a short training that is most of it.
`centred` subtracts the mean over classes from the weights. The probabilities are the same, equation
(2) holds for the layer so written, and a word that speaks for one of two classes speaks against the
other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.engine.arrays import FloatArray
from trainables.engine.features.representation import Parts
from trainables.engine.refit.linear_layer import LinearLayer

# Share of a text's words that are marked, section 4.2.
MARKED = 0.1


@dataclass(frozen=True)
class Word:
    """A word of a text with its score.

    The score is the sum of its parts' scores.

    Attributes:
        text: Characters of the word in the text; of a term without a place, the term.
        span: Place of the word, (begin, end) in characters; None without a place.
        score: M_c of the word.
    """

    text: str
    span: tuple[int, int] | None
    score: float


def scores(parts: Parts, layer: LinearLayer) -> FloatArray:
    """Return M_c of every part for every class, float64 (classes, parts)."""
    return layer.weight.astype(np.float64) @ parts.vectors.astype(np.float64).T


def words(parts: Parts, of_parts: FloatArray) -> list[Word]:
    """Return the words of a text in order, with added scores.

    Pieces of a word are joined. Parts of no word, [CLS] and [SEP], are left out.

    Args:
        parts: Parts of the text.
        of_parts: Score of each part, (parts,).
    """
    joined_words: list[Word] = []
    last = -1
    for word, span, group, score in zip(
        parts.words, parts.spans, parts.groups, of_parts.tolist(), strict=True
    ):
        if group < 0:
            continue
        if group == last and joined_words:
            before = joined_words[-1]
            joined = before.text + word.removeprefix("##")
            whole = None
            if before.span is not None and span is not None:
                whole = (before.span[0], span[1])
                joined = parts.text[slice(*whole)]
            joined_words[-1] = Word(joined, whole, before.score + score)
        else:
            shown = word if span is None else parts.text[slice(*span)]
            joined_words.append(Word(shown, span, score))
        last = group
    return joined_words


def marked(of_words: list[Word], share: float = MARKED) -> set[int]:
    """Return the places of the words with the highest scores.

    They are a share of the words, at least one.
    """
    most = max(1, round(share * len(of_words))) if of_words else 0
    order = sorted(range(len(of_words)), key=lambda i: (-of_words[i].score, i))
    return set(order[:most])
