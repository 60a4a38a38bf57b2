"""Mirror-BERT: tuning an encoder on texts without labels, then reading it out.

Fast, Effective, and Self-Supervised: Transforming Masked Language Models into Universal Lexical and
Sentence Encoders (Liu et al., EMNLP 2021). Two views of every text, which differ by a random span
that is masked in one of them (technique 1) and by dropout (technique 2), are pulled together and
away from the views of the other texts of the batch: InfoNCE.

A cell tunes on its training rows, whose labels it never sees. Its score is a linear evaluation: a
logistic regression on the tuned features of the training rows, asked about the held-out ones.

With a hard negative of every text it is SimCSE's supervised objective (Gao et al., EMNLP 2021):
(x, x+, x-). Whole attention heads may be dropped in place of single values, as the authors try.

Differs from the paper: of the spans of a text eight are drawn, among which seed, epoch and row
choose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from trainables.analysis.linear_evaluation import LinearEvaluation
from trainables.analysis.pair_tables import read_tables
from trainables.engine.config import FineTuning
from trainables.engine.inputs import wordings
from trainables.engine.inputs.views import View
from trainables.engine.models import adversarial, head_dropout
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import POOLINGS, pooled
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.info_nce import InfoNCELoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 2

_AUGMENTATIONS = ("both", "masking", "dropout", "none")
_SPANS = ("drawn", "shared")
_POSITIVES = ("itself", "second-text", "synonyms")


@dataclass(frozen=True, kw_only=True)
class Config(FineTuning):
    """Hyper-parameters of one cell.

    Attributes:
        augmentation: Difference between the two views of a text: "masking" of a span, "dropout",
            "both", or "none" where `drophead` or another wording is one.
        masked: Characters of the masked span.
        positives: False leaves out what pulls the views of a text together.
        random_strings: Tune on strings of random letters in words of the texts' lengths.
        temperature: Divides the cosines of InfoNCE [tau].
        pairs: A table of scored pairs (columns text, text_b, score) whose scores are correlated
            with the cosines of the tuned features; without scores a lexicon, whose right answers
            are looked for; a folder of tables; "sts", seven sets of similarity; None for none.
        pooling: "cls" (first token) or "mean" (over real tokens): the features.
        learning_rate: Peak rate of AdamW; 0 leaves the encoder as it is.
        spans: "drawn": seed, epoch and row choose the masked span, the random letters and the
            synonyms; "shared": they are the same for all seeds, and four epochs take turns.
        drophead: Share of attention heads that is dropped in training.
        adversarial: Length by which the second view's embeddings are moved where it changes its
            vector most (virtual adversarial training); 0 moves none. Such cells train alone.
        positive: x+: "itself"; "second-text", the column of --text-b; "synonyms", itself with some
            words replaced by synonyms.
        synonyms: Synonyms of words for such positives: a table (columns text, text_b), or WordNet's
            zip as NLTK distributes it; None for none.
        negatives: x-: a table with a hard negative of every text (columns text, text_b); None for
            none.

    Raises:
        ConfigError: naming each field out of its range.
    """

    LEAST_BLOCKS: ClassVar[int] = 1  # With all blocks frozen nothing would be tuned.
    SPLITS_BATCHES: ClassVar[bool] = False

    augmentation: str
    masked: int
    positives: bool
    random_strings: bool
    temperature: float
    pairs: str | None
    pooling: str
    spans: str = "shared"
    drophead: float = 0.0
    adversarial: float = 0.0
    positive: str = "itself"
    synonyms: str | None = None
    negatives: str | None = None

    def rules(self) -> dict[str, bool]:
        """Rules of all fields; the learning rate may be 0."""
        shared = super().rules()
        del shared["learning_rate above 0"]
        return {
            f"augmentation one of {', '.join(_AUGMENTATIONS)}": self.augmentation in _AUGMENTATIONS,
            "masked at least 1": self.masked >= 1,
            "temperature above 0": self.temperature > 0,
            "pairs a file, or none": self.pairs is None or isinstance(self.pairs, str),
            f"spans one of {', '.join(_SPANS)}": self.spans in _SPANS,
            "drophead in [0, 1)": 0 <= self.drophead < 1,
            "adversarial at least 0": self.adversarial >= 0,
            f"positive one of {', '.join(_POSITIVES)}": self.positive in _POSITIVES,
            "synonyms a file where positive=synonyms": (
                self.positive != "synonyms" or self.synonyms is not None
            ),
            "augmentation other than none, or drophead or adversarial above 0, or a positive": (
                self.augmentation != "none"
                or self.drophead > 0
                or self.adversarial > 0
                or self.positive != "itself"
            ),
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
        self.drops = config.augmentation in ("both", "dropout")
        if config.drophead:
            head_dropout.add(encoder, config.drophead)
        self.negatives, self.adversarial = config.negatives is not None, config.adversarial
        self.info_nce = InfoNCELoss(config.temperature, config.positives)

    def train(self, mode: bool = True) -> Mirror:
        """Switch training on or off.

        The encoder drops nothing where dropout is no augmentation.
        """
        super().train(mode)
        self.encoder.train(mode and self.drops)
        for part in self.encoder.modules():
            if isinstance(part, head_dropout.HeadDropout):
                part.train(mode)
        return self

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss of a batch in training, features in evaluation.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (rows, length); in
                a stack the mask is (rows, 1, 1, length). In training the rows are all first views,
                then all second ones, then all hard negatives.
            labels: Class ids, (batch,); ignored.

        Returns:
            A scalar loss, 0 in evaluation, and features (rows, width).
        """
        if not self.training:
            vectors = self._vectors(inputs)
            return Output(loss=vectors.sum() * 0, logits=vectors)
        many = 3 if self.negatives else 2
        if self.adversarial:
            inputs = self._moved(inputs, many)
        vectors = self._vectors(inputs)
        return Output(loss=self.info_nce(*vectors.chunk(many)), logits=vectors)

    def _vectors(self, inputs: dict[str, Tensor]) -> Tensor:
        tokens = self.encoder(**inputs).last_hidden_state  # (rows, length, width)
        return pooled(tokens, real_tokens(inputs), self.pooling)

    def _moved(self, inputs: dict[str, Tensor], many: int) -> dict[str, Tensor]:
        """Move the embeddings of the second views."""
        rows = len(inputs["attention_mask"]) // many
        second = {name: part[rows : 2 * rows] for name, part in inputs.items()}
        words = self.encoder.get_input_embeddings()
        moved = adversarial.view(second, words, self._vectors, self.adversarial)["inputs_embeds"]
        others = {n: v for n, v in inputs.items() if n not in ("input_ids", "inputs_embeds")}
        states = inputs.get("inputs_embeds")
        if states is None:
            states = words(inputs["input_ids"])
        parts = (states[:rows], moved, states[2 * rows :])
        return {**others, "inputs_embeds": torch.cat(parts)}


