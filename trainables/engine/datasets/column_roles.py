"""Roles of a table's columns: the user's names, a card's, or defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.dataset_card import DatasetCard, find


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns, by role."""

    text: str
    text_b: str | None
    label: str
    image: str | None = None
    image_b: str | None = None
    metadata: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Return the names of all columns that are read."""
        names = [self.text, self.label, f"{self.label}_name", "split", *self.metadata]
        return names + [name for name in (self.text_b, self.image, self.image_b) if name]


def columns_of_card(ref: DataRef, card: DatasetCard) -> Columns:
    """Return the columns of a data set in its own form.

    Names that the user gave go before the card's.
    """
    return Columns(
        ref.text or card.text,
        ref.text_b or card.text_b,
        ref.label or card.label,
        ref.image or card.image,
        ref.image_b or card.image_b,
        ref.metadata,
    )


def columns_of_file(ref: DataRef, card: DatasetCard | None) -> Columns:
    """Return the columns of a local file: the user's names, else defaults."""
    pair = "text_b" if card is not None and card.text_b is not None else None
    return Columns(
        ref.text or "text",
        ref.text_b or pair,
        ref.label or "label",
        ref.image,
        ref.image_b,
        ref.metadata,
    )


def card_of(name: str) -> DatasetCard | None:
    """Return the card of `trec` or `trec-1k`; None for other names."""
    return find(name)[0]


def label_column(ref: DataRef, names: Sequence[str]) -> str:
    """Return the label column of a further file of the same kind.

    Args:
        ref: Reference of the data that were trained on.
        names: Columns of the file.
    """
    usual = ref.label or "label"
    card = card_of(ref.name)
    if ref.label is not None or usual in names:
        return usual
    own = columns_like(ref, names, card, None).label
    if own not in names and card is not None:
        own = card.wheel.label if card.wheel is not None else card.label
    return own if own in names else usual


def card_with_images(card: DatasetCard | None) -> DatasetCard | None:
    """Return the card of a data set with images, else None.

    A local file may be a file of that data set, in its own form.
    """
    known = [registry.load("trainables.data", "factify2", "DATASET")] if card is None else [card]
    return next((own for own in known if own.image is not None), None)


def forms_of(ref: DataRef, card: DatasetCard | None, *, images: bool = True) -> list[Columns]:
    """Return the columns of each form that a file may have.

    Args:
        ref: Reference of the data set.
        card: Card of the data set, where it has one.
        images: False where rows are single texts, which no set with images has.
    """
    cards = [own for own in (card, card_with_images(card) if images else None) if own is not None]
    wheel = [] if card is None or card.wheel is None else [card.wheel]
    return [
        columns_of_file(ref, card),
        *(columns_of_card(ref, own) for own in cards),
        *(Columns(ref.text or own.text, None, ref.label or own.label) for own in wheel),
    ]


def columns_like(
    ref: DataRef, names: Sequence[str], card: DatasetCard | None, pairs: bool | None
) -> Columns:
    """Return the columns of a file with further rows of a kind.

    They are called as in a local file, or as in the data set's own form. Labels and images may be
    missing in it.

    Args:
        ref: Reference of the data set; names that the user gave go before others.
        names: Names of the file's columns.
        card: Card of the data set, where it has one.
        pairs: True if rows are pairs of texts; None if that is not known yet.
    """
    forms = forms_of(ref, card)
    if pairs:
        forms = [replace(form, text_b=form.text_b or "text_b") for form in forms]
    if pairs is False:
        forms = [replace(form, text_b=None) for form in forms_of(ref, card, images=False)]
    there = (form for form in forms if {form.text, form.text_b or form.text} <= set(names))
    return next(there, forms[0])


def match_columns(
    ref: DataRef, names: Sequence[str], card: DatasetCard | None
) -> tuple[Columns, DatasetCard | None]:
    """Return the columns to read of a local file, and its card."""
    columns, own = columns_of_file(ref, card), card_with_images(card)
    if own is not None and columns.text not in names:
        roles = columns_of_card(ref, own)
        if {roles.text, roles.text_b, roles.label, roles.image, roles.image_b} <= set(names):
            return roles, own
    return columns, card
