"""EmpatheticDialogues, the rows of 8 of its 32 emotions.

The 8 classes of the paper's table by number of classes (Not All Negatives are Equal, Suresh and
Ong, EMNLP 2021); which classes these are, its authors' code says (github.com/varsha33/LCL_loss).
"""

from __future__ import annotations

from trainables.data.empathetic_dialogues import DATASET as WHOLE

DATASET = WHOLE.subset(
    name="empathetic_dialogues_8",
    about="8 of its 32 emotions, 6,838 situations",
    classes=(
        "afraid",
        "angry",
        "ashamed",
        "disgusted",
        "guilty",
        "proud",
        "sad",
        "surprised",
    ),
)
