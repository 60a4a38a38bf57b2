"""The last linear layer of a trained classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.engine.arrays import Float32Array
from trainables.engine.features.representation import Parts


@dataclass(frozen=True)
class LinearLayer:
    """A classifier's last layer.

    Attributes:
        weight: Weights, float32 (classes, width).
        bias: Biases, float32 (classes,).
    """

    weight: Float32Array
    bias: Float32Array

    def centred(self) -> LinearLayer:
        """The same probabilities from weights that sum to 0 over classes."""
        return LinearLayer(
            self.weight - self.weight.mean(axis=0), self.bias - self.bias.mean(axis=0)
        )

    def logits(self, parts: Parts) -> Float32Array:
        """Logits of a text, (classes,)."""
        logits: Float32Array = self.weight @ parts.features + self.bias
        return logits

    def probabilities(self, parts: Parts) -> Float32Array:
        """Class probabilities of a text, (classes,)."""
        logits = self.logits(parts)
        powers: Float32Array = np.exp(logits - logits.max())
        shares: Float32Array = powers / powers.sum()
        return shares
