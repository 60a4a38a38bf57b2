"""The grid of TripleEntropy: cross-entropy and SoftTriple, as its paper searched it.

4 x 5 x 7 x 7 x 5 = 4,900 configs. `paper-best` is the one that the paper found best on most data
sets; `cross-entropy` is beta = 1, its baseline, in which no proxy is trained.

    foldrace run softtriple --data trec-1k --model roberta-base

Differs from the paper: it does not say how many epochs it trained nor how strong its 'L2
regularization' was; 5 and 0.01 stand here, to be changed with --fix
or searched with --set.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

SPACE = Space(
    name="softtriple",
    trainable="triple_entropy",
    source="Applying SoftTriple Loss for Supervised Language Model Fine Tuning, sections 3.2 and 4",
    axes=(
        Axis(name="k", distribution=CategoricalDistribution([10, 100, 1000, 2000])),
        Axis(name="gamma", distribution=CategoricalDistribution([0.01, 0.03, 0.05, 0.07, 0.1])),
        Axis(
            name="scale",
            symbol="lambda",
            distribution=CategoricalDistribution([1.0, 3.0, 3.3, 4.0, 6.0, 8.0, 10.0]),
        ),
        Axis(
            name="margin",
            symbol="delta",
            distribution=CategoricalDistribution([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]),
        ),
        Axis(name="beta", distribution=CategoricalDistribution([0.1, 0.3, 0.5, 0.7, 0.9])),
    ),
    fixed={
        "learning_rate": 1e-5,
        "weight_decay": 0.01,
        "warmup_fraction": 0.06,
        "schedule": "linear",
        "batch_size": 64,
        "max_length": 512,
        "epochs": 5,
        "pooling": "pooler",
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
        # Equation 6: at beta = 1 nothing is left of SoftTriple.
        Inert(
            when={"beta": (1.0,)},
            axes=("k", "gamma", "scale", "margin", "merge_weight", "padding_tokens"),
        ),
        # A softmax over one proxy is 1 whatever gamma is, and one proxy has none to merge with.
        Inert(when={"k": (1,)}, axes=("gamma", "merge_weight")),
    ),
    references={
        "cross-entropy": {"beta": 1.0},
        "paper-best": {"k": 2000, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9},
    },
    baseline="cross-entropy",
    shape=("k", "batch_size", "epochs", "max_length"),
)
