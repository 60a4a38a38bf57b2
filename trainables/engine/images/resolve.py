"""The images of a table's rows, joined to the texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.engine.errors import DataError
from trainables.engine.images.references import InspectedImages, inspect_all
from trainables.engine.images.report import References, counts, examples, write_report
from trainables.engine.images.url_policy import Resolver, public_address
from trainables.engine.text_data import ImagePair, ImageRef, TextData, assemble


@dataclass(frozen=True, kw_only=True)
class ImageColumns:
    """Columns of a table that name images.

    Attributes:
        first: Column of the text's image; None where texts have none.
        second: Column of the second text's image.
        folder: Folder of the table.
        drop: True to leave out rows with an unusable image, see `with_images`.
    """

    first: str | None
    second: str | None
    folder: Path | None
    drop: bool

    def names(self) -> list[str]:
        """Return the columns that must be there."""
        return [name for name in (self.first, self.second) if name is not None]


def with_images(
    data: TextData,
    references: References,
    folder: Path | None,
    drop: bool,
    resolver: Resolver = public_address,
) -> TextData:
    """Return the data with the images of its rows.

    Args:
        data: Texts of the rows.
        references: Path or URL of the claim's and the document's image by row, (rows,).
        folder: Folder of the table, which paths are relative to; None where it has none.
        drop: True to leave out rows with an unusable image; else their place is empty, and a
            network learns a vector for it.
        resolver: See `download.fetch_all`.

    Raises:
        DataError: if no image at all is usable, or none of a class is left.
    """
    distinct = _distinct(references)
    images = inspect_all(distinct, folder, resolver)
    pairs = _usable(references, images)
    rows = [row for row, pair in enumerate(pairs) if None not in pair or not drop]
    if not any(image is not None for pair in pairs for image in pair):
        raise DataError(
            f"{data.name} has no usable image: {counts(references, images) or 'no references'}. "
            f"{examples(distinct, images)}"
        )
    left = {int(label) for label in data.labels[rows]}
    if len(left) < len(data.label_names):
        raise DataError(
            f"Without the rows whose image is unusable {data.name} has no row of "
            f"{len(data.label_names) - len(left)} of {len(data.label_names)} classes. Keep them: "
            "--bad-images missing"
        )
    report = write_report(data.name, references, images)
    notes = [f"images: {counts(references, images)}; listed in {report}"]
    if len(rows) < len(pairs):
        notes.append(f"{len(pairs) - len(rows):,} rows with an unusable image were left out")
    elif any(None in pair for pair in pairs):
        notes.append("an unusable image is replaced by a vector that is learned")
    return assemble(
        name=data.name,
        texts=[data.texts[row] for row in rows],
        texts_b=None if data.texts_b is None else [data.texts_b[row] for row in rows],
        labels=data.labels[rows],
        label_names=data.label_names,
        official=None if data.official is None else data.official[rows],
        images=[pairs[row] for row in rows],
        dropped=data.dropped + len(pairs) - len(rows),
        notes=[*data.notes, *notes],
        metadata=None if data.metadata is None else data.metadata.take(np.array(rows, np.int64)),
    )


def pairs_of(references: References, folder: Path | None) -> list[ImagePair]:
    """Return the usable images of some rows; see `with_images`."""
    return _usable(references, inspect_all(_distinct(references), folder))


def _distinct(references: References) -> list[str]:
    return list(dict.fromkeys(ref for pair in references for ref in pair if ref is not None))


def _usable(references: References, images: InspectedImages) -> list[ImagePair]:
    def image(reference: str | None) -> ImageRef | None:
        if reference is None or images.inspections[reference].fault is not None:
            return None
        return ImageRef(str(images.paths[reference]), images.inspections[reference].digest)

    return [(image(first), image(second)) for first, second in references]
