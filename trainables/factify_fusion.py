"""The fusion network of Team Noir at Factify 2, on pairs.

A pair has two texts and two images, and one of five classes.

    e(x)   = ReLU(BN(Dropout(W2 ReLU(BN(Dropout(W1 x))))))     W1, W2 halve the width
    a(m)   = self-attention over the tokens e(claim), e(document) of a modality m, side by side
    logits = MLP(a(text), a(image))                            three linear layers, two ReLUs

An extraction module e and an attention a for each modality, shared by claim and document. The loss
is `trainables/losses/label_smoothing.py`; the weights' moving average is scored. See the page
factify_fusion.md beside this file.

Frozen, cells are heads on features that CLIP's towers gave once, and train as stacks. Not frozen,
the towers are trained with the network, a cell at a time.

Source: Team Noir at Factify 2: Multimodal Fake News Detection with Pre-trained CLIP and Fusion
Network (Zhang et al., De-Factify 2023), sections 4 and 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import nn

from trainables._fusion_net import FusionNet, JointNet
from trainables.engine.config import TrainingConfig
from trainables.engine.features import pair_embeddings, trainable_towers
from trainables.engine.features.representation import Representation
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.text_data import TextData

VERSION = 2

MODALITIES = ("text", "image", "both")
_OWN_TOWER = "model"


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Hyper-parameters of one cell.

    Attributes:
        modalities: "text", "image" or "both".
        multilingual: True reads texts with `text_encoder`; else the model's own text tower reads
            them, without letters of other scripts than the Latin.
        attention: True passes claim and document through self-attention.
        heads: Number of heads of the attention.
        attention_dim: Width of its queries, keys and values, all heads together.
        dropout: Share dropped in the extraction modules and of the attention's weights.
        smoothing: The paper's epsilon, see `trainables/losses/label_smoothing.py`.
        ema_decay: Decay of the weights' moving average, which is scored; 0 scores the weights.
        frozen: True trains on features made once; else the towers are trained with the network.
        text_encoder: Multilingual text encoder: alias, hub id or folder.
        image_encoder: "model" for the model's own image tower, else alias, hub id or folder.
        schedule: "constant" is the paper's; its Adam is AdamW at weight_decay 0.

    Raises:
        ConfigError: naming each field out of its range.
    """

    SCHEDULES: ClassVar[tuple[str, ...]] = ("constant", "linear", "cosine")
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

    def rules(self) -> dict[str, bool]:
        """Return the rules of its own fields and of the shared ones."""
        fits = self.heads >= 1 and self.attention_dim >= 1 and self.attention_dim % self.heads == 0
        return {
            f"modalities one of {', '.join(MODALITIES)}": self.modalities in MODALITIES,
            "heads at least 1, and a divisor of attention_dim": fits,
            "attention_dim at least 1": self.attention_dim >= 1,
            "dropout in [0, 1)": 0 <= self.dropout < 1,
            "smoothing in [0, 1)": 0 <= self.smoothing < 1,
            "ema_decay in [0, 1)": 0 <= self.ema_decay < 1,
            **super().rules(),
        }


def representation(config: Config) -> Representation | None:
    """Return the features that a cell is trained on.

    It is None where the towers are trained, too.
    """
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
    """Return the reference of the text encoder."""
    return _text_encoder(config)


def files(config: Config) -> dict[str, str]:
    """Return the fields that name a further model, with their values."""
    models = {}
    if config.multilingual and config.modalities != "image":
        models["text_encoder"] = config.text_encoder
    if config.image_encoder != _OWN_TOWER and config.modalities != "text":
        models["image_encoder"] = config.image_encoder
    return models


def check_data(config: Config, data: TextData) -> None:
    """Refuse data without a column that a config needs.

    Raises:
        DataError: naming the columns to give.
    """
    pair_embeddings.seconds_of(data)
    if config.modalities != "text":
        pair_embeddings.images_of(data)


def ema_decay(config: Config) -> float:
    """Return the decay of the moving average that is scored."""
    return config.ema_decay


def tokens(config: Config, data: TextData, model: str) -> Tokens:
    """Return the inputs of towers that are trained."""
    return trainable_towers.tokens(
        data, _sources(config, model), config.max_length, not config.multilingual
    )


def base(config: Config, data: TextData, model: str) -> trainable_towers.Towers:
    """Return fresh copies of the towers of a cell that trains them."""
    return trainable_towers.towers_of(_sources(config, model))


def _sources(config: Config, model: str) -> trainable_towers.Sources:
    text = _text_encoder(config) if config.modalities != "image" else None
    image = config.image_encoder if config.modalities != "text" else None
    return trainable_towers.Sources(
        text=model if text == _OWN_TOWER else text, image=model if image == _OWN_TOWER else image
    )


def stack_key(config: Config) -> Config | None:
    """Return the fields that cells of a stack share.

    They are all fields without an axis of cells; None where the towers are trained.
    """
    if not config.frozen:
        return None
    return replace(config, smoothing=0.0, ema_decay=0.0)


def build(config: Config, source: Any, num_classes: int) -> nn.Module:
    """Return the module of one cell.

    It is drawn from torch's current generator.

    Args:
        config: Hyper-parameters of the cell.
        source: Layout of the features, or the towers of a cell that trains them.
        num_classes: Number of classes of the data.
    """
    towers = source if isinstance(source, trainable_towers.Towers) else None
    net = FusionNet(
        source if towers is None else towers.layout,
        num_classes,
        attention=(config.attention_dim, config.heads) if config.attention else None,
        dropout=config.dropout,
        smoothing=config.smoothing,
    )
    return net if towers is None else JointNet(towers, net)
