"""CLIP ViT-B/32 (Radford et al., 2021): image and text tower."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="clip-vit-b-32",
    hub_id="openai/clip-vit-base-patch32",
    parameters=151_277_313,
    licence="MIT (the repository of CLIP)",
    about="CLIP ViT-B/32: images and English texts, 512 wide",
)
