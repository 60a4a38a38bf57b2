"""A multilingual DistilBERT taught CLIP ViT-B/32's text space (Reimers and Gurevych, 2020)."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="clip-vit-b-32-multilingual",
    hub_id="sentence-transformers/clip-ViT-B-32-multilingual-v1",
    parameters=135_127_808,
    licence="Apache-2.0",
    about="texts of 50 languages in the space of CLIP ViT-B/32, 512 wide",
)
