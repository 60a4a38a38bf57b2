"""EmpatheticDialogues, the rows of 4 of its 32 emotions.

The paper's hard label set around fear (Not All Negatives are Equal, Suresh and
Ong, EMNLP 2021); which classes these are, its authors' code says (github.com/varsha33/LCL_loss).
"""

from __future__ import annotations

from trainables.data.empathetic_dialogues import DATASET as WHOLE

DATASET = WHOLE.subset(
    name="empathetic_dialogues_hard_a",
    about="4 kinds of fear, 2,961 situations",
    classes=("afraid", "anxious", "apprehensive", "terrified"),
)
