"""Cleaning steps on data: named, in order, before all other reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainables.engine import registry
from trainables.engine.errors import DataError
from trainables.engine.text_data import TextData, assemble

_PACKAGE = "trainables.cleaning"


def clean_text(text: str, steps: Sequence[str]) -> str:
    """Return a text after the steps, one after another.

    Raises:
        RegistryError: for a step that does not exist, naming the nearest.
    """
    for step in steps:
        text = registry.load(_PACKAGE, step, "CLEANING")(text)
    return text


def cleaned(data: TextData, steps: Sequence[str], drop_missing: bool) -> TextData:
    """Return the data after some cleaning steps.

    A note says how many rows each step changed.

    Args:
        data: Data as read.
        steps: Names of files of trainables/cleaning.
        drop_missing: True to leave out rows whose text is empty then, instead of refusing them.

    Raises:
        DataError: for an unknown step, or if nothing is left of a text.
    """
    texts, seconds, notes = list(data.texts), data.texts_b and list(data.texts_b), list(data.notes)
    for step in steps:
        after = [clean_text(text, [step]) for text in texts]
        after_b = seconds and [clean_text(text, [step]) for text in seconds]
        pairs = zip(after, after_b or after, texts, seconds or texts, strict=True)
        changed = sum(a != was or b != was_b for a, b, was, was_b in pairs)
        notes.append(f"cleaning {step}: {changed:,} of {len(texts):,} rows changed")
        texts, seconds = after, after_b
    rows = [
        row
        for row, text in enumerate(texts)
        if text.strip() and (seconds is None or seconds[row].strip())
    ]
    empty = len(texts) - len(rows)
    if empty and not drop_missing:
        raise DataError(
            f"Cleaning ({', '.join(steps)}) leaves nothing of {empty:,} of {len(texts):,} texts of "
            f"{data.name}. Leave these rows out with --drop-missing, or drop the step."
        )
    return assemble(
        name=data.name,
        texts=[texts[row] for row in rows],
        texts_b=seconds and [seconds[row] for row in rows],
        labels=data.labels[rows],
        label_names=data.label_names,
        official=None if data.official is None else data.official[rows],
        images=None if data.images is None else [data.images[row] for row in rows],
        dropped=data.dropped + empty,
        notes=notes,
        metadata=None if data.metadata is None else data.metadata.take(np.array(rows, np.int64)),
        labels_written=data.labels_written,
    )
