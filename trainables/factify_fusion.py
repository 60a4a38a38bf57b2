"""Fusion network of Team Noir at Factify 2, for claim-document pairs.

    e(x)   = ReLU(BN(Dropout(W2 ReLU(BN(Dropout(W1 x))))))     W1, W2 halve the width
    a(m)   = self-attention over the tokens e(claim), e(document) of a modality m, side by side
    logits = MLP(fusion(a(text), a(image)))                    three linear layers, two ReLUs

An extraction module e and an attention a for each modality, shared by claim and document. The paper
fuses by writing the modalities side by side; two other fusions stand beside it (its outlook). The
loss is `trainables/losses/label_smoothing.py`; the weights' moving average is scored. See the page
factify_fusion.md beside this file.

Frozen, cells are heads on features that CLIP's towers gave once, and train as stacks. Not frozen,
the towers are trained with the network, a cell at a time.

Source: Team Noir at Factify 2: Multimodal Fake News Detection with Pre-trained CLIP and Fusion
Network (Zhang et al., De-Factify 2023), sections 4 and 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import TrainingConfig
from trainables.engine.errors import ModelError
from trainables.engine.features import pair_embeddings, trainable_towers
from trainables.engine.features.pair_layout import Layout
from trainables.engine.features.representation import Representation
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.models.output import Output
from trainables.engine.text_data import TextData
from trainables.losses.label_smoothing import smoothed_cross_entropy

VERSION = 2

MODALITIES = ("text", "image", "both")
FUSIONS = ("concatenation", "cross-attention", "bilinear")
_OVER = ("two-tokens", "one-vector")
_OWN_TOWER = "model"


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Hyper-parameters of one cell.

    Attributes:
        modalities: "text", "image" or "both".
        multilingual: Read texts with `text_encoder`; else with the model's own text tower, after
            letters of other scripts than the Latin are taken out.
        attention: Pass claim and document through self-attention.
        heads: Number of heads of the attention.
        attention_dim: Width of its queries, keys and values, all heads together.
        dropout: Share dropped in the extraction modules.
        smoothing: Epsilon of the paper, see `trainables/losses/label_smoothing.py`.
        ema_decay: Decay of the weights' moving average, which is scored; 0 scores the weights.
        frozen: Train on features made once; else train the towers with the network.
        text_encoder: The multilingual text encoder: alias, hub id or folder.
        image_encoder: "model" for the model's own image tower, else alias, hub id or folder.
        attention_over: "two-tokens", claim and document; "one-vector", both as one wide token.
        attention_dropout: Share of the attention's weights that is dropped; None takes `dropout`.
        fusion: "concatenation", the modalities side by side; "cross-attention", each attends to the
            other before; "bilinear", the product of both, each projected, through a tanh.
        schedule: "constant" is the paper's; its Adam is AdamW at weight_decay 0.

    Raises:
        ConfigError: naming each field out of its range.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    modalities: str
    multilingual: bool
    attention: bool
    heads: int
    attention_dim: int
    dropout: float
    smoothing: float
    ema_decay: float
    frozen: bool
    text_encoder: str
    image_encoder: str
    attention_over: str = "two-tokens"
    attention_dropout: float | None = None
    fusion: str = "concatenation"

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        fits = self.heads >= 1 and self.attention_dim >= 1 and self.attention_dim % self.heads == 0
        return {
            f"modalities one of {', '.join(MODALITIES)}": self.modalities in MODALITIES,
            "heads at least 1, and a divisor of attention_dim": fits,
            "attention_dim at least 1": self.attention_dim >= 1,
            "dropout in [0, 1)": 0 <= self.dropout < 1,
            "smoothing in [0, 1)": 0 <= self.smoothing < 1,
            "ema_decay in [0, 1)": 0 <= self.ema_decay < 1,
            f"attention_over one of {', '.join(_OVER)}": self.attention_over in _OVER,
            "attention_dropout in [0, 1), or none for that of dropout": self.dropped < 1
            and self.dropped >= 0,
            f"fusion one of {', '.join(FUSIONS)}": self.fusion in FUSIONS,
            **super().rules(),
        }

    @property
    def dropped(self) -> float:
        """Share of the attention's weights that is dropped."""
        return self.dropout if self.attention_dropout is None else self.attention_dropout


