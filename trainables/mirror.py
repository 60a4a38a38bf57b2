"""Mirror-BERT: tuning an encoder on texts without labels, then reading it out.

Fast, Effective, and Self-Supervised: Transforming Masked Language Models into Universal Lexical and
Sentence Encoders (Liu et al., EMNLP 2021). Two views of every text, which differ by a random span
that is masked in one of them (technique 1) and by dropout (technique 2), are pulled together and
away from the views of the other texts of the batch: InfoNCE.

A cell tunes on its training rows, whose labels it never sees. Its score is a linear evaluation: a
logistic regression on the tuned features of the training rows, asked about the held-out ones.

Differs from the paper: masked spans are drawn four times at most for a text, the epochs taking
turns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from trainables.analysis.linear_evaluation import LinearEvaluation, read_pairs
from trainables.engine.config import FineTuning
from trainables.engine.inputs.views import View
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import POOLINGS, pooled
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.info_nce import InfoNCELoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 2

_AUGMENTATIONS = ("both", "masking", "dropout")


@dataclass(frozen=True, kw_only=True)
class Config(FineTuning):
    """Hyper-parameters of one cell.

    Attributes:
        augmentation: Difference between the two views of a text: "masking" of a span, "dropout",
            or "both".
        masked: Characters of the masked span.
        positives: False leaves out what pulls the views of a text together.
        random_strings: Tune on strings of random letters in words of the texts' lengths.
        temperature: Divides the cosines of InfoNCE [tau].
        pairs: A table of scored pairs (columns text, text_b, score) whose scores are correlated
            with the cosines of the tuned features; None for none.
        pooling: "cls" (first token) or "mean" (over real tokens): the features.
        learning_rate: Peak rate of AdamW; 0 leaves the encoder as it is.

    Raises:
        ConfigError: naming each field out of its range.
    """

    LEAST_BLOCKS: ClassVar[int] = 1  # With all blocks frozen nothing would be tuned.

    augmentation: str
    masked: int
    positives: bool
    random_strings: bool
    temperature: float
    pairs: str | None
    pooling: str

    def rules(self) -> dict[str, bool]:
        """Rules of all fields; the learning rate may be 0."""
        shared = super().rules()
        del shared["learning_rate above 0"]
        return {
            f"augmentation one of {', '.join(_AUGMENTATIONS)}": self.augmentation in _AUGMENTATIONS,
            "masked at least 1": self.masked >= 1,
            "temperature above 0": self.temperature > 0,
            "pairs a file, or none": self.pairs is None or isinstance(self.pairs, str),
            f"pooling one of {', '.join(POOLINGS)}": self.pooling in POOLINGS,
            # A text alone has nothing to be pushed away from.
            "batch_size at least 2": self.batch_size >= 2,
            "learning_rate at least 0": self.learning_rate >= 0,
            **shared,
        }


class Mirror(nn.Module):
    """An encoder tuned by InfoNCE.

    Args:
        config: Hyper-parameters of the cell.
        encoder: A Hugging Face encoder, or the top blocks of one.
    """

    def __init__(self, config: Config, encoder: PreTrainedModel) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, config.pooling
        self.drops = config.augmentation != "masking"
        self.info_nce = InfoNCELoss(config.temperature, config.positives)

    def train(self, mode: bool = True) -> Mirror:
        """Switch training on or off.

        The encoder drops nothing where dropout is no augmentation.
        """
        super().train(mode)
        self.encoder.train(mode and self.drops)
        return self

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss of a batch in training, features in evaluation.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (rows, length); in
                a stack the mask is (rows, 1, 1, length). In training the rows are all first views,
                then all second ones.
            labels: Class ids, (batch,); ignored.

        Returns:
            A scalar loss, 0 in evaluation, and features (rows, width).
        """
        tokens = self.encoder(**inputs).last_hidden_state  # (rows, length, width)
        vectors = pooled(tokens, real_tokens(inputs), self.pooling)
        if not self.training:
            return Output(loss=vectors.sum() * 0, logits=vectors)
        first, second = vectors.chunk(2)
        return Output(loss=self.info_nce(first, second), logits=vectors)


def views(config: Config) -> tuple[View, ...]:
    """The two views of a text."""
    span = 0 if config.augmentation == "dropout" else config.masked
    if config.random_strings:
        return View("letters"), View("letters", span)
    return View(), View(masked=span)


def read_out(config: Config) -> LinearEvaluation:
    """Linear evaluation of the features."""
    return LinearEvaluation(None if config.pairs is None else read_pairs(config.pairs))


def files(config: Config) -> dict[str, str]:
    """Fields that name a file which the cell reads, with their values.

    Raises:
        DataError: if it is no table of scored pairs.
    """
    if config.pairs is None:
        return {}
    read_pairs(config.pairs)
    return {"pairs": config.pairs}


def tunes_encoder(config: Config) -> bool:
    """True where a sweep's winner leaves a tuned encoder."""
    return config.learning_rate > 0


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return replace(config, temperature=1.0)


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> Mirror:
    """Build the module of one cell; nothing of it is drawn."""
    return Mirror(config, encoder)
