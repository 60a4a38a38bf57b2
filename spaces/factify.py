"""The fusion network of Team Noir at Factify 2, with its ablation.

Axes are the rows of the paper's table 2 (modalities, multilingual, attention) and the settings of
its section 5.1, each with the paper's value and some of our own. One axis says if CLIP's towers are
trained. The references are the rows of table 2, on frozen towers. `trained-together` is the
proposed model of section 5.1, whose towers are trained.

    foldrace run factify --data factify2 --model clip-vit-b-32 --configs ablation
    foldrace run factify --data train.csv --model clip-vit-b-32 --set frozen=true

Without a hub: `--model minilm --fix text_encoder=minilm --fix image_encoder=efficientnet-lite0`.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Scalar, Space

_PROPOSED: dict[str, Scalar] = {
    "modalities": "both",
    "multilingual": True,
    "attention": True,
    "heads": 4,
    "attention_dim": 256,
    "dropout": 0.2,
    "smoothing": 0.1,
    "ema_decay": 0.999,
    "learning_rate": 5e-4,
    "epochs": 50,
    "frozen": True,
}


def _but(*without: str, **change: Scalar) -> dict[str, Scalar]:
    """Return the proposed model with a change.

    Axes without effect in the changed model are left out.
    """
    return {name: value for name, value in {**_PROPOSED, **change}.items() if name not in without}


SPACE = Space(
    name="factify",
    trainable="factify_fusion",
    source="Team Noir at Factify 2: Multimodal Fake News Detection with Pre-trained CLIP and "
    "Fusion Network (Zhang et al., De-Factify 2023), section 5.1 and table 2",
    objective="weighted_f1",
    axes=(
        Axis(name="modalities", distribution=CategoricalDistribution(["text", "image", "both"])),
        Axis(name="multilingual", distribution=CategoricalDistribution([True, False])),
        Axis(name="attention", distribution=CategoricalDistribution([True, False])),
        Axis(name="heads", distribution=CategoricalDistribution([2, 4, 8])),
        Axis(name="attention_dim", distribution=CategoricalDistribution([128, 256, 512])),
        Axis(name="dropout", distribution=CategoricalDistribution([0.1, 0.2, 0.4])),
        Axis(
            name="smoothing",
            symbol="epsilon",
            distribution=CategoricalDistribution([0.0, 0.1, 0.2]),
        ),
        Axis(name="ema_decay", distribution=CategoricalDistribution([0.0, 0.99, 0.999])),
        Axis(name="learning_rate", distribution=CategoricalDistribution([1e-4, 5e-4, 1e-3])),
        Axis(name="epochs", distribution=CategoricalDistribution([10, 25, 50])),
        Axis(name="frozen", distribution=CategoricalDistribution([True, False])),
    ),
    fixed={
        "text_encoder": "clip-vit-b-32-multilingual",
        "image_encoder": "model",
        "max_length": 77,
        "weight_decay": 0.0,
        "warmup_fraction": 0.0,
        "schedule": "constant",
        "batch_size": 32,
        "clip_norm": 0.0,
        "precision": "fp32",
    },
    optional={"inner_share": 0.0},
    inert=(
        Inert(when={"modalities": ("image",)}, axes=("multilingual", "text_encoder", "max_length")),
        Inert(when={"modalities": ("text",)}, axes=("image_encoder",)),
        Inert(when={"multilingual": (False,)}, axes=("text_encoder",)),
        Inert(when={"attention": (False,)}, axes=("heads", "attention_dim")),
    ),
    references={
        "text-only": _but(modalities="text"),
        "image-only": _but("multilingual", modalities="image"),
        "without-multilingual": _but(multilingual=False),
        "without-attention": _but("heads", "attention_dim", attention=False),
        "proposed": _PROPOSED,
        "trained-together": _but(frozen=False),
    },
    baseline="proposed",
    ablation=(
        "text-only",
        "image-only",
        "without-multilingual",
        "without-attention",
        "proposed",
    ),
    # With --fix epochs=10 the rows of the ablation are trained for 10 epochs, too.
    yielding=(
        "heads",
        "attention_dim",
        "dropout",
        "smoothing",
        "ema_decay",
        "learning_rate",
        "epochs",
    ),
    shape=(
        "modalities",
        "multilingual",
        "attention",
        "heads",
        "attention_dim",
        "dropout",
        "frozen",
        "text_encoder",
        "image_encoder",
        "max_length",
        "batch_size",
        "schedule",
        "precision",
    ),
)

# Table 2 of the paper: F1 of each class on its hidden test part, then the weighted F1.
PAPER_CLASSES = (
    "Support_Multimodal",
    "Support_Text",
    "Insufficient_Multimodal",
    "Insufficient_Text",
    "Refute",
)
PAPER_ABLATION: dict[str, tuple[float, ...]] = {
    "text-only": (0.7874, 0.7363, 0.5941, 0.7019, 0.9916, 0.6357),
    "image-only": (0.7981, 0.6957, 0.7829, 0.7130, 0.8523, 0.6275),
    "without-multilingual": (0.8735, 0.7363, 0.7898, 0.7526, 0.9785, 0.7144),
    "without-attention": (0.8558, 0.7654, 0.8034, 0.7820, 0.9946, 0.7339),
    "proposed": (0.8726, 0.7710, 0.8156, 0.7849, 0.9970, 0.7452),
    "organisers-baseline": (0.8272, 0.5000, 0.7593, 0.8024, 0.9882, 0.6499),
}
