"""The audit of a data set: copies, contradictions, leaks and lengths.

Nothing here is fatal: findings are reported, and the folds keep copies together in any case.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from trainables.engine.arrays import IntArray
from trainables.engine.splits.class_names import alike, shown
from trainables.engine.splits.folds import part_counts
from trainables.engine.text_data import TextData

# A token gives a label away when nearly all rows that hold it are of one class, more than chance
# would have, and it stands in enough of that class's rows to lift a score by itself.
PURITY = 0.98
# Chance that any token of a data set is called so although it says nothing.
_CHANCE = 0.01
COVERAGE = 0.05
_FEWEST_ROWS = 20
# Number of characters that are searched for tokens: long articles stay quick.
_CHARACTERS = 12_000_000
# Words and single unusual signs, such as the damage U+FFFD.
_WORDS = re.compile(r"\w+|[^\w\s\x21-\x7e]")
_QUANTILES = (0.0, 0.5, 0.95, 1.0)


@dataclass(frozen=True, kw_only=True)
class Giveaway:
    """A token that nearly tells a label.

    Attributes:
        token: The token, lower-case.
        label: The class that it gives away.
        rows: Rows that hold it.
        purity: Share of those rows that are of the class.
        coverage: Share of the class's rows that hold it.
    """

    token: str
    label: str
    rows: int
    purity: float
    coverage: float


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Findings about a data set.

    Attributes:
        rows: Number of rows.
        classes: Rows by class name.
        parts: Rows by official part; empty where there is none.
        dropped: Rows left out because a text or label was missing.
        duplicates: Rows whose text (or pair) repeats an earlier row's.
        recased: Rows that repeat an earlier row's text in other capitals.
        contradictions: Distinct texts that stand under more than one label.
        shared: Distinct texts that two official parts share, by "train|test".
        giveaways: Tokens that give a label away, the strongest first.
        words: Quantiles of the number of words in a row: least, median, 95%, most.
        notes: How the source was read.
    """

    rows: int
    classes: dict[str, int]
    parts: dict[str, int]
    dropped: int
    duplicates: int
    recased: int
    contradictions: int
    shared: dict[str, int]
    giveaways: tuple[Giveaway, ...]
    words: tuple[int, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value with the attributes as keys."""
        return {
            **dataclasses.asdict(self),
            "giveaways": [dataclasses.asdict(token) for token in self.giveaways],
            "words": list(self.words),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Return the findings as sentences, disorder after plain facts."""
        by_size = sorted(self.classes.items(), key=lambda item: -item[1])
        largest = ", ".join(f"{shown(name)} {count:,}" for name, count in by_size[:6])
        more = f", and {len(by_size) - 6} more down to {by_size[-1][1]:,}" if by_size[6:] else ""
        _, median, most, longest = self.words
        lines = [
            f"{self.rows:,} rows; classes: {largest}{more}",
            f"words in a row: median {median:,}, 95% up to {most:,}, longest {longest:,}",
        ]
        for names in alike(self.classes):
            listed = " and ".join(repr(shown(name)) for name in names)
            lines.append(
                f"the classes {listed} are told apart although they are written alike: if they "
                "are one class, write them as one"
            )
        if self.parts:
            parts = ", ".join(f"{part} {count:,}" for part, count in self.parts.items())
            pooled = "; folds and held-out shares pool them" if len(self.parts) > 1 else " alone"
            lines.append(f"official parts: {parts}{pooled}")
        if self.dropped:
            lines.append(f"{self.dropped:,} rows with a missing text or label were left out")
        if self.duplicates:
            lines.append(
                f"{self.duplicates:,} of {self.rows:,} rows repeat the text of an earlier row; "
                "copies are kept on one side of every split"
            )
        if self.recased:
            lines.append(
                f"{_counted(self.recased, 'row repeats', 'rows repeat')} an earlier text in other "
                "capitals: copies to an uncased model, which may stand on both sides of a split; "
                "written in small letters, they would be copies to all"
            )
        if self.contradictions:
            lines.append(f"{_counted(self.contradictions, *_STANDS)} rows of more than one label")
        for pair, count in self.shared.items():
            first, second = pair.split("|")
            lines.append(f"{_counted(count, *_STANDS)} both parts {first} and {second}")
        for token in self.giveaways[:3]:
            lines.append(
                f"a single token gives a label away: {shown(token.token)!r} is in "
                f"{token.coverage:.0%} of the rows of {shown(token.label)!r}, and "
                f"{token.purity:.1%} of the {token.rows:,} rows that hold it are of that class"
            )
        if self.giveaways[3:]:
            others = ", ".join(repr(shown(token.token)) for token in self.giveaways[3:8])
            lines.append(f"{len(self.giveaways) - 3} more such tokens: {others}")
        return [*lines, *self.notes]


_STANDS = ("text stands in", "texts stand in")


def _counted(many: int, one: str, more: str) -> str:
    return f"1 {one}" if many == 1 else f"{many:,} {more}"


def audit(data: TextData) -> Audit:
    """Return the audit of a data set.

    It takes about a second for 10,000 texts.
    """
    counts = np.bincount(data.labels, minlength=len(data.label_names))
    pairs = np.unique(np.stack([data.groups, data.labels]), axis=1)
    labels_of_group = np.bincount(pairs[0])
    words = np.array([len(text.split()) for text in _whole_texts(data)])
    return Audit(
        rows=len(data),
        classes={name: int(n) for name, n in zip(data.label_names, counts, strict=True)},
        parts=part_counts(data),
        dropped=data.dropped,
        duplicates=len(data) - len(np.unique(data.groups)),
        recased=0 if data.tabular else _recased(data),
        contradictions=int((labels_of_group > 1).sum()),
        shared=_shared(data),
        giveaways=()
        if data.tabular
        else _giveaways(_whole_texts(data), data.labels, data.label_names),
        words=tuple(int(value) for value in np.quantile(words, _QUANTILES)),
        notes=data.notes,
    )


def _whole_texts(data: TextData) -> Sequence[str]:
    if data.texts_b is None:
        return data.texts
    return [f"{a} {b}" for a, b in zip(data.texts, data.texts_b, strict=True)]


def _recased(data: TextData) -> int:
    """Return the number of texts that repeat others but for capitals."""
    _, first = np.unique(data.groups, return_index=True)
    texts = _whole_texts(data)
    return len(first) - len({" ".join(texts[row].casefold().split()) for row in first})


def _shared(data: TextData) -> dict[str, int]:
    """Return the number of distinct texts that two official parts share."""
    if data.official is None:
        return {}
    groups = {part: data.groups[data.official == part] for part in part_counts(data)}
    counts = {
        f"{first}|{second}": len(np.intersect1d(groups[first], groups[second]))
        for first, second in itertools.combinations(groups, 2)
    }
    return {pair: count for pair, count in counts.items() if count}


def _giveaways(
    texts: Sequence[str], labels: IntArray, label_names: Sequence[str]
) -> tuple[Giveaway, ...]:
    """Return tokens that give a label away, widest first."""
    length = max(1, sum(map(len, texts)) // len(texts))
    # Every n-th row: a token in 5% of a class is found in a part of the rows as well.
    step = max(1, length * len(texts) // _CHARACTERS)
    sampled = range(0, len(texts), step)
    holding: list[Counter[str]] = [Counter() for _ in label_names]
    for row in sampled:
        text = texts[row].lower()
        holding[labels[row]].update({*text.split(), *_WORDS.findall(text)})
    sizes = np.bincount(labels[::step], minlength=len(label_names))
    everywhere: Counter[str] = Counter()
    for counter in holding:
        everywhere.update(counter)
    base = sizes / sizes.sum()
    # All that the tokens say may be the size of a class: 99 of 100 rows are of one that large.
    candidates = [
        (label, token, rows)
        for label, counter in enumerate(holding)
        for token, rows in counter.items()
        if rows >= max(_FEWEST_ROWS, COVERAGE * sizes[label])
        and everywhere[token] - rows
        <= (1 - PURITY) * min(1, 2 * (1 - base[label])) * everywhere[token]
    ]
    tried = sum(rows >= _FEWEST_ROWS for rows in everywhere.values())
    giveaways = [
        Giveaway(
            token=token,
            label=label_names[label],
            rows=everywhere[token] * step,
            purity=rows / everywhere[token],
            coverage=rows / int(sizes[label]),
        )
        for label, token, rows in candidates
        if binom.sf(rows - 1, everywhere[token], base[label]) * tried <= _CHANCE
    ]
    return tuple(sorted(giveaways, key=lambda token: (-token.coverage, token.token)))
