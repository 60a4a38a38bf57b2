"""The fusion network of Team Noir at Factify 2, with its ablation.

Axes are the rows of the paper's table 2 (modalities, multilingual, attention), the settings of its
section 5.1, each with the paper's value and one of our own, and its outlook: two more fusions. One
axis says if CLIP's towers are trained. The references are the rows of table 2, towers and network
trained together, as section 5.1 has it; `frozen` is the proposed network on towers as they are, and
`one-vector` attends as section 4 reads to the letter.

    foldrace run factify --data factify2 --model clip-vit-b-32 --configs ablation
    foldrace run factify --data train.csv --model clip-vit-b-32 --set frozen=true
    foldrace run factify --data train.csv --model clip-vit-b-32 --configs ablation --fix frozen=true

The cleaning is section 3.2's, which `--clean` replaces.

Without a hub: `--model minilm --fix text_encoder=minilm --fix image_encoder=efficientnet-lite0`.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Scalar, Space
from spaces.schema import later

_PROPOSED: dict[str, Scalar] = {
    "modalities": "both",
    "multilingual": True,
    "attention": True,
    "attention_over": "two-tokens",
    "fusion": "concatenation",
    "heads": 4,
    "attention_dim": 256,
    "dropout": 0.2,
    "smoothing": 0.1,
    "ema_decay": 0.999,
    "learning_rate": 5e-4,
    "weight_decay": 0.0,
    "batch_size": 32,
    "epochs": 50,
    "frozen": False,
}


# Parameters that matter only where something attends.
_HEADS = ("heads", "attention_dim", "attention_dropout")


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
        Axis(
            name="attention_over",
            distribution=CategoricalDistribution(["two-tokens", "one-vector"]),
        ),
        Axis(
            name="fusion",
            distribution=CategoricalDistribution(["concatenation", "cross-attention", "bilinear"]),
        ),
        Axis(name="heads", distribution=CategoricalDistribution([4, 8])),
        Axis(name="attention_dim", distribution=CategoricalDistribution([256, 512])),
        Axis(name="dropout", distribution=CategoricalDistribution([0.2, 0.4])),
        Axis(
            name="smoothing",
            symbol="epsilon",
            distribution=CategoricalDistribution([0.0, 0.1]),
        ),
        Axis(name="ema_decay", distribution=CategoricalDistribution([0.0, 0.999])),
        Axis(name="learning_rate", distribution=CategoricalDistribution([1e-4, 5e-4])),
        Axis(name="weight_decay", distribution=CategoricalDistribution([0.0, 0.01])),
        Axis(name="batch_size", distribution=CategoricalDistribution([32, 64])),
        Axis(name="epochs", distribution=CategoricalDistribution([25, 50])),
        Axis(name="frozen", distribution=CategoricalDistribution([True, False])),
    ),
    fixed={
        "text_encoder": "clip-vit-b-32-multilingual",
        "image_encoder": "model",
        "max_length": 77,
        "attention_dropout": 0.0,
        "warmup_fraction": 0.0,
        "schedule": "constant",
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.TRAINING,
    },
    inert=(
        Inert(when={"modalities": ("image",)}, axes=("multilingual", "text_encoder", "max_length")),
        Inert(when={"modalities": ("text",)}, axes=("image_encoder",)),
        Inert(when={"modalities": ("text", "image")}, axes=("fusion",)),
        Inert(when={"multilingual": (False,)}, axes=("text_encoder",)),
        Inert(when={"attention": (False,)}, axes=("attention_over",)),
        Inert(when={"attention": (False,), "modalities": ("text", "image")}, axes=_HEADS),
        Inert(when={"attention": (False,), "fusion": ("concatenation", "bilinear")}, axes=_HEADS),
    ),
    references={
        "text-only": _but("fusion", modalities="text"),
        "image-only": _but("fusion", "multilingual", modalities="image"),
        "without-multilingual": _but(multilingual=False),
        "without-attention": _but("attention_over", "heads", "attention_dim", attention=False),
        "proposed": _PROPOSED,
        "one-vector": _but(attention_over="one-vector"),
        "frozen": _but(frozen=True),
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
        "frozen",
        "attention_over",
        "fusion",
        "heads",
        "attention_dim",
        "dropout",
        "smoothing",
        "ema_decay",
        "learning_rate",
        "weight_decay",
        "batch_size",
        "epochs",
    ),
    shape=(
        "modalities",
        "multilingual",
        "attention",
        "attention_over",
        "fusion",
        "heads",
        "attention_dim",
        "dropout",
        "attention_dropout",
        "frozen",
        "text_encoder",
        "image_encoder",
        "max_length",
        "batch_size",
        "schedule",
        "precision",
    ),
    cleaning=("urls", "stop-words", "punctuation"),
    added={
        "attention_over": "two-tokens",
        "attention_dropout": None,
        "fusion": "concatenation",
        **later.TRAINING,
    },
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
