"""Towers that are trained with their head, and their inputs.

Images are decoded, resized and cut once, before the first epoch, into a memory-mapped file: an
epoch reads pixels and can meet no broken image.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.arrays import IntArray
from trainables.engine.features import pair_embeddings
from trainables.engine.features.pair_layout import Layout
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.models import towers
from trainables.engine.text_data import TextData


@dataclass(frozen=True)
class Sources:
    """References of the towers; None without texts, or without images."""

    text: str | None
    image: str | None


class Towers(nn.Module):
    """A text tower and an image tower, from a batch to features.

    Args:
        text: Tower of texts; None without them.
        image: Tower of images; None without them.
    """

    def __init__(self, text: towers.TextTower | None, image: towers.ImageTower | None) -> None:
        super().__init__()
        self.text, self.image = text, image
        self.layout = Layout(text=_width_of_text(text), image=_width_of_image(image))

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Features, (batch, layout.total).

        Args:
            inputs: input_ids and attention_mask (batch, 2, length); pixels uint8 (batch, 2, 3,
                height, width) and absent bool (batch, 2).
        """
        texts = images = absent = None
        if self.text is not None:
            names = [name for name in ("input_ids", "attention_mask") if name in inputs]
            texts = self.text({name: inputs[name].flatten(0, 1) for name in names})
            texts = texts.unflatten(0, (-1, 2))
        if self.image is not None:
            absent = inputs["absent"]
            images = self.image(inputs["pixels"].flatten(0, 1)).unflatten(0, (-1, 2))
            images = images.masked_fill(absent.unsqueeze(-1), 0.0)
        return self.layout.join(texts, images, absent)


def towers_of(sources: Sources) -> Towers:
    """Fresh copies of the pretrained towers."""
    text = None if sources.text is None else copy.deepcopy(towers.text_tower(sources.text))
    image = None if sources.image is None else copy.deepcopy(towers.image_tower(sources.image))
    return Towers(text, image)


@torch.no_grad()
def _width_of_text(tower: towers.TextTower | None) -> int:
    if tower is None:
        return 0
    ids = torch.ones(1, 3, dtype=torch.int64)
    return int(tower.eval()({"input_ids": ids, "attention_mask": ids}).shape[-1])


@torch.no_grad()
def _width_of_image(tower: towers.ImageTower | None) -> int:
    if tower is None:
        return 0
    crop = tower.preparation.crop or tower.preparation.resize
    side = crop if isinstance(crop, tuple) else (int(crop or 224),) * 2
    return int(tower.eval()(torch.zeros(1, 3, *side, dtype=torch.uint8)).shape[-1])


@dataclass(frozen=True, eq=False)
class PairRows:
    """Tokens and pixels of all rows; see `batches.Padding`.

    Attributes:
        ids: Tokens of both texts of each row, one after another, each (length,); None without.
        padding: Token that fills a text up to the longest of its batch.
        pixels: Pixels of all distinct images, uint8 (images, 3, height, width), memory-mapped; None
            without images.
        places: Number of the image in each of a row's places, int64 (rows, 2), -1 for none.
    """

    ids: list[IntArray] | None
    padding: int
    pixels: Any
    places: IntArray | None
    device: torch.device | None = None
    gathers: bool = False  # images come from a memory map of the host

    def to(self, device: torch.device) -> PairRows:
        """The same rows, with batches on another device."""
        return PairRows(self.ids, self.padding, self.pixels, self.places, device)

    def longest(self, rows: IntArray) -> int:
        """Number of tokens of the longest text of some rows."""
        return max(map(len, self._texts(rows)), default=0)

    def _texts(self, rows: IntArray) -> list[IntArray]:
        return [self.ids[2 * row + place] for row in rows for place in (0, 1)] if self.ids else []

    def shortest(self, rows: IntArray) -> int:
        """Return 0: some text of a pair may be padded."""
        return 0

    def padded(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Inputs of some rows, int64 (batch,); see `Towers.forward`."""
        rows = torch.as_tensor(rows).cpu().numpy()
        batch: dict[str, Tensor] = {}
        if self.ids is not None:
            chosen = self._texts(rows)
            longest = self.longest(rows) if length is None else length
            ids = np.full((len(chosen), longest), self.padding, np.int64)
            mask = np.zeros_like(ids)
            for at, tokens in enumerate(chosen):
                ids[at, : len(tokens)], mask[at, : len(tokens)] = tokens, 1
            batch["input_ids"] = torch.from_numpy(ids).unflatten(0, (-1, 2))
            batch["attention_mask"] = torch.from_numpy(mask).unflatten(0, (-1, 2))
        if self.places is not None:
            places = self.places[rows]
            batch["pixels"] = torch.from_numpy(np.asarray(self.pixels[np.maximum(places, 0)]))
            batch["absent"] = torch.from_numpy(places < 0)
        return {name: value.to(self.device) for name, value in batch.items()}


@lru_cache(maxsize=2)
def tokens(data: TextData, sources: Sources, max_length: int, latin: bool) -> Tokens:
    """Make the inputs of trainable towers; kept for the process.

    Args:
        data: Pairs of texts, with images.
        sources: References of the towers.
        max_length: Largest number of tokens in a text.
        latin: True to remove letters of other scripts than the Latin.
    """
    ids: list[IntArray] | None = None
    padding, lengths = 0, np.ones(len(data), np.int64)
    if sources.text is not None:
        texts = pair_embeddings.pairs_of_texts(data, latin)
        ids, padding = _ids(sources.text, texts, max_length)
        sizes = np.array(list(map(len, ids))).reshape(-1, 2)
        lengths = sizes.max(axis=1).astype(np.int64)
    pixels, places = None, None
    if sources.image is not None:
        pixels, places = pair_embeddings.stored_pixels(data, sources.image)
    rows = PairRows(ids, padding, pixels, places)
    return Tokens(rows, np.zeros(0, np.int64), lengths, data.labels)


def _ids(reference: str, texts: list[str], max_length: int) -> tuple[list[IntArray], int]:
    """Tokens of each text without padding, and the token that pads."""
    ids: list[IntArray] = []
    for text in texts:
        ids.append(towers.tokenised(reference, [text], max_length)["input_ids"][0].numpy())
    from trainables.engine.models import pretrained

    return ids, int(pretrained.load_tokenizer(reference).pad_token_id)
