"""Correlation of a sentence's tokens before and after the encoder.

The picture is like Lee's figure 7.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.analysis import lettering
from trainables.engine.arrays import FloatArray
from trainables.engine.features import representation
from trainables.engine.features.representation import Fitted, Representation

# The sentence of figure 7.
SENTENCE = (
    "president donald trump turned up the heat on friday on fellow republicans in the u.s. senate "
    "to pass a bill dismantling the obamacare"
)
_MOST_TOKENS = 60  # more cannot be read
_SIDES = {"before": "word-embeddings", "after": "encoder-mean"}


def matrices(
    sentence: str, model: str, max_length: int = _MOST_TOKENS
) -> tuple[list[str], dict[str, FloatArray]]:
    """Return a sentence's tokens, and their vectors' correlations over dimensions.

    Args:
        sentence: Text, which is cut after `max_length` tokens.
        model: Reference of the encoder.
        max_length: Largest number of tokens, special ones counted.

    Returns:
        The tokens, without special ones, and "before" (word embeddings) and "after" (the encoder's
        output), each (tokens, tokens) of Pearson's r.
    """
    tokens: list[str] = []
    correlations: dict[str, FloatArray] = {}
    for side, name in _SIDES.items():
        card = representation.card_of(name)
        if isinstance(card, Fitted):
            raise TypeError(f"{name} must be made by an encoder.")
        sentences = card.parts([sentence], model, Representation(name=name, max_length=max_length))
        if sentences is None:
            raise TypeError(f"{name} must be a mean over tokens.")
        (parts,) = sentences
        real = [i for i, group in enumerate(parts.groups) if group >= 0]
        tokens = [parts.words[i] for i in real]
        correlations[side] = np.atleast_2d(np.corrcoef(parts.vectors[real].astype(np.float64)))
    return tokens, correlations


def picture(tokens: list[str], correlations: dict[str, FloatArray], title: str, path: Path) -> None:
    """Draw both matrices side by side, the tokens on both axes.

    Args:
        tokens: Tokens of `matrices`.
        correlations: Correlations of `matrices`.
        title: Title above the pictures.
        path: Path of the picture.
    """
    from matplotlib.figure import Figure

    side = max(4.5, 0.21 * len(tokens) + 1.2)
    figure = Figure(figsize=(2 * side + 1.0, side + 0.6), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, 2)
    names = {"before": "word embeddings, before the encoder", "after": "after the encoder"}
    for drawn, (key, matrix) in zip(axes, correlations.items(), strict=True):
        image = drawn.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        off = matrix[~np.eye(len(matrix), dtype=bool)]
        mean = float(off.mean()) if len(off) else 1.0
        drawn.set_title(f"{names[key]} (mean r off the diagonal {mean:.2f})", fontsize=10)
        drawn.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=7)
        drawn.set_yticks(range(len(tokens)), tokens, fontsize=7)
    figure.colorbar(image, ax=list(axes), shrink=0.7, label="Pearson's r")
    lettering.save(figure, path, dpi=130)
