"""A small grid that trains in seconds, for tests and first looks.

2 x 2 x 2 = 8 configs around the paper's most-often-best point, at settings that move a small
encoder within one epoch. Its scores say nothing about the paper.

    foldrace run smoke --data election-tweets --subset 200 --model minilm --seeds 2 --folds 2
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

SPACE = Space(
    name="smoke",
    trainable="triple_entropy",
    source="A corner of the grid of section 3.2 of Applying SoftTriple Loss for Supervised "
    "Language Model Fine Tuning, with settings of our own",
    axes=(
        Axis(name="k", distribution=CategoricalDistribution([2, 10])),
        Axis(name="scale", symbol="lambda", distribution=CategoricalDistribution([3.3, 10.0])),
        Axis(name="beta", distribution=CategoricalDistribution([0.5, 0.9])),
    ),
    fixed={
        "gamma": 0.1,
        "margin": 0.3,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "warmup_fraction": 0.06,
        "schedule": "linear",
        "batch_size": 16,
        "max_length": 32,
        "epochs": 1,
        "pooling": "cls",
        "padding_tokens": False,
        "trainable_blocks": None,
        "merge_weight": 0.0,
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.CLASSIFIER,
    },
    added=later.CLASSIFIER,
    inert=(
        later.WITHOUT_ADAPTERS,
        Inert(
            when={"beta": (1.0,)},
            axes=("k", "gamma", "scale", "margin", "merge_weight", "padding_tokens"),
        ),
        Inert(when={"k": (1,)}, axes=("gamma", "merge_weight")),
    ),
    references={"cross-entropy": {"beta": 1.0}, "start": {"k": 10, "scale": 3.3, "beta": 0.9}},
    baseline="cross-entropy",
    shape=("k", "batch_size", "epochs", "max_length"),
)
