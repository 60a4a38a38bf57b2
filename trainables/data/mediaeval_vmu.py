"""MediaEval Verifying Multimedia Use 2015 and 2016: tweets about pictures of events.

Few events with many tweets each: folds of rows leak events, prefer the official parts. The
development part also has a class humor, which the test parts do not have.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="mediaeval_vmu",
    about="fake news, 3 classes, 20k tweets on few events",
    classes=("real", "fake", "humor"),
    citation=(
        "Boididou et al., Detection and Visualization of Misleading Content on Twitter, IJMIR 2018"
    ),
    licence="Apache 2.0 (the repository)",
    hub_id=None,
    parts=(("dev2015", "train"), ("test2015", "test"), ("test2016", "test")),
    obtain="It is github.com/MKLab-ITI/image-verification-corpus.",
)
