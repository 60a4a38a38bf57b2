"""What a module is built from that depends on the rows it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from trainables.engine.inputs import metadata_inputs
from trainables.engine.models import pretrained as encoder
from trainables.engine.text_data import Rows, TextData

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class Material:
    """An encoder, and what is known of the rows that a cell is trained on.

    Attributes:
        network: A fresh copy of the encoder, or its top blocks.
        pooler: Weight and bias of the encoder's own pooler, None where it was not pretrained.
        labels: Class ids of the rows trained on, int64 (rows,).
        metadata: Of the same rows, as `metadata_inputs.table` has them; None where left out.
    """

    network: PreTrainedModel
    pooler: encoder.Pooler | None
    labels: Rows
    metadata: Tensor | None


def gather(
    data: TextData,
    model: str,
    network: PreTrainedModel,
    kind: metadata_inputs.Kind | None,
    trained_on: Rows,
) -> Material:
    """The material of one cell.

    Args:
        data: All rows.
        model: Reference of the encoder.
        network: Its copy.
        kind: What is made of the metadata; None leaves them out.
        trained_on: Which rows the cell is trained on.
    """
    return Material(
        network=network,
        pooler=encoder.pretrained_pooler(model),
        labels=data.labels[trained_on],
        metadata=None if kind is None else metadata_inputs.table(data, kind)[trained_on],
    )
