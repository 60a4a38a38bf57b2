"""Base of a module that depends on its training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from trainables.engine.arrays import IntArray
from trainables.engine.inputs import metadata_inputs
from trainables.engine.models import pretrained
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class CellContext:
    """An encoder, and the training rows' labels and metadata.

    Attributes:
        network: Fresh copy of the encoder, or of its top blocks.
        pooler: Weight and bias of the encoder's own pooler; None where it was not pretrained.
        labels: Class ids of the training rows, int64 (rows,).
        metadata: Metadata of the same rows, as `metadata_inputs.table` has them; None where left
            out.
    """

    network: PreTrainedModel
    pooler: pretrained.Pooler | None
    labels: IntArray
    metadata: Tensor | None

    @classmethod
    def of(
        cls,
        data: TextData,
        model: str,
        network: PreTrainedModel,
        kind: metadata_inputs.Kind | None,
        train: IntArray,
    ) -> CellContext:
        """Collect the context of one cell.

        Args:
            data: All rows.
            model: Reference of the encoder.
            network: Fresh copy of the encoder.
            kind: Scale of the metadata; None leaves them out.
            train: Training rows.
        """
        return cls(
            network=network,
            pooler=pretrained.pretrained_pooler(model),
            labels=data.labels[train],
            metadata=None if kind is None else metadata_inputs.table(data, kind)[train],
        )
