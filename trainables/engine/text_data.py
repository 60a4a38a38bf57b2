"""Labelled texts, whatever file or hub they came from.

`trainables/engine/datasets/load.py` builds these objects; nothing here reads a file.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainables.engine.arrays import FloatArray, IntArray, TextArray

if TYPE_CHECKING:
    import pandas as pd


class ImageRef(NamedTuple):
    """A usable image.

    Attributes:
        path: Path of its file on this machine.
        digest: Hash (sha256) of its contents, which a fingerprint includes.
    """

    path: str
    digest: str


ImagePair = tuple[ImageRef | None, ImageRef | None]


@dataclass(frozen=True, eq=False)
class Metadata:
    """Numeric columns beside the texts, unscaled.

    Attributes:
        names: Names of the columns, (columns,).
        values: Numbers, float64 (rows, columns), nan where the source has no value.
    """

    names: tuple[str, ...]
    values: FloatArray

    def take(self, rows: IntArray) -> Metadata:
        """Return some rows, in their order."""
        return Metadata(self.names, self.values[rows])

    def to_bytes(self) -> bytes:
        """Return all contents, equal for equal ones on every machine."""
        plain = np.where(np.isnan(self.values), np.nan, self.values)  # normalises NaN bit patterns
        return json.dumps(self.names).encode() + plain.astype("<f8").tobytes()


@dataclass(frozen=True, eq=False)
class TextData:
    """Labelled texts in a fixed order. Equal contents are equal objects.

    Attributes:
        name: Name for messages; the fingerprint leaves it out.
        texts: Texts, none of them blank.
        texts_b: Second text of each pair; None where rows are single texts.
        labels: Class ids, int64 (rows,), in [0, classes).
        label_names: Class names in the order of their ids; every class has a row.
        official: Part of each row in the source ("train", "valid", "test", ...), str (rows,); None
            where the source has no parts.
        groups: Number of each row's distinct text (or pair), int64 (rows,). White space is
            normalised first: copies that differ in a blank are still copies.
        fingerprint: Hash (sha256) of all contents in order; a changed, added or moved row changes
            it.
        images: Images of each row's text and second text, None where one is not usable; None where
            rows have no images at all.
        dropped: Number of rows left out because their text or label was missing.
        notes: Remarks on the reading of the source, for the audit.
        metadata: Selected numeric columns, or None.
        labels_written: Label of each class as the source's column has it, where a companion column
            gave the names; None where the column itself did.
        frame: All columns of the table, typed, for a user's own training function; None where
            only texts and labels are read.
        answer: Name of the frame's column to predict.
        target: Number to predict by row, float64 (rows,); the labels are then strata of it. None
            for classes.
        tabular: True where the texts are whole rows, written out.
    """

    name: str
    texts: tuple[str, ...]
    texts_b: tuple[str, ...] | None
    labels: IntArray
    label_names: tuple[str, ...]
    official: TextArray | None
    groups: IntArray
    fingerprint: str
    dropped: int = 0
    notes: tuple[str, ...] = ()
    images: tuple[ImagePair, ...] | None = None
    metadata: Metadata | None = None
    labels_written: tuple[str, ...] | None = None
    frame: pd.DataFrame | None = None
    answer: str | None = None
    target: FloatArray | None = None
    tabular: bool = False

    def __eq__(self, other: object) -> bool:
        """Return True for equal contents; names do not count."""
        return isinstance(other, TextData) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.texts)

    def take(self, rows: IntArray, name: str | None = None) -> TextData:
        """Return the data of some rows, with a fingerprint of their own.

        Args:
            rows: Row numbers, int64 (taken,), in the order of the result.
            name: New name; None keeps the old one.
        """
        return assemble(
            name=self.name if name is None else name,
            texts=[self.texts[row] for row in rows],
            texts_b=None if self.texts_b is None else [self.texts_b[row] for row in rows],
            labels=self.labels[rows],
            label_names=self.label_names,
            official=None if self.official is None else self.official[rows],
            images=None if self.images is None else [self.images[row] for row in rows],
            dropped=self.dropped,
            notes=self.notes,
            metadata=None if self.metadata is None else self.metadata.take(rows),
            labels_written=self.labels_written,
            frame=None if self.frame is None else self.frame.iloc[rows].reset_index(drop=True),
            answer=self.answer,
            target=None if self.target is None else self.target[rows],
            tabular=self.tabular,
        )


def assemble(
    *,
    name: str,
    texts: Sequence[str],
    texts_b: Sequence[str] | None,
    labels: IntArray,
    label_names: Sequence[str],
    official: TextArray | None,
    images: Sequence[ImagePair] | None = None,
    dropped: int = 0,
    notes: Sequence[str] = (),
    metadata: Metadata | None = None,
    labels_written: Sequence[str] | None = None,
    frame: pd.DataFrame | None = None,
    answer: str | None = None,
    target: FloatArray | None = None,
    tabular: bool = False,
) -> TextData:
    """Return a `TextData` with computed groups and fingerprint.

    Args:
        name: Name of the data.
        texts: Texts, (rows,).
        texts_b: Second texts, (rows,), or None.
        labels: Class ids, int64 (rows,).
        label_names: Class names by id.
        official: Part of each row, str (rows,), or None.
        images: Images of each row, (rows,), or None.
        dropped: Number of rows left out as missing.
        notes: Remarks for the audit.
        metadata: Numeric columns, (rows, columns), or None.
        labels_written: Labels by class id as the source has them, where it names them apart.
        frame: All columns of the table, or None.
        answer: Name of the frame's column to predict.
        target: Number to predict by row, (rows,), or None.
        tabular: True where the texts are whole rows, written out.
    """
    parts = None if official is None else [str(part) for part in official]
    digest = hashlib.sha256(json.dumps(list(label_names)).encode())
    for row, text in enumerate(texts):
        record = (
            text,
            None if texts_b is None else texts_b[row],
            label_names[labels[row]],
            None if parts is None else parts[row],
        )
        # JSON keeps the fields apart: ("a", "bc") and ("ab", "c") must not hash alike.
        digest.update(json.dumps(record).encode())
    if images is not None:
        digests = [[image and image.digest for image in pair] for pair in images]
        digest.update(json.dumps(digests).encode())
    if metadata is not None:
        digest.update(metadata.to_bytes())
    if frame is not None:
        _digest_frame(digest, frame, answer)
    return TextData(
        name=name,
        texts=tuple(texts),
        texts_b=None if texts_b is None else tuple(texts_b),
        labels=np.asarray(labels, np.int64),
        label_names=tuple(label_names),
        official=None if parts is None else np.array(parts, dtype=np.str_),
        groups=_groups(texts, texts_b),
        fingerprint=digest.hexdigest(),
        dropped=dropped,
        notes=tuple(notes),
        images=None if images is None else tuple(images),
        metadata=metadata,
        labels_written=None if labels_written is None else tuple(labels_written),
        frame=frame,
        answer=answer,
        target=target,
        tabular=tabular,
    )


def _digest_frame(digest: hashlib._Hash, frame: pd.DataFrame, answer: str | None) -> None:
    """Add all columns of a frame to a digest."""
    digest.update(json.dumps([*map(str, frame.columns), answer]).encode())
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind in "iufb":
            numbers = values.to_numpy(np.float64)
            digest.update(np.where(np.isnan(numbers), np.nan, numbers).astype("<f8").tobytes())
        else:
            digest.update(
                json.dumps(
                    [
                        None if gone else str(v)
                        for v, gone in zip(values.tolist(), values.isna(), strict=True)
                    ]
                ).encode()
            )


def _groups(texts: Sequence[str], texts_b: Sequence[str] | None) -> IntArray:
    """Number the distinct texts (or pairs) in order of appearance, int64 (rows,)."""
    numbers: dict[tuple[str, str], int] = {}
    seconds = [""] * len(texts) if texts_b is None else texts_b
    return np.array(
        [
            numbers.setdefault((" ".join(text.split()), " ".join(second.split())), len(numbers))
            for text, second in zip(texts, seconds, strict=True)
        ],
        dtype=np.int64,
    )


# The zero-width joiners decide how letters of Devanagari are drawn.
_JOINERS = "\u200c\u200d"


@cache
def _pattern() -> re.Pattern[str]:
    marks = [i for i in range(0x300, sys.maxunicode) if unicodedata.category(chr(i))[0] == "M"]
    letter = rf"[\w{re.escape(''.join(map(chr, marks)))}{_JOINERS}]"
    return re.compile(rf"{letter}+(?:['\u2019\u2010\u2011-]{letter}+)*")


def words(text: str) -> Iterator[re.Match[str]]:
    """Return the words of a text, each with its place."""
    return _pattern().finditer(text)
