"""Lee's linear evaluation: 48 configs.

8 representations x 3 weight decays x 2 numbers of epochs.

Table 1 and section 4.1 "Training Settings" of Better Reasoning Behind Classification Predictions
with BERT for Fake News Detection: AdamW at 0.001, batch 128, cosine decay, 512 tokens. The paper
splits 80/20 (`--holdout 0.2`) and reports the best of the six choices.

    foldrace run linear_eval --data isot --clean reuters-prefix --model bert-base-uncased

Without a network, or with other vectors: `--fix word2vec=vectors.bin --fix glove=glove.txt`.

The encoder runs once per data set and model; every cell is a head on features that are kept.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Inert, Space
from spaces.schema import later

_TFIDF = ("tfidf-unigram-nostop", "tfidf-unigram", "tfidf-bigram-nostop", "tfidf-bigram")
_ENCODER = ("word-embeddings", "encoder-mean")

SPACE = Space(
    name="linear_eval",
    trainable="linear_eval",
    source="Better Reasoning Behind Classification Predictions with BERT for Fake News Detection "
    "(Lee), table 1 and section 4.1",
    axes=(
        Axis(
            name="representation",
            distribution=CategoricalDistribution([*_TFIDF, "word2vec", "glove", *_ENCODER]),
        ),
        Axis(name="weight_decay", distribution=CategoricalDistribution([1e-1, 1e-3, 1e-5])),
        Axis(name="epochs", distribution=CategoricalDistribution([1, 2])),
    ),
    fixed={
        "max_length": 512,
        "word2vec": "word2vec-google-news-300",
        "glove": "glove-wiki-gigaword-300",
        "learning_rate": 1e-3,
        "warmup_fraction": 0.0,
        "schedule": "cosine",
        "batch_size": 128,
        "clip_norm": 0.0,
        "precision": "fp32",
        **later.TRAINING,
    },
    added=later.TRAINING,
    inert=(
        Inert(when={"representation": _TFIDF}, axes=("max_length", "word2vec", "glove")),
        Inert(when={"representation": ("word2vec",)}, axes=("max_length", "glove")),
        Inert(when={"representation": ("glove",)}, axes=("max_length", "word2vec")),
        Inert(
            when={"representation": (*_ENCODER, "encoder-first")},
            axes=("word2vec", "glove"),
        ),
    ),
    references={
        "tf-idf": {"representation": "tfidf-unigram", "weight_decay": 1e-3, "epochs": 2},
        "final-model": {"representation": "encoder-mean", "weight_decay": 1e-3, "epochs": 2},
    },
    baseline="tf-idf",
    # With --fix epochs=40 the baseline is trained for 40 epochs, too.
    yielding=("weight_decay", "epochs"),
    shape=(
        "representation",
        "max_length",
        "word2vec",
        "glove",
        "batch_size",
        "schedule",
        "precision",
    ),
)
