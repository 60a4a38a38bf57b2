"""EmpatheticDialogues: the emotion of the situation that a conversation is about.

One row a conversation: on the hub, its first utterance row. The hub writes commas as _comma_.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="empathetic_dialogues",
    about="emotions, 32 classes, 24,850 situations",
    classes=(
        "afraid",
        "angry",
        "annoyed",
        "anticipating",
        "anxious",
        "apprehensive",
        "ashamed",
        "caring",
        "confident",
        "content",
        "devastated",
        "disappointed",
        "disgusted",
        "embarrassed",
        "excited",
        "faithful",
        "furious",
        "grateful",
        "guilty",
        "hopeful",
        "impressed",
        "jealous",
        "joyful",
        "lonely",
        "nostalgic",
        "prepared",
        "proud",
        "sad",
        "sentimental",
        "surprised",
        "terrified",
        "trusting",
    ),
    citation="Rashkin et al., Towards Empathetic Open-domain Conversation Models, ACL 2019",
    licence="CC BY-NC 4.0",
    hub_id="facebook/empathetic_dialogues",
    hub_revision="refs/convert/parquet",
    hub_where=("utterance_idx", 1),
    text="prompt",
    label="context",
)
