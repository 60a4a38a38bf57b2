"""Where the features of a row of two texts and two images lie: claim | document, text | image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of a row: both texts, both images, and a flag for each image that is missing.

    Attributes:
        text: Width of a text's features; 0 where a row has none.
        image: Width of an image's features; 0 where a row has none.
    """

    text: int
    image: int

    @classmethod
    def of(cls, facts: Mapping[str, float]) -> Layout:
        """The layout that an extraction reported."""
        return cls(text=int(facts["text_width"]), image=int(facts["image_width"]))

    @property
    def total(self) -> int:
        """Width of a row."""
        return 2 * self.text + 2 * self.image + (2 if self.image else 0)

    def widths(self) -> list[tuple[str, int]]:
        """Width of each modality that is there, in order."""
        both = (("text", self.text), ("image", self.image))
        return [(name, width) for name, width in both if width]

    def pair(self, rows: Tensor, modality: str) -> tuple[Tensor, Tensor | None]:
        """Claim's and document's features of a modality, and which of them are missing.

        Args:
            rows: (..., total).
            modality: "text" or "image".

        Returns:
            (..., 2, width), and bool (..., 2) or None for texts, which are never missing.
        """
        if modality == "text":
            return rows[..., : 2 * self.text].unflatten(-1, (2, self.text)), None
        begin, end = 2 * self.text, 2 * self.text + 2 * self.image
        return rows[..., begin:end].unflatten(-1, (2, self.image)), rows[..., end:] > 0.5

    def join(self, texts: Tensor | None, images: Tensor | None, absent: Tensor | None) -> Tensor:
        """The inverse of `pair`: rows of claim's and document's features.

        Args:
            texts: (rows, 2, text); None where the layout has no texts.
            images: (rows, 2, image); None where it has no images.
            absent: Which images are missing, bool (rows, 2).
        """
        parts = [] if texts is None else [texts.flatten(1)]
        if images is not None and absent is not None:
            parts += [images.flatten(1), absent.to(images.dtype)]
        return torch.cat(parts, dim=1)
