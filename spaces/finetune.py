"""Fine-tuning for a file of your own: 192 configs.

6 learning rates x 2 numbers of epochs x 2 batch sizes x 2 weight decays x 2 class weightings x 2
poolings.

    foldrace run --data reviews.csv

It is the space of a run that names none. Learning rates go beyond those of BERT's paper (appendix
A.3: 5e-5, 3e-5, 2e-5), since a small encoder wants more.

References:
    usual     what is done without a search: learning rate 2e-5, batch 16, 3 epochs, of the values
              that BERT's paper recommends (Devlin et al. 2019, appendix A.3), weight decay 0.01, no
              warm-up, linear decay, as in transformers' guide to text classification
    tf-idf    logistic regression on TF-IDF of words: is an encoder worth its cost?
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

_OF_THE_ENCODER = (
    "learning_rate",
    "epochs",
    "batch_size",
    "weight_decay",
    "pooling",
    "trainable_blocks",
    "warmup_fraction",
    "schedule",
    "max_length",
    "clip_norm",
    "precision",
    *later.CLASSIFIER,
)

SPACE = Space(
    name="finetune",
    trainable="finetune",
    source="BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding "
    "(Devlin et al. 2019), appendix A.3, with ranges of our own",
    axes=(
        Axis(
            name="learning_rate",
            distribution=CategoricalDistribution([1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4]),
        ),
        Axis(name="epochs", distribution=CategoricalDistribution([3, 6])),
        Axis(name="batch_size", distribution=CategoricalDistribution([16, 32])),
        Axis(name="weight_decay", distribution=CategoricalDistribution([0.01, 0.1])),
        Axis(name="class_weights", distribution=CategoricalDistribution(["none", "balanced"])),
        Axis(name="pooling", distribution=CategoricalDistribution(["pooler", "mean"])),
    ),
    fixed={
        "classifier": "encoder",
        "trainable_blocks": None,
        "warmup_fraction": 0.1,
        "schedule": "linear",
        "max_length": 256,
        "clip_norm": 1.0,
        "precision": "fp32",
        **{name: value for name, value in later.CLASSIFIER.items() if name != "class_weights"},
    },
    added=later.CLASSIFIER,
    inert=(
        Inert(when={"classifier": ("tfidf",)}, axes=_OF_THE_ENCODER),
        # With no block trained the encoder drops nothing.
        Inert(when={"trainable_blocks": (0,)}, axes=("hidden_dropout", "attention_dropout")),
        later.WITHOUT_ADAPTERS,
    ),
    references={
        "usual": {
            "learning_rate": 2e-5,
            "epochs": 3,
            "batch_size": 16,
            "weight_decay": 0.01,
            "class_weights": "none",
            "pooling": "pooler",
            "warmup_fraction": 0.0,
        },
        "tf-idf": {"classifier": "tfidf"},
    },
    baseline="usual",
    # Without an epoch's worth of time for more, --fix epochs=1 is the reference's, too.
    yielding=("epochs", "batch_size"),
    shape=(
        "classifier",
        "pooling",
        "batch_size",
        "trainable_blocks",
        "max_length",
        "schedule",
        "precision",
    ),
    alike={"class_weights": "all classes have as many rows, so that balanced weights are 1"},
)
