"""Lee's final model with its top blocks trained: 30 configs.

5 depths x 3 learning rates x 2 numbers of epochs.

Figure 5(d) and the outlook of section 4.2 of Better Reasoning Behind Classification Predictions
with BERT for Fake News Detection: 0 trained blocks is the paper's frozen encoder, null trains all.
The paper gives no settings for fine-tuning: the rates are of our own.

    foldrace run encoder_linear --data covid-fake-news-1k --model minilm

`--set trainable_blocks=0,1,2` narrows the depths; an encoder of 6 blocks takes 0 to 6.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

SPACE = Space(
    name="encoder_linear",
    trainable="encoder_linear",
    source="Better Reasoning Behind Classification Predictions with BERT for Fake News Detection "
    "(Lee), figure 5(d) and the outlook of section 4.2, with ranges of our own",
    axes=(
        Axis(name="trainable_blocks", distribution=CategoricalDistribution([0, 1, 2, 4, None])),
        Axis(name="learning_rate", distribution=CategoricalDistribution([2e-5, 1e-4, 1e-3])),
        Axis(name="epochs", distribution=CategoricalDistribution([1, 2])),
    ),
    fixed={
        "weight_decay": 1e-3,
        "warmup_fraction": 0.0,
        "schedule": "cosine",
        "batch_size": 32,
        "max_length": 512,
        "clip_norm": 0.0,
        "precision": "fp32",
        "pooling": "mean",
        **later.CLASSIFIER,
    },
    added={
        "pooling": "mean",
        **later.CLASSIFIER,
    },
    # With no block trained the encoder drops nothing.
    inert=(
        later.WITHOUT_ADAPTERS,
        Inert(when={"trainable_blocks": (0,)}, axes=("hidden_dropout", "attention_dropout")),
    ),
    references={
        "frozen": {"trainable_blocks": 0, "learning_rate": 1e-3, "epochs": 2},
    },
    baseline="frozen",
    shape=("trainable_blocks", "batch_size", "max_length", "schedule", "precision"),
)
