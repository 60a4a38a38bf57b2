"""Contrastive fine-tuning: cross-entropy beside a supervised contrastive loss of the batch.

Label-Aware Contrastive Loss (Suresh and Ong, EMNLP 2021), with the losses it is compared with:

    loss = lambda * cross-entropy(linear(pooled)) + (1 - lambda) * {SCL, LCL}(pooled)

Both terms see two views of every text. For LCL a second encoder of the same kind, the weighting
network, is trained beside the first, with lambda * its own cross-entropy, as in the authors' code.
With loss=none, cross-entropy alone is left.

With pooling=pooler the weighting network is transformers' own class, as theirs. Differs from the
authors' code: the classifier has the activation of the encoder's kind (theirs ReLU) and dropout on
both sides of the dense layer (theirs behind it, and on the logits); views are by dropout unless
others are asked for (theirs are WordNet synonyms, which views=synonyms draws from a file); and
gradients of the two encoders are clipped together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from trainables.engine.config import ClassifierTuning
from trainables.engine.inputs import wordings
from trainables.engine.inputs.views import View
from trainables.engine.models import adapters
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import PooledClassifier, pooled, pooling_map_fault
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.class_loss import ClassLoss
from trainables.losses.label_aware_contrastive import LabelAwareContrastiveLoss
from trainables.losses.supervised_contrastive import SupervisedContrastiveLoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 2

_LOSSES = ("none", "scl", "lcl")
_VIEWS = ("one", "dropout", "masked", "second-text", "synonyms")
_SPANS = ("drawn", "shared")
_MASKED = 5  # characters, as in Mirror-BERT


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierTuning):
    """Hyper-parameters of one cell; the paper's symbols in brackets.

    Attributes:
        loss: "none" trains with cross-entropy alone, "scl" adds the supervised contrastive loss,
            "lcl" the label-aware one.
        ce_weight: Weight of cross-entropy beside the other loss [lambda].
        temperature: Divides the cosines of the contrastive loss [tau].
        views: Views of a text in a step: "one", itself; "dropout", itself twice, which differ by
            dropout; "masked", itself and itself with a span masked; "second-text", itself and
            another wording of it, the column of --text-b; "synonyms", itself and itself with some
            words replaced by synonyms.
        pooling: Vector for both losses: "cls", the first token's, or "mean", over real tokens; with
            "pooler" the classifier sees the first token's behind a dense layer with an activation,
            the contrastive loss the first token's itself, as in the authors' code.
        spans: "drawn": seed, epoch and row choose the masked span, or the synonyms; "shared": they
            are the same for all seeds, and four epochs take turns.
        synonyms: Synonyms of words for such views: a table (columns text, text_b), or WordNet's zip
            as NLTK distributes it; None for none.

    Raises:
        ConfigError: naming each field out of its range.
    """

    # With all blocks frozen no contrastive loss would move anything.
    LEAST_BLOCKS: ClassVar[int] = 1
    SPLITS_BATCHES: ClassVar[bool] = False

    loss: str
    ce_weight: float
    temperature: float
    views: str
    spans: str = "shared"
    synonyms: str | None = None

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        return {
            f"loss one of {', '.join(_LOSSES)}": self.loss in _LOSSES,
            # At 0 nothing would train the classifier.
            "ce_weight in (0, 1]": 0 < self.ce_weight <= 1,
            "temperature above 0": self.temperature > 0,
            f"views one of {', '.join(_VIEWS)}": self.views in _VIEWS,
            f"spans one of {', '.join(_SPANS)}": self.spans in _SPANS,
            "synonyms a file where views=synonyms": (
                self.views != "synonyms" or self.synonyms is not None
            ),
            **super().rules(),
        }


class _Classifier(PooledClassifier):
    """An encoder with a linear classifier on one pooled vector a text."""

    def classify(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Vectors for a contrastive loss (rows, width), and logits (rows, classes)."""
        tokens = self.encoder(**inputs).last_hidden_state  # (rows, length, width)
        real = real_tokens(inputs)
        return pooled(tokens, real, self.pooling), self.classified(tokens, real)


class Contrastive(_Classifier):
    """A classifier trained with cross-entropy and a contrastive loss.

    Args:
        config: Hyper-parameters of the cell.
        encoder: A Hugging Face encoder, unmodified; the weighting network is a copy of it.
        num_classes: Number of classes.
    """

    ce_weight: Tensor

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__(config, encoder, num_classes)
        self.scl = SupervisedContrastiveLoss(config.temperature) if config.loss == "scl" else None
        self.lcl = LabelAwareContrastiveLoss(config.temperature) if config.loss == "lcl" else None
        # Drawn last: all losses start from the same classifier.
        self.weighting = (
            _Classifier(config, adapters.copied(encoder), num_classes)
            if config.loss == "lcl"
            else None
        )
        # A buffer, not a number: in a stack of cells each cell has its own.
        weight = 1.0 if config.loss == "none" else float(config.ce_weight)
        self.register_buffer("ce_weight", torch.tensor(weight), persistent=False)
        self.class_loss = ClassLoss(config, num_classes)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (rows, length); in
                a stack the mask is (rows, 1, 1, length). In training the rows are all first views,
                then all second ones.
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (rows, classes).
        """
        vectors, logits = self.classify(inputs)
        labels = labels.repeat(len(logits) // len(labels))
        loss = self.ce_weight * self.class_loss(logits, labels)
        # Scoring wants neither: they move no logit.
        if self.training and self.scl is not None:
            loss = loss + (1 - self.ce_weight) * self.scl(vectors, labels)
        if self.training and self.lcl is not None and self.weighting is not None:
            _, confused = self.weighting.classify(inputs)
            loss = loss + (1 - self.ce_weight) * self.lcl(vectors, labels, confused)
            loss = loss + self.ce_weight * self.class_loss(confused, labels)
        return Output(loss=loss, logits=logits)


def views(config: Config) -> tuple[View, ...]:
    """The views of a text in a training step."""
    second: dict[str, tuple[View, ...]] = {
        "one": (),
        "dropout": (View(),),
        "masked": (View(masked=_MASKED, drawn=config.spans == "drawn"),),
        "second-text": (View("second"),),
        "synonyms": (View("synonyms", drawn=config.spans == "drawn", file=config.synonyms),),
    }
    return (View(), *second[config.views])


def files(config: Config) -> dict[str, str]:
    """Fields that name a file which the cell reads, with their values.

    Raises:
        DataError: if `synonyms` holds none.
    """
    if config.views != "synonyms" or config.synonyms is None:
        return {}
    wordings.of_file(config.synonyms)
    return {"synonyms": config.synonyms}


def map_fault(config: Config) -> str | None:
    """Reason why there is no class activation map; None where there is."""
    return pooling_map_fault(config.pooling)


def pooling(config: Config) -> str:
    """Vector that the linear classifier sees."""
    return config.pooling


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return replace(config, ce_weight=1.0, temperature=1.0)


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> Contrastive:
    """Build the module of one cell, its heads drawn from torch's generator."""
    return Contrastive(config, encoder, num_classes)
