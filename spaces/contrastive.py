"""Label-aware contrastive fine-tuning: the authors' search of weight, temperature and training.

Cross-entropy, SCL and LCL of Not All Negatives are Equal (Suresh and Ong, EMNLP 2021). Weights,
temperatures and rates are those of the authors' search (their config.py); batch and epochs are
around what they ended with, 10 texts x 2 views and 5 epochs. `cross-entropy`, `scl` and `lcl` are
their final settings for ISEAR, EmoInt and SST-2: lambda 0.5, temperature 0.3.

    foldrace run contrastive --data isear --model electra-base --configs reference
    foldrace run contrastive --data empathetic-dialogues-hard-a --model electra-base
    foldrace run contrastive ... --fix views=synonyms --fix synonyms=wordnet.zip     authors' views

`--set epochs=5 --set batch_size=10` gives the authors' own values.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

_TRAINED = {"learning_rate": 2e-5, "batch_size": 10, "epochs": 5}
_AUTHORS = {"ce_weight": 0.5, "temperature": 0.3, **_TRAINED}

SPACE = Space(
    name="contrastive",
    trainable="contrastive",
    source="Not All Negatives are Equal: Label-Aware Contrastive Loss for Fine-grained Text "
    "Classification (Suresh and Ong), slides, with the ranges of the authors' code",
    axes=(
        Axis(name="loss", distribution=CategoricalDistribution(["none", "scl", "lcl"])),
        Axis(
            name="ce_weight",
            symbol="lambda",
            distribution=CategoricalDistribution([0.1, 0.2, 0.3, 0.4, 0.5]),
        ),
        Axis(
            name="temperature",
            symbol="tau",
            distribution=CategoricalDistribution([0.1, 0.3, 0.5]),
        ),
        Axis(name="learning_rate", distribution=CategoricalDistribution([1e-5, 2e-5, 3e-5])),
        Axis(name="batch_size", distribution=CategoricalDistribution([10, 20])),
        Axis(name="epochs", distribution=CategoricalDistribution([3, 5])),
    ),
    fixed={
        "views": "dropout",
        "spans": "drawn",
        "synonyms": None,
        "trainable_blocks": None,
        "pooling": "pooler",
        "weight_decay": 0.01,
        "warmup_fraction": 0.0,
        "schedule": "linear",
        "max_length": 128,
        "clip_norm": 1.0,
        "precision": "fp32",
        **later.CLASSIFIER,
    },
    added={
        "spans": "shared",
        "synonyms": None,
        **later.CLASSIFIER,
    },
    # Without a contrastive loss there is nothing to weigh.
    inert=(
        later.WITHOUT_ADAPTERS,
        Inert(when={"loss": ("none",)}, axes=("ce_weight", "temperature")),
        Inert(when={"views": ("one", "dropout", "second-text")}, axes=("spans", "synonyms")),
        Inert(when={"views": ("masked",)}, axes=("synonyms",)),
    ),
    references={
        "cross-entropy": {"loss": "none", **_TRAINED},
        "scl": {"loss": "scl", **_AUTHORS},
        "lcl": {"loss": "lcl", **_AUTHORS},
    },
    baseline="cross-entropy",
    ablation=("cross-entropy", "scl", "lcl"),
    shape=("loss", "batch_size", "epochs", "max_length"),
    # With --fix epochs=2 cross-entropy is trained for 2 epochs, too.
    yielding=("ce_weight", "temperature", "learning_rate", "batch_size", "epochs"),
)
