"""Factify 2: claims that documents support, refute or leave open.

Pairs of texts and of images. The shared task gives the data out on request, as train.csv and
val.csv: put them into FOLDRACE_DATA/factify2. The labels of its test part are not public; its
validation part is the official part that `--holdout official` scores on. A file of that form can
also be given by its path: `--data train.csv` knows its columns. OCR columns are not read, as in the
paper (section 3.2).
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="factify2",
    about="claims against documents, 5 classes, 50k pairs (on request)",
    classes=(
        "Support_Multimodal",
        "Support_Text",
        "Insufficient_Multimodal",
        "Insufficient_Text",
        "Refute",
    ),
    citation=(
        "Suryavardan et al., Factify 2: A Multimodal Fake News and Satire News Dataset, "
        "De-Factify 2023"
    ),
    licence="on request from the organisers",
    hub_id=None,
    text="Claim",
    text_b="Document",
    label="Category",
    image="Claim_image",
    image_b="Document_image",
    files=(("train", "factify2/train.csv"), ("test", "factify2/val.csv")),
    obtain="Ask the organisers of the De-Factify workshop for it.",
)
