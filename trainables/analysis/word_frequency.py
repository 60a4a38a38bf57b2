"""The most frequent words of each part of a data set.

The table is like table 1 of Team Noir at Factify 2.

Claims only, as there ("the word frequency distribution of the 'claim' text data"), lower-case,
words of any script; clean the data (`--clean urls --clean stop-words --clean punctuation`) for
words that mean something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainables.analysis import lettering
from trainables.engine.splits.folds import part_counts
from trainables.engine.text_data import TextData, words

Ranked = list[tuple[str, int]]

_WHOLE = "all rows"
_TOP = 11  # as many as the paper shows


def frequent_words(data: TextData, top: int = _TOP) -> dict[str, Ranked]:
    """Return the most frequent words by part, each with its count.

    Words of equal counts are in alphabetical order.

    Args:
        data: Data; without official parts all rows are one part.
        top: Number of words a part.
    """
    parts = part_counts(data) or {_WHOLE: len(data)}
    counts: dict[str, Counter[str]] = {part: Counter() for part in parts}
    for row, text in enumerate(data.texts):
        part = _WHOLE if data.official is None else str(data.official[row])
        counts[part].update(match.group().casefold() for match in words(text))
    return {
        part: sorted(count.items(), key=lambda item: (-item[1], item[0]))[:top]
        for part, count in counts.items()
    }


def as_markdown(frequencies: Mapping[str, Ranked]) -> str:
    """Return the table as Markdown, a pair of columns a part."""
    lines = [
        "| " + " | ".join(f"{part} | times" for part in frequencies) + " |",
        "| " + " | ".join("--- | --:" for _ in frequencies) + " |",
    ]
    for place in range(max(map(len, frequencies.values()), default=0)):
        cells = [
            f"{ranked[place][0]} | {ranked[place][1]:,}" if place < len(ranked) else " | "
            for ranked in frequencies.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(frequencies: Mapping[str, Ranked], path: Path) -> None:
    """Draw a chart of bars, a panel a part.

    Args:
        frequencies: Words of `frequent_words`.
        path: Path of the picture; its suffix names the format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = lettering.fonts()
    most = max((len(ranked) for ranked in frequencies.values()), default=1)
    figure = Figure(
        figsize=(3.6 * len(frequencies), 0.8 + 0.26 * max(most, 1)), layout="constrained", dpi=160
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(frequencies), squeeze=False)[0]
    for panel, (part, ranked) in zip(panels, frequencies.items(), strict=True):
        names: Sequence[str] = [word for word, _ in ranked]
        bars = panel.barh(range(len(ranked)), [count for _, count in ranked], color="#0072B2")
        panel.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
        panel.set_yticks(range(len(ranked)), names, fontsize=8, family=fonts)
        panel.invert_yaxis()
        panel.set_title(part, fontsize=9, loc="left")
        panel.margins(x=0.18)
        panel.tick_params(axis="x", labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    lettering.save(figure, path)
