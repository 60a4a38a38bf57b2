"""Image preprocessing, as a model's own preprocessor_config.json states it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.engine.arrays import ByteArray
from trainables.engine.errors import ModelError

_CONFIG = "preprocessor_config.json"
# CLIP's values (Radford et al., 2021), for a folder without its own.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Resizing, cutting and normalising of images.

    Attributes:
        resize: (height, width), or the length of the shorter side; None leaves the size.
        crop: (height, width) that is cut from the middle; None cuts nothing.
        resample: Pillow's number of the filter; 3 is bicubic.
        mean: Mean of each channel, subtracted after scaling to [0, 1].
        std: Divisor of each channel, after the subtraction.
    """

    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def pixels(self, image: Image.Image) -> ByteArray:
        """Return an RGB image resized and cut, uint8 (3, height, width)."""
        if self.resize is not None:
            image = image.resize(self._size(image.size), Image.Resampling(self.resample))
        values = np.asarray(image, np.uint8)
        if self.crop is not None:
            values = _centre(values, *self.crop)
        return np.ascontiguousarray(values.transpose(2, 0, 1))

    def _size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) after resizing."""
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        width, height = size
        shorter = int(self.resize or 1)
        longer = int(shorter * max(size) / min(size))
        return (shorter, longer) if width <= height else (longer, shorter)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Return the model's input, float (..., 3, height, width)."""
        mean = torch.tensor(self.mean, device=pixels.device).reshape(-1, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).reshape(-1, 1, 1)
        return (pixels.float() / 255 - mean) / std


def _centre(values: ByteArray, height: int, width: int) -> ByteArray:
    """Return the middle of an image, (height, width, 3).

    Black fills an image that is smaller.
    """
    rows, columns = values.shape[:2]
    if rows < height or columns < width:
        padded = np.zeros((max(rows, height), max(columns, width), 3), np.uint8)
        top, left = -(-(padded.shape[0] - rows) // 2), -(-(padded.shape[1] - columns) // 2)
        padded[top : top + rows, left : left + columns] = values
        values, (rows, columns) = padded, padded.shape[:2]
    top, left = (rows - height) // 2, (columns - width) // 2
    return values[top : top + height, left : left + width]


def read_preparation(folder: Path, side: int) -> Preparation:
    """Return the preprocessing that a model's folder states.

    Args:
        folder: Folder of the model. Without a preprocessor_config.json CLIP's values are taken.
        side: Number of pixels that the model takes, where the file states none.

    Raises:
        ModelError: if the file cannot be understood.
    """
    path = folder / _CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        size, crop = config.get("size", {"shortest_edge": side}), config.get("crop_size")
        resize: tuple[int, int] | int | None
        if isinstance(size, int):
            resize = size
        elif "shortest_edge" in size:
            resize = int(size["shortest_edge"])
        else:
            resize = int(size["height"]), int(size["width"])
        if crop is None:
            crop = {"height": side, "width": side}
        elif isinstance(crop, int):
            crop = {"height": crop, "width": crop}
        # A fixed height and width leaves nothing to cut, unless the file says so.
        cuts = config.get("do_center_crop", not isinstance(resize, tuple))
        return Preparation(
            resize=resize if config.get("do_resize", True) else None,
            crop=(int(crop["height"]), int(crop["width"])) if cuts else None,
            resample=int(config.get("resample", 3)),
            mean=tuple(config.get("image_mean", _MEAN)),
            std=tuple(config.get("image_std", _STD)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be understood: {error!r}") from error
