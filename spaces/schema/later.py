"""Settings that came later than their spaces, at the value before.

A space of such a trainable has them among its `fixed` and its `added` values: they can be searched,
and at this value a cell's key is what it was without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spaces.schema.inert import Inert
from spaces.schema.scalar import Scalar

TRAINING: Mapping[str, Scalar] = MappingProxyType({"inner_share": 0.0, "patience": 0})
"""Of every trainable."""

ADAPTERS: Mapping[str, Scalar] = MappingProxyType(
    {
        "lora_rank": 0,
        "lora_alpha": 1.0,
        "lora_dropout": 0.0,
        "lora_targets": "query-value",
        "lora_rank_stabilised": False,
    }
)
"""Of adapters on an encoder."""

WITHOUT_ADAPTERS = Inert(when={"lora_rank": (0,)}, axes=tuple(ADAPTERS)[1:])
"""Rule of a space with adapters: without a rank their other settings say nothing."""

FINE_TUNING: Mapping[str, Scalar] = MappingProxyType(
    {
        **TRAINING,
        "hidden_dropout": None,
        "attention_dropout": None,
        "layer_decay": 1.0,
        "accumulation": 1,
        "checkpointing": False,
        **ADAPTERS,
    }
)
"""Of trainables that train an encoder."""

CLASSIFIER: Mapping[str, Scalar] = MappingProxyType(
    {**FINE_TUNING, "head_dropout": None, "class_weights": "none", "label_smoothing": 0.0}
)
"""Of trainables with a linear classifier on the encoder."""
