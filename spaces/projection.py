"""The grid of TripleEntropy over a projection of frozen sentence embeddings.

The axes of `softtriple` with at most 100 proxies a class: 2 x 5 x 7 x 7 x 5 = 2,450 configs, each
cell a few milliseconds in a stack. `paper-best` has k = 100 in place of the paper's 2000.

    foldrace run projection --data trec-1k --model minilm
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

SPACE = Space(
    name="projection",
    trainable="projection",
    source="Applying SoftTriple Loss for Supervised Language Model Fine Tuning, sections 3.2 and "
    "4, on frozen embeddings, with settings of our own",
    axes=(
        Axis(name="k", distribution=CategoricalDistribution([10, 100])),
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
        "width": 32,
        "representation": "encoder-mean",
        "max_length": 128,
        "learning_rate": 3e-2,
        "weight_decay": 0.01,
        "warmup_fraction": 0.06,
        "schedule": "linear",
        "batch_size": 64,
        "epochs": 5,
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.TRAINING,
    },
    added=later.TRAINING,
    inert=(
        # Equation 6: at beta = 1 nothing is left of SoftTriple.
        Inert(when={"beta": (1.0,)}, axes=("k", "gamma", "scale", "margin")),
        # A softmax over one proxy is 1 whatever gamma is.
        Inert(when={"k": (1,)}, axes=("gamma",)),
    ),
    references={
        "cross-entropy": {"beta": 1.0},
        "paper-best": {"k": 100, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9},
    },
    baseline="cross-entropy",
    shape=("k", "width", "representation", "max_length", "batch_size", "schedule", "precision"),
)
