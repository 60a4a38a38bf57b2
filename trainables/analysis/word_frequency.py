"""Most frequent words of each part of the data (Noir's table 1).

Claims only, as there ("the word frequency distribution of the 'claim' text data"), lower-case,
words of any script. Clean the data for words that mean something:
`--clean urls --clean stop-words --clean punctuation`.
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
    """Count the most frequent words by part; ties are alphabetical.

    Args:
        data: Data set; without official parts all rows are one.
        top: Number of words per part.
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


def as_markdown(parts: Mapping[str, Ranked]) -> str:
    """Write the table, two columns per part."""
    lines = [
        "| " + " | ".join(f"{part} | times" for part in parts) + " |",
        "| " + " | ".join("--- | --:" for _ in parts) + " |",
    ]
    for place in range(max(map(len, parts.values()), default=0)):
        cells = [
            f"{ranked[place][0]} | {ranked[place][1]:,}" if place < len(ranked) else " | "
            for ranked in parts.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(parts: Mapping[str, Ranked], path: Path) -> None:
    """Draw the words as bars, one panel per part.

    Args:
        parts: Words with their counts, from `frequent_words`.
        path: Path of the picture; its suffix names the format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fonts = lettering.fonts()
    most = max((len(ranked) for ranked in parts.values()), default=1)
    figure = Figure(
        figsize=(3.6 * len(parts), 0.8 + 0.26 * max(most, 1)), layout="constrained", dpi=160
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    for panel, (part, ranked) in zip(panels, parts.items(), strict=True):
        names: Sequence[str] = [lettering.plain(word) for word, _ in ranked]
        bars = panel.barh(range(len(ranked)), [count for _, count in ranked], color="#0072B2")
        panel.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=7)
        panel.set_yticks(range(len(ranked)), names, fontsize=8, family=fonts)
        panel.invert_yaxis()
        panel.set_title(part, fontsize=9, loc="left")
        panel.margins(x=0.18)
        panel.tick_params(axis="x", labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    lettering.save(figure, path)
