"""Linear evaluation with its optimiser searched: 108 configs.

2 representations x 6 learning rates x 3 weight decays x 3 numbers of epochs.

Around the settings of Lee's linear evaluation (learning rate 0.001, batch 128, cosine decay), which
is the reference config; his own six choices are few for a strategy to be judged on.

    foldrace run linear_grid --data subj-1k --model minilm
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

SPACE = Space(
    name="linear_grid",
    trainable="linear_eval",
    source="Better Reasoning Behind Classification Predictions with BERT for Fake News Detection, "
    "Training Settings, with ranges of our own",
    axes=(
        Axis(
            name="representation",
            distribution=CategoricalDistribution(["encoder-mean", "encoder-first"]),
        ),
        Axis(
            name="learning_rate",
            distribution=CategoricalDistribution([3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]),
        ),
        Axis(name="weight_decay", distribution=CategoricalDistribution([1e-3, 1e-1, 1.0])),
        Axis(name="epochs", distribution=CategoricalDistribution([2, 5, 20])),
    ),
    fixed={
        "max_length": 128,
        "word2vec": "word2vec-google-news-300",
        "glove": "glove-wiki-gigaword-300",
        "warmup_fraction": 0.0,
        "schedule": "cosine",
        "batch_size": 128,
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.TRAINING,
    },
    added=later.TRAINING,
    inert=(
        Inert(
            when={"representation": ("encoder-mean", "encoder-first")}, axes=("word2vec", "glove")
        ),
    ),
    references={
        "paper": {
            "representation": "encoder-mean",
            "learning_rate": 1e-3,
            "weight_decay": 1e-3,
            "epochs": 2,
        },
    },
    baseline="paper",
    shape=("representation", "max_length", "batch_size", "schedule", "precision"),
)
