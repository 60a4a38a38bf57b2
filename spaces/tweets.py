"""A tweet classifier of MediaEval 2020, and its outlook: 18 configs.

3 heads x 2 class weightings x 3 kinds of metadata.

Fake News Classification with BERT (Malakhov, Patruno, Bocconi, MediaEval 2020), sections 3 and 5:
`paper` is its classifier; of a second linear layer it says that it "does not improve the results
significantly". 256 tokens, up to 20 epochs, the best of them chosen within the training part.

    foldrace run tweets --data tweets.csv --text body --label class --model bert-base-uncased
    foldrace run tweets ... --metadata likes,retweets          joins these columns, as an axis

Without --metadata the axis `metadata` has the value none alone. The paper's section 3.1 is the two
cleaning steps, which `--clean` replaces. Its figures 1 and 2: `--fix step_losses=1`.

Differs from the paper: it states no learning rate, batch size or decay. Here stand 2e-5 and 32, of
those that Devlin et al. tried (BERT, appendix A.3), and 0.01; --fix gives others.
"""

from __future__ import annotations

from optuna.distributions import CategoricalDistribution

from spaces import Axis, Space
from spaces.schema import later

# Its inner share and class weights are the paper's own.
_LATER = {
    name: value
    for name, value in later.CLASSIFIER.items()
    if name not in ("inner_share", "class_weights")
}

SPACE = Space(
    name="tweets",
    trainable="tweets",
    source="Fake News Classification with BERT (Malakhov, Patruno, Bocconi, MediaEval 2020), "
    "sections 3 to 5",
    objective="matthews",
    axes=(
        Axis(name="head_layers", distribution=CategoricalDistribution([1, 2, 3])),
        Axis(name="class_weights", distribution=CategoricalDistribution(["none", "balanced"])),
        Axis(name="metadata", distribution=CategoricalDistribution(["none", "log", "standard"])),
    ),
    fixed={
        "inner_share": 0.1,
        "pooling": "pooler",
        "head_rate": 1.0,
        "step_losses": 0,
        "trainable_blocks": None,
        "learning_rate": 2e-5,
        "weight_decay": 0.01,
        "warmup_fraction": 0.0,
        "schedule": "linear",
        "batch_size": 32,
        "max_length": 256,
        "epochs": 20,
        "clip_norm": 1.0,
        "precision": "fp32",
        **_LATER,
    },
    added={
        "step_losses": 0,
        **_LATER,
    },
    inert=(later.WITHOUT_ADAPTERS,),
    references={
        "paper": {"head_layers": 1, "class_weights": "none", "metadata": "none"},
    },
    baseline="paper",
    shape=(
        "head_layers",
        "metadata",
        "pooling",
        "trainable_blocks",
        "batch_size",
        "max_length",
        "schedule",
        "precision",
    ),
    cleaning=("hash-signs", "mentions"),
    alike={"class_weights": "all classes have as many rows, so that balanced weights are 1"},
)
