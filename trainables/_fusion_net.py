"""Modules of the fusion network of Team Noir at Factify 2.

See `factify_fusion.py` for the formulas.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.errors import ModelError
from trainables.engine.features import trainable_towers
from trainables.engine.features.pair_layout import Layout
from trainables.engine.models.output import Output
from trainables.losses.label_smoothing import smoothed_cross_entropy


class Extraction(nn.Module):
    """Two blocks that halve the width of features.

    A block is a linear layer, dropout, batch normalisation and ReLU.

    Args:
        width: Width of the features.
        dropout: Share dropped.
        missing: True if an input may be missing: a vector is learned for it.
    """

    def __init__(self, width: int, dropout: float, missing: bool) -> None:
        super().__init__()
        self.first = nn.Linear(width, width // 2)
        self.first_norm = nn.BatchNorm1d(width // 2)
        self.second = nn.Linear(width // 2, width // 4)
        self.second_norm = nn.BatchNorm1d(width // 4)
        self.dropout = nn.Dropout(dropout)
        self.missing = nn.Parameter(torch.randn(width) / width**0.5) if missing else None

    def forward(self, pair: Tensor, absent: Tensor | None) -> Tensor:
        """Return a pair's tokens.

        Args:
            pair: Features of claim and document, (batch, 2, width).
            absent: True for missing ones, bool (batch, 2); None where none can be.

        Returns:
            (batch, 2, width // 4).
        """
        # Claim and document share the module and its batch statistics.
        hidden = self.first(pair.flatten(0, 1))
        if self.missing is not None and absent is not None:
            # The same as to put the vector into the input, which the cells of a stack share.
            hidden = torch.where(absent.flatten()[:, None], self.first(self.missing), hidden)
        hidden = functional.relu(self.first_norm(self.dropout(hidden)))
        hidden = functional.relu(self.second_norm(self.dropout(self.second(hidden))))
        pairs: Tensor = hidden.unflatten(0, (-1, 2))
        return pairs


class PairAttention(nn.Module):
    """Multi-head self-attention over the two tokens of a pair.

    Vaswani et al., section 3.2.2.

    Args:
        width: Width of a token.
        dim: Width of queries, keys and values, all heads together.
        heads: Number of heads.
        dropout: Share of the attention's weights that is dropped.
    """

    def __init__(self, width: int, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, dim), nn.Linear(width, dim)
        self.value, self.output = nn.Linear(width, dim), nn.Linear(dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the attended tokens, (batch, 2, width) both ways."""
        query, key, value = (
            part(tokens).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in (self.query, self.key, self.value)
        )
        weights = torch.softmax(query @ key.mT * query.shape[-1] ** -0.5, dim=-1)
        attended = self.dropout(weights) @ value
        mixed: Tensor = self.output(attended.transpose(-3, -2).flatten(-2))
        return mixed


class FusionNet(nn.Module):
    """The fusion network.

    Args:
        layout: Places of a row's features.
        num_classes: Number of classes of the data.
        attention: Width and heads of the attention; None without attention.
        dropout: Share dropped in the extraction modules and of the attention's weights.
        smoothing: Epsilon of the loss.
    """

    smoothing: Tensor

    def __init__(
        self,
        layout: Layout,
        num_classes: int,
        *,
        attention: tuple[int, int] | None,
        dropout: float,
        smoothing: float,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.register_buffer("smoothing", torch.tensor(float(smoothing)), persistent=False)
        self.extraction, self.attention = nn.ModuleDict(), nn.ModuleDict()
        fused = 0
        for name, width in layout.widths():
            if width < 4:
                raise ModelError(f"features of a {name} must be at least 4 wide, got {width}.")
            self.extraction[name] = Extraction(width, dropout, name == "image")
            if attention is not None:
                self.attention[name] = PairAttention(width // 4, *attention, dropout)
            fused += 2 * (width // 4)
        self.mlp = nn.Sequential(
            nn.Linear(fused, max(fused // 2, 1)),
            nn.ReLU(),
            nn.Linear(max(fused // 2, 1), max(fused // 4, 1)),
            nn.ReLU(),
            nn.Linear(max(fused // 4, 1), num_classes),
        )

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        """Return loss and logits of a batch.

        Args:
            inputs: Features in the order of the layout, (batch, layout.total).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        parts = []
        for name, _ in self.layout.widths():
            tokens = self.extraction[name](*self.layout.pair(inputs, name))
            parts.append((self.attention[name](tokens) if self.attention else tokens).flatten(-2))
        logits = self.mlp(torch.cat(parts, dim=-1))
        return Output(loss=smoothed_cross_entropy(logits, labels, self.smoothing), logits=logits)


class JointNet(nn.Module):
    """The towers and the fusion network, trained together.

    Args:
        towers: Towers, from a batch to features.
        net: Fusion network on the features.
    """

    def __init__(self, towers: trainable_towers.Towers, net: FusionNet) -> None:
        super().__init__()
        self.towers, self.net = towers, net

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Return loss and logits of a batch; see `trainable_towers.Towers`."""
        output: Output = self.net(self.towers(inputs), labels)
        return output
