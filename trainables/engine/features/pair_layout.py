"""Layout of a row of features: claim | document, text | image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Parts of a row: texts, images, and flags of missing images.

    Attributes:
        text: Width of a text's features; 0 where a row has none.
        image: Width of an image's features; 0 where a row has none.
    """

    text: int
    image: int

    @classmethod
    def of(cls, facts: Mapping[str, float]) -> Layout:
        """Read the layout from the facts of an extraction."""
        return cls(text=int(facts["text_width"]), image=int(facts["image_width"]))

    @property
    def total(self) -> int:
        """Width of a row."""
        return 2 * self.text + 2 * self.image + (2 if self.image else 0)

    def widths(self) -> list[tuple[str, int]]:
        """Width of each modality of the layout, in order."""
        modalities = (("text", self.text), ("image", self.image))
        return [(name, width) for name, width in modalities if width]

    def pair(self, rows: Tensor, modality: str) -> tuple[Tensor, Tensor | None]:
        """Cut a pair's features of a modality out of rows.

        Args:
            rows: Rows of features, (..., total).
            modality: "text" or "image".

        Returns:
            (..., 2, width), and the mask of missing ones, bool (..., 2); None for texts, which are
            never missing.
        """
        if modality == "text":
            return rows[..., : 2 * self.text].unflatten(-1, (2, self.text)), None
        begin, end = 2 * self.text, 2 * self.text + 2 * self.image
        return rows[..., begin:end].unflatten(-1, (2, self.image)), rows[..., end:] > 0.5

    def join(self, texts: Tensor | None, images: Tensor | None, absent: Tensor | None) -> Tensor:
        """Join a pair's features to rows; the inverse of `pair`.

        Args:
            texts: Features of texts, (rows, 2, text); None without texts.
            images: Features of images, (rows, 2, image); None without images.
            absent: Mask of missing images, bool (rows, 2).
        """
        parts = [] if texts is None else [texts.flatten(1)]
        if images is not None and absent is not None:
            parts += [images.flatten(1), absent.to(images.dtype)]
        return torch.cat(parts, dim=1)