class Extraction(nn.Module):
    """Two linear layers, each to half the width, normalised, with ReLU.

    Args:
        width: Width of the input.
        dropout: Share dropped before the normalisation.
        missing: True where an input may be missing: a vector is learned to stand for it.
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
        """Reduce a pair's features to tokens, (batch, 2, width // 4).

        Features that are absent, bool (batch, 2), are replaced by the learned vector.
        """
        # Claim and document share the module and its batch statistics.
        hidden = self.first(pair.flatten(0, 1))
        if self.missing is not None and absent is not None:
            # The same as to put the vector into the input, which the cells of a stack share.
            hidden = torch.where(absent.flatten()[:, None], self.first(self.missing), hidden)
        hidden = functional.relu(self.first_norm(self.dropout(hidden)))
        hidden = functional.relu(self.second_norm(self.dropout(self.second(hidden))))
        tokens: Tensor = hidden.unflatten(0, (-1, 2))
        return tokens


class PairAttention(nn.Module):
    """Multi-head attention over a pair's tokens (Vaswani et al., section 3.2.2).

    Args:
        width: Width of a token.
        dim: Width of queries, keys and values, all heads together.
        heads: Number of heads.
        dropout: Share of the attention's weights that is dropped.
        other: Width of the tokens attended to, where they are another modality's.
    """

    def __init__(
        self, width: int, dim: int, heads: int, dropout: float, other: int | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, dim), nn.Linear(other or width, dim)
        self.value, self.output = nn.Linear(other or width, dim), nn.Linear(dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, others: Tensor | None = None) -> Tensor:
        """Let tokens, (batch, tokens, width), attend to each other, or to others."""
        attended_to = tokens if others is None else others
        query, key, value = (
            part(given).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part, given in (
                (self.query, tokens),
                (self.key, attended_to),
                (self.value, attended_to),
            )
        )
        weights = torch.softmax(query @ key.mT * query.shape[-1] ** -0.5, dim=-1)
        attended = self.dropout(weights) @ value
        output: Tensor = self.output(attended.transpose(-3, -2).flatten(-2))
        return output


class CrossAttention(nn.Module):
    """Fusion in which each modality attends to the other (ViLBERT).

    Args:
        widths: Widths of a text's and an image's token.
        heads: Width of queries, number of heads, and dropout of `PairAttention`.
    """

    def __init__(self, widths: tuple[int, int], heads: tuple[int, int, float]) -> None:
        super().__init__()
        text, image = widths
        self.text = PairAttention(text, *heads, other=image)
        self.image = PairAttention(image, *heads, other=text)

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Join tokens, (batch, 2, width) each, to (batch, 2 x both widths)."""
        parts = (text + self.text(text, image), image + self.image(image, text))
        return torch.cat([part.flatten(-2) for part in parts], dim=-1)


class Bilinear(nn.Module):
    """Fusion by low-rank bilinear pooling (Kim et al., 2017).

    The network's next layer is the last projection of the pooling.

    Args:
        widths: Widths of a text's and an image's token.
    """

    def __init__(self, widths: tuple[int, int]) -> None:
        super().__init__()
        rank = 2 * sum(widths)
        self.text, self.image = (nn.Linear(2 * width, rank) for width in widths)

    def forward(self, text: Tensor, image: Tensor) -> Tensor:
        """Multiply tokens, (batch, 2, width) each, to (batch, 2 x both widths)."""
        factors = (self.text(text.flatten(-2)), self.image(image.flatten(-2)))
        return torch.tanh(factors[0]) * torch.tanh(factors[1])


def _fusion(config: Config, widths: tuple[int, int]) -> nn.Module | None:
    """Return the fusion of two modalities; None writes them side by side."""
    if config.fusion == "cross-attention":
        return CrossAttention(widths, (config.attention_dim, config.heads, config.dropped))
    return Bilinear(widths) if config.fusion == "bilinear" else None


