"""Features from an encoder: its output or embeddings, pooled over tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from trainables.engine.arrays import Float32Array
from trainables.engine.errors import ModelError
from trainables.engine.features.representation import Parts, Progress, Representation
from trainables.engine.inputs.tokens import loader, tokenised
from trainables.engine.models import pretrained, vocabulary
from trainables.engine.models.pooling import mean_over_tokens
from trainables.engine.text_data import TextData

_ROWS_AT_ONCE = 64
_TEXTS_AT_ONCE = 16
_TEXTS_IN_ORDER = 64


@dataclass(frozen=True, kw_only=True)
class PooledEncoder:
    """A representation that an encoder makes; see `Fixed` in representation.py.

    Attributes:
        about: Description in a line.
        layer: "output", the last layer's hidden states, or "embeddings", the matrix of word
            embeddings alone: no positions, no segments, no normalisation.
        pooling: "mean" over real tokens, or the "first" one.
        paper: See `Card`.
    """

    about: str
    layer: Literal["output", "embeddings"]
    pooling: Literal["mean", "first"]
    paper: tuple[str, float] | None = None
    uses_encoder: bool = True

    def check_models(self, data: TextData, model: str, representation: Representation) -> None:
        """Refuse a model that is no encoder of texts, with a ModelError."""
        pretrained.check_encoder(model, data)

    @torch.inference_mode()
    def extract(
        self, data: TextData, model: str, representation: Representation, progress: Progress
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """Extract features of every row; report the share of cut texts."""
        tokens = tokenised(data, model, _length(representation))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network: Any = vocabulary.restricted(pretrained.load_encoder(model), tokens.vocabulary)
        network = network.to(device).eval()
        batches, _ = loader(tokens, np.arange(len(data)), _ROWS_AT_ONCE, None)
        features: Float32Array | None = None
        done = 0
        for batch in batches:
            del batch["labels"]
            rows = batch.pop("rows").numpy()
            inputs = {key: value.to(device) for key, value in batch.items()}
            hidden = self.hidden(network, inputs)
            real = inputs["attention_mask"].bool()
            pooled = mean_over_tokens(hidden, real) if self.pooling == "mean" else hidden[:, 0]
            if features is None:
                features = np.empty((len(data), pooled.shape[1]), np.float32)
            features[rows] = pooled.float().cpu().numpy()
            done += len(rows)
            progress(done, len(data))
        if features is None:
            raise ValueError(f"{data.name} has no rows.")
        limit = pretrained.text_limit(model, _length(representation))
        # Of the texts at the limit all but a few were cut.
        return features, {"at_limit_share": float((tokens.lengths == limit).mean())}

    def hidden(self, network: Any, inputs: dict[str, Tensor]) -> Tensor:
        """Vectors of tokens, (batch, length, width)."""
        if self.layer == "embeddings":
            vectors: Tensor = network.get_input_embeddings()(inputs["input_ids"])
            return vectors
        output: Tensor = network(**inputs).last_hidden_state
        return output

    def parts(
        self, texts: Sequence[str], model: str, representation: Representation
    ) -> Iterator[Parts] | None:
        """Split texts into tokens with their vectors; None for first-token pooling."""
        if self.pooling == "first":
            return None
        network, device = _on_device(model)

        def hidden(inputs: dict[str, Tensor]) -> Tensor:
            return self.hidden(network, {key: value.to(device) for key, value in inputs.items()})

        limit = pretrained.text_limit(model, _length(representation))
        return token_parts(texts, pretrained.load_tokenizer(model), limit, hidden)


def token_parts(
    texts: Sequence[str],
    tokenizer: Any,
    limit: int,
    hidden: Callable[[dict[str, Tensor]], Tensor],
) -> Iterator[Parts]:
    """Split texts into tokens, with the vectors of a network.

    Args:
        texts: Texts to split.
        tokenizer: Tokenizer of the network, a fast one: it must tell each token's place.
        limit: Number of tokens at which texts are cut; see `pretrained.text_limit`.
        hidden: Maps the tokenizer's inputs to vectors (batch, length, width).

    Raises:
        ModelError: if the tokenizer does not tell the places of its tokens.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            "This model's tokenizer cannot say where its tokens stand in the text, so there is no "
            "map over words; use a model with a fast tokenizer (tokenizer.json)."
        )
    for start in range(0, len(texts), _TEXTS_IN_ORDER):
        some = texts[start : start + _TEXTS_IN_ORDER]
        # Texts of one length together, so that little is padded; returned in their order.
        by_length = sorted(range(len(some)), key=lambda i: len(some[i]))
        parts: dict[int, Parts] = {}
        for at in range(0, len(some), _TEXTS_AT_ONCE):
            chosen = by_length[at : at + _TEXTS_AT_ONCE]
            batch = _token_parts([some[i] for i in chosen], tokenizer, limit, hidden)
            parts.update(zip(chosen, batch, strict=True))
        yield from (parts[i] for i in range(len(some)))


def _token_parts(
    some: list[str], tokenizer: Any, limit: int, hidden: Callable[[dict[str, Tensor]], Tensor]
) -> Iterator[Parts]:
    """Split the texts of one batch."""
    encoded = tokenizer(
        some, truncation=True, max_length=limit, padding=True, return_offsets_mapping=True
    )
    offsets = encoded.pop("offset_mapping")
    inputs = encoded.convert_to_tensors("pt")
    with torch.inference_mode():
        vectors = hidden(dict(inputs)).float().cpu().numpy()
    for i, text in enumerate(some):
        real = np.flatnonzero(encoded["attention_mask"][i].numpy())
        pieces, groups = encoded.tokens(i), encoded.word_ids(i)
        spans = [
            (offsets[i][t][0], offsets[i][t][1]) if groups[t] is not None else None for t in real
        ]
        end = max((span[1] for span in spans if span is not None), default=0)
        yield Parts(
            words=tuple(pieces[t] for t in real),
            spans=tuple(spans),
            groups=tuple(-1 if groups[t] is None else groups[t] for t in real),
            vectors=vectors[i, real],
            divisor=float(len(real)),
            text=text,
            cut=len(real) == limit and bool(text[end:].strip()),
        )


def _length(representation: Representation) -> int:
    if representation.max_length is None:
        raise ValueError(f"Representation {representation.name!r} wants max_length, got None.")
    return representation.max_length


def _on_device(model: str) -> tuple[Any, str]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return pretrained.load_encoder(model).to(device).eval(), device  # type: ignore[arg-type]
