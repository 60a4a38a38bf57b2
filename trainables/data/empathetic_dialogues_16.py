"""EmpatheticDialogues, the rows of 16 of its 32 emotions.

The 16 classes of the paper's table by number of classes (Not All Negatives are Equal, Suresh and
Ong, EMNLP 2021); which classes these are, its authors' code says (github.com/varsha33/LCL_loss).
"""

from __future__ import annotations

from trainables.data.empathetic_dialogues import DATASET as WHOLE

DATASET = WHOLE.subset(
    name="empathetic_dialogues_16",
    about="16 of its 32 emotions, 13,590 situations",
    classes=(
        "afraid",
        "angry",
        "annoyed",
        "anxious",
        "confident",
        "disappointed",
        "disgusted",
        "excited",
        "grateful",
        "hopeful",
        "impressed",
        "lonely",
        "proud",
        "sad",
        "surprised",
        "terrified",
    ),
)
