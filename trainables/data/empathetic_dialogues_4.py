"""EmpatheticDialogues, the rows of 4 of its 32 emotions.

The 4 easy classes of the paper's table by number of classes (Not All Negatives are Equal, Suresh
and Ong, EMNLP 2021); which these are, its authors' code says (github.com/varsha33/LCL_loss).
"""

from __future__ import annotations

from trainables.data.empathetic_dialogues import DATASET as WHOLE

DATASET = WHOLE.subset(
    name="empathetic_dialogues_4",
    about="4 of its 32 emotions, easy, 3,287 situations",
    classes=("afraid", "angry", "joyful", "sad"),
)
