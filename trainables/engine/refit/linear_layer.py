"""The last linear layer of a trained classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.engine.features.representation import Floats, Parts


@dataclass(frozen=True)
class LinearLayer:
    """A classifier's last layer.

    Attributes:
        weight: float32 (classes, width).
        bias: float32 (classes,).
    """

    weight: Floats
    bias: Floats

    def centred(self) -> LinearLayer:
        """The layer with the same probabilities whose weights sum to 0 over classes."""
        return LinearLayer(
            self.weight - self.weight.mean(axis=0), self.bias - self.bias.mean(axis=0)
        )

    def logits(self, parts: Parts) -> Floats:
        """Logits of a text, (classes,)."""
        given: Floats = self.weight @ parts.features + self.bias
        return given

    def probabilities(self, parts: Parts) -> Floats:
        """Class probabilities of a text, (classes,)."""
        logits = self.logits(parts)
        powers: Floats = np.exp(logits - logits.max())
        shares: Floats = powers / powers.sum()
        return shares
