"""What each word of a text does for a class, told by taking it out: for any classifier at all.

Understanding Neural Networks through Representation Erasure (Li, Monroe and Jurafsky, 2016),
section 3: the importance of a word is how far the log-likelihood of the label falls without it.
There it is divided by the log-likelihood; here it is not, so that scores of texts can be averaged.

    s_c(l) = log p(c | text) - log p(c | text without the word l)

Images and metadata of a row are taken out as words are. The scores stand in `Parts` of one number a
class, with a part of no word for what the words do not account for: all that shows class activation
maps shows these, too.
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
from trainables.engine.refit.new_rows import Further, Scorer
from trainables.engine.text_data import ImagePair, words

_BETWEEN = "\n\n"  # stands between the two texts of a row where it is shown
_IMAGES = ("[image]", "[second image]")
_TINY = np.finfo(np.float32).tiny

Ends = Callable[[Further], list[tuple[int, int]]]
"""How many characters of text and second text of each row a model reads."""


def ends(task: Task, config: Mapping[str, Scalar]) -> Ends:
    """How far a config's model reads, told by its tokenizer.

    Args:
        task: What the sweep's cells share.
        config: Every field of the trainable's Config.
    """
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    features = trainable.representation(bound)
    limit = bound.max_length if features is None else features.max_length
    own = trainable.reads_with(bound)
    reference = task.model if own is None or own == TASKS_MODEL else own
    tokenizer: Any = pretrained.load_tokenizer(reference)
    if limit is None or not tokenizer.is_fast:
        return _whole
    most = min(limit, tokenizer.model_max_length)

    def read(text: str, second: str | None) -> tuple[int, int]:
        given = tokenizer(
            text, second, truncation=True, max_length=most, return_offsets_mapping=True
        )
        if len(given["input_ids"]) < most:
            return len(text), len(second or "")
        last = [0, 0]
        for of, span in zip(given.sequence_ids(), given["offset_mapping"], strict=True):
            if of is not None:
                last[of] = max(last[of], span[1])
        return last[0], last[1]

    def each(rows: Further) -> list[tuple[int, int]]:
        if rows.texts_b is None:
            return [read(text, None) for text in rows.texts]
        pairs = zip(rows.texts, rows.texts_b, strict=True)
        if own is None:
            return [read(*pair) for pair in pairs]
        return [(read(text, None)[0], read(second, None)[0]) for text, second in pairs]

    return each


def _whole(rows: Further) -> list[tuple[int, int]]:
    seconds = rows.texts_b or [""] * len(rows)
    return [(len(text), len(second)) for text, second in zip(rows.texts, seconds, strict=True)]


@dataclass
class _Copies:
    """The copies of one row that are to be scored: whole, and without each of its parts."""

    words: list[str] = field(default_factory=list)
    spans: list[tuple[int, int] | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    texts_b: list[str] = field(default_factory=list)
    images: list[ImagePair] = field(default_factory=list)
    metadata: list[FloatArray] = field(default_factory=list)


def size(rows: Further) -> list[int]:
    """How many copies of each row are scored, at most: one, and one for each part."""
    seconds = rows.texts_b or [""] * len(rows)
    beside = 1 + (2 if rows.images is not None else 0)
    beside += 0 if rows.metadata is None else rows.metadata.shape[1]
    both = zip(rows.texts, seconds, strict=True)
    return [sum(1 for text in pair for _ in words(text)) + beside for pair in both]


def parts(rows: Further, names: tuple[str, ...], ends: Ends, score: Scorer) -> Iterator[Parts]:
    """The words of each row with what they do for each class.

    Args:
        rows: The rows.
        names: Of their metadata's columns.
        ends: How far a model reads them.
        score: Gives class probabilities; asked once, for all copies.

    Yields:
        Parts whose vectors are s_c(l), float32 (parts, classes); together they are log p(c).
    """
    read = ends(rows)
    plans = [_copies(rows, row, names, read[row]) for row in range(len(rows))]
    asked = Further(
        [text for plan in plans for text in plan.texts],
        None if rows.texts_b is None else [text for plan in plans for text in plan.texts_b],
        None if rows.images is None else [pair for plan in plans for pair in plan.images],
        None if rows.metadata is None else np.array([v for plan in plans for v in plan.metadata]),
    )
    logs = np.log(np.maximum(score(asked), _TINY))
    start = 0
    for row, plan in enumerate(plans):
        yield _parts(rows, row, read[row], plan, logs[start : start + len(plan.texts)])
        start += len(plan.texts)


def _copies(rows: Further, row: int, names: tuple[str, ...], read: tuple[int, int]) -> _Copies:
    text, second = rows.texts[row], "" if rows.texts_b is None else rows.texts_b[row]
    # What is behind the end would move up where a word is taken out: it is left out of all copies.
    text_read, second_read = text[: read[0]], second[: read[1]]
    images: ImagePair = (None, None) if rows.images is None else rows.images[row]
    values = np.zeros(0) if rows.metadata is None else rows.metadata[row]
    found = _Copies()

    def add(first: str, other: str, pair: ImagePair, numbers: FloatArray) -> None:
        found.texts.append(first)
        found.texts_b.append(other)
        found.images.append(pair)
        found.metadata.append(numbers)

    add(text_read, second_read, images, values)
    for word in words(text_read):
        found.words.append(word[0])
        found.spans.append(word.span())
        add(_without(text_read, word), second_read, images, values)
    offset = len(text) + len(_BETWEEN)
    for word in words(second_read):
        found.words.append(word[0])
        found.spans.append((word.start() + offset, word.end() + offset))
        add(text_read, _without(second_read, word), images, values)
    for place, name in enumerate(_IMAGES):
        if images[place] is not None:
            found.words.append(name)
            found.spans.append(None)
            left: ImagePair = (None, images[1]) if place == 0 else (images[0], None)
            add(text_read, second_read, left, values)
    for column, name in enumerate(names[: len(values)]):
        if not np.isnan(values[column]):
            found.words.append(f"[{name}]")
            found.spans.append(None)
            add(
                text_read,
                second_read,
                images,
                np.where(np.arange(len(values)) == column, np.nan, values),
            )
    return found


def _without(text: str, word: re.Match[str]) -> str:
    return f"{text[: word.start()].rstrip()} {text[word.end() :].lstrip()}".strip()


def _parts(
    rows: Further, row: int, read: tuple[int, int], plan: _Copies, logs: Float32Array
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