class FusionNet(nn.Module):
    """The fusion network.

    Args:
        config: Hyper-parameters of the cell.
        layout: Layout of a row's features.
        num_classes: Number of classes.
    """

    smoothing: Tensor

    def __init__(self, config: Config, layout: Layout, num_classes: int) -> None:
        super().__init__()
        self.layout = layout
        self.register_buffer("smoothing", torch.tensor(float(config.smoothing)), persistent=False)
        self.extraction, self.attention = nn.ModuleDict(), nn.ModuleDict()
        self.joined = config.attention_over == "one-vector"
        heads = (config.attention_dim, config.heads, config.dropped)
        fused = 0
        for name, width in layout.widths():
            if width < 4:
                raise ModelError(f"features of a {name} must be at least 4 wide, got {width}.")
            self.extraction[name] = Extraction(width, config.dropout, name == "image")
            if config.attention:
                wide = 2 if self.joined else 1
                self.attention[name] = PairAttention(wide * (width // 4), *heads)
            fused += 2 * (width // 4)
        widths = [width // 4 for _, width in layout.widths()]
        self.fusion = None if len(widths) == 1 else _fusion(config, (widths[0], widths[1]))
        self.mlp = nn.Sequential(
            nn.Linear(fused, max(fused // 2, 1)),
            nn.ReLU(),
            nn.Linear(max(fused // 2, 1), max(fused // 4, 1)),
            nn.ReLU(),
            nn.Linear(max(fused // 4, 1), num_classes),
        )

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        """Loss and logits of a batch of features, (batch, layout.total)."""
        parts = []
        for name, _ in self.layout.widths():
            tokens = self.extraction[name](*self.layout.pair(inputs, name))
            if self.attention:
                sequence = tokens.flatten(-2).unsqueeze(-2) if self.joined else tokens
                tokens = self.attention[name](sequence).view_as(tokens)
            parts.append(tokens)
        if self.fusion is None:
            fused = torch.cat([tokens.flatten(-2) for tokens in parts], dim=-1)
        else:
            fused = self.fusion(*parts)
        logits = self.mlp(fused)
        return Output(loss=smoothed_cross_entropy(logits, labels, self.smoothing), logits=logits)


class JointNet(nn.Module):
    """The towers and the fusion network, trained together.

    Args:
        towers: Towers from a batch to features.
        net: Fusion network on the features.
    """

    def __init__(self, towers: trainable_towers.Towers, net: FusionNet) -> None:
        super().__init__()
        self.towers, self.net = towers, net

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch of tokens and pixels; see `trainable_towers.Towers`."""
        output: Output = self.net(self.towers(inputs), labels)
        return output


def representation(config: Config) -> Representation | None:
    """Frozen features; None where the towers are trained, too."""
    if not config.frozen:
        return None
    text, image = config.modalities != "image", config.modalities != "text"
    return Representation(
        name="image-text-pairs",
        max_length=config.max_length if text else None,
        text_encoder=_text_encoder(config) if text else None,
        image_encoder=config.image_encoder if image else None,
        latin_only=True if text and not config.multilingual else None,
    )


def _text_encoder(config: Config) -> str:
    return config.text_encoder if config.multilingual else _OWN_TOWER


def reads_with(config: Config) -> str:
    """Model that reads each text."""
    return _text_encoder(config)


def files(config: Config) -> dict[str, str]:
    """Fields that name a further model, with their values."""
    models = {}
    if config.multilingual and config.modalities != "image":
        models["text_encoder"] = config.text_encoder
    if config.image_encoder != _OWN_TOWER and config.modalities != "text":
        models["image_encoder"] = config.image_encoder
    return models


def check_data(config: Config, data: TextData) -> None:
    """Refuse data without the texts or images that a config reads.

    Raises:
        DataError: naming the columns to give.
    """
    pair_embeddings.seconds_of(data)
    if config.modalities != "text":
        pair_embeddings.images_of(data)


def check_models(config: Config, data: TextData, model: str) -> None:
    """Refuse models without the towers that a config trains.

    Raises:
        ModelError: naming the model, and what to give.
    """
    sources = _sources(config, model)
    pair_embeddings.check_towers(sources.text, sources.image)


def ema_decay(config: Config) -> float:
    """Decay of the moving average that is scored."""
    return config.ema_decay


def tokens(config: Config, data: TextData, model: str) -> Tokens:
    """Inputs of towers that are trained."""
    return trainable_towers.tokens(
        data, _sources(config, model), config.max_length, not config.multilingual
    )


def base(config: Config, data: TextData, model: str) -> trainable_towers.Towers:
    """Fresh copies of the towers that a cell trains."""
    return trainable_towers.towers_of(_sources(config, model))


def _sources(config: Config, model: str) -> trainable_towers.Sources:
    text = _text_encoder(config) if config.modalities != "image" else None
    image = config.image_encoder if config.modalities != "text" else None
    return trainable_towers.Sources(
        text=model if text == _OWN_TOWER else text, image=model if image == _OWN_TOWER else image
    )


def stack_key(config: Config) -> Config | None:
    """Config with all values that may differ within a stack set alike."""
    if not config.frozen:
        return None
    return replace(config, smoothing=0.0, ema_decay=0.0)


def build(config: Config, base: Any, num_classes: int) -> nn.Module:
    """Build the module of one cell, on features or on trainable towers."""
    if isinstance(base, trainable_towers.Towers):
        return JointNet(base, FusionNet(config, base.layout, num_classes))
    return FusionNet(config, base, num_classes)