def views(config: Config) -> tuple[View, ...]:
    """The two views of a text, and its hard negative."""
    span = config.masked if config.augmentation in ("both", "masking") else 0
    drawn = config.spans == "drawn"
    own: Literal["text", "letters"] = "letters" if config.random_strings else "text"
    other = {
        "itself": View(own, span, drawn),
        "second-text": View("second", span, drawn),
        "synonyms": View("synonyms", span, drawn, config.synonyms),
    }[config.positive]
    # Without a random part nothing is drawn.
    drawn = drawn and (other.is_random or config.random_strings)
    pair = (View(own, drawn=drawn), replace(other, drawn=drawn))
    return pair if config.negatives is None else (*pair, View("partner", file=config.negatives))


def read_out(config: Config) -> LinearEvaluation:
    """Linear evaluation of the features."""
    return LinearEvaluation(() if config.pairs is None else read_tables(config.pairs))


def files(config: Config) -> dict[str, str]:
    """Fields that name a file which the cell reads, with their values.

    Raises:
        DataError: if `pairs` is no table of pairs, or `negatives` none of partners.
    """
    found = {}
    if config.pairs is not None:
        read_tables(config.pairs)
        found["pairs"] = config.pairs
    if config.positive == "synonyms" and config.synonyms is not None:
        wordings.of_file(config.synonyms)
        found["synonyms"] = config.synonyms
    if config.negatives is not None:
        wordings.of_file(config.negatives)
        found["negatives"] = config.negatives
    return found


def tunes_encoder(config: Config) -> bool:
    """True where a sweep's winner leaves a tuned encoder."""
    return config.learning_rate > 0


def stack_key(config: Config) -> Config | None:
    """Config with all values that may differ within a stack set alike."""
    if config.adversarial:
        return None  # a gradient within the forward pass
    return replace(config, temperature=1.0)


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> Mirror:
    """Build the module of one cell; nothing of it is drawn."""
    return Mirror(config, encoder)
