"""Attribution of class scores to words by occlusion, for any classifier.

Understanding Neural Networks through Representation Erasure (Li, Monroe and Jurafsky, 2016),
section 3: the importance of a word is how far the log-likelihood of the label falls without it.
There it is divided by the log-likelihood; here it is not, so that scores of texts can be averaged.

    s_c(l) = log p(c | text) - log p(c | text without the word l)

Images and metadata of a row are taken out as words are. The scores are `Parts` of one number a
class, with a part of no word for the rest of the log-likelihood. So all pictures of class
activation maps can show them, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainables.engine.arrays import Float32Array, FloatArray
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Scalar, Task
from trainables.engine.features.representation import TASKS_MODEL, Parts
from trainables.engine.models import pretrained
from trainables.engine.refit.new_rows import Scorer, UnlabelledRows
from trainables.engine.text_data import ImagePair, words

_BETWEEN = "\n\n"  # stands between the two texts of a row where it is shown
_IMAGES = ("[image]", "[second image]")
_TINY = np.finfo(np.float32).tiny

Ends = Callable[[UnlabelledRows], list[tuple[int, int]]]
"""Maps rows to the numbers of characters that a model reads of both texts."""


def ends(task: Task, config: Mapping[str, Scalar]) -> Ends:
    """Find where a config's model stops reading, by its tokenizer.

    Args:
        task: Task of the sweep.
        config: Complete config.
    """
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    if trainable.train is not None or trainable.estimator(bound) is not None:
        return _whole
    features = trainable.representation(bound)
    limit = bound.max_length if features is None else features.max_length
    if limit is None:
        return _whole
    reader = trainable.reads_with(bound)
    reference = task.model if reader is None or reader == TASKS_MODEL else reader
    tokenizer: Any = pretrained.load_tokenizer(reference)
    if not tokenizer.is_fast:
        return _whole
    most = pretrained.text_limit(reference, limit)

    def read(text: str, second: str | None) -> tuple[int, int]:
        encoded = tokenizer(
            text, second, truncation=True, max_length=most, return_offsets_mapping=True
        )
        if len(encoded["input_ids"]) < most:
            return len(text), len(second or "")
        last = [0, 0]
        for side, span in zip(encoded.sequence_ids(), encoded["offset_mapping"], strict=True):
            if side is not None:
                last[side] = max(last[side], span[1])
        return last[0], last[1]

    def each(rows: UnlabelledRows) -> list[tuple[int, int]]:
        if rows.texts_b is None:
            return [read(text, None) for text in rows.texts]
        pairs = zip(rows.texts, rows.texts_b, strict=True)
        if reader is None:
            return [read(*pair) for pair in pairs]
        return [(read(text, None)[0], read(second, None)[0]) for text, second in pairs]

    return each


def _whole(rows: UnlabelledRows) -> list[tuple[int, int]]:
    seconds = rows.texts_b or [""] * len(rows)
    return [(len(text), len(second)) for text, second in zip(rows.texts, seconds, strict=True)]


@dataclass
class _Copies:
    """Copies of one row to score: whole, and without each part."""

    words: list[str] = field(default_factory=list)
    spans: list[tuple[int, int] | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    texts_b: list[str] = field(default_factory=list)
    images: list[ImagePair] = field(default_factory=list)
    metadata: list[FloatArray] = field(default_factory=list)


def size(rows: UnlabelledRows) -> list[int]:
    """Largest number of copies of each row: one, and one per part."""
    seconds = rows.texts_b or [""] * len(rows)
    others = 1 + (2 if rows.images is not None else 0)
    others += 0 if rows.metadata is None else rows.metadata.shape[1]
    pairs = zip(rows.texts, seconds, strict=True)
    return [sum(1 for text in pair for _ in words(text)) + others for pair in pairs]


def parts(
    rows: UnlabelledRows, names: tuple[str, ...], ends: Ends, score: Scorer
) -> Iterator[Parts]:
    """Attribute the class scores of each row to its words.

    Args:
        rows: Rows to attribute.
        names: Names of the metadata's columns.
        ends: Ends of the texts that the model reads.
        score: Scorer of class probabilities; called once, for all copies.

    Yields:
        Parts whose vectors are s_c(l), float32 (parts, classes); together they are log p(c).
    """
    read = ends(rows)
    plans = [_copies(rows, row, names, read[row]) for row in range(len(rows))]
    copies = UnlabelledRows(
        [text for plan in plans for text in plan.texts],
        None if rows.texts_b is None else [text for plan in plans for text in plan.texts_b],
        None if rows.images is None else [pair for plan in plans for pair in plan.images],
        None if rows.metadata is None else np.array([v for plan in plans for v in plan.metadata]),
    )
    logs = np.log(np.maximum(score(copies), _TINY))
    start = 0
    for row, plan in enumerate(plans):
        yield _parts(rows, row, read[row], plan, logs[start : start + len(plan.texts)])
        start += len(plan.texts)


def _copies(
    rows: UnlabelledRows, row: int, names: tuple[str, ...], read: tuple[int, int]
) -> _Copies:
    text, second = rows.texts[row], "" if rows.texts_b is None else rows.texts_b[row]
    # Without a word, text behind the end would move up into reach: all copies lack it.
    text_read, second_read = text[: read[0]], second[: read[1]]
    images: ImagePair = (None, None) if rows.images is None else rows.images[row]
    values = np.zeros(0) if rows.metadata is None else rows.metadata[row]
    copies = _Copies()

    def add(first: str, other: str, pair: ImagePair, numbers: FloatArray) -> None:
        copies.texts.append(first)
        copies.texts_b.append(other)
        copies.images.append(pair)
        copies.metadata.append(numbers)

    add(text_read, second_read, images, values)
    for word in words(text_read):
        copies.words.append(word[0])
        copies.spans.append(word.span())
        add(_without(text_read, word), second_read, images, values)
    offset = len(text) + len(_BETWEEN)
    for word in words(second_read):
        copies.words.append(word[0])
        copies.spans.append((word.start() + offset, word.end() + offset))
        add(text_read, _without(second_read, word), images, values)
    for place, name in enumerate(_IMAGES):
        if images[place] is not None:
            copies.words.append(name)
            copies.spans.append(None)
            left: ImagePair = (None, images[1]) if place == 0 else (images[0], None)
            add(text_read, second_read, left, values)
    for column, name in enumerate(names[: len(values)]):
        if not np.isnan(values[column]):
            copies.words.append(f"[{name}]")
            copies.spans.append(None)
            add(
                text_read,
                second_read,
                images,
                np.where(np.arange(len(values)) == column, np.nan, values),
            )
    return copies


def _without(text: str, word: re.Match[str]) -> str:
    return f"{text[: word.start()].rstrip()} {text[word.end() :].lstrip()}".strip()


def _parts(
    rows: UnlabelledRows, row: int, read: tuple[int, int], plan: _Copies, logs: Float32Array
) -> Parts:
    text, second = rows.texts[row], None if rows.texts_b is None else rows.texts_b[row]
    scores = logs[0] - logs[1:]
    rest = logs[0] - scores.sum(axis=0)
    unread = text[read[0] :] + ("" if second is None else second[read[1] :])
    return Parts(
        words=(*plan.words, ""),
        spans=(*plan.spans, None),
        groups=(*range(len(plan.words)), -1),
        vectors=np.concatenate([scores, rest[None]]).astype(np.float32),
        divisor=1.0,
        text=text if second is None else f"{text}{_BETWEEN}{second}",
        cut=bool(unread.strip()),
    )
