"""EmpatheticDialogues, the rows of 4 of its 32 emotions.

The paper's hard label set around sadness (Not All Negatives are Equal, Suresh and
Ong, EMNLP 2021); which classes these are, its authors' code says (github.com/varsha33/LCL_loss).
"""

from __future__ import annotations

from trainables.data.empathetic_dialogues import DATASET as WHOLE

DATASET = WHOLE.subset(
    name="empathetic_dialogues_hard_b",
    about="4 kinds of grief, 3,026 situations",
    classes=("devastated", "nostalgic", "sad", "sentimental"),
)
