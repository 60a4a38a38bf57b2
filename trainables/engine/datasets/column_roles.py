"""Which columns of a table hold what: the user's names, a data set's own, or ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.dataset_card import DatasetCard


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what."""

    text: str
    text_b: str | None
    label: str
    image: str | None = None
    image_b: str | None = None
    metadata: tuple[str, ...] = ()

    def wanted(self) -> list[str]:
        """The names of all columns that are read."""
        names = [self.text, self.label, f"{self.label}_name", "split", *self.metadata]
        return names + [name for name in (self.text_b, self.image, self.image_b) if name]


def roles_of(ref: DataRef, card: DatasetCard) -> Columns:
    """Columns of a data set in its own form; what the user named goes first."""
    return Columns(
        ref.text or card.text,
        ref.text_b or card.text_b,
        ref.label or card.label,
        ref.image or card.image,
        ref.image_b or card.image_b,
        ref.metadata,
    )


def plain(ref: DataRef, card: DatasetCard | None) -> Columns:
    """Columns of a local file: the user's names, else our own."""
    pair = "text_b" if card is not None and card.text_b is not None else None
    return Columns(
        ref.text or "text",
        ref.text_b or pair,
        ref.label or "label",
        ref.image,
        ref.image_b,
        ref.metadata,
    )


def own_form(card: DatasetCard | None) -> DatasetCard | None:
    """The card of the data set with images that a local file may be, in its own form."""
    known = [registry.load("trainables.data", "factify2", "DATASET")] if card is None else [card]
    return next((one for one in known if one.image is not None), None)


def of_local(
    ref: DataRef, names: Sequence[str], card: DatasetCard | None
) -> tuple[Columns, DatasetCard | None]:
    """Which columns of a local file to take, and whose it is."""
    columns, own = plain(ref, card), own_form(card)
    if own is not None and columns.text not in names:
        roles = roles_of(ref, own)
        if {roles.text, roles.text_b, roles.label, roles.image, roles.image_b} <= set(names):
            return roles, own
    return columns, card
