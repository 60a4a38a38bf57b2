"""Mirror-BERT: tuning an encoder without labels, and its ablations.

2 x 3 x 2 x 3 x 2 = 72 configs: rate, augmentation (masking only, dropout only, both), with and
without positives, temperature, texts or random strings. `mirror` is the authors' setting for
sentences (a constant rate of 2e-5, temperature 0.04, a span of 5 characters, mean pooling, batch
200, 50 tokens, 1 epoch); `untuned` is the encoder as it came; `drophead` drops attention heads
instead of values.

    foldrace run mirror --data isear --model bert-base-uncased --configs ablation
    foldrace run mirror --data isear --model minilm --fix pairs=pairs.csv
    foldrace run mirror --data isear --model bert-base-uncased --fix pairs=sts
    foldrace run mirror --data nli.csv --text-b entailed --fix positive=second-text \
        --fix negatives=contradictions.csv
    foldrace run contrastive --data isear --model SWEEP        from the tuned encoder

The score is a linear evaluation, see trainables/mirror.md.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Scalar, Space
from spaces.schema import later

_MIRROR: dict[str, Scalar] = {
    "learning_rate": 2e-5,
    "augmentation": "both",
    "positives": True,
    "temperature": 0.04,
    "random_strings": False,
}

SPACE = Space(
    name="mirror",
    trainable="mirror",
    source="Fast, Effective, and Self-Supervised: Transforming Masked Language Models into "
    "Universal Lexical and Sentence Encoders (Liu et al., EMNLP 2021), slides, with the settings "
    "of the authors' code for sentences",
    axes=(
        Axis(name="learning_rate", distribution=CategoricalDistribution([2e-5, 5e-5])),
        Axis(
            name="augmentation",
            distribution=CategoricalDistribution(["both", "masking", "dropout"]),
        ),
        Axis(name="positives", distribution=CategoricalDistribution([True, False])),
        Axis(
            name="temperature",
            symbol="tau",
            distribution=CategoricalDistribution([0.04, 0.1, 0.2]),
        ),
        Axis(name="random_strings", distribution=CategoricalDistribution([False, True])),
    ),
    fixed={
        "masked": 5,
        "spans": "drawn",
        "drophead": 0.0,
        "adversarial": 0.0,
        "positive": "itself",
        "synonyms": None,
        "negatives": None,
        "pairs": None,
        "trainable_blocks": None,
        "pooling": "mean",
        "weight_decay": 0.01,
        "warmup_fraction": 0.0,
        "schedule": "constant",
        "batch_size": 200,
        "max_length": 50,
        "epochs": 1,
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.FINE_TUNING,
    },
    added={
        "spans": "shared",
        "drophead": 0.0,
        "adversarial": 0.0,
        "positive": "itself",
        "synonyms": None,
        "negatives": None,
        **later.FINE_TUNING,
    },
    inert=(
        Inert(
            when={"learning_rate": (0.0,)},
            axes=(
                "augmentation",
                "masked",
                "spans",
                "drophead",
                "adversarial",
                "positive",
                "synonyms",
                "negatives",
                "positives",
                "random_strings",
                "temperature",
                "trainable_blocks",
                "hidden_dropout",
                "attention_dropout",
                *later.ADAPTERS,
                "weight_decay",
                "warmup_fraction",
                "schedule",
                "batch_size",
                "epochs",
                "clip_norm",
            ),
        ),
        Inert(when={"augmentation": ("dropout", "none")}, axes=("masked",)),
        Inert(
            when={
                "augmentation": ("dropout", "none"),
                "random_strings": (False,),
                "positive": ("itself", "second-text"),
            },
            axes=("spans",),
        ),
        Inert(when={"positive": ("itself", "second-text")}, axes=("synonyms",)),
        later.WITHOUT_ADAPTERS,
    ),
    references={
        "untuned": {"learning_rate": 0.0},
        "mirror": _MIRROR,
        "masking-only": {**_MIRROR, "augmentation": "masking"},
        "dropout-only": {**_MIRROR, "augmentation": "dropout"},
        "no-positives": {**_MIRROR, "positives": False},
        "random-strings": {**_MIRROR, "learning_rate": 5e-5, "random_strings": True},
        "drophead": {**_MIRROR, "augmentation": "masking", "drophead": 0.1},
    },
    baseline="untuned",
    ablation=(
        "untuned",
        "mirror",
        "masking-only",
        "dropout-only",
        "no-positives",
        "random-strings",
        "drophead",
    ),
    shape=(
        "drophead",
        "positive",
        "negatives",
        "augmentation",
        "positives",
        "random_strings",
        "trainable_blocks",
        "batch_size",
        "max_length",
    ),
    yielding=("learning_rate", "temperature"),
    alike=dict.fromkeys(
        ("masked", "augmentation"),
        "all texts are shorter than 30 characters, which are never masked",
    ),
)
