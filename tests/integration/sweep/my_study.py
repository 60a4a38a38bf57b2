"""A user's own study in one file: space, trainable, loss and data set, for `--plugin my_study.py`.

    foldrace run my_study --plugin my_study.py --data my_study --model minilm

Each is found under the file's name. The data set is my_study.parquet in the folder of the
environment variable FOLDRACE_DATA; a local file would do without a card.
"""

from __future__ import annotations

from dataclasses import dataclass

from optuna.distributions import CategoricalDistribution
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from spaces import Axis, Space
from trainables import DatasetCard, Output, TrainingConfig

# The space: what to try. Names are those of Config.
SPACE = Space(
    name="my_study",
    trainable="my_study",
    source="Focal Loss for Dense Object Detection (Lin et al., ICCV 2017), on texts",
    axes=(
        Axis(name="focus", distribution=CategoricalDistribution([0.0, 1.0, 2.0])),
        Axis(name="learning_rate", distribution=CategoricalDistribution([1e-3, 5e-3])),
    ),
    fixed={
        "weight_decay": 0.01,
        "warmup_fraction": 0.06,
        "schedule": "linear",
        "batch_size": 16,
        "max_length": 16,
        "epochs": 1,
        "clip_norm": 0.0,
        "precision": "fp32",
    },
    references={"cross-entropy": {"focus": 0.0, "learning_rate": 1e-3}},
    baseline="cross-entropy",
    shape=("batch_size", "epochs", "max_length"),
)


# The data set: what is told apart.
DATASET = DatasetCard(
    name="my_study",
    about="film reviews, 2 classes",
    classes=("blame", "praise"),
    citation="of our own making",
    licence="ours",
    hub_id=None,
    obtain="Put my_study.parquet into the folder of FOLDRACE_DATA.",
)


# The loss.
class FocalLoss(nn.Module):
    """-(1 - p_y)^focus log p_y: cross-entropy that looks away from what is easy."""

    def __init__(self, focus: float) -> None:
        super().__init__()
        self.focus = focus

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of logits (batch, classes) and class ids (batch,)."""
        own = functional.cross_entropy(logits, labels, reduction="none")
        return ((1 - (-own).exp()) ** self.focus * own).mean()


# The trainable: a version, a Config of plain values, and a module.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """One cell's hyper-parameters: rates, epochs and the like, and the loss's own."""

    focus: float

    def rules(self) -> dict[str, bool]:
        """What must hold, all of it in one message where it does not."""
        return {"focus at least 0": self.focus >= 0, **super().rules()}


class Classifier(nn.Module):
    """An encoder with a linear layer on its first token."""

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.config.hidden_size, num_classes)
        self.loss = FocalLoss(config.focus)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch."""
        logits = self.classifier(self.encoder(**inputs).last_hidden_state[:, 0])
        return Output(loss=self.loss(logits, labels), logits=logits)


def pooling(config: Config) -> str:
    """The classifier sees the first token: so the winner can be saved by `foldrace promote`."""
    return "cls"


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> Classifier:
    """The module of one cell."""
    return Classifier(config, encoder, num_classes)
